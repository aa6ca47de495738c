/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A broken seed, made small.  What can be left out is left out: first all
 * strikes of a chance, then halves, quarters and so on of what remains of it,
 * down to single ones, as long as the same judge says the same; and so with
 * the moments in which clients ask.  As each chance has dice of its own, what
 * stays happens much as it did.  Over again, until nothing can be missed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* Enough for what is worth reading; each takes some hundredths of a second. */
enum { RUNS_MAX = 3000 };

struct shrinking {
    uint64_t seed;
    const char *broken; /* what the judge said of the whole */
    uint32_t runs;
    uint64_t now; /* when the smallest so far was broken, and of what */
    uint64_t met[KINDS_COUNT];
    uint64_t struck[KINDS_COUNT];
};

static bool run(struct shrinking *s, enum telling telling)
{
    struct world *w = malloc(sizeof *w);
    bool is_same;

    if (w == NULL)
        abort();
    (void)world_run(w, s->seed, telling);
    if (s->runs++ == 0)
        s->broken = w->broken;
    is_same = w->broken != NULL && strcmp(w->broken, s->broken) == 0;
    if (is_same) {
        memcpy(s->met, w->swarm.met, sizeof s->met);
        memcpy(s->struck, w->swarm.struck, sizeof s->struck);
        s->now = w->now;
    }
    if (telling != TELL_NOTHING && is_same)
        printf("broken at %llu: %s: %s\n", (unsigned long long)w->now,
               w->broken, w->detail);
    world_free(w);
    free(w);
    return is_same;
}

/* Strikes that no run has come to yet are gone with the last ones. */
static bool misses_all(struct shrinking *s, struct strikes *strikes)
{
    struct strikes *before = malloc(sizeof *before);
    bool is_missed;

    if (before == NULL)
        abort();
    *before = *strikes;
    memset(strikes, true, sizeof *strikes);
    is_missed = run(s, TELL_NOTHING);
    if (!is_missed)
        *strikes = *before;
    free(before);
    return is_missed;
}

/* The next `part` of those that are left, from `*at` on, which ends behind
 * them; false: without them it is not broken, and they are back. */
static bool misses(struct shrinking *s, struct strikes *strikes, uint64_t met,
                   uint64_t *at, uint64_t part)
{
    uint64_t gone[STRIKES_MAX], count = 0;

    for (; *at < met && count < part; ++*at)
        if (!strikes->are_gone[*at]) {
            strikes->are_gone[*at] = true;
            gone[count++] = *at;
        }
    if (count > 0 && s->runs < RUNS_MAX && run(s, TELL_NOTHING))
        return true;
    for (uint64_t i = 0; i < count; i++)
        strikes->are_gone[gone[i]] = false;
    return false;
}

static bool thin_out(struct shrinking *s, int kind)
{
    struct strikes *strikes = &swarm_strikes_of[kind];
    bool is_smaller = false;

    for (uint64_t part = (s->struck[kind] + 1) / 2; part > 0; part /= 2) {
        uint64_t at = 0;

        while (at < s->met[kind] && at < STRIKES_MAX) {
            uint64_t met =
                s->met[kind] < STRIKES_MAX ? s->met[kind] : STRIKES_MAX;

            is_smaller |= misses(s, strikes, met, &at, part);
        }
    }
    return is_smaller;
}

static bool make_smaller(struct shrinking *s)
{
    bool is_smaller = false;

    for (int i = 0; i < KINDS_COUNT; i++) {
        if (s->struck[i] == 0)
            continue;
        if (misses_all(s, &swarm_strikes_of[i]))
            is_smaller = true;
        else
            is_smaller |= thin_out(s, i);
    }
    return is_smaller && s->runs < RUNS_MAX;
}

/* 2,7:9 for 2, 7 and 8. */
static void print_numbers(const struct strikes *strikes, uint64_t met)
{
    const char *comma = "=";

    for (uint64_t from = 0, end; from < met && from < STRIKES_MAX; from = end) {
        end = from + 1;
        if (strikes->are_gone[from])
            continue;
        while (end < met && end < STRIKES_MAX && !strikes->are_gone[end])
            end++;
        printf("%s%llu", comma, (unsigned long long)from);
        if (end > from + 1)
            printf(":%llu", (unsigned long long)end);
        comma = ",";
    }
}

/* The command that repeats it. */
static void print_command(const struct shrinking *s)
{
    printf("sim --seed %llu", (unsigned long long)s->seed);
    for (int i = 0; i < KINDS_COUNT; i++) {
        const char *name = swarm_name((enum chance)i);

        if (s->struck[i] > 0) {
            printf(" --only '%s", name);
            print_numbers(&swarm_strikes_of[i], s->met[i]);
            printf("'");
        } else if (swarm_strikes_of[i].rest_is_gone || s->met[i] > 0) {
            printf(" --without '%s'", name);
        }
    }
    printf("\n");
}

static void print_sizes(const struct shrinking *s, const char *when)
{
    printf("%s: broken at %llu with", when, (unsigned long long)s->now);
    for (int i = 0; i < KINDS_COUNT; i++)
        if (s->struck[i] > 0)
            printf(" %s %llu", swarm_name((enum chance)i),
                   (unsigned long long)s->struck[i]);
    printf("\n");
}

bool shrink(uint64_t seed)
{
    struct shrinking s = {.seed = seed};

    if (!run(&s, TELL_NOTHING)) {
        printf("seed %llu is not broken\n", (unsigned long long)seed);
        return false;
    }
    print_sizes(&s, "whole");
    while (make_smaller(&s))
        ;
    (void)run(&s, TELL_SCENARIO);
    print_sizes(&s, "shrunk");
    printf("after %u runs\n", s.runs);
    print_command(&s);
    return true;
}
