/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_recovering.c - a member whose store lost commits: it speaks
 * the truth about what it has left, has no say in elections, and has one
 * again only when nothing it ever acknowledged is missing.
 */
#include <check.h>

#include "raft/world.h"

Suite *suite_raft_recovering(void);

/* Starts a member that is down with its log cut to `kept`, and marked. */
static void start_with_loss(struct world *w, uint64_t id, uint64_t kept)
{
    struct disk *d = &world_node(w, id)->disk;
    d->last = kept;
    d->commit = d->commit < kept ? d->commit : kept;
    d->term = kept > d->snapshot.index ? d->log[kept].term : d->snapshot.term;
    d->vote = 0;
    d->recovering = true;
    world_start(w, id);
}

static struct world *with_history(void)
{
    struct world *w = world_new(3, 3, 7);
    world_elect(w, 1);
    world_propose(w, 1, 10, 1);
    world_pass(w, 200);
    return w;
}

START_TEST(it_neither_votes_nor_campaigns_until_it_is_whole)
{
    struct world *w = with_history();
    uint64_t term = world_status(w, 1).term;
    uint64_t grants = world_node(w, 3)->grants;
    world_crash(w, 1, 9);
    world_crash(w, 3, 9);
    start_with_loss(w, 3, 4);
    struct rkv_raft_status s = world_status(w, 3);
    ck_assert_uint_eq(s.recovering, 1);
    ck_assert_uint_eq(s.term, term);
    ck_assert_uint_eq(s.vote, 3);
    ck_assert_int_eq(world_campaign(w, 3), RKV_ERECOVERING);
    world_pass(w, 20000);
    ck_assert_uint_eq(world_leader(w), 0);
    ck_assert_uint_eq(world_node(w, 3)->grants, grants);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(it_comes_up_and_may_vote_again)
{
    struct world *w = with_history();
    world_crash(w, 3, 9);
    start_with_loss(w, 3, 4);
    world_pass(w, 1000);
    struct rkv_raft_status s = world_status(w, 3);
    ck_assert_uint_eq(s.recovering, 0);
    ck_assert(!world_node(w, 3)->disk.recovering);
    ck_assert_uint_eq(s.last, world_status(w, 1).last);
    world_crash(w, 1, 9);
    world_pass(w, 6000);
    ck_assert_uint_ne(world_leader(w), 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(its_mark_is_cleared_only_when_that_is_durable)
{
    struct world *w = with_history();
    world_crash(w, 3, 9);
    start_with_loss(w, 3, 4);
    bool seen = false;
    for (int i = 0; i < 400 && !seen; i++) {
        if (!world_deliver(w, 0)) {
            w->now += 50;
            world_tick(w, 1);
        }
        struct node *n = world_node(w, 3);
        for (uint32_t k = 0; k < n->writes_count; k++)
            seen = seen || n->writes[k].recovered;
        if (!seen)
            world_persist(w, 3);
    }
    ck_assert(seen);
    ck_assert_uint_eq(world_status(w, 3).recovering, 1);
    ck_assert_int_eq(world_campaign(w, 3), RKV_ERECOVERING);
    while (world_persist(w, 3))
        ;
    ck_assert_uint_eq(world_status(w, 3).recovering, 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(its_leader_forgets_what_it_had_acknowledged)
{
    struct world *w = with_history();
    ck_assert_uint_gt(world_peer(w, 1, 3).match, 4);
    world_crash(w, 3, 9);
    w->hold_disk[3] = true;
    start_with_loss(w, 3, 4);
    w->now += 100;
    world_tick(w, 1);
    world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 3);
    world_deliver_kind(w, RKV_MSG_HEARTBEAT_REPLY, 3, 1);
    ck_assert_uint_le(world_peer(w, 1, 3).match, 4);
    struct packet *p = world_find(w, RKV_MSG_APPEND, 1, 3);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(p->msg.stated_boot, world_node(w, 3)->disk.boot);
    ck_assert_uint_eq(p->msg.stated_last, world_status(w, 1).last);
    w->hold_disk[3] = false;
    world_pass(w, 500);
    ck_assert_uint_eq(world_status(w, 3).recovering, 0);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(an_answer_from_before_its_start_is_dropped)
{
    struct world *w = with_history();
    world_propose(w, 1, 1, 1);
    world_deliver_kind(w, RKV_MSG_APPEND, 1, 3);
    world_persist(w, 3);
    /* This acknowledgement is under way while the member loses the entry. */
    struct packet *p = world_find(w, RKV_MSG_APPEND_REPLY, 3, 1);
    ck_assert_ptr_nonnull(p);
    struct rkv_raft_msg late = p->msg;
    world_lose_kind(w, 0, 0, 0);
    world_crash(w, 3, 0);
    w->hold_disk[3] = true;
    start_with_loss(w, 3, 4);
    w->now += 100;
    world_tick(w, 1);
    world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 3);
    world_deliver_kind(w, RKV_MSG_HEARTBEAT_REPLY, 3, 1);
    uint64_t match = world_peer(w, 1, 3).match;
    world_receive(w, 1, &late);
    ck_assert_uint_eq(world_peer(w, 1, 3).match, match);
    world_free(w);
}
END_TEST

START_TEST(a_statement_to_an_earlier_start_means_nothing)
{
    struct world *w = with_history();
    world_crash(w, 3, 9);
    start_with_loss(w, 3, 4);
    struct rkv_raft_msg m = {.kind = RKV_MSG_HEARTBEAT,
                             .from = 1,
                             .to = 3,
                             .term = world_status(w, 1).term,
                             .stated_boot = world_node(w, 3)->disk.boot - 1,
                             .stated_last = 1};
    world_receive(w, 3, &m);
    while (world_persist(w, 3))
        ;
    ck_assert_uint_eq(world_status(w, 3).recovering, 1);
    m.stated_boot++;
    world_receive(w, 3, &m);
    while (world_persist(w, 3))
        ;
    ck_assert_uint_eq(world_status(w, 3).recovering, 0);
    world_free(w);
}
END_TEST

START_TEST(it_comes_up_by_a_snapshot_too)
{
    struct world *w = with_history();
    world_crash(w, 3, 9);
    world_compact(w, 1, 0);
    world_compact(w, 2, 0);
    start_with_loss(w, 3, 4);
    world_pass(w, 1000);
    ck_assert_uint_eq(world_status(w, 3).recovering, 0);
    ck_assert_uint_eq(world_status(w, 3).last, world_status(w, 1).last);
    world_check(w);
    world_free(w);
}
END_TEST

START_TEST(leadership_is_not_handed_to_it)
{
    struct world *w = with_history();
    world_crash(w, 3, 9);
    w->hold_disk[3] = true;
    start_with_loss(w, 3, 4);
    w->now += 100;
    world_tick(w, 1);
    world_deliver_kind(w, RKV_MSG_HEARTBEAT, 1, 3);
    world_deliver_kind(w, RKV_MSG_HEARTBEAT_REPLY, 3, 1);
    ck_assert_int_eq(world_transfer(w, 1, 3), RKV_ERECOVERING);
    world_free(w);
}
END_TEST

START_TEST(the_only_voter_does_not_start_after_a_loss)
{
    struct rkv_raft_options options = {.size = sizeof(options), .id = 1};
    struct rkv_raft_member member = {.id = 1, .role = RKV_VOTER};
    struct rkv_raft_boot boot = {.size = sizeof(boot),
                                 .recovering = 1,
                                 .boot = 2,
                                 .promised = 3,
                                 .members = &member,
                                 .members_count = 1};
    rkv_raft *raft = NULL;
    ck_assert_int_eq(rkv_raft_new(&options, &boot, &raft), RKV_EROLLBACK);
    ck_assert_ptr_null(raft);
}
END_TEST

Suite *suite_raft_recovering(void)
{
    Suite *suite = suite_create("raft recovering");
    TCase *tc = tcase_create("recovering");
    tcase_add_test(tc, it_neither_votes_nor_campaigns_until_it_is_whole);
    tcase_add_test(tc, it_comes_up_and_may_vote_again);
    tcase_add_test(tc, its_mark_is_cleared_only_when_that_is_durable);
    tcase_add_test(tc, its_leader_forgets_what_it_had_acknowledged);
    tcase_add_test(tc, an_answer_from_before_its_start_is_dropped);
    tcase_add_test(tc, a_statement_to_an_earlier_start_means_nothing);
    tcase_add_test(tc, it_comes_up_by_a_snapshot_too);
    tcase_add_test(tc, leadership_is_not_handed_to_it);
    tcase_add_test(tc, the_only_voter_does_not_start_after_a_loss);
    suite_add_tcase(suite, tc);
    return suite;
}
