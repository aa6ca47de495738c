/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The members, their links and their time.
 */
#include "cluster.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wire/wire.h"

static uint64_t id_of(uint32_t at)
{
    return at + 1;
}

static void bootstrap(struct cluster *c, uint32_t at, uint32_t members)
{
    struct rkv_member list[CLUSTER_MAX];

    memset(list, 0, sizeof list);
    for (uint32_t i = 0; i < members; i++) {
        list[i].id = id_of(i);
        list[i].role = RKV_VOTER;
        list[i].address = "here";
        list[i].address_len = 4;
    }
    ck_assert_int_eq(rkv_node_bootstrap(c->nodes[at], list, members), RKV_OK);
}

int cluster_open(struct cluster *c, uint32_t at)
{
    struct rkv_node_options options = c->options;

    options.size = sizeof options;
    options.cluster = 77;
    options.id = id_of(at);
    options.seed = c->seed * 100 + at;
    options.raft = &c->raft;
    options.allocator = c->allocator;
    return rkv_node_open(&options, c->stores[at], &c->nodes[at]);
}

void cluster_init(struct cluster *c, uint32_t count, uint32_t members)
{
    c->count = count;
    c->now = 1;
    if (c->raft.size == 0)
        c->raft = (struct rkv_raft_options){.size = sizeof c->raft,
                                            .election_ticks = 100,
                                            .heartbeat_ticks = 10};
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(rkv_store_memory(NULL, &c->stores[i]), RKV_OK);
        ck_assert_int_eq(cluster_open(c, i), RKV_OK);
        if (i < members)
            bootstrap(c, i, members);
    }
}

void cluster_close(struct cluster *c, uint32_t at)
{
    rkv_node_close(c->nodes[at]);
    c->nodes[at] = NULL;
}

void cluster_free(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        cluster_close(c, i);
        rkv_store_close(c->stores[i]);
    }
    for (size_t i = 0; i < c->packets_count; i++)
        free(c->packets[i].data);
    free(c->packets);
}

/* ---- frames ---- */

static void post(struct cluster *c, uint32_t from,
                 const struct rkv_frame *frame)
{
    uint32_t to = (uint32_t)frame->to - 1;
    struct packet *packet;

    ck_assert_int_eq(rkv_frame_len(frame->data, frame->len, 1 << 24),
                     (int64_t)frame->len);
    /* A header alone says nothing. */
    ck_assert_uint_gt(frame->len, RKV_FRAME_HEADER_BYTES);
    if (to >= c->count || c->cut[from][to])
        return;
    if (c->packets_count == c->packets_cap) {
        c->packets_cap = c->packets_cap ? c->packets_cap * 2 : 64;
        c->packets = realloc(c->packets, c->packets_cap * sizeof *c->packets);
        ck_assert_ptr_nonnull(c->packets);
    }
    packet = &c->packets[c->packets_count++];
    packet->from = from;
    packet->to = to;
    packet->len = frame->len;
    packet->data = malloc(frame->len);
    ck_assert_ptr_nonnull(packet->data);
    memcpy(packet->data, frame->data, frame->len);
    if (c->meddle != NULL && !c->meddle(c, packet)) {
        free(packet->data);
        c->packets_count--;
    }
}

static bool deliver(struct cluster *c)
{
    struct packet *packets = c->packets;
    size_t count = c->packets_count;

    c->packets = NULL;
    c->packets_count = c->packets_cap = 0;
    for (size_t i = 0; i < count; i++) {
        rkv_node *to = c->nodes[packets[i].to];

        if (to != NULL && !c->cut[packets[i].from][packets[i].to])
            (void)rkv_node_receive(to, c->now, packets[i].data, packets[i].len);
        free(packets[i].data);
    }
    free(packets);
    return count > 0;
}

/* ---- members ---- */

static void note(struct cluster *c, const struct rkv_event *event)
{
    struct answer *answer;

    if (event->kind == RKV_EVENT_CHANGE)
        c->changes++;
    if (event->kind == RKV_EVENT_RESTORED)
        c->restored++;
    if (event->kind != RKV_EVENT_DONE)
        return;
    ck_assert_uint_lt(event->token, CLUSTER_TOKENS);
    answer = &c->answers[event->token];
    answer->count++;
    answer->outcome = event->outcome;
    answer->status = event->status;
    answer->index = event->index;
    if (event->result != NULL) {
        answer->result_status = event->result->status;
        answer->revision = event->result->revision;
    }
}

static bool send_all(struct cluster *c, uint32_t at)
{
    const struct rkv_frame *frame;
    bool any = false;

    while (rkv_node_next_frame(c->nodes[at], &frame) > 0) {
        post(c, at, frame);
        any = true;
    }
    return any;
}

static bool take_events(struct cluster *c, uint32_t at)
{
    const struct rkv_event *event;
    bool any = false;

    while (!c->idle[at] && rkv_node_next_event(c->nodes[at], &event) > 0) {
        note(c, event);
        any = true;
    }
    return any;
}

void cluster_exchange(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (c->nodes[i] != NULL)
            (void)send_all(c, i);
    (void)deliver(c);
    for (uint32_t i = 0; i < c->count; i++)
        if (c->nodes[i] != NULL)
            (void)take_events(c, i);
}

static bool turn(struct cluster *c, uint32_t at)
{
    rkv_node *node = c->nodes[at];
    bool busy;

    if (node == NULL)
        return false;
    /* Whoever was asked before it knew the time knows it now. */
    if (rkv_node_deadline(node) <= c->now)
        (void)rkv_node_tick(node, c->now);
    busy = send_all(c, at);
    if (!c->stalled[at])
        (void)rkv_node_flush(node, c->now);
    busy |= send_all(c, at);
    busy |= take_events(c, at);
    return busy || (!c->stalled[at] && !c->idle[at] &&
                    rkv_node_deadline(node) <= c->now);
}

void cluster_settle(struct cluster *c)
{
    bool busy = true;

    for (int rounds = 0; busy; rounds++) {
        ck_assert_msg(rounds < 100000, "the members do not come to rest");
        busy = deliver(c);
        for (uint32_t i = 0; i < c->count; i++)
            busy |= turn(c, i);
    }
}

void cluster_run(struct cluster *c, uint64_t ticks)
{
    uint64_t end = c->now + ticks;

    while (c->now < end) {
        c->now += c->raft.heartbeat_ticks;
        for (uint32_t i = 0; i < c->count; i++)
            if (c->nodes[i] != NULL)
                (void)rkv_node_tick(c->nodes[i], c->now);
        cluster_settle(c);
    }
}

int cluster_leader(const struct cluster *c)
{
    struct rkv_node_status status = {.size = sizeof status};
    uint64_t term = 0;
    int leader = -1;

    for (uint32_t i = 0; i < c->count; i++) {
        if (c->nodes[i] == NULL)
            continue;
        rkv_node_status(c->nodes[i], &status);
        if (status.role == RKV_LEADER && status.term > term) {
            term = status.term;
            leader = (int)i;
        }
    }
    return leader;
}

uint32_t cluster_elect(struct cluster *c)
{
    for (int i = 0; i < 200; i++) {
        struct rkv_node_status status = {.size = sizeof status};
        int leader = cluster_leader(c);

        if (leader >= 0) {
            rkv_node_status(c->nodes[leader], &status);
            if (status.commit == status.last)
                return (uint32_t)leader;
        }
        cluster_run(c, c->raft.heartbeat_ticks);
    }
    ck_abort_msg("nobody was elected");
    return 0;
}

void cluster_cut(struct cluster *c, uint32_t a, uint32_t b, bool cut)
{
    c->cut[a][b] = cut;
    c->cut[b][a] = cut;
}

void cluster_isolate(struct cluster *c, uint32_t at, bool cut)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (i != at)
            cluster_cut(c, at, i, cut);
}

/* ---- requests ---- */

uint64_t cluster_put(struct cluster *c, uint32_t at, const char *key,
                     const char *value, int *rc)
{
    struct rkv_put put = {.size = sizeof put,
                          .key = key,
                          .key_len = strlen(key),
                          .value = value,
                          .value_len = strlen(value)};
    const void *command;
    size_t len;
    rkv_txn *txn;
    uint64_t token = ++c->next_token;

    ck_assert_int_eq(rkv_txn_new(NULL, &txn), RKV_OK);
    (void)rkv_txn_put(txn, &put);
    ck_assert_int_eq(rkv_txn_encode(txn, &command, &len), RKV_OK);
    *rc = rkv_node_propose(c->nodes[at], token, command, len);
    rkv_txn_free(txn);
    return token;
}

uint64_t cluster_read(struct cluster *c, uint32_t at, int *rc)
{
    uint64_t token = ++c->next_token;

    *rc = rkv_node_read(c->nodes[at], token);
    return token;
}

uint64_t cluster_change(struct cluster *c, uint32_t at, uint32_t op,
                        uint64_t id, int *rc)
{
    struct rkv_change change = {.size = sizeof change,
                                .op = op,
                                .id = id,
                                .address = "there",
                                .address_len = 5};
    uint64_t token = ++c->next_token;

    *rc = rkv_node_change(c->nodes[at], token, &change);
    return token;
}

uint64_t cluster_transfer(struct cluster *c, uint32_t at, uint64_t id, int *rc)
{
    uint64_t token = ++c->next_token;

    *rc = rkv_node_transfer(c->nodes[at], token, id);
    return token;
}

const struct answer *cluster_answer(const struct cluster *c, uint64_t token)
{
    ck_assert_uint_le(c->answers[token].count, 1);
    return &c->answers[token];
}

const char *cluster_get(struct cluster *c, uint32_t at, const char *key)
{
    static char value[256];
    struct rkv_range range = {
        .size = sizeof range, .key = key, .key_len = strlen(key)};
    const struct rkv_result *result;
    const struct rkv_item *item;

    ck_assert_int_eq(rkv_kv_range(rkv_node_kv(c->nodes[at]), &range, &result),
                     RKV_OK);
    if (result->status != RKV_OK || result->responses[0].items_count == 0)
        return NULL;
    item = &result->responses[0].items[0];
    ck_assert_uint_lt(item->value_len, sizeof value);
    memcpy(value, item->value, item->value_len);
    value[item->value_len] = '\0';
    return value;
}

uint64_t cluster_hash(struct cluster *c, uint32_t at)
{
    struct rkv_kv_status status = {.size = sizeof status};

    rkv_kv_status(rkv_node_kv(c->nodes[at]), &status);
    return status.hash;
}
