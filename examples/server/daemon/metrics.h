/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/metrics.h - what is counted, and how /metrics shows it.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdint.h>

#include "../common/buffer.h"
#include "rpc.h"

struct server;

/* Buckets double from the first on: where etcd's have their limits, so have
 * these. */
enum {
    HISTOGRAM_BUCKETS = 16,
    DISK_FIRST_NS = 1000 * 1000,
    NETWORK_FIRST_NS = 100 * 1000
};
struct histogram {
    uint64_t first_ns;
    uint64_t counts[HISTOGRAM_BUCKETS + 1];
    uint64_t sum_ns;
    uint64_t total;
};
void histogram_add(struct histogram *histogram, uint64_t ns);

/* The latest samples, for a percentile. */
enum { SAMPLES_KEPT = 256 };
struct samples {
    uint64_t ns[SAMPLES_KEPT];
    uint64_t total;
};
void samples_add(struct samples *samples, uint64_t ns);
/* 0 when there is none yet. */
uint64_t samples_p99(const struct samples *samples);

struct metrics {
    uint64_t started_s; /* on the clock on the wall */
    uint64_t leader_changes;
    uint64_t proposals_failed;
    uint64_t proposals_pending;
    uint64_t proposals_committed;
    uint64_t puts;
    uint64_t deletes;
    uint64_t ranges;
    uint64_t txns;
    uint64_t watch_events;
    uint64_t reads_failed;
    uint64_t client_bytes_in;
    uint64_t client_bytes_out;
    struct histogram flush; /* one durable write */
    struct samples flush_times;
    struct samples round_trips; /* of any peer */
    struct rpc_counts rpcs[RPCS_MAX];
    uint64_t warned; /* when last about the election timeout */
};

void metrics_init(struct metrics *metrics);
/* The whole page. */
void metrics_write(struct server *server, struct buffer *out);
/* Compares the election timeout with what a broadcast takes, and warns. */
void metrics_judge_timeouts(struct server *server, uint64_t now);

#endif
