/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Clients that watch, for as long as the world lasts: when their member goes
 * down they go on at another one, from where they were; when history is gone
 * they begin anew; now and then they change their mind.
 */
#include <stdio.h>
#include <string.h>

#include "load.h"
#include "oracle.h"

static void draw_spans(struct world *w, struct stream *stream)
{
    struct span spans[WATCHER_SPANS] = {{{NULL, 0}, {NULL, 0}}};
    size_t count = 1 + load_below(w, WATCHER_SPANS);
    uint32_t flags = load_below(w, 2) == 0 ? RKV_WATCH_PREV : 0;
    int64_t revision = w->oracle->twin.revision, start = revision + 1;

    for (size_t i = 0; i < count; i++) {
        char *key = stream->keys[i][0], *end = stream->keys[i][1];
        unsigned from = (unsigned)load_below(w, KEYS);

        spans[i].key.bytes = (const uint8_t *)key;
        spans[i].end.bytes = (const uint8_t *)end;
        spans[i].key.len = (size_t)snprintf(key, 8, "k%02u", from);
        if (load_below(w, 2) == 0)
            spans[i].end.len = (size_t)snprintf(
                end, 8, "k%02u", from + 1 + (unsigned)load_below(w, KEYS));
    }
    if (load_below(w, 6) == 0)
        flags |= 1u << (1 + load_below(w, 3));
    if (load_below(w, 4) == 0)
        start = 1 + (int64_t)load_below(w, (uint64_t)revision);
    else if (load_below(w, 4) == 0)
        start += (int64_t)load_below(w, 40);
    watcher_begin(&stream->watcher, &w->oracle->twin, &w->oracle->verdict,
                  spans, count, flags, start);
    stream->has_begun = true;
    stream->last_member = MEMBERS_MAX;
}

static void note_open(struct world *w, const struct stream *stream,
                      int64_t start, int64_t revision)
{
    if (start <= revision)
        mark(w, MARK_WATCH_PAST);
    if (start > revision + 1)
        mark(w, MARK_WATCH_FUTURE);
    if (stream->last_member != MEMBERS_MAX &&
        stream->last_member != stream->member)
        mark(w, MARK_WATCH_RESUMED);
}

static void open_at(struct world *w, struct stream *stream, uint32_t at)
{
    const struct watcher *watcher = &stream->watcher;
    rkv_kv *kv = rkv_node_kv(w->machines[at].node);
    struct rkv_kv_status status = {.size = sizeof status};
    struct rkv_watch_range more[WATCHER_SPANS];
    struct rkv_watch watch = {.size = sizeof watch,
                              .flags = watcher->flags,
                              .key = watcher->spans[0].key.bytes,
                              .key_len = watcher->spans[0].key.len,
                              .end = watcher->spans[0].end.bytes,
                              .end_len = watcher->spans[0].end.len,
                              .id = ++w->clients->lives,
                              .more = more,
                              .more_count = watcher->spans_count - 1};
    int rc;

    for (size_t i = 1; i < watcher->spans_count; i++) {
        const struct span *span = &watcher->spans[i];

        more[i - 1] = (struct rkv_watch_range){span->key.bytes, span->key.len,
                                               span->end.bytes, span->end.len};
    }
    rkv_kv_status(kv, &status);
    watch.start = watcher_open(&stream->watcher);
    rc = rkv_kv_watch(kv, &watch, NULL);
    if (rc != RKV_OK) {
        world_break(w, "a watch begins", "%s", rkv_errname(rc));
        return;
    }
    stream->member = at;
    stream->life = watch.id;
    note_open(w, stream, watch.start, status.revision);
    stream->last_member = at;
    w->machines[at].stirred = true;
}

static void ask_progress(struct world *w, struct stream *stream)
{
    rkv_kv *kv = rkv_node_kv(w->machines[stream->member].node);
    int64_t revision;

    if (rkv_kv_progress(kv, stream->life, &revision) != RKV_OK)
        return;
    watcher_progress(&stream->watcher, revision);
    mark(w, MARK_WATCH_PROGRESS);
}

static void leave(struct world *w, struct stream *stream)
{
    rkv_kv *kv = rkv_node_kv(w->machines[stream->member].node);

    if (rkv_kv_unwatch(kv, stream->life) != RKV_OK)
        world_break(w, "a watch that is there can be ended", "watch %llu",
                    (unsigned long long)stream->life);
    watcher_close(&stream->watcher);
}

void watching_ask(struct world *w)
{
    struct stream *stream = &w->clients->streams[load_below(w, STREAMS)];
    uint32_t at = (uint32_t)load_below(w, w->count);

    if (!stream->has_begun)
        draw_spans(w, stream);
    if (stream->watcher.is_open) {
        ask_progress(w, stream);
        if (load_below(w, 30) == 0)
            leave(w, stream);
    } else if (w->machines[at].node != NULL &&
               w->machines[at].sleeps <= w->now) {
        open_at(w, stream, at);
    }
    if (!stream->watcher.is_open && load_below(w, 30) == 0)
        draw_spans(w, stream);
    oracle_hear(w);
}

static struct stream *stream_of(struct world *w, uint32_t at, uint64_t life)
{
    for (uint32_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &w->clients->streams[i];

        if (stream->watcher.is_open && stream->life == life &&
            stream->member == at)
            return stream;
    }
    return NULL;
}

void watching_told(struct world *w, uint32_t at,
                   const struct rkv_change_event *event)
{
    struct stream *stream = stream_of(w, at, event->watch);
    struct rkv_kv_status status = {.size = sizeof status};

    rkv_kv_status(rkv_node_kv(w->machines[at].node), &status);
    if (stream == NULL) {
        world_break(w, "who does not watch is told nothing",
                    "member %u, watch %llu", at + 1,
                    (unsigned long long)event->watch);
        return;
    }
    if (event->revision > status.revision)
        world_break(w, "nothing is told before it happened",
                    "member %u, revision %lld", at + 1,
                    (long long)event->revision);
    watcher_told(&stream->watcher, event, status.compacted);
    if (event->kind == RKV_CHANGE_CANCELED) {
        mark(w, MARK_WATCH_CANCELED);
        draw_spans(w, stream);
    } else if (!event->last) {
        mark(w, MARK_WATCH_WHOLE);
    }
}

void watching_restored(struct world *w, uint32_t at)
{
    for (uint32_t i = 0; i < STREAMS; i++) {
        const struct stream *stream = &w->clients->streams[i];

        if (stream->watcher.is_open && stream->member == at)
            mark(w, MARK_WATCH_RESTORED);
    }
}

void watching_ended(struct world *w, uint32_t at)
{
    for (uint32_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &w->clients->streams[i];

        if (stream->member == at)
            watcher_close(&stream->watcher);
    }
}

void watching_finish(struct world *w)
{
    for (uint32_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &w->clients->streams[i];
        rkv_kv *kv;
        int64_t revision;

        if (!stream->watcher.is_open)
            continue;
        kv = rkv_node_kv(w->machines[stream->member].node);
        if (rkv_kv_progress(kv, stream->life, &revision) != RKV_OK)
            world_break(w, "a watch comes to know everything",
                        "member %u, watch %llu", stream->member + 1,
                        (unsigned long long)stream->life);
        else
            watcher_progress(&stream->watcher, revision);
    }
}
