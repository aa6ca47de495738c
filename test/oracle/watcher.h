/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/oracle/watcher.h - one client that watches keys, on one member after
 * the other, and what it must be told: every change from its first revision
 * on, in order, once, whole revisions, nothing else; and that it ends only
 * when what it needs next is compacted.
 */
#ifndef TEST_ORACLE_WATCHER_H
#define TEST_ORACLE_WATCHER_H

#include "twin.h"

enum { WATCHER_SPANS = 3 };

struct watcher {
    const struct twin *twin;
    struct verdict *verdict;
    struct span spans[WATCHER_SPANS];
    size_t spans_count;
    uint32_t flags;
    int64_t start;  /* the first revision wanted */
    int64_t told;   /* up to this revision it was told all */
    size_t next;    /* of the twin's changes */
    bool is_within; /* told a part of a revision, and the rest is owed */
    bool is_open;
};

/* A new stream from this revision on. */
void watcher_begin(struct watcher *watcher, const struct twin *twin,
                   struct verdict *verdict, const struct span *spans,
                   size_t count, uint32_t flags, int64_t start);
/* It is opened somewhere, again from where it was.  The revision to ask for. */
int64_t watcher_open(struct watcher *watcher);
void watcher_close(struct watcher *watcher);
/* What a member says that has compacted up to there. */
void watcher_told(struct watcher *watcher, const struct rkv_change_event *event,
                  int64_t compacted);
/* The member says that it was told all up to there. */
void watcher_progress(struct watcher *watcher, int64_t revision);

#endif
