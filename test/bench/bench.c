/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/bench/bench.c - see bench.h.
 */
#define _GNU_SOURCE
#include "bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/perf_event.h>
#include <sys/syscall.h>
#endif

static double seconds_of(clockid_t clock);
static int compare(const void *a, const void *b);
static void *count_resize(void *ctx, void *ptr, size_t old_size,
                          size_t new_size);

double bench_now(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double bench_cpu(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_line(const char *name, double value, const char *unit)
{
    printf(value < 100 ? "bench %s %.3f %s\n" : "bench %s %.0f %s\n", name,
           value, unit);
    fflush(stdout);
}

void bench_skip(const char *name, const char *why)
{
    printf("bench %s skipped: %s\n", name, why);
}

double bench_rate(const char *name, const char *unit, bench_round *round,
                  void *ctx, uint64_t count)
{
    double taken[BENCH_ROUNDS];
    char median[128];

    for (int i = 0; i < BENCH_ROUNDS; i++)
        taken[i] = round(ctx, count) / (double)count;
    qsort(taken, BENCH_ROUNDS, sizeof(taken[0]), compare);
    snprintf(median, sizeof(median), "%s.median", name);
    bench_line(name, 1 / taken[0], unit);
    bench_line(median, 1 / taken[BENCH_ROUNDS / 2], unit);
    return taken[0];
}

void bench_allocator_init(struct bench_allocator *a)
{
    *a = (struct bench_allocator){
        .allocator = {.resize = count_resize, .ctx = a}};
}

#if defined(__linux__)
bool bench_counter_open(struct bench_counter *c)
{
    struct perf_event_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.type = PERF_TYPE_HARDWARE;
    attr.size = sizeof(attr);
    attr.config = PERF_COUNT_HW_INSTRUCTIONS;
    attr.exclude_kernel = 1;
    attr.exclude_hv = 1;
    c->fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
    return c->fd >= 0;
}

uint64_t bench_counter_read(const struct bench_counter *c)
{
    uint64_t value = 0;
    if (read(c->fd, &value, sizeof(value)) != (ssize_t)sizeof(value))
        return 0;
    return value;
}

void bench_counter_close(struct bench_counter *c)
{
    close(c->fd);
}
#else
bool bench_counter_open(struct bench_counter *c)
{
    c->fd = -1;
    return false;
}

uint64_t bench_counter_read(const struct bench_counter *c)
{
    (void)c;
    return 0;
}

void bench_counter_close(struct bench_counter *c)
{
    (void)c;
}
#endif

void bench_must(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "bench: failed: %s\n", what);
    exit(EXIT_FAILURE);
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void *count_resize(void *ctx, void *ptr, size_t old_size,
                          size_t new_size)
{
    struct bench_allocator *a = ctx;
    a->calls++;
    if (new_size == 0) {
        free(ptr);
        a->bytes -= old_size;
        return NULL;
    }
    void *block = realloc(ptr, new_size);
    if (block != NULL)
        a->bytes += new_size - old_size;
    return block;
}
