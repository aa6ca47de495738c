/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Snapshots: taken while writing goes on, started from, and given to members
 * that fell behind.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "meter.h"
#include "node/room.h"
#include "wire/wire.h"

Suite *suite_node_snapshot(void);

static struct cluster *start(uint32_t count, uint32_t members)
{
    struct cluster *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    c->seed = 11;
    c->options.snapshot_entries = 20;
    c->options.snapshot_bytes = 1000;
    c->options.snapshot_keep = 10;
    c->options.snapshot_chunk_bytes = 128 << 10;
    cluster_init(c, count, members);
    return c;
}

static void stop(struct cluster *c)
{
    cluster_free(c);
    free(c);
}

static void put_many(struct cluster *c, uint32_t at, int count,
                     const char *value)
{
    for (int i = 0; i < count; i++) {
        char key[16];
        int rc;

        (void)snprintf(key, sizeof key, "k%d", i % 10);
        (void)cluster_put(c, at, key, value, &rc);
        ck_assert_int_eq(rc, RKV_OK);
        cluster_settle(c);
    }
    cluster_run(c, 20);
}

static struct rkv_node_status status_of(struct cluster *c, uint32_t at)
{
    struct rkv_node_status status = {.size = sizeof status};

    rkv_node_status(c->nodes[at], &status);
    return status;
}

START_TEST(the_log_is_cut_once_it_outgrew_the_state)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c);

    put_many(c, leader, 300, "a value of some length, to outgrow the state");
    for (uint32_t i = 0; i < 3; i++) {
        struct rkv_node_status status = status_of(c, i);

        ck_assert_uint_gt(status.snapshots_taken, 0);
        ck_assert_uint_gt(status.first, 100);
        ck_assert_uint_eq(status.first, status.snapshot_index + 1);
    }
    stop(c);
}
END_TEST

/* A member that lags a little finds in the log what it lacks. */
START_TEST(of_the_log_so_much_is_kept_as_was_wished)
{
    struct cluster *c = start(1, 1);
    uint64_t cuts = 0;

    (void)cluster_elect(c);
    for (int i = 0; i < 100; i++) {
        struct rkv_node_status status;

        put_many(c, 0, 1, "a value of some length, to outgrow the state");
        status = status_of(c, 0);
        cuts = status.snapshots_taken;
        if (cuts > 0)
            ck_assert_uint_ge(status.last + 1 - status.first,
                              c->options.snapshot_keep);
    }
    ck_assert_uint_gt(cuts, 0);
    stop(c);
}
END_TEST

/* As the store has it with the snapshot. */
static uint32_t members_named(struct cluster *c, uint32_t at, uint64_t *index)
{
    struct rkv_store_state state = {.size = sizeof state};
    struct rkv_member members[RKV_MEMBERS_MAX];
    const uint8_t *genesis;
    uint32_t count;

    ck_assert_int_eq(rkv_store_state(c->stores[at], 0, &state), RKV_OK);
    ck_assert_int_eq(rkv_config_read(state.config, state.config_len, &genesis,
                                     members, &count),
                     RKV_OK);
    *index = state.snapshot_index;
    return count;
}

/* It is named later than it was taken, and a member has come meanwhile. */
START_TEST(a_snapshot_names_the_members_of_its_own_time)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c);
    uint64_t index, changed;
    int rc;

    put_many(c, leader, 20, "a value of some length, to outgrow the state");
    ck_assert_uint_eq(status_of(c, leader).snapshots_taken, 0);
    (void)cluster_change(c, leader, RKV_CHANGE_REMOVE, (leader + 1) % 3 + 1,
                         &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_settle(c);
    changed = status_of(c, leader).applied;
    ck_assert_uint_eq(status_of(c, leader).members, 2);
    put_many(c, leader, 10, "a value of some length, to outgrow the state");
    ck_assert_uint_eq(status_of(c, leader).snapshots_taken, 1);
    ck_assert_uint_eq(members_named(c, leader, &index), 3);
    ck_assert_uint_lt(index, changed);
    stop(c);
}
END_TEST

START_TEST(a_member_starts_from_its_snapshot_and_the_log_after_it)
{
    struct cluster *c = start(1, 1);
    uint64_t hash;

    (void)cluster_elect(c);
    put_many(c, 0, 200, "a value of some length");
    hash = cluster_hash(c, 0);
    ck_assert_uint_gt(status_of(c, 0).snapshots_taken, 0);
    cluster_close(c, 0);
    ck_assert_int_eq(cluster_open(c, 0), RKV_OK);
    (void)cluster_elect(c);
    ck_assert_uint_eq(cluster_hash(c, 0), hash);
    stop(c);
}
END_TEST

START_TEST(a_member_that_fell_behind_gets_a_snapshot_and_goes_on)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c), slow = (leader + 1) % 3;
    int rc;

    cluster_isolate(c, slow, true);
    put_many(c, leader, 300, "a value of some length, to outgrow the state");
    cluster_isolate(c, slow, false);
    cluster_run(c, 500);
    ck_assert_uint_gt(status_of(c, slow).snapshots_received, 0);
    ck_assert_uint_gt(c->restored, 0);
    leader = cluster_elect(c);
    (void)cluster_put(c, leader, "after", "1", &rc);
    cluster_run(c, 50);
    ck_assert_str_eq(cluster_get(c, slow, "after"), "1");
    for (uint32_t i = 1; i < 3; i++)
        ck_assert_uint_eq(cluster_hash(c, i), cluster_hash(c, 0));
    cluster_close(c, slow);
    ck_assert_int_eq(cluster_open(c, slow), RKV_OK);
    cluster_run(c, 200);
    ck_assert_uint_eq(cluster_hash(c, slow), cluster_hash(c, (slow + 1) % 3));
    stop(c);
}
END_TEST

/* ---- on the way ---- */

/* The first chunk in a frame, if there is one. */
static bool find_chunk(const struct packet *packet, struct rkv_chunk *chunk)
{
    struct rkv_frame_header header;
    struct rkv_reader parts;
    struct rkv_part part;

    ck_assert_int_eq(
        rkv_frame_open(packet->data, packet->len, 1 << 24, &header, &parts),
        RKV_OK);
    while (rkv_part_next(&parts, &part) > 0)
        if (part.kind == RKV_PART_CHUNK) {
            ck_assert_int_eq(rkv_chunk_decode(&part.body, chunk), RKV_OK);
            return true;
        }
    return false;
}

/* A state of many chunks on its way to a member that fell behind. */
static uint32_t send_big(struct cluster *c, uint32_t leader)
{
    uint32_t slow = (leader + 1) % 3;
    char *big = malloc(100001);

    memset(big, 'x', 100000);
    big[100000] = '\0';
    cluster_isolate(c, slow, true);
    put_many(c, leader, 100, big);
    ck_assert_int_eq(rkv_node_snapshot(c->nodes[leader]), RKV_OK);
    cluster_run(c, 50);
    cluster_isolate(c, slow, false);
    free(big);
    return slow;
}

struct toll {
    uint64_t chunks;
    uint64_t lost;
    uint64_t total; /* bytes of the snapshot */
    uint64_t bytes; /* of chunks that arrived */
};

static bool lose_each_tenth(struct cluster *c, struct packet *packet)
{
    struct toll *toll = c->meddler;
    struct rkv_chunk chunk;

    if (!find_chunk(packet, &chunk))
        return true;
    toll->total = chunk.total;
    if (++toll->chunks % 10 == 0) {
        toll->lost++;
        return false;
    }
    toll->bytes += chunk.len;
    return true;
}

START_TEST(a_snapshot_goes_on_after_each_chunk_that_was_lost)
{
    struct cluster *c = start(3, 3);
    struct toll toll = {0};
    uint32_t leader = cluster_elect(c), slow;

    c->meddle = lose_each_tenth;
    c->meddler = &toll;
    slow = send_big(c, leader);
    cluster_run(c, 2500);
    ck_assert_uint_eq(status_of(c, slow).snapshots_received, 1);
    ck_assert_uint_gt(toll.lost, 3);
    /* No byte of it arrived twice. */
    ck_assert_uint_eq(toll.bytes, toll.total);
    ck_assert_uint_eq(cluster_hash(c, slow), cluster_hash(c, leader));
    stop(c);
}
END_TEST

/* A sender whose disk or memory is rotten vouches for each chunk; that they
 * are not what was announced shows in the whole. */
static bool spoil_the_last(struct cluster *c, struct packet *packet)
{
    struct rkv_allocator libc = rkv_alloc_choose(NULL);
    uint32_t *spoiled = c->meddler;
    struct rkv_chunk chunk;
    struct rkv_buffer made;
    uint8_t *data;

    if (!find_chunk(packet, &chunk) || *spoiled > 0 ||
        chunk.offset + chunk.len != chunk.total)
        return true;
    (*spoiled)++;
    data = malloc(chunk.len);
    memcpy(data, chunk.data, chunk.len);
    /* Within the value of a key: it decodes as well as before. */
    data[chunk.len / 2] ^= 1;
    chunk.data = data;
    rkv_buffer_init(&made, &libc);
    rkv_frame_begin(&made, 77, packet->from + 1, packet->to + 1);
    rkv_chunk_encode(&made, 0, &chunk);
    rkv_frame_end(&made);
    free(data);
    free(packet->data);
    packet->data = made.data;
    packet->len = made.len;
    return true;
}

START_TEST(a_snapshot_that_is_not_what_was_announced_is_asked_for_again)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c), slow, spoiled = 0;

    c->meddle = spoil_the_last;
    c->meddler = &spoiled;
    slow = send_big(c, leader);
    for (int i = 0; i < 100 && spoiled == 0; i++)
        cluster_run(c, 10);
    ck_assert_uint_eq(spoiled, 1);
    ck_assert_uint_eq(status_of(c, slow).snapshots_received, 0);
    ck_assert_ptr_nonnull(
        strstr(rkv_node_errmsg(c->nodes[slow]), "another hash"));
    cluster_run(c, 1000);
    ck_assert_uint_eq(status_of(c, slow).snapshots_received, 1);
    ck_assert_uint_eq(cluster_hash(c, slow), cluster_hash(c, leader));
    stop(c);
}
END_TEST

START_TEST(a_joining_member_gets_everything_by_snapshot)
{
    struct cluster *c = start(4, 3);
    uint32_t leader = cluster_elect(c);
    int rc;

    put_many(c, leader, 300, "a value of some length, to outgrow the state");
    (void)cluster_change(c, leader, RKV_CHANGE_ADD_LEARNER, 4, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 600);
    ck_assert_uint_eq(cluster_hash(c, 3), cluster_hash(c, leader));
    stop(c);
}
END_TEST

/* A member that was offered a snapshot and waits for its first chunk: the
 * disk of the one that leads does not answer. */
static uint32_t keep_waiting(struct cluster *c, uint32_t leader)
{
    uint32_t slow = (leader + 1) % 3;

    cluster_isolate(c, slow, true);
    put_many(c, leader, 50, "v");
    ck_assert_int_eq(rkv_node_snapshot(c->nodes[leader]), RKV_OK);
    cluster_settle(c);
    ck_assert_uint_gt(status_of(c, leader).first, 40);
    c->stalled[leader] = true;
    cluster_cut(c, slow, leader, false);
    cluster_run(c, 50);
    ck_assert_uint_eq(status_of(c, slow).snapshots_received, 0);
    return slow;
}

/* The next leader has all that the first one had dropped. */
START_TEST(a_new_leader_with_a_longer_log_ends_the_wait_for_a_snapshot)
{
    struct cluster *c = calloc(1, sizeof *c);
    uint32_t leader, slow, other;

    c->seed = 13;
    cluster_init(c, 3, 3);
    leader = cluster_elect(c);
    slow = keep_waiting(c, leader);
    other = (leader + 2) % 3;
    cluster_close(c, leader);
    cluster_cut(c, slow, other, false);
    cluster_run(c, 600);
    ck_assert_int_eq(cluster_leader(c), (int)other);
    ck_assert_uint_eq(status_of(c, slow).snapshots_received, 0);
    ck_assert_uint_eq(cluster_hash(c, slow), cluster_hash(c, other));
    stop(c);
}
END_TEST

/* One of its own that is asked for meanwhile has to wait, and does so
 * quietly. */
START_TEST(a_member_that_waits_for_a_snapshot_lets_its_host_sleep)
{
    struct cluster *c = calloc(1, sizeof *c);
    uint32_t leader, slow;

    c->seed = 13;
    cluster_init(c, 3, 3);
    leader = cluster_elect(c);
    slow = keep_waiting(c, leader);
    ck_assert_int_eq(rkv_node_snapshot(c->nodes[slow]), RKV_OK);
    cluster_settle(c);
    ck_assert_uint_gt(rkv_node_deadline(c->nodes[slow]), c->now);
    c->stalled[leader] = false;
    cluster_run(c, 200);
    ck_assert_uint_gt(status_of(c, slow).snapshots_received, 0);
    stop(c);
}
END_TEST

static void ask_for_chunk(struct cluster *c, uint32_t from, uint32_t to,
                          uint64_t index)
{
    const struct rkv_fetch fetch = {.index = index, .len = 4096};
    struct rkv_allocator libc = rkv_alloc_choose(NULL);
    struct rkv_buffer frame;

    rkv_buffer_init(&frame, &libc);
    rkv_frame_begin(&frame, 77, from + 1, to + 1);
    rkv_fetch_encode(&frame, 0, &fetch);
    rkv_frame_end(&frame);
    ck_assert_int_eq(
        rkv_node_receive(c->nodes[to], c->now, frame.data, frame.len), RKV_OK);
    rkv_buffer_free(&frame);
}

/* Two are kept.  Who asks for the older one just when a third is named finds
 * nothing there, and begins with the newest. */
START_TEST(that_a_snapshot_was_followed_by_two_others_is_no_fault)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c), slow = (leader + 1) % 3;
    rkv_node *node = c->nodes[leader];
    int rc;

    put_many(c, leader, 100, "a value of some length, to outgrow the state");
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(rkv_node_snapshot(node), RKV_OK);
        (void)cluster_put(c, leader, "k", "v", &rc);
        for (int k = 0; k < 5; k++) {
            ask_for_chunk(c, slow, leader, node->previous.index);
            ck_assert_int_eq(rkv_node_flush(node, c->now), RKV_OK);
            ck_assert_str_eq(rkv_node_errmsg(node), "");
        }
        cluster_settle(c);
    }
    ck_assert_uint_gt(status_of(c, leader).snapshots_taken, 5);
    stop(c);
}
END_TEST

START_TEST(a_long_log_is_not_all_in_memory_at_the_start)
{
    struct meter meter = {0};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct cluster *c = calloc(1, sizeof *c);
    char *big = malloc(100001);

    memset(big, 'x', 100000);
    big[100000] = '\0';
    c->allocator = &allocator;
    c->options.cache_bytes_max = 100000;
    cluster_init(c, 1, 1);
    (void)cluster_elect(c);
    put_many(c, 0, 100, big);
    cluster_close(c, 0);
    meter.peak = 0;
    ck_assert_int_eq(cluster_open(c, 0), RKV_OK);
    ck_assert_uint_gt(status_of(c, 0).last, 100);
    ck_assert_uint_le(meter.peak, meter.out + (3 << 20));
    free(big);
    stop(c);
}
END_TEST

Suite *suite_node_snapshot(void)
{
    Suite *s = suite_create("node_snapshot");
    TCase *t = tcase_create("snapshot");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, the_log_is_cut_once_it_outgrew_the_state);
    tcase_add_test(t, of_the_log_so_much_is_kept_as_was_wished);
    tcase_add_test(t, a_snapshot_names_the_members_of_its_own_time);
    tcase_add_test(t, a_member_starts_from_its_snapshot_and_the_log_after_it);
    tcase_add_test(t, a_member_that_fell_behind_gets_a_snapshot_and_goes_on);
    tcase_add_test(t, a_snapshot_goes_on_after_each_chunk_that_was_lost);
    tcase_add_test(
        t, a_snapshot_that_is_not_what_was_announced_is_asked_for_again);
    tcase_add_test(t, a_joining_member_gets_everything_by_snapshot);
    tcase_add_test(t,
                   a_new_leader_with_a_longer_log_ends_the_wait_for_a_snapshot);
    tcase_add_test(t, a_member_that_waits_for_a_snapshot_lets_its_host_sleep);
    tcase_add_test(t, that_a_snapshot_was_followed_by_two_others_is_no_fault);
    tcase_add_test(t, a_long_log_is_not_all_in_memory_at_the_start);
    suite_add_tcase(s, t);
    return s;
}
