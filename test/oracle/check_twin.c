/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The twin agrees with the store over random programs.
 */
#include "stage.h"

Suite *suite_oracle_twin(void);

static uint64_t below(struct stage *stage, uint64_t bound)
{
    return rkv_prng_below(&stage->prng, bound);
}

/* ---- agreement ---- */

static const char *some_key(struct stage *stage)
{
    static const char *const keys[] = {"a", "ab", "b", "c", "d", "da"};

    return keys[below(stage, 6)];
}

static const char *some_end(struct stage *stage)
{
    static const char *const ends[] = {NULL, NULL, "c", "z", "@"};

    return ends[below(stage, 5)];
}

static int64_t some_lease(struct stage *stage)
{
    size_t count = stage->twin.leases_count;

    if (count == 0 || below(stage, 4) == 0)
        return (int64_t)below(stage, 4);
    return stage->twin.leases[below(stage, count)].id;
}

static void write_put(struct stage *stage, const char *key)
{
    struct rkv_put put = {.size = sizeof put,
                          .key = key,
                          .key_len = strlen(key),
                          .value = "12345",
                          .value_len = below(stage, 6),
                          .flags = below(stage, 3) == 0 ? RKV_PUT_PREV : 0};

    if (below(stage, 3) == 0)
        put.lease = some_lease(stage);
    else if (below(stage, 6) == 0)
        put.ttl = 1 + (int64_t)below(stage, 50);
    (void)rkv_txn_put(stage->kit.txn, &put);
}

static void write_range(struct stage *stage)
{
    struct rkv_range range = range_of(some_key(stage), some_end(stage));

    range.limit = (int64_t)below(stage, 4);
    range.offset = (int64_t)below(stage, 3);
    range.sort = (uint32_t)below(stage, 5);
    range.order = (uint32_t)below(stage, 3);
    range.flags = (uint32_t)below(stage, 3);
    if (below(stage, 3) == 0)
        range.revision =
            (int64_t)below(stage, (uint64_t)stage->twin.revision + 2);
    if (below(stage, 3) == 0)
        range.min_mod = (int64_t)below(stage, 5);
    (void)rkv_txn_range(stage->kit.txn, &range);
}

static void write_txn(struct stage *stage, int depth)
{
    rkv_txn *txn = stage->kit.txn;

    if (below(stage, 2) == 0)
        (void)add_number(txn, (uint32_t)below(stage, 3),
                         (uint32_t)below(stage, 4), some_key(stage),
                         (int64_t)below(stage, 4));
    if (below(stage, 4) == 0)
        (void)add_value(txn, (uint32_t)below(stage, 4), some_key(stage), "12");
    write_put(stage, depth == 0 ? "a" : "b");
    write_range(stage);
    if (depth == 0 && below(stage, 2) == 0) {
        (void)rkv_txn_begin(txn);
        write_txn(stage, 1);
        (void)rkv_txn_end(txn);
    }
    (void)rkv_txn_else(txn);
    (void)add_delete(txn, depth == 0 ? some_key(stage) : "c", NULL,
                     RKV_RANGE_PREV);
    write_range(stage);
}

static void write_lease(struct stage *stage)
{
    rkv_txn *txn = stage->kit.txn;
    int64_t clock = stage->twin.clock;

    switch (below(stage, 4)) {
    case 0:
        (void)rkv_txn_grant(txn, (int64_t)below(stage, 6),
                            1 + (int64_t)below(stage, 60));
        break;
    case 1:
        (void)rkv_txn_revoke(txn, some_lease(stage));
        break;
    case 2:
        (void)rkv_txn_keep_alive(txn, some_lease(stage));
        (void)rkv_txn_keep_alive(txn, some_lease(stage));
        break;
    default:
        (void)rkv_txn_clock(txn, below(stage, 3) + stage->kit.index / 100,
                            clock + (int64_t)below(stage, 25));
    }
}

static void write_plain(struct stage *stage)
{
    switch (below(stage, 10)) {
    case 0:
    case 1:
        write_lease(stage);
        break;
    case 2:
        (void)add_delete(stage->kit.txn, some_key(stage), some_end(stage),
                         RKV_RANGE_PREV);
        break;
    case 3:
    case 4:
        write_txn(stage, 0);
        break;
    case 5:
        if (below(stage, 3) == 0)
            (void)rkv_txn_compact(stage->kit.txn,
                                  stage->twin.revision + 1 -
                                      (int64_t)below(stage, 20));
        else
            (void)rkv_txn_quota(
                stage->kit.txn,
                below(stage, 2) == 0 ? 0 : (int64_t)below(stage, 20000));
        break;
    case 6:
        write_range(stage);
        break;
    default:
        write_put(stage, some_key(stage));
    }
}

static void write_any(struct stage *stage)
{
    if (stage->session == 0) {
        (void)rkv_txn_open_session(stage->kit.txn);
        stage->session = step(stage)->responses->session;
    }
    if (below(stage, 5) == 0) {
        stage->sequence += below(stage, 2);
        (void)rkv_txn_session(stage->kit.txn, stage->session,
                              stage->sequence + 1 -
                                  below(stage, 2) * (stage->sequence > 0));
    }
    write_plain(stage);
}

START_TEST(the_twin_agrees_over_random_programs)
{
    struct stage stage;

    stage_open(&stage, (uint64_t)_i);
    for (int i = 0; i < 600 && stage.verdict.broken == NULL; i++) {
        write_any(&stage);
        (void)step(&stage);
        if (i % 100 == 99)
            twin_check_all(&stage.twin, stage.kit.kv);
    }
    ck_assert_msg(stage.verdict.broken == NULL, "%s: %s", stage.verdict.broken,
                  stage.verdict.detail);
    stage_close(&stage);
}
END_TEST

/* ---- users and roles ---- */

static struct rkv_bytes bytes_of(const char *text)
{
    return (struct rkv_bytes){text, strlen(text)};
}

static void grant(struct stage *stage, const char *role, const char *key,
                  const char *end, uint32_t access)
{
    const struct rkv_role r = {.name = bytes_of(role)};
    struct rkv_permission p = {.access = access, .key = bytes_of(key)};

    if (end != NULL)
        p.end =
            strcmp(end, "@") == 0 ? (struct rkv_bytes){"", 1} : bytes_of(end);
    (void)rkv_txn_role_grant(stage->kit.txn, &r, &p);
    ck_assert_int_eq(step(stage)->status, RKV_OK);
}

/* root, and one user who may write a..c and read c..e and x on. */
static void set_up_users(struct stage *stage)
{
    const struct rkv_user root = {.name = bytes_of("root")};
    const struct rkv_user user = {.name = bytes_of("u")};
    const struct rkv_role role = {.name = bytes_of("r")};
    const struct rkv_role root_role = {.name = bytes_of("root")};
    rkv_txn *txn = stage->kit.txn;

    (void)rkv_txn_user_add(txn, &root);
    (void)step(stage);
    (void)rkv_txn_user_grant(txn, &root, &root_role);
    (void)step(stage);
    (void)rkv_txn_user_add(txn, &user);
    (void)step(stage);
    (void)rkv_txn_role_add(txn, &role);
    (void)step(stage);
    (void)rkv_txn_user_grant(txn, &user, &role);
    (void)step(stage);
    grant(stage, "r", "a", "b", RKV_WRITE);
    grant(stage, "r", "b", NULL, RKV_READ | RKV_WRITE);
    grant(stage, "r", "ba", "c", RKV_WRITE);
    grant(stage, "r", "c", "e", RKV_READ);
    grant(stage, "r", "x", "@", RKV_READ);
    (void)rkv_txn_auth_enable(txn, 1);
    ck_assert_int_eq(step(stage)->status, RKV_OK);
}

START_TEST(the_twin_agrees_about_rights)
{
    static const char *const keys[] = {"a", "ab", "b", "b\1", "ba", "c",
                                       "d", "e",  "w", "x",   "y"};
    struct stage stage;
    const struct text user = {(const uint8_t *)"u", 1};
    uint64_t allowed = 0;

    stage_open(&stage, 1);
    set_up_users(&stage);
    for (int i = 0; i < 3000; i++) {
        const char *key = keys[below(&stage, 11)];
        const char *end = keys[below(&stage, 11)];
        const struct span span = {{(const uint8_t *)key, strlen(key)},
                                  {(const uint8_t *)end, strcmp(key, end) < 0
                                                             ? strlen(end)
                                                             : i % 9 == 0}};
        uint32_t access = 1 + (uint32_t)below(&stage, 3);
        struct span asked = span;

        if (asked.end.len == 1 && strcmp(key, end) >= 0)
            asked.end.bytes = (const uint8_t *)"";
        bool ours = twin_permits(&stage.twin, user, access, &asked);
        allowed += ours;
        ck_assert_int_eq(rkv_kv_permit(stage.kit.kv, "u", 1, access, key,
                                       strlen(key), asked.end.bytes,
                                       asked.end.len),
                         ours ? RKV_OK : RKV_EDENIED);
    }
    ck_assert_uint_gt(allowed, 300);
    twin_check_all(&stage.twin, stage.kit.kv);
    ck_assert_ptr_null(stage.verdict.broken);
    stage_close(&stage);
}
END_TEST

START_TEST(what_is_denied_is_denied_in_both)
{
    struct stage stage;
    const struct rkv_result *result;

    stage_open(&stage, 1);
    set_up_users(&stage);
    (void)rkv_txn_user(stage.kit.txn, "u", 1, 99);
    (void)add_put(stage.kit.txn, "c", "no", 0);
    ck_assert_int_eq(step(&stage)->status, RKV_EDENIED);
    (void)rkv_txn_user(stage.kit.txn, "u", 1, 1);
    (void)add_put(stage.kit.txn, "a", "no", 0);
    ck_assert_int_eq(step(&stage)->status, RKV_EOLDAUTH);
    (void)rkv_txn_user(stage.kit.txn, "u", 1, 99);
    (void)add_put(stage.kit.txn, "a", "yes", 0);
    result = step(&stage);
    ck_assert_int_eq(result->status, RKV_OK);
    ck_assert_ptr_null(stage.verdict.broken);
    stage_close(&stage);
}
END_TEST

/* What needs root asks who is that now; a lease that no key names asks only for
 * a user. */
START_TEST(old_knowledge_is_enough_for_the_same_in_both)
{
    const struct rkv_user fresh = {.name = bytes_of("v")};
    const struct rkv_put leased = {.size = sizeof leased,
                                   .key = "a",
                                   .key_len = 1,
                                   .value = "leased",
                                   .value_len = 6,
                                   .lease = 7};
    struct stage stage;
    rkv_txn *txn;

    stage_open(&stage, 1);
    set_up_users(&stage);
    txn = stage.kit.txn;
    (void)rkv_txn_user(txn, "root", 4, 1);
    (void)rkv_txn_user_add(txn, &fresh);
    ck_assert_int_eq(step(&stage)->status, RKV_OK);
    (void)rkv_txn_user(txn, "u", 1, 1);
    (void)rkv_txn_compact(txn, 1);
    ck_assert_int_eq(step(&stage)->status, RKV_EDENIED);
    (void)rkv_txn_user(txn, "nobody", 6, 99);
    (void)rkv_txn_compact(txn, 1);
    ck_assert_int_eq(step(&stage)->status, RKV_ENOUSER);
    (void)rkv_txn_user(txn, "u", 1, 1);
    (void)rkv_txn_grant(txn, 7, 1000);
    ck_assert_int_eq(step(&stage)->status, RKV_OK);
    (void)rkv_txn_user(txn, "root", 4, 99);
    (void)rkv_txn_put(txn, &leased);
    ck_assert_int_eq(step(&stage)->status, RKV_OK);
    (void)rkv_txn_user(txn, "u", 1, 1);
    (void)rkv_txn_revoke(txn, 7);
    ck_assert_int_eq(step(&stage)->status, RKV_EOLDAUTH);
    (void)rkv_txn_user(txn, "u", 1, 1);
    (void)rkv_txn_revoke(txn, 8);
    ck_assert_int_eq(step(&stage)->status, RKV_ELEASE);
    ck_assert_ptr_null(stage.verdict.broken);
    stage_close(&stage);
}
END_TEST

Suite *suite_oracle_twin(void)
{
    Suite *suite = suite_create("oracle twin");
    TCase *agree = tcase_create("agreement");

    tcase_add_loop_test(agree, the_twin_agrees_over_random_programs, 0, 20);
    tcase_add_test(agree, the_twin_agrees_about_rights);
    tcase_add_test(agree, what_is_denied_is_denied_in_both);
    tcase_add_test(agree, old_knowledge_is_enough_for_the_same_in_both);
    suite_add_tcase(suite, agree);
    return suite;
}
