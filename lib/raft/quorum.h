/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/quorum.h - what more than half of a set of voters says, and what
 * both halves of a joint configuration say (thesis 4.3).  Pure arithmetic on
 * sets of slots; who sits in which slot is somebody else's affair.
 *
 * Nobody at all is a half that agrees to everything, so that one half alone
 * and joined with an empty one are the same.  A member without voters must
 * not ask.
 */
#ifndef RKV_RAFT_QUORUM_H
#define RKV_RAFT_QUORUM_H

#include <stdint.h>

enum vote { VOTE_PENDING, VOTE_WON, VOTE_LOST };

/* Voters in neither granted nor rejected have not spoken yet. */
enum vote rkv_majority_vote(uint64_t voters, uint64_t granted,
                            uint64_t rejected);
enum vote rkv_joint_vote(uint64_t voters, uint64_t outgoing, uint64_t granted,
                         uint64_t rejected);

/* The largest value that a quorum has reached; values by slot, 0 for who said
 * nothing. */
uint64_t rkv_majority_value(uint64_t voters, const uint64_t *values);
uint64_t rkv_joint_value(uint64_t voters, uint64_t outgoing,
                         const uint64_t *values);

#endif
