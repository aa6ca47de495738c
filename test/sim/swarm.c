/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What kind of world a seed is.
 */
#include "swarm.h"

#include <string.h>

#include "world.h"

enum { CACHE_DEFAULT = 8 << 20 };

static const struct {
    const char *name;
    uint32_t most;
} chances[CHANCES_COUNT] = {
#define X(name, text, most) {text, most},
    CHANCES(X)
#undef X
};

struct strikes swarm_strikes_of[KINDS_COUNT];

const char *swarm_name(enum chance chance)
{
    return chance == CHANCE_ASK ? "ask" : chances[chance].name;
}

struct strikes *swarm_named(const char *name)
{
    for (int i = 0; i < KINDS_COUNT; i++)
        if (strcmp(swarm_name((enum chance)i), name) == 0)
            return &swarm_strikes_of[i];
    return NULL;
}

/* It would happen; does it? */
static bool happens(struct swarm *swarm, enum chance chance)
{
    const struct strikes *strikes = &swarm_strikes_of[chance];
    uint64_t number = swarm->met[chance]++;

    if (number < STRIKES_MAX ? strikes->are_gone[number]
                             : strikes->rest_is_gone)
        return false;
    swarm->struck[chance]++;
    return true;
}

bool swarm_strikes(struct swarm *swarm, enum chance chance, struct dice *dice)
{
    *dice = dice_thrown(&swarm->dice[chance]);
    return dice_permille(dice, swarm->rates[chance]) && happens(swarm, chance);
}

bool swarm_befalls(struct swarm *swarm, enum chance chance, uint32_t weather,
                   struct dice *dice)
{
    uint64_t drawn = dice_below(dice, 1000000);

    return drawn < (uint64_t)swarm->rates[chance] * weather &&
           happens(swarm, chance);
}

bool swarm_asks(struct swarm *swarm)
{
    return happens(swarm, CHANCE_ASK);
}

void swarm_still(struct swarm *swarm, enum chance chance)
{
    swarm->rates[chance] = 0;
}

/* ---- drawing ---- */

/* A number of its own for each thing that is drawn once. */
static uint64_t draw(const struct world *w, const char *name, uint64_t bound)
{
    struct dice dice = dice_named(w->seed, name);

    return dice_below(&dice, bound);
}

static void draw_rates(struct world *w)
{
    for (int i = 0; i < CHANCES_COUNT; i++) {
        struct dice *dice = &w->swarm.dice[i];

        *dice = dice_named(w->seed, chances[i].name);
        w->swarm.rates[i] =
            dice_permille(dice, 300)
                ? 0
                : 1 + (uint32_t)dice_below(dice, chances[i].most);
    }
}

/* Hosts and links, as they are when nothing is wrong with them. */
static void draw_kind(struct world *w)
{
    w->ghost_delay = UINT64_C(300) << draw(w, "ghost delay", 5);
    w->buffers = draw(w, "buffers", 2) == 0;
    w->drifts = draw(w, "drifts", 2) == 0;
    w->others = draw(w, "has groups", 4) == 0
                    ? 1 + (uint32_t)draw(w, "groups", OTHERS_MAX)
                    : 0;
    w->recorder_bytes = draw(w, "recorder", 4) == 0 ? 1 << 20 : 0;
    w->restless = draw(w, "restless", 4) == 0;
    w->cache = draw(w, "cache", 2) == 0 ? CACHE_DEFAULT : 2000;
    w->value = draw(w, "value", 4) == 0 ? 2000 : 16;
    w->rest = 1500;
    w->batch = 8;
    w->election = 200;
    w->delay = draw(w, "has delay", 3) == 0 ? 0 : draw(w, "delay", 60);
    w->disk_delay =
        draw(w, "has disk delay", 3) == 0 ? 0 : draw(w, "disk delay", 40);
    w->platters = draw(w, "has platters", 2) == 0
                      ? (uint32_t)draw(w, "platters", MEMBERS_MAX + 1)
                      : 0;
}

/* Some worlds never settle: short crashes, slow disks, one entry a message,
 * so that leaders fall in the middle of everything. */
static void unsettle(struct world *w)
{
    uint32_t *rates = w->swarm.rates;

    rates[CHANCE_CRASH] += 10 + (uint32_t)draw(w, "more crashes", 40);
    rates[CHANCE_CUT] += (uint32_t)draw(w, "more cuts", 30);
    rates[CHANCE_TRANSFER] += (uint32_t)draw(w, "more transfers", 30);
    w->rest = 20 + draw(w, "rest", 300);
    w->disk_delay += draw(w, "more disk delay", 80);
    w->batch = 1 + (uint32_t)draw(w, "batch", 2);
    if (draw(w, "stays settled", 2) == 0)
        return;
    /* Candidates in each other's way: votes are split, then won. */
    w->election = 50 + (uint32_t)draw(w, "election", 50);
    w->raft_flags = RKV_RAFT_NO_PREVOTE;
    /* Without pre-vote a removed member disturbs for ever (4.2.3). */
    rates[CHANCE_CHANGE] = 0;
    if (draw(w, "check quorum", 2) == 0)
        w->raft_flags |= RKV_RAFT_NO_CHECK_QUORUM;
}

/* Whoever takes out a whole member while another has to come back may be left
 * with a majority that cannot vote. */
static void choose_amnesia(struct world *w)
{
    if (draw(w, "forgetful", 3) == 0)
        w->swarm.rates[CHANCE_CHANGE] = 0;
    else
        w->swarm.rates[CHANCE_AMNESIA] = 0;
}

/* In a few worlds disks do not keep what they hold. */
static void choose_rot(struct world *w)
{
    static const enum chance rots[] = {CHANCE_ROT, CHANCE_LOST_SECTOR,
                                       CHANCE_ASTRAY, CHANCE_OLDER};

    w->rotten = w->platters > 0 && draw(w, "rotten", 5) == 0;
    for (int i = 0; !w->rotten && i < 4; i++)
        w->swarm.rates[rots[i]] = 0;
}

static void make_peace(struct world *w)
{
    w->peaceful = true;
    w->rotten = false;
    w->delay = draw(w, "delay in peace", 8);
    w->disk_delay = draw(w, "disk delay in peace", 20);
    w->election = 200;
    w->raft_flags = 0;
    for (int i = 0; i < CHANCES_COUNT; i++)
        w->swarm.rates[i] = 0;
}

void swarm_draw(struct world *w)
{
    draw_rates(w);
    draw_kind(w);
    choose_amnesia(w);
    choose_rot(w);
    if (draw(w, "unsettled", 3) == 0)
        unsettle(w);
    if (w->election == 200 || draw(w, "regicide there", 2) == 0)
        w->swarm.rates[CHANCE_REGICIDE] = 0;
    if (draw(w, "peaceful", 16) == 0)
        make_peace(w);
}
