/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Outcomes are exact: what was taken is answered once, with what is known
 * and no more, also when the clock stood still, memory is gone, a snapshot
 * stands between or the member was told of its cluster late.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "meter.h"
#include "wire/wire.h"

Suite *suite_node_outcome(void);

static struct cluster *start(uint32_t count)
{
    struct cluster *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    c->seed = 21;
    cluster_init(c, count, count);
    return c;
}

static void stop(struct cluster *c)
{
    cluster_free(c);
    free(c);
}

START_TEST(a_request_has_its_full_time_after_a_long_sleep)
{
    struct cluster *c = start(1);
    uint64_t put;
    int rc;

    (void)cluster_elect(c);
    cluster_settle(c);
    c->now += 1000000; /* nothing was due */
    put = cluster_put(c, 0, "a", "1", &rc);
    ck_assert_int_eq(rc, RKV_OK);
    ck_assert_int_eq(rkv_node_tick(c->nodes[0], c->now), RKV_OK);
    cluster_settle(c);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_DONE);
    stop(c);
}
END_TEST

static uint32_t parts_of(const struct rkv_frame *frame)
{
    struct rkv_frame_header header;
    struct rkv_reader parts;
    struct rkv_part part;
    uint32_t count = 0;

    ck_assert_int_eq(
        rkv_frame_open(frame->data, frame->len, 1 << 24, &header, &parts),
        RKV_OK);
    while (rkv_part_next(&parts, &part) > 0)
        count++;
    return count;
}

START_TEST(a_hundred_proposals_are_one_message_for_each_member)
{
    struct cluster *c = start(3);
    uint32_t leader = cluster_elect(c), parts = 0;
    const struct rkv_frame *frame;
    int rc;

    cluster_run(c, 20);
    for (int i = 0; i < 100; i++)
        (void)cluster_put(c, leader, "a", "1", &rc);
    while (rkv_node_next_frame(c->nodes[leader], &frame) > 0)
        parts += parts_of(frame);
    ck_assert_uint_eq(parts, 2);
    stop(c);
}
END_TEST

/* Every request has its answer even when nothing can be allocated. */
START_TEST(the_end_of_a_request_needs_no_memory)
{
    struct meter meter = {0};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct cluster *c = calloc(1, sizeof *c);
    const struct rkv_event *event;
    uint32_t taken = 0, answered = 0;
    int rc;

    c->seed = 3;
    c->allocator = &allocator;
    cluster_init(c, 1, 1);
    for (int i = 0; i < 200; i++) {
        (void)cluster_put(c, 0, "a", "1", &rc);
        taken += rc == RKV_OK;
    }
    meter.fail_at = meter.asked + 1;
    meter.for_ever = true;
    for (c->now = 1; rkv_node_tick(c->nodes[0], c->now) == RKV_OK; c->now += 50)
        (void)rkv_node_flush(c->nodes[0], c->now);
    while (rkv_node_next_event(c->nodes[0], &event) > 0)
        answered += event->kind == RKV_EVENT_DONE;
    ck_assert_uint_eq(taken, 200);
    ck_assert_uint_eq(answered, taken);
    meter.fail_at = 0;
    stop(c);
}
END_TEST

/* Members that are told of their cluster one after the other: the last one
 * may have given its vote before it knew whom to. */
START_TEST(a_late_bootstrap_forgets_no_vote)
{
    struct cluster *c = calloc(1, sizeof *c);
    struct rkv_member members[3] = {{.id = 1, .role = RKV_VOTER},
                                    {.id = 2, .role = RKV_VOTER},
                                    {.id = 3, .role = RKV_VOTER}};
    struct rkv_raft_status raft = {.size = sizeof raft};
    uint64_t term, vote;

    c->seed = 5;
    cluster_init(c, 3, 0);
    ck_assert_int_eq(rkv_node_bootstrap(c->nodes[0], members, 3), RKV_OK);
    cluster_isolate(c, 1, true);
    c->stalled[0] = true; /* it asks for votes, and does not lead yet */
    for (int i = 0; i < 50; i++) {
        cluster_run(c, 10);
        rkv_raft_status(rkv_node_raft(c->nodes[2]), &raft);
        if (raft.vote != 0)
            break;
    }
    term = raft.term;
    vote = raft.vote;
    ck_assert_uint_eq(vote, 1);
    cluster_settle(c);
    ck_assert_int_eq(rkv_node_bootstrap(c->nodes[2], members, 3), RKV_OK);
    rkv_raft_status(rkv_node_raft(c->nodes[2]), &raft);
    ck_assert_uint_eq(raft.term, term);
    ck_assert_uint_eq(raft.vote, vote);
    stop(c);
}
END_TEST

START_TEST(a_bootstrap_keeps_requests_and_watches)
{
    struct cluster *c = calloc(1, sizeof *c);
    struct rkv_member self = {.id = 1, .role = RKV_VOTER};
    struct rkv_watch watch = {.size = sizeof watch, .key = "a", .key_len = 1};
    uint64_t put, late, id;
    int rc;

    c->seed = 5;
    c->options.request_ticks = 1000;
    cluster_init(c, 1, 0);
    ck_assert_int_eq(rkv_kv_watch(rkv_node_kv(c->nodes[0]), &watch, &id),
                     RKV_OK);
    late = cluster_put(c, 0, "b", "1", &rc);
    ck_assert_int_eq(rkv_node_tick(c->nodes[0], 10), RKV_OK);
    ck_assert_int_eq(rkv_node_tick(c->nodes[0], 2000), RKV_OK);
    c->now = 2000;
    put = cluster_put(c, 0, "a", "1", &rc);
    ck_assert_int_eq(rkv_node_bootstrap(c->nodes[0], &self, 1), RKV_OK);
    (void)cluster_elect(c);
    cluster_run(c, 50);
    ck_assert_uint_eq(cluster_answer(c, late)->outcome, RKV_NOT_DONE);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_DONE);
    ck_assert_uint_eq(c->changes, 1);
    stop(c);
}
END_TEST

/* The leader's word that it took a request, as it would come. */
static void answer_forward(struct cluster *c, uint32_t from, uint32_t to,
                           uint64_t id, uint64_t index)
{
    struct rkv_allocator libc = rkv_alloc_choose(NULL);
    struct rkv_node_status status = {.size = sizeof status};
    struct rkv_forward_reply reply = {.id = id, .index = index, .term = 999};
    struct rkv_buffer frame;

    rkv_node_status(c->nodes[to], &status);
    reply.boot = status.boot;
    rkv_buffer_init(&frame, &libc);
    rkv_frame_begin(&frame, 77, from + 1, to + 1);
    rkv_forward_reply_encode(&frame, 0, &reply);
    rkv_frame_end(&frame);
    ck_assert_int_eq(
        rkv_node_receive(c->nodes[to], c->now, frame.data, frame.len), RKV_OK);
    rkv_buffer_free(&frame);
}

/* Between the last chunk and its name the state is ahead of the log. */
START_TEST(an_answer_that_a_snapshot_passed_over_is_unknown)
{
    struct cluster *c = calloc(1, sizeof *c);
    struct rkv_node_status status = {.size = sizeof status};
    uint32_t leader, slow;
    uint64_t put, applied;
    int rc;

    c->seed = 11;
    c->options.snapshot_entries = 20;
    c->options.snapshot_bytes = 1000;
    c->options.snapshot_keep = 10;
    c->options.snapshot_chunk_bytes = 128 << 10;
    cluster_init(c, 3, 3);
    leader = cluster_elect(c);
    slow = (leader + 1) % 3;
    cluster_isolate(c, slow, true);
    for (int i = 0; i < 300; i++) {
        (void)cluster_put(c, leader, "a", "a value of some length", &rc);
        cluster_settle(c);
    }
    cluster_isolate(c, slow, false);
    rkv_node_status(c->nodes[slow], &status);
    applied = status.applied;
    c->stalled[slow] = true;
    for (int i = 0; i < 100 && status.applied == applied; i++) {
        cluster_run(c, 10);
        rkv_node_status(c->nodes[slow], &status);
    }
    ck_assert_uint_gt(status.applied, applied);
    c->cut[slow][leader] = true;
    put = cluster_put(c, slow, "b", "1", &rc);
    ck_assert_int_eq(rc, RKV_OK);
    answer_forward(c, leader, slow, 1, applied);
    cluster_settle(c);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_UNKNOWN);
    ck_assert_int_eq(cluster_answer(c, put)->status, RKV_ESKIPPED);
    stop(c);
}
END_TEST

START_TEST(nothing_given_is_nothing_done)
{
    struct cluster *c = start(1);
    const struct rkv_event *event;
    const struct rkv_frame *frame;
    struct rkv_change change = {.size = sizeof change,
                                .op = RKV_CHANGE_ADD_VOTER,
                                .id = 2,
                                .address_len = 3};
    rkv_job *job;

    ck_assert_int_eq(rkv_node_receive(c->nodes[0], 1, NULL, 9), RKV_EINVAL);
    ck_assert_int_eq(rkv_node_receive(c->nodes[0], 1, NULL, 0), RKV_EMALFORMED);
    ck_assert_int_eq(rkv_node_change(c->nodes[0], 1, &change), RKV_EINVAL);
    ck_assert_int_eq(rkv_hub_receive(NULL, 1, "", 1), RKV_EINVAL);
    ck_assert_int_eq(rkv_hub_flush(NULL, 1), RKV_EINVAL);
    ck_assert_int_eq(rkv_hub_flush_begin(NULL, 1, &job), RKV_EINVAL);
    ck_assert_int_eq(rkv_hub_flush_end(NULL, 1, NULL), RKV_EINVAL);
    ck_assert_int_eq(rkv_hub_next_event(NULL, &event), RKV_EINVAL);
    ck_assert_int_eq(rkv_hub_next_frame(NULL, &frame), RKV_EINVAL);
    ck_assert_ptr_null(rkv_node_kv(NULL));
    ck_assert_ptr_null(rkv_node_raft(NULL));
    ck_assert_uint_eq(rkv_node_members(NULL, NULL), 0);
    rkv_node_status(NULL, NULL);
    stop(c);
}
END_TEST

/* What a failed open leaves answers errmsg and close, and nothing harms it. */
static int try_open(struct rkv_node_options options, rkv_store *store)
{
    rkv_node *node = NULL;
    int rc = rkv_node_open(&options, store, &node);

    rkv_node_close(node);
    return rc;
}

START_TEST(options_that_mean_nothing_are_refused)
{
    const struct rkv_node_options good = {
        .size = sizeof good, .cluster = 77, .id = 1};
    struct rkv_node_options bad[8];
    struct rkv_raft_options raft = {
        .size = sizeof raft, .election_ticks = 10, .heartbeat_ticks = 10};
    rkv_store *store;
    rkv_node *node;

    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    for (int i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].size = 0;
    bad[1].cluster = 0;
    bad[2].id = 0;
    bad[3].flags = 1u << 31;
    bad[4].frame_bytes_max = 100;
    bad[5].outbox_bytes_max = 5000;
    bad[6].snapshot_chunk_bytes = 100;
    bad[7].raft = &raft;
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(try_open(bad[i], store), RKV_EINVAL);
    ck_assert_int_eq(rkv_node_open(NULL, store, &node), RKV_EINVAL);
    ck_assert_int_eq(rkv_node_open(&good, NULL, &node), RKV_EINVAL);
    ck_assert_int_eq(rkv_node_open(&good, store, NULL), RKV_EINVAL);
    ck_assert_int_eq(try_open(good, store), RKV_OK);
    rkv_store_close(store);
}
END_TEST

START_TEST(a_node_that_did_not_open_refuses_everything)
{
    struct cluster *c = start(1);
    struct rkv_node_options options = {
        .size = sizeof options, .cluster = 77, .id = 9};
    struct rkv_change change = {
        .size = sizeof change, .op = RKV_CHANGE_REMOVE, .id = 1};
    rkv_node *node;

    cluster_close(c, 0);
    ck_assert_int_eq(rkv_node_open(&options, c->stores[0], &node),
                     RKV_ECLUSTER);
    ck_assert_int_eq(rkv_node_propose(node, 1, "x", 1), RKV_EFAILED);
    ck_assert_int_eq(rkv_node_change(node, 1, &change), RKV_EFAILED);
    ck_assert_int_eq(rkv_node_read(node, 1), RKV_EFAILED);
    ck_assert_int_eq(rkv_node_transfer(node, 1, 0), RKV_EFAILED);
    ck_assert_int_eq(rkv_node_snapshot(node), RKV_EFAILED);
    ck_assert_int_eq(rkv_node_flush(node, 1), RKV_EFAILED);
    ck_assert_uint_eq(rkv_node_deadline(node), UINT64_MAX);
    rkv_node_close(node);
    stop(c);
}
END_TEST

Suite *suite_node_outcome(void)
{
    Suite *s = suite_create("node_outcome");
    TCase *t = tcase_create("outcome");

    tcase_set_timeout(t, 20);
    tcase_add_test(t, a_request_has_its_full_time_after_a_long_sleep);
    tcase_add_test(t, a_hundred_proposals_are_one_message_for_each_member);
    tcase_add_test(t, the_end_of_a_request_needs_no_memory);
    tcase_add_test(t, a_late_bootstrap_forgets_no_vote);
    tcase_add_test(t, a_bootstrap_keeps_requests_and_watches);
    tcase_add_test(t, an_answer_that_a_snapshot_passed_over_is_unknown);
    tcase_add_test(t, nothing_given_is_nothing_done);
    tcase_add_test(t, options_that_mean_nothing_are_refused);
    tcase_add_test(t, a_node_that_did_not_open_refuses_everything);
    suite_add_tcase(s, t);
    return s;
}
