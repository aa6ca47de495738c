/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/bench/bench_store.c - what a durable write costs, entries of 256
 * bytes in batches, on a real disk: the SQLite store with its promise file,
 * which makes two syncs of each write, and beside it a raw file with one
 * write and one fdatasync for the same batch.  The file is preallocated by
 * the system, as a segment of a log would be, or (overwrite) was written
 * before, which is the least any log can cost.  All take turns, many in each
 * round, so that a noisy neighbour meets all, and what counts is their ratio.
 *
 *     bench-store [DIRECTORY]      a new one in /var/tmp unless given
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <raftkv/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"

enum { PAYLOAD = 256, HEADER = 24, BATCH_MAX = 1024, RAW_BYTES = 128 << 20 };
enum { TURNS = 20 };

struct sqlite_log {
    rkv_store *store;
    rkv_tail *tail;
    uint64_t last;
    uint64_t snapshot;
};

struct raw_log {
    int fd;
    off_t at;
    uint8_t *buffer;
};

static const uint8_t payload[PAYLOAD] = {1, 2, 3};

static void open_sqlite(struct sqlite_log *log, const char *directory)
{
    char path[300];
    struct rkv_sqlite_options options = {.size = sizeof(options), .path = path};
    struct rkv_store_identity identity = {.size = sizeof(identity)};
    struct rkv_tail_options tail = {.size = sizeof(tail),
                                    .cache_bytes_max = 1 << 20};
    static const uint8_t zeros[32];

    memset(log, 0, sizeof(*log));
    snprintf(path, sizeof(path), "%s/store", directory);
    bench_must(rkv_store_sqlite(&options, &log->store) == RKV_OK, "open");
    bench_must(rkv_store_start(log->store, &identity) == RKV_OK, "start");
    bench_must(rkv_tail_new(&tail, 0, zeros, &log->tail) == RKV_OK, "tail");
}

static void close_sqlite(struct sqlite_log *log)
{
    rkv_store_close(log->store);
    rkv_tail_free(log->tail);
}

/* A snapshot now and then, as a member takes them, so that segments leave. */
static void compact_sqlite(struct sqlite_log *log)
{
    struct rkv_store_write write = {.size = sizeof(write),
                                    .flags = RKV_WRITE_SNAPSHOT,
                                    .snapshot_index = log->last,
                                    .snapshot_term = 1};

    if (log->last - log->snapshot < 40000)
        return;
    bench_must(rkv_tail_chain(log->tail, log->last, write.snapshot_chain) ==
                   RKV_OK,
               "chain");
    bench_must(rkv_store_snap_begin(log->store, 0, log->last) == RKV_OK &&
                   rkv_store_snap_finish(log->store, 0, 0) == RKV_OK &&
                   rkv_store_write(log->store, &write, 1) == RKV_OK,
               "snapshot");
    log->snapshot = log->last;
}

/* Seconds in the store; the tail's work before it is not counted, nor is it
 * done for the raw file. */
static double run_sqlite(struct sqlite_log *log, uint32_t batch,
                         uint32_t writes)
{
    static struct rkv_entry entries[BATCH_MAX];
    static struct rkv_raft_entry listed[BATCH_MAX];
    double taken = 0;

    compact_sqlite(log);
    for (uint32_t n = 0; n < writes; n++) {
        struct rkv_store_write write = {.size = sizeof(write),
                                        .flags =
                                            RKV_WRITE_ENTRIES | RKV_WRITE_STATE,
                                        .term = 1,
                                        .vote = 1,
                                        .commit = log->last,
                                        .count = batch};

        for (uint32_t i = 0; i < batch; i++) {
            entries[i] = (struct rkv_entry){.index = log->last + 1 + i,
                                            .term = 1,
                                            .kind = RKV_ENTRY_COMMAND,
                                            .data = payload,
                                            .len = PAYLOAD};
            listed[i] = (struct rkv_raft_entry){
                .index = entries[i].index, .term = 1, .len = PAYLOAD};
        }
        bench_must(rkv_tail_add(log->tail, entries, batch) == RKV_OK &&
                       rkv_tail_get(log->tail, listed, batch, &write.entries) ==
                           RKV_OK,
                   "tail");
        double begin = bench_now();
        bench_must(rkv_store_write(log->store, &write, 1) == RKV_OK,
                   rkv_store_errmsg(log->store));
        taken += bench_now() - begin;
        log->last += batch;
        rkv_tail_release(log->tail, log->last);
    }
    return taken;
}

static void open_raw(struct raw_log *log, const char *directory,
                     const char *name, bool is_written)
{
    static const uint8_t zeros[1 << 20];
    char path[300];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    log->fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    log->at = 0;
    log->buffer = calloc(BATCH_MAX, PAYLOAD + HEADER);
    bench_must(log->fd >= 0 && log->buffer != NULL, "raw file");
    bench_must(posix_fallocate(log->fd, 0, RAW_BYTES) == 0, "preallocating");
    for (off_t at = 0; is_written && at < RAW_BYTES; at += (off_t)sizeof(zeros))
        bench_must(pwrite(log->fd, zeros, sizeof(zeros), at) ==
                       (ssize_t)sizeof(zeros),
                   "writing the raw file");
    bench_must(fsync(log->fd) == 0, "syncing the raw file");
}

static void close_raw(struct raw_log *log)
{
    close(log->fd);
    free(log->buffer);
}

static double run_raw(struct raw_log *log, uint32_t batch, uint32_t writes)
{
    size_t len = (size_t)batch * (PAYLOAD + HEADER);
    double begin = bench_now();

    for (uint32_t n = 0; n < writes; n++) {
        if (log->at + (off_t)len > RAW_BYTES)
            log->at = 0;
        for (uint32_t i = 0; i < batch; i++)
            memcpy(log->buffer + (size_t)i * (PAYLOAD + HEADER) + HEADER,
                   payload, PAYLOAD);
        bench_must(pwrite(log->fd, log->buffer, len, log->at) == (ssize_t)len,
                   "raw write");
        bench_must(fdatasync(log->fd) == 0, "raw sync");
        log->at += (off_t)len;
    }
    return bench_now() - begin;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Prints the best and the median of what only grows with quality. */
static void report(const char *name, double *values, const char *unit)
{
    char median[100];

    qsort(values, BENCH_ROUNDS, sizeof(*values), compare);
    snprintf(median, sizeof(median), "%s.median", name);
    bench_line(name, values[BENCH_ROUNDS - 1], unit);
    bench_line(median, values[BENCH_ROUNDS / 2], unit);
}

static void run(const char *directory, uint32_t batch, uint32_t writes)
{
    double sqlite[BENCH_ROUNDS];
    double raw[BENCH_ROUNDS];
    double overwrite[BENCH_ROUNDS];
    double ratio[BENCH_ROUNDS];
    double least[BENCH_ROUNDS];
    struct sqlite_log ours;
    struct raw_log segment;
    struct raw_log written;
    char name[100];

    open_sqlite(&ours, directory);
    open_raw(&segment, directory, "segment", false);
    open_raw(&written, directory, "written", true);
    run_sqlite(&ours, batch, writes / 4);
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        double count = (double)batch * (writes / TURNS * TURNS);
        double taken[3] = {0};

        for (uint32_t turn = 0; turn < TURNS; turn++) {
            taken[0] += run_raw(&segment, batch, writes / TURNS);
            taken[1] += run_sqlite(&ours, batch, writes / TURNS);
            taken[2] += run_raw(&written, batch, writes / TURNS);
        }
        raw[i] = count / taken[0];
        sqlite[i] = count / taken[1];
        overwrite[i] = count / taken[2];
        ratio[i] = sqlite[i] / raw[i];
        least[i] = sqlite[i] / overwrite[i];
    }
    close_sqlite(&ours);
    close_raw(&segment);
    close_raw(&written);
    snprintf(name, sizeof(name), "store.sqlite.batch%u.entries_per_s", batch);
    report(name, sqlite, "1/s");
    snprintf(name, sizeof(name), "store.raw.batch%u.entries_per_s", batch);
    report(name, raw, "1/s");
    snprintf(name, sizeof(name), "store.overwrite.batch%u.entries_per_s",
             batch);
    report(name, overwrite, "1/s");
    snprintf(name, sizeof(name), "store.sqlite.batch%u.vs_raw", batch);
    report(name, ratio, "x");
    snprintf(name, sizeof(name), "store.sqlite.batch%u.vs_overwrite", batch);
    report(name, least, "x");
}

/* What a run left: two levels of files. */
static void empty(const char *directory)
{
    char path[600];
    const struct dirent *entry;
    DIR *dir = opendir(directory);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (unlink(path) != 0) {
            empty(path);
            rmdir(path);
        }
    }
    if (dir != NULL)
        closedir(dir);
}

int main(int argc, char **argv)
{
    char made[] = "/var/tmp/raftkv-bench-XXXXXX";
    const char *directory = argc > 1 ? argv[1] : mkdtemp(made);
    static const struct {
        uint32_t batch;
        uint32_t writes;
    } runs[] = {{1, 800}, {64, 600}, {1024, 80}};

    bench_must(directory != NULL, "making a directory");
    for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++) {
        empty(directory);
        run(directory, runs[i].batch, runs[i].writes);
    }
    empty(directory);
    if (argc == 1)
        rmdir(directory);
    return EXIT_SUCCESS;
}
