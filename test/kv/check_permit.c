/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What permissions cover together, by brute force; and passwords.
 */
#include <string.h>

#include "kv/room.h"
#include "support.h"

Suite *suite_kv_permit(void);

/* All keys of up to three bytes that are 0, 1 or 2; bounds are shorter and
 * have no 2, so wherever something is missing a key shows it. */
enum { KEYS = 39, BOUNDS = 6, HELD = 3 };

struct universe {
    uint8_t keys[KEYS][3];
    size_t key_lens[KEYS];
    uint8_t bounds[BOUNDS][2];
    size_t bound_lens[BOUNDS];
};

struct grants {
    struct rkv_auth auth;
    struct rkv_span held[HELD];
    size_t count;
};

static void make_universe(struct universe *all)
{
    static const size_t many[] = {3, 9, 27};
    size_t count = 0;

    for (size_t i = 0; i < BOUNDS; i++) {
        all->bound_lens[i] = i < 2 ? 1 : 2;
        all->bounds[i][0] = (uint8_t)(i < 2 ? i : (i - 2) / 2);
        all->bounds[i][1] = (uint8_t)(i % 2);
    }
    for (size_t len = 1; len <= 3; len++) {
        for (size_t i = 0; i < many[len - 1]; i++, count++) {
            all->key_lens[count] = len;
            for (size_t k = 0, rest = i; k < len; k++, rest /= 3)
                all->keys[count][k] = (uint8_t)(rest % 3);
        }
    }
}

static struct rkv_permission random_permission(const struct universe *all,
                                               uint64_t dice)
{
    size_t a = dice % BOUNDS, b = (dice >> 8) % BOUNDS;
    bool is_single = (dice >> 16) % 4 == 0;

    return (struct rkv_permission){
        .access = RKV_READ,
        .key = {all->bounds[a], all->bound_lens[a]},
        .end = {all->bounds[b], is_single ? 0 : all->bound_lens[b]},
    };
}

static struct rkv_span span_of(const struct rkv_permission *permission)
{
    return rkv_span_of(permission->key.data, permission->key.len,
                       permission->end.data, permission->end.len);
}

/* To amy, by one of two roles. */
static void give(struct grants *grants, const struct rkv_permission *permission,
                 bool by_second)
{
    const struct rkv_bytes names[] = {{"one", 3}, {"two", 3}};
    const struct rkv_bytes amy = {"amy", 3};
    struct rkv_bytes name = names[by_second];

    if (!rkv_permission_is_valid(permission))
        return;
    if (rkv_auth_role(&grants->auth, name) == NULL) {
        ck_assert_int_eq(rkv_auth_add_role(&grants->auth, name), RKV_OK);
        ck_assert_int_eq(rkv_user_add_role(&grants->auth,
                                           rkv_auth_user(&grants->auth, amy),
                                           name),
                         RKV_OK);
    }
    ck_assert_int_eq(rkv_role_add(&grants->auth,
                                  rkv_auth_role(&grants->auth, name),
                                  permission),
                     RKV_OK);
    grants->held[grants->count++] = span_of(permission);
}

static bool holds_all(const struct universe *all, const struct grants *grants,
                      const struct rkv_span *span)
{
    for (size_t k = 0; k < KEYS; k++) {
        bool any = !rkv_span_holds(span, all->keys[k], all->key_lens[k]);

        for (size_t i = 0; i < grants->count; i++)
            any = any || rkv_span_holds(&grants->held[i], all->keys[k],
                                        all->key_lens[k]);
        if (!any)
            return false;
    }
    return true;
}

START_TEST(permissions_cover_what_they_hold_together)
{
    const struct rkv_allocator allocator = rkv_alloc_choose(NULL);
    const struct rkv_bytes amy = {"amy", 3};
    struct universe all;
    int covered = 0;

    make_universe(&all);
    for (uint64_t i = 0; i < 8000; i++) {
        uint64_t dice = rkv_mix64(i, 7);
        struct grants grants = {.count = 0};
        struct rkv_permission permission;
        struct rkv_span span;
        bool is_covered;

        rkv_auth_init(&grants.auth, &allocator);
        ck_assert_int_eq(
            rkv_auth_add_user(&grants.auth, amy, (struct rkv_bytes){NULL, 0}),
            RKV_OK);
        grants.auth.is_enabled = true;
        for (size_t k = 0; k < HELD; k++, dice = rkv_mix64(dice, k)) {
            permission = random_permission(&all, dice);
            give(&grants, &permission, k % 2 == 0);
        }
        permission = random_permission(&all, dice);
        span = span_of(&permission);
        is_covered = holds_all(&all, &grants, &span);
        if (!rkv_span_is_empty(&span)) {
            ck_assert_int_eq(rkv_auth_permits(&grants.auth,
                                              rkv_auth_user(&grants.auth, amy),
                                              RKV_READ, &span),
                             is_covered);
            covered += is_covered;
        }
        rkv_auth_free(&grants.auth);
    }
    ck_assert_int_gt(covered, 500);
}
END_TEST

START_TEST(a_password_is_known_by_its_hash_alone)
{
    char one[RKV_PASSWORD_BYTES], two[RKV_PASSWORD_BYTES];

    ck_assert_int_eq(rkv_password_hash("secret", 6, one), RKV_OK);
    ck_assert_int_eq(rkv_password_hash("secret", 6, two), RKV_OK);
    ck_assert_str_ne(one, two);
    ck_assert_int_eq(strncmp(one, "$argon2id$", 10), 0);
    ck_assert_int_eq(rkv_password_check(one, strlen(one), "secret", 6), RKV_OK);
    ck_assert_int_eq(rkv_password_check(one, strlen(one), "Secret", 6),
                     RKV_EDENIED);
    ck_assert_int_eq(rkv_password_check("", 0, "", 0), RKV_EDENIED);
    ck_assert_int_eq(rkv_password_check("$argon2id$", 10, "", 0), RKV_EDENIED);
    ck_assert_int_eq(rkv_password_check(NULL, 1, "", 0), RKV_EINVAL);
}
END_TEST

Suite *suite_kv_permit(void)
{
    Suite *suite = suite_create("kv permit");
    TCase *tcase = tcase_create("permissions");

    tcase_set_timeout(tcase, 20);
    tcase_add_test(tcase, permissions_cover_what_they_hold_together);
    tcase_add_test(tcase, a_password_is_known_by_its_hash_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}
