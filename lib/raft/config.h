/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/config.h - the algebra of configurations (thesis 4.1 and 4.3): is
 * this one, and what does a change make of it?  Pure: it knows of no running
 * member, no log and no time, so every member that applies the same changes
 * comes to the same configuration.
 *
 *     voters      role RKV_VOTER
 *     outgoing    RKV_OUTGOING, with or without RKV_VOTER: a voter of the half
 *                 that goes out; there is one exactly while it is joint
 *     learners    role RKV_LEARNER alone
 *     next        RKV_LEARNER_NEXT, outgoing only: a learner once that half
 *                 is gone
 *     auto-leave  RKV_AUTO_LEAVE on all that are outgoing, or on none
 */
#ifndef RKV_RAFT_CONFIG_H
#define RKV_RAFT_CONFIG_H

#include <raftkv/raft.h>
#include <stdbool.h>

enum {
    ROLE_ALONE = RKV_VOTER | RKV_LEARNER,
    ROLE_JOINT = RKV_OUTGOING | RKV_LEARNER_NEXT | RKV_AUTO_LEAVE,
    /* In a draft only: this change began it, whoever had the id before. */
    ROLE_FRESH = 1 << 16
};

/* A configuration under way to the next one; in id order.  When a function
 * below refuses, what it leaves here is nothing and to be thrown away. */
struct config {
    uint32_t count;
    uint32_t max;
    struct rkv_raft_member members[RKV_MEMBERS_MAX];
};

/* Is it one at all?  Nobody is. */
int rkv_config_check(const struct rkv_raft_member *members, uint32_t count,
                     uint32_t max);
bool rkv_config_is_joint(const struct config *c);

/* The list is in order, and doing a thing twice is doing it once.  An id of 0
 * is passed over.  RKV_EJOINT: it is joint already, or not at all.
 * RKV_EUNSAFE: no voter would be left.  RKV_ETOOMANY, from simple alone: two
 * voters or more would change.  RKV_EINVAL: more members than may be. */
int rkv_config_simple(struct config *c, const struct rkv_raft_change *list,
                      uint32_t count);
int rkv_config_enter(struct config *c, const struct rkv_raft_change *list,
                     uint32_t count, bool auto_leave);
int rkv_config_leave(struct config *c);
/* The one of the three that these changes ask for. */
int rkv_config_apply(struct config *c, const struct rkv_raft_changes *changes);

#endif
