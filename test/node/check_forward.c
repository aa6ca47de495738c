/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests that reach the leader through another member: taken once, however
 * often their frame arrives, and recognised when applied, whatever happened to
 * the leader's answer.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "wire/wire.h"

Suite *suite_node_forward(void);

static struct cluster *start(void)
{
    struct cluster *c = calloc(1, sizeof *c);

    c->seed = 3;
    cluster_init(c, 3, 3);
    (void)cluster_elect(c);
    cluster_run(c, 30);
    return c;
}

static void stop(struct cluster *c)
{
    cluster_free(c);
    free(c);
}

/* The frames a member has for another now, kept. */
static struct packet take_frame(struct cluster *c, uint32_t from, uint32_t to)
{
    const struct rkv_frame *frame;
    struct packet kept = {.from = from, .to = to};

    while (rkv_node_next_frame(c->nodes[from], &frame) > 0) {
        if (frame->to != to + 1)
            continue;
        kept.data = realloc(kept.data, frame->len);
        kept.len = frame->len;
        memcpy(kept.data, frame->data, frame->len);
    }
    ck_assert_ptr_nonnull(kept.data);
    return kept;
}

static uint64_t versions(struct cluster *c, const char *key)
{
    struct rkv_range range = {
        .size = sizeof range, .key = key, .key_len = strlen(key)};
    const struct rkv_result *result;

    ck_assert_int_eq(rkv_kv_range(rkv_node_kv(c->nodes[0]), &range, &result),
                     RKV_OK);
    return result->responses[0].items_count == 0
               ? 0
               : (uint64_t)result->responses[0].items[0].version;
}

START_TEST(a_repeated_frame_is_one_write)
{
    struct cluster *c = start();
    uint32_t leader = (uint32_t)cluster_leader(c), asker = (leader + 1) % 3;
    struct packet frame;
    uint64_t put;
    int rc;

    put = cluster_put(c, asker, "a", "1", &rc);
    ck_assert_int_eq(rc, RKV_OK);
    frame = take_frame(c, asker, leader);
    for (int i = 0; i < 5; i++) {
        (void)rkv_node_receive(c->nodes[leader], c->now, frame.data, frame.len);
        cluster_run(c, 20);
    }
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_DONE);
    ck_assert_uint_eq(versions(c, "a"), 1);
    free(frame.data);
    stop(c);
}
END_TEST

START_TEST(a_frame_from_an_earlier_term_is_not_taken)
{
    struct cluster *c = start();
    uint32_t leader = (uint32_t)cluster_leader(c), asker = (leader + 1) % 3;
    struct packet frame;
    uint64_t put;
    int rc;

    put = cluster_put(c, asker, "a", "1", &rc);
    frame = take_frame(c, asker, leader);
    cluster_isolate(c, leader, true);
    cluster_run(c, 400);
    cluster_isolate(c, leader, false);
    cluster_run(c, 100);
    (void)rkv_node_receive(c->nodes[leader], c->now, frame.data, frame.len);
    cluster_run(c, 600);
    ck_assert_uint_eq(versions(c, "a"), 0);
    ck_assert_uint_ne(cluster_answer(c, put)->outcome, RKV_DONE);
    ck_assert_uint_eq(cluster_answer(c, put)->count, 1);
    free(frame.data);
    stop(c);
}
END_TEST

START_TEST(a_lost_answer_is_made_good_by_the_entry_itself)
{
    struct cluster *c = start();
    uint32_t leader = (uint32_t)cluster_leader(c), asker = (leader + 1) % 3;
    struct packet frame, answer;
    uint64_t put;
    int rc;

    put = cluster_put(c, asker, "a", "1", &rc);
    frame = take_frame(c, asker, leader);
    (void)rkv_node_receive(c->nodes[leader], c->now, frame.data, frame.len);
    /* The frame with the answer is dropped; appends are sent again. */
    answer = take_frame(c, leader, asker);
    (void)rkv_node_unreachable(c->nodes[leader], asker + 1);
    cluster_run(c, 100);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_DONE);
    ck_assert_int_eq(cluster_answer(c, put)->revision, 2);
    free(frame.data);
    free(answer.data);
    stop(c);
}
END_TEST

START_TEST(a_lost_request_is_unknown_in_the_end)
{
    struct cluster *c = start();
    uint32_t leader = (uint32_t)cluster_leader(c), asker = (leader + 1) % 3;
    struct packet frame;
    uint64_t put;
    int rc;

    put = cluster_put(c, asker, "a", "1", &rc);
    frame = take_frame(c, asker, leader);
    cluster_run(c, 600);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_UNKNOWN);
    ck_assert_int_eq(cluster_answer(c, put)->status, RKV_ETIMEOUT);
    free(frame.data);
    stop(c);
}
END_TEST

/* A request of the same member, as if it had asked for many before. */
static void ask_late(struct cluster *c, uint32_t asker, uint32_t leader,
                     uint64_t id)
{
    struct rkv_allocator libc = rkv_alloc_choose(NULL);
    struct rkv_node_status status = {.size = sizeof status};
    struct rkv_forward forward = {
        .kind = RKV_ENTRY_COMMAND, .id = id, .data = "x", .len = 1};
    struct rkv_buffer frame;

    rkv_node_status(c->nodes[asker], &status);
    forward.term = status.term;
    forward.boot = status.boot;
    rkv_buffer_init(&frame, &libc);
    rkv_frame_begin(&frame, 77, asker + 1, leader + 1);
    rkv_forward_encode(&frame, 0, &forward);
    rkv_frame_end(&frame);
    ck_assert_int_eq(
        rkv_node_receive(c->nodes[leader], c->now, frame.data, frame.len),
        RKV_OK);
    rkv_buffer_free(&frame);
}

/* The leader remembers the last few thousand requests of a member; whether
 * it took one before those it cannot say. */
START_TEST(what_is_too_long_ago_to_be_remembered_is_not_refused)
{
    struct cluster *c = start();
    uint32_t leader = (uint32_t)cluster_leader(c), asker = (leader + 1) % 3;
    struct packet frame;
    uint64_t put;
    int rc;

    put = cluster_put(c, asker, "a", "1", &rc);
    frame = take_frame(c, asker, leader);
    cluster_isolate(c, leader, true);
    (void)rkv_node_receive(c->nodes[leader], c->now, frame.data, frame.len);
    ask_late(c, asker, leader, 5000);
    cluster_run(c, 300);
    ck_assert_int_ne(cluster_leader(c), (int)leader);
    cluster_isolate(c, leader, false);
    cluster_run(c, 50);
    (void)rkv_node_receive(c->nodes[leader], c->now, frame.data, frame.len);
    cluster_settle(c);
    ck_assert_uint_eq(cluster_answer(c, put)->count, 0);
    cluster_run(c, 300);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_UNKNOWN);
    free(frame.data);
    stop(c);
}
END_TEST

Suite *suite_node_forward(void)
{
    Suite *s = suite_create("node_forward");
    TCase *t = tcase_create("forward");

    tcase_set_timeout(t, 20);
    tcase_add_test(t, a_repeated_frame_is_one_write);
    tcase_add_test(t, a_frame_from_an_earlier_term_is_not_taken);
    tcase_add_test(t, a_lost_answer_is_made_good_by_the_entry_itself);
    tcase_add_test(t, a_lost_request_is_unknown_in_the_end);
    tcase_add_test(t, what_is_too_long_ago_to_be_remembered_is_not_refused);
    suite_add_tcase(s, t);
    return s;
}
