/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/load_cmd.c - as many requests as the servers take, each client waiting
 * for its answer before it asks again, and how long they took.
 */
#include "lanes.h"

#include <stdlib.h>

enum { SUB = 64, POWERS = 40, BUCKETS = SUB * POWERS };

struct load {
    struct ctl *ctl;
    bool get;
    uint64_t from;
    uint64_t until;
    uint64_t wanted; /* requests; 0: until time is up */
    uint64_t sent;
    uint64_t done;
    uint64_t failed;
    uint64_t max_us;
    uint64_t random;
    uint64_t buckets[BUCKETS];
    char *value;
    struct buffer scratch;
};

/* Exact below SUB microseconds, then within 1/SUB. */
static size_t bucket_of(uint64_t us)
{
    unsigned power = 0;

    while (us >> power >= 2 * SUB)
        power++;
    size_t bucket = power * SUB + (size_t)(us >> power);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

static uint64_t bucket_us(size_t bucket)
{
    if (bucket < 2 * SUB)
        return bucket;
    size_t power = bucket / SUB - 1;
    return (uint64_t)(bucket - power * SUB) << power;
}

static uint64_t percentile(const struct load *load, double share)
{
    uint64_t rank = (uint64_t)((double)load->done * share), seen = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        seen += load->buckets[i];
        if (seen > rank)
            return bucket_us(i);
    }
    return load->max_us;
}

static uint64_t draw(struct load *load)
{
    load->random ^= load->random << 13;
    load->random ^= load->random >> 7;
    load->random ^= load->random << 17;
    return load->random;
}

static bool next(struct lanes *lanes, struct lane *lane)
{
    struct load *load = lanes->ctx;
    char key[64];

    if (load->wanted && load->sent >= load->wanted)
        return false;
    load->sent++;
    snprintf(key, sizeof key, "/load/%012llu",
             (unsigned long long)(draw(load) % (uint64_t)load->ctl->keys));
    if (load->get) {
        struct range_request request = {
            .key = bytes_text(key), .serializable = load->ctl->serializable};
        lanes_post(lane, "/v3/kv/range", &range_request_message, &request,
                   &load->scratch);
    } else {
        struct put_request request = {
            .key = bytes_text(key),
            .value = bytes_of(load->value, (size_t)load->ctl->value_size)};
        lanes_post(lane, "/v3/kv/put", &put_request_message, &request,
                   &load->scratch);
    }
    return true;
}

static void check_end(struct lanes *lanes)
{
    struct load *load = lanes->ctx;

    if (load->wanted && load->done + load->failed >= load->wanted)
        lanes->over = true;
}

static void answered(struct lanes *lanes, struct lane *lane, int status,
                     char *body, size_t len)
{
    struct load *load = lanes->ctx;
    uint64_t us = (lanes_now() - lane->started) / 1000;

    (void)body;
    (void)len;
    if (status == 200) {
        load->done++;
        load->buckets[bucket_of(us)]++;
        if (us > load->max_us)
            load->max_us = us;
    } else {
        load->failed++;
    }
    check_end(lanes);
}

static void lost(struct lanes *lanes, struct lane *lane)
{
    struct load *load = lanes->ctx;

    (void)lane;
    load->failed++;
    check_end(lanes);
}

static void tick(struct lanes *lanes, uint64_t now)
{
    struct load *load = lanes->ctx;

    if (now >= load->until)
        lanes->over = true;
}

static void report(const struct load *load, const char *what, size_t clients)
{
    double seconds = (double)(lanes_now() - load->from) / 1e9;
    double rate = (double)load->done / seconds;
    double p50 = (double)percentile(load, 0.5);
    double p90 = (double)percentile(load, 0.9);
    double p99 = (double)percentile(load, 0.99);
    double p999 = (double)percentile(load, 0.999);

    if (load->ctl->json)
        printf("{\"op\":\"%s\",\"clients\":%zu,\"seconds\":%.3f,"
               "\"requests\":%llu,\"failed\":%llu,\"req_per_s\":%.1f,"
               "\"p50_us\":%.0f,\"p90_us\":%.0f,\"p99_us\":%.0f,"
               "\"p999_us\":%.0f,\"max_us\":%llu}\n",
               what, clients, seconds, (unsigned long long)load->done,
               (unsigned long long)load->failed, rate, p50, p90, p99, p999,
               (unsigned long long)load->max_us);
    else
        printf("load: %zu clients, %llu %ss in %.1f s: %.0f a second, p50 "
               "%.2f ms, p90 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.2f "
               "ms, %llu failed\n",
               clients, (unsigned long long)load->done, what, seconds, rate,
               p50 / 1000, p90 / 1000, p99 / 1000, p999 / 1000,
               (double)load->max_us / 1000, (unsigned long long)load->failed);
}

static int take_op(struct ctl *ctl, bool *get)
{
    const char *op = ctl->operation ? ctl->operation : "put";

    *get = strcmp(op, "put") != 0;
    ctl->serializable = strcmp(op, "serializable") == 0;
    if (*get && !ctl->serializable && strcmp(op, "get") != 0)
        return ctl_usage("--op is put, get or serializable");
    if (ctl->clients <= 0)
        ctl->clients = 16;
    if (ctl->seconds <= 0)
        ctl->seconds = ctl->requests > 0 ? 3600 : 10;
    if (ctl->value_size <= 0)
        ctl->value_size = 256;
    if (ctl->keys <= 0)
        ctl->keys = 10000;
    if (ctl->clients > 20000 || ctl->value_size > 1024 * 1024)
        return ctl_usage("at most 20000 clients and values of 1 MiB");
    return CTL_OK;
}

int cmd_load(struct ctl *ctl)
{
    bool get;

    if (ctl->argc != 0)
        return ctl_usage("load takes flags only");
    int rc = take_op(ctl, &get);
    if (rc != CTL_OK)
        return rc;
    struct load *load = calloc(1, sizeof *load);
    char *value = malloc((size_t)ctl->value_size);
    struct lanes lanes = {
        .ctl = ctl,
        .ctx = load,
        .count = (size_t)ctl->clients,
        .timeout_ns = UINT64_C(20000000000),
        .next = next,
        .answered = answered,
        .lost = lost,
        .tick = tick,
    };
    if (load && value) {
        load->ctl = ctl;
        load->get = get;
        load->value = value;
        load->random = lanes_now() | 1;
        load->wanted = ctl->requests > 0 ? (uint64_t)ctl->requests : 0;
        for (int64_t i = 0; i < ctl->value_size; i++)
            value[i] = (char)('a' + draw(load) % 26);
        load->from = lanes_now();
        load->until = load->from + (uint64_t)ctl->seconds * 1000000000;
        rc = lanes_run(&lanes);
        if (rc == CTL_OK)
            report(load, get ? "get" : "put", (size_t)ctl->clients);
        if (rc == CTL_OK && load->done == 0)
            rc = CTL_UNREACHED;
        buffer_free(&load->scratch);
    }
    free(value);
    free(load);
    return rc;
}
