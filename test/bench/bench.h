/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/bench/bench.h - what the bench programs share: a monotonic clock, the
 * best and the median of five rounds, counters, and one form of line,
 *
 *     bench NAME VALUE UNIT
 *
 * so that figures can be compared by a script.
 */
#ifndef RKV_TEST_BENCH_H
#define RKV_TEST_BENCH_H

#include <raftkv/base.h>
#include <stdbool.h>
#include <stdint.h>

enum { BENCH_ROUNDS = 5 };

/* Seconds of a clock that never goes back, and of this process's CPU time. */
double bench_now(void);
double bench_cpu(void);

void bench_line(const char *name, double value, const char *unit);
/* A line that says why there is no figure. */
void bench_skip(const char *name, const char *why);

/* One round does `count` operations and returns the seconds they took. */
typedef double bench_round(void *ctx, uint64_t count);
/* Five rounds; prints NAME (the best) and NAME.median as operations per
 * second; returns the best seconds per operation. */
double bench_rate(const char *name, const char *unit, bench_round *round,
                  void *ctx, uint64_t count);

/* An allocator that counts calls and bytes. */
struct bench_allocator {
    struct rkv_allocator allocator;
    uint64_t calls;
    uint64_t bytes; /* held now */
};
void bench_allocator_init(struct bench_allocator *a);

/* Instructions retired by this thread, in user mode; false where the system
 * does not say. */
struct bench_counter {
    int fd;
};
bool bench_counter_open(struct bench_counter *c);
uint64_t bench_counter_read(const struct bench_counter *c);
void bench_counter_close(struct bench_counter *c);

/* Ends the program with the name of what failed. */
void bench_must(bool is_so, const char *what);

#endif
