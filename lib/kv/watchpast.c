/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Watchers that have yet to catch up.  They cost nothing while nobody pulls,
 * and read on as somebody does.
 *
 * The changes of one key are linked, so who watches one key finds its next
 * change in a few steps.  Who watches a range has to go through the history,
 * and a thousand of them that each did so alone would hold up the host for
 * seconds; so they ride together, and each record asks the index who of them
 * it is for.  A rider that has met a change holds it until the next one it
 * meets, or the end of the revision, shows whether it was the last.
 */
#include "room.h"

struct meeting {
    struct rkv_watch_past *past;
    const struct rkv_record *record;
};

static bool is_on_ride(const struct rkv_watch_past *past);
static void board(struct rkv_watch_past *past, int64_t compacted);
static void lose(struct rkv_watch_past *past, int64_t compacted);
static bool read_single(struct rkv_watches *watches,
                        const struct rkv_state *state);
static bool ride(struct rkv_watches *watches, const struct rkv_state *state);
static void meet(void *ctx, struct rkv_watcher *watcher);
static void arrive(struct rkv_watch_past *past);

static void line_add(struct rkv_watch_line *line, struct rkv_watcher *watcher)
{
    watcher->line = line;
    watcher->line_next = NULL;
    watcher->line_prev = line->last;
    if (line->last != NULL)
        line->last->line_next = watcher;
    else
        line->first = watcher;
    line->last = watcher;
}

static void line_remove(struct rkv_watcher *watcher)
{
    struct rkv_watch_line *line = watcher->line;

    if (watcher->line_prev != NULL)
        watcher->line_prev->line_next = watcher->line_next;
    else
        line->first = watcher->line_next;
    if (watcher->line_next != NULL)
        watcher->line_next->line_prev = watcher->line_prev;
    else
        line->last = watcher->line_prev;
    watcher->line = NULL;
}

static void change_line(struct rkv_watch_line *line,
                        struct rkv_watcher *watcher)
{
    line_remove(watcher);
    line_add(line, watcher);
}

static bool is_before(int64_t main, uint32_t sub, int64_t other_main,
                      uint32_t other_sub)
{
    return main < other_main || (main == other_main && sub < other_sub);
}

void rkv_past_enter(struct rkv_watches *watches, struct rkv_watcher *watcher,
                    int64_t main, uint32_t sub)
{
    struct rkv_watch_past *past = &watches->past;

    watcher->mode = RKV_WATCHER_LAGGING;
    watcher->main = main;
    watcher->sub = sub;
    if (watcher->is_single) {
        line_add(&past->singles, watcher);
    } else if (is_on_ride(past) &&
               !is_before(main, sub, past->main, past->sub)) {
        rkv_watch_index_turn(watcher, true);
        line_add(&past->riding, watcher);
    } else {
        line_add(&past->waiting, watcher);
    }
}

void rkv_past_leave(struct rkv_watcher *watcher)
{
    line_remove(watcher);
    rkv_watch_index_turn(watcher, false);
    watcher->mode = RKV_WATCHER_SYNCED;
    watcher->held = NULL;
    watcher->after = NULL;
}

bool rkv_past_lags(const struct rkv_watch_past *past)
{
    return past->singles.first != NULL || past->waiting.first != NULL ||
           past->lost.first != NULL || is_on_ride(past);
}

/* Singles and riders take turns. */
bool rkv_past_read(struct rkv_watches *watches, const struct rkv_state *state)
{
    struct rkv_watch_past *past = &watches->past;

    do {
        if (is_on_ride(past))
            lose(past, state->compacted);
        else
            board(past, state->compacted);
        if (past->lost.first != NULL) {
            rkv_watches_cancel(watches, past->lost.first, state->compacted);
            return true;
        }
        past->singles_turn = !past->singles_turn;
        if (past->singles_turn && read_single(watches, state))
            return true;
        if (ride(watches, state) || read_single(watches, state))
            return true;
    } while (past->waiting.first != NULL);
    return false;
}

/* Gives up the ride for this rider, which stands where it was. */
static void get_off(struct rkv_watch_line *line, struct rkv_watcher *watcher)
{
    watcher->held = NULL;
    watcher->after = NULL;
    rkv_watch_index_turn(watcher, false);
    change_line(line, watcher);
}

void rkv_past_rewind(struct rkv_watches *watches)
{
    struct rkv_watch_past *past = &watches->past;
    struct rkv_watch_line *const holders[] = {&past->holding, &past->ready};
    struct rkv_watcher *watcher;

    while ((watcher = past->riding.first) != NULL) {
        if (is_before(watcher->main, watcher->sub, past->main, past->sub)) {
            watcher->main = past->main;
            watcher->sub = past->sub;
        }
        get_off(&past->waiting, watcher);
    }
    for (size_t i = 0; i < 2; i++) {
        while ((watcher = holders[i]->first) != NULL) {
            watcher->main = watcher->held->main;
            watcher->sub = watcher->held->sub;
            get_off(&past->waiting, watcher);
        }
    }
    while ((watcher = past->lost.first) != NULL)
        change_line(&past->waiting, watcher);
}

static bool is_on_ride(const struct rkv_watch_past *past)
{
    return past->riding.first != NULL || past->holding.first != NULL ||
           past->ready.first != NULL;
}

/* A new ride begins where the one furthest behind is. */
static void board(struct rkv_watch_past *past, int64_t compacted)
{
    struct rkv_watcher *watcher;

    past->place.epoch = UINT64_MAX;
    while ((watcher = past->waiting.first) != NULL) {
        if (watcher->main < compacted) {
            change_line(&past->lost, watcher);
            continue;
        }
        if (past->riding.first == NULL ||
            is_before(watcher->main, watcher->sub, past->main, past->sub)) {
            past->main = watcher->main;
            past->sub = watcher->sub;
        }
        rkv_watch_index_turn(watcher, true);
        change_line(&past->riding, watcher);
    }
}

/* When history has gone where the ride was, it goes on where history begins,
 * with those who had nothing to see before. */
static void lose(struct rkv_watch_past *past, int64_t compacted)
{
    struct rkv_watch_line *const lines[] = {&past->riding, &past->holding,
                                            &past->ready};
    struct rkv_watcher *next;

    if (past->main >= compacted)
        return;
    for (size_t i = 0; i < 3; i++) {
        for (struct rkv_watcher *w = lines[i]->first; w != NULL; w = next) {
            next = w->line_next;
            if (w->main < compacted)
                get_off(&past->lost, w);
        }
    }
    past->main = compacted;
    past->sub = 0;
    past->place.epoch = UINT64_MAX;
}

static const struct rkv_record *next_of_key(const struct rkv_state *state,
                                            const struct rkv_watcher *watcher)
{
    struct rkv_span span = rkv_watch_index_span(&watcher->seats[0]);
    struct rkv_tree_spot found =
        rkv_tree_find(&state->tree, span.key, span.key_len);
    const struct rkv_record *record =
        rkv_record_since(found.record, watcher->main);

    while (record != NULL && !rkv_watcher_wants(watcher, record))
        record = record->next;
    return record;
}

/* At one revision a key has one change, so each is the last. */
static bool read_single(struct rkv_watches *watches,
                        const struct rkv_state *state)
{
    struct rkv_watcher *watcher;

    while ((watcher = watches->past.singles.first) != NULL) {
        const struct rkv_record *record;

        if (watcher->main < state->compacted) {
            rkv_watches_cancel(watches, watcher, state->compacted);
            return true;
        }
        record = next_of_key(state, watcher);
        rkv_past_leave(watcher);
        if (record == NULL)
            continue;
        /* Behind the others, so that nobody waits for the slowest. */
        if (record->next != NULL)
            rkv_past_enter(watches, watcher, record->main + 1, 0);
        rkv_watches_fill(watches, state, watcher, record, true);
        return true;
    }
    return false;
}

/* The record that a ready rider has met before its newest. */
static void hand_earlier(struct rkv_watches *watches,
                         const struct rkv_state *state)
{
    struct rkv_watcher *watcher = watches->past.ready.first;

    rkv_watches_fill(watches, state, watcher, watcher->held, false);
    watcher->held = watcher->after;
    watcher->after = NULL;
    change_line(&watches->past.holding, watcher);
}

/* What a rider holds at the end of a revision. */
static void hand_last(struct rkv_watches *watches,
                      const struct rkv_state *state)
{
    struct rkv_watcher *watcher = watches->past.holding.first;

    rkv_watches_fill(watches, state, watcher, watcher->held, true);
    watcher->main = watcher->held->main + 1;
    watcher->sub = 0;
    watcher->held = NULL;
    change_line(&watches->past.riding, watcher);
}

static bool ride(struct rkv_watches *watches, const struct rkv_state *state)
{
    struct rkv_watch_past *past = &watches->past;

    while (is_on_ride(past)) {
        const struct rkv_record *record;
        struct rkv_history_place ahead;
        struct meeting meeting;

        if (past->ready.first != NULL) {
            hand_earlier(watches, state);
            return true;
        }
        if (past->place.epoch != state->history.epoch)
            past->place =
                rkv_history_seek(&state->history, past->main, past->sub);
        ahead = past->place;
        record = rkv_history_next(&state->history, &ahead);
        if (past->holding.first != NULL &&
            (record == NULL ||
             record->main > past->holding.first->held->main)) {
            hand_last(watches, state);
            if (record == NULL && past->holding.first == NULL)
                arrive(past);
            return true;
        }
        if (record == NULL) {
            arrive(past);
            return false;
        }
        past->place = ahead;
        past->main = record->main;
        past->sub = record->sub + 1;
        meeting = (struct meeting){past, record};
        rkv_watch_index_match(&watches->index, record->bytes, record->key_len,
                              true, meet, &meeting);
    }
    return false;
}

static void meet(void *ctx, struct rkv_watcher *watcher)
{
    const struct meeting *meeting = ctx;
    const struct rkv_record *record = meeting->record;

    if (!rkv_watcher_wants(watcher, record) ||
        is_before(record->main, record->sub, watcher->main, watcher->sub))
        return;
    /* Another of its ranges holds the key too. */
    if (watcher->held == record || watcher->after == record)
        return;
    if (watcher->held == NULL) {
        watcher->held = record;
        change_line(&meeting->past->holding, watcher);
    } else {
        watcher->after = record;
        change_line(&meeting->past->ready, watcher);
    }
}

/* All who still ride have seen everything. */
static void arrive(struct rkv_watch_past *past)
{
    while (past->riding.first != NULL)
        rkv_past_leave(past->riding.first);
}
