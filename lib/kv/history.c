/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The history: every record in the order of its revision, in pages that are
 * filled one after the other.  Compaction leaves gaps in the old ones; a page
 * of which little is left is poured into its neighbour.
 */
#include "room.h"

#include <string.h>

enum { THIN = RKV_PAGE_RECORDS / 4, POURED_MAX = RKV_PAGE_RECORDS * 3 / 4 };

static int add_page(struct rkv_history *history,
                    const struct rkv_record *first);
static size_t page_of(const struct rkv_history *history, int64_t main,
                      uint32_t sub);
static void drop_page(struct rkv_history *history, size_t at);
static void pour_thin(struct rkv_history *history, size_t at);
static bool pour(struct rkv_history *history, size_t at);

void rkv_history_init(struct rkv_history *history,
                      const struct rkv_allocator *a)
{
    *history = (struct rkv_history){.allocator = a};
}

void rkv_history_free(struct rkv_history *history)
{
    for (size_t i = history->first; i < history->end; i++)
        rkv_release(history->allocator, history->pages[i].page,
                    sizeof(struct rkv_page));
    rkv_release(history->allocator, history->pages,
                history->cap * sizeof(struct rkv_page_entry));
    rkv_history_init(history, history->allocator);
}

int rkv_history_append(struct rkv_history *history, struct rkv_record *record)
{
    struct rkv_page *page;

    if (history->first == history->end ||
        history->pages[history->end - 1].page->count == RKV_PAGE_RECORDS) {
        if (add_page(history, record) < 0)
            return RKV_ENOMEM;
    }
    page = history->pages[history->end - 1].page;
    page->held++;
    page->records[page->count++] = record;
    return RKV_OK;
}

/* Whether the record comes before (main, sub). */
static bool is_before(const struct rkv_record *record, int64_t main,
                      uint32_t sub)
{
    return record->main < main || (record->main == main && record->sub < sub);
}

/* The slot of the first record on the page at or after (main, sub), or a gap
 * before it. */
static uint32_t slot_of(const struct rkv_page *page, int64_t main, uint32_t sub)
{
    uint32_t low = 0, high = page->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2, at = middle;

        while (at < high && page->records[at] == NULL)
            at++;
        if (at < high && is_before(page->records[at], main, sub))
            low = at + 1;
        else
            high = middle;
    }
    return low;
}

void rkv_history_remove(struct rkv_history *history, struct rkv_record *record)
{
    size_t at = page_of(history, record->main, record->sub);
    struct rkv_page *page = history->pages[at].page;
    uint32_t slot = 0;

    /* Looking through a row of pointers is faster than at a few records. */
    while (page->records[slot] != record)
        slot++;
    page->records[slot] = NULL;
    page->held--;
    if (page->held == 0)
        drop_page(history, at);
    else if (page->held == THIN)
        pour_thin(history, at);
}

struct rkv_history_place rkv_history_seek(const struct rkv_history *history,
                                          int64_t main, uint32_t sub)
{
    struct rkv_history_place place = {history->first, 0, history->epoch};

    if (history->first == history->end)
        return place;
    place.page = page_of(history, main, sub);
    place.slot = slot_of(history->pages[place.page].page, main, sub);
    return place;
}

struct rkv_record *rkv_history_next(const struct rkv_history *history,
                                    struct rkv_history_place *place)
{
    while (place->page < history->end) {
        const struct rkv_page *page = history->pages[place->page].page;

        while (place->slot < page->count) {
            struct rkv_record *record = page->records[place->slot++];

            if (record != NULL)
                return record;
        }
        /* The last page still grows: its end is a place of its own. */
        if (place->page + 1 == history->end)
            return NULL;
        place->page++;
        place->slot = 0;
    }
    return NULL;
}

static bool check_page(const struct rkv_page *page,
                       const struct rkv_record **last)
{
    uint32_t held = 0;

    if (*last != NULL && !is_before(*last, page->main, page->sub))
        return false;
    for (uint32_t i = 0; i < page->count; i++) {
        const struct rkv_record *record = page->records[i];

        if (record == NULL)
            continue;
        if (is_before(record, page->main, page->sub))
            return false;
        if (*last != NULL && !is_before(*last, record->main, record->sub))
            return false;
        *last = record;
        held++;
    }
    return held > 0 && held == page->held && page->count <= RKV_PAGE_RECORDS;
}

bool rkv_history_check(const struct rkv_history *history)
{
    const struct rkv_record *last = NULL;

    for (size_t i = history->first; i < history->end; i++) {
        if (history->pages[i].main != history->pages[i].page->main ||
            !check_page(history->pages[i].page, &last))
            return false;
    }
    return true;
}

/* Room at the end of the table: what went at its front is given back first,
 * when that is half of it. */
static int add_page(struct rkv_history *history, const struct rkv_record *first)
{
    struct rkv_page *page;
    size_t count = history->end - history->first;

    if (history->first > 0 && history->first >= count) {
        memmove(history->pages, history->pages + history->first,
                count * sizeof(history->pages[0]));
        history->first = 0;
        history->end = count;
        history->epoch++;
    }
    if (history->end == history->cap) {
        void *pages = history->pages;

        if (rkv_grow(history->allocator, &pages, &history->cap,
                     history->end + 1, sizeof(history->pages[0])) < 0)
            return RKV_ENOMEM;
        history->pages = pages;
    }
    page = rkv_alloc(history->allocator, sizeof(*page));
    if (page == NULL)
        return RKV_ENOMEM;
    page->main = first->main;
    page->sub = first->sub;
    page->count = 0;
    page->held = 0;
    history->pages[history->end++] = (struct rkv_page_entry){page->main, page};
    return RKV_OK;
}

/* The last page that may hold (main, sub), or the first page.  There is
 * one. */
static size_t page_of(const struct rkv_history *history, int64_t main,
                      uint32_t sub)
{
    size_t low = history->first + 1, high = history->end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct rkv_page_entry *entry = &history->pages[middle];

        if (entry->main < main ||
            (entry->main == main && entry->page->sub <= sub))
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

static void drop_page(struct rkv_history *history, size_t at)
{
    struct rkv_page_entry *pages = history->pages;

    history->epoch++;
    rkv_release(history->allocator, pages[at].page, sizeof(struct rkv_page));
    if (at - history->first < history->end - at) {
        memmove(pages + history->first + 1, pages + history->first,
                (at - history->first) * sizeof(pages[0]));
        history->first++;
    } else {
        memmove(pages + at, pages + at + 1,
                (history->end - at - 1) * sizeof(pages[0]));
        history->end--;
    }
}

static void pour_thin(struct rkv_history *history, size_t at)
{
    if (at + 1 < history->end && pour(history, at))
        return;
    if (at > history->first)
        (void)pour(history, at - 1);
}

static void squeeze(struct rkv_page *page)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < page->count; i++) {
        if (page->records[i] == NULL)
            continue;
        page->records[count++] = page->records[i];
    }
    page->count = count;
}

/* The page at `at` and the one behind it become one, if they fit. */
static bool pour(struct rkv_history *history, size_t at)
{
    struct rkv_page *left = history->pages[at].page;
    struct rkv_page *right = history->pages[at + 1].page;

    if (left->held + right->held > POURED_MAX)
        return false;
    squeeze(left);
    for (uint32_t i = 0; i < right->count; i++) {
        struct rkv_record *record = right->records[i];

        if (record == NULL)
            continue;
        left->records[left->count++] = record;
    }
    left->held = left->count;
    drop_page(history, at + 1);
    return true;
}
