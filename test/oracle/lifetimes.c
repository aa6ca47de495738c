/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Leases against real time.
 */
#include "lifetimes.h"

#include <inttypes.h>
#include <stdlib.h>

void lifetimes_init(struct lifetimes *lifetimes, uint64_t fastest,
                    struct verdict *verdict)
{
    *lifetimes = (struct lifetimes){.fastest = fastest, .verdict = verdict};
}

void lifetimes_free(struct lifetimes *lifetimes)
{
    free(lifetimes->rows);
    lifetimes->rows = NULL;
}

static struct lifetime *row_of(struct lifetimes *lifetimes, int64_t id)
{
    for (size_t i = 0; i < lifetimes->count; i++)
        if (lifetimes->rows[i].id == id)
            return &lifetimes->rows[i];
    return NULL;
}

/* Granted, or kept alive; a lease may come again under its old number. */
static void renew(struct lifetimes *lifetimes, const struct twin_lease *lease,
                  uint64_t asked, uint64_t now, uint64_t term)
{
    struct lifetime *row = row_of(lifetimes, lease->id);

    if (row != NULL && row->renewals == lease->renewals)
        return;
    if (row == NULL) {
        lifetimes->rows = row_grow(lifetimes->rows, &lifetimes->cap,
                                   lifetimes->count, sizeof *row);
        row = &lifetimes->rows[lifetimes->count++];
    }
    *row = (struct lifetime){.id = lease->id,
                             .ttl = lease->ttl,
                             .renewals = lease->renewals,
                             .asked = asked,
                             .told = now,
                             .term = term};
}

static void check_end(struct lifetimes *lifetimes, const struct lifetime *row,
                      uint64_t now, uint64_t term)
{
    uint64_t passed = (now - row->asked) * lifetimes->fastest / 1000;

    /* Each of the two ends of a time falls within a tick. */
    if (passed + 2 < (uint64_t)row->ttl)
        verdict_break(lifetimes->verdict, "no lease ends before its time",
                      "lease %" PRId64 " of %" PRId64
                      " ms was asked to live at %" PRIu64
                      " and ends at %" PRIu64,
                      row->id, row->ttl, row->asked, now);
    lifetimes->ended_across += term > row->term;
}

void lifetimes_step(struct lifetimes *lifetimes, const struct twin *twin,
                    uint64_t asked, uint64_t now, uint64_t term, bool by_clock)
{
    for (size_t i = lifetimes->count; i-- > 0;) {
        struct lifetime row = lifetimes->rows[i];

        if (twin_lease(twin, row.id) != NULL)
            continue;
        if (by_clock)
            check_end(lifetimes, &row, now, term);
        lifetimes->rows[i] = lifetimes->rows[--lifetimes->count];
    }
    for (size_t i = 0; i < twin->leases_count; i++)
        renew(lifetimes, &twin->leases[i], asked, now, term);
}

void lifetimes_finish(const struct lifetimes *lifetimes, uint64_t now,
                      uint64_t slack)
{
    for (size_t i = 0; i < lifetimes->count; i++) {
        const struct lifetime *row = &lifetimes->rows[i];
        uint64_t due = row->told + 2 * (uint64_t)row->ttl + slack;

        if (due < now)
            verdict_break(lifetimes->verdict, "every lease ends",
                          "lease %" PRId64 " of %" PRId64
                          " ms, last kept alive at %" PRIu64
                          ", is still there at %" PRIu64,
                          row->id, row->ttl, row->told, now);
    }
}
