/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_promise.c - what is said follows what is on disk.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_promise(void);

static struct rkv_raft_entry entry_at(uint64_t index, uint64_t term)
{
    return (struct rkv_raft_entry){
        .index = index, .term = term, .len = 1, .kind = RKV_ENTRY_COMMAND};
}

static struct rkv_raft_msg append_of(uint64_t from, uint64_t term,
                                     uint64_t index, uint64_t log_term,
                                     const struct rkv_raft_entry *entries,
                                     uint32_t count)
{
    return (struct rkv_raft_msg){.kind = RKV_MSG_APPEND,
                                 .from = from,
                                 .to = 1,
                                 .term = term,
                                 .index = index,
                                 .log_term = log_term,
                                 .entries = entries,
                                 .count = count};
}

/* A host that keeps its own books: the world's would ask for bytes. */
static rkv_raft *core_alone(void)
{
    static const struct rkv_raft_member members[] = {
        {.id = 1, .role = RKV_VOTER},
        {.id = 2, .role = RKV_VOTER},
        {.id = 3, .role = RKV_VOTER}};
    struct rkv_raft_options options = {.size = sizeof(options), .id = 1};
    struct rkv_raft_boot boot = {.size = sizeof(boot),
                                 .term = 1,
                                 .members = members,
                                 .members_count = 3};
    rkv_raft *raft = NULL;
    ck_assert_int_eq(rkv_raft_new(&options, &boot, &raft), RKV_OK);
    return raft;
}

static uint64_t receive(rkv_raft *raft, const struct rkv_raft_msg *m)
{
    const struct rkv_raft_out *out;
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = m};
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    rkv_raft_drain(raft, &out);
    ck_assert_uint_eq(out->flags & RKV_OUT_PERSIST, RKV_OUT_PERSIST);
    return out->token;
}

/* What is acknowledged after this write, or 0 for nothing. */
static uint64_t persisted(rkv_raft *raft, uint64_t token)
{
    const struct rkv_raft_out *out;
    struct rkv_raft_in in = {
        .kind = RKV_IN_PERSISTED, .now = 1, .token = token};
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    rkv_raft_drain(raft, &out);
    for (uint32_t i = 0; i < out->msgs_count; i++)
        if (out->msgs[i].kind == RKV_MSG_APPEND_REPLY &&
            (out->msgs[i].flags & RKV_MSG_REJECT) == 0)
            return out->msgs[i].index;
    return 0;
}

START_TEST(an_append_is_acknowledged_once_it_is_durable)
{
    rkv_raft *raft = core_alone();
    struct rkv_raft_entry e = entry_at(1, 1);
    struct rkv_raft_msg m = append_of(2, 1, 0, 0, &e, 1);
    uint64_t token = receive(raft, &m);
    ck_assert_uint_eq(persisted(raft, token), 1);
    rkv_raft_free(raft);
}
END_TEST

/* The first leader's entry is overwritten by a second's and then comes back
 * from the first: three writes under way.  The end of the first says nothing
 * about the disk after the second. */
START_TEST(the_late_end_of_an_overwritten_write_promises_nothing)
{
    rkv_raft *raft = core_alone();
    struct rkv_raft_entry first = entry_at(1, 1);
    struct rkv_raft_entry second = entry_at(1, 2);
    struct rkv_raft_msg m = append_of(2, 1, 0, 0, &first, 1);
    uint64_t a = receive(raft, &m);
    m = append_of(3, 2, 0, 0, &second, 1);
    uint64_t b = receive(raft, &m);
    m = append_of(2, 3, 0, 0, &first, 1);
    uint64_t c = receive(raft, &m);
    ck_assert_uint_eq(persisted(raft, a), 0);
    struct rkv_raft_status s = {.size = sizeof(s)};
    rkv_raft_status(raft, &s);
    ck_assert_uint_eq(s.durable, 0);
    ck_assert_uint_eq(persisted(raft, b), 0);
    ck_assert_uint_eq(persisted(raft, c), 1);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(a_repeated_append_is_not_acknowledged_before_the_first_is_durable)
{
    rkv_raft *raft = core_alone();
    struct rkv_raft_entry e = entry_at(1, 1);
    struct rkv_raft_msg m = append_of(2, 1, 0, 0, &e, 1);
    const struct rkv_raft_out *out;
    uint64_t token = receive(raft, &m);
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = &m};
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    rkv_raft_drain(raft, &out);
    ck_assert_uint_eq(out->msgs_count, 0);
    ck_assert_uint_eq(persisted(raft, token), 1);
    /* And one that brings nothing new is answered at once. */
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    rkv_raft_drain(raft, &out);
    ck_assert_uint_eq(out->msgs_count, 1);
    ck_assert_uint_eq(out->msgs[0].index, 1);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(nothing_is_acknowledged_in_a_term_that_is_not_durable)
{
    rkv_raft *raft = core_alone();
    struct rkv_raft_entry e = entry_at(1, 1);
    struct rkv_raft_msg m = append_of(2, 1, 0, 0, &e, 1);
    uint64_t token = receive(raft, &m);
    ck_assert_uint_eq(persisted(raft, token), 1);
    /* All it holds is durable, only the new term is not. */
    m = append_of(3, 2, 1, 1, NULL, 0);
    token = receive(raft, &m);
    struct rkv_raft_msg beat = {
        .kind = RKV_MSG_HEARTBEAT, .from = 3, .to = 1, .term = 2};
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .now = 1, .msg = &beat};
    const struct rkv_raft_out *out;
    ck_assert_int_eq(rkv_raft_step(raft, &in), RKV_OK);
    rkv_raft_drain(raft, &out);
    ck_assert_uint_eq(out->msgs_count, 1);
    ck_assert_uint_eq(out->msgs[0].kind, RKV_MSG_HEARTBEAT_REPLY);
    ck_assert_uint_eq(out->msgs[0].index, 0);
    ck_assert_uint_eq(persisted(raft, token), 1);
    rkv_raft_free(raft);
}
END_TEST

START_TEST(a_heartbeat_is_answered_while_the_disk_stalls)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->hold_disk[2] = true;
    world_propose(w, 1, 1, 1);
    world_pass(w, 5000);
    ck_assert_uint_eq(world_leader(w), 1);
    ck_assert_uint_gt(world_peer(w, 1, 2).heard, w->now - 200);
    ck_assert_uint_lt(world_peer(w, 1, 2).match, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_leader_counts_itself_once_its_entry_is_durable)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->hold_disk[1] = true;
    w->cut[3] = true;
    uint64_t commit = world_status(w, 1).commit;
    world_propose(w, 1, 1, 1);
    world_pump(w);
    ck_assert_uint_eq(world_peer(w, 1, 2).match, commit + 1);
    ck_assert_uint_eq(world_status(w, 1).commit, commit);
    w->hold_disk[1] = false;
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).commit, commit + 1);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(others_commit_without_a_leader_whose_disk_is_slow)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    w->hold_disk[1] = true;
    uint64_t commit = world_status(w, 1).commit;
    world_propose(w, 1, 1, 1);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).commit, commit + 1);
    ck_assert_uint_eq(world_status(w, 1).durable, commit);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(a_single_voter_commits_nothing_before_its_disk)
{
    struct world *w = world_new(1, 1, 7);
    world_elect(w, 1);
    w->hold_disk[1] = true;
    uint64_t commit = world_status(w, 1).commit;
    world_propose(w, 1, 1, 1);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).commit, commit);
    world_free(w);
}
END_TEST

START_TEST(a_commit_alone_forces_no_write)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 1, 1);
    world_deliver_kind(w, RKV_MSG_APPEND, 1, 2);
    world_persist(w, 2);
    world_persist(w, 1);
    world_deliver_kind(w, RKV_MSG_APPEND_REPLY, 2, 1);
    ck_assert_uint_eq(world_status(w, 1).commit, world_status(w, 1).last);
    ck_assert_uint_eq(world_node(w, 1)->writes_count, 0);
    world_propose(w, 1, 1, 1);
    ck_assert_uint_eq(world_node(w, 1)->writes[0].commit,
                      world_status(w, 1).commit);
    world_free(w);
}
END_TEST

START_TEST(many_writes_may_be_under_way_but_not_without_end)
{
    struct world *w = world_new(1, 1, 7);
    world_elect(w, 1);
    w->hold_disk[1] = true;
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_OK);
    ck_assert_uint_eq(world_node(w, 1)->writes_count, 64);
    w->hold_disk[1] = false;
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 1).commit, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(one_report_stands_for_all_writes_before_it)
{
    struct world *w = world_new(1, 1, 7);
    world_elect(w, 1);
    for (int i = 0; i < 5; i++)
        world_propose(w, 1, 1, 1);
    struct node *n = world_node(w, 1);
    ck_assert_uint_eq(n->writes_count, 5);
    struct rkv_raft_in in = {.kind = RKV_IN_PERSISTED,
                             .token = n->writes[3].token};
    ck_assert_int_eq(world_step(w, 1, in), RKV_OK);
    ck_assert_uint_eq(world_status(w, 1).durable, world_status(w, 1).last - 1);
    in.token = n->writes[1].token;
    ck_assert_int_eq(world_step(w, 1, in), RKV_OK);
    ck_assert_uint_eq(world_status(w, 1).durable, world_status(w, 1).last - 1);
    in.token = n->writes[4].token + 1;
    ck_assert_int_eq(world_step(w, 1, in), RKV_EINVAL);
    world_free(w);
}
END_TEST

START_TEST(after_a_failed_write_nothing_is_promised_any_more)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_read(w, 1, 77);
    world_propose(w, 1, 1, 1);
    world_lose_kind(w, 0, 0, 0);
    struct rkv_raft_in in = {.kind = RKV_IN_PERSIST_FAILED};
    ck_assert_int_eq(world_step(w, 1, in), RKV_OK);
    ck_assert_uint_eq(w->packets_count, 0);
    ck_assert_int_eq(world_tick(w, 1), RKV_EFAILED);
    ck_assert_int_eq(world_propose(w, 1, 1, 1), RKV_EFAILED);
    ck_assert_uint_eq(world_node(w, 1)->deadline, UINT64_MAX);
    struct node *n = world_node(w, 1);
    ck_assert_uint_eq(n->reads_count, 1);
    ck_assert_int_eq(n->reads[0].status, RKV_EFAILED);
    world_free(w);
}
END_TEST

/* Its vote is durable and it has all others', but so many writes are under
 * way that the entry which begins its term could not be given to persist
 * before it is sent. */
START_TEST(nobody_leads_before_its_log_was_given_to_persist)
{
    struct world *w = world_new(3, 3, 7);
    world_crash(w, 2, 9);
    w->options.flags = RKV_RAFT_NO_PREVOTE;
    w->options.inflight_max = 4;
    w->options.append_entries_max = 8;
    world_start(w, 2);
    world_elect(w, 1);
    w->hold_disk[2] = true;
    world_propose(w, 1, 100, 1);
    world_pump(w);
    uint64_t last = world_status(w, 2).last;
    ck_assert_uint_eq(last, world_status(w, 1).last);
    world_crash(w, 1, 9);
    w->now += 1000;
    world_campaign(w, 2);
    world_pump(w);
    ck_assert_uint_eq(world_status(w, 3).vote, 2);
    while (world_status(w, 2).leaderless == RKV_LEADERLESS_DISK)
        ck_assert(world_persist(w, 2));
    ck_assert_uint_eq(world_status(w, 2).role, RKV_CANDIDATE);
    while (world_status(w, 2).role != RKV_LEADER)
        ck_assert(world_persist(w, 2));
    ck_assert_uint_eq(world_status(w, 2).last, last + 1);
    world_check(w);
    w->hold_disk[2] = false;
    world_pass(w, 300);
    ck_assert_uint_eq(world_status(w, 3).commit, last + 1);
    world_check(w);
    world_free(w);
}
END_TEST

Suite *suite_raft_promise(void)
{
    Suite *suite = suite_create("raft promise");
    TCase *tc = tcase_create("promise");
    tcase_add_test(tc, an_append_is_acknowledged_once_it_is_durable);
    tcase_add_test(tc, the_late_end_of_an_overwritten_write_promises_nothing);
    tcase_add_test(
        tc, a_repeated_append_is_not_acknowledged_before_the_first_is_durable);
    tcase_add_test(tc, nothing_is_acknowledged_in_a_term_that_is_not_durable);
    tcase_add_test(tc, a_heartbeat_is_answered_while_the_disk_stalls);
    tcase_add_test(tc, a_leader_counts_itself_once_its_entry_is_durable);
    tcase_add_test(tc, others_commit_without_a_leader_whose_disk_is_slow);
    tcase_add_test(tc, a_single_voter_commits_nothing_before_its_disk);
    tcase_add_test(tc, a_commit_alone_forces_no_write);
    tcase_add_test(tc, many_writes_may_be_under_way_but_not_without_end);
    tcase_add_test(tc, one_report_stands_for_all_writes_before_it);
    tcase_add_test(tc, after_a_failed_write_nothing_is_promised_any_more);
    tcase_add_test(tc, nobody_leads_before_its_log_was_given_to_persist);
    suite_add_tcase(suite, tc);
    return suite;
}
