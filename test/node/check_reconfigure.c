/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Several changes of membership at once, through node, log and snapshot.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

Suite *suite_node_reconfigure(void);

static struct cluster *start(uint32_t count, uint32_t members)
{
    struct cluster *c = calloc(1, sizeof *c);
    ck_assert_ptr_nonnull(c);
    c->seed = 7;
    cluster_init(c, count, members);
    return c;
}

static void stop(struct cluster *c)
{
    cluster_free(c);
    free(c);
}

/* 4 and 5 come for the two that do not lead. */
static uint64_t swap(struct cluster *c, uint32_t leader, uint32_t transition,
                     int *rc)
{
    struct rkv_change changes[4];
    uint64_t token = ++c->next_token;

    for (uint32_t i = 0; i < 4; i++) {
        memset(&changes[i], 0, sizeof changes[i]);
        changes[i].size = sizeof changes[i];
        changes[i].op = i < 2 ? RKV_CHANGE_ADD_VOTER : RKV_CHANGE_REMOVE;
        changes[i].id = i < 2 ? 4 + i : (leader + i - 1) % 3 + 1;
        changes[i].address = i < 2 ? "there" : NULL;
        changes[i].address_len = i < 2 ? 5 : 0;
    }
    *rc = rkv_node_reconfigure(c->nodes[leader], token, changes, 4, transition);
    return token;
}

static uint32_t outgoing(struct cluster *c, uint32_t at)
{
    const struct rkv_member *members;
    uint32_t count = rkv_node_members(c->nodes[at], &members);
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++)
        found += (members[i].role & RKV_OUTGOING) != 0;
    return found;
}

START_TEST(members_are_exchanged_at_once)
{
    struct cluster *c = start(5, 3);
    uint32_t leader = cluster_elect(c);
    const struct rkv_member *members;
    int rc;

    uint64_t token = swap(c, leader, RKV_CHANGE_AUTO, &rc);
    ck_assert_int_eq(rc, RKV_OK);
    cluster_run(c, 500);
    ck_assert_uint_eq(cluster_answer(c, token)->outcome, RKV_DONE);
    ck_assert_uint_eq(cluster_answer(c, token)->count, 1);
    ck_assert_uint_eq(rkv_node_members(c->nodes[leader], &members), 3);
    ck_assert_uint_eq(members[0].id, leader + 1);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(members[i].role, RKV_VOTER);
    ck_assert_uint_eq(members[1].id, 4);
    ck_assert_uint_eq(members[1].address_len, 5);
    ck_assert_mem_eq(members[2].address, "there", 5);
    uint64_t put = cluster_put(c, 3, "k", "v", &rc);
    cluster_run(c, 100);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_DONE);
    ck_assert_str_eq(cluster_get(c, 4, "k"), "v");
    stop(c);
}
END_TEST

START_TEST(a_joint_configuration_outlives_a_restart)
{
    struct cluster *c = start(5, 3);
    uint32_t leader = cluster_elect(c);
    int rc;

    uint64_t token = swap(c, leader, RKV_CHANGE_EXPLICIT, &rc);
    cluster_run(c, 500);
    ck_assert_uint_eq(cluster_answer(c, token)->outcome, RKV_DONE);
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_int_eq(rkv_node_snapshot(c->nodes[i]), RKV_OK);
        cluster_run(c, 50);
        cluster_close(c, i);
        ck_assert_int_eq(cluster_open(c, i), RKV_OK);
        ck_assert_uint_eq(outgoing(c, i), 3);
    }
    leader = cluster_elect(c);
    swap(c, leader % 3, RKV_CHANGE_AUTO, &rc);
    ck_assert_int_eq(rc, RKV_EJOINT);
    token = ++c->next_token;
    ck_assert_int_eq(
        rkv_node_reconfigure(c->nodes[leader], token, NULL, 0, RKV_CHANGE_AUTO),
        RKV_OK);
    cluster_run(c, 500);
    ck_assert_uint_eq(cluster_answer(c, token)->outcome, RKV_DONE);
    ck_assert_uint_eq(outgoing(c, 3), 0);
    ck_assert_uint_eq(outgoing(c, 4), 0);
    ck_assert_int_eq(
        rkv_node_reconfigure(c->nodes[3], 9, NULL, 0, RKV_CHANGE_AUTO),
        RKV_EJOINT);
    stop(c);
}
END_TEST

START_TEST(a_follower_hands_several_changes_on)
{
    struct cluster *c = start(3, 3);
    uint32_t leader = cluster_elect(c);
    struct rkv_change changes[2] = {
        {.size = sizeof changes[0],
         .op = RKV_CHANGE_ADD_LEARNER,
         .id = 4,
         .address = "there",
         .address_len = 5},
        {.size = sizeof changes[0], .op = RKV_CHANGE_ADD_LEARNER, .id = 5}};
    const struct rkv_member *members;
    uint64_t token = ++c->next_token;

    ck_assert_int_eq(rkv_node_reconfigure(c->nodes[(leader + 1) % 3], token,
                                          changes, 2, RKV_CHANGE_IMPLICIT),
                     RKV_OK);
    cluster_run(c, 300);
    ck_assert_uint_eq(cluster_answer(c, token)->outcome, RKV_DONE);
    ck_assert_uint_eq(rkv_node_members(c->nodes[leader], &members), 5);
    ck_assert_uint_eq(members[4].role, RKV_LEARNER);
    ck_assert_uint_eq(outgoing(c, leader), 0);
    stop(c);
}
END_TEST

START_TEST(what_is_no_list_of_changes_is_refused)
{
    struct cluster *c = start(1, 1);
    struct rkv_change changes[2] = {
        {.size = sizeof changes[0], .op = RKV_CHANGE_ADD_LEARNER, .id = 4},
        {.size = sizeof changes[0], .op = RKV_CHANGE_REMOVE, .id = 9}};
    rkv_node *node = c->nodes[0];

    ck_assert_int_eq(rkv_node_reconfigure(node, 1, NULL, 1, 0), RKV_EINVAL);
    ck_assert_int_eq(rkv_node_reconfigure(NULL, 1, changes, 1, 0), RKV_EINVAL);
    ck_assert_int_eq(rkv_node_reconfigure(node, 1, changes, 2, 0), RKV_EINVAL);
    changes[1].op = RKV_CHANGE_ADD_LEARNER;
    ck_assert_int_eq(rkv_node_reconfigure(node, 1, changes, 2, 3), RKV_EINVAL);
    changes[1].size = 0;
    ck_assert_int_eq(rkv_node_reconfigure(node, 1, changes, 2, 0), RKV_EINVAL);
    changes[0].size = 0;
    ck_assert_int_eq(rkv_node_reconfigure(node, 1, changes, 1, 0), RKV_EINVAL);
    stop(c);
}
END_TEST

Suite *suite_node_reconfigure(void)
{
    Suite *suite = suite_create("node reconfigure");
    TCase *tc = tcase_create("reconfigure");
    tcase_add_test(tc, members_are_exchanged_at_once);
    tcase_add_test(tc, a_joint_configuration_outlives_a_restart);
    tcase_add_test(tc, a_follower_hands_several_changes_on);
    tcase_add_test(tc, what_is_no_list_of_changes_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
