/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/watch_rpc.c - what a client says on a watch stream: begin, end, how
 * far are you.
 */
#include "server.h"

static bool range_is_empty(struct bytes key, struct bytes end)
{
    if (end.len == 0 || (end.len == 1 && *(const char *)end.at == '\0'))
        return false;
    return bytes_order(key, end) >= 0;
}

static struct watch *find(struct watcher *watcher, int64_t id)
{
    struct watch *watch = watcher->watches;

    while (watch && watch->id != id)
        watch = watch->next;
    return watch;
}

static void refuse(struct watcher *watcher, const char *reason)
{
    struct watch_response response = {
        .watch_id = -1,
        .created = true,
        .canceled = true,
        .cancel_reason = bytes_text(reason),
    };

    watcher_push(watcher, &response, server_revision(watcher->stream->server));
}

static const char *fault_of(struct watcher *watcher,
                            const struct watch_create *r)
{
    if (range_is_empty(r->key, r->range_end))
        return "mvcc: watcher range is empty";
    if (r->start_revision < 0)
        return "etcdserver: mvcc: required revision has been compacted";
    if (r->watch_id != 0 && find(watcher, r->watch_id))
        return "mvcc: duplicate watch ID provided on the WatchStream";
    if (watcher->count >= WATCHES_PER_STREAM_MAX)
        return "etcdserver: too many watches on one stream";
    return NULL;
}

static int64_t choose_id(struct watcher *watcher, int64_t wanted)
{
    if (wanted != 0)
        return wanted;
    while (find(watcher, watcher->next_id))
        watcher->next_id++;
    return watcher->next_id++;
}

static uint32_t flags_of(const struct watch_create *r)
{
    const int32_t *filters = r->filters.at;
    uint32_t flags = r->prev_kv ? (uint32_t)RKV_WATCH_PREV : 0;

    for (size_t i = 0; i < r->filters.count; i++) {
        if (filters[i] == FILTER_NOPUT)
            flags |= RKV_WATCH_NO_PUT;
        if (filters[i] == FILTER_NODELETE)
            flags |= RKV_WATCH_NO_DELETE;
    }
    return flags;
}

static void create(struct watcher *watcher, const struct watch_create *r)
{
    struct server *server = watcher->stream->server;
    struct bytes key = r->key.len > 0 ? r->key : bytes_of("", 1);
    const char *fault = fault_of(watcher, r);

    if (fault) {
        refuse(watcher, fault);
        return;
    }
    int64_t id = choose_id(watcher, r->watch_id);
    struct watch *watch = watch_new(watcher, key, r->range_end);
    if (!watch) {
        refuse(watcher, "etcdserver: out of memory");
        return;
    }
    int64_t revision = server_revision(server);
    watch->id = id;
    watch->wanted.flags = flags_of(r);
    watch->from = r->start_revision > 0 ? r->start_revision : revision + 1;
    watch->notify = r->progress_notify;
    watch->fragment = r->fragment;
    watch->progress_at = server_now(server) + server->flags.progress_ms;
    int rc = watcher->paused ? RKV_OK : watch_resume(watch);
    if (rc != RKV_OK) {
        watch_free(watch);
        refuse(watcher, rkv_strerror(rc));
        return;
    }
    struct watch_response response = {.watch_id = watch->id, .created = true};
    watcher_push(watcher, &response, revision);
}

static void end(struct watcher *watcher, const struct watch_cancel *r)
{
    struct watch *watch = find(watcher, r->watch_id);

    if (!watch)
        return;
    watch_free(watch);
    struct watch_response response = {
        .watch_id = r->watch_id,
        .canceled = true,
    };
    watcher_push(watcher, &response, server_revision(watcher->stream->server));
}

void watch_request(struct stream *stream, const void *request)
{
    const struct watch_request *r = request;
    struct watcher *watcher = stream->watcher;

    if (!watcher)
        watcher = watcher_new(stream);
    if (!watcher) {
        stream_fail(stream, STATUS_EXHAUSTED, "etcdserver: out of memory");
        return;
    }
    if (r->create_request) {
        create(watcher, r->create_request);
    } else if (r->cancel_request) {
        end(watcher, r->cancel_request);
    } else if (r->progress_request && !watcher->asked) {
        watcher->asked = true;
        stream->server->watches.asked++;
    }
}
