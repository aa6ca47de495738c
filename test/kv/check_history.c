/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The history: records by revision, gaps and all, and the line of records of
 * one key.
 */
#include <stdlib.h>

#include "base/prng.h"
#include "kv/room.h"
#include "support.h"

Suite *suite_kv_history(void);

enum { RECORDS = 4000 };

struct book {
    struct base_heap heap;
    struct rkv_allocator allocator;
    struct rkv_pool pool;
    struct rkv_history history;
    struct rkv_record *records[RECORDS];
    struct rkv_prng prng;
};

static struct book *book_open(void)
{
    struct book *book = calloc(1, sizeof(*book));

    book->allocator = base_allocator(&book->heap);
    rkv_pool_init(&book->pool, &book->allocator);
    rkv_history_init(&book->history, &book->allocator);
    rkv_prng_seed(&book->prng, 3);
    return book;
}

static void book_close(struct book *book)
{
    rkv_history_free(&book->history);
    rkv_pool_free(&book->pool);
    ck_assert_uint_eq(book->heap.blocks, 0);
    ck_assert(!book->heap.was_lied_to);
    free(book);
}

/* Record i is change i % 3 of revision 2 + 2 * (i / 3). */
static int64_t main_of(int i)
{
    return 2 + 2 * (i / 3);
}

static void book_append(struct book *book, int i)
{
    struct rkv_draft draft = {
        .key = (const uint8_t *)"key",
        .key_len = 3,
        .main = main_of(i),
        .sub = (uint32_t)(i % 3),
        .version = 1,
    };

    book->records[i] = rkv_record_new(&book->pool, &draft, NULL);
    ck_assert_int_eq(rkv_history_append(&book->history, book->records[i]),
                     RKV_OK);
}

static void book_remove(struct book *book, int i)
{
    rkv_history_remove(&book->history, book->records[i]);
    rkv_record_drop(&book->pool, book->records[i]);
    book->records[i] = NULL;
}

static int book_first(const struct book *book, int from)
{
    while (from < RECORDS && book->records[from] == NULL)
        from++;
    return from;
}

static void book_compare(const struct book *book)
{
    struct rkv_history_place place = rkv_history_seek(&book->history, -1, 0);

    ck_assert(rkv_history_check(&book->history));
    for (int i = 0; i < RECORDS; i++) {
        if (book->records[i] != NULL)
            ck_assert_ptr_eq(rkv_history_next(&book->history, &place),
                             book->records[i]);
    }
    ck_assert_ptr_null(rkv_history_next(&book->history, &place));
    for (int i = 0; i < RECORDS; i += 7) {
        int at = book_first(book, i);

        place = rkv_history_seek(&book->history, main_of(i), (uint32_t)(i % 3));
        ck_assert_ptr_eq(rkv_history_next(&book->history, &place),
                         at < RECORDS ? book->records[at] : NULL);
        /* The revision before an even one does not exist. */
        at = book_first(book, i - i % 3);
        place = rkv_history_seek(&book->history, main_of(i) - 1, 9);
        ck_assert_ptr_eq(rkv_history_next(&book->history, &place),
                         at < RECORDS ? book->records[at] : NULL);
    }
}

START_TEST(records_are_found_by_revision)
{
    struct book *book = book_open();

    for (int i = 0; i < RECORDS; i++)
        book_append(book, i);
    book_compare(book);
    book_close(book);
}
END_TEST

START_TEST(records_can_go_in_any_order)
{
    struct book *book = book_open();

    for (int i = 0; i < RECORDS; i++)
        book_append(book, i);
    for (int i = 0; i < RECORDS; i++) {
        int at = i;

        if (_i == 1)
            at = RECORDS - 1 - i;
        if (_i == 2)
            at = i * 1237 % RECORDS;
        book_remove(book, at);
        if (i % 397 == 0)
            book_compare(book);
    }
    ck_assert_uint_eq(book->history.first, book->history.end);
    book_close(book);
}
END_TEST

START_TEST(records_come_while_old_ones_go)
{
    struct book *book = book_open();

    for (int i = 0; i < RECORDS; i++) {
        book_append(book, i);
        for (int tries = 0; tries < 2; tries++) {
            int at = (int)rkv_prng_below(&book->prng, (uint64_t)i + 1);

            if (book->records[at] != NULL && at % 50 != 0)
                book_remove(book, at);
        }
        if (i % 397 == 0)
            book_compare(book);
    }
    book_compare(book);
    book_close(book);
}
END_TEST

START_TEST(few_records_take_few_pages)
{
    struct book *book = book_open();
    size_t pages;

    for (int i = 0; i < RECORDS; i++)
        book_append(book, i);
    for (int i = 0; i < RECORDS; i++)
        if (i % 40 != 0)
            book_remove(book, i);
    pages = book->history.end - book->history.first;
    ck_assert_uint_le(pages, 4);
    book_compare(book);
    book_close(book);
}
END_TEST

START_TEST(a_place_at_the_end_sees_what_comes_later)
{
    struct book *book = book_open();
    struct rkv_history_place place = rkv_history_seek(&book->history, 0, 0);

    for (int i = 0; i < 600; i++) {
        ck_assert_ptr_null(rkv_history_next(&book->history, &place));
        book_append(book, i);
        ck_assert_ptr_eq(rkv_history_next(&book->history, &place),
                         book->records[i]);
    }
    book_close(book);
}
END_TEST

/* A key with a change at every even revision from 2 on. */
static struct rkv_record *line_of(struct rkv_pool *pool,
                                  struct rkv_record **records, int count)
{
    struct rkv_record *newest = NULL;

    for (int i = 0; i < count; i++) {
        struct rkv_draft draft = {
            .key = (const uint8_t *)"key",
            .key_len = 3,
            .main = 2 + 2 * i,
            .version = 1 + i,
        };

        records[i] = rkv_record_new(pool, &draft, newest);
        rkv_record_link(records[i], newest, -1);
        newest = records[i];
    }
    return newest;
}

START_TEST(a_key_is_found_as_it_was_at_any_revision)
{
    struct book *book = book_open();
    struct rkv_record *newest = line_of(&book->pool, book->records, 1000);

    ck_assert_ptr_null(rkv_record_at(newest, 1));
    ck_assert_ptr_null(rkv_record_since(newest, 2002));
    for (int i = 0; i < 1000; i++) {
        ck_assert_ptr_eq(rkv_record_at(newest, 2 + 2 * i), book->records[i]);
        ck_assert_ptr_eq(rkv_record_at(newest, 3 + 2 * i), book->records[i]);
        ck_assert_ptr_eq(rkv_record_since(newest, 2 + 2 * i), book->records[i]);
        ck_assert_ptr_eq(rkv_record_since(newest, 1 + 2 * i), book->records[i]);
    }
    book_close(book);
}
END_TEST

START_TEST(a_long_line_of_changes_is_crossed_in_few_steps)
{
    struct book *book = book_open();
    const struct rkv_record *record = line_of(&book->pool, book->records, 4000);
    int steps = 0;

    /* As rkv_record_at() walks to the first one. */
    while (record->main > 2) {
        struct rkv_jump jump = rkv_record_jump(record);

        record = jump.to != NULL && jump.main > 2 ? jump.to : record->prev;
        steps++;
    }
    ck_assert_int_lt(steps, 160);
    book_close(book);
}
END_TEST

START_TEST(a_record_of_its_size_is_used_again)
{
    struct book *book = book_open();
    size_t blocks;

    for (int i = 0; i < 1000; i++)
        book_append(book, i);
    blocks = book->heap.blocks;
    for (int i = 0; i < 1000; i++)
        book_remove(book, i);
    for (int i = 1000; i < 2000; i++)
        book_append(book, i);
    ck_assert_uint_eq(book->heap.blocks, blocks);
    book_close(book);
}
END_TEST

Suite *suite_kv_history(void)
{
    Suite *suite = suite_create("kv history");
    TCase *tcase = tcase_create("history");

    tcase_add_test(tcase, records_are_found_by_revision);
    tcase_add_loop_test(tcase, records_can_go_in_any_order, 0, 3);
    tcase_add_test(tcase, records_come_while_old_ones_go);
    tcase_add_test(tcase, few_records_take_few_pages);
    tcase_add_test(tcase, a_place_at_the_end_sees_what_comes_later);
    tcase_add_test(tcase, a_key_is_found_as_it_was_at_any_revision);
    tcase_add_test(tcase, a_long_line_of_changes_is_crossed_in_few_steps);
    tcase_add_test(tcase, a_record_of_its_size_is_used_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
