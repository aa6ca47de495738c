/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The twin sees every lie that is told it about a store.
 */
#include "stage.h"

Suite *suite_oracle_lies(void);

/* What one command came to, told with one thing changed. */
struct lie {
    const char *name;
    void (*tell)(struct rkv_result *result, struct rkv_response *responses,
                 struct rkv_item *items);
};

static void lie_status(struct rkv_result *result, struct rkv_response *r,
                       struct rkv_item *items)
{
    (void)r;
    (void)items;
    result->status = RKV_EKEY;
}
static void lie_branch(struct rkv_result *result, struct rkv_response *r,
                       struct rkv_item *items)
{
    (void)r;
    (void)items;
    result->succeeded = 0;
}
static void lie_revision(struct rkv_result *result, struct rkv_response *r,
                         struct rkv_item *items)
{
    (void)r;
    (void)items;
    result->revision++;
}
static void lie_missing(struct rkv_result *result, struct rkv_response *r,
                        struct rkv_item *items)
{
    (void)r;
    (void)items;
    result->responses_count--;
}
static void lie_count(struct rkv_result *result, struct rkv_response *r,
                      struct rkv_item *items)
{
    (void)result;
    (void)items;
    r[1].count--;
}
static void lie_more(struct rkv_result *result, struct rkv_response *r,
                     struct rkv_item *items)
{
    (void)result;
    (void)items;
    r[1].more = 1;
}
static void lie_value(struct rkv_result *result, struct rkv_response *r,
                      struct rkv_item *items)
{
    (void)result;
    (void)r;
    items[0].value = "old";
}
static void lie_version(struct rkv_result *result, struct rkv_response *r,
                        struct rkv_item *items)
{
    (void)result;
    (void)r;
    items[1].version++;
}
static void lie_order(struct rkv_result *result, struct rkv_response *r,
                      struct rkv_item *items)
{
    struct rkv_item held = items[0];

    (void)result;
    (void)r;
    items[0] = items[1];
    items[1] = held;
}
static void lie_resurrect(struct rkv_result *result, struct rkv_response *r,
                          struct rkv_item *items)
{
    (void)result;
    items[2] = items[1];
    items[2].key = "c";
    r[1].items_count = 3;
}
static void lie_create(struct rkv_result *result, struct rkv_response *r,
                       struct rkv_item *items)
{
    (void)result;
    (void)r;
    items[0].create_revision--;
}

static const struct lie lies[] = {
    {"another status", lie_status},     {"the other branch", lie_branch},
    {"a later revision", lie_revision}, {"a response less", lie_missing},
    {"a key less counted", lie_count},  {"more of them", lie_more},
    {"an old value", lie_value},        {"a version on", lie_version},
    {"another order", lie_order},       {"a deleted key", lie_resurrect},
    {"an older key", lie_create},
};

static void write_scene(struct stage *stage)
{
    const struct kit *kit = &stage->kit;

    (void)add_put(kit->txn, "a", "one", 0);
    (void)step(stage);
    (void)add_put(kit->txn, "c", "two", 0);
    (void)step(stage);
    (void)add_delete(kit->txn, "c", NULL, 0);
    (void)step(stage);
    (void)add_put(kit->txn, "b", "two", 0);
    (void)step(stage);
    (void)add_number(kit->txn, RKV_COMPARE_VERSION, RKV_EQUAL, "a", 1);
    (void)add_put(kit->txn, "a", "two", 0);
    (void)add_range(kit->txn, "a", "z", 0, 0, 0);
}

START_TEST(every_lie_about_an_answer_is_seen)
{
    const struct lie *lie = &lies[_i];
    struct rkv_response responses[2];
    struct rkv_item items[3] = {{0}};
    struct rkv_result result;
    struct stage stage;
    const void *data;
    size_t len;

    stage_open(&stage, 1);
    write_scene(&stage);
    ck_assert_int_eq(rkv_txn_encode(stage.kit.txn, &data, &len), RKV_OK);
    void *copy = malloc(len);
    memcpy(copy, data, len);
    result = *kit_apply(&stage.kit);
    ck_assert_uint_eq(result.responses_count, 2);
    memcpy(responses, result.responses, sizeof responses);
    ck_assert_uint_eq(responses[1].items_count, 2);
    memcpy(items, responses[1].items, 2 * sizeof items[0]);
    result.responses = responses;
    responses[1].items = items;
    lie->tell(&result, responses, items);
    twin_applied(&stage.twin, stage.kit.index, copy, len, &result, 1);
    ck_assert_msg(stage.verdict.broken != NULL, "%s was believed", lie->name);
    free(copy);
    stage_close(&stage);
}
END_TEST

/* The truth first, then what another member is said to have made of it. */
START_TEST(members_must_agree)
{
    struct stage stage;
    struct rkv_kv_status status = {.size = sizeof status};
    struct rkv_result result;
    const void *data;
    size_t len;
    void *copy;

    stage_open(&stage, 1);
    write_scene(&stage);
    ck_assert_int_eq(rkv_txn_encode(stage.kit.txn, &data, &len), RKV_OK);
    copy = malloc(len);
    memcpy(copy, data, len);
    result = *step(&stage);
    rkv_kv_status(stage.kit.kv, &status);
    twin_applied(&stage.twin, stage.kit.index, copy, len, &result, status.hash);
    twin_restored(&stage.twin, stage.kit.index, status.hash);
    ck_assert_ptr_null(stage.verdict.broken);
    switch (_i) {
    case 0:
        result.revision++;
        twin_applied(&stage.twin, stage.kit.index, copy, len, &result,
                     status.hash);
        break;
    case 1:
        twin_applied(&stage.twin, stage.kit.index, copy, len, &result,
                     status.hash + 1);
        break;
    case 2:
        twin_applied(&stage.twin, stage.kit.index, copy, len - 1, &result,
                     status.hash);
        break;
    case 3:
        twin_applied(&stage.twin, stage.kit.index, NULL, 0, NULL, status.hash);
        break;
    case 4:
        twin_applied(&stage.twin, stage.kit.index + 2, copy, len, &result, 1);
        break;
    case 5:
        twin_restored(&stage.twin, stage.kit.index, status.hash + 1);
        break;
    default:
        twin_restored(&stage.twin, stage.kit.index + 1, status.hash);
    }
    ck_assert_ptr_nonnull(stage.verdict.broken);
    free(copy);
    stage_close(&stage);
}
END_TEST

/* A read of a member, told as if its state were elsewhere. */
START_TEST(every_lie_about_a_range_is_seen)
{
    const struct rkv_range range = range_of("a", "z");
    const struct rkv_result *result;
    struct stage stage;
    int64_t revision;

    stage_open(&stage, 1);
    write_scene(&stage);
    (void)step(&stage);
    revision = stage.twin.revision;
    ck_assert_int_eq(rkv_kv_range(stage.kit.kv, &range, &result), RKV_OK);
    twin_check_range(&stage.twin, revision, -1, &range, result);
    ck_assert_ptr_null(stage.verdict.broken);
    if (_i == 0) {
        twin_check_range(&stage.twin, revision - 1, -1, &range, result);
    } else if (_i == 1) {
        twin_check_range(&stage.twin, revision + 1, -1, &range, result);
    } else {
        struct rkv_result copy = *result;

        copy.compacted = 3;
        twin_check_range(&stage.twin, revision, -1, &range, &copy);
    }
    ck_assert_ptr_nonnull(stage.verdict.broken);
    stage_close(&stage);
}
END_TEST

/* Each sum of a member, off by one. */
START_TEST(every_lie_about_a_member_is_seen)
{
    struct stage stage;
    struct rkv_kv_status status = {.size = sizeof status};
    uint64_t *words[] = {&status.applied,   &status.keys,
                         &status.revisions, &status.bytes,
                         &status.leases,    &status.leases_fresh,
                         &status.space,     &status.quota,
                         &status.sessions,  &status.clock_term};

    stage_open(&stage, 1);
    write_scene(&stage);
    (void)step(&stage);
    rkv_kv_status(stage.kit.kv, &status);
    twin_check_status(&stage.twin, &status);
    ck_assert_ptr_null(stage.verdict.broken);
    ++*words[_i];
    twin_check_status(&stage.twin, &status);
    ck_assert_ptr_nonnull(stage.verdict.broken);
    stage_close(&stage);
}
END_TEST

/* A whole state that is another: one put more. */
START_TEST(a_member_that_is_ahead_is_seen)
{
    struct stage stage;

    stage_open(&stage, 1);
    write_scene(&stage);
    (void)step(&stage);
    (void)kit_put(&stage.kit, "q", "unheard");
    twin_check_all(&stage.twin, stage.kit.kv);
    ck_assert_ptr_nonnull(stage.verdict.broken);
    stage_close(&stage);
}
END_TEST

Suite *suite_oracle_lies(void)
{
    Suite *suite = suite_create("oracle lies");
    TCase *planted = tcase_create("lies");

    tcase_add_loop_test(planted, every_lie_about_an_answer_is_seen, 0,
                        sizeof lies / sizeof lies[0]);
    tcase_add_loop_test(planted, members_must_agree, 0, 7);
    tcase_add_loop_test(planted, every_lie_about_a_range_is_seen, 0, 3);
    tcase_add_loop_test(planted, every_lie_about_a_member_is_seen, 0, 10);
    tcase_add_test(planted, a_member_that_is_ahead_is_seen);
    suite_add_tcase(suite, planted);
    return suite;
}
