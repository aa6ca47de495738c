/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/scope.c - what is gone through.  Without pre-vote and
 * check-quorum more can happen than with them, as far as safety goes.
 */
#include "explore.h"

enum { BARE = RKV_RAFT_NO_PREVOTE | RKV_RAFT_NO_CHECK_QUORUM };

static const uint32_t one_in_one_out[] = {
    RKV_CHANGE_ADD_VOTER << 4 | 4, RKV_CHANGE_REMOVE << 4 | 1,
    RKV_CHANGE_REMOVE << 4 | 2, RKV_CHANGE_REMOVE << 4 | 3, 0};

const struct scope scopes[] = {
    {.name = "basic",
     .about = "3 members, 2 terms, 1 command, 1 crash, slow disks",
     .members = 3,
     .founders = 3,
     .terms = 2,
     .budget = {[PROPOSALS] = 1, [CRASHES] = 1},
     .flags = BARE,
     .is_async = true,
     .short_depth = 11,
     .weight = 1},
    {.name = "sync",
     .about = "3 members, 2 terms, 1 command, 1 crash, quick disks",
     .members = 3,
     .founders = 3,
     .terms = 2,
     .budget = {[PROPOSALS] = 1, [CRASHES] = 1},
     .flags = BARE,
     .short_depth = 11,
     .weight = 1},
    {.name = "change",
     .about = "4 members, 3 terms, 2 changes",
     .members = 4,
     .founders = 3,
     .terms = 3,
     .budget = {[CHANGES] = 2},
     .flags = BARE | RKV_RAFT_NO_HANDOVER,
     .is_rounds = true,
     .is_lazy = true,
     .menu = one_in_one_out,
     .short_depth = 6,
     .weight = 2},
    {.name = "impatient",
     .about = "the same, but a new leader proposes a change at once",
     .members = 4,
     .founders = 3,
     .terms = 3,
     .budget = {[CHANGES] = 2},
     .flags = BARE | RKV_RAFT_NO_HANDOVER | RKV_RAFT_NO_CHANGE_CHECK,
     .is_rounds = true,
     .is_lazy = true,
     .menu = one_in_one_out,
     .is_to_break = true},
};
const size_t scopes_count = sizeof scopes / sizeof scopes[0];
