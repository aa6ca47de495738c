/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/check_config.c - the algebra of configurations: what each step
 * makes of one, what is refused, and that many steps at once and the same
 * steps one by one lead to the same members.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "raft/config.h"

Suite *suite_raft_config(void);

enum { V = RKV_VOTER, L = RKV_LEARNER, OUT = RKV_OUTGOING };

static struct config empty(void)
{
    return (struct config){.count = 0, .max = RKV_MEMBERS_MAX};
}

/* "v1 l2 r3 u4": voter, learner, remove, update. */
static uint32_t parse(const char *text, struct rkv_raft_change *list)
{
    uint32_t count = 0;
    for (const char *p = text; *p != '\0'; p++) {
        static const char ops[] = "?lvru";
        const char *op = strchr(ops, *p);
        unsigned long id;
        int used;
        if (*p == ' ')
            continue;
        ck_assert(sscanf(p + 1, "%lu%n", &id, &used) == 1);
        list[count++] =
            (struct rkv_raft_change){.op = (uint32_t)(op - ops), .id = id};
        p += used;
    }
    return count;
}

static int simple(struct config *c, const char *text)
{
    struct rkv_raft_change list[32];
    struct config next = *c;
    uint32_t count = parse(text, list);
    int rc = rkv_config_simple(&next, list, count);
    if (rc == RKV_OK)
        *c = next;
    return rc;
}

static int enter(struct config *c, const char *text, bool auto_leave)
{
    struct rkv_raft_change list[32];
    struct config next = *c;
    uint32_t count = parse(text, list);
    int rc = rkv_config_enter(&next, list, count, auto_leave);
    if (rc == RKV_OK)
        *c = next;
    return rc;
}

/* In id order; sets of roles in the manner "(1 2)&&(1) l(3) n(4) auto". */
static const char *text_of(const struct config *c)
{
    static char text[400];
    static const struct {
        const char *begin;
        uint32_t bit;
    } sets[] = {{"(", V}, {"&&(", OUT}, {" l(", L}, {" n(", RKV_LEARNER_NEXT}};
    size_t len = 0;
    bool is_auto = false;
    text[0] = '\0';
    for (size_t s = 0; s < 4; s++) {
        bool any = false;
        for (uint32_t i = 0; i < c->count; i++) {
            if ((c->members[i].role & sets[s].bit) == 0)
                continue;
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u",
                                    any ? " " : sets[s].begin,
                                    (unsigned)c->members[i].id);
            any = true;
        }
        if (any)
            len += (size_t)snprintf(text + len, sizeof(text) - len, ")");
    }
    for (uint32_t i = 0; i < c->count; i++)
        is_auto = is_auto || (c->members[i].role & RKV_AUTO_LEAVE) != 0;
    if (is_auto)
        snprintf(text + len, sizeof(text) - len, " auto");
    return text;
}

/* What a member of ours would keep. */
static void settle(struct config *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        c->members[i].role &= ~(uint32_t)ROLE_FRESH;
    ck_assert_int_eq(rkv_config_check(c->members, c->count, c->max), RKV_OK);
}

START_TEST(one_voter_at_a_time_changes_without_a_joint_configuration)
{
    struct config c = empty();
    ck_assert_int_eq(simple(&c, "l1"), RKV_EUNSAFE);
    ck_assert_int_eq(simple(&c, "v1"), RKV_OK);
    ck_assert_int_eq(simple(&c, "v2 l3"), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(1 2) l(3)");
    ck_assert_int_eq(simple(&c, "r1 v5"), RKV_ETOOMANY);
    ck_assert_int_eq(simple(&c, "v3 v4"), RKV_ETOOMANY);
    ck_assert_int_eq(simple(&c, "r1 r2"), RKV_EUNSAFE);
    ck_assert_int_eq(simple(&c, "l2 l3 l4 l5"), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(1) l(2 3 4 5)");
    ck_assert_int_eq(simple(&c, "r1"), RKV_EUNSAFE);
    ck_assert_int_eq(simple(&c, "v3"), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(1 3) l(2 4 5)");
    settle(&c);
}
END_TEST

START_TEST(doing_a_thing_twice_is_doing_it_once)
{
    struct config c = empty();
    ck_assert_int_eq(simple(&c, "v1 v1 l2 l2 r7 r7 u9"), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(1) l(2)");
    ck_assert_int_eq(enter(&c, "v3 v3 l1 l1 r2 r2", false), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(3)&&(1) n(1)");
    ck_assert_int_eq(rkv_config_leave(&c), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(3) l(1)");
    settle(&c);
}
END_TEST

START_TEST(an_id_of_zero_is_passed_over)
{
    const struct rkv_raft_change none = {.op = RKV_CHANGE_REMOVE};
    struct config c = empty();
    ck_assert_int_eq(simple(&c, "v1"), RKV_OK);
    ck_assert_int_eq(rkv_config_simple(&c, &none, 1), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(1)");
}
END_TEST

START_TEST(a_joint_configuration_is_entered_once_and_left_once)
{
    struct config c = empty();
    ck_assert_int_eq(enter(&c, "v1", false), RKV_ESTATE);
    ck_assert_int_eq(rkv_config_leave(&c), RKV_EJOINT);
    ck_assert_int_eq(simple(&c, "v1"), RKV_OK);
    ck_assert_int_eq(rkv_config_leave(&c), RKV_EJOINT);
    ck_assert_int_eq(enter(&c, "v2 v3", true), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(1 2 3)&&(1) auto");
    settle(&c);
    ck_assert_int_eq(enter(&c, "", false), RKV_EJOINT);
    ck_assert_int_eq(simple(&c, "v4"), RKV_EJOINT);
    ck_assert_int_eq(rkv_config_leave(&c), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(1 2 3)");
    ck_assert_int_eq(enter(&c, "r1 r2 r3", false), RKV_EUNSAFE);
    ck_assert_int_eq(enter(&c, "l1 l2 l3", false), RKV_EUNSAFE);
}
END_TEST

START_TEST(who_still_votes_in_the_other_half_is_a_learner_only_after_it)
{
    struct config c = empty();
    ck_assert_int_eq(simple(&c, "v1"), RKV_OK);
    ck_assert_int_eq(enter(&c, "v2 l1", false), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(2)&&(1) n(1)");
    settle(&c);
    ck_assert_int_eq(rkv_config_leave(&c), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(2) l(1)");
    /* And may think better of it before. */
    ck_assert_int_eq(enter(&c, "l2 v1 v2", false), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(1 2)&&(2)");
    settle(&c);
}
END_TEST

START_TEST(a_voter_going_out_may_be_removed_from_the_other_half_too)
{
    struct config c = empty();
    ck_assert_int_eq(simple(&c, "v1"), RKV_OK);
    ck_assert_int_eq(simple(&c, "v2"), RKV_OK);
    ck_assert_int_eq(enter(&c, "r1 v3 l4", false), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(2 3)&&(1 2) l(4)");
    settle(&c);
    ck_assert_uint_eq(c.members[0].role, OUT);
    ck_assert_int_eq(rkv_config_leave(&c), RKV_OK);
    ck_assert_str_eq(text_of(&c), "(2 3) l(4)");
}
END_TEST

START_TEST(who_leaves_and_comes_back_begins_anew)
{
    struct config c = empty();
    ck_assert_int_eq(simple(&c, "v1 l2"), RKV_OK);
    ck_assert_uint_ne(c.members[1].role & ROLE_FRESH, 0);
    settle(&c);
    ck_assert_int_eq(simple(&c, "v2"), RKV_OK);
    ck_assert_uint_eq(c.members[1].role & ROLE_FRESH, 0);
    ck_assert_int_eq(simple(&c, "r2 v2"), RKV_OK);
    ck_assert_uint_ne(c.members[1].role & ROLE_FRESH, 0);
    settle(&c);
    /* But not while the other half still counts it. */
    ck_assert_int_eq(enter(&c, "r2 v2", false), RKV_OK);
    ck_assert_uint_eq(c.members[1].role & ROLE_FRESH, 0);
}
END_TEST

START_TEST(there_is_a_limit_to_members)
{
    struct config c = empty();
    c.max = 3;
    ck_assert_int_eq(simple(&c, "v1 l2 l3"), RKV_OK);
    ck_assert_int_eq(simple(&c, "l4"), RKV_EINVAL);
    /* Only how many are there in the end counts. */
    ck_assert_int_eq(simple(&c, "l4 r2"), RKV_OK);
    ck_assert_int_eq(enter(&c, "v5 r1", false), RKV_EINVAL);
    struct rkv_raft_change list[RKV_MEMBERS_MAX + 1];
    for (uint32_t i = 0; i <= RKV_MEMBERS_MAX; i++)
        list[i] =
            (struct rkv_raft_change){.op = RKV_CHANGE_ADD_VOTER, .id = i + 1};
    c = empty();
    ck_assert_int_eq(rkv_config_simple(&c, list, RKV_MEMBERS_MAX + 1),
                     RKV_EINVAL);
}
END_TEST

START_TEST(what_is_no_configuration_is_refused)
{
    static const struct {
        struct rkv_raft_member members[3];
        uint32_t count;
    } bad[] = {
        {{{.id = 0, .role = V}}, 1},
        {{{.id = 2, .role = V}, {.id = 2, .role = V}}, 2},
        {{{.id = 2, .role = V}, {.id = 1, .role = V}}, 2},
        {{{.id = 1, .role = V, .reserved = 1}}, 1},
        {{{.id = 1, .role = L}}, 1},
        {{{.id = 1, .role = 0}, {.id = 2, .role = V}}, 2},
        {{{.id = 1, .role = V | L}}, 1},
        {{{.id = 1, .role = OUT}}, 1},
        {{{.id = 1, .role = OUT | L}, {.id = 2, .role = V}}, 2},
        {{{.id = 1, .role = V | OUT | RKV_LEARNER_NEXT}}, 1},
        {{{.id = 1, .role = V | RKV_AUTO_LEAVE}}, 1},
        {{{.id = 1, .role = L | RKV_LEARNER_NEXT}, {.id = 2, .role = V}}, 2},
        {{{.id = 1, .role = V | ROLE_FRESH}}, 1},
        {{{.id = 1, .role = V | OUT | RKV_AUTO_LEAVE},
          {.id = 2, .role = V | OUT}},
         2},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(rkv_config_check(bad[i].members, bad[i].count, 3) ==
                          RKV_EINVAL,
                      "case %zu", i);
    ck_assert_int_eq(rkv_config_check(bad[0].members, 0, 3), RKV_OK);
    ck_assert_int_eq(rkv_config_check(NULL, 1, 3), RKV_EINVAL);
    ck_assert_int_eq(rkv_config_check(bad[0].members, 4, 3), RKV_EINVAL);
}
END_TEST

/* Which of the three a change asks for. */
START_TEST(several_steps_and_those_who_wish_it_go_through_a_joint_one)
{
    static const struct rkv_raft_change two[] = {
        {.op = RKV_CHANGE_ADD_VOTER, .id = 2},
        {.op = RKV_CHANGE_ADD_VOTER, .id = 3}};
    static const struct {
        uint32_t count;
        uint32_t transition;
        const char *next;
    } cases[] = {
        {1, RKV_CHANGE_AUTO, "(1 2)"},
        {2, RKV_CHANGE_AUTO, "(1 2 3)&&(1) auto"},
        {1, RKV_CHANGE_IMPLICIT, "(1 2)&&(1) auto"},
        {1, RKV_CHANGE_EXPLICIT, "(1 2)&&(1)"},
        {2, RKV_CHANGE_EXPLICIT, "(1 2 3)&&(1)"},
        {0, RKV_CHANGE_IMPLICIT, "(1)&&(1) auto"},
        {0, RKV_CHANGE_EXPLICIT, "(1)&&(1)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rkv_raft_changes changes = {.list = two,
                                           .count = cases[i].count,
                                           .transition = cases[i].transition};
        struct config c = empty();
        ck_assert_int_eq(simple(&c, "v1"), RKV_OK);
        ck_assert_int_eq(rkv_config_apply(&c, &changes), RKV_OK);
        ck_assert_str_eq(text_of(&c), cases[i].next);
        bool is_joint = strchr(cases[i].next, '&') != NULL;
        ck_assert_int_eq(rkv_config_is_joint(&c), is_joint);
        changes = (struct rkv_raft_changes){.count = 0};
        ck_assert_int_eq(rkv_config_apply(&c, &changes),
                         is_joint ? RKV_OK : RKV_EJOINT);
    }
}
END_TEST

/* Every state that can be reached is a configuration, refusals aside; and
 * whichever way steps are taken, one by one or at once, they end alike. */
START_TEST(one_by_one_and_at_once_lead_to_the_same_members)
{
    struct rkv_prng prng;
    uint32_t compared = 0;
    rkv_prng_seed(&prng, 5);
    for (int round = 0; round < 20000; round++) {
        struct rkv_raft_change list[5];
        uint32_t count = 1 + (uint32_t)rkv_prng_below(&prng, 5);
        struct config base = empty();
        ck_assert_int_eq(simple(&base, "v1 l5"), RKV_OK);
        if (rkv_prng_below(&prng, 2) == 0)
            ck_assert_int_eq(simple(&base, "v2"), RKV_OK);
        if (rkv_prng_below(&prng, 2) == 0)
            ck_assert_int_eq(simple(&base, "v3"), RKV_OK);
        settle(&base);
        for (uint32_t i = 0; i < count; i++)
            list[i] = (struct rkv_raft_change){
                .op = 1 + (uint32_t)rkv_prng_below(&prng, 4),
                .id = 1 + rkv_prng_below(&prng, 6)};

        struct config at_once = base;
        int rc = rkv_config_enter(&at_once, list, count,
                                  rkv_prng_below(&prng, 2) == 0);
        if (rc == RKV_OK) {
            settle(&at_once);
            ck_assert(rkv_config_is_joint(&at_once));
            ck_assert_int_eq(rkv_config_leave(&at_once), RKV_OK);
            settle(&at_once);
            ck_assert(!rkv_config_is_joint(&at_once));
        }
        struct config one_by_one = base;
        int last = RKV_OK;
        for (uint32_t i = 0; i < count && last == RKV_OK; i++)
            last = rkv_config_simple(&one_by_one, &list[i], 1);
        if (last != RKV_OK)
            continue;
        /* Nobody was missing on the way, so neither in the end. */
        settle(&one_by_one);
        ck_assert_int_eq(rc, RKV_OK);
        ck_assert_uint_eq(at_once.count, one_by_one.count);
        ck_assert_mem_eq(at_once.members, one_by_one.members,
                         at_once.count * sizeof(at_once.members[0]));
        compared++;
    }
    ck_assert_uint_gt(compared, 5000);
}
END_TEST

Suite *suite_raft_config(void)
{
    Suite *suite = suite_create("raft config");
    TCase *tc = tcase_create("config");
    tcase_add_test(tc,
                   one_voter_at_a_time_changes_without_a_joint_configuration);
    tcase_add_test(tc, doing_a_thing_twice_is_doing_it_once);
    tcase_add_test(tc, an_id_of_zero_is_passed_over);
    tcase_add_test(tc, a_joint_configuration_is_entered_once_and_left_once);
    tcase_add_test(
        tc, who_still_votes_in_the_other_half_is_a_learner_only_after_it);
    tcase_add_test(tc,
                   a_voter_going_out_may_be_removed_from_the_other_half_too);
    tcase_add_test(tc, who_leaves_and_comes_back_begins_anew);
    tcase_add_test(tc, there_is_a_limit_to_members);
    tcase_add_test(tc, what_is_no_configuration_is_refused);
    tcase_add_test(tc,
                   several_steps_and_those_who_wish_it_go_through_a_joint_one);
    tcase_add_test(tc, one_by_one_and_at_once_lead_to_the_same_members);
    suite_add_tcase(suite, tc);
    return suite;
}
