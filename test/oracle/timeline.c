/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Strict serializability: one sweep over the operations as they were asked,
 * beside another as they were answered.
 */
#include "timeline.h"

#include <inttypes.h>
#include <stdlib.h>

void timeline_free(struct timeline *timeline)
{
    free(timeline->deeds);
    *timeline = (struct timeline){0};
}

void timeline_add(struct timeline *timeline, const struct deed_done *deed)
{
    timeline->deeds = row_grow(timeline->deeds, &timeline->cap, timeline->count,
                               sizeof *deed);
    timeline->deeds[timeline->count++] = *deed;
}

static int by_asked(const void *a, const void *b)
{
    const struct deed_done *x = a, *y = b;

    return (x->asked > y->asked) - (x->asked < y->asked);
}

static int by_answered(const void *a, const void *b)
{
    const struct deed_done *const *x = a, *const *y = b;

    return ((*x)->answered > (*y)->answered) -
           ((*x)->answered < (*y)->answered);
}

static void compare(const struct deed_done *before,
                    const struct deed_done *deed, struct verdict *verdict)
{
    if (before == NULL)
        return;
    if (deed->index < before->index ||
        (deed->is_write && deed->index == before->index) ||
        deed->revision < before->revision)
        verdict_break(
            verdict, "what is asked later takes effect later",
            "%s %" PRIu64 ", asked at %" PRIu64 ", is of index %" PRIu64
            " revision %" PRId64 "; but %s %" PRIu64 " of index %" PRIu64
            " revision %" PRId64 " was answered at %" PRIu64,
            deed->is_write ? "write" : "read", deed->name, deed->asked,
            deed->index, deed->revision, before->is_write ? "write" : "read",
            before->name, before->index, before->revision, before->answered);
}

void timeline_check(struct timeline *timeline, struct verdict *verdict)
{
    size_t count = timeline->count, ended = 0;
    const struct deed_done **ends, *furthest = NULL, *newest = NULL;

    if (count == 0)
        return;
    ends = calloc(count, sizeof *ends);
    if (ends == NULL)
        abort();
    qsort(timeline->deeds, count, sizeof timeline->deeds[0], by_asked);
    for (size_t i = 0; i < count; i++)
        ends[i] = &timeline->deeds[i];
    qsort(ends, count, sizeof ends[0], by_answered);
    for (size_t i = 0; i < count; i++) {
        const struct deed_done *deed = &timeline->deeds[i];

        for (; ended < count && ends[ended]->answered < deed->asked; ended++) {
            if (furthest == NULL || ends[ended]->index > furthest->index)
                furthest = ends[ended];
            if (newest == NULL || ends[ended]->revision > newest->revision)
                newest = ends[ended];
        }
        compare(furthest, deed, verdict);
        compare(newest, deed, verdict);
    }
    free(ends);
}
