/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a member knows of the others' lives, and the text that is kept of it.
 */
#include "daemon/lives.h"

#include <check.h>

TCase *tcase_lives(void);

static struct life life_like(uint64_t id, uint64_t boot, int store)
{
    struct life life = {.id = id, .boot = boot};

    memset(life.incarnation, store, sizeof life.incarnation);
    return life;
}

static bool is_news(struct lives *lives, struct life life)
{
    return lives_meet(lives, &life);
}

static enum life_verdict judge(struct life known, struct life said)
{
    return life_judge(&known, &said);
}

START_TEST(who_comes_back_with_less_than_was_met_is_noticed)
{
    struct life never = {.id = 7};

    ck_assert_int_eq(judge(never, life_like(7, 1, 'a')), LIFE_FITS);
    ck_assert_int_eq(judge(life_like(7, 3, 'a'), life_like(7, 3, 'a')),
                     LIFE_FITS);
    ck_assert_int_eq(judge(life_like(7, 3, 'a'), life_like(7, 9, 'a')),
                     LIFE_FITS);
    ck_assert_int_eq(judge(life_like(7, 3, 'a'), life_like(7, 2, 'a')),
                     LIFE_OLDER);
    ck_assert_int_eq(judge(life_like(7, 1, 'a'), life_like(7, 1, 'b')),
                     LIFE_WIPED);
    ck_assert_int_eq(judge(life_like(7, 1, 'a'), life_like(7, 9, 'b')),
                     LIFE_WIPED);
}
END_TEST

START_TEST(a_life_is_news_once)
{
    struct lives lives = {.count = 0};

    ck_assert(is_news(&lives, life_like(7, 1, 'a')));
    ck_assert(!is_news(&lives, life_like(7, 1, 'a')));
    ck_assert(is_news(&lives, life_like(7, 2, 'a')));
    ck_assert(is_news(&lives, life_like(8, 2, 'a')));
    ck_assert(is_news(&lives, life_like(7, 2, 'b')));
    ck_assert_uint_eq(lives.count, 2);
    ck_assert_uint_eq(lives_of(&lives, 7).boot, 2);
    ck_assert_uint_eq(lives_of(&lives, 9).boot, 0);
    ck_assert(lives_forget(&lives, 7));
    ck_assert(!lives_forget(&lives, 7));
    ck_assert(is_news(&lives, life_like(7, 2, 'b')));
}
END_TEST

START_TEST(of_too_many_lives_the_one_not_met_for_longest_goes)
{
    struct lives lives = {.count = 0};

    for (uint64_t id = 1; id <= RKV_MEMBERS_MAX; id++)
        ck_assert(is_news(&lives, life_like(id, 1, 'a')));
    ck_assert(!is_news(&lives, life_like(1, 1, 'a')));
    ck_assert(is_news(&lives, life_like(1000, 1, 'a')));
    ck_assert_uint_eq(lives.count, RKV_MEMBERS_MAX);
    ck_assert_uint_eq(lives_of(&lives, 1).boot, 1);
    ck_assert_uint_eq(lives_of(&lives, 2).boot, 0);
    ck_assert_uint_eq(lives_of(&lives, 3).boot, 1);
    ck_assert_uint_eq(lives_of(&lives, 1000).boot, 1);
}
END_TEST

static void write_lives(size_t count, struct buffer *out)
{
    struct lives lives = {.count = 0};

    for (uint64_t i = 0; i < count; i++)
        is_news(&lives, life_like(UINT64_MAX - i, UINT64_MAX - i % 2, (int)i));
    lives_write(&lives, 0xc1, out);
    buffer_byte(out, 0);
    ck_assert(!out->failed);
    out->len--;
}

START_TEST(lives_survive_both_directions)
{
    for (size_t count = 0; count <= RKV_MEMBERS_MAX; count++) {
        struct buffer text = {0};
        struct lives lives;
        char error[128];

        write_lives(count, &text);
        ck_assert_uint_lt(text.len, LIVES_TEXT_MAX);
        ck_assert_int_eq(lives_read(&lives, 0xc1, text.at, text.len, error), 0);
        ck_assert_uint_eq(lives.count, count);
        for (uint64_t i = 0; i < count; i++) {
            struct life expected =
                life_like(UINT64_MAX - i, UINT64_MAX - i % 2, (int)i);
            ck_assert_mem_eq(&lives.list[i], &expected, sizeof expected);
        }
        buffer_free(&text);
    }
}
END_TEST

static void is_refused(const char *text, size_t len, const char *words)
{
    struct lives lives = {.count = 1};
    char error[128] = "";

    ck_assert_int_eq(lives_read(&lives, 0xc1, text, len, error), -1);
    ck_assert_msg(strstr(error, words) != NULL, "%s", error);
    ck_assert_uint_eq(lives.count, 0);
}

START_TEST(damaged_lives_are_refused_whatever_the_damage)
{
    static const char noise[LIVES_TEXT_MAX + 1] = "raftkvd peers 1\n";
    struct buffer text = {0};

    write_lives(3, &text);
    for (size_t i = 0; i < text.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            text.at[i] = (char)(text.at[i] ^ 1 << bit);
            is_refused(text.at, text.len, "found");
            text.at[i] = (char)(text.at[i] ^ 1 << bit);
        }
    }
    is_refused(noise, sizeof noise - 1, "found 8192 bytes that are none");
    for (size_t len = text.len; len-- > 0;) {
        text.at[len] = '\0';
        is_refused(text.at, len, "that are none");
    }
    buffer_free(&text);
}
END_TEST

START_TEST(lives_of_another_cluster_are_refused)
{
    struct buffer text = {0};
    struct lives lives;
    char error[128];

    write_lives(3, &text);
    ck_assert_int_eq(lives_read(&lives, 0xc2, text.at, text.len, error), -1);
    ck_assert_str_eq(error, "expected cluster c2, found c1");
    ck_assert_uint_eq(lives.count, 0);
    buffer_free(&text);
}
END_TEST

TCase *tcase_lives(void)
{
    TCase *tcase = tcase_create("lives");

    tcase_add_test(tcase, who_comes_back_with_less_than_was_met_is_noticed);
    tcase_add_test(tcase, a_life_is_news_once);
    tcase_add_test(tcase, of_too_many_lives_the_one_not_met_for_longest_goes);
    tcase_add_test(tcase, lives_survive_both_directions);
    tcase_add_test(tcase, damaged_lives_are_refused_whatever_the_damage);
    tcase_add_test(tcase, lives_of_another_cluster_are_refused);
    return tcase;
}
