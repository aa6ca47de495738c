/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Links that fail together.  A shape says which pairs can no longer speak,
 * each direction by itself; it lasts a while, and shapes may overlap.
 *
 *     alone, deaf, mute   one member: all its links, or those of one direction
 *     half                one link, or one direction of it
 *     halves              two groups that do not hear each other
 *     bridge              two groups with one member that hears both
 *     ring                each hears its two neighbours alone
 *     circle              each hears the one before it alone
 *     star                one member hears all, the others only it
 */
#include "world.h"

enum shape {
    ALONE,
    DEAF,
    MUTE,
    HALF,
    HALVES,
    BRIDGE,
    RING,
    CIRCLE,
    STAR,
    SHAPES
};

struct cut {
    enum shape shape;
    uint32_t centre;
    uint32_t other;
    uint32_t side; /* a bit for each of one group */
    uint32_t count;
};

/* Are frames from one to the other lost? */
static bool parts(const struct cut *cut, uint32_t from, uint32_t to)
{
    uint32_t step = (to + cut->count - from) % cut->count;
    bool across = ((cut->side >> from ^ cut->side >> to) & 1) != 0;
    bool central = from == cut->centre || to == cut->centre;

    switch (cut->shape) {
    case ALONE:
        return central;
    case DEAF:
        return to == cut->centre;
    case MUTE:
        return from == cut->centre;
    case HALF:
        return (from == cut->centre && to == cut->other) ||
               ((cut->side & 1) && to == cut->centre && from == cut->other);
    case HALVES:
        return across;
    case BRIDGE:
        return across && !central;
    case RING:
        return step != 1 && step != cut->count - 1;
    case CIRCLE:
        return step != 1;
    default:
        return !central;
    }
}

static uint64_t draw_end(const struct world *w, struct dice *dice)
{
    uint64_t rest = dice_below(dice, w->rest);

    return w->now + (dice_below(dice, 8) == 0 ? 4 * rest : rest);
}

static void make_cut(struct world *w, const struct cut *cut, uint64_t until)
{
    for (uint32_t from = 0; from < w->count; from++)
        for (uint32_t to = 0; to < w->count; to++)
            if (from != to && parts(cut, from, to) &&
                w->net.links[from][to].cut_until < until)
                w->net.links[from][to].cut_until = until;
    w->cuts++;
    world_note(w, "cut", cut->centre, cut->shape);
}

static struct cut draw_cut(const struct world *w, struct dice *dice)
{
    struct cut cut = {.shape = (enum shape)dice_below(dice, SHAPES),
                      .centre = (uint32_t)dice_below(dice, w->count),
                      .other = (uint32_t)dice_below(dice, w->count),
                      .side = (uint32_t)dice_next(dice),
                      .count = w->count};

    return cut;
}

void cut_some(struct world *w, struct dice *dice)
{
    struct cut cut = draw_cut(w, dice);

    make_cut(w, &cut, draw_end(w, dice));
}

/* Whoever leads loses touch with all, or some, or hears or tells nothing. */
void cut_leader(struct world *w, struct dice *dice)
{
    static const enum shape shapes[] = {ALONE, DEAF, MUTE, HALF, HALVES};
    uint32_t leader = world_leader(w);
    struct cut cut = draw_cut(w, dice);

    if (leader == w->count)
        return;
    cut.shape = shapes[dice_below(dice, 5)];
    cut.centre = leader;
    make_cut(w, &cut, draw_end(w, dice));
}

/* Up and down again, as fast as elections are held, and slower. */
void flap_some(struct world *w, struct dice *dice)
{
    struct cut cut = draw_cut(w, dice);
    uint64_t until = draw_end(w, dice);
    uint64_t period = 10 + dice_below(dice, 2 * (uint64_t)w->election);

    for (uint32_t from = 0; from < w->count; from++)
        for (uint32_t to = 0; to < w->count; to++)
            if (from != to && parts(&cut, from, to)) {
                w->net.links[from][to].flap_until = until;
                w->net.links[from][to].flap_period = period;
            }
    world_note(w, "flap", cut.centre, period);
}

/* What is sent meanwhile arrives at once, later. */
void clog_some(struct world *w, struct dice *dice)
{
    struct cut cut = draw_cut(w, dice);
    uint64_t until = draw_end(w, dice);

    for (uint32_t from = 0; from < w->count; from++)
        for (uint32_t to = 0; to < w->count; to++)
            if (from != to && parts(&cut, from, to))
                w->net.links[from][to].clog_until = until;
    world_note(w, "clog", cut.centre, cut.shape);
}

void cuts_mend(struct world *w)
{
    for (uint32_t from = 0; from < w->count; from++)
        for (uint32_t to = 0; to < w->count; to++) {
            struct link *link = &w->net.links[from][to];

            link->cut_until = link->flap_until = link->clog_until = 0;
            link->least = 0;
        }
}
