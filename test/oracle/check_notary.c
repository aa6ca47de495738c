/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What members promise and keep is believed; every promise that is broken,
 * and every store that forgets, is seen.
 */
#include <check.h>
#include <string.h>

#include "notary.h"

Suite *suite_oracle_notary(void);

static struct verdict verdict;
static struct notary notary;

static void set_up(void)
{
    memset(&verdict, 0, sizeof verdict);
    notary_init(&notary, &verdict);
}

static void tear_down(void)
{
    notary_free(&notary);
}

#define believed()                                                             \
    ck_assert_msg(verdict.broken == NULL, "%s: %s", verdict.broken,            \
                  verdict.detail)
#define seen(rule)                                                             \
    do {                                                                       \
        ck_assert_ptr_nonnull(verdict.broken);                                 \
        ck_assert_str_eq(verdict.broken, rule);                                \
    } while (0)

/* ---- disks ---- */

static struct rkv_entry entry_of(uint64_t index, uint64_t term, uint8_t mark)
{
    struct rkv_entry entry = {.index = index, .term = term};

    entry.chain[0] = (uint8_t)index;
    entry.chain[1] = (uint8_t)term;
    entry.chain[2] = mark;
    return entry;
}

/* Entries of one term behind `before`, up to `last`. */
static void begin_write(uint64_t id, uint64_t term, uint64_t vote,
                        uint64_t before, uint64_t last)
{
    struct rkv_entry entries[16];
    struct rkv_store_write write = {.size = sizeof write,
                                    .flags = RKV_WRITE_STATE,
                                    .term = term,
                                    .vote = vote,
                                    .entries = entries,
                                    .count = last - before};

    for (uint64_t i = before + 1; i <= last; i++)
        entries[i - before - 1] = entry_of(i, term, 0);
    if (write.count > 0)
        write.flags |= RKV_WRITE_ENTRIES;
    notary_writing(&notary, id, &write);
}

static void write_log(uint64_t id, uint64_t term, uint64_t vote,
                      uint64_t before, uint64_t last)
{
    begin_write(id, term, vote, before, last);
    notary_written(&notary, id);
}

static void find(uint64_t id, uint64_t term, uint64_t vote, uint64_t last)
{
    const struct rkv_store_state state = {
        .size = sizeof state, .term = term, .vote = vote, .last = last};

    paper_found(&notary_member(&notary, id)->paper, &state);
}

static void read_back(uint64_t id, uint64_t index, uint64_t term, uint8_t mark)
{
    const struct rkv_entry entry = entry_of(index, term, mark);

    paper_read(&notary_member(&notary, id)->paper, &entry, 1);
}

static const char *const store_rule = "a store gives back what it acknowledged";

START_TEST(a_store_that_remembers_is_believed)
{
    write_log(1, 2, 1, 0, 5);
    find(1, 2, 1, 5);
    read_back(1, 3, 2, 0);
    /* Cut off and written anew by a later term. */
    write_log(1, 4, 0, 3, 6);
    find(1, 4, 0, 6);
    read_back(1, 3, 2, 0);
    read_back(1, 4, 4, 0);
    believed();
    ck_assert(paper_holds(&notary_member(&notary, 1)->paper, 3, 2));
    ck_assert(!paper_holds(&notary_member(&notary, 1)->paper, 4, 2));
    ck_assert(!paper_holds(&notary_member(&notary, 1)->paper, 7, 4));
}
END_TEST

START_TEST(a_write_without_an_answer_is_there_or_not)
{
    write_log(1, 2, 1, 0, 5);
    begin_write(1, 3, 2, 4, 6);
    if (_i == 0) {
        find(1, 2, 1, 5);
        read_back(1, 5, 2, 0);
        believed();
        read_back(1, 5, 3, 0);
    } else {
        find(1, 3, 2, 6);
        read_back(1, 5, 3, 0);
        believed();
        read_back(1, 5, 2, 0);
    }
    seen(store_rule);
}
END_TEST

START_TEST(half_a_write_is_seen)
{
    write_log(1, 2, 1, 0, 5);
    begin_write(1, 3, 2, 5, 7);
    if (_i == 0)
        find(1, 3, 2, 5);
    else if (_i == 1)
        find(1, 2, 1, 7);
    else
        find(1, 3, 2, 6);
    seen(store_rule);
}
END_TEST

/* Both states look alike; the entries tell, or nothing does and it is the same
 * in the end. */
START_TEST(a_doubtful_write_does_no_harm)
{
    write_log(1, 2, 1, 0, 5);
    begin_write(1, 2, 1, 4, 5);
    find(1, 2, 1, 5);
    read_back(1, 5, 2, 0);
    write_log(1, 3, 2, 5, 6);
    find(1, 3, 2, 6);
    read_back(1, 6, 3, 0);
    begin_write(1, 3, 2, 5, 6);
    find(1, 3, 2, 6);
    write_log(1, 4, 0, 6, 6);
    find(1, 4, 0, 6);
    believed();
}
END_TEST

/* A term, a vote, an entry less than was acknowledged. */
START_TEST(a_store_that_forgets_is_seen)
{
    write_log(1, 2, 1, 0, 5);
    if (_i == 0)
        find(1, 1, 1, 5);
    else if (_i == 1)
        find(1, 2, 0, 5);
    else if (_i == 2)
        find(1, 2, 1, 4);
    else if (_i == 3)
        read_back(1, 5, 1, 0);
    else if (_i == 4)
        read_back(1, 5, 2, 9);
    else
        read_back(1, 6, 2, 0);
    seen(store_rule);
}
END_TEST

START_TEST(a_store_that_says_so_may_forget)
{
    struct rkv_store_state state = {
        .size = sizeof state, .recovering = 1, .term = 1, .last = 2};

    write_log(1, 2, 1, 0, 5);
    paper_found(&notary_member(&notary, 1)->paper, &state);
    read_back(1, 2, 1, 7);
    believed();
    /* But from there on it may not. */
    write_log(1, 3, 0, 2, 4);
    state.last = 3;
    state.term = 3;
    state.recovering = 0;
    paper_found(&notary_member(&notary, 1)->paper, &state);
    seen(store_rule);
}
END_TEST

START_TEST(a_snapshot_of_another_log_stands_alone)
{
    struct rkv_store_write write = {.size = sizeof write,
                                    .flags = RKV_WRITE_SNAPSHOT,
                                    .snapshot_index = 4,
                                    .snapshot_term = _i == 0 ? 2 : 3};
    struct rkv_store_state state = {.size = sizeof state,
                                    .term = 2,
                                    .vote = 1,
                                    .snapshot_index = 4,
                                    .last = _i == 0 ? 5 : 4};

    write_log(1, 2, 1, 0, 5);
    notary_writing(&notary, 1, &write);
    notary_written(&notary, 1);
    paper_found(&notary_member(&notary, 1)->paper, &state);
    believed();
    state.last = _i == 0 ? 4 : 5;
    paper_found(&notary_member(&notary, 1)->paper, &state);
    seen(store_rule);
}
END_TEST

START_TEST(logs_that_do_not_match_are_seen)
{
    struct rkv_entry entry = entry_of(3, 2, 1);
    struct rkv_store_write write = {.size = sizeof write,
                                    .flags = RKV_WRITE_ENTRIES,
                                    .entries = &entry,
                                    .count = 1};

    write_log(1, 2, 1, 0, 5);
    write_log(2, 2, 1, 0, 5);
    believed();
    notary_writing(&notary, 3, &write);
    seen("logs match");
}
END_TEST

/* ---- promises ---- */

static void say(uint64_t id, uint32_t kind, uint64_t to, uint64_t term,
                uint64_t index)
{
    const struct rkv_raft_msg msg = {
        .kind = kind, .from = id, .to = to, .term = term, .index = index};
    const struct rkv_raft_out out = {
        .role = RKV_FOLLOWER, .term = term, .msgs = &msg, .msgs_count = 1};

    notary_drained(&notary, id, &out);
}

static void lead(uint64_t id, uint64_t term, uint64_t commit)
{
    const struct rkv_raft_out out = {
        .role = RKV_LEADER, .term = term, .commit = commit};

    notary_drained(&notary, id, &out);
}

START_TEST(promises_that_are_kept_are_believed)
{
    write_log(1, 2, 3, 0, 5);
    say(1, RKV_MSG_VOTE_REPLY, 3, 2, 0);
    say(1, RKV_MSG_VOTE_REPLY, 3, 2, 0);
    say(1, RKV_MSG_APPEND_REPLY, 3, 2, 5);
    write_log(3, 2, 3, 0, 5);
    lead(3, 2, 0);
    notary_opened(&notary, 1);
    write_log(1, 4, 2, 5, 5);
    say(1, RKV_MSG_VOTE_REPLY, 2, 4, 0);
    believed();
    ck_assert_uint_eq(notary_leader(&notary, 2), 3);
    ck_assert_uint_eq(notary_leader(&notary, 4), 0);
}
END_TEST

START_TEST(two_votes_in_a_term_are_seen)
{
    const struct rkv_store_state lost = {.size = sizeof lost, .recovering = 1};

    write_log(1, 2, 3, 0, 0);
    say(1, RKV_MSG_VOTE_REPLY, 3, 2, 0);
    /* In another life, after a loss. */
    notary_found(&notary, 1, &lost);
    notary_opened(&notary, 1);
    write_log(1, 2, 2, 0, 0);
    say(1, RKV_MSG_VOTE_REPLY, 2, 2, 0);
    seen("a member votes once in a term");
}
END_TEST

START_TEST(a_vote_for_another_and_oneself_is_seen)
{
    write_log(1, 2, 3, 0, 0);
    say(1, RKV_MSG_VOTE_REPLY, 3, 2, 0);
    write_log(1, 2, 1, 0, 0);
    lead(1, 2, 0);
    seen("a member votes once in a term");
}
END_TEST

START_TEST(a_vote_that_is_not_durable_is_seen)
{
    write_log(1, 1, 0, 0, 0);
    begin_write(1, 2, 3, 0, 0);
    say(1, RKV_MSG_VOTE_REPLY, 3, 2, 0);
    seen("a vote is given when it is durable");
}
END_TEST

START_TEST(leading_before_the_vote_is_durable_is_seen)
{
    write_log(1, 1, 0, 0, 0);
    lead(1, 2, 0);
    seen("a vote is given when it is durable");
}
END_TEST

START_TEST(two_leaders_are_seen)
{
    write_log(1, 2, 1, 0, 0);
    write_log(2, 2, 2, 0, 0);
    lead(1, 2, 0);
    lead(2, 2, 0);
    seen("one leader per term");
}
END_TEST

START_TEST(acknowledging_what_is_not_durable_is_seen)
{
    write_log(1, 2, 3, 0, 5);
    begin_write(1, 2, 3, 5, 6);
    say(1, _i == 0 ? RKV_MSG_APPEND_REPLY : RKV_MSG_HEARTBEAT_REPLY, 3, 2, 6);
    seen("what is acknowledged is on the disk");
}
END_TEST

START_TEST(acknowledging_in_a_term_that_is_not_durable_is_seen)
{
    write_log(1, 2, 3, 0, 5);
    say(1, RKV_MSG_APPEND_REPLY, 3, 3, 5);
    seen("what is acknowledged is on the disk");
}
END_TEST

START_TEST(a_term_or_commit_that_goes_back_is_seen)
{
    write_log(1, 3, 1, 0, 5);
    lead(1, 3, 4);
    believed();
    if (_i == 0)
        say(1, RKV_MSG_PREVOTE, 2, 2, 0);
    else
        lead(1, 3, 3);
    seen(_i == 0 ? "terms never go back" : "commits never go back");
}
END_TEST

START_TEST(a_leader_that_replaces_is_seen)
{
    const struct rkv_raft_entry entries[] = {{6, 2, 0, 0}, {7, 2, 0, 0}};
    struct rkv_raft_out out = {
        .role = RKV_LEADER, .term = 2, .append = entries, .append_count = 2};

    write_log(1, 2, 1, 0, 5);
    notary_drained(&notary, 1, &out);
    believed();
    out.append = &entries[1];
    out.append_count = 1;
    notary_drained(&notary, 1, &out);
    seen("a leader only appends");
}
END_TEST

/* ---- commits and configurations ---- */

static const struct rkv_raft_member three[] = {
    {1, RKV_VOTER, 0}, {2, RKV_VOTER, 0}, {3, RKV_VOTER, 0}};

START_TEST(a_commit_of_a_majority_is_believed)
{
    write_log(1, 2, 1, 0, 5);
    write_log(2, 2, 1, 0, 4);
    notary_committed(&notary, 1, 4, 2, three, 3);
    believed();
    notary_committed(&notary, 1, 5, 2, three, 3);
    seen("what is committed is durable on a majority");
}
END_TEST

START_TEST(a_commit_of_another_log_is_seen)
{
    write_log(1, 2, 1, 0, 5);
    write_log(2, 1, 1, 0, 5);
    notary_committed(&notary, 1, 5, 2, three, 3);
    seen("what is committed is durable on a majority");
}
END_TEST

START_TEST(a_commit_that_changes_is_seen)
{
    write_log(1, 2, 1, 0, 5);
    write_log(2, 2, 1, 0, 5);
    notary_committed(&notary, 1, 5, 2, three, 3);
    write_log(1, 3, 1, 4, 5);
    write_log(2, 3, 1, 4, 5);
    notary_committed(&notary, 2, 5, 3, three, 3);
    seen("what is committed stays");
}
END_TEST

/* Half of a joint configuration does not decide. */
START_TEST(a_commit_of_one_half_is_seen)
{
    const struct rkv_raft_member joint[] = {{1, RKV_VOTER | RKV_OUTGOING, 0},
                                            {2, RKV_OUTGOING, 0},
                                            {3, RKV_OUTGOING, 0},
                                            {4, RKV_VOTER, 0},
                                            {5, RKV_VOTER, 0}};

    write_log(1, 2, 1, 0, 5);
    write_log(4, 2, 1, 0, 5);
    if (_i == 0)
        write_log(3, 2, 1, 0, 5);
    notary_committed(&notary, 1, 5, 2, joint, 5);
    if (_i == 0)
        believed();
    else
        seen("what is committed is durable on a majority");
}
END_TEST

START_TEST(neighbours_that_meet_are_believed)
{
    const struct rkv_raft_member four[] = {{1, RKV_VOTER, 0},
                                           {2, RKV_VOTER, 0},
                                           {3, RKV_VOTER, 0},
                                           {4, RKV_VOTER, 0}};
    const struct rkv_raft_member joint[] = {{1, RKV_OUTGOING, 0},
                                            {2, RKV_OUTGOING, 0},
                                            {3, RKV_OUTGOING, 0},
                                            {4, RKV_VOTER, 0},
                                            {5, RKV_VOTER, 0}};

    notary_configured(&notary, 1, three, 3);
    notary_configured(&notary, 5, four, 4);
    notary_configured(&notary, 9, three, 3);
    notary_configured(&notary, 5, four, 4);
    notary_configured(&notary, 12, joint, 5);
    notary_configured(&notary, 14, joint + 3, 2);
    believed();
}
END_TEST

START_TEST(neighbours_that_do_not_meet_are_seen)
{
    const struct rkv_raft_member others[] = {
        {3, RKV_VOTER, 0}, {4, RKV_VOTER, 0}, {5, RKV_VOTER, 0}};

    notary_configured(&notary, 1, three, 3);
    notary_configured(&notary, 5, others, 3);
    seen("majorities of neighbouring configurations meet");
}
END_TEST

START_TEST(a_change_on_its_way_is_known)
{
    struct rkv_entry entry = entry_of(6, 2, 0);
    struct rkv_store_write write = {.size = sizeof write,
                                    .flags = RKV_WRITE_ENTRIES,
                                    .entries = &entry,
                                    .count = 1};

    entry.kind = RKV_ENTRY_CONFIG;
    notary_configured(&notary, 1, three, 3);
    write_log(1, 2, 1, 0, 5);
    ck_assert(notary_is_settled(&notary));
    notary_writing(&notary, 1, &write);
    notary_written(&notary, 1);
    ck_assert(!notary_is_settled(&notary));
    notary_configured(&notary, 6, three, 3);
    ck_assert(notary_is_settled(&notary));
    believed();
}
END_TEST

START_TEST(configurations_that_differ_are_seen)
{
    notary_configured(&notary, 1, three, 3);
    notary_configured(&notary, 5, three, 2);
    notary_configured(&notary, 5, three, 3);
    seen("all apply the same configurations");
}
END_TEST

Suite *suite_oracle_notary(void)
{
    Suite *suite = suite_create("oracle notary");
    TCase *disks = tcase_create("disks");
    TCase *promises = tcase_create("promises");

    tcase_add_checked_fixture(disks, set_up, tear_down);
    tcase_add_test(disks, a_store_that_remembers_is_believed);
    tcase_add_loop_test(disks, a_write_without_an_answer_is_there_or_not, 0, 2);
    tcase_add_test(disks, a_doubtful_write_does_no_harm);
    tcase_add_loop_test(disks, half_a_write_is_seen, 0, 3);
    tcase_add_loop_test(disks, a_store_that_forgets_is_seen, 0, 6);
    tcase_add_test(disks, a_store_that_says_so_may_forget);
    tcase_add_loop_test(disks, a_snapshot_of_another_log_stands_alone, 0, 2);
    tcase_add_test(disks, logs_that_do_not_match_are_seen);
    suite_add_tcase(suite, disks);
    tcase_add_checked_fixture(promises, set_up, tear_down);
    tcase_add_test(promises, promises_that_are_kept_are_believed);
    tcase_add_test(promises, two_votes_in_a_term_are_seen);
    tcase_add_test(promises, a_vote_for_another_and_oneself_is_seen);
    tcase_add_test(promises, a_vote_that_is_not_durable_is_seen);
    tcase_add_test(promises, leading_before_the_vote_is_durable_is_seen);
    tcase_add_test(promises, two_leaders_are_seen);
    tcase_add_loop_test(promises, acknowledging_what_is_not_durable_is_seen, 0,
                        2);
    tcase_add_test(promises,
                   acknowledging_in_a_term_that_is_not_durable_is_seen);
    tcase_add_loop_test(promises, a_term_or_commit_that_goes_back_is_seen, 0,
                        2);
    tcase_add_test(promises, a_leader_that_replaces_is_seen);
    tcase_add_test(promises, a_commit_of_a_majority_is_believed);
    tcase_add_test(promises, a_commit_of_another_log_is_seen);
    tcase_add_test(promises, a_commit_that_changes_is_seen);
    tcase_add_loop_test(promises, a_commit_of_one_half_is_seen, 0, 2);
    tcase_add_test(promises, neighbours_that_meet_are_believed);
    tcase_add_test(promises, neighbours_that_do_not_meet_are_seen);
    tcase_add_test(promises, a_change_on_its_way_is_known);
    tcase_add_test(promises, configurations_that_differ_are_seen);
    suite_add_tcase(suite, promises);
    return suite;
}
