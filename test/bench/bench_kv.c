/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/bench/bench_kv.c - the state machine alone, with a million keys of 16
 * bytes and values of 256: what a put, a read, a watch, a compaction and a
 * snapshot cost.  Keys come in an order that no cache can guess; making the
 * commands is not timed, reading them is.
 */
#include <raftkv/kv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "bench/bench.h"

enum {
    KEYS = 1000000,
    KEY_LEN = 16,
    VALUE_LEN = 256,
    COMMAND_MAX = 300,
    BATCH = 1000, /* commands made at a time */
    STRANGERS = 10000
};

struct store {
    struct bench_allocator allocator;
    rkv_kv *kv;
    rkv_txn *txn;
    uint64_t index;
    struct rkv_prng prng;
    uint64_t next; /* key of an insert */
    bool pulls;
    uint64_t pulled;
    uint8_t commands[BATCH][COMMAND_MAX];
    size_t lens[BATCH];
};

static char value[VALUE_LEN];

/* Every number below KEYS once, in no order. */
static uint64_t scattered(uint64_t number)
{
    return number * 618033 % KEYS;
}

static void name_key(char *key, uint64_t number)
{
    snprintf(key, KEY_LEN + 1, "key-%012u", (unsigned)number);
}

static void open_store(struct store *s)
{
    struct rkv_kv_options options = {.size = sizeof options};

    bench_allocator_init(&s->allocator);
    options.allocator = &s->allocator.allocator;
    options.watches_max = 2 * STRANGERS;
    rkv_prng_seed(&s->prng, 1);
    bench_must(rkv_kv_new(&options, &s->kv) == RKV_OK, "new");
    bench_must(rkv_txn_new(NULL, &s->txn) == RKV_OK, "txn");
}

static void make_put(struct store *s, int at, uint64_t number)
{
    char key[KEY_LEN + 1];
    struct rkv_put put = {
        .size = sizeof put,
        .key = key,
        .key_len = KEY_LEN,
        .value = value,
        .value_len = VALUE_LEN,
    };
    const void *data;

    name_key(key, number);
    rkv_txn_reset(s->txn);
    bench_must(rkv_txn_put(s->txn, &put) == RKV_OK, "put");
    bench_must(rkv_txn_encode(s->txn, &data, &s->lens[at]) == RKV_OK, "encode");
    memcpy(s->commands[at], data, s->lens[at]);
}

static void apply(struct store *s, const void *data, size_t len)
{
    const struct rkv_result *result;

    bench_must(rkv_kv_apply(s->kv, ++s->index, data, len, &result) == RKV_OK,
               "apply");
    bench_must(result->status == RKV_OK, "status");
}

static void compact(struct store *s)
{
    struct rkv_kv_status status = {.size = sizeof status};
    const void *data;
    size_t len;

    rkv_kv_status(s->kv, &status);
    rkv_txn_reset(s->txn);
    bench_must(rkv_txn_compact(s->txn, status.revision) == RKV_OK, "compact");
    bench_must(rkv_txn_encode(s->txn, &data, &len) == RKV_OK, "encode");
    apply(s, data, len);
}

static void pull(struct store *s)
{
    const struct rkv_change_event *change;

    while (rkv_kv_next_change(s->kv, &change) == 1)
        s->pulled++;
}

static double put_all(struct store *s, uint64_t count, bool is_new)
{
    double spent = 0;

    for (uint64_t done = 0; done < count; done += BATCH) {
        for (int i = 0; i < BATCH; i++)
            make_put(s, i,
                     is_new ? scattered(s->next++)
                            : rkv_prng_below(&s->prng, KEYS));
        double start = bench_now();
        for (int i = 0; i < BATCH; i++) {
            apply(s, s->commands[i], s->lens[i]);
            if (s->pulls)
                pull(s);
        }
        spent += bench_now() - start;
    }
    return spent;
}

static double insert_round(void *ctx, uint64_t count)
{
    return put_all(ctx, count, true);
}

static double update_round(void *ctx, uint64_t count)
{
    struct store *s = ctx;
    double spent = put_all(s, count, false);

    compact(s);
    return spent;
}

static double read_round(void *ctx, uint64_t count)
{
    struct store *s = ctx;
    char key[KEY_LEN + 1];
    struct rkv_range range = {
        .size = sizeof range, .key = key, .key_len = KEY_LEN};
    const struct rkv_result *result;
    uint64_t found = 0;
    double spent = 0;

    for (uint64_t i = 0; i < count; i += BATCH) {
        char keys[BATCH][KEY_LEN + 1];

        for (int j = 0; j < BATCH; j++)
            name_key(keys[j], rkv_prng_below(&s->prng, KEYS));
        double start = bench_now();
        for (int j = 0; j < BATCH; j++) {
            range.key = keys[j];
            bench_must(rkv_kv_range(s->kv, &range, &result) == RKV_OK, "range");
            found += result->responses->count;
        }
        spent += bench_now() - start;
    }
    bench_must(found == count, "found");
    return spent;
}

static double page_round(void *ctx, uint64_t count)
{
    struct store *s = ctx;
    char key[KEY_LEN + 1];
    struct rkv_range range = {.size = sizeof range,
                              .key = key,
                              .key_len = KEY_LEN,
                              .end = "",
                              .end_len = 1,
                              .limit = 100};
    const struct rkv_result *result;
    double start = bench_now();

    for (uint64_t i = 0; i < count; i++) {
        name_key(key, rkv_prng_below(&s->prng, KEYS - 100));
        bench_must(rkv_kv_range(s->kv, &range, &result) == RKV_OK, "range");
        bench_must(result->responses->items_count == 100, "a page");
    }
    return bench_now() - start;
}

static uint64_t watch(struct store *s, const char *key, const char *end,
                      int64_t start)
{
    struct rkv_watch w = {
        .size = sizeof w,
        .key = key,
        .key_len = strlen(key),
        .end = end,
        .end_len = end == NULL ? 0 : strlen(end),
        .start = start,
    };
    uint64_t id;

    bench_must(rkv_kv_watch(s->kv, &w, &id) == RKV_OK, "watch");
    return id;
}

/* One key that so many watch: what it costs to tell all of them. */
static void measure_fan_out(struct store *s, unsigned watchers)
{
    uint64_t *ids = calloc(watchers, sizeof ids[0]);
    unsigned rounds = 200000 / watchers;
    char name[64];

    bench_must(ids != NULL, "memory");
    if (rounds > 20000)
        rounds = 20000;
    make_put(s, 0, 7);
    for (unsigned i = 0; i < watchers; i++)
        ids[i] = watch(s, "key-000000000007", NULL, 0);
    s->pulled = 0;
    double start = bench_now();
    for (unsigned i = 0; i < rounds; i++) {
        apply(s, s->commands[0], s->lens[0]);
        pull(s);
    }
    snprintf(name, sizeof name, "kv.fan_out_%u.changes_per_s", watchers);
    bench_line(name, (double)s->pulled / (bench_now() - start), "1/s");
    bench_must(s->pulled == (uint64_t)rounds * watchers, "everybody is told");
    for (unsigned i = 0; i < watchers; i++)
        bench_must(rkv_kv_unwatch(s->kv, ids[i]) == RKV_OK, "unwatch");
    free(ids);
}

static void measure_watches(struct store *s)
{
    struct rkv_kv_status status = {.size = sizeof status};
    char key[KEY_LEN + 1];
    size_t before = s->allocator.bytes;

    measure_fan_out(s, 1);
    measure_fan_out(s, 100);
    measure_fan_out(s, STRANGERS);
    before = s->allocator.bytes;
    for (uint64_t i = 0; i < STRANGERS; i++) {
        snprintf(key, sizeof key, "stranger-%06u", (unsigned)i);
        (void)watch(s, key, i % 2 == 0 ? NULL : "t", 0);
    }
    bench_line("kv.bytes_per_watch",
               (double)(s->allocator.bytes - before) / STRANGERS, "B");
    (void)bench_rate("kv.put_with_10000_strangers.per_s", "1/s", update_round,
                     s, 100000);
    uint64_t id = watch(s, "key-", "key.", 0);
    s->pulls = true;
    (void)bench_rate("kv.put_and_pull.per_s", "1/s", update_round, s, 100000);
    s->pulls = false;
    bench_must(rkv_kv_unwatch(s->kv, id) == RKV_OK, "unwatch");
    rkv_kv_status(s->kv, &status);
    (void)put_all(s, 200000, false);
    (void)watch(s, "key-", "key.", status.revision + 1);
    s->pulled = 0;
    double start = bench_now();
    pull(s);
    bench_line("kv.watch_catch_up.changes_per_s",
               (double)s->pulled / (bench_now() - start), "1/s");
    bench_must(s->pulled == 200000, "each change once");
}

/* A page from anywhere in a million keys, and how many there are. */
static double offset_round(void *ctx, uint64_t count)
{
    struct store *s = ctx;
    struct rkv_range range = {.size = sizeof range,
                              .key = "key-",
                              .key_len = 4,
                              .end = "key.",
                              .end_len = 4,
                              .limit = 100};
    const struct rkv_result *result;
    double start = bench_now();

    for (uint64_t i = 0; i < count; i++) {
        range.offset = 1 + (int64_t)rkv_prng_below(&s->prng, KEYS - 101);
        range.order = i % 2 == 0 ? RKV_ORDER_ASCEND : RKV_ORDER_DESCEND;
        bench_must(rkv_kv_range(s->kv, &range, &result) == RKV_OK, "range");
        bench_must(result->responses->items_count == 100 &&
                       result->responses->count == KEYS,
                   "a page");
    }
    return bench_now() - start;
}

/* A comparison, a put, and a read for when it does not hold. */
static double txn_round(void *ctx, uint64_t count)
{
    struct store *s = ctx;
    char key[KEY_LEN + 1];
    struct rkv_compare compare = {.size = sizeof compare,
                                  .target = RKV_COMPARE_VERSION,
                                  .relation = RKV_GREATER,
                                  .key = key,
                                  .key_len = KEY_LEN};
    struct rkv_put put = {.size = sizeof put,
                          .key = key,
                          .key_len = KEY_LEN,
                          .value = value,
                          .value_len = 32};
    struct rkv_range range = {
        .size = sizeof range, .key = key, .key_len = KEY_LEN};
    double spent = 0;

    for (uint64_t i = 0; i < count; i++) {
        const void *data;
        size_t len;

        name_key(key, rkv_prng_below(&s->prng, KEYS));
        rkv_txn_reset(s->txn);
        (void)rkv_txn_compare(s->txn, &compare);
        (void)rkv_txn_put(s->txn, &put);
        (void)rkv_txn_else(s->txn);
        (void)rkv_txn_range(s->txn, &range);
        bench_must(rkv_txn_encode(s->txn, &data, &len) == RKV_OK, "encode");
        double start = bench_now();
        apply(s, data, len);
        spent += bench_now() - start;
    }
    compact(s);
    return spent;
}

static void apply_written(struct store *s)
{
    const void *data;
    size_t len;

    bench_must(rkv_txn_encode(s->txn, &data, &len) == RKV_OK, "encode");
    apply(s, data, len);
}

/* Keys that end with a lease of their own, and the call that ends as many as
 * one may. */
static void measure_leases(struct store *s)
{
    enum { LEASES = 20000 };
    char key[KEY_LEN + 1];
    struct rkv_put put = {.size = sizeof put,
                          .key = key,
                          .key_len = KEY_LEN,
                          .value = value,
                          .value_len = 32,
                          .ttl = 1000};
    double spent = 0, start;

    for (unsigned i = 0; i < LEASES; i++) {
        snprintf(key, sizeof key, "own-%012u", i);
        rkv_txn_reset(s->txn);
        (void)rkv_txn_put(s->txn, &put);
        start = bench_now();
        apply_written(s);
        spent += bench_now() - start;
    }
    bench_line("kv.put_with_ttl.per_s", LEASES / spent, "1/s");
    rkv_txn_reset(s->txn);
    (void)rkv_txn_clock(s->txn, 1, 1);
    start = bench_now();
    apply_written(s);
    bench_line("kv.leases_20000_begin.call_us", (bench_now() - start) * 1e6,
               "us");
    for (int64_t clock = 2000; clock < 2011; clock++) {
        rkv_txn_reset(s->txn);
        (void)rkv_txn_clock(s->txn, 1, clock);
        start = bench_now();
        apply_written(s);
        if (clock == 2000)
            bench_line("kv.leases_2048_end.call_us",
                       (bench_now() - start) * 1e6, "us");
    }
    compact(s);
}

static void measure_snapshot(struct store *s)
{
    static uint8_t chunk[1 << 20];
    struct store *copy = calloc(1, sizeof *copy);
    double reading = 0, writing = 0, start = bench_now();
    rkv_snapshot *snapshot;
    uint64_t bytes = 0;
    size_t len;

    bench_must(copy != NULL, "memory");
    open_store(copy);
    bench_must(rkv_kv_snapshot(s->kv, &snapshot) == RKV_OK, "snapshot");
    bench_line("kv.snapshot.open_us", (bench_now() - start) * 1e6, "us");
    bench_must(rkv_kv_restore_begin(copy->kv) == RKV_OK, "begin");
    for (;;) {
        start = bench_now();
        bench_must(rkv_snapshot_read(snapshot, chunk, sizeof chunk, &len) ==
                       RKV_OK,
                   "read");
        reading += bench_now() - start;
        if (len == 0)
            break;
        bytes += len;
        start = bench_now();
        bench_must(rkv_kv_restore_write(copy->kv, chunk, len) == RKV_OK,
                   "write");
        writing += bench_now() - start;
    }
    bench_must(rkv_kv_restore_end(copy->kv) == RKV_OK, "end");
    rkv_snapshot_close(snapshot);
    bench_line("kv.snapshot.mb_per_s", (double)bytes / reading / 1e6, "MB/s");
    bench_line("kv.restore.mb_per_s", (double)bytes / writing / 1e6, "MB/s");
    rkv_kv_free(copy->kv);
    rkv_txn_free(copy->txn);
    free(copy);
}

/* What one call takes that compacts a lot, and the call after it. */
static void measure_compaction(struct store *s)
{
    (void)put_all(s, 200000, false);
    double start = bench_now();
    compact(s);
    bench_line("kv.compact_200000.call_us", (bench_now() - start) * 1e6, "us");
    start = bench_now();
    bench_must(rkv_kv_skip(s->kv, ++s->index) == RKV_OK, "skip");
    bench_line("kv.compact_200000.next_call_us", (bench_now() - start) * 1e6,
               "us");
}

/* A restarted client: a thousand watchers of ranges that nothing is in, all
 * of them far behind, until one call has found that out. */
static void measure_return(struct store *s)
{
    struct rkv_kv_status status = {.size = sizeof status};
    const struct rkv_change_event *change;
    char key[KEY_LEN + 1], end[KEY_LEN + 1];
    uint64_t ids[1000];

    rkv_kv_status(s->kv, &status);
    (void)put_all(s, 100000, false);
    pull(s);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "range-%04u/", i);
        snprintf(end, sizeof end, "range-%04u0", i);
        ids[i] = watch(s, key, end, status.revision + 1);
    }
    double start = bench_now();
    bench_must(rkv_kv_next_change(s->kv, &change) == 0, "nothing");
    bench_line("kv.watch_1000_ranges_catch_up.call_us",
               (bench_now() - start) * 1e6, "us");
    for (unsigned i = 0; i < 1000; i++)
        bench_must(rkv_kv_unwatch(s->kv, ids[i]) == RKV_OK, "unwatch");
}

static void measure_hash(struct store *s)
{
    int64_t compacted;
    uint32_t hash;
    double start = bench_now();

    bench_must(rkv_kv_hash(s->kv, 0, &hash, &compacted) == RKV_OK, "hash");
    bench_line("kv.hashkv.call_us", (bench_now() - start) * 1e6, "us");
}

/* All keys in one command; then what reading costs among the dead, and the
 * compaction that counts them out.  Nothing is left after it. */
static void measure_deletion(struct store *s)
{
    struct rkv_range range = {.size = sizeof range,
                              .key = "key-",
                              .key_len = 4,
                              .end = "key.",
                              .end_len = 4};
    const struct rkv_result *result;
    const void *data;
    size_t len;

    rkv_txn_reset(s->txn);
    bench_must(rkv_txn_delete(s->txn, &range) == RKV_OK, "delete");
    bench_must(rkv_txn_encode(s->txn, &data, &len) == RKV_OK, "encode");
    double start = bench_now();
    apply(s, data, len);
    bench_line("kv.delete_1000000.call_us", (bench_now() - start) * 1e6, "us");
    range.limit = 1;
    start = bench_now();
    bench_must(rkv_kv_range(s->kv, &range, &result) == RKV_OK, "range");
    bench_line("kv.range1_of_1000000_dead.call_us", (bench_now() - start) * 1e6,
               "us");
    start = bench_now();
    compact(s);
    bench_line("kv.compact_1000000_dead.call_us", (bench_now() - start) * 1e6,
               "us");
}

int main(void)
{
    struct store *s = calloc(1, sizeof *s);

    bench_must(s != NULL, "memory");
    memset(value, 'v', sizeof value);
    open_store(s);
    (void)bench_rate("kv.insert.entries_per_s", "1/s", insert_round, s,
                     KEYS / BENCH_ROUNDS);
    bench_line("kv.bytes_per_key", (double)s->allocator.bytes / KEYS, "B");
    (void)bench_rate("kv.put.entries_per_s", "1/s", update_round, s, 200000);
    (void)bench_rate("kv.range1.per_s", "1/s", read_round, s, 500000);
    (void)bench_rate("kv.page_of_100.per_s", "1/s", page_round, s, 20000);
    (void)bench_rate("kv.page_at_offset.per_s", "1/s", offset_round, s, 20000);
    (void)bench_rate("kv.txn.per_s", "1/s", txn_round, s, 100000);
    measure_leases(s);
    measure_compaction(s);
    measure_snapshot(s);
    measure_watches(s);
    measure_return(s);
    measure_hash(s);
    measure_deletion(s);
    rkv_kv_free(s->kv);
    rkv_txn_free(s->txn);
    bench_must(s->allocator.bytes == 0, "nothing leaks");
    free(s);
    return EXIT_SUCCESS;
}
