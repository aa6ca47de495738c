/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/metrics.c - the text format of Prometheus, under the names that
 * dashboards for etcd look for.
 */
#include "server.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { WARN_EVERY_MS = 10 * 60 * 1000, SAMPLES_ENOUGH = 50 };

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    uint64_t limit = histogram->first_ns;
    size_t i = 0;

    while (i < HISTOGRAM_BUCKETS && ns > limit) {
        limit *= 2;
        i++;
    }
    histogram->counts[i]++;
    histogram->sum_ns += ns;
    histogram->total++;
}

void metrics_init(struct metrics *metrics)
{
    metrics->flush.first_ns = DISK_FIRST_NS;
    metrics->started_s = (uint64_t)time(NULL);
}

void samples_add(struct samples *samples, uint64_t ns)
{
    samples->ns[samples->total++ % SAMPLES_KEPT] = ns;
}

static int order(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

uint64_t samples_p99(const struct samples *samples)
{
    uint64_t sorted[SAMPLES_KEPT];
    size_t count =
        samples->total < SAMPLES_KEPT ? (size_t)samples->total : SAMPLES_KEPT;

    if (count == 0)
        return 0;
    memcpy(sorted, samples->ns, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, order);
    return sorted[(count * 99 - 1) / 100];
}

/* Thesis 5.1: broadcast time well below the election timeout. */
void metrics_judge_timeouts(struct server *server, uint64_t now)
{
    struct metrics *metrics = &server->metrics;

    if (metrics->flush_times.total < SAMPLES_ENOUGH ||
        (metrics->warned && now - metrics->warned < WARN_EVERY_MS))
        return;
    uint64_t disk = samples_p99(&metrics->flush_times);
    uint64_t network = samples_p99(&metrics->round_trips);
    uint64_t election_ns = server->flags.election_ms * 1000000;
    if (election_ns >= 10 * (disk + network))
        return;
    metrics->warned = now;
    log_line(&server->log, LOG_WARN,
             "the election timeout is short for this disk and network",
             "election_ms=%llu round_trip_p99_ms=%.1f write_p99_ms=%.1f "
             "do=\"give all members --election-timeout=%llu or more\"",
             (unsigned long long)server->flags.election_ms,
             (double)network / 1e6, (double)disk / 1e6,
             (unsigned long long)((disk + network) / 100000 + 1));
}

static void put(struct buffer *out, const char *name, const char *type,
                const char *help, double value)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help,
                  name, type, name, value);
}

static void counter(struct buffer *out, const char *name, const char *help,
                    uint64_t value)
{
    put(out, name, "counter", help, (double)value);
}

static void gauge(struct buffer *out, const char *name, const char *help,
                  uint64_t value)
{
    put(out, name, "gauge", help, (double)value);
}

static void head(struct buffer *out, const char *name, const char *type,
                 const char *help)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* label is one with a comma after it, or "". */
static void write_histogram(struct buffer *out, const char *name,
                            const char *label,
                            const struct histogram *histogram)
{
    double limit = (double)histogram->first_ns / 1e9;
    char braces[64] = "";
    uint64_t below = 0;

    if (*label)
        snprintf(braces, sizeof braces, "{%.*s}", (int)strlen(label) - 1,
                 label);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++, limit *= 2) {
        below += histogram->counts[i];
        buffer_printf(out, "%s_bucket{%sle=\"%g\"} %llu\n", name, label, limit,
                      (unsigned long long)below);
    }
    buffer_printf(out, "%s_bucket{%sle=\"+Inf\"} %llu\n", name, label,
                  (unsigned long long)histogram->total);
    buffer_printf(out, "%s_sum%s %.9g\n%s_count%s %llu\n", name, braces,
                  (double)histogram->sum_ns / 1e9, name, braces,
                  (unsigned long long)histogram->total);
}

/* A gauge of 1 whose label says something. */
static void fact(struct buffer *out, const char *name, const char *help,
                 const char *label, const char *value)
{
    head(out, name, "gauge", help);
    buffer_printf(out, "%s{%s=\"%s\"} 1\n", name, label, value);
}

static void write_server(struct server *server, struct buffer *out)
{
    char id[20], cluster_version[8];
    const struct rkv_member *members;
    uint32_t count = rkv_node_members(server->node, &members);
    uint64_t learner = 0;

    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == server->id)
            learner = members[i].role == RKV_LEARNER;
    snprintf(id, sizeof id, "%llx", (unsigned long long)server->id);
    snprintf(cluster_version, sizeof cluster_version, "%.3s", api_version);
    fact(out, "etcd_server_id", "This member.", "server_id", id);
    fact(out, "etcd_server_version", "The version of the API.",
         "server_version", api_version);
    fact(out, "etcd_cluster_version", "The version of the cluster's API.",
         "cluster_version", cluster_version);
    gauge(out, "etcd_server_is_learner", "Whether this member has no vote.",
          learner);
}

static void write_rpcs(struct server *server, struct buffer *out)
{
    static const char *const names[] = {"grpc_server_started_total",
                                        "grpc_server_handled_total"};
    const struct rpc *rpc;

    head(out, names[0], "counter", "Requests begun, whatever the protocol.");
    for (size_t i = 0; (rpc = rpc_at(i)); i++)
        if (rpc->start)
            buffer_printf(out,
                          "%s{grpc_method=\"%s\",grpc_service=\"%s\","
                          "grpc_type=\"%s\"} %llu\n",
                          names[0], rpc->method, rpc->service,
                          rpc->streaming ? "bidi_stream" : "unary",
                          (unsigned long long)server->metrics.rpcs[i].started);
    head(out, names[1], "counter", "Requests answered, or given up.");
    for (size_t i = 0; (rpc = rpc_at(i)); i++) {
        const uint64_t *handled = server->metrics.rpcs[i].handled;
        for (int code = 0; code < STATUS_CODES; code++)
            if (handled[code])
                buffer_printf(out,
                              "%s{grpc_code=\"%s\",grpc_method=\"%s\","
                              "grpc_service=\"%s\",grpc_type=\"%s\"} %llu\n",
                              names[1], status_name(code), rpc->method,
                              rpc->service,
                              rpc->streaming ? "bidi_stream" : "unary",
                              (unsigned long long)handled[code]);
    }
}

static void write_raft(struct server *server, struct buffer *out)
{
    struct metrics *metrics = &server->metrics;
    struct rkv_node_status node = {.size = sizeof node};

    rkv_node_status(server->node, &node);
    gauge(out, "etcd_server_has_leader", "Whether a leader is known.",
          node.leader != 0);
    gauge(out, "etcd_server_is_leader", "Whether this member leads.",
          node.role == RKV_LEADER);
    counter(out, "etcd_server_leader_changes_seen_total",
            "How often the leader changed.", metrics->leader_changes);
    gauge(out, "etcd_server_proposals_committed_total",
          "Index of the last entry committed.", node.commit);
    gauge(out, "etcd_server_proposals_applied_total",
          "Index of the last entry applied.", node.applied);
    gauge(out, "etcd_server_proposals_pending",
          "Proposals of this member waiting for an outcome.",
          metrics->proposals_pending);
    counter(out, "etcd_server_proposals_failed_total",
            "Proposals of this member that failed.", metrics->proposals_failed);
    counter(out, "etcd_server_read_indexes_failed_total",
            "Linearizable reads that failed.", metrics->reads_failed);
    counter(out, "raftkvd_elections_total", "Elections this member began.",
            node.elections);
    counter(out, "raftkvd_flushes_total", "Durable writes.", node.flushes);
    counter(out, "raftkvd_entries_written_total", "Log entries written.",
            node.entries_written);
    counter(out, "raftkvd_snapshots_taken_total", "Snapshots taken.",
            node.snapshots_taken);
    counter(out, "raftkvd_snapshots_received_total", "Snapshots received.",
            node.snapshots_received);
    gauge(out, "raftkvd_recovering",
          "Whether this member lost commits and is catching up.",
          node.recovering);
    head(out, "etcd_disk_wal_fsync_duration_seconds", "histogram",
         "Time of one durable write.");
    write_histogram(out, "etcd_disk_wal_fsync_duration_seconds", "",
                    &metrics->flush);
}

static void write_kv(struct server *server, struct buffer *out)
{
    struct metrics *metrics = &server->metrics;
    struct rkv_kv_status kv = {.size = sizeof kv};

    rkv_kv_status(server->kv, &kv);
    counter(out, "etcd_mvcc_put_total", "Puts asked of this member.",
            metrics->puts);
    counter(out, "etcd_mvcc_delete_total", "Deletes asked of this member.",
            metrics->deletes);
    counter(out, "etcd_mvcc_range_total", "Ranges served by this member.",
            metrics->ranges);
    counter(out, "etcd_mvcc_txn_total", "Transactions asked of this member.",
            metrics->txns);
    gauge(out, "etcd_mvcc_db_total_size_in_bytes",
          "Keys and values, with their history.", kv.bytes);
    gauge(out, "etcd_mvcc_db_total_size_in_use_in_bytes",
          "Keys and values, with their history.", kv.bytes);
    gauge(out, "etcd_debugging_mvcc_keys_total", "Keys.", kv.keys);
    gauge(out, "etcd_debugging_mvcc_current_revision", "Current revision.",
          (uint64_t)kv.revision);
    put(out, "etcd_debugging_mvcc_compact_revision", "gauge",
        "Revision of the last compaction.", (double)kv.compacted);
    gauge(out, "etcd_debugging_mvcc_watcher_total", "Watches.",
          server->watches.live);
    counter(out, "etcd_debugging_mvcc_events_total", "Events sent to watches.",
            metrics->watch_events);
    gauge(out, "etcd_debugging_mvcc_slow_watcher_total",
          "Watch streams that do not keep up.", server->watches.paused);
}

static void write_peers(struct server *server, struct buffer *out)
{
    static const struct {
        const char *name, *type, *label, *help;
    } series[] = {
        {"etcd_network_peer_sent_bytes_total", "counter", "To",
         "Bytes sent to a peer."},
        {"etcd_network_peer_received_bytes_total", "counter", "From",
         "Bytes received from a peer."},
        {"etcd_network_peer_sent_failures_total", "counter", "To",
         "Frames that could not be sent to a peer."},
        {"etcd_network_active_peers", "gauge", "Remote",
         "Whether a peer is connected."},
        {"etcd_network_disconnected_peers_total", "counter", "Remote",
         "How often a peer's connection broke."},
    };
    const char *round_trip = "etcd_network_peer_round_trip_time_seconds";
    char label[40];

    for (size_t i = 0; i < sizeof series / sizeof *series; i++) {
        buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", series[i].name,
                      series[i].help, series[i].name, series[i].type);
        for (struct peer *peer = server->peers.first; peer; peer = peer->next) {
            const double values[] = {
                (double)peer->bytes_out,     (double)peer->bytes_in,
                (double)peer->send_failures, peer->link != NULL,
                (double)peer->disconnects,
            };
            buffer_printf(out, "%s{%s=\"%llx\"} %.15g\n", series[i].name,
                          series[i].label, (unsigned long long)peer->id,
                          values[i]);
        }
    }
    head(out, round_trip, "histogram", "Round trips to a peer.");
    for (struct peer *peer = server->peers.first; peer; peer = peer->next) {
        snprintf(label, sizeof label, "To=\"%llx\",",
                 (unsigned long long)peer->id);
        write_histogram(out, round_trip, label, &peer->round_trip);
    }
}

static uint64_t open_descriptors(void)
{
    uint64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");

    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    /* Not ".", "..", and the one it took to look. */
    return count > 3 ? count - 3 : 0;
}

static uint64_t resident_bytes(void)
{
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file)
        return 0;
    int found = fscanf(file, "%llu %llu", &total, &resident);
    fclose(file);
    return found == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void write_process(struct server *server, struct buffer *out)
{
    struct rusage usage;
    struct rlimit limit;

    getrusage(RUSAGE_SELF, &usage);
    gauge(out, "process_open_fds", "Open file descriptors.",
          open_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        gauge(out, "process_max_fds", "The most file descriptors there may be.",
              limit.rlim_cur);
    gauge(out, "process_start_time_seconds", "When it was started.",
          server->metrics.started_s);
    put(out, "process_cpu_seconds_total", "counter", "CPU time.",
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    gauge(out, "process_resident_memory_bytes", "Resident memory.",
          resident_bytes());
    gauge(out, "raftkvd_client_connections", "Connections of clients.",
          server->clients.count);
    counter(out, "etcd_network_client_grpc_received_bytes_total",
            "Bytes received from clients.", server->metrics.client_bytes_in);
    counter(out, "etcd_network_client_grpc_sent_bytes_total",
            "Bytes sent to clients.", server->metrics.client_bytes_out);
}

void metrics_write(struct server *server, struct buffer *out)
{
    write_server(server, out);
    write_raft(server, out);
    write_rpcs(server, out);
    write_kv(server, out);
    write_peers(server, out);
    write_process(server, out);
}
