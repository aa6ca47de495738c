/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_world.c - random worlds: whatever is lost, repeated, late
 * or crashed, what Raft promises holds after every step, and when the faults
 * end the members agree.  A seed reproduces a run.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "raft/world.h"

Suite *suite_raft_world(void);

struct faults {
    uint32_t voters;
    uint32_t nodes;
    bool crashes;
    bool changes;
    bool compacts;
    bool amnesia;
    bool leases;
    uint32_t steps;
};

static uint64_t draw(struct world *w, uint64_t bound)
{
    return rkv_prng_below(&w->prng, bound);
}

static uint64_t draw_node(struct world *w)
{
    return 1 + draw(w, w->count);
}

static void fault_crash(struct world *w, const struct faults *f)
{
    uint64_t id = draw_node(w);
    struct node *n = world_node(w, id);
    if (n->raft == NULL) {
        world_start(w, id);
        return;
    }
    world_crash(w, id, (uint32_t)draw(w, n->writes_count + 1));
    /* Loses a tail of commits, and knows it; one member at a time. */
    if (f->amnesia && draw(w, 3) == 0) {
        for (uint64_t i = 1; i <= w->count; i++)
            if (world_node(w, i)->disk.recovering)
                return;
        struct disk *d = &n->disk;
        uint64_t kept = d->snapshot.index;
        if (d->last > kept)
            kept += draw(w, d->last - kept + 1);
        d->recovering = true;
        d->last = kept;
        d->commit = d->commit < kept ? d->commit : kept;
        d->term =
            kept > d->snapshot.index ? d->log[kept].term : d->snapshot.term;
        d->vote = 0;
    }
}

/* One step or several, or none, which ends a joint configuration. */
static void random_change(struct world *w, uint64_t leader)
{
    struct rkv_raft_change changes[STEPS_MAX];
    uint32_t count = (uint32_t)draw(w, STEPS_MAX + 1);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t op = 1 + (uint32_t)draw(w, 6);
        bool is_for_all = op >= RKV_CHANGE_LEASES_ON;
        changes[i] = (struct rkv_raft_change){
            .op = op, .id = is_for_all ? 0 : draw_node(w)};
    }
    world_change_all(w, leader, count == 0 ? 0 : (uint32_t)draw(w, 3), count,
                     changes);
}

static void random_event(struct world *w, const struct faults *f)
{
    uint64_t leader = world_leader(w);

    switch (draw(w, 30)) {
    case 0:
        if (draw(w, 4) == 0)
            w->now += draw(w, 300);
        for (uint64_t id = 1; id <= w->count; id++)
            if (draw(w, 3) != 0)
                world_tick(w, id);
        w->now += draw(w, 60);
        break;
    case 1:
    case 2:
    case 3:
        if (leader != 0)
            world_propose(w, leader, 1 + (uint32_t)draw(w, 5),
                          (uint32_t)draw(w, 100));
        break;
    case 4:
        world_read_point(w, draw_node(w));
        break;
    case 5:
        if (w->packets_count > 0)
            world_lose(w, (uint32_t)draw(w, w->packets_count));
        break;
    case 6:
        if (w->packets_count > 0)
            world_repeat(w, (uint32_t)draw(w, w->packets_count));
        break;
    case 7:
        if (f->crashes && draw(w, 8) == 0)
            fault_crash(w, f);
        break;
    case 8:
        if (f->changes && leader != 0 && draw(w, 3) == 0)
            random_change(w, leader);
        break;
    case 9:
        if (f->compacts && draw(w, 6) == 0)
            world_compact(w, draw_node(w), draw(w, 5));
        break;
    case 10:
        world_restore(w, draw_node(w));
        break;
    case 11:
        if (draw(w, 40) == 0)
            w->cut[draw_node(w)] ^= true;
        break;
    case 12:
        if (leader != 0 && draw(w, 20) == 0)
            world_transfer(w, draw_node(w), draw(w, w->count + 1));
        break;
    case 13:
        if (draw(w, 60) == 0)
            world_step(w, draw_node(w),
                       (struct rkv_raft_in){.kind = RKV_IN_FORGET_LEADER});
        if (draw(w, 20) == 0)
            world_step(w, draw_node(w),
                       (struct rkv_raft_in){.kind = RKV_IN_UNREACHABLE,
                                            .peer = draw_node(w)});
        break;
    case 14:
    case 15:
    case 16:
    case 17:
        world_persist(w, draw_node(w));
        break;
    case 18:
    case 19:
        world_apply(w, draw_node(w));
        break;
    default:
        if (w->packets_count > 0)
            world_deliver(
                w, (uint32_t)draw(w, draw(w, 2) == 0 ? w->packets_count : 1));
        break;
    }
}

/* The faults end; what was begun must come to an end too. */
static void come_to_rest(struct world *w, const struct faults *f)
{
    for (uint64_t id = 1; id <= w->count; id++) {
        w->cut[id] = false;
        if (world_node(w, id)->raft == NULL)
            world_start(w, id);
    }
    /* Who sleeps does not see that others died. */
    for (uint64_t id = 1; id <= w->count; id++)
        for (uint64_t peer = 1; peer <= w->count; peer++)
            world_step(
                w, id,
                (struct rkv_raft_in){.kind = RKV_IN_UNREACHABLE, .peer = peer});
    for (int i = 0; i < 40; i++) {
        world_pass(w, 1000);
        for (uint64_t id = 1; id <= w->count && f->compacts; id++)
            world_compact(w, id, 2);
    }
    uint64_t leader = world_leader(w);
    ck_assert_msg(leader != 0, "seed %" PRIu64 ": nobody leads", w->seed);
    struct rkv_raft_status s = world_status(w, leader);
    (void)world_propose(w, leader, 1, 1);
    world_pass(w, 2000);
    leader = world_leader(w);
    s = world_status(w, leader);
    ck_assert_msg(s.commit == s.last,
                  "seed %" PRIu64 ": %" PRIu64 " of %" PRIu64 " committed",
                  w->seed, s.commit, s.last);
    const struct rkv_raft_member *members;
    uint32_t count = rkv_raft_members(world_node(w, leader)->raft, &members);
    for (uint32_t i = 0; i < count; i++) {
        struct rkv_raft_status t = world_status(w, members[i].id);
        ck_assert_msg(t.commit == s.commit && t.last == s.last,
                      "seed %" PRIu64 ": %" PRIu64 " stays behind: %" PRIu64
                      " of %" PRIu64,
                      w->seed, members[i].id, t.commit, s.commit);
        ck_assert_msg(!t.recovering, "seed %" PRIu64 ": still recovering",
                      w->seed);
    }
}

static void run(uint64_t seed, const struct faults *f)
{
    struct rkv_raft_options options = {.append_entries_max = 8,
                                       .inflight_max = 4,
                                       .append_bytes_max = 300,
                                       .inflight_bytes_max = 900,
                                       .reads_max = 16,
                                       .members_max = NODES_MAX};
    /* Without pre-votes, who was removed and does not know it disturbs the
     * others for ever. */
    if (seed % 4 == 1 && !f->changes)
        options.flags = RKV_RAFT_NO_PREVOTE;
    if (seed % 8 == 2 && !f->changes)
        options.flags = RKV_RAFT_NO_PREVOTE | RKV_RAFT_NO_CHECK_QUORUM;
    if (seed % 3 == 0 && f->compacts)
        options.entries_max = 128;
    if (seed % 5 == 0)
        options.quiet_ticks = 300;
    struct world *w = world_new_with(f->nodes, f->voters, seed, &options);
    if (f->leases) {
        world_elect(w, 1);
        world_change(w, 1, RKV_CHANGE_LEASES_ON, 0);
        world_pass(w, 500);
    }
    for (uint32_t i = 0; i < f->steps && w->failure[0] == 0; i++) {
        random_event(w, f);
        if (i % 200 == 0)
            world_compare(w);
        if (w->contents > LOG_MAX - 200)
            break;
    }
    world_check(w);
    come_to_rest(w, f);
    world_check(w);
    world_free(w);
}

static uint64_t runs(void)
{
    const char *wanted = getenv("RAFT_WORLD_RUNS");
    return wanted == NULL ? 40 : strtoull(wanted, NULL, 10);
}

static uint64_t first_seed(void)
{
    const char *wanted = getenv("RAFT_WORLD_SEED");
    return wanted == NULL ? 1 : strtoull(wanted, NULL, 10);
}

static void run_all(const struct faults *f)
{
    for (uint64_t i = 0; i < runs(); i++)
        run(first_seed() + i, f);
}

START_TEST(a_lossy_network_breaks_no_promise)
{
    run_all(&(struct faults){.voters = 3, .nodes = 3, .steps = 4000});
}
END_TEST

START_TEST(crashes_that_lose_unfinished_writes_break_no_promise)
{
    run_all(&(struct faults){
        .voters = 3, .nodes = 3, .steps = 4000, .crashes = true});
}
END_TEST

START_TEST(five_members_with_crashes_and_snapshots_agree)
{
    run_all(&(struct faults){.voters = 5,
                             .nodes = 5,
                             .steps = 5000,
                             .crashes = true,
                             .compacts = true});
}
END_TEST

START_TEST(members_come_and_go_under_faults)
{
    run_all(&(struct faults){.voters = 3,
                             .nodes = 6,
                             .steps = 6000,
                             .crashes = true,
                             .compacts = true,
                             .changes = true});
}
END_TEST

START_TEST(a_member_that_lost_commits_breaks_no_promise)
{
    run_all(&(struct faults){.voters = 3,
                             .nodes = 3,
                             .steps = 5000,
                             .crashes = true,
                             .compacts = true,
                             .amnesia = true});
}
END_TEST

START_TEST(leases_answer_nothing_stale)
{
    run_all(&(struct faults){.voters = 3,
                             .nodes = 3,
                             .steps = 6000,
                             .crashes = true,
                             .compacts = true,
                             .leases = true});
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *test)
{
    TCase *tc = tcase_create(name);
    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, test);
    suite_add_tcase(suite, tc);
}

Suite *suite_raft_world(void)
{
    Suite *suite = suite_create("raft world");
    add(suite, "lossy", a_lossy_network_breaks_no_promise);
    add(suite, "crashes", crashes_that_lose_unfinished_writes_break_no_promise);
    add(suite, "snapshots", five_members_with_crashes_and_snapshots_agree);
    add(suite, "changes", members_come_and_go_under_faults);
    add(suite, "leases", leases_answer_nothing_stale);
    add(suite, "amnesia", a_member_that_lost_commits_breaks_no_promise);
    return suite;
}
