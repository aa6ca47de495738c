/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/watch.h - watches of clients on top of those of the store.  A client
 * that reads too slowly has its watches taken out of the store and put back,
 * from where they were, when it has caught up: what waits for it is bounded,
 * and it misses nothing that is not compacted meanwhile.
 */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <raftkv/node.h>

#include "../common/etcd.h"
#include "rpc.h"

enum {
    WATCHES_PER_STREAM_MAX = 1024,
    WATCH_QUEUE_HIGH = 4 * 1024 * 1024,
    WATCH_QUEUE_LOW = 256 * 1024
};

struct watch {
    struct watch *next; /* of the same stream; free: the next one */
    struct watcher *watcher;
    uint32_t slot;
    uint32_t round; /* how often the slot was used: ids never repeat */
    int64_t id;     /* the client's */
    bool live;      /* the store has it */
    bool in_use;
    struct rkv_watch wanted;
    char *keys;   /* what wanted points to */
    int64_t from; /* the first revision not yet delivered */
    bool notify;
    bool fragment; /* a large response may come in pieces */
    uint64_t progress_at;
    /* Changes of one revision, kept until it is complete. */
    struct arena kept;
    struct event *events;
    size_t count;
    size_t cap;
};

/* The watches of one stream. */
struct watcher {
    struct watcher *next;
    struct stream *stream;
    struct watch *watches;
    size_t count;
    int64_t next_id;
    bool paused;
    bool asked; /* for progress */
};

struct watches {
    struct server *server;
    struct watch **slots; /* by the low half of the store's watch id */
    uint32_t count;
    struct watch *free;
    struct watcher *watchers;
    uint64_t live;
    uint64_t paused;   /* streams */
    uint64_t asked;    /* streams */
    uint64_t notified; /* when last */
};

void watches_init(struct watches *watches, struct server *server);
void watches_free(struct watches *watches);
/* NULL: there is no memory.  The watch is not live yet. */
struct watch *watch_new(struct watcher *watcher, struct bytes key,
                        struct bytes end);
/* Goes on, or begins, at watch->from. */
int watch_resume(struct watch *watch);
void watch_free(struct watch *watch);
/* An RKV_EVENT_CHANGE. */
void watches_change(struct watches *watches,
                    const struct rkv_change_event *change);
/* All changes there were have been taken: say so to who asked, and put back
 * watches of streams that have caught up. */
void watches_settle(struct watches *watches, uint64_t now);
struct watcher *watcher_new(struct stream *stream);
void watcher_free(struct watcher *watcher);
void watcher_push(struct watcher *watcher, struct watch_response *response,
                  int64_t revision);

#endif
