/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A disk that fails: the code of the failure once, RKV_EFAILED ever after,
 * every request ended, and nothing acknowledged that is not there.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "frail.h"
#include "meter.h"

Suite *suite_node_failure(void);

/* Three members; the disk of the one that leads is frail. */
struct scene {
    struct cluster c;
    struct frail frail[CLUSTER_MAX];
};

static void make_frail(struct scene *s)
{
    for (uint32_t i = 0; i < s->c.count; i++) {
        cluster_close(&s->c, i);
        s->frail[i].real = s->c.stores[i];
        s->c.stores[i] = frail_open(&s->frail[i]);
        ck_assert_int_eq(cluster_open(&s->c, i), RKV_OK);
    }
}

static struct scene *start(void)
{
    struct scene *s = calloc(1, sizeof *s);

    s->c.seed = 5;
    cluster_init(&s->c, 3, 3);
    make_frail(s);
    return s;
}

static void stop(struct scene *s)
{
    cluster_free(&s->c);
    free(s);
}

START_TEST(a_failed_write_stops_the_member_and_ends_its_requests)
{
    struct scene *s = start();
    uint32_t leader = cluster_elect(&s->c);
    rkv_node *node = s->c.nodes[leader];
    const struct rkv_event *event;
    uint64_t put, read;
    int rc;

    cluster_run(&s->c, 20);
    s->frail[leader].writes_fail = true;
    put = cluster_put(&s->c, leader, "a", "1", &rc);
    ck_assert_int_eq(rc, RKV_OK);
    read = cluster_read(&s->c, leader, &rc);
    ck_assert_int_eq(rkv_node_flush(node, s->c.now), RKV_EIO);
    ck_assert_int_eq(rkv_node_flush(node, s->c.now), RKV_EFAILED);
    ck_assert_int_eq(rkv_node_tick(node, s->c.now), RKV_EFAILED);
    ck_assert_int_eq(rkv_node_read(node, 99), RKV_EFAILED);
    for (int i = 0; i < 20 && rkv_node_next_event(node, &event) > 0; i++)
        if (event->kind == RKV_EVENT_DONE) {
            s->c.answers[event->token].count++;
            s->c.answers[event->token].outcome = event->outcome;
            s->c.answers[event->token].status = event->status;
        }
    ck_assert_uint_eq(cluster_answer(&s->c, put)->outcome, RKV_UNKNOWN);
    ck_assert_int_eq(cluster_answer(&s->c, put)->status, RKV_EIO);
    ck_assert_uint_eq(cluster_answer(&s->c, read)->count, 1);
    ck_assert_uint_ne(cluster_answer(&s->c, read)->outcome, RKV_DONE);
    stop(s);
}
END_TEST

/* Memory runs out while answers are taken: what is left of them comes before
 * the word that there will be no more. */
START_TEST(every_answer_comes_before_the_word_that_all_is_over)
{
    struct meter meter = {0};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct cluster *c = calloc(1, sizeof *c);
    const struct rkv_event *event;
    char key[16];
    int rc, answers = 0;

    c->allocator = &allocator;
    cluster_init(c, 1, 1);
    (void)cluster_elect(c);
    cluster_settle(c);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof key, "key %d", i);
        (void)cluster_put(c, 0, key, "a value", &rc);
        ck_assert_int_eq(rc, RKV_OK);
    }
    ck_assert_int_eq(rkv_node_flush(c->nodes[0], c->now), RKV_OK);
    meter.for_ever = true;
    meter.fail_at = meter.asked + 1;
    while ((rc = rkv_node_next_event(c->nodes[0], &event)) > 0)
        answers += event->kind == RKV_EVENT_DONE;
    ck_assert_int_eq(rc, RKV_EFAILED);
    ck_assert_int_eq(answers, 50);
    cluster_free(c);
    free(c);
    ck_assert_uint_eq(meter.out, 0);
}
END_TEST

START_TEST(the_others_go_on_without_a_failed_member)
{
    struct scene *s = start();
    uint32_t old = cluster_elect(&s->c), new;
    uint64_t put;
    int rc;

    s->frail[old].writes_fail = true;
    (void)cluster_put(&s->c, old, "a", "1", &rc);
    cluster_run(&s->c, 30);
    cluster_close(&s->c, old);
    cluster_run(&s->c, 400);
    new = cluster_elect(&s->c);
    ck_assert_uint_ne(new, old);
    put = cluster_put(&s->c, new, "b", "2", &rc);
    cluster_run(&s->c, 30);
    ck_assert_uint_eq(cluster_answer(&s->c, put)->outcome, RKV_DONE);
    s->frail[old].writes_fail = false;
    ck_assert_int_eq(cluster_open(&s->c, old), RKV_EFAILED);
    stop(s);
}
END_TEST

START_TEST(an_unreadable_log_is_refused_at_the_start)
{
    struct scene *s = start();
    uint32_t leader = cluster_elect(&s->c);
    int rc;

    (void)cluster_put(&s->c, leader, "a", "1", &rc);
    cluster_run(&s->c, 30);
    cluster_close(&s->c, leader);
    s->frail[leader].reads_fail = true;
    ck_assert_int_eq(cluster_open(&s->c, leader), RKV_EIO);
    stop(s);
}
END_TEST

START_TEST(closing_ends_what_waits_without_a_word_and_leaks_nothing)
{
    struct scene *s = start();
    uint32_t leader = cluster_elect(&s->c);
    int rc;

    for (int i = 0; i < 50; i++) {
        (void)cluster_put(&s->c, (leader + 1) % 3, "a", "1", &rc);
        (void)cluster_read(&s->c, (leader + 1) % 3, &rc);
    }
    stop(s);
}
END_TEST

Suite *suite_node_failure(void)
{
    Suite *s = suite_create("node_failure");
    TCase *t = tcase_create("failure");

    tcase_set_timeout(t, 20);
    tcase_add_test(t, a_failed_write_stops_the_member_and_ends_its_requests);
    tcase_add_test(t, every_answer_comes_before_the_word_that_all_is_over);
    tcase_add_test(t, the_others_go_on_without_a_failed_member);
    tcase_add_test(t, an_unreadable_log_is_refused_at_the_start);
    tcase_add_test(t, closing_ends_what_waits_without_a_word_and_leaks_nothing);
    suite_add_tcase(s, t);
    return s;
}
