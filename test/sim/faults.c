/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What strikes from moment to moment.  Moments are ten ticks apart, whatever
 * else happens, so that what strikes when is the seed's decision alone.
 */
#include <stdlib.h>

#include "world.h"

static uint32_t draw_machine(const struct world *w, struct dice *dice)
{
    return (uint32_t)dice_below(dice, w->count);
}

static bool is_awake(const struct world *w, uint32_t at)
{
    return w->machines[at].node != NULL && w->machines[at].sleeps <= w->now;
}

static void crash(struct world *w, uint32_t at, uint64_t rest)
{
    machine_crash(w, at);
    w->machines[at].wakes = w->now + rest;
}

static bool is_restoring(const struct machine *m)
{
    struct rkv_raft_status status = {.size = sizeof status};

    rkv_raft_status(rkv_node_raft(m->node), &status);
    return status.leaderless == RKV_LEADERLESS_RESTORING;
}

/* Rather one that waits for a snapshot, or for its disk; and back at once as
 * often as after a while, when what it said before is still on the wire. */
static void crash_some(struct world *w, struct dice *dice)
{
    uint32_t at = draw_machine(w, dice);
    uint64_t rest = dice_below(dice, 2) == 0 ? 20 : w->rest;

    for (uint32_t i = 0; i < w->count; i++) {
        const struct machine *m = &w->machines[(at + i) % w->count];

        if (m->node != NULL &&
            ((m->job != NULL && !m->job_ran) || is_restoring(m))) {
            at = (at + i) % w->count;
            break;
        }
    }
    crash(w, at, dice_below(dice, rest));
}

static void pause_some(struct world *w, struct dice *dice)
{
    struct machine *m = &w->machines[draw_machine(w, dice)];

    m->sleeps = w->now + dice_below(dice, w->rest);
}

/* Each of its turns takes long, for a while. */
static void slow_some(struct world *w, struct dice *dice)
{
    struct machine *m = &w->machines[draw_machine(w, dice)];

    m->slow_until = w->now + dice_below(dice, 2 * w->rest);
    m->slowness = 1 + dice_below(dice, 2 * (uint64_t)w->election);
}

/* There is no more memory, for once or until the member begins anew. */
static void starve_some(struct world *w, struct dice *dice)
{
    struct machine *m = &w->machines[draw_machine(w, dice)];
    uint64_t after = dice_below(dice, UINT64_C(1) << dice_below(dice, 12));

    memory_starve(&m->memory, after, dice_below(dice, 4) == 0);
}

static void take_snapshot(struct world *w, struct dice *dice)
{
    uint32_t at = draw_machine(w, dice);

    if (!is_awake(w, at))
        return;
    (void)rkv_node_snapshot(w->machines[at].node);
    w->machines[at].stirred = true;
}

/* Whoever leads goes down, or loses touch with some of the others, soon after
 * it was elected: terms begin that commit nothing, and their entries stay. */
static void strike_leader(struct world *w, struct dice *dice)
{
    uint32_t leader = world_leader(w);

    if (leader == w->count)
        return;
    if (dice_below(dice, 2) == 0)
        crash(w, leader, dice_below(dice, w->rest));
    else
        cut_leader(w, dice);
}

/* One disk at a time is gone: as many voters as can fail without harm, and it
 * is whole again before the next. */
static void lose_disk(struct world *w, struct dice *dice)
{
    uint32_t at = draw_machine(w, dice);
    uint32_t leader = world_leader(w), voters = 0;
    const struct rkv_member *members;
    uint32_t count;

    if (leader == w->count)
        return;
    for (uint32_t i = 0; i < w->count; i++)
        if (w->machines[i].disk.recovering)
            return;
    count = rkv_node_members(w->machines[leader].node, &members);
    for (uint32_t i = 0; i < count; i++)
        voters += members[i].role == RKV_VOTER;
    if (voters < 3)
        return;
    if (w->machines[at].disk.spoils_promise)
        return;
    crash(w, at, dice_below(dice, w->rest));
    disk_lose(&w->machines[at].disk);
    w->losses++;
    world_note(w, "lost", at, 0);
}

static const struct {
    enum chance chance;
    void (*strike)(struct world *w, struct dice *dice);
} strikes[] = {
    {CHANCE_CRASH, crash_some},
    {CHANCE_AMNESIA, lose_disk},
    {CHANCE_REGICIDE, strike_leader},
    {CHANCE_CUT, cut_some},
    {CHANCE_FLAP, flap_some},
    {CHANCE_CLOG, clog_some},
    {CHANCE_REPLAY, net_replay},
    {CHANCE_CHANGE, operate_change},
    {CHANCE_PAUSE, pause_some},
    {CHANCE_SLOW, slow_some},
    {CHANCE_HUNGER, starve_some},
    {CHANCE_TRANSFER, operate_transfer},
    {CHANCE_SNAPSHOT, take_snapshot},
    {CHANCE_BAD_READ, blight_read},
    {CHANCE_BAD_WRITE, blight_write},
    {CHANCE_BAD_SYNC, blight_sync},
    {CHANCE_FULL, blight_fill},
    {CHANCE_ROT, blight_rot},
    {CHANCE_LOST_SECTOR, blight_sector},
    {CHANCE_ASTRAY, blight_misdirect},
    {CHANCE_OLDER, blight_older},
};

void faults_strike(struct world *w)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (w->machines[i].node == NULL && w->machines[i].wakes <= w->now)
            machine_open(w, i);
    for (size_t i = 0; i < sizeof strikes / sizeof *strikes; i++) {
        struct dice dice;

        if (swarm_strikes(&w->swarm, strikes[i].chance, &dice))
            strikes[i].strike(w, &dice);
    }
}

/* From here on nothing stands in the way of agreeing. */
void faults_end(struct world *w)
{
    w->calm = true;
    for (int i = 0; i < CHANCES_COUNT; i++)
        swarm_still(&w->swarm, (enum chance)i);
    w->delay = 5;
    w->disk_delay = 3;
    cuts_mend(w);
    for (uint32_t i = 0; i < w->count; i++) {
        w->machines[i].wakes = 0;
        w->machines[i].sleeps = 0;
        w->machines[i].slow_until = 0;
        platter_heal(&w->machines[i].disk.platter);
        memory_feed(&w->machines[i].memory);
    }
}
