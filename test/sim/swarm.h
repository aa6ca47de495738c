/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/swarm.h - what a seed does, and how often: each chance is drawn
 * for each seed, some of them exactly zero, so that faults meet in many
 * mixtures.  Each has dice of its own, told apart by name: leaving one out
 * (sim --without NAME) leaves the others where they were, and a chance added
 * to the list changes no other.  So it is with a part of one: sim --only
 * NAME=2,7:9 lets its strikes 2, 7 and 8 happen, counted from 0, and no other.
 */
#ifndef TEST_SIM_SWARM_H
#define TEST_SIM_SWARM_H

#include "disk/dice.h"

/* Its name, and per thousand at most: of frames, of turns, or of moments,
 * which are ten ticks apart. */
#define CHANCES(X)                                                             \
    X(LOSS, "loss", 150)                                                       \
    X(REPEAT, "repeat", 150)                                                   \
    X(GHOST, "ghost", 60)                                                      \
    X(DAMAGE, "damage", 20)                                                    \
    X(REPLAY, "replay", 20)                                                    \
    X(LAZY, "lazy", 300)                                                       \
    X(CRASH, "crash", 12)                                                      \
    X(CUT, "cut", 20)                                                          \
    X(FLAP, "flap", 6)                                                         \
    X(CLOG, "clog", 10)                                                        \
    X(PAUSE, "pause", 8)                                                       \
    X(SLOW, "slow", 4)                                                         \
    X(TRANSFER, "transfer", 6)                                                 \
    X(SNAPSHOT, "snapshot", 6)                                                 \
    X(CHANGE, "change", 25)                                                    \
    X(AMNESIA, "amnesia", 3)                                                   \
    X(REGICIDE, "regicide", 350)                                               \
    X(HUNGER, "hunger", 5)                                                     \
    X(BAD_READ, "bad read", 4)                                                 \
    X(BAD_WRITE, "bad write", 4)                                               \
    X(BAD_SYNC, "bad sync", 4)                                                 \
    X(FULL, "full", 4)                                                         \
    X(ROT, "rot", 3)                                                           \
    X(LOST_SECTOR, "lost sector", 2)                                           \
    X(ASTRAY, "astray", 2)                                                     \
    X(OLDER, "older", 4)

enum chance {
#define X(name, text, most) CHANCE_##name,
    CHANCES(X)
#undef X
        CHANCES_COUNT,
    /* Not a matter of chance, but it can be left out: a moment of the storm
     * in which clients ask. */
    CHANCE_ASK = CHANCES_COUNT,
    KINDS_COUNT
};

/* Which strikes of a chance happen, by their number. */
enum { STRIKES_MAX = 8192 };
struct strikes {
    bool are_gone[STRIKES_MAX];
    bool rest_is_gone; /* all that follow */
};

struct swarm {
    uint32_t rates[CHANCES_COUNT];
    struct dice dice[CHANCES_COUNT];
    uint64_t struck[KINDS_COUNT];
    uint64_t met[KINDS_COUNT]; /* with those that were left out */
};

struct world;

/* All that the seed decides: its chances, and what kind of world it is. */
void swarm_draw(struct world *w);
/* Does it happen now?  Then *dice are for all that follows from it. */
bool swarm_strikes(struct swarm *swarm, enum chance chance, struct dice *dice);
/* The same for one of many, of which some are hit harder: weather per
 * thousand as often.  Draws once from its own dice, whatever comes out. */
bool swarm_befalls(struct swarm *swarm, enum chance chance, uint32_t weather,
                   struct dice *dice);
void swarm_still(struct swarm *swarm, enum chance chance);
bool swarm_asks(struct swarm *swarm);
const char *swarm_name(enum chance chance);
/* For all worlds from here on.  NULL: there is no such name. */
struct strikes *swarm_named(const char *name);
extern struct strikes swarm_strikes_of[KINDS_COUNT];

#endif
