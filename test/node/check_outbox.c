/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Frames on their way out, when there are many of them: what is small and
 * urgent goes first, peers take turns, and strangers cost nothing that lasts.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "look.h"
#include "meter.h"
#include "wire/wire.h"

Suite *suite_node_outbox(void);

/* A leader with a few MiB waiting for each of the others. */
static uint32_t fill(struct cluster *c)
{
    uint32_t leader;
    char *big = malloc(200001);
    int rc;

    memset(big, 'x', 200000);
    big[200000] = '\0';
    c->seed = 9;
    c->raft = (struct rkv_raft_options){.size = sizeof c->raft,
                                        .election_ticks = 100,
                                        .heartbeat_ticks = 10,
                                        .append_bytes_max = 150000};
    cluster_init(c, 3, 3);
    leader = cluster_elect(c);
    cluster_run(c, 20);
    for (int i = 0; i < 20; i++)
        (void)cluster_put(c, leader, "a", big, &rc);
    free(big);
    return leader;
}

START_TEST(a_heartbeat_overtakes_what_is_long)
{
    struct cluster *c = calloc(1, sizeof *c);
    uint32_t leader = fill(c);
    const struct rkv_frame *frame;
    bool seen[3] = {false};

    /* The appends are queued before the heartbeat is due. */
    ck_assert_int_eq(rkv_node_flush(c->nodes[leader], c->now), RKV_OK);
    c->now += 10;
    ck_assert_int_eq(rkv_node_tick(c->nodes[leader], c->now), RKV_OK);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(rkv_node_next_frame(c->nodes[leader], &frame), 1);
        ck_assert(frame_holds(frame, RKV_MSG_HEARTBEAT));
        ck_assert(!seen[frame->to - 1]);
        seen[frame->to - 1] = true;
    }
    cluster_run(c, 50);
    ck_assert_uint_eq(cluster_hash(c, 1), cluster_hash(c, 0));
    cluster_free(c);
    free(c);
}
END_TEST

START_TEST(peers_take_turns)
{
    struct cluster *c = calloc(1, sizeof *c);
    uint32_t leader = fill(c);
    const struct rkv_frame *frame;
    uint64_t before = 0;

    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(rkv_node_next_frame(c->nodes[leader], &frame), 1);
        ck_assert_uint_ne(frame->to, before);
        before = frame->to;
    }
    cluster_free(c);
    free(c);
}
END_TEST

/* Anybody may claim to be a candidate; each is answered. */
static void ask_for_vote(struct cluster *c, uint64_t from)
{
    struct rkv_raft_msg msg = {.kind = RKV_MSG_VOTE,
                               .from = from,
                               .to = 1,
                               .term = 1,
                               .index = 1,
                               .log_term = 1};

    cluster_say(c, &msg);
}

START_TEST(strangers_are_answered_and_forgotten)
{
    struct meter meter = {0};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct cluster *c = calloc(1, sizeof *c);
    const struct rkv_frame *frame;
    uint32_t answers = 0;
    size_t before = 0;

    c->allocator = &allocator;
    cluster_init(c, 1, 1);
    (void)cluster_elect(c);
    for (uint64_t i = 0; i < 5000; i++) {
        ask_for_vote(c, 1000 + i);
        while (rkv_node_next_frame(c->nodes[0], &frame) > 0)
            answers++;
        if (i == 999)
            before = meter.out;
    }
    ck_assert_uint_eq(answers, 5000);
    ck_assert_uint_le(meter.out, before + 4096);
    cluster_free(c);
    free(c);
    ck_assert_uint_eq(meter.out, 0);
}
END_TEST

/* More answers than the core has room for between two pumps. */
START_TEST(a_burst_of_questions_hides_no_append)
{
    struct cluster *c = calloc(1, sizeof *c);
    struct rkv_node_status status = {.size = sizeof status};
    const struct rkv_frame *frame;
    uint32_t leader, follower;
    uint64_t last;
    int rc;

    c->seed = 4;
    cluster_init(c, 3, 3);
    leader = cluster_elect(c);
    follower = 0;
    if (leader == 0) {
        (void)cluster_transfer(c, 0, 2, &rc);
        cluster_run(c, 50);
        leader = cluster_elect(c);
    }
    cluster_run(c, 20);
    for (uint64_t i = 0; i < 100; i++)
        ask_for_vote(c, 1000 + i);
    (void)cluster_put(c, leader, "a", "1", &rc);
    rkv_node_status(c->nodes[leader], &status);
    last = status.last;
    while (rkv_node_next_frame(c->nodes[leader], &frame) > 0)
        if (frame->to == follower + 1)
            (void)rkv_node_receive(c->nodes[follower], c->now, frame->data,
                                   frame->len);
    rkv_node_status(c->nodes[follower], &status);
    ck_assert_uint_eq(status.last, last);
    cluster_free(c);
    free(c);
}
END_TEST

/* The follower holds an entry; a frame says the same place and term hold
 * other bytes. */
static int contradict(struct cluster *c, uint32_t leader, uint32_t follower)
{
    struct rkv_allocator libc = rkv_alloc_choose(NULL);
    struct rkv_node_status status = {.size = sizeof status};
    struct rkv_frame_header header;
    struct rkv_reader parts;
    struct rkv_part part;
    struct rkv_entry entries[8];
    struct rkv_raft_entry records[8];
    struct rkv_message_room room = {entries, records, 8};
    struct rkv_raft_msg msg = {0};
    const uint8_t *previous = NULL;
    const struct rkv_frame *frame;
    struct rkv_buffer made;
    char other[256];
    int rc;

    (void)cluster_put(c, leader, "a", "1", &rc);
    while (msg.count == 0) {
        ck_assert_int_eq(rkv_node_next_frame(c->nodes[leader], &frame), 1);
        if (frame->to != follower + 1)
            continue;
        ck_assert_int_eq(rkv_node_receive(c->nodes[follower], c->now,
                                          frame->data, frame->len),
                         RKV_OK);
        ck_assert_int_eq(
            rkv_frame_open(frame->data, frame->len, 1 << 20, &header, &parts),
            RKV_OK);
        while (msg.count == 0 && rkv_part_next(&parts, &part) > 0)
            ck_assert_int_eq(
                rkv_message_decode(&part.body, &msg, &previous, &room), RKV_OK);
    }
    ck_assert_uint_lt(entries[0].len, sizeof other);
    memcpy(other, entries[0].data, entries[0].len);
    other[entries[0].len - 1] ^= 1;
    entries[0].data = other;
    rkv_buffer_init(&made, &libc);
    rkv_frame_begin(&made, 77, leader + 1, follower + 1);
    rkv_message_encode(&made, 0, &msg, previous, entries);
    rkv_frame_end(&made);
    rc = rkv_node_receive(c->nodes[follower], c->now, made.data, made.len);
    rkv_buffer_free(&made);
    rkv_node_status(c->nodes[follower], &status);
    return rc;
}

START_TEST(another_payload_at_a_known_place_halts_the_member)
{
    struct cluster *c = calloc(1, sizeof *c);
    uint32_t leader, follower;

    c->seed = 4;
    cluster_init(c, 3, 3);
    leader = cluster_elect(c);
    follower = (leader + 1) % 3;
    cluster_run(c, 20);
    ck_assert_int_eq(contradict(c, leader, follower), RKV_EDIVERGED);
    ck_assert_int_eq(rkv_node_tick(c->nodes[follower], c->now), RKV_EFAILED);
    ck_assert_ptr_nonnull(
        strstr(rkv_node_errmsg(c->nodes[follower]), "compare both members"));
    cluster_free(c);
    free(c);
}
END_TEST

Suite *suite_node_outbox(void)
{
    Suite *s = suite_create("node_outbox");
    TCase *t = tcase_create("outbox");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, a_heartbeat_overtakes_what_is_long);
    tcase_add_test(t, peers_take_turns);
    tcase_add_test(t, strangers_are_answered_and_forgotten);
    tcase_add_test(t, a_burst_of_questions_hides_no_append);
    tcase_add_test(t, another_payload_at_a_known_place_halts_the_member);
    suite_add_tcase(s, t);
    return s;
}
