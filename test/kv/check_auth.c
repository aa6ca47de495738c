/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Users and roles: their rules, who may do what, and that all of it is part
 * of the state.
 */
#include <stdlib.h>
#include <string.h>

#include "kv/room.h"
#include "support.h"

Suite *suite_kv_auth(void);

static struct kit kit;

static void open_kit(void)
{
    kit_open(&kit, NULL);
}

static void close_kit(void)
{
    kit_close(&kit);
}

static struct rkv_bytes text(const char *of)
{
    return (struct rkv_bytes){of, strlen(of)};
}

/* "@" is the single byte 0. */
static struct rkv_bytes bound(const char *of)
{
    return strcmp(of, "@") == 0 ? (struct rkv_bytes){"", 1} : text(of);
}

static struct rkv_auth_status status(void)
{
    struct rkv_auth_status status = {.size = sizeof(status)};

    rkv_kv_auth(kit.kv, &status);
    return status;
}

/* As this user, who knows of everything. */
static void as(const char *user)
{
    if (user != NULL)
        ck_assert_int_eq(
            rkv_txn_user(kit.txn, user, strlen(user), status().revision),
            RKV_OK);
}

static int32_t add_user(const char *by, const char *name, const char *password)
{
    struct rkv_user user = {.name = text(name), .password = text(password)};

    as(by);
    (void)rkv_txn_user_add(kit.txn, &user);
    return kit_status(&kit);
}

static int32_t change_user(const char *by, const char *name, const char *role,
                           bool grants)
{
    struct rkv_user user = {.name = text(name)};
    struct rkv_role given = {.name = text(role)};

    as(by);
    if (grants)
        (void)rkv_txn_user_grant(kit.txn, &user, &given);
    else
        (void)rkv_txn_user_revoke(kit.txn, &user, &given);
    return kit_status(&kit);
}

static int32_t delete_user(const char *by, const char *name)
{
    struct rkv_user user = {.name = text(name)};

    as(by);
    (void)rkv_txn_user_delete(kit.txn, &user);
    return kit_status(&kit);
}

static int32_t change_role(const char *by, const char *name, bool adds)
{
    struct rkv_role role = {.name = text(name)};

    as(by);
    if (adds)
        (void)rkv_txn_role_add(kit.txn, &role);
    else
        (void)rkv_txn_role_delete(kit.txn, &role);
    return kit_status(&kit);
}

static int32_t permit(const char *by, const char *name, uint32_t access,
                      const char *key, const char *end)
{
    struct rkv_role role = {.name = text(name)};
    struct rkv_permission permission = {
        .access = access, .key = bound(key), .end = bound(end)};

    as(by);
    if (access != 0)
        (void)rkv_txn_role_grant(kit.txn, &role, &permission);
    else
        (void)rkv_txn_role_revoke(kit.txn, &role, &permission);
    return kit_status(&kit);
}

static int32_t enable(const char *by, bool enabled)
{
    as(by);
    (void)rkv_txn_auth_enable(kit.txn, enabled);
    return kit_status(&kit);
}

/* root, and amy, who may read [a, m) and write [g, z). */
static void begin(void)
{
    ck_assert_int_eq(add_user(NULL, "root", "r"), RKV_OK);
    ck_assert_int_eq(change_user(NULL, "root", "root", true), RKV_OK);
    ck_assert_int_eq(add_user(NULL, "amy", "a"), RKV_OK);
    ck_assert_int_eq(change_role(NULL, "half", true), RKV_OK);
    ck_assert_int_eq(permit(NULL, "half", RKV_READ, "a", "m"), RKV_OK);
    ck_assert_int_eq(permit(NULL, "half", RKV_WRITE, "g", "z"), RKV_OK);
    ck_assert_int_eq(change_user(NULL, "amy", "half", true), RKV_OK);
    ck_assert_int_eq(enable(NULL, true), RKV_OK);
}

START_TEST(enabling_needs_root)
{
    ck_assert_int_eq(enable(NULL, true), RKV_ENOUSER);
    ck_assert_int_eq(add_user(NULL, "root", ""), RKV_OK);
    ck_assert_int_eq(enable(NULL, true), RKV_EROOT);
    ck_assert_int_eq(change_user(NULL, "root", "root", true), RKV_OK);
    ck_assert_int_eq(enable(NULL, true), RKV_OK);
    ck_assert_uint_eq(status().enabled, 1);
    ck_assert_int_eq(enable("root", true), RKV_OK);
    ck_assert_int_eq(enable(NULL, false), RKV_ENOUSER);
    ck_assert_int_eq(enable("root", false), RKV_OK);
    ck_assert_uint_eq(status().enabled, 0);
}
END_TEST

START_TEST(each_change_makes_a_revision_and_nothing_else_does)
{
    ck_assert_uint_eq(status().revision, 1);
    (void)add_user(NULL, "root", "");
    ck_assert_uint_eq(status().revision, 2);
    ck_assert_int_eq(add_user(NULL, "root", ""), RKV_EEXIST);
    (void)change_user(NULL, "root", "root", true);
    (void)change_user(NULL, "root", "root", true);
    ck_assert_uint_eq(status().revision, 3);
    (void)enable(NULL, true);
    ck_assert_uint_eq(status().revision, 3);
    (void)enable("root", false);
    ck_assert_uint_eq(status().revision, 4);
    (void)kit_put(&kit, "a", "1");
    ck_assert_uint_eq(status().revision, 4);
    ck_assert_int_eq(kit_report(&kit).revision, 2);
}
END_TEST

START_TEST(what_is_not_there_is_said)
{
    struct rkv_user nobody = {.name = text("nobody"), .password = text("x")};

    ck_assert_int_eq(delete_user(NULL, "nobody"), RKV_ENOUSER);
    (void)rkv_txn_user_password(kit.txn, &nobody);
    ck_assert_int_eq(kit_status(&kit), RKV_ENOUSER);
    ck_assert_int_eq(change_user(NULL, "nobody", "root", true), RKV_ENOUSER);
    ck_assert_int_eq(change_role(NULL, "none", false), RKV_ENOROLE);
    ck_assert_int_eq(permit(NULL, "none", RKV_READ, "a", ""), RKV_ENOROLE);
    ck_assert_int_eq(permit(NULL, "none", 0, "a", ""), RKV_ENOROLE);
    (void)add_user(NULL, "amy", "");
    ck_assert_int_eq(change_user(NULL, "amy", "none", true), RKV_ENOROLE);
    ck_assert_int_eq(change_user(NULL, "amy", "none", false), RKV_ENOTFOUND);
    ck_assert_int_eq(change_role(NULL, "some", true), RKV_OK);
    ck_assert_int_eq(change_role(NULL, "some", true), RKV_EEXIST);
    ck_assert_int_eq(permit(NULL, "some", 0, "a", ""), RKV_ENOTFOUND);
}
END_TEST

START_TEST(root_stays_root_while_it_matters)
{
    begin();
    ck_assert_int_eq(delete_user("root", "root"), RKV_EROOT);
    ck_assert_int_eq(change_user("root", "root", "root", false), RKV_EROOT);
    ck_assert_int_eq(change_role("root", "root", false), RKV_EROOT);
    ck_assert_int_eq(enable("root", false), RKV_OK);
    ck_assert_int_eq(change_user(NULL, "root", "root", false), RKV_OK);
    ck_assert_int_eq(delete_user(NULL, "root"), RKV_OK);
}
END_TEST

START_TEST(a_role_that_goes_is_taken_from_everybody)
{
    const struct rkv_user *users;

    begin();
    ck_assert_int_eq(rkv_kv_permit(kit.kv, "amy", 3, RKV_READ, "b", 1, NULL, 0),
                     RKV_OK);
    ck_assert_int_eq(change_role("root", "half", false), RKV_OK);
    ck_assert_uint_eq(rkv_kv_users(kit.kv, &users), 2);
    ck_assert_uint_eq(users[0].roles_count, 0);
    ck_assert_int_eq(rkv_kv_permit(kit.kv, "amy", 3, RKV_READ, "b", 1, NULL, 0),
                     RKV_EDENIED);
}
END_TEST

START_TEST(the_same_keys_again_change_the_access)
{
    const struct rkv_role *roles;

    begin();
    ck_assert_int_eq(permit("root", "half", RKV_READ | RKV_WRITE, "a", "m"),
                     RKV_OK);
    ck_assert_uint_eq(rkv_kv_roles(kit.kv, &roles), 1);
    ck_assert_uint_eq(roles->permissions_count, 2);
    ck_assert_uint_eq(roles->permissions[0].access, RKV_READ | RKV_WRITE);
    ck_assert_int_eq(permit("root", "half", 0, "a", "m"), RKV_OK);
    ck_assert_uint_eq(rkv_kv_roles(kit.kv, &roles), 1);
    ck_assert_uint_eq(roles->permissions_count, 1);
    ck_assert_mem_eq(roles->permissions[0].key.data, "g", 1);
}
END_TEST

/* What amy may do, each alone in a command and deep inside one. */
enum { PUT, DELETE, RANGE, COMPARE };
static const struct {
    int what;
    const char *key;
    const char *end;
    uint32_t flags;
    bool may;
} deeds[] = {
    {PUT, "h", NULL, 0, true},
    {PUT, "b", NULL, 0, false},
    {PUT, "h", NULL, RKV_PUT_PREV, true},
    {PUT, "y", NULL, RKV_PUT_PREV, false},
    {DELETE, "g", "z", 0, true},
    {DELETE, "g", "@", 0, false},
    {DELETE, "f", "h", 0, false},
    {DELETE, "g", "m", RKV_RANGE_PREV, true},
    {DELETE, "g", "n", RKV_RANGE_PREV, false},
    {RANGE, "a", "m", 0, true},
    {RANGE, "a", "n", 0, false},
    {RANGE, "b", NULL, 0, true},
    {RANGE, "a", "@", 0, false},
    {RANGE, "y", NULL, 0, false},
    {RANGE, "m", "a", 0, false},
    {RANGE, "c", "b", 0, true},
    {COMPARE, "b", NULL, 0, true},
    {COMPARE, "y", NULL, 0, false},
};

static void write_deed(int i)
{
    if (deeds[i].what == PUT)
        (void)add_put(kit.txn, deeds[i].key, "1", deeds[i].flags);
    if (deeds[i].what == DELETE)
        (void)add_delete(kit.txn, deeds[i].key, deeds[i].end, deeds[i].flags);
    if (deeds[i].what == RANGE)
        (void)add_range(kit.txn, deeds[i].key, deeds[i].end, 0, 0, 0);
    if (deeds[i].what == COMPARE)
        (void)add_number(kit.txn, RKV_COMPARE_VERSION, RKV_EQUAL, deeds[i].key,
                         0);
}

START_TEST(a_user_may_do_what_the_roles_say)
{
    int32_t expected = deeds[_i].may ? RKV_OK : RKV_EDENIED;

    begin();
    as("amy");
    write_deed(_i);
    ck_assert_int_eq(kit_status(&kit), expected);
    /* In the branch that does not run, in a transaction inside. */
    as("amy");
    (void)rkv_txn_else(kit.txn);
    (void)rkv_txn_begin(kit.txn);
    write_deed(_i);
    (void)rkv_txn_end(kit.txn);
    ck_assert_int_eq(kit_status(&kit), expected);
    as("root");
    write_deed(_i);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
}
END_TEST

START_TEST(whose_it_is_must_be_said)
{
    begin();
    ck_assert_int_eq(delete_user(NULL, "amy"), RKV_ENOUSER);
    (void)add_put(kit.txn, "h", "1", 0);
    ck_assert_int_eq(kit_status(&kit), RKV_ENOUSER);
    as("nobody");
    (void)add_put(kit.txn, "h", "1", 0);
    ck_assert_int_eq(kit_status(&kit), RKV_EDENIED);
    (void)rkv_txn_user(kit.txn, "amy", 3, status().revision - 1);
    (void)add_put(kit.txn, "h", "1", 0);
    ck_assert_int_eq(kit_status(&kit), RKV_EOLDAUTH);
    ck_assert_int_eq(kit_report(&kit).revision, 1);
}
END_TEST

static int32_t put_leased(const char *by, const char *key, int64_t lease)
{
    struct rkv_put put = {.size = sizeof(put),
                          .key = key,
                          .key_len = strlen(key),
                          .lease = lease};

    as(by);
    (void)rkv_txn_put(kit.txn, &put);
    return kit_status(&kit);
}

/* Written by somebody who has not heard of the last change. */
static void as_of_before(const char *user)
{
    ck_assert_int_eq(
        rkv_txn_user(kit.txn, user, strlen(user), status().revision - 1),
        RKV_OK);
}

START_TEST(what_is_for_root_asks_who_is_root_now)
{
    const struct rkv_user user = {.name = text("ben"), .password = text("p")};

    begin();
    as_of_before("root");
    (void)rkv_txn_user_add(kit.txn, &user);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    as_of_before("root");
    ck_assert_int_eq(kit_compact(&kit, 1), RKV_OK);
    as_of_before("amy");
    (void)rkv_txn_user_add(kit.txn, &user);
    ck_assert_int_eq(kit_status(&kit), RKV_EDENIED);
    ck_assert_int_eq(add_user("nobody", "cat", "p"), RKV_ENOUSER);
}
END_TEST

START_TEST(a_lease_without_keys_asks_only_for_a_user)
{
    begin();
    as_of_before("amy");
    (void)rkv_txn_grant(kit.txn, 7, 1000);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    as_of_before("amy");
    (void)rkv_txn_keep_alive(kit.txn, 7);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    as("nobody");
    (void)rkv_txn_keep_alive(kit.txn, 7);
    ck_assert_int_eq(kit_status(&kit), RKV_EDENIED);
    ck_assert_int_eq(put_leased("root", "h", 7), RKV_OK);
    as_of_before("amy");
    (void)rkv_txn_keep_alive(kit.txn, 7);
    ck_assert_int_eq(kit_status(&kit), RKV_EOLDAUTH);
    as_of_before("amy");
    (void)rkv_txn_revoke(kit.txn, 7);
    ck_assert_int_eq(kit_status(&kit), RKV_EOLDAUTH);
    as_of_before("amy");
    (void)rkv_txn_revoke(kit.txn, 8);
    ck_assert_int_eq(kit_status(&kit), RKV_ELEASE);
}
END_TEST

START_TEST(the_rest_is_for_root)
{
    begin();
    ck_assert_int_eq(add_user("amy", "ben", ""), RKV_EDENIED);
    ck_assert_int_eq(change_role("amy", "new", true), RKV_EDENIED);
    ck_assert_int_eq(permit("amy", "half", RKV_READ, "z", ""), RKV_EDENIED);
    ck_assert_int_eq(enable("amy", false), RKV_EDENIED);
    as("amy");
    ck_assert_int_eq(kit_compact(&kit, 1), RKV_EDENIED);
    as("amy");
    (void)rkv_txn_quota(kit.txn, 1);
    ck_assert_int_eq(kit_status(&kit), RKV_EDENIED);
    as("root");
    ck_assert_int_eq(kit_compact(&kit, 1), RKV_OK);
    /* The clock is moved by nodes, whoever may log in. */
    (void)rkv_txn_clock(kit.txn, 1, 1);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
}
END_TEST

/* Who revokes a lease deletes keys that somebody else may have put. */
START_TEST(a_lease_belongs_to_who_may_write_its_keys)
{
    begin();
    as("amy");
    (void)rkv_txn_grant(kit.txn, 5, 1000);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    ck_assert_int_eq(put_leased("amy", "h", 5), RKV_OK);
    as("amy");
    (void)rkv_txn_keep_alive(kit.txn, 5);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    ck_assert_int_eq(put_leased("root", "b", 5), RKV_OK);
    as("amy");
    (void)rkv_txn_revoke(kit.txn, 5);
    ck_assert_int_eq(kit_status(&kit), RKV_EDENIED);
    as("amy");
    (void)rkv_txn_keep_alive(kit.txn, 5);
    ck_assert_int_eq(kit_status(&kit), RKV_EDENIED);
    ck_assert_int_eq(put_leased("amy", "i", 5), RKV_EDENIED);
    as("root");
    (void)rkv_txn_revoke(kit.txn, 5);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
}
END_TEST

/* What was refused is not what became of the command. */
START_TEST(a_denied_command_is_not_the_sessions)
{
    uint64_t session;

    begin();
    as("amy");
    (void)rkv_txn_open_session(kit.txn);
    session = kit_apply(&kit)->responses->session;
    as("amy");
    (void)rkv_txn_session(kit.txn, session, 1);
    (void)add_put(kit.txn, "b", "1", 0);
    ck_assert_int_eq(kit_status(&kit), RKV_EDENIED);
    as("root");
    (void)rkv_txn_session(kit.txn, session, 1);
    (void)add_put(kit.txn, "b", "1", 0);
    ck_assert_uint_eq(kit_apply(&kit)->replayed, 0);
    ck_assert_str_eq(kit_get(&kit, "b", 0), "1");
}
END_TEST

START_TEST(while_it_is_not_enabled_everybody_may)
{
    ck_assert_int_eq(rkv_kv_permit(kit.kv, NULL, 0, RKV_READ, "a", 1, NULL, 0),
                     RKV_OK);
    ck_assert_int_eq(rkv_kv_is_root(kit.kv, NULL, 0), RKV_OK);
    as("nobody");
    (void)add_put(kit.txn, "a", "1", 0);
    ck_assert_int_eq(kit_status(&kit), RKV_OK);
    begin();
    ck_assert_int_eq(rkv_kv_permit(kit.kv, NULL, 0, RKV_READ, "a", 1, NULL, 0),
                     RKV_EDENIED);
    ck_assert_int_eq(rkv_kv_is_root(kit.kv, "amy", 3), RKV_EDENIED);
    ck_assert_int_eq(rkv_kv_is_root(kit.kv, "root", 4), RKV_OK);
    ck_assert_int_eq(rkv_kv_permit(kit.kv, "amy", 3, RKV_READ, "", 0, NULL, 0),
                     RKV_EKEY);
    ck_assert_int_eq(rkv_kv_permit(kit.kv, "amy", 3, 4, "a", 1, NULL, 0),
                     RKV_EINVAL);
}
END_TEST

START_TEST(users_and_roles_come_through_a_snapshot)
{
    uint64_t hash = kit_report(&kit).hash;
    struct rkv_kv_status before, after;
    struct rkv_mass held;
    struct kit other;
    uint8_t *data;
    size_t len;

    begin();
    ck_assert_uint_ne(kit_report(&kit).hash, hash);
    kit_open(&other, NULL);
    data = kit_snapshot(&kit, &len);
    ck_assert_int_eq(kit_restore(&other, data, len), RKV_OK);
    before = kit_report(&kit);
    after = kit_report(&other);
    ck_assert_mem_eq(&before, &after, sizeof(before));
    ck_assert_uint_eq(rkv_state_rehash(other.kv->state, &held), after.hash);
    ck_assert_int_eq(
        rkv_kv_permit(other.kv, "amy", 3, RKV_READ, "b", 1, NULL, 0), RKV_OK);
    ck_assert_int_eq(
        rkv_kv_permit(other.kv, "amy", 3, RKV_WRITE, "b", 1, NULL, 0),
        RKV_EDENIED);
    /* No byte of it can be another. */
    for (size_t i = 8; i < len; i++) {
        data[i] ^= 1;
        ck_assert_int_ne(kit_restore(&other, data, len), RKV_OK);
        data[i] ^= 1;
    }
    free(data);
    kit_close(&other);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    struct kit source = kit;

    for (int left = 0; left < 60; left++) {
        struct rkv_user user = {.name = text("root"), .password = text("p")};
        struct rkv_role role = {.name = text("root")};
        struct rkv_permission permission = {
            .access = RKV_READ, .key = text("a"), .end = text("b")};
        int error = RKV_OK;

        kit_open(&kit, NULL);
        kit.heap.left = left;
        for (int step = 0; step < 7 && error == RKV_OK; step++) {
            const struct rkv_result *result;
            const void *data;
            size_t len;

            rkv_txn_reset(kit.txn);
            if (step == 0)
                (void)rkv_txn_user_add(kit.txn, &user);
            else if (step == 1)
                (void)rkv_txn_role_add(kit.txn, &role);
            else if (step == 2)
                (void)rkv_txn_role_grant(kit.txn, &role, &permission);
            else if (step == 3)
                (void)rkv_txn_user_grant(kit.txn, &user, &role);
            else if (step == 4)
                (void)rkv_txn_user_password(kit.txn, &user);
            else if (step == 5)
                (void)rkv_txn_role_revoke(kit.txn, &role, &permission);
            else
                (void)rkv_txn_role_delete(kit.txn, &role);
            error = rkv_txn_encode(kit.txn, &data, &len);
            if (error == RKV_OK)
                error = rkv_kv_apply(kit.kv, ++kit.index, data, len, &result);
            if (error == RKV_OK)
                ck_assert_int_eq(result->status, RKV_OK);
        }
        ck_assert(error == RKV_OK || error == RKV_ENOMEM);
        kit.heap.left = -1;
        kit_close(&kit);
    }
    kit = source;
}
END_TEST

static const struct {
    uint8_t bytes[14];
    size_t len;
    int status;
    const char *why;
} commands[] = {
    {{1, 16, 1}, 3, RKV_OK, "enabled"},
    {{1, 16, 2}, 3, RKV_EINVAL, "neither nor"},
    {{1, 17, 1, 'a', 0}, 5, RKV_OK, "a user"},
    {{1, 17, 0, 0}, 4, RKV_EKEY, "without a name"},
    {{1, 18, 1, 'a'}, 4, RKV_OK, "deleted"},
    {{1, 20, 1, 'a', 0}, 5, RKV_EKEY, "no role"},
    {{1, 24, 1, 1, 'r', 1, 'k', 0}, 8, RKV_OK, "a permission"},
    {{1, 24, 0, 1, 'r', 1, 'k', 0}, 8, RKV_EINVAL, "to do nothing"},
    {{1, 24, 4, 1, 'r', 1, 'k', 0}, 8, RKV_EINVAL, "to do what is unknown"},
    {{1, 24, 1, 1, 'r', 0, 0}, 7, RKV_EINVAL, "on no key"},
    {{1, 24, 1, 1, 'r', 1, 'k', 1, 'k'}, 9, RKV_EINVAL, "on no keys"},
    {{1, 24, 1, 1, 'r', 1, 'k', 1, 0}, 9, RKV_OK, "on all from there on"},
    {{1, 24, 1, 0, 1, 'k', 0}, 7, RKV_EKEY, "of no role"},
    {{1, 24}, 2, RKV_EMALFORMED, "that is not there"},
    {{1, 26, 1, 'a', 1, 22, 1, 'r'}, 8, RKV_OK, "somebody's"},
    {{1, 26, 0, 1, 22, 1, 'r'}, 7, RKV_EMALFORMED, "nobody's"},
    {{1, 15, 1, 1, 26, 1, 'a', 1}, 8, RKV_EMALFORMED, "a user behind"},
    {{1, 26, 1, 'a', 1, 15, 1, 1}, 8, RKV_OK, "a user in front"},
    {{1, 22, 1, 'r', 22, 1, 's'}, 7, RKV_EMALFORMED, "two roles"},
};

START_TEST(bytes_about_users_are_checked)
{
    ck_assert_msg(rkv_kv_check(kit.kv, commands[_i].bytes, commands[_i].len) ==
                      commands[_i].status,
                  "%s", commands[_i].why);
}
END_TEST

START_TEST(a_writer_refuses_what_cannot_be)
{
    struct rkv_user user = {.name = text("")};
    struct rkv_role role = {.name = text("r")};
    struct rkv_permission permission = {.access = RKV_READ};

    ck_assert_int_eq(rkv_txn_user_add(kit.txn, &user), RKV_EKEY);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(rkv_txn_user_add(kit.txn, NULL), RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    ck_assert_int_eq(rkv_txn_role_grant(kit.txn, &role, &permission), RKV_EKEY);
    rkv_txn_reset(kit.txn);
    permission.key = text("b");
    permission.end = text("a");
    ck_assert_int_eq(rkv_txn_role_grant(kit.txn, &role, &permission),
                     RKV_EINVAL);
    rkv_txn_reset(kit.txn);
    (void)rkv_txn_session(kit.txn, 1, 1);
    ck_assert_int_eq(rkv_txn_user(kit.txn, "a", 1, 1), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
    (void)rkv_txn_user(kit.txn, "a", 1, 1);
    ck_assert_int_eq(rkv_txn_user(kit.txn, "a", 1, 1), RKV_ESTATE);
    rkv_txn_reset(kit.txn);
}
END_TEST

Suite *suite_kv_auth(void)
{
    Suite *suite = suite_create("kv auth");
    TCase *tcase = tcase_create("auth");

    tcase_add_checked_fixture(tcase, open_kit, close_kit);
    tcase_add_test(tcase, enabling_needs_root);
    tcase_add_test(tcase, each_change_makes_a_revision_and_nothing_else_does);
    tcase_add_test(tcase, what_is_not_there_is_said);
    tcase_add_test(tcase, root_stays_root_while_it_matters);
    tcase_add_test(tcase, a_role_that_goes_is_taken_from_everybody);
    tcase_add_test(tcase, the_same_keys_again_change_the_access);
    tcase_add_loop_test(tcase, a_user_may_do_what_the_roles_say, 0,
                        sizeof(deeds) / sizeof(deeds[0]));
    tcase_add_test(tcase, whose_it_is_must_be_said);
    tcase_add_test(tcase, what_is_for_root_asks_who_is_root_now);
    tcase_add_test(tcase, a_lease_without_keys_asks_only_for_a_user);
    tcase_add_test(tcase, the_rest_is_for_root);
    tcase_add_test(tcase, a_lease_belongs_to_who_may_write_its_keys);
    tcase_add_test(tcase, a_denied_command_is_not_the_sessions);
    tcase_add_test(tcase, while_it_is_not_enabled_everybody_may);
    tcase_add_test(tcase, users_and_roles_come_through_a_snapshot);
    tcase_add_test(tcase, every_allocation_may_fail);
    tcase_add_loop_test(tcase, bytes_about_users_are_checked, 0,
                        sizeof(commands) / sizeof(commands[0]));
    tcase_add_test(tcase, a_writer_refuses_what_cannot_be);
    suite_add_tcase(suite, tcase);
    return suite;
}
