/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/oracle/timeline.h - strict serializability, in O(n log n).
 *
 * Other checkers search for an order of all operations.  Here the log is the
 * order: each operation says at which index it took effect, a write at its
 * own, a read at the last one applied where it was read, and which revision it
 * saw; that what it saw is what was there at that revision is the twin's to
 * say.  What is left is time: an operation may not take effect before one that
 * was answered before it was asked.
 */
#ifndef TEST_ORACLE_TIMELINE_H
#define TEST_ORACLE_TIMELINE_H

#include "verdict.h"

struct deed_done {
    uint64_t name; /* for the message */
    uint64_t asked;
    uint64_t answered;
    uint64_t index;
    int64_t revision;
    bool is_write; /* its index is nobody else's */
};

struct timeline {
    struct deed_done *deeds;
    size_t count;
    size_t cap;
};

void timeline_free(struct timeline *timeline);
/* Of what was answered as done, in any order. */
void timeline_add(struct timeline *timeline, const struct deed_done *deed);
/* asked and answered are moments of one clock; equal ones are concurrent. */
void timeline_check(struct timeline *timeline, struct verdict *verdict);

#endif
