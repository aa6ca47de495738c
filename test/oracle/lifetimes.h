/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/oracle/lifetimes.h - leases against the time that really passed, which
 * no member knows: none ends before its own since it was asked to live, on any
 * clock that goes as fast as a clock may, and none lives on for ever.
 */
#ifndef TEST_ORACLE_LIFETIMES_H
#define TEST_ORACLE_LIFETIMES_H

#include "twin.h"

struct lifetime {
    int64_t id;
    int64_t ttl;
    uint64_t renewals;
    uint64_t asked; /* when a leader took in the grant, or what kept it alive */
    uint64_t told;  /* when that was applied first */
    uint64_t term;
};

struct lifetimes {
    struct verdict *verdict;
    struct lifetime *rows;
    size_t count;
    size_t cap;
    uint64_t fastest;      /* per thousand of real time, that a clock may go */
    uint64_t ended_across; /* leases that ended in a later term */
};

void lifetimes_init(struct lifetimes *lifetimes, uint64_t fastest,
                    struct verdict *verdict);
void lifetimes_free(struct lifetimes *lifetimes);
/* The twin has done a command, taken in at one time and applied at another;
 * by_clock: it moved the clock. */
void lifetimes_step(struct lifetimes *lifetimes, const struct twin *twin,
                    uint64_t asked, uint64_t now, uint64_t term, bool by_clock);
/* Nothing has stood in the way of time for a while: who is over is gone. */
void lifetimes_finish(const struct lifetimes *lifetimes, uint64_t now,
                      uint64_t slack);

#endif
