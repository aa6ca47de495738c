/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/commit.c - what a quorum has reached.  Every count of voters in
 * the core ends here, so a joint configuration is never asked by one half.
 */
#include "core.h"

enum vote rkv_quorum_vote(const struct rkv_raft *r, uint64_t granted,
                          uint64_t rejected)
{
    return r->voters == 0
               ? VOTE_LOST
               : rkv_joint_vote(r->voters, r->outgoing, granted, rejected);
}

uint64_t rkv_quorum_value(const struct rkv_raft *r, const uint64_t *values)
{
    return r->voters == 0 ? 0 : rkv_joint_value(r->voters, r->outgoing, values);
}

/* Only an entry of the leader's own term commits by counting; those before
 * it commit with it (thesis 3.6.2).  Terms never fall along the log, so it
 * is enough to compare with where the term began.  The leader counts its own
 * log only as far as it is on disk: with a slow disk of ours the others may
 * commit an entry before we do. */
void rkv_commit_advance(struct rkv_raft *r)
{
    uint64_t values[RKV_MEMBERS_MAX];

    for (uint32_t i = 0; i < r->count; i++)
        values[i] = r->peers[i].match;
    if (r->self >= 0)
        values[r->self] = r->durable;
    uint64_t index = rkv_quorum_value(r, values);
    if (index <= r->commit || index < r->term_start)
        return;
    assert(index <= r->trail.last);
    r->commit = index;
    r->serve |= others_bits(r);
}
