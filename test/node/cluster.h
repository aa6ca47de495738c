/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/node/cluster.h - a few members in one process, for the suites of this
 * room: frames pass through an array, time passes when a test says so, and
 * links can be cut.  What is random is left to the simulator.
 */
#ifndef TEST_NODE_CLUSTER_H
#define TEST_NODE_CLUSTER_H

#include <raftkv/hub.h>
#include <stdbool.h>

enum { CLUSTER_MAX = 5, CLUSTER_TOKENS = 4096 };

struct answer {
    uint32_t outcome; /* 0: none yet */
    int32_t status;
    int32_t result_status;
    int64_t revision;
    uint64_t index;
    uint64_t count; /* of DONE events for this token: must end at 1 */
};

struct packet {
    uint32_t from;
    uint32_t to;
    size_t len;
    unsigned char *data;
};

struct cluster;
/* Sees each frame on its way, and may change it: false loses it. */
typedef bool cluster_meddler(struct cluster *c, struct packet *packet);

struct cluster {
    uint32_t count;
    uint64_t now;
    uint64_t seed;
    rkv_store *stores[CLUSTER_MAX];
    rkv_node *nodes[CLUSTER_MAX]; /* NULL: down */
    bool cut[CLUSTER_MAX][CLUSTER_MAX];
    bool stalled[CLUSTER_MAX]; /* its disk does not answer */
    bool idle[CLUSTER_MAX];    /* its host takes no events */
    struct packet *packets;
    size_t packets_count;
    size_t packets_cap;
    struct answer answers[CLUSTER_TOKENS];
    uint64_t next_token;
    cluster_meddler *meddle;
    void *meddler;    /* its own */
    uint64_t changes; /* watch events seen */
    uint64_t restored;
    struct rkv_node_options options;
    struct rkv_raft_options raft;
    const struct rkv_allocator *allocator;
};

/* members voters on memory stores, bootstrapped; the others of count wait to
 * be added. */
void cluster_init(struct cluster *c, uint32_t count, uint32_t members);
void cluster_free(struct cluster *c);
void cluster_close(struct cluster *c, uint32_t at);
int cluster_open(struct cluster *c, uint32_t at);

/* Everything that can happen without time passing, happens. */
void cluster_settle(struct cluster *c);
/* Frames and events move, disks do not. */
void cluster_exchange(struct cluster *c);
/* Ticks pass, one heartbeat at a time. */
void cluster_run(struct cluster *c, uint64_t ticks);
/* Runs until somebody leads with a majority; its position. */
uint32_t cluster_elect(struct cluster *c);
int cluster_leader(const struct cluster *c);
void cluster_cut(struct cluster *c, uint32_t a, uint32_t b, bool cut);
void cluster_isolate(struct cluster *c, uint32_t at, bool cut);

/* The token; *rc what the call said. */
uint64_t cluster_put(struct cluster *c, uint32_t at, const char *key,
                     const char *value, int *rc);
uint64_t cluster_read(struct cluster *c, uint32_t at, int *rc);
uint64_t cluster_change(struct cluster *c, uint32_t at, uint32_t op,
                        uint64_t id, int *rc);
uint64_t cluster_transfer(struct cluster *c, uint32_t at, uint64_t id, int *rc);
const struct answer *cluster_answer(const struct cluster *c, uint64_t token);
/* The value at a member, or NULL. */
const char *cluster_get(struct cluster *c, uint32_t at, const char *key);
uint64_t cluster_hash(struct cluster *c, uint32_t at);

#endif
