/* SPDX-License-Identifier: BSD-2-Clause
 *
 * build/explore: goes through scopes, one after the other.
 *
 *     explore [--scope NAME] [--seconds S] [--memory MB] [--depth D] [--short]
 *
 * A line for each: how many states, and how deep.  The seconds are shared by
 * those that must hold; one that is to break is gone through until it does.
 * Exits 0 when nothing is broken but what is to be.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"

static bool report(const struct scope *scope, const struct found *f)
{
    bool is_good = scope->is_to_break == (f->broken != NULL);

    printf("explore: %s (%s): %llu states, %llu steps, ", scope->name,
           scope->about, (unsigned long long)f->states,
           (unsigned long long)f->steps);
    if (f->broken != NULL)
        printf("broken in %u steps, as it %s: %s", f->broken_at,
               scope->is_to_break ? "has to be" : "must not be", f->broken);
    else if (scope->is_to_break)
        printf("NOT broken to depth %u, as it has to be", f->depth);
    else if (f->is_exhausted)
        printf("exhausted at depth %u", f->depth);
    else
        printf("depth %u", f->depth);
    printf(", %.1f s, %llu MB\n", f->seconds, (unsigned long long)f->megabytes);
    fflush(stdout);
    return is_good;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"scope", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'},
        {"memory", required_argument, NULL, 'm'},
        {"depth", required_argument, NULL, 'd'},
        {"short", no_argument, NULL, 'q'},
        {NULL, 0, NULL, 0}};
    const char *name = NULL;
    struct limits limits = {.megabytes = 2048};
    uint32_t seconds = 0, weights = 0;
    bool is_short = false, is_good = true;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint32_t number =
            optarg != NULL ? (uint32_t)strtoul(optarg, NULL, 10) : 0;

        if (c == 'c')
            name = optarg;
        else if (c == 's')
            seconds = number;
        else if (c == 'm')
            limits.megabytes = number;
        else if (c == 'd')
            limits.depth = number;
        else if (c == 'q')
            is_short = true;
        else
            return 2;
    }
    for (size_t i = 0; i < scopes_count; i++)
        if (name == NULL || strcmp(name, scopes[i].name) == 0)
            weights += scopes[i].weight;
    for (size_t i = 0; i < scopes_count; i++) {
        const struct scope *scope = &scopes[i];
        struct limits own = limits;
        struct found found;

        if (name != NULL && strcmp(name, scope->name) != 0)
            continue;
        if (is_short && scope->short_depth == 0)
            continue;
        if (is_short)
            own.depth = scope->short_depth;
        if (seconds > 0 && !scope->is_to_break)
            own.seconds = seconds * scope->weight / weights + 1;
        search_run(scope, &own, &found);
        is_good &= report(scope, &found);
    }
    return is_good ? 0 : 1;
}
