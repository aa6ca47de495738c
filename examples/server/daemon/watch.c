/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/watch.c - from the store's changes to responses: one response a
 * revision and watch, never a part of one.
 */
#include "server.h"

#include <stdlib.h>

enum { EVENTS_KEPT = 16, FRAGMENT_BYTES = 2 * 1024 * 1024 };

static uint64_t store_id(const struct watch *watch)
{
    return (uint64_t)watch->round << 32 | ((uint64_t)watch->slot + 1);
}

void watches_init(struct watches *watches, struct server *server)
{
    watches->server = server;
}

void watches_free(struct watches *watches)
{
    for (uint32_t i = 0; i < watches->count; i++) {
        free(watches->slots[i]->keys);
        free(watches->slots[i]->events);
        arena_free(&watches->slots[i]->kept);
        free(watches->slots[i]);
    }
    free(watches->slots);
    watches->slots = NULL;
    watches->count = 0;
}

static struct watch *take_slot(struct watches *watches)
{
    struct watch *watch = watches->free;

    if (watch) {
        watches->free = watch->next;
        return watch;
    }
    if ((watches->count & (watches->count - 1)) == 0) {
        size_t cap = watches->count ? (size_t)watches->count * 2 : 1;
        struct watch **slots = realloc(watches->slots, cap * sizeof *slots);
        if (!slots)
            return NULL;
        watches->slots = slots;
    }
    watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->slot = watches->count;
    watches->slots[watches->count++] = watch;
    return watch;
}

struct watch *watch_new(struct watcher *watcher, struct bytes key,
                        struct bytes end)
{
    struct watches *watches = &watcher->stream->server->watches;
    char *keys = malloc(key.len + end.len + 1);
    struct watch *watch = keys ? take_slot(watches) : NULL;

    if (!watch) {
        free(keys);
        return NULL;
    }
    memcpy(keys, key.at, key.len);
    if (end.len > 0)
        memcpy(keys + key.len, end.at, end.len);
    watch->keys = keys;
    watch->in_use = true;
    watch->live = false;
    watch->notify = false;
    watch->count = 0;
    watch->wanted = (struct rkv_watch){
        .size = sizeof watch->wanted,
        .key = keys,
        .key_len = key.len,
        .end = keys + key.len,
        .end_len = end.len,
    };
    watch->watcher = watcher;
    watch->next = watcher->watches;
    watcher->watches = watch;
    watcher->count++;
    watches->live++;
    return watch;
}

/* Most revisions have one change for a watch, which is not kept at all: what
 * the others took is not worth a block for each watch there is. */
static void drop_kept(struct watch *watch)
{
    watch->count = 0;
    arena_free(&watch->kept);
    if (watch->cap > EVENTS_KEPT) {
        free(watch->events);
        watch->events = NULL;
        watch->cap = 0;
    }
}

/* A new id each time, so that changes still under way for the old one find
 * nobody. */
int watch_resume(struct watch *watch)
{
    uint64_t id;

    watch->round++;
    watch->wanted.id = store_id(watch);
    watch->wanted.start = watch->from;
    int rc =
        rkv_kv_watch(watch->watcher->stream->server->kv, &watch->wanted, &id);
    watch->live = rc == RKV_OK;
    return rc;
}

static void watch_pause(struct watch *watch)
{
    if (!watch->live)
        return;
    rkv_kv_unwatch(watch->watcher->stream->server->kv, store_id(watch));
    watch->live = false;
    drop_kept(watch);
}

void watch_free(struct watch *watch)
{
    struct watcher *watcher = watch->watcher;
    struct watches *watches = &watcher->stream->server->watches;
    struct watch **at = &watcher->watches;

    watch_pause(watch);
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    watcher->count--;
    watches->live--;
    free(watch->keys);
    watch->keys = NULL;
    free(watch->events);
    watch->events = NULL;
    watch->cap = 0;
    arena_free(&watch->kept);
    watch->in_use = false;
    watch->watcher = NULL;
    watch->round++;
    watch->next = watches->free;
    watches->free = watch;
}

/* ---- streams ---- */

struct watcher *watcher_new(struct stream *stream)
{
    struct watches *watches = &stream->server->watches;
    struct watcher *watcher = calloc(1, sizeof *watcher);

    if (!watcher)
        return NULL;
    watcher->stream = stream;
    watcher->next = watches->watchers;
    watches->watchers = watcher;
    stream->watcher = watcher;
    return watcher;
}

void watcher_free(struct watcher *watcher)
{
    struct watches *watches = &watcher->stream->server->watches;
    struct watcher **at = &watches->watchers;

    while (watcher->watches)
        watch_free(watcher->watches);
    while (*at != watcher)
        at = &(*at)->next;
    *at = watcher->next;
    watches->paused -= watcher->paused;
    watches->asked -= watcher->asked;
    watcher->stream->watcher = NULL;
    free(watcher);
}

static void watcher_pause(struct watcher *watcher)
{
    if (watcher->paused)
        return;
    watcher->paused = true;
    watcher->stream->server->watches.paused++;
    for (struct watch *watch = watcher->watches; watch; watch = watch->next)
        watch_pause(watch);
}

static void cancel(struct watch *watch, int64_t compacted, const char *reason)
{
    struct watcher *watcher = watch->watcher;
    struct watch_response response = {
        .watch_id = watch->id,
        .canceled = true,
        .compact_revision = compacted,
        .cancel_reason = bytes_text(reason),
    };

    watch_free(watch);
    watcher_push(watcher, &response, 0);
}

/* Whoever pushes may find the stream closed afterwards, for want of memory,
 * and the watcher gone with it. */
static void watcher_resume(struct watcher *watcher)
{
    struct stream *stream = watcher->stream;
    struct server *server = stream->server;

    watcher->paused = false;
    server->watches.paused--;
    for (struct watch *watch = watcher->watches; watch;) {
        struct watch *next = watch->next;
        int rc = watch_resume(watch);
        if (rc != RKV_OK)
            cancel(watch, 0, rkv_strerror(rc));
        if (stream->watcher != watcher)
            return;
        watch = next;
    }
    server_again(server);
}

void watcher_push(struct watcher *watcher, struct watch_response *response,
                  int64_t revision)
{
    struct stream *stream = watcher->stream;
    struct header header = server_header(stream->server, revision);

    response->header = &header;
    stream->transport->push(stream, &watch_response_message, response);
}

/* ---- changes ---- */

static size_t event_bytes(const struct event *event)
{
    size_t bytes = event->kv->key_len + event->kv->value_len;

    if (event->prev_kv)
        bytes += event->prev_kv->key_len + event->prev_kv->value_len;
    return bytes;
}

/* How many of the events go into one response: all of them, unless the watch
 * takes fragments. */
static size_t fragment_of(const struct watch *watch, const struct event *events,
                          size_t count)
{
    size_t taken = 1, bytes = event_bytes(events);

    if (!watch->fragment)
        return count;
    while (taken < count &&
           bytes + event_bytes(&events[taken]) <= FRAGMENT_BYTES)
        bytes += event_bytes(&events[taken++]);
    return taken;
}

static void deliver(struct watch *watch, const struct event *events,
                    size_t count, int64_t revision)
{
    struct watcher *watcher = watch->watcher;
    struct stream *stream = watcher->stream;

    stream->server->metrics.watch_events += count;
    watch->from = revision + 1;
    for (size_t at = 0; at < count && stream->watcher == watcher;) {
        size_t taken = fragment_of(watch, events + at, count - at);
        struct watch_response response = {
            .watch_id = watch->id,
            .fragment = at + taken < count,
            .events = {events + at, taken},
        };
        watcher_push(watcher, &response, revision);
        at += taken;
    }
    if (stream->watcher == watcher &&
        stream->transport->queued(stream) > WATCH_QUEUE_HIGH)
        watcher_pause(watcher);
}

static const struct rkv_item *copy_item(struct arena *arena,
                                        const struct rkv_item *item)
{
    struct rkv_item *copy = arena_take(arena, sizeof *copy);
    char *bytes = arena_take(arena, item->key_len + item->value_len + 1);

    if (!copy || !bytes)
        return NULL;
    *copy = *item;
    copy->key = memcpy(bytes, item->key, item->key_len);
    if (item->value_len > 0)
        memcpy(bytes + item->key_len, item->value, item->value_len);
    copy->value = bytes + item->key_len;
    return copy;
}

static bool keep(struct watch *watch, const struct event *event)
{
    if (watch->count == watch->cap) {
        size_t cap = watch->cap ? watch->cap * 2 : EVENTS_KEPT;
        struct event *events =
            realloc(watch->events, cap * sizeof *watch->events);
        if (!events)
            return false;
        watch->events = events;
        watch->cap = cap;
    }
    struct event *kept = &watch->events[watch->count];
    *kept = *event;
    kept->kv = copy_item(&watch->kept, event->kv);
    if (event->prev_kv)
        kept->prev_kv = copy_item(&watch->kept, event->prev_kv);
    watch->count++;
    return kept->kv && (!event->prev_kv || kept->prev_kv);
}

/* A change that is all its revision has for this watch, the usual case, is
 * passed on where it stands. */
static void changed(struct watch *watch, const struct rkv_change_event *change)
{
    struct rkv_item now = change->now;
    struct event event = {
        .type = change->kind == RKV_CHANGE_DELETE ? EVENT_DELETE : EVENT_PUT,
        .kv = &now,
        .prev_kv = change->before.version != 0 ? &change->before : NULL,
    };

    if (change->kind == RKV_CHANGE_DELETE)
        now = (struct rkv_item){.key = now.key,
                                .key_len = now.key_len,
                                .mod_revision = change->revision};
    if (change->last && watch->count == 0) {
        deliver(watch, &event, 1, change->revision);
        return;
    }
    if (!keep(watch, &event)) {
        cancel(watch, 0, "etcdserver: out of memory");
        return;
    }
    if (change->last) {
        deliver(watch, watch->events, watch->count, change->revision);
        drop_kept(watch);
    }
}

void watches_change(struct watches *watches,
                    const struct rkv_change_event *change)
{
    uint32_t slot = (uint32_t)change->watch - 1;

    if (slot >= watches->count)
        return;
    struct watch *watch = watches->slots[slot];
    if (!watch->in_use || !watch->live || store_id(watch) != change->watch)
        return;
    if (change->kind == RKV_CHANGE_CANCELED) {
        watch->live = false;
        drop_kept(watch);
        cancel(watch, change->compacted, "");
        return;
    }
    changed(watch, change);
}

/* All changes have been taken, so a watch has seen all there was up to here,
 * even if none of it was for it: put back later, it need not begin in a past
 * that may be compacted by then. */
static void advance(struct watcher *watcher, int64_t revision)
{
    for (struct watch *watch = watcher->watches; watch; watch = watch->next)
        if (watch->live && watch->from <= revision)
            watch->from = revision + 1;
}

/* One watch a time is enough for something that comes every ten minutes. */
static void notify(struct watcher *watcher, int64_t revision, uint64_t now)
{
    for (struct watch *watch = watcher->watches; watch; watch = watch->next) {
        if (!watch->notify || watch->from > revision + 1)
            continue;
        if (now < watch->progress_at)
            continue;
        watch->progress_at = now + watcher->stream->server->flags.progress_ms;
        struct watch_response response = {.watch_id = watch->id};
        watcher_push(watcher, &response, revision);
        return;
    }
}

/* A stream that asked for it ends when there has been no leader for three
 * election timeouts: elsewhere there may be one. */
static bool is_forsaken(const struct stream *stream, uint64_t now)
{
    const struct server *server = stream->server;

    return stream->needs_leader && server->leader == 0 &&
           now - server->leaderless > 3 * server->flags.election_ms;
}

static void answer_progress(struct watcher *watcher, int64_t revision)
{
    struct watch_response response = {.watch_id = -1};

    watcher->asked = false;
    watcher->stream->server->watches.asked--;
    watcher_push(watcher, &response, revision);
}

void watches_settle(struct watches *watches, uint64_t now)
{
    bool due = now - watches->notified >= 1000;

    if (watches->paused == 0 && watches->asked == 0 && !due)
        return;
    if (due)
        watches->notified = now;
    int64_t revision = server_revision(watches->server);
    for (struct watcher *watcher = watches->watchers, *next; watcher;
         watcher = next) {
        struct stream *stream = watcher->stream;
        next = watcher->next;
        if (due && is_forsaken(stream, now)) {
            stream_fail(stream, STATUS_UNAVAILABLE, "etcdserver: no leader");
            continue;
        }
        if (watcher->paused) {
            if (stream->transport->queued(stream) < WATCH_QUEUE_LOW)
                watcher_resume(watcher);
            continue;
        }
        if (due)
            advance(watcher, revision);
        if (watcher->asked)
            answer_progress(watcher, revision);
        if (due && stream->watcher == watcher)
            notify(watcher, revision, now);
    }
}
