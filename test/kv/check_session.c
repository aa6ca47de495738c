/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sessions: a command that comes again is answered, and not done again.
 */
#include <stdlib.h>
#include <string.h>

#include "kv/room.h"
#include "support.h"

Suite *suite_kv_session(void);

static struct kit kit;

static void open_kit(void)
{
    kit_open(&kit, NULL);
}

static void close_kit(void)
{
    kit_close(&kit);
}

static uint64_t open_session(void)
{
    const struct rkv_result *result;

    ck_assert_int_eq(rkv_txn_open_session(kit.txn), RKV_OK);
    result = kit_apply(&kit);
    ck_assert_int_eq(result->status, RKV_OK);
    ck_assert_uint_eq(result->responses->kind, RKV_RESPONSE_SESSION);
    ck_assert_uint_eq(result->responses->session, kit.index);
    return result->responses->session;
}

/* A put that counts: its version tells how often it was done. */
static const struct rkv_result *put_once(uint64_t session, uint64_t sequence)
{
    (void)rkv_txn_session(kit.txn, session, sequence);
    (void)add_put(kit.txn, "a", "1", RKV_PUT_PREV);
    return kit_apply(&kit);
}

static int64_t version(void)
{
    const struct rkv_response *response = kit_range(&kit, "a", NULL, 0);

    return response->count == 0 ? 0 : response->items->version;
}

START_TEST(a_retry_is_answered_and_not_done)
{
    uint64_t session = open_session();
    const struct rkv_result *result = put_once(session, 1);

    ck_assert_uint_eq(result->replayed, 0);
    ck_assert_int_eq(result->revision, 2);
    (void)kit_put(&kit, "b", "1");
    result = put_once(session, 1);
    ck_assert_int_eq(result->status, RKV_OK);
    ck_assert_uint_eq(result->replayed, 1);
    ck_assert_uint_eq(result->succeeded, 1);
    ck_assert_int_eq(result->revision, 2);
    ck_assert_uint_eq(result->responses_count, 1);
    ck_assert_uint_eq(result->responses->kind, RKV_RESPONSE_PUT);
    ck_assert_int_eq(result->responses->revision, 2);
    ck_assert_uint_eq(result->responses->items_count, 0);
    ck_assert_int_eq(version(), 1);
    ck_assert_int_eq(kit_report(&kit).revision, 3);
    ck_assert_int_eq(put_once(session, 2)->revision, 4);
    ck_assert_int_eq(version(), 2);
}
END_TEST

START_TEST(what_failed_fails_again)
{
    uint64_t session = open_session();
    const struct rkv_result *result;

    for (int i = 0; i < 2; i++) {
        (void)rkv_txn_session(kit.txn, session, 1);
        (void)add_put(kit.txn, "c", "", RKV_PUT_IGNORE_VALUE);
        result = kit_apply(&kit);
        ck_assert_int_eq(result->status, RKV_ENOTFOUND);
        ck_assert_uint_eq(result->replayed, i == 1);
        (void)kit_put(&kit, "c", "1");
    }
}
END_TEST

START_TEST(sequences_may_leave_gaps_but_not_go_back)
{
    uint64_t session = open_session();

    ck_assert_int_eq(put_once(session, 7)->status, RKV_OK);
    ck_assert_int_eq(put_once(session, 6)->status, RKV_ESTALE);
    ck_assert_int_eq(put_once(session, 9)->status, RKV_OK);
    ck_assert_int_eq(put_once(session, 7)->status, RKV_ESTALE);
    ck_assert_int_eq(version(), 2);
}
END_TEST

START_TEST(without_a_session_nothing_is_done)
{
    ck_assert_int_eq(put_once(99, 1)->status, RKV_ESESSION);
    ck_assert_int_eq(version(), 0);
}
END_TEST

START_TEST(what_was_chosen_is_said_again)
{
    uint64_t session = open_session();
    int64_t leases[2];

    for (int i = 0; i < 2; i++) {
        (void)rkv_txn_session(kit.txn, session, 1);
        (void)rkv_txn_grant(kit.txn, 0, 1000);
        leases[i] = kit_apply(&kit)->responses->lease;
    }
    ck_assert_int_ne(leases[0], 0);
    ck_assert_int_eq(leases[0], leases[1]);
    ck_assert_uint_eq(kit_report(&kit).leases, 1);
}
END_TEST

/* The one that was not used for longest. */
START_TEST(of_too_many_one_goes)
{
    uint64_t first = open_session(), second = open_session();

    (void)put_once(first, 1);
    for (int i = 2; i < RKV_SESSIONS_MAX; i++)
        (void)open_session();
    ck_assert_uint_eq(kit_report(&kit).sessions, RKV_SESSIONS_MAX);
    (void)open_session();
    ck_assert_uint_eq(kit_report(&kit).sessions, RKV_SESSIONS_MAX);
    ck_assert_int_eq(put_once(second, 1)->status, RKV_ESESSION);
    ck_assert_int_eq(put_once(first, 1)->status, RKV_OK);
    ck_assert_int_eq(version(), 1);
}
END_TEST

START_TEST(of_many_answers_the_outcome_is_left)
{
    uint64_t session = open_session();
    const struct rkv_result *result = NULL;

    for (int i = 0; i < 2; i++) {
        (void)rkv_txn_session(kit.txn, session, 1);
        for (int k = 0; k <= RKV_SESSION_RESPONSES; k++)
            (void)add_range(kit.txn, "a", NULL, 0, 0, 0);
        result = kit_apply(&kit);
    }
    ck_assert_uint_eq(result->replayed, 1);
    ck_assert_uint_eq(result->succeeded, 1);
    ck_assert_uint_eq(result->responses_count, 0);
}
END_TEST

START_TEST(sessions_come_through_a_snapshot)
{
    uint64_t session = open_session(), hash = kit_report(&kit).hash;
    struct rkv_kv_status before, after;
    struct kit other;
    uint8_t *data;
    size_t len;

    (void)open_session();
    (void)put_once(session, 3);
    ck_assert_uint_ne(kit_report(&kit).hash, hash);
    kit_open(&other, NULL);
    data = kit_snapshot(&kit, &len);
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    before = kit_report(&kit);
    after = kit_report(&other);
    ck_assert_mem_eq(&before, &after, sizeof(before));
    (void)rkv_txn_session(other.txn, session, 3);
    (void)add_put(other.txn, "a", "1", 0);
    ck_assert_uint_eq(kit_apply(&other)->replayed, 1);
    free(data);
    kit_close(&other);
}
END_TEST

static const struct {
    uint8_t bytes[12];
    size_t len;
    int status;
    const char *why;
} commands[] = {
    {{1, 14}, 2, RKV_OK, "opened"},
    {{1, 14, 14}, 3, RKV_EMALFORMED, "opened twice"},
    {{1, 15, 1, 1}, 4, RKV_OK, "nothing, in a session"},
    {{1, 15, 1, 1, 14}, 5, RKV_EMALFORMED, "opened in a session"},
    {{1, 15, 0, 1}, 4, RKV_EMALFORMED, "no session"},
    {{1, 15, 1, 0}, 4, RKV_EMALFORMED, "no sequence"},
    {{1, 15, 1}, 3, RKV_EMALFORMED, "an end too early"},
    {{1, 15, 1, 1, 15, 1, 1}, 7, RKV_EMALFORMED, "two of them"},
    {{1, 5, 15, 1, 1}, 5, RKV_EMALFORMED, "behind an else"},
};

START_TEST(a_session_stands_in_front)
{
    ck_assert_msg(rkv_kv_check(kit.kv, commands[_i].bytes, commands[_i].len) ==
                      commands[_i].status,
                  "%s", commands[_i].why);
}
END_TEST

START_TEST(a_writer_puts_it_in_front)
{
    (void)add_put(kit.txn, "a", "1", 0);
    ck_assert_int_eq(rkv_txn_session(kit.txn, 1, 1), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(rkv_txn_session(kit.txn, 0, 1), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(rkv_txn_session(kit.txn, 1, 0), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    (void)rkv_txn_session(kit.txn, 1, 1);
    ck_assert_int_eq(rkv_txn_session(kit.txn, 1, 1), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
    (void)rkv_txn_session(kit.txn, 1, 1);
    ck_assert_int_eq(rkv_txn_open_session(kit.txn), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
    (void)rkv_txn_session(kit.txn, 1, 1);
    ck_assert_int_eq(rkv_txn_compact(kit.txn, 1), RKV_OK);
    rkv_txn_reset(kit.txn);
}
END_TEST

Suite *suite_kv_session(void)
{
    Suite *suite = suite_create("kv session");
    TCase *tcase = tcase_create("sessions");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_test(tcase, a_retry_is_answered_and_not_done);
    tcase_add_test(tcase, what_failed_fails_again);
    tcase_add_test(tcase, sequences_may_leave_gaps_but_not_go_back);
    tcase_add_test(tcase, without_a_session_nothing_is_done);
    tcase_add_test(tcase, what_was_chosen_is_said_again);
    tcase_add_test(tcase, of_too_many_one_goes);
    tcase_add_test(tcase, of_many_answers_the_outcome_is_left);
    tcase_add_test(tcase, sessions_come_through_a_snapshot);
    tcase_add_loop_test(tcase, a_session_stands_in_front, 0,
                        sizeof(commands) / sizeof(commands[0]));
    tcase_add_test(tcase, a_writer_puts_it_in_front);
    suite_add_tcase(suite, tcase);
    return suite;
}
