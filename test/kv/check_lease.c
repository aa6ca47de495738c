/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Leases: keys that end with them, and time that only the log moves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kv/room.h"
#include "support.h"

Suite *suite_kv_lease(void);

static struct kit kit;

static void open_kit(void)
{
    kit_open(&kit, NULL);
}

static void close_kit(void)
{
    ck_assert(rkv_leases_check(&kit.kv->state->leases, &kit.kv->state->tree));
    kit_close(&kit);
}

static int64_t grant(int64_t id, int64_t ttl)
{
    const struct rkv_result *result;

    (void)rkv_txn_grant(kit.txn, id, ttl);
    result = kit_apply(&kit);
    ck_assert_int_eq(result->status, RKV_OK);
    ck_assert_int_eq(result->responses->ttl, ttl);
    return result->responses->lease;
}

static const struct rkv_response *move(uint64_t term, int64_t clock)
{
    const struct rkv_result *result;

    (void)rkv_txn_clock(kit.txn, term, clock);
    result = kit_apply(&kit);
    ck_assert_int_eq(result->status, RKV_OK);
    return result->responses;
}

static int add_leased(const char *key, int64_t lease, int64_t ttl,
                      uint32_t flags)
{
    struct rkv_put put = {
        .size = sizeof(put),
        .flags = flags,
        .key = key,
        .key_len = strlen(key),
        .value = "v",
        .value_len = (flags & RKV_PUT_IGNORE_VALUE) != 0 ? 0 : 1,
        .lease = lease,
        .ttl = ttl,
    };

    return rkv_txn_put(kit.txn, &put);
}

static void put_leased(const char *key, int64_t lease)
{
    ck_assert_int_eq(add_leased(key, lease, 0, 0), RKV_OK);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
}

/* The lease it made. */
static int64_t put_for(const char *key, int64_t ttl)
{
    const struct rkv_result *result;

    ck_assert_int_eq(add_leased(key, 0, ttl, 0), RKV_OK);
    result = kit_apply(&kit);
    ck_assert_int_eq(result->status, RKV_OK);
    ck_assert_int_eq(result->responses->ttl, ttl);
    return result->responses->lease;
}

static int64_t left_of(int64_t id)
{
    struct rkv_lease_status status = {.size = sizeof(status)};
    int error = rkv_kv_lease(kit.kv, id, &status);

    return error == RKV_OK ? status.left : error;
}

static void assert_lease_keys(int64_t id, const char *keys)
{
    const struct rkv_result *result;

    ck_assert_int_eq(rkv_kv_lease_keys(kit.kv, id, &result), RKV_OK);
    ck_assert_int_eq(result->status, RKV_OK);
    assert_keys(result->responses, keys);
}

START_TEST(a_revoke_deletes_the_keys_in_one_revision)
{
    const struct rkv_result *result;

    ck_assert_int_eq(grant(5, 1000), 5);
    put_leased("c", 5);
    put_leased("a", 5);
    (void)kit_put(&kit, "b", "stays");
    (void)rkv_txn_revoke(kit.txn, 5);
    result = kit_apply(&kit);
    ck_assert_int_eq(result->status, RKV_OK);
    ck_assert_int_eq(result->revision, 5);
    ck_assert_uint_eq(result->responses->count, 2);
    assert_keys(kit_range(&kit, "a", "@", 0), "b");
    assert_keys(kit_range(&kit, "a", "@", 4), "a b c");
    (void)rkv_txn_revoke(kit.txn, 5);
    ck_assert_int_eq(kit_status(&kit), RKV_ELEASE);
}
END_TEST

START_TEST(without_keys_there_is_no_revision)
{
    (void)grant(5, 1000);
    (void)rkv_txn_revoke(kit.txn, 5);
    ck_assert_int_eq(kit_apply(&kit)->revision, 1);
    (void)grant(5, 10);
    (void)move(1, 0);
    ck_assert_uint_eq(move(1, 10)->count, 1);
    ck_assert_int_eq(kit_report(&kit).revision, 1);
}
END_TEST

START_TEST(an_id_is_given_or_chosen)
{
    int64_t chosen = grant(0, 1000);

    ck_assert_int_gt(chosen, 0);
    ck_assert_int_ne(grant(0, 1000), chosen);
    ck_assert_int_eq(grant(-3, 1000), -3);
    (void)rkv_txn_grant(kit.txn, -3, 1);
    ck_assert_int_eq(kit_status(&kit), RKV_EEXIST);
    ck_assert_int_eq(rkv_txn_grant(kit.txn, 9, 0), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(rkv_txn_grant(kit.txn, 9, RKV_LEASE_TTL_MAX + 1),
                     RKV_ETOOBIG);
}
END_TEST

START_TEST(a_key_has_one_lease_at_most)
{
    (void)grant(1, 1000);
    (void)grant(2, 1000);
    put_leased("a", 1);
    put_leased("b", 1);
    assert_lease_keys(1, "a b");
    put_leased("a", 2);
    assert_lease_keys(1, "b");
    assert_lease_keys(2, "a");
    (void)kit_put(&kit, "a", "without");
    assert_lease_keys(2, "");
    (void)kit_delete(&kit, "b", NULL);
    assert_lease_keys(1, "");
}
END_TEST

START_TEST(a_put_may_keep_the_lease)
{
    (void)grant(1, 1000);
    put_leased("a", 1);
    (void)add_put(kit.txn, "a", "2", RKV_PUT_IGNORE_LEASE);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    assert_lease_keys(1, "a");
    ck_assert_str_eq(kit_get(&kit, "a", 0), "2");
}
END_TEST

/* Only a put that is all of the command asks for the lease before the key. */
START_TEST(a_lease_that_is_not_there_is_said_as_etcd_says_it)
{
    (void)add_leased("a", 7, 0, 0);
    ck_assert_int_eq(kit_status(&kit), RKV_ELEASE);
    (void)add_leased("a", 7, 0, RKV_PUT_IGNORE_VALUE);
    ck_assert_int_eq(kit_status(&kit), RKV_ELEASE);
    (void)add_leased("a", 7, 0, RKV_PUT_IGNORE_VALUE);
    (void)add_put(kit.txn, "b", "1", 0);
    ck_assert_int_eq(kit_status(&kit), RKV_ENOTFOUND);
    ck_assert_int_eq(kit_report(&kit).revision, 1);
}
END_TEST

START_TEST(a_lease_runs_from_where_the_clock_moves_next)
{
    (void)move(1, 100);
    (void)grant(1, 50);
    put_leased("a", 1);
    ck_assert_int_eq(left_of(1), 50);
    ck_assert_uint_eq(kit_report(&kit).leases_fresh, 1);
    /* However late that is: never too early. */
    (void)move(1, 900);
    ck_assert_int_eq(left_of(1), 50);
    ck_assert_int_eq(kit_report(&kit).next_end, 950);
    ck_assert_uint_eq(move(1, 949)->count, 0);
    ck_assert_str_eq(kit_get(&kit, "a", 0), "v");
    ck_assert_uint_eq(move(1, 950)->count, 1);
    ck_assert_str_eq(kit_get(&kit, "a", 0), "-");
    ck_assert_int_eq(left_of(1), RKV_ELEASE);
}
END_TEST

START_TEST(keeping_alive_begins_anew)
{
    const struct rkv_result *result;

    (void)grant(1, 50);
    (void)move(1, 0);
    (void)move(1, 40);
    ck_assert_int_eq(left_of(1), 10);
    (void)rkv_txn_keep_alive(kit.txn, 1);
    (void)rkv_txn_keep_alive(kit.txn, 99);
    result = kit_apply(&kit);
    ck_assert_uint_eq(result->responses_count, 2);
    ck_assert_int_eq(result->responses[0].ttl, 50);
    ck_assert_int_eq(result->responses[1].lease, 99);
    ck_assert_int_eq(result->responses[1].ttl, 0);
    (void)move(1, 45);
    ck_assert_int_eq(kit_report(&kit).next_end, 95);
}
END_TEST

START_TEST(time_does_not_run_backwards)
{
    (void)grant(1, 50);
    (void)move(3, 100);
    (void)move(3, 20);
    ck_assert_int_eq(kit_report(&kit).clock, 100);
    ck_assert_int_eq(left_of(1), 50);
}
END_TEST

/* A deposed leader's last word comes too late. */
START_TEST(who_led_before_moves_nothing)
{
    (void)grant(1, 50);
    put_leased("a", 1);
    (void)move(2, 0);
    (void)move(3, 10);
    (void)rkv_txn_clock(kit.txn, 2, 1000);
    ck_assert_int_eq(kit_status(&kit), RKV_ESTALE);
    ck_assert_int_eq(kit_report(&kit).clock, 10);
    ck_assert_str_eq(kit_get(&kit, "a", 0), "v");
    ck_assert_int_eq(left_of(1), 40);
}
END_TEST

START_TEST(many_end_by_one_entry_in_the_order_of_their_ends)
{
    const struct rkv_change_event *change;
    struct rkv_watch w = watch_of("a", "@");
    char all[32] = "";

    (void)grant(2, 20);
    (void)grant(1, 20);
    (void)grant(9, 10);
    put_leased("d", 9);
    put_leased("b", 2);
    put_leased("a", 2);
    put_leased("c", 1);
    (void)move(1, 0);
    ck_assert_int_eq(rkv_kv_watch(kit.kv, &w, NULL), RKV_OK);
    ck_assert_uint_eq(move(1, 30)->count, 3);
    while (rkv_kv_next_change(kit.kv, &change) == 1) {
        ck_assert_int_eq(change->revision, 6);
        ck_assert_uint_eq(change->kind, RKV_CHANGE_DELETE);
        strncat(all, change->now.key, 1);
    }
    ck_assert_str_eq(all, "dcab");
}
END_TEST

/* Each movement takes so many keys along that no call is long. */
START_TEST(a_flood_of_ends_takes_several_movements)
{
    const struct rkv_response *response;
    char key[16];

    for (int i = 0; i < RKV_LEASE_BATCH + 10; i++) {
        snprintf(key, sizeof(key), "k%05d", i);
        (void)put_for(key, 10);
    }
    (void)move(1, 0);
    response = move(1, 100);
    ck_assert_uint_eq(response->count, RKV_LEASE_BATCH);
    ck_assert_uint_eq(response->more, 1);
    response = move(1, 100);
    ck_assert_uint_eq(response->count, 10);
    ck_assert_uint_eq(response->more, 0);
    ck_assert_uint_eq(kit_report(&kit).keys, 0);
    ck_assert_uint_eq(kit_report(&kit).leases, 0);
}
END_TEST

START_TEST(a_put_with_a_time_to_live_makes_its_lease)
{
    int64_t id = put_for("a", 30);

    ck_assert_int_gt(id, 0);
    assert_lease_keys(id, "a");
    (void)move(1, 5);
    (void)move(1, 34);
    ck_assert_str_eq(kit_get(&kit, "a", 0), "v");
    (void)move(1, 35);
    ck_assert_str_eq(kit_get(&kit, "a", 0), "-");
    ck_assert_int_eq(left_of(id), RKV_ELEASE);
}
END_TEST

START_TEST(such_a_lease_goes_with_its_key)
{
    int64_t first = put_for("a", 30), second = put_for("a", 30), third;

    ck_assert_int_eq(left_of(first), RKV_ELEASE);
    (void)kit_put(&kit, "a", "without");
    ck_assert_int_eq(left_of(second), RKV_ELEASE);
    third = put_for("a", 30);
    (void)kit_delete(&kit, "a", NULL);
    ck_assert_int_eq(left_of(third), RKV_ELEASE);
    ck_assert_uint_eq(kit_report(&kit).leases, 0);
}
END_TEST

/* Within a transaction it may pass to another key. */
START_TEST(such_a_lease_may_pass_on)
{
    int64_t id = put_for("a", 30);

    (void)add_put(kit.txn, "a", "without", 0);
    (void)add_leased("b", id, 0, 0);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    assert_lease_keys(id, "b");
}
END_TEST

START_TEST(a_time_to_live_and_a_lease_are_one_too_many)
{
    /* put, with a time to live, no lease, "a", nothing, 0 milliseconds */
    uint8_t command[] = {1, 2, 0x80, 1, 0, 1, 'a', 0, 0};

    ck_assert_int_eq(add_leased("a", 1, 1, 0), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(add_leased("a", 0, 1, RKV_PUT_IGNORE_LEASE), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(add_leased("a", 0, -1, 0), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(rkv_kv_check(kit.kv, command, sizeof(command)),
                     RKV_EINVAL);
    command[8] = 2;
    ck_assert_int_eq(rkv_kv_check(kit.kv, command, sizeof(command)), RKV_OK);
    command[4] = 2;
    ck_assert_int_eq(rkv_kv_check(kit.kv, command, sizeof(command)),
                     RKV_EINVAL);
}
END_TEST

START_TEST(a_lease_of_many_keys_finds_each_of_them)
{
    char key[16];

    (void)grant(1, 1000);
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof(key), "k%03d", i * 77 % 500);
        put_leased(key, 1);
    }
    for (int i = 0; i < 500; i += 2) {
        snprintf(key, sizeof(key), "k%03d", i);
        (void)kit_put(&kit, key, "without");
        put_leased("k001", 1);
    }
    ck_assert(rkv_leases_check(&kit.kv->state->leases, &kit.kv->state->tree));
    (void)rkv_txn_revoke(kit.txn, 1);
    ck_assert_uint_eq(kit_apply(&kit)->responses->count, 250);
    ck_assert_uint_eq(kit_report(&kit).keys, 250);
}
END_TEST

START_TEST(leases_are_listed_as_they_were_granted)
{
    struct rkv_lease_status status = {.size = sizeof(status)};

    ck_assert_int_eq(rkv_kv_next_lease(kit.kv, 0, &status), 0);
    (void)grant(7, 10);
    (void)grant(3, 20);
    ck_assert_int_eq(rkv_kv_next_lease(kit.kv, 0, &status), 1);
    ck_assert_int_eq(status.id, 7);
    ck_assert_int_eq(rkv_kv_next_lease(kit.kv, 7, &status), 1);
    ck_assert_int_eq(status.id, 3);
    ck_assert_int_eq(status.ttl, 20);
    ck_assert_int_eq(rkv_kv_next_lease(kit.kv, 3, &status), 0);
    ck_assert_int_eq(rkv_kv_next_lease(kit.kv, 4, &status), RKV_ELEASE);
}
END_TEST

START_TEST(leases_come_through_a_snapshot)
{
    struct rkv_kv_status before, after;
    struct kit other;
    uint8_t *data;
    size_t len;

    (void)grant(7, 100);
    put_leased("a", 7);
    (void)rkv_txn_revoke(kit.txn, 7);
    (void)kit_apply(&kit);
    (void)put_for("own", 200);
    (void)move(4, 1000);
    /* The same id as one that the history knows. */
    (void)grant(7, 300);
    put_leased("b", 7);
    kit_open(&other, NULL);
    data = kit_snapshot(&kit, &len);
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    free(data);
    before = kit_report(&kit);
    after = kit_report(&other);
    ck_assert_mem_eq(&before, &after, sizeof(before));
    ck_assert(
        rkv_leases_check(&other.kv->state->leases, &other.kv->state->tree));
    kit_close(&other);
}
END_TEST

/* A view has the leases as they were when it was made. */
START_TEST(a_view_keeps_the_leases_of_its_time)
{
    struct rkv_kv_status before = {.size = sizeof(before)};
    rkv_snapshot *snapshot;
    struct kit other;
    uint8_t data[512];
    size_t len;

    (void)grant(7, 100);
    put_leased("a", 7);
    before = kit_report(&kit);
    ck_assert_int_eq(rkv_kv_snapshot(kit.kv, &snapshot), RKV_OK);
    (void)rkv_txn_revoke(kit.txn, 7);
    (void)kit_apply(&kit);
    (void)grant(8, 100);
    ck_assert_int_eq(rkv_snapshot_read(snapshot, data, sizeof(data), &len),
                     RKV_OK);
    rkv_snapshot_close(snapshot);
    kit_open(&other, NULL);
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    ck_assert_uint_eq(kit_report(&other).hash, before.hash);
    kit_close(&other);
}
END_TEST

/* What differs in a lease alone differs in the hash. */
START_TEST(the_hash_knows_the_leases)
{
    uint64_t hashes[6];

    hashes[0] = kit_report(&kit).hash;
    (void)grant(1, 100);
    hashes[1] = kit_report(&kit).hash;
    (void)move(0, 0);
    hashes[2] = kit_report(&kit).hash;
    (void)move(0, 1);
    hashes[3] = kit_report(&kit).hash;
    (void)move(1, 1);
    hashes[4] = kit_report(&kit).hash;
    (void)rkv_txn_keep_alive(kit.txn, 1);
    (void)kit_apply(&kit);
    hashes[5] = kit_report(&kit).hash;
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++)
            ck_assert_uint_ne(hashes[i], hashes[j]);
}
END_TEST

/* Each byte: what cannot be is refused. */
static const struct {
    uint8_t bytes[8];
    size_t len;
    int status;
    const char *why;
} commands[] = {
    {{1, 9, 2, 4}, 4, RKV_OK, "a grant"},
    {{1, 9, 2, 1}, 4, RKV_EINVAL, "for less than no time"},
    {{1, 9, 2, 4, 9, 2, 4}, 7, RKV_EMALFORMED, "two grants"},
    {{1, 10, 2}, 3, RKV_OK, "a revoke"},
    {{1, 10, 2, 10, 4}, 5, RKV_EMALFORMED, "two revokes"},
    {{1, 11, 2, 11, 4}, 5, RKV_OK, "two kept alive"},
    {{1, 11, 2, 10, 4}, 5, RKV_EMALFORMED, "one of them revoked"},
    {{1, 5, 11, 2}, 4, RKV_EMALFORMED, "behind an else"},
    {{1, 6, 11, 2, 7}, 5, RKV_EMALFORMED, "in a transaction"},
    {{1, 11, 2, 7}, 4, RKV_EMALFORMED, "an end too many"},
    {{1, 12, 1, 4}, 4, RKV_OK, "a clock"},
    {{1, 12, 1, 1}, 4, RKV_EINVAL, "before time began"},
    {{1, 12, 1, 4, 4}, 5, RKV_EMALFORMED, "a clock and more"},
    {{1, 99}, 2, RKV_EMALFORMED, "nothing that is known"},
};

START_TEST(commands_about_leases_stand_alone)
{
    ck_assert_msg(rkv_kv_check(kit.kv, commands[_i].bytes, commands[_i].len) ==
                      commands[_i].status,
                  "%s", commands[_i].why);
}
END_TEST

START_TEST(a_writer_keeps_them_alone)
{
    (void)rkv_txn_keep_alive(kit.txn, 1);
    ck_assert_int_eq(add_put(kit.txn, "a", "1", 0), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
    (void)rkv_txn_revoke(kit.txn, 1);
    ck_assert_int_eq(rkv_txn_revoke(kit.txn, 1), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
    (void)add_put(kit.txn, "a", "1", 0);
    ck_assert_int_eq(rkv_txn_grant(kit.txn, 1, 1), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(rkv_txn_clock(kit.txn, 1, -1), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
}
END_TEST

Suite *suite_kv_lease(void)
{
    Suite *suite = suite_create("kv lease");
    TCase *tcase = tcase_create("leases");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_test(tcase, a_revoke_deletes_the_keys_in_one_revision);
    tcase_add_test(tcase, without_keys_there_is_no_revision);
    tcase_add_test(tcase, an_id_is_given_or_chosen);
    tcase_add_test(tcase, a_key_has_one_lease_at_most);
    tcase_add_test(tcase, a_put_may_keep_the_lease);
    tcase_add_test(tcase, a_lease_that_is_not_there_is_said_as_etcd_says_it);
    tcase_add_test(tcase, a_lease_runs_from_where_the_clock_moves_next);
    tcase_add_test(tcase, keeping_alive_begins_anew);
    tcase_add_test(tcase, time_does_not_run_backwards);
    tcase_add_test(tcase, who_led_before_moves_nothing);
    tcase_add_test(tcase, many_end_by_one_entry_in_the_order_of_their_ends);
    tcase_add_test(tcase, a_flood_of_ends_takes_several_movements);
    tcase_add_test(tcase, a_put_with_a_time_to_live_makes_its_lease);
    tcase_add_test(tcase, such_a_lease_goes_with_its_key);
    tcase_add_test(tcase, such_a_lease_may_pass_on);
    tcase_add_test(tcase, a_time_to_live_and_a_lease_are_one_too_many);
    tcase_add_test(tcase, a_lease_of_many_keys_finds_each_of_them);
    tcase_add_test(tcase, leases_are_listed_as_they_were_granted);
    tcase_add_test(tcase, leases_come_through_a_snapshot);
    tcase_add_test(tcase, a_view_keeps_the_leases_of_its_time);
    tcase_add_test(tcase, the_hash_knows_the_leases);
    tcase_add_loop_test(tcase, commands_about_leases_stand_alone, 0,
                        sizeof(commands) / sizeof(commands[0]));
    tcase_add_test(tcase, a_writer_keeps_them_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}
