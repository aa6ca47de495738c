/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One client that watches keys.
 */
#include "watcher.h"

#include <inttypes.h>
#include <string.h>

static const struct twin_version *version_of(const struct twin_change *change)
{
    return &change->key->versions[change->at];
}

/* Where the changes of a revision begin. */
static size_t changes_from(const struct twin *twin, int64_t revision)
{
    size_t low = 0, high = twin->changes_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (version_of(&twin->changes[middle])->mod < revision)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void watcher_begin(struct watcher *watcher, const struct twin *twin,
                   struct verdict *verdict, const struct span *spans,
                   size_t count, uint32_t flags, int64_t start)
{
    memset(watcher, 0, sizeof *watcher);
    watcher->twin = twin;
    watcher->verdict = verdict;
    memcpy(watcher->spans, spans, count * sizeof *spans);
    watcher->spans_count = count;
    watcher->flags = flags;
    watcher->start = start;
    watcher->told = start - 1;
    watcher->next = changes_from(twin, start);
}

/* A revision told in part is told anew. */
int64_t watcher_open(struct watcher *watcher)
{
    watcher->is_open = true;
    watcher->is_within = false;
    watcher->next = changes_from(watcher->twin, watcher->told + 1);
    return watcher->told + 1;
}

void watcher_close(struct watcher *watcher)
{
    watcher->is_open = false;
}

static bool wants(const struct watcher *watcher,
                  const struct twin_change *change)
{
    uint32_t unwanted = version_of(change)->version > 0 ? RKV_WATCH_NO_PUT
                                                        : RKV_WATCH_NO_DELETE;

    if ((watcher->flags & unwanted) != 0 ||
        version_of(change)->mod < watcher->start)
        return false;
    for (size_t i = 0; i < watcher->spans_count; i++)
        if (span_holds(&watcher->spans[i], change->key->name))
            return true;
    return false;
}

static const struct twin_change *next_wanted(const struct watcher *watcher,
                                             size_t from)
{
    for (; from < watcher->twin->changes_count; from++)
        if (wants(watcher, &watcher->twin->changes[from]))
            return &watcher->twin->changes[from];
    return NULL;
}

static bool same_text(struct text text, const void *bytes, size_t len)
{
    return text.len == len && (len == 0 || memcmp(text.bytes, bytes, len) == 0);
}

static const char *compare_now(const struct watcher *watcher,
                               const struct twin_change *change,
                               const struct rkv_change_event *event)
{
    const struct twin_version *version = version_of(change);
    bool is_put = version->version > 0;
    struct text value = version->value;

    if ((watcher->flags & RKV_WATCH_KEYS_ONLY) != 0)
        value.len = 0;
    if (event->revision != version->mod)
        return "another revision";
    if (!same_text(change->key->name, event->now.key, event->now.key_len))
        return "another key";
    if (event->kind != (is_put ? RKV_CHANGE_PUT : RKV_CHANGE_DELETE))
        return "another kind";
    if (is_put && (!same_text(value, event->now.value, event->now.value_len) ||
                   event->now.version != version->version ||
                   event->now.create_revision != version->create ||
                   event->now.mod_revision != version->mod ||
                   event->now.lease != version->lease))
        return "another item";
    return NULL;
}

/* Not asked for, or compacted, it may be missing. */
static const char *compare_before(const struct watcher *watcher,
                                  const struct twin_change *change,
                                  const struct rkv_change_event *event,
                                  int64_t compacted)
{
    const struct twin_version *old =
        change->at > 0 ? &change->key->versions[change->at - 1] : NULL;
    struct text value;

    if (event->before.version == 0)
        return (watcher->flags & RKV_WATCH_PREV) != 0 && old != NULL &&
                       old->version > 0 && version_of(change)->mod > compacted
                   ? "nothing of what was before"
                   : NULL;
    if ((watcher->flags & RKV_WATCH_PREV) == 0)
        return "what was before, unasked";
    if (old == NULL || old->version != event->before.version ||
        old->mod != event->before.mod_revision)
        return "another version before";
    value = old->value;
    if ((watcher->flags & RKV_WATCH_KEYS_ONLY) != 0)
        value.len = 0;
    return same_text(value, event->before.value, event->before.value_len)
               ? NULL
               : "another value before";
}

static void check_canceled(struct watcher *watcher,
                           const struct rkv_change_event *event,
                           int64_t compacted)
{
    watcher->is_open = false;
    if (event->compacted != compacted || watcher->told + 1 >= compacted)
        verdict_break(watcher->verdict,
                      "a watch ends only when it would miss something",
                      "it needs %" PRId64 " next, and is told that history "
                      "up to %" PRId64 " is gone, the member's up to %" PRId64,
                      watcher->told + 1, event->compacted, compacted);
}

static void advance(struct watcher *watcher, const struct twin_change *change,
                    const struct rkv_change_event *event)
{
    const struct twin_change *after;
    bool is_last;

    watcher->next = (size_t)(change - watcher->twin->changes) + 1;
    after = next_wanted(watcher, watcher->next);
    is_last = after == NULL || version_of(after)->mod != event->revision;
    watcher->is_within = !is_last;
    if (is_last)
        watcher->told = event->revision;
    if (is_last != (event->last != 0))
        verdict_break(watcher->verdict, "a watch is told whole revisions",
                      "revision %" PRId64 ": this change is %sthe last, "
                      "it is said to be%s",
                      event->revision, is_last ? "" : "not ",
                      event->last ? "" : " not");
}

void watcher_told(struct watcher *watcher, const struct rkv_change_event *event,
                  int64_t compacted)
{
    const struct twin_change *change = next_wanted(watcher, watcher->next);
    const char *wrong;

    if (!watcher->is_open) {
        verdict_break(watcher->verdict, "who does not watch is told nothing",
                      "of revision %" PRId64, event->revision);
        return;
    }
    if (event->kind == RKV_CHANGE_CANCELED) {
        check_canceled(watcher, event, compacted);
        return;
    }
    wrong = change == NULL ? "what never happened"
                           : compare_now(watcher, change, event);
    if (wrong == NULL)
        wrong = compare_before(watcher, change, event, compacted);
    if (wrong != NULL) {
        verdict_break(
            watcher->verdict, "a watch is told each change once, in order",
            "of revision %" PRId64 " it is told %s; next is one of %" PRId64,
            event->revision, wrong,
            change != NULL ? version_of(change)->mod : 0);
        return;
    }
    advance(watcher, change, event);
}

void watcher_progress(struct watcher *watcher, int64_t revision)
{
    const struct twin_change *change = next_wanted(watcher, watcher->next);

    if (!watcher->is_open)
        return;
    if (watcher->is_within ||
        (change != NULL && version_of(change)->mod <= revision)) {
        verdict_break(watcher->verdict, "a watch misses nothing",
                      "it was said to know all up to %" PRId64
                      ", but not of a change at %" PRId64,
                      revision, change != NULL ? version_of(change)->mod : 0);
        return;
    }
    if (revision > watcher->told)
        watcher->told = revision;
}
