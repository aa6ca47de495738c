/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Groups that sleep: silent, quick to wake, and rid of a dead leader, by the
 * word of the host or by their own.
 */
#include <check.h>
#include <stdlib.h>

#include "cluster.h"
#include "wire/wire.h"

Suite *suite_node_sleep(void);

enum { ELECTION = 100, HEARTBEAT = 10, QUIET = 200 };

/* What the frames of one test hold. */
struct traffic {
    uint64_t frames;
    uint32_t lose; /* agreements to sleep that are still to be lost ... */
    uint32_t whose;
};

static bool is_agreement(const struct packet *packet)
{
    struct rkv_frame_header header;
    struct rkv_message_room room = {0};
    struct rkv_raft_msg msg;
    const uint8_t *previous;
    struct rkv_reader parts;
    struct rkv_part part;

    ck_assert_int_eq(
        rkv_frame_open(packet->data, packet->len, packet->len, &header, &parts),
        RKV_OK);
    while (rkv_part_next(&parts, &part) > 0)
        if (part.kind == RKV_PART_MESSAGE &&
            rkv_message_decode(&part.body, &msg, &previous, &room) == RKV_OK &&
            msg.kind == RKV_MSG_HEARTBEAT_REPLY &&
            (msg.flags & RKV_MSG_QUIET) != 0)
            return true;
    return false;
}

static bool look(struct cluster *c, struct packet *packet)
{
    struct traffic *traffic = c->meddler;

    traffic->frames++;
    if (traffic->lose == 0 || packet->from != traffic->whose ||
        !is_agreement(packet))
        return true;
    traffic->lose--;
    return false;
}

static struct cluster *start(uint64_t seed, struct traffic *traffic)
{
    struct cluster *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    c->seed = seed;
    c->raft = (struct rkv_raft_options){.size = sizeof c->raft,
                                        .election_ticks = ELECTION,
                                        .heartbeat_ticks = HEARTBEAT,
                                        .quiet_ticks = QUIET};
    c->meddle = look;
    c->meddler = traffic;
    cluster_init(c, 3, 3);
    return c;
}

static void stop(struct cluster *c)
{
    cluster_free(c);
    free(c);
}

static struct rkv_node_status status_of(const struct cluster *c, uint32_t at)
{
    struct rkv_node_status status = {.size = sizeof status};

    rkv_node_status(c->nodes[at], &status);
    return status;
}

static uint32_t count_asleep(const struct cluster *c)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < c->count; i++)
        count += c->nodes[i] != NULL && status_of(c, i).quiet;
    return count;
}

/* Its leader. */
static uint32_t fall_asleep(struct cluster *c)
{
    (void)cluster_elect(c);
    for (int i = 0; i < 200 && count_asleep(c) < 3; i++)
        cluster_run(c, HEARTBEAT);
    ck_assert_uint_eq(count_asleep(c), 3);
    return (uint32_t)cluster_leader(c);
}

static void expect_done(const struct cluster *c, uint64_t token)
{
    ck_assert_uint_eq(cluster_answer(c, token)->count, 1);
    ck_assert_uint_eq(cluster_answer(c, token)->outcome, RKV_DONE);
}

static void tick(struct cluster *c)
{
    c->now++;
    for (uint32_t i = 0; i < c->count; i++)
        if (c->nodes[i] != NULL)
            ck_assert_int_eq(rkv_node_tick(c->nodes[i], c->now), RKV_OK);
    cluster_settle(c);
}

/* A new leader, after so many ticks; more than most: none. */
static uint64_t until_led(struct cluster *c, uint64_t most)
{
    uint64_t begin = c->now;

    while (cluster_leader(c) < 0 && c->now - begin < most)
        tick(c);
    return c->now - begin;
}

START_TEST(a_group_with_nothing_to_do_falls_silent)
{
    struct traffic traffic = {0};
    struct cluster *c = start(5, &traffic);
    uint32_t leader = fall_asleep(c);
    uint64_t term = status_of(c, leader).term;

    traffic.frames = 0;
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(rkv_node_deadline(c->nodes[i]), UINT64_MAX);
    cluster_run(c, 100 * ELECTION);
    c->now += 1000000 * ELECTION;
    cluster_run(c, ELECTION);
    ck_assert_uint_eq(traffic.frames, 0);
    ck_assert_uint_eq(count_asleep(c), 3);
    ck_assert_int_eq(cluster_leader(c), (int)leader);
    ck_assert_uint_eq(status_of(c, leader).term, term);
    stop(c);
}
END_TEST

/* On the leader, and on a follower that hands it on. */
START_TEST(a_put_wakes_a_group_and_is_committed_at_once)
{
    for (uint32_t by = 0; by < 3; by++) {
        struct traffic traffic = {0};
        struct cluster *c = start(5, &traffic);
        uint64_t put;
        int rc;

        (void)fall_asleep(c);
        c->now += 100000;
        put = cluster_put(c, by, "k", "v", &rc);
        ck_assert_int_eq(rc, RKV_OK);
        tick(c);
        expect_done(c, put);
        ck_assert_uint_eq(count_asleep(c), 0);
        for (uint32_t i = 0; i < 3; i++)
            ck_assert_str_eq(cluster_get(c, i, "k"), "v");
        (void)fall_asleep(c);
        stop(c);
    }
}
END_TEST

START_TEST(a_read_and_a_change_wake_a_group)
{
    struct traffic traffic = {0};
    struct cluster *c = start(5, &traffic);
    uint32_t leader = fall_asleep(c);
    uint64_t asked;
    int rc;

    asked = cluster_read(c, (leader + 1) % 3, &rc);
    cluster_settle(c);
    expect_done(c, asked);
    ck_assert_uint_eq(count_asleep(c), 0);
    (void)fall_asleep(c);
    asked = cluster_change(c, (leader + 1) % 3, RKV_CHANGE_UPDATE, 1, &rc);
    cluster_settle(c);
    expect_done(c, asked);
    (void)fall_asleep(c);
    asked = cluster_transfer(c, leader, (leader + 1) % 3 + 1, &rc);
    cluster_settle(c);
    expect_done(c, asked);
    (void)fall_asleep(c);
    stop(c);
}
END_TEST

/* Members that sleep do not look after their leader: without the word of the
 * host nothing happens.  With it, they wait for what they have drawn beyond
 * the shortest timeout, and for the votes. */
START_TEST(the_word_that_a_leader_is_dead_brings_another)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct traffic traffic = {0};
        struct cluster *c = start(seed, &traffic);
        uint32_t leader = fall_asleep(c);
        uint64_t put;
        int rc;

        cluster_close(c, leader);
        cluster_run(c, 20 * ELECTION);
        ck_assert_int_lt(cluster_leader(c), 0);
        for (uint32_t i = 1; i < 3; i++)
            ck_assert_int_eq(
                rkv_node_dead(c->nodes[(leader + i) % 3], leader + 1), RKV_OK);
        ck_assert_uint_le(until_led(c, 10 * ELECTION), ELECTION + 1);
        put = cluster_put(c, (leader + 1) % 3, "k", "v", &rc);
        cluster_settle(c);
        expect_done(c, put);
        stop(c);
    }
}
END_TEST

/* One of them alone is told, and just after they fell asleep: the other has
 * heard the leader a moment ago, and helps all the same. */
START_TEST(the_word_to_one_member_is_enough)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct traffic traffic = {0};
        struct cluster *c = start(seed, &traffic);
        uint32_t leader = fall_asleep(c);

        cluster_close(c, leader);
        ck_assert_int_eq(rkv_node_dead(c->nodes[(leader + 1) % 3], leader + 1),
                         RKV_OK);
        ck_assert_uint_le(until_led(c, 10 * ELECTION), ELECTION + 1);
        stop(c);
    }
}
END_TEST

/* A write finds the leader dead of which nobody told: who took it asks, waits
 * an election timeout for an answer, and campaigns.  The write, which may be
 * lost, is unknown; the next one is not. */
START_TEST(without_a_word_it_takes_an_election_timeout)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct traffic traffic = {0};
        struct cluster *c = start(seed, &traffic);
        uint32_t leader = fall_asleep(c);
        uint64_t taken, put;
        int rc;

        cluster_close(c, leader);
        cluster_run(c, 20 * ELECTION);
        (void)cluster_put(c, (leader + 1) % 3, "k", "v", &rc);
        ck_assert_int_eq(rc, RKV_OK);
        taken = until_led(c, 10 * ELECTION);
        ck_assert_uint_ge(taken, ELECTION);
        ck_assert_uint_le(taken, 2 * ELECTION + 1);
        put = cluster_put(c, (leader + 2) % 3, "k", "v", &rc);
        cluster_settle(c);
        expect_done(c, put);
        stop(c);
    }
}
END_TEST

/* A broken link is no death: who sleeps behind it asks, and all is well. */
START_TEST(a_broken_link_costs_a_round_trip)
{
    struct traffic traffic = {0};
    struct cluster *c = start(5, &traffic);
    uint32_t leader = fall_asleep(c);
    uint64_t term = status_of(c, leader).term;

    /* Nothing was under way to a follower. */
    traffic.frames = 0;
    for (uint32_t i = 0; i < 3; i++)
        if (i != (leader + 1) % 3)
            ck_assert_int_eq(
                rkv_node_unreachable(c->nodes[i], (leader + 1) % 3 + 1),
                RKV_OK);
    cluster_run(c, ELECTION);
    ck_assert_uint_eq(traffic.frames, 0);
    ck_assert_int_eq(
        rkv_node_unreachable(c->nodes[(leader + 1) % 3], leader + 1), RKV_OK);
    cluster_settle(c);
    ck_assert_uint_eq(count_asleep(c), 0);
    (void)fall_asleep(c);
    ck_assert_int_eq(cluster_leader(c), (int)leader);
    ck_assert_uint_eq(status_of(c, leader).term, term);
    stop(c);
}
END_TEST

/* The leader, not knowing that all agreed, stays awake and asks again. */
START_TEST(an_agreement_that_is_lost_delays_sleep)
{
    struct traffic traffic = {0};
    struct cluster *c = start(5, &traffic);
    uint32_t leader = cluster_elect(c);

    traffic.lose = 5;
    traffic.whose = (leader + 1) % 3;
    for (int i = 0; i < 200 && traffic.lose > 1; i++)
        cluster_run(c, HEARTBEAT);
    ck_assert_uint_eq(traffic.lose, 1);
    ck_assert_uint_eq(count_asleep(c), 2);
    ck_assert_uint_eq(status_of(c, leader).quiet, 0);
    ck_assert_int_eq((int)fall_asleep(c), (int)leader);
    ck_assert_uint_eq(traffic.lose, 0);
    stop(c);
}
END_TEST

START_TEST(a_member_that_starts_anew_finds_its_sleeping_group)
{
    for (uint32_t who = 0; who < 2; who++) {
        struct traffic traffic = {0};
        struct cluster *c = start(5, &traffic);
        uint32_t leader = fall_asleep(c);
        uint32_t at = (leader + who) % 3;
        uint64_t put;
        int rc;

        cluster_close(c, at);
        cluster_run(c, 5 * ELECTION);
        ck_assert_uint_eq(count_asleep(c), 2);
        ck_assert_int_eq(cluster_open(c, at), RKV_OK);
        cluster_run(c, 10 * ELECTION);
        ck_assert_int_ge(cluster_leader(c), 0);
        put = cluster_put(c, at, "k", "v", &rc);
        cluster_settle(c);
        expect_done(c, put);
        (void)fall_asleep(c);
        ck_assert_uint_ne(status_of(c, at).leader, 0);
        stop(c);
    }
}
END_TEST

/* Cut off while asleep, a follower misses nothing that it is not given
 * later; a leader finds out when it is asked, and the others when they are. */
START_TEST(a_link_cut_while_they_sleep_is_survived)
{
    for (uint32_t who = 0; who < 2; who++) {
        struct traffic traffic = {0};
        struct cluster *c = start(5, &traffic);
        uint32_t leader = fall_asleep(c);
        uint32_t lost = (leader + who) % 3, other = (leader + 2) % 3;
        uint64_t first, second;
        int rc;

        cluster_isolate(c, lost, true);
        cluster_run(c, 10 * ELECTION);
        ck_assert_uint_eq(count_asleep(c), 3);
        first = cluster_put(c, lost, "k", "1", &rc);
        second = cluster_put(c, other, "k", "2", &rc);
        cluster_run(c, 20 * ELECTION);
        ck_assert_uint_ne(cluster_answer(c, first)->outcome, RKV_DONE);
        if (cluster_answer(c, second)->outcome != RKV_DONE) {
            ck_assert_uint_eq(who, 0); /* it went to the lost leader */
            second = cluster_put(c, other, "k", "2", &rc);
            cluster_settle(c);
        }
        expect_done(c, second);
        cluster_isolate(c, lost, false);
        cluster_run(c, 10 * ELECTION);
        (void)fall_asleep(c);
        for (uint32_t i = 0; i < 3; i++)
            ck_assert_str_eq(cluster_get(c, i, "k"), "2");
        stop(c);
    }
}
END_TEST

Suite *suite_node_sleep(void)
{
    Suite *s = suite_create("node sleep");
    TCase *t = tcase_create("sleep");

    tcase_add_test(t, a_group_with_nothing_to_do_falls_silent);
    tcase_add_test(t, a_put_wakes_a_group_and_is_committed_at_once);
    tcase_add_test(t, a_read_and_a_change_wake_a_group);
    tcase_add_test(t, the_word_that_a_leader_is_dead_brings_another);
    tcase_add_test(t, the_word_to_one_member_is_enough);
    tcase_add_test(t, without_a_word_it_takes_an_election_timeout);
    tcase_add_test(t, a_broken_link_costs_a_round_trip);
    tcase_add_test(t, an_agreement_that_is_lost_delays_sleep);
    tcase_add_test(t, a_member_that_starts_anew_finds_its_sleeping_group);
    tcase_add_test(t, a_link_cut_while_they_sleep_is_survived);
    suite_add_tcase(s, t);
    return s;
}
