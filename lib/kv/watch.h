/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/watch.h - who is told of changes.
 */
#ifndef RKV_KV_WATCH_H
#define RKV_KV_WATCH_H

#include "state.h"

#include "../base/map.h"

enum { RKV_WATCHER_SYNCED = 0, RKV_WATCHER_LAGGING = 1, RKV_WATCHER_GONE = 2 };

/* A synced watcher is told of each change; a lagging one reads the past until
 * it has caught up.  Who is not told of a change that it wants, because too
 * much is waiting already, lags from there on. */
struct rkv_watch_group;

/* A place in the group of one of its ranges. */
struct rkv_watch_seat {
    struct rkv_watcher *watcher;
    struct rkv_watch_group *group;
    struct rkv_watch_seat *prev; /* on its side of the group */
    struct rkv_watch_seat *next;
};

struct rkv_watcher {
    uint64_t id;
    int64_t from; /* changes before this revision are not wanted */
    /* Lagging: nothing before this place is still to be told. */
    int64_t main;
    uint32_t sub;
    uint8_t flags;
    uint8_t mode;
    bool rides;                  /* on the riders' side of its groups */
    bool is_single;              /* it watches one key and nothing else */
    uint8_t ranges;              /* that there is room for */
    struct rkv_watch_line *line; /* NULL: it does not lag */
    /* A rider's change that is to be told, and the one behind it. */
    const struct rkv_record *held;
    const struct rkv_record *after;
    /* Notices of it in the queue, and where the newest of them is. */
    uint64_t tail;
    uint32_t queued;
    uint32_t seats_count;
    struct rkv_watcher *line_prev;
    struct rkv_watcher *line_next;
    struct rkv_watcher *all_prev;
    struct rkv_watcher *all_next;
    struct rkv_watch_seat seats[]; /* one per range */
};

static inline bool rkv_watcher_wants(const struct rkv_watcher *watcher,
                                     const struct rkv_record *record)
{
    uint32_t unwanted =
        rkv_record_is_live(record) ? RKV_WATCH_NO_PUT : RKV_WATCH_NO_DELETE;

    return (watcher->flags & unwanted) == 0 && record->main >= watcher->from;
}

/* Who watches a key: a table for single keys, a tree for ranges.  Watchers
 * of the same keys stand in one group, riders on a side of their own. */
struct rkv_watch_index {
    const struct rkv_allocator *allocator;
    struct rkv_map keys; /* the hash of a key to the groups that have it */
    struct rkv_watch_group *root;
    uint64_t many; /* watchers of several ranges: of them single keys ride */
};

void rkv_watch_index_init(struct rkv_watch_index *index,
                          const struct rkv_allocator *a);
/* Everybody must have been removed. */
void rkv_watch_index_free(struct rkv_watch_index *index);
/* Gives the watcher, which has room for that, seats in the groups of these
 * spans, one for those that are the same: RKV_OK or RKV_ENOMEM. */
int rkv_watch_index_add(struct rkv_watch_index *index,
                        struct rkv_watcher *watcher,
                        const struct rkv_span *spans, uint32_t count);
/* What it watches from this seat. */
struct rkv_span rkv_watch_index_span(const struct rkv_watch_seat *seat);
void rkv_watch_index_remove(struct rkv_watch_index *index,
                            struct rkv_watcher *watcher);
/* To the other side of its groups, if it is not there already. */
void rkv_watch_index_turn(struct rkv_watcher *watcher, bool rides);
/* Calls tell for each watcher of the key on one side, and again where more of
 * its ranges hold the key; the order follows from
 * what was added and removed, in which order, and nothing else. */
typedef void rkv_watch_tell(void *ctx, struct rkv_watcher *watcher);
void rkv_watch_index_match(const struct rkv_watch_index *index, const void *key,
                           size_t key_len, bool riders, rkv_watch_tell *tell,
                           void *ctx);

struct rkv_watch_line {
    struct rkv_watcher *first;
    struct rkv_watcher *last;
};

/* Those who lag.  Who watches one key has a short way of its own through the
 * past.  Watchers of ranges go through the history together, each record is
 * looked at once for all of them: who comes too late for a ride waits for the
 * next one. */
struct rkv_watch_past {
    struct rkv_watch_line singles;
    struct rkv_watch_line waiting;
    struct rkv_watch_line riding;
    struct rkv_watch_line holding; /* riders that hold a change */
    struct rkv_watch_line ready;   /* riders that hold two */
    struct rkv_watch_line lost;    /* what they need has been compacted */
    /* Where the ride is: this record comes next, those of this revision
     * before it are held. */
    int64_t main;
    uint32_t sub;
    struct rkv_history_place place;
    bool singles_turn;
};

struct rkv_notice {
    struct rkv_watcher *watcher;
    struct rkv_record *record; /* a reference */
    uint32_t last;
};

struct rkv_watches {
    const struct rkv_allocator *allocator;
    struct rkv_map ids;
    struct rkv_watch_index index;
    uint64_t next_id;
    uint64_t count;
    uint64_t bytes_max;
    struct rkv_watcher *all_first;
    struct rkv_watcher *all_last;
    struct rkv_watch_past past;
    /* A ring; positions only rise. */
    struct rkv_notice *queue;
    size_t queue_cap; /* a power of two, or 0 */
    uint64_t queue_first;
    uint64_t queue_end;
    uint64_t queue_bytes;
    struct rkv_record *lent; /* a reference: the change handed out last */
    struct rkv_change_event change;
};

void rkv_watches_init(struct rkv_watches *watches,
                      const struct rkv_allocator *a, uint64_t bytes_max);
void rkv_watches_free(struct rkv_watches *watches, struct rkv_state *state);
/* One more record has been applied. */
void rkv_watches_notify(struct rkv_watches *watches, struct rkv_record *record);
/* Another state takes the place of this one: everybody goes on from where
 * they were, reading the new history. */
void rkv_watches_move(struct rkv_watches *watches, struct rkv_state *from);
/* The change to hand out next. */
void rkv_watches_fill(struct rkv_watches *watches,
                      const struct rkv_state *state,
                      const struct rkv_watcher *watcher,
                      const struct rkv_record *record, bool is_last);
void rkv_watches_cancel(struct rkv_watches *watches,
                        struct rkv_watcher *watcher, int64_t compacted);

/* The watcher lags, from this place on. */
void rkv_past_enter(struct rkv_watches *watches, struct rkv_watcher *watcher,
                    int64_t main, uint32_t sub);
/* Of one that lags: it does not any more, or is going. */
void rkv_past_leave(struct rkv_watcher *watcher);
/* Fills the next change that somebody behind is to be told; false: nobody is
 * behind any more. */
bool rkv_past_read(struct rkv_watches *watches, const struct rkv_state *state);
/* Somebody is behind. */
bool rkv_past_lags(const struct rkv_watch_past *past);
/* The history is about to be another one: the ride is over, everybody stands
 * where they were and waits. */
void rkv_past_rewind(struct rkv_watches *watches);

#endif
