/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Many groups on one hub, of which few have something to do: those are found,
 * in their order, and the others are left alone.
 */
#include <check.h>
#include <stdlib.h>

#include "base/prng.h"
#include "node/line.h"
#include "node/room.h"

Suite *suite_node_line(void);

enum { NODES = 40 };

struct crowd {
    rkv_store *store;
    rkv_hub *hub;
    rkv_node *nodes[NODES]; /* NULL: closed */
};

static struct crowd *start(void)
{
    struct crowd *c = calloc(1, sizeof *c);
    struct rkv_hub_options options = {
        .size = sizeof options, .cluster = 3, .id = 1};

    ck_assert_int_eq(rkv_store_memory(NULL, &c->store), RKV_OK);
    ck_assert_int_eq(rkv_hub_open(&options, c->store, &c->hub), RKV_OK);
    for (uint32_t i = 0; i < NODES; i++) {
        struct rkv_node_options node = {.size = sizeof node,
                                        .group = (i * 7 % NODES) + 1};

        ck_assert_int_eq(rkv_hub_node(c->hub, &node, &c->nodes[i]), RKV_OK);
    }
    return c;
}

static void stop(struct crowd *c)
{
    rkv_hub_close(c->hub);
    rkv_store_close(c->store);
    free(c);
}

static void bootstrap(struct crowd *c, uint32_t at)
{
    struct rkv_member member = {.id = 1, .role = RKV_VOTER};

    ck_assert_int_eq(rkv_node_bootstrap(c->nodes[at], &member, 1), RKV_OK);
}

/* A host's loop, once around: the events there were. */
static uint32_t turn(struct crowd *c, uint64_t now)
{
    const struct rkv_event *event;
    uint32_t count = 0;

    ck_assert_int_eq(rkv_hub_tick(c->hub, now), RKV_OK);
    ck_assert_int_eq(rkv_hub_flush(c->hub, now), RKV_OK);
    while (rkv_hub_next_event(c->hub, &event) > 0)
        count++;
    return count;
}

static uint64_t settle(struct crowd *c, uint64_t now)
{
    while (rkv_hub_deadline(c->hub) <= now)
        (void)turn(c, now);
    return rkv_hub_deadline(c->hub);
}

static uint64_t earliest(const struct crowd *c)
{
    uint64_t due = UINT64_MAX;

    for (uint32_t i = 0; i < NODES; i++)
        if (c->nodes[i] != NULL && c->nodes[i]->due < due)
            due = c->nodes[i]->due;
    return due;
}

START_TEST(whoever_is_due_first_is_at_the_top)
{
    struct crowd *c = start();
    struct rkv_prng prng;
    uint32_t left = NODES;

    rkv_prng_seed(&prng, 1);
    for (int i = 0; i < 20000; i++) {
        uint32_t at = (uint32_t)rkv_prng_below(&prng, NODES);

        if (c->nodes[at] == NULL)
            continue;
        if (left > 2 && rkv_prng_below(&prng, 100) == 0) {
            rkv_node_close(c->nodes[at]);
            c->nodes[at] = NULL;
            left--;
        } else {
            rkv_due_set(c->nodes[at], rkv_prng_below(&prng, 100) < 10
                                          ? UINT64_MAX
                                          : rkv_prng_below(&prng, 1000));
        }
        ck_assert_uint_eq(c->hub->dues_count, left);
        ck_assert_uint_eq(c->hub->dues[0].at, earliest(c));
        ck_assert_uint_eq(c->hub->dues[0].node->due, earliest(c));
    }
    ck_assert_uint_eq(left, 2);
    stop(c);
}
END_TEST

/* What the hub says is what asking each of them would have said. */
START_TEST(the_deadline_is_that_of_the_first)
{
    struct crowd *c = start();
    struct rkv_put put = {.size = sizeof put, .key = "k", .key_len = 1};
    struct rkv_prng prng;
    const void *command;
    uint64_t now = 1;
    size_t len;
    rkv_txn *txn;

    ck_assert_int_eq(rkv_txn_new(NULL, &txn), RKV_OK);
    (void)rkv_txn_put(txn, &put);
    ck_assert_int_eq(rkv_txn_encode(txn, &command, &len), RKV_OK);
    rkv_prng_seed(&prng, 2);
    for (int i = 0; i < 300; i++) {
        uint32_t at = (uint32_t)rkv_prng_below(&prng, NODES);
        uint64_t due = UINT64_MAX;

        if (rkv_prng_below(&prng, 4) == 0)
            bootstrap(c, at);
        else if (rkv_prng_below(&prng, 2) == 0)
            (void)rkv_node_propose(c->nodes[at], (uint64_t)i, command, len);
        else
            now += rkv_prng_below(&prng, 3000);
        (void)settle(c, now);
        for (uint32_t k = 0; k < NODES; k++)
            if (rkv_node_due(c->nodes[k]) < due)
                due = rkv_node_due(c->nodes[k]);
        ck_assert_uint_eq(rkv_hub_deadline(c->hub), due);
    }
    rkv_txn_free(txn);
    stop(c);
}
END_TEST

/* Its host asks the state itself, and no other group is touched for it. */
START_TEST(a_watch_of_the_past_of_one_of_many_is_noticed)
{
    struct crowd *c = start();
    struct rkv_put put = {.size = sizeof put, .key = "k", .key_len = 1};
    struct rkv_watch watch = {
        .size = sizeof watch, .key = "k", .key_len = 1, .start = 1};
    const struct rkv_event *event;
    const void *command;
    uint64_t now = 1;
    size_t len;
    rkv_txn *txn;

    ck_assert_int_eq(rkv_txn_new(NULL, &txn), RKV_OK);
    (void)rkv_txn_put(txn, &put);
    ck_assert_int_eq(rkv_txn_encode(txn, &command, &len), RKV_OK);
    for (uint32_t i = 0; i < NODES; i++) {
        bootstrap(c, i);
        ck_assert_int_eq(rkv_node_propose(c->nodes[i], i, command, len),
                         RKV_OK);
    }
    rkv_txn_free(txn);
    for (; now < 5000; now = settle(c, now) < 5000 ? settle(c, now) : 5000)
        ;
    for (uint32_t i = 0; i < NODES; i += 13) {
        ck_assert_int_eq(rkv_kv_watch(rkv_node_kv(c->nodes[i]), &watch, NULL),
                         RKV_OK);
        /* Twice is once. */
        ck_assert_int_eq(rkv_kv_watch(rkv_node_kv(c->nodes[i]), &watch, NULL),
                         RKV_OK);
        ck_assert_uint_le(rkv_hub_deadline(c->hub), now);
        for (int k = 0; k < 2; k++) {
            ck_assert_int_eq(rkv_hub_next_event(c->hub, &event), 1);
            ck_assert_int_eq(event->kind, RKV_EVENT_CHANGE);
            ck_assert_uint_eq(event->group, c->nodes[i]->group);
        }
        ck_assert_int_eq(rkv_hub_next_event(c->hub, &event), 0);
        ck_assert_uint_gt(rkv_hub_deadline(c->hub), now);
    }
    stop(c);
}
END_TEST

/* A state that is closed is nobody's to ask. */
START_TEST(who_leaves_with_something_to_tell_is_not_asked)
{
    struct crowd *c = start();
    struct rkv_watch watch = {
        .size = sizeof watch, .key = "k", .key_len = 1, .start = 1};
    const struct rkv_event *event;

    for (uint32_t i = 0; i < NODES; i++)
        bootstrap(c, i);
    (void)settle(c, 1);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_int_eq(rkv_kv_watch(rkv_node_kv(c->nodes[i]), &watch, NULL),
                         RKV_OK);
    ck_assert_ptr_nonnull(c->hub->bell.rung);
    rkv_node_close(c->nodes[1]);
    c->nodes[1] = NULL;
    while (rkv_hub_next_event(c->hub, &event) > 0)
        ck_assert_int_eq(event->kind, RKV_EVENT_CHANGE);
    ck_assert_ptr_null(c->hub->bell.rung);
    stop(c);
}
END_TEST

Suite *suite_node_line(void)
{
    Suite *s = suite_create("node line");
    TCase *t = tcase_create("line");

    tcase_add_test(t, whoever_is_due_first_is_at_the_top);
    tcase_add_test(t, the_deadline_is_that_of_the_first);
    tcase_add_test(t, a_watch_of_the_past_of_one_of_many_is_noticed);
    tcase_add_test(t, who_leaves_with_something_to_tell_is_not_asked);
    suite_add_tcase(s, t);
    return s;
}
