/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The calm.  A core is drawn so that it can decide whatever configuration is
 * on its way; who is not in it either hears nothing or is not heard, or it
 * might lead, rightly, without all of the core.
 */
#include "live.h"

#include <stdio.h>

#include "load.h"

/* An election lasts up to two of its timeouts, and a leader must be there
 * after ten; tokens above this are the probes'. */
enum { ELECTIONS = 20 };
#define PROBE_TOKENS (UINT64_C(1) << 62)

bool live_is_core(const struct world *w, uint32_t at)
{
    return (w->live.core >> at & 1) != 0;
}

/* False: a change of several members that nobody had applied when the core was
 * drawn left it without a majority. */
static bool can_decide(const struct world *w)
{
    uint32_t of_core = w->live.core & w->live.voters;

    return w->live.core == (1u << w->count) - 1 ||
           (!w->live.is_joint && 2 * __builtin_popcount(of_core) >
                                     __builtin_popcount(w->live.voters));
}

/* ---- who is demanded ---- */

void live_look(struct world *w, uint32_t at)
{
    struct rkv_node_status status = {.size = sizeof status};
    const struct rkv_member *members;
    struct live *live = &w->live;
    uint32_t count;

    rkv_node_status(w->machines[at].node, &status);
    if (status.applied < live->config_at)
        return;
    count = rkv_node_members(w->machines[at].node, &members);
    if (count == 0)
        return;
    live->config_at = status.applied;
    live->voters = 0;
    live->is_joint = false;
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].role & RKV_VOTER)
            live->voters |= 1u << (members[i].id - 1);
        live->is_joint |= (members[i].role & RKV_OUTGOING) != 0;
    }
}

static bool may_vote(const struct world *w, uint32_t at)
{
    return (w->live.voters >> at & 1) && !w->machines[at].disk.recovering;
}

/* Enough voters for this configuration and for any that is one change away;
 * 0: there are not enough that may vote.  Rather without whoever leads, who
 * must not stand in the way of the others. */
static uint32_t draw_core(struct world *w, struct dice *dice)
{
    uint32_t shunned = dice_below(dice, 2) == 0 ? world_leader(w) : w->count;
    uint32_t voters = (uint32_t)__builtin_popcount(w->live.voters);
    uint32_t quorum = (voters + (w->changes > 0)) / 2 + 1;
    uint32_t core = 0, found = 0;
    uint32_t first = (uint32_t)dice_below(dice, w->count);

    /* Several members may change at once. */
    if (w->live.is_joint || voters < 3 || !oracle_is_settled(w))
        return 0;
    if (quorum > voters)
        quorum = voters;
    for (uint32_t i = 0; i < w->count; i++) {
        uint32_t at = (first + i) % w->count;

        if (at != shunned &&
            (found < quorum ? may_vote(w, at) : dice_below(dice, 3) == 0))
            core |= 1u << at;
        found += may_vote(w, at) && (core >> at & 1);
    }
    return found >= quorum ? core : 0;
}

/* It hears the others or is heard, now and then, and never both. */
static void freeze_links(struct world *w, uint32_t at, struct dice *dice)
{
    bool deaf = dice_below(dice, 2) == 0;

    for (uint32_t i = 0; i < w->count; i++) {
        struct link *in = &w->net.links[i][at], *out = &w->net.links[at][i];
        struct link *cut = deaf ? in : out, *other = deaf ? out : in;

        cut->cut_until = UINT64_MAX;
        if (dice_below(dice, 3) == 0)
            continue;
        other->cut_until = 0;
        other->flap_period = 1 + dice_below(dice, 4 * (uint64_t)w->election);
        other->flap_until = dice_below(dice, 2) == 0 ? UINT64_MAX : 0;
    }
}

static void freeze(struct world *w, uint32_t at, struct dice *dice)
{
    struct machine *m = &w->machines[at];

    if (m->node == NULL) {
        m->wakes = UINT64_MAX;
    } else if (dice_below(dice, 4) == 0) {
        m->sleeps = UINT64_MAX;
        load_ended(w, at);
        groups_ended(w, at);
    }
    freeze_links(w, at, dice);
}

void live_begin(struct world *w)
{
    struct dice dice = dice_named(w->seed, "core");
    bool partly = dice_below(&dice, 3) == 0 && w->raft_flags == 0;
    uint32_t rates[] = {w->swarm.rates[CHANCE_LOSS],
                        w->swarm.rates[CHANCE_REPEAT],
                        w->swarm.rates[CHANCE_GHOST]};

    w->live.began = w->now;
    w->live.core =
        partly && !w->rotten && !w->peaceful ? draw_core(w, &dice) : 0;
    partly = w->live.core != 0;
    faults_end(w);
    world_note(w, "core", w->live.core, 0);
    if (!partly) {
        w->live.core = w->rotten ? 0 : (1u << w->count) - 1;
        return;
    }
    w->cores++;
    w->swarm.rates[CHANCE_LOSS] = rates[0];
    w->swarm.rates[CHANCE_REPEAT] = rates[1];
    w->swarm.rates[CHANCE_GHOST] = rates[2];
    for (uint32_t i = 0; i < w->count; i++)
        for (uint32_t k = 0; k < w->count; k++)
            if (live_is_core(w, i) && live_is_core(w, k))
                w->net.links[i][k].weather = 0;
    for (uint32_t i = 0; i < w->count; i++)
        if (!live_is_core(w, i))
            freeze(w, i, &dice);
}

/* ---- what is demanded ---- */

static int ask_write(struct world *w, uint32_t at, uint64_t token)
{
    char key[16];
    const void *command;
    rkv_txn *txn;
    size_t len;
    int rc;

    (void)snprintf(key, sizeof key, "probe%u", at);
    rc = encode_put(key, "?", &txn, &command, &len);
    if (rc == RKV_OK)
        rc = rkv_node_propose(w->machines[at].node, token, command, len);
    if (rc == RKV_OK)
        oracle_asked(w, command, len);
    rkv_txn_free(txn);
    return rc;
}

static void ask(struct world *w, uint32_t at, uint32_t kind)
{
    struct machine *m = &w->machines[at];
    struct probe *probe = &w->live.probes[at][kind];
    uint64_t token = PROBE_TOKENS + at * PROBES + kind;
    int rc;

    if (probe->open || probe->outcome == RKV_DONE)
        return;
    rc = kind == PROBE_READ ? rkv_node_read(m->node, token)
                            : ask_write(w, at, token);
    probe->open = rc == RKV_OK;
    probe->tries++;
    m->stirred = true;
}

/* A member that is not one, or waits to be, cannot be asked. */
static bool is_member(const struct world *w, uint32_t at)
{
    const struct rkv_member *members;
    uint32_t count = rkv_node_members(w->machines[at].node, &members);

    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == at + 1)
            return (w->live.voters >> at & 1) != 0;
    return false;
}

/* As long as heartbeats of a leader that is cut off are still on their way,
 * its followers take it to be alive. */
static uint64_t demanded_from(const struct world *w)
{
    uint64_t ghosts = w->swarm.struck[CHANCE_GHOST] != 0 ? w->ghost_delay : 0;

    return w->live.began + ELECTIONS * (uint64_t)w->election + ghosts;
}

static bool has_leader(const struct world *w)
{
    uint32_t leader = world_leader(w);

    return leader < w->count && live_is_core(w, leader);
}

void live_probe(struct world *w)
{
    uint64_t due = demanded_from(w);

    if (w->now < due || (w->live.core != 0 && !can_decide(w)))
        return;
    if (w->now < due + 10 && w->live.core != 0 && !has_leader(w))
        world_break(w, "a healed core has a leader in time",
                    "core %x, voters %x: nobody leads %llu ticks after",
                    w->live.core, w->live.voters,
                    (unsigned long long)(w->now - w->live.began));
    for (uint32_t at = 0; at < w->count; at++)
        if (w->machines[at].node != NULL && w->machines[at].sleeps <= w->now &&
            (w->live.core == 0 || live_is_core(w, at)) && is_member(w, at))
            for (uint32_t kind = 0; kind < PROBES; kind++)
                ask(w, at, kind);
}

bool live_event(struct world *w, uint32_t at, const struct rkv_event *event)
{
    struct probe *probe;

    if (event->kind != RKV_EVENT_DONE || event->token < PROBE_TOKENS ||
        event->token == UINT64_MAX)
        return false;
    probe = &w->live.probes[at][(event->token - PROBE_TOKENS) % PROBES];
    probe->open = false;
    probe->outcome = event->outcome;
    world_note(w, "probe", at, event->outcome);
    return true;
}

static void check_probes(struct world *w, uint32_t at)
{
    static const char *const kinds[PROBES] = {"write", "read"};

    for (uint32_t kind = 0; kind < PROBES; kind++) {
        const struct probe *probe = &w->live.probes[at][kind];

        if (probe->outcome != RKV_DONE)
            world_break(w, "a healed core answers",
                        "core %x: member %u was asked %u times for a %s, "
                        "last outcome %u",
                        w->live.core, at + 1, probe->tries, kinds[kind],
                        probe->outcome);
    }
}

/* In one state, whole, and of one mind about who leads. */
static void check_member(struct world *w, uint32_t at, uint32_t leader)
{
    struct rkv_node_status status = {.size = sizeof status};
    struct rkv_node_status first = {.size = sizeof first};
    struct rkv_kv_status kv = {.size = sizeof kv};
    uint64_t hash;

    if (w->machines[at].node == NULL) {
        world_break(w, "all of a healed core come back", "member %u is down",
                    at + 1);
        return;
    }
    if (!is_member(w, at))
        return;
    rkv_node_status(w->machines[leader].node, &first);
    rkv_kv_status(rkv_node_kv(w->machines[leader].node), &kv);
    hash = kv.hash;
    rkv_node_status(w->machines[at].node, &status);
    rkv_kv_status(rkv_node_kv(w->machines[at].node), &kv);
    if (status.leader != leader + 1 || status.applied != first.applied ||
        kv.hash != hash || status.recovering)
        world_break(w, "a healed core ends in one state",
                    "core %x: member %u follows %llu, applied %llu%s; %u "
                    "leads and applied %llu",
                    w->live.core, at + 1, (unsigned long long)status.leader,
                    (unsigned long long)status.applied,
                    status.recovering ? ", recovering" : "", leader + 1,
                    (unsigned long long)first.applied);
    check_probes(w, at);
}

void live_end(struct world *w)
{
    if (w->live.core != 0 && !can_decide(w))
        w->live.core = 0;
    if (w->broken != NULL || w->live.core == 0)
        return;
    if (!has_leader(w)) {
        world_break(w, "a healed core has a leader", "core %x, voters %x",
                    w->live.core, w->live.voters);
        return;
    }
    for (uint32_t at = 0; at < w->count && w->broken == NULL; at++)
        if (live_is_core(w, at))
            check_member(w, at, world_leader(w));
}
