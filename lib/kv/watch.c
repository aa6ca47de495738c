/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Watches.  While the host pulls as fast as commands are applied, each change
 * is one notice per watcher in a bounded queue, which keeps the record alive
 * even when it is compacted meanwhile.  A watcher that starts in the past, or
 * for which the queue had no room, reads the history instead, as watchpast.c
 * says.
 */
#include "room.h"

#include <string.h>

/* Memory for more notices than the latter is not kept when all are taken. */
enum { QUEUE_MIN = 64, QUEUE_KEPT = 16384 };

static void enlist(struct rkv_watches *watches, struct rkv_watcher *watcher);
static void detach(struct rkv_watches *watches, struct rkv_watcher *watcher);
static void tell(void *ctx, struct rkv_watcher *watcher);
static bool make_room(struct rkv_watches *watches);
static void drop_queue(struct rkv_watches *watches);
static bool take_notice(struct rkv_watches *watches, struct rkv_state *state);
static void give_back(struct rkv_watches *watches, struct rkv_state *state);
static void ring(rkv_kv *kv);

void rkv_watches_init(struct rkv_watches *watches,
                      const struct rkv_allocator *a, uint64_t bytes_max)
{
    memset(watches, 0, sizeof(*watches));
    watches->allocator = a;
    watches->bytes_max = bytes_max;
    watches->next_id = 1;
    rkv_map_init(&watches->ids, a);
    rkv_watch_index_init(&watches->index, a);
}

void rkv_watches_free(struct rkv_watches *watches, struct rkv_state *state)
{
    rkv_watches_move(watches, state);
    while (watches->all_first != NULL)
        detach(watches, watches->all_first);
    rkv_watch_index_free(&watches->index);
    rkv_map_free(&watches->ids);
    drop_queue(watches);
}

static int check_range(const struct rkv_kv *kv,
                       const struct rkv_watch_range *range)
{
    struct rkv_span span;

    if (!rkv_span_is_given(range->key, range->key_len, range->end,
                           range->end_len))
        return RKV_EINVAL;
    if (range->key_len == 0)
        return RKV_EKEY;
    if (range->key_len > kv->options.key_bytes_max ||
        range->end_len > kv->options.key_bytes_max)
        return RKV_ETOOBIG;
    span = rkv_span_of(range->key, range->key_len, range->end, range->end_len);
    return rkv_span_is_empty(&span) ? RKV_EINVAL : RKV_OK;
}

/* The first range of a watch stands in it, the others behind a pointer. */
static struct rkv_watch_range range_at(const struct rkv_watch *watch, size_t i)
{
    if (i > 0)
        return watch->more[i - 1];
    return (struct rkv_watch_range){watch->key, watch->key_len, watch->end,
                                    watch->end_len};
}

static int check_watch(const struct rkv_kv *kv, const struct rkv_watch *watch)
{
    const uint32_t known = RKV_WATCH_PREV | RKV_WATCH_NO_PUT |
                           RKV_WATCH_NO_DELETE | RKV_WATCH_KEYS_ONLY;

    if ((watch->flags & ~known) != 0 ||
        (watch->more == NULL && watch->more_count > 0))
        return RKV_EINVAL;
    if (watch->more_count >= RKV_WATCH_RANGES_MAX)
        return RKV_ETOOMANY;
    for (size_t i = 0; i <= watch->more_count; i++) {
        struct rkv_watch_range range = range_at(watch, i);
        int error = check_range(kv, &range);

        if (error != RKV_OK)
            return error;
    }
    if (watch->id != 0 && rkv_map_get(&kv->watches.ids, watch->id) != NULL)
        return RKV_EEXIST;
    if (kv->watches.count >= kv->options.watches_max)
        return RKV_EBUSY;
    return RKV_OK;
}

static uint64_t choose_id(struct rkv_watches *watches)
{
    while (watches->next_id == 0 ||
           rkv_map_get(&watches->ids, watches->next_id) != NULL)
        watches->next_id++;
    return watches->next_id++;
}

/* With seats in its groups and an id, or not at all. */
static int add_watcher(struct rkv_watches *watches, const struct rkv_watch *w,
                       struct rkv_watcher *watcher)
{
    struct rkv_span spans[RKV_WATCH_RANGES_MAX];
    uint32_t count = (uint32_t)w->more_count + 1;

    for (uint32_t i = 0; i < count; i++) {
        struct rkv_watch_range range = range_at(w, i);

        spans[i] =
            rkv_span_of(range.key, range.key_len, range.end, range.end_len);
    }
    if (rkv_watch_index_add(&watches->index, watcher, spans, count) < 0)
        return RKV_ENOMEM;
    watcher->id = w->id != 0 ? w->id : choose_id(watches);
    if (rkv_map_set(&watches->ids, watcher->id, watcher) == RKV_OK)
        return RKV_OK;
    rkv_watch_index_remove(&watches->index, watcher);
    return RKV_ENOMEM;
}

static size_t size_of(uint32_t ranges)
{
    return sizeof(struct rkv_watcher) + ranges * sizeof(struct rkv_watch_seat);
}

static void free_watcher(struct rkv_watches *watches,
                         struct rkv_watcher *watcher)
{
    rkv_release(watches->allocator, watcher, size_of(watcher->ranges));
}

int rkv_kv_watch(rkv_kv *kv, const struct rkv_watch *watch, uint64_t *id)
{
    struct rkv_watches *watches = &kv->watches;
    struct rkv_watcher *watcher;
    struct rkv_watch w;
    int error = rkv_options(&w, sizeof(w), watch);

    if (kv->failed)
        return RKV_EFAILED;
    if (error == RKV_OK)
        error = check_watch(kv, &w);
    if (error != RKV_OK)
        return error;
    watcher = rkv_alloc_zeroed(watches->allocator,
                               size_of((uint32_t)w.more_count + 1));
    if (watcher == NULL)
        return RKV_ENOMEM;
    watcher->ranges = (uint8_t)(w.more_count + 1);
    watcher->flags = (uint8_t)w.flags;
    watcher->from = w.start != 0 ? w.start : kv->state->revision + 1;
    if (add_watcher(watches, &w, watcher) < 0) {
        free_watcher(watches, watcher);
        return RKV_ENOMEM;
    }
    enlist(watches, watcher);
    if (watcher->from <= kv->state->revision) {
        rkv_past_enter(watches, watcher, watcher->from, 0);
        ring(kv);
    }
    if (id != NULL)
        *id = watcher->id;
    return RKV_OK;
}

/* Whether there is nothing that it has yet to be told. */
static bool is_up_to_date(const struct rkv_watcher *watcher)
{
    return watcher->mode == RKV_WATCHER_SYNCED && watcher->queued == 0;
}

int rkv_kv_progress(const rkv_kv *kv, uint64_t id, int64_t *revision)
{
    const struct rkv_watches *watches = &kv->watches;
    const struct rkv_watcher *watcher = NULL;

    if (kv->failed)
        return RKV_EFAILED;
    if (revision == NULL)
        return RKV_EINVAL;
    if (id != 0) {
        watcher = rkv_map_get(&watches->ids, id);
        if (watcher == NULL)
            return RKV_ENOTFOUND;
        if (!is_up_to_date(watcher))
            return RKV_EBUSY;
    } else if (watches->queue_first < watches->queue_end ||
               rkv_past_lags(&watches->past)) {
        return RKV_EBUSY;
    }
    *revision = kv->state->revision;
    return RKV_OK;
}

int rkv_kv_unwatch(rkv_kv *kv, uint64_t id)
{
    struct rkv_watcher *watcher = rkv_map_get(&kv->watches.ids, id);

    if (watcher == NULL)
        return RKV_ENOTFOUND;
    detach(&kv->watches, watcher);
    return RKV_OK;
}

int rkv_kv_next_change(rkv_kv *kv, const struct rkv_change_event **out)
{
    struct rkv_watches *watches = &kv->watches;

    if (kv->failed)
        return RKV_EFAILED;
    give_back(watches, kv->state);
    rkv_state_sweep(kv->state);
    if (!take_notice(watches, kv->state) &&
        !(rkv_past_lags(&watches->past) && rkv_past_read(watches, kv->state)))
        return 0;
    *out = &watches->change;
    return 1;
}

bool rkv_kv_changes_wait(const rkv_kv *kv)
{
    const struct rkv_watches *watches = &kv->watches;

    return !kv->failed && (watches->queue_first < watches->queue_end ||
                           rkv_past_lags(&watches->past));
}

void rkv_kv_hang(rkv_kv *kv, struct rkv_bell *bell, void *owner)
{
    rkv_kv **link = kv->rings ? &kv->bell->rung : NULL;

    for (; link != NULL && *link != kv; link = &(*link)->rung)
        ;
    if (link != NULL)
        *link = kv->rung;
    kv->rings = false;
    kv->bell = bell;
    kv->owner = owner;
}

static void ring(rkv_kv *kv)
{
    if (kv->bell == NULL || kv->rings)
        return;
    kv->rings = true;
    kv->rung = kv->bell->rung;
    kv->bell->rung = kv;
}

void *rkv_bell_answer(struct rkv_bell *bell)
{
    rkv_kv *kv = bell->rung;

    if (kv == NULL)
        return NULL;
    bell->rung = kv->rung;
    kv->rings = false;
    return kv->owner;
}

struct news {
    struct rkv_watches *watches;
    struct rkv_record *record;
};

void rkv_watches_notify(struct rkv_watches *watches, struct rkv_record *record)
{
    struct news news = {watches, record};

    if (watches->count > 0)
        rkv_watch_index_match(&watches->index, record->bytes, record->key_len,
                              false, tell, &news);
}

/* A notice per watcher is forgotten in the order in which they came, so the
 * first one sets the place to go on from. */
void rkv_watches_move(struct rkv_watches *watches, struct rkv_state *from)
{
    give_back(watches, from);
    rkv_past_rewind(watches);
    for (; watches->queue_first < watches->queue_end; watches->queue_first++) {
        struct rkv_notice *notice =
            &watches->queue[watches->queue_first & (watches->queue_cap - 1)];
        struct rkv_watcher *watcher = notice->watcher;
        int64_t main = notice->record->main;
        uint32_t sub = notice->record->sub;

        rkv_record_drop(&from->pool, notice->record);
        watcher->queued--;
        if (watcher->mode == RKV_WATCHER_GONE) {
            if (watcher->queued == 0)
                free_watcher(watches, watcher);
        } else if (watcher->mode == RKV_WATCHER_SYNCED) {
            rkv_past_enter(watches, watcher, main, sub);
        } else if (main < watcher->main ||
                   (main == watcher->main && sub < watcher->sub)) {
            watcher->main = main;
            watcher->sub = sub;
        }
    }
    watches->queue_bytes = 0;
    for (struct rkv_watcher *w = watches->all_first; w != NULL;
         w = w->all_next) {
        if (w->mode == RKV_WATCHER_SYNCED && w->from <= from->revision)
            w->from = from->revision + 1;
        if (w->mode == RKV_WATCHER_SYNCED)
            rkv_past_enter(watches, w, w->from, 0);
    }
}

static void enlist(struct rkv_watches *watches, struct rkv_watcher *watcher)
{
    watches->count++;
    watcher->all_prev = watches->all_last;
    if (watches->all_last != NULL)
        watches->all_last->all_next = watcher;
    else
        watches->all_first = watcher;
    watches->all_last = watcher;
}

/* Notices of a watcher that is gone are dropped when their turn comes, the
 * last of them takes the watcher along. */
static void detach(struct rkv_watches *watches, struct rkv_watcher *watcher)
{
    if (watcher->mode == RKV_WATCHER_LAGGING)
        rkv_past_leave(watcher);
    (void)rkv_map_remove(&watches->ids, watcher->id);
    rkv_watch_index_remove(&watches->index, watcher);
    if (watcher->all_prev != NULL)
        watcher->all_prev->all_next = watcher->all_next;
    else
        watches->all_first = watcher->all_next;
    if (watcher->all_next != NULL)
        watcher->all_next->all_prev = watcher->all_prev;
    else
        watches->all_last = watcher->all_prev;
    watches->count--;
    watcher->mode = RKV_WATCHER_GONE;
    if (watcher->queued == 0)
        free_watcher(watches, watcher);
}

static uint64_t weight_of(const struct rkv_record *record)
{
    return sizeof(struct rkv_notice) + record->key_len + record->value_len;
}

static void tell(void *ctx, struct rkv_watcher *watcher)
{
    const struct news *news = ctx;
    struct rkv_watches *watches = news->watches;
    struct rkv_record *record = news->record;
    struct rkv_notice *tail;

    if (watcher->mode != RKV_WATCHER_SYNCED ||
        !rkv_watcher_wants(watcher, record))
        return;
    /* Who was told of this revision before now learns that it goes on. */
    if (watcher->queued > 0) {
        tail = &watches->queue[watcher->tail & (watches->queue_cap - 1)];
        /* Another of its ranges holds the key too. */
        if (tail->record == record)
            return;
        if (tail->record->main == record->main)
            tail->last = 0;
    }
    if (watches->queue_bytes + weight_of(record) > watches->bytes_max ||
        watcher->queued == UINT32_MAX || record->refs == INT32_MAX ||
        !make_room(watches)) {
        rkv_past_enter(watches, watcher, record->main, record->sub);
        return;
    }
    record->refs++;
    watcher->queued++;
    watcher->tail = watches->queue_end++;
    watches->queue_bytes += weight_of(record);
    watches->queue[watcher->tail & (watches->queue_cap - 1)] =
        (struct rkv_notice){watcher, record, 1};
}

/* Room for one more notice: false when there is no memory. */
static bool make_room(struct rkv_watches *watches)
{
    size_t old = watches->queue_cap, cap = old == 0 ? QUEUE_MIN : 2 * old;
    struct rkv_notice *queue;

    if (watches->queue_end - watches->queue_first < old)
        return true;
    queue = rkv_alloc(watches->allocator, cap * sizeof(queue[0]));
    if (queue == NULL)
        return false;
    for (uint64_t i = watches->queue_first; i < watches->queue_end; i++)
        queue[i & (cap - 1)] = watches->queue[i & (old - 1)];
    rkv_release(watches->allocator, watches->queue, old * sizeof(queue[0]));
    watches->queue = queue;
    watches->queue_cap = cap;
    return true;
}

static void drop_queue(struct rkv_watches *watches)
{
    rkv_release(watches->allocator, watches->queue,
                watches->queue_cap * sizeof(watches->queue[0]));
    watches->queue = NULL;
    watches->queue_cap = 0;
}

static bool take_notice(struct rkv_watches *watches, struct rkv_state *state)
{
    while (watches->queue_first < watches->queue_end) {
        struct rkv_notice notice =
            watches->queue[watches->queue_first++ & (watches->queue_cap - 1)];
        struct rkv_watcher *watcher = notice.watcher;

        watcher->queued--;
        watches->queue_bytes -= weight_of(notice.record);
        if (watcher->mode == RKV_WATCHER_GONE) {
            rkv_record_drop(&state->pool, notice.record);
            if (watcher->queued == 0)
                free_watcher(watches, watcher);
            continue;
        }
        watches->lent = notice.record;
        rkv_watches_fill(watches, state, watcher, notice.record, notice.last);
        return true;
    }
    if (watches->queue_cap > QUEUE_KEPT)
        drop_queue(watches);
    return false;
}

void rkv_watches_cancel(struct rkv_watches *watches,
                        struct rkv_watcher *watcher, int64_t compacted)
{
    watches->change = (struct rkv_change_event){
        .watch = watcher->id,
        .kind = RKV_CHANGE_CANCELED,
        .last = 1,
        .compacted = compacted,
    };
    detach(watches, watcher);
}

/* The value before is given as long as a reader just before this revision
 * would still be answered. */
void rkv_watches_fill(struct rkv_watches *watches,
                      const struct rkv_state *state,
                      const struct rkv_watcher *watcher,
                      const struct rkv_record *record, bool is_last)
{
    struct rkv_change_event *change = &watches->change;
    bool with_value = (watcher->flags & RKV_WATCH_KEYS_ONLY) == 0;

    *change = (struct rkv_change_event){
        .watch = watcher->id,
        .kind = rkv_record_is_live(record) ? RKV_CHANGE_PUT : RKV_CHANGE_DELETE,
        .last = is_last,
        .revision = record->main,
    };
    rkv_record_item(record, with_value, &change->now);
    if ((watcher->flags & RKV_WATCH_PREV) != 0 &&
        record->main > state->compacted && record->prev != NULL &&
        rkv_record_is_live(record->prev))
        rkv_record_item(record->prev, with_value, &change->before);
}

static void give_back(struct rkv_watches *watches, struct rkv_state *state)
{
    if (watches->lent != NULL)
        rkv_record_drop(&state->pool, watches->lent);
    watches->lent = NULL;
}
