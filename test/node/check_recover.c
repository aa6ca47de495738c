/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A member whose store lost commits: it gives no vote and does not stand,
 * takes everything from the others, marks itself whole in the store, and is
 * a member like any other from then on.  One that nobody can help refuses.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"

Suite *suite_node_recover(void);

/* A store that says it lost commits until it is told that they are back. */
struct amnesiac {
    rkv_store *real;
    uint64_t promised;
    bool recovering;
};

static int forget_start(void *ctx, struct rkv_store_identity *out)
{
    struct amnesiac *store = ctx;
    int rc = rkv_store_start(store->real, out);

    out->recovering = store->recovering;
    out->promised = store->promised;
    /* One that never ran cannot have lost anything: this one did. */
    out->boot += store->promised;
    return rc;
}

static int forget_state(void *ctx, uint64_t group, struct rkv_store_state *out)
{
    struct amnesiac *store = ctx;
    int rc = rkv_store_state(store->real, group, out);

    out->recovering = store->recovering;
    return rc;
}

static int forget_write(void *ctx, const struct rkv_store_write *writes,
                        uint32_t count)
{
    struct amnesiac *store = ctx;
    struct rkv_store_write ours = writes[0];
    int rc;

    ck_assert_uint_eq(count, 1);
    /* The real one below never knew. */
    ours.flags &= ~(uint32_t)RKV_WRITE_RECOVERED;
    rc = rkv_store_write(store->real, &ours, 1);
    if (rc == RKV_OK && (writes[0].flags & RKV_WRITE_RECOVERED))
        store->recovering = false;
    return rc;
}

static int forget_read(void *ctx, uint64_t group, uint64_t first,
                       uint32_t count, uint64_t bytes_max,
                       const struct rkv_entry **out, uint32_t *out_count)
{
    return rkv_store_read(((struct amnesiac *)ctx)->real, group, first, count,
                          bytes_max, out, out_count);
}

static int forget_begin(void *ctx, uint64_t group, uint64_t index)
{
    return rkv_store_snap_begin(((struct amnesiac *)ctx)->real, group, index);
}

static int forget_piece(void *ctx, uint64_t group, uint64_t offset,
                        const void *data, size_t len)
{
    return rkv_store_snap_write(((struct amnesiac *)ctx)->real, group, offset,
                                data, len);
}

static int forget_finish(void *ctx, uint64_t group, uint64_t len)
{
    return rkv_store_snap_finish(((struct amnesiac *)ctx)->real, group, len);
}

static int forget_snap_read(void *ctx, uint64_t group, uint64_t index,
                            uint64_t offset, void *buf, size_t cap, size_t *len)
{
    return rkv_store_snap_read(((struct amnesiac *)ctx)->real, group, index,
                               offset, buf, cap, len);
}

static void forget_close(void *ctx)
{
    rkv_store_close(((struct amnesiac *)ctx)->real);
}

static const struct rkv_store_methods forget_methods = {
    .size = sizeof forget_methods,
    .close = forget_close,
    .start = forget_start,
    .state = forget_state,
    .write = forget_write,
    .read = forget_read,
    .snap_begin = forget_begin,
    .snap_write = forget_piece,
    .snap_finish = forget_finish,
    .snap_read = forget_snap_read};

static struct rkv_node_status status_of(struct cluster *c, uint32_t at)
{
    struct rkv_node_status status = {.size = sizeof status};

    rkv_node_status(c->nodes[at], &status);
    return status;
}

/* The member's store is another one, or the old one, with a hole. */
static void lose(struct cluster *c, uint32_t at, struct amnesiac *store,
                 bool everything)
{
    store->promised = status_of(c, at).term;
    store->recovering = true;
    cluster_close(c, at);
    store->real = c->stores[at];
    if (everything) {
        rkv_store_close(c->stores[at]);
        ck_assert_int_eq(rkv_store_memory(NULL, &store->real), RKV_OK);
    }
    ck_assert_int_eq(
        rkv_store_custom(&forget_methods, store, NULL, &c->stores[at]), RKV_OK);
}

static struct cluster *start(uint32_t count)
{
    struct cluster *c = calloc(1, sizeof *c);
    int rc;

    ck_assert_ptr_nonnull(c);
    c->seed = 31;
    cluster_init(c, count, count);
    for (int i = 0; i < 20; i++) {
        (void)cluster_put(c, cluster_elect(c), "a", "1", &rc);
        cluster_settle(c);
    }
    cluster_run(c, 30);
    return c;
}

static void stop(struct cluster *c)
{
    cluster_free(c);
    free(c);
}

static void assert_it_helps_nobody_and_comes_back(bool everything)
{
    struct cluster *c = start(3);
    struct amnesiac store;
    uint32_t lost = cluster_elect(c), other = (lost + 1) % 3, leader;
    uint64_t put;
    int rc;

    lose(c, lost, &store, everything);
    cluster_close(c, other);
    ck_assert_int_eq(cluster_open(c, lost), RKV_OK);
    ck_assert_uint_eq(status_of(c, lost).recovering, 1);
    cluster_run(c, 1500);
    ck_assert_int_eq(cluster_leader(c), -1);
    ck_assert_uint_eq(status_of(c, lost).elections, 0);

    ck_assert_int_eq(cluster_open(c, other), RKV_OK);
    leader = cluster_elect(c);
    ck_assert_uint_ne(leader, lost);
    cluster_run(c, 500);
    ck_assert_uint_eq(status_of(c, lost).recovering, 0);
    ck_assert(!store.recovering);
    ck_assert_uint_eq(cluster_hash(c, lost), cluster_hash(c, leader));

    /* Whole again, its vote is needed and given. */
    cluster_close(c, leader);
    cluster_run(c, 500);
    leader = cluster_elect(c);
    put = cluster_put(c, leader, "b", "2", &rc);
    cluster_run(c, 50);
    ck_assert_uint_eq(cluster_answer(c, put)->outcome, RKV_DONE);
    stop(c);
}

START_TEST(a_member_that_lost_commits_votes_again_once_it_has_them)
{
    assert_it_helps_nobody_and_comes_back(false);
}
END_TEST

START_TEST(a_member_that_lost_everything_votes_again_once_it_has_it)
{
    assert_it_helps_nobody_and_comes_back(true);
}
END_TEST

START_TEST(a_member_alone_that_lost_commits_refuses_with_a_word)
{
    struct cluster *c = start(1);
    struct amnesiac store;

    lose(c, 0, &store, false);
    ck_assert_int_eq(cluster_open(c, 0), RKV_EROLLBACK);
    ck_assert_ptr_nonnull(c->nodes[0]);
    ck_assert_ptr_nonnull(
        strstr(rkv_node_errmsg(c->nodes[0]), "restore a backup"));
    stop(c);
}
END_TEST

START_TEST(a_store_that_lost_everything_is_not_bootstrapped)
{
    struct cluster *c = start(3);
    struct amnesiac store;
    struct rkv_member members[3] = {{.id = 1, .role = RKV_VOTER},
                                    {.id = 2, .role = RKV_VOTER},
                                    {.id = 3, .role = RKV_VOTER}};

    lose(c, 1, &store, true);
    ck_assert_int_eq(cluster_open(c, 1), RKV_OK);
    ck_assert_int_eq(rkv_node_bootstrap(c->nodes[1], members, 3),
                     RKV_ERECOVERING);
    stop(c);
}
END_TEST

/* ---- many groups ---- */

static int open_group(rkv_hub *hub, uint64_t group, uint32_t members,
                      rkv_node **out)
{
    struct rkv_node_options options = {.size = sizeof options, .group = group};
    struct rkv_member list[2] = {{.id = 1, .role = RKV_VOTER},
                                 {.id = 2, .role = RKV_VOTER}};
    int rc = rkv_hub_node(hub, &options, out);

    return rc == RKV_OK && members > 0 ? rkv_node_bootstrap(*out, list, members)
                                       : rc;
}

START_TEST(a_group_that_cannot_open_leaves_the_others_alone)
{
    struct rkv_hub_options options = {
        .size = sizeof options, .cluster = 5, .id = 1};
    struct amnesiac amnesiac = {.promised = 1};
    rkv_store *store;
    rkv_hub *hub;
    rkv_node *alone, *two;

    ck_assert_int_eq(rkv_store_memory(NULL, &amnesiac.real), RKV_OK);
    ck_assert_int_eq(rkv_store_custom(&forget_methods, &amnesiac, NULL, &store),
                     RKV_OK);
    ck_assert_int_eq(rkv_hub_open(&options, store, &hub), RKV_OK);
    ck_assert_int_eq(open_group(hub, 1, 1, &alone), RKV_OK);
    ck_assert_int_eq(open_group(hub, 2, 2, &two), RKV_OK);
    rkv_hub_close(hub);

    amnesiac.recovering = true;
    ck_assert_int_eq(rkv_hub_open(&options, store, &hub), RKV_OK);
    ck_assert_int_eq(open_group(hub, 1, 0, &alone), RKV_EROLLBACK);
    ck_assert_ptr_nonnull(strstr(rkv_hub_errmsg(hub), "only voter"));
    ck_assert_int_eq(open_group(hub, 2, 0, &two), RKV_OK);
    ck_assert_int_eq(rkv_hub_tick(hub, 10), RKV_OK);
    ck_assert_int_eq(rkv_hub_flush(hub, 10), RKV_OK);
    rkv_hub_close(hub);
    rkv_store_close(store);
}
END_TEST

Suite *suite_node_recover(void)
{
    Suite *s = suite_create("node_recover");
    TCase *t = tcase_create("recover");

    tcase_set_timeout(t, 20);
    tcase_add_test(t, a_member_that_lost_commits_votes_again_once_it_has_them);
    tcase_add_test(t, a_member_that_lost_everything_votes_again_once_it_has_it);
    tcase_add_test(t, a_member_alone_that_lost_commits_refuses_with_a_word);
    tcase_add_test(t, a_store_that_lost_everything_is_not_bootstrapped);
    tcase_add_test(t, a_group_that_cannot_open_leaves_the_others_alone);
    suite_add_tcase(s, t);
    return s;
}
