/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What must hold when all is over: every member of the core has the state that
 * the model has; time has ended every lease; nobody was elected while nothing
 * was wrong; and when then all machines lose power at once, what was answered
 * is found on the disks of a majority.
 */
#include "oracle.h"

/* So long after the storm nothing is left of it; a lease may then be late by
 * a few elections and by the time between two words of the clock. */
enum { QUIET_AFTER = 8000, LATE = 6000 };

static bool belongs(const struct rkv_member *members, uint32_t count,
                    uint64_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == id)
            return true;
    return false;
}

static void check_member(struct world *w, uint32_t at, uint32_t leader)
{
    struct rkv_node_status first = {.size = sizeof first};
    struct rkv_node_status status = {.size = sizeof status};
    struct rkv_kv_status kv = {.size = sizeof kv};
    uint64_t hash;

    rkv_node_status(w->machines[leader].node, &first);
    rkv_kv_status(rkv_node_kv(w->machines[leader].node), &kv);
    hash = kv.hash;
    rkv_node_status(w->machines[at].node, &status);
    rkv_kv_status(rkv_node_kv(w->machines[at].node), &kv);
    if (status.leader != leader + 1)
        world_break(w, "a healed cluster agrees on a leader",
                    "member %u says %llu, it is %u", at + 1,
                    (unsigned long long)status.leader, leader + 1);
    else if (status.applied != first.applied || kv.hash != hash)
        world_break(w, "a healed cluster ends in one state",
                    "member %u applied %llu, the leader %llu", at + 1,
                    (unsigned long long)status.applied,
                    (unsigned long long)first.applied);
    twin_check_all(&w->oracle->twin, rkv_node_kv(w->machines[at].node));
    oracle_hear(w);
}

static void check_members(struct world *w)
{
    uint32_t leader = world_leader(w);
    const struct rkv_member *members;
    uint32_t count;

    if (leader == w->count) {
        world_break(w, "a healed cluster has a leader", "nobody leads");
        return;
    }
    count = rkv_node_members(w->machines[leader].node, &members);
    for (uint32_t i = 0; i < w->count && w->broken == NULL; i++) {
        if (!live_is_core(w, i))
            continue;
        if (w->machines[i].node == NULL)
            world_break(w, "all come back", "member %u is down", i + 1);
        else if (belongs(members, count, i + 1))
            check_member(w, i, leader);
    }
}

/* ---- quiet ---- */

void oracle_quiet(struct world *w)
{
    struct rkv_node_status status = {.size = sizeof status};
    uint32_t leader = world_leader(w);
    struct oracle *o = w->oracle;

    if (w->live.core == 0 || w->raft_flags != 0 || leader == w->count ||
        w->now < w->live.began + QUIET_AFTER)
        return;
    rkv_node_status(w->machines[leader].node, &status);
    if (o->quiet_term == 0)
        o->quiet_term = status.term;
    else if (status.term != o->quiet_term)
        world_break(w, "nobody is elected while nothing is wrong",
                    "term %llu, was %llu", (unsigned long long)status.term,
                    (unsigned long long)o->quiet_term);
}

/* ---- power ---- */

static uint32_t count_holders(struct world *w,
                              const struct rkv_raft_member *members,
                              uint32_t count, uint32_t role, uint32_t *voters)
{
    struct notary *notary = &w->oracle->notary;
    uint64_t index = notary->committed_end - 1;
    uint32_t holders = 0;

    *voters = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct notary_member *m;

        if ((members[i].role & role) == 0)
            continue;
        m = notary_member(notary, members[i].id);
        ++*voters;
        holders += paper_holds(&m->paper, index, notary_term(notary, index));
    }
    return holders;
}

/* The notary compares what each store gives back, and the model the state that
 * comes of it; what is left to ask is whether that is all. */
static void check_disks(struct world *w, const struct notary_config *config)
{
    static const uint32_t halves[] = {RKV_VOTER, RKV_OUTGOING};

    for (int i = 0; i < 2; i++) {
        uint32_t voters;
        uint32_t holders = count_holders(w, config->members, config->count,
                                         halves[i], &voters);

        if (voters > 0 && 2 * holders <= voters)
            world_break(w, "what was committed survives a loss of power",
                        "index %zu is on %u disks of %u",
                        w->oracle->notary.committed_end - 1, holders, voters);
    }
}

void oracle_power(struct world *w)
{
    const struct notary *notary = &w->oracle->notary;

    if (w->broken != NULL || w->live.core == 0)
        return;
    for (uint32_t i = 0; i < w->count; i++)
        machine_crash(w, i);
    for (uint32_t i = 0; i < w->count && w->broken == NULL; i++) {
        machine_open(w, i);
        if (w->machines[i].node == NULL)
            world_break(w, "a member comes back after a loss of power",
                        "member %u", i + 1);
    }
    if (w->broken == NULL)
        check_disks(w, &notary->configs[notary->configs_count - 1]);
    mark(w, MARK_POWER_LOST);
}

void oracle_end(struct world *w)
{
    /* Who lost what cannot be replaced need not come back. */
    bool is_demanded = w->live.core != 0;

    if (w->broken != NULL)
        return;
    if (is_demanded) {
        check_members(w);
        lifetimes_finish(&w->oracle->lifetimes, w->now, LATE);
    }
    load_finish(w);
    oracle_hear(w);
}
