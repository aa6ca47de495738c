/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_differential.c - the same proposals, one by one or a hundred
 * at a time, with disks that answer at once, late, or for many writes
 * together: the committed log is the same to the last entry.
 */
#include <check.h>
#include <string.h>

#include "raft/world.h"

Suite *suite_raft_differential(void);

enum disk_manner { AT_ONCE, LATE, COALESCED, MANNERS };
enum { PHASES = 6, PER_PHASE = 100, SEEDS = 8 };

static uint64_t draw(struct world *w, uint64_t bound)
{
    return rkv_prng_below(&w->prng, bound);
}

static void disks(struct world *w, enum disk_manner manner)
{
    for (uint64_t id = 1; id <= w->count; id++) {
        if (manner == AT_ONCE)
            while (world_persist(w, id))
                ;
        else if (draw(w, 20) != 0)
            continue;
        else if (manner == LATE)
            world_persist(w, id);
        else
            world_persist_all(w, id);
    }
}

/* Some messages overtake others, some arrive twice or never. */
static void network(struct world *w)
{
    if (w->packets_count == 0)
        return;
    uint32_t at = (uint32_t)draw(w, w->packets_count);
    switch (draw(w, 12)) {
    case 0:
        world_repeat(w, at);
        break;
    case 1:
        world_lose(w, at);
        break;
    default:
        world_deliver(w, at);
        break;
    }
}

static void hold(struct world *w, bool is_held)
{
    for (uint64_t id = 1; id <= w->count; id++)
        w->hold_disk[id] = is_held;
}

static void phase(struct world *w, uint64_t leader, uint32_t batch,
                  enum disk_manner manner)
{
    uint64_t other = leader % 3 + 1;
    hold(w, true);
    for (uint32_t done = 0; done < PER_PHASE; done += batch) {
        ck_assert_int_eq(world_propose(w, leader, batch, 7), RKV_OK);
        for (uint32_t i = 0; i < 4 * batch; i++) {
            network(w);
            disks(w, manner);
        }
        if (draw(w, 40) == 0 || batch > 1) {
            struct node *n = world_node(w, other);
            world_crash(w, other, (uint32_t)draw(w, n->writes_count + 1));
            world_start(w, other);
        }
    }
    hold(w, false);
    world_pump(w);
    world_pass(w, 300);
    ck_assert_uint_eq(world_leader(w), leader);
    ck_assert_uint_eq(world_status(w, leader).commit,
                      world_status(w, leader).last);
}

static struct world *run(uint64_t seed, uint32_t batch, enum disk_manner manner)
{
    struct rkv_raft_options options = {.append_entries_max = batch,
                                       .inflight_max = batch == 1 ? 64 : 4};
    struct world *w = world_new_with(4, 3, seed, &options);
    for (uint64_t i = 0; i < PHASES; i++) {
        uint64_t leader = 1 + (seed + i) % 3;
        world_elect(w, leader);
        if (i == 2)
            ck_assert_int_eq(world_change(w, leader, RKV_CHANGE_ADD_LEARNER, 4),
                             RKV_OK);
        phase(w, leader, batch, manner);
    }
    world_compare(w);
    world_check(w);
    return w;
}

START_TEST(batches_and_disks_change_nothing_in_what_is_committed)
{
    uint64_t seed = 1 + (uint64_t)_i;
    struct world *first = run(seed, 1, AT_ONCE);
    uint64_t commands = 0;
    for (uint64_t i = 1; i <= first->committed_last; i++)
        commands += first->committed[i].kind == RKV_ENTRY_COMMAND;
    ck_assert_uint_eq(commands, PHASES * PER_PHASE);
    for (uint32_t batch = 1; batch <= 100; batch += 99) {
        for (int manner = AT_ONCE; manner < MANNERS; manner++) {
            struct world *w = run(seed, batch, (enum disk_manner)manner);
            ck_assert_uint_eq(w->committed_last, first->committed_last);
            for (uint64_t i = 1; i <= first->committed_last; i++) {
                const struct item *a = &first->committed[i];
                const struct item *b = &w->committed[i];
                ck_assert_uint_eq(a->term, b->term);
                ck_assert_uint_eq(a->kind, b->kind);
                ck_assert_uint_eq(a->len, b->len);
                ck_assert_uint_eq(a->content, b->content);
            }
            world_free(w);
        }
    }
    world_free(first);
}
END_TEST

Suite *suite_raft_differential(void)
{
    Suite *suite = suite_create("raft differential");
    TCase *tc = tcase_create("differential");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(
        tc, batches_and_disks_change_nothing_in_what_is_committed, 0, SEEDS);
    suite_add_tcase(suite, tc);
    return suite;
}
