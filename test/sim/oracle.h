/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/oracle.h - the judges of test/oracle, as one world asks them.
 */
#ifndef TEST_SIM_ORACLE_H
#define TEST_SIM_ORACLE_H

#include "oracle/claims.h"
#include "oracle/lifetimes.h"
#include "oracle/notary.h"
#include "oracle/timeline.h"
#include "oracle/twin.h"
#include "world.h"

/* A core, as it was when it was looked at last. */
struct core_look {
    uint64_t boot;
    uint64_t term;
    uint64_t commit;
    uint64_t last;
    uint64_t hurried; /* the term in which it was told to campaign */
    uint64_t now;
    uint64_t pictures; /* snapshots of its own */
    uint64_t piece_of; /* the piece of a snapshot it asked for last */
    uint64_t piece_at;
    bool slept; /* as a leader, and was not asked since */
    bool recovering;
    uint32_t role;
};

struct taken_in {
    uint64_t term;
    uint64_t at;
};

struct oracle {
    struct verdict verdict;
    struct notary notary;
    struct core_look cores[MEMBERS_MAX];
    struct twin twin;
    struct claims claims;
    struct timeline timeline;
    struct lifetimes lifetimes;
    struct taken_in *taken_in; /* by index */
    size_t taken_in_cap;
    size_t taken_in_end;
    uint64_t quiet_term; /* who led when all had been calm for a while */
};

struct rkv_raft_in;
/* What a judge has said becomes the world's word. */
void oracle_hear(struct world *w);
/* probe.c: an entry was applied; result NULL: it was no command. */
void oracle_applied(struct world *w, const rkv_kv *kv, uint64_t index,
                    const void *command, size_t len,
                    const struct rkv_result *result);

/* frames.c */
void frame_sent(struct world *w, uint32_t from, const struct rkv_frame *frame);

/* cores.c: what went into a core, and came out. */
void core_stepped(struct world *w, const rkv_raft *raft,
                  const struct rkv_raft_in *in, int rc);
void core_drained(struct world *w, const rkv_raft *raft,
                  const struct rkv_raft_out *out);
void core_dies(struct world *w, uint32_t at);
/* The member at this machine, as others know it. */
uint64_t member_id(const struct world *w, uint32_t at);

#endif
