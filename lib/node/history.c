/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How much of the past is kept.  The leader notes now and then which revision
 * the state has; what it noted long enough ago, and lies far enough back, it
 * proposes to compact.  When the state comes near its quota the past goes at
 * once, all of it.  A new leader begins to note anew, and so keeps more.
 */
#include <raftkv/auth.h>
#include <string.h>

#include "request.h"

/* Milliseconds between two looks at the quota, and the part of it, in
 * eighths, from which on the past goes. */
enum { LOOK_MS = 1000, NEAR = 7 };

static bool has_more(const rkv_node *node, const struct rkv_kv_status *status);
static bool is_near_quota(const struct rkv_kv_status *status);
static int64_t choose(const rkv_node *node, const struct rkv_kv_status *status);
static void compact(rkv_node *node, int64_t revision);

static uint64_t to_ticks(const rkv_node *node, uint64_t ms)
{
    return ms / node->options.tick_ms + (ms % node->options.tick_ms != 0);
}

static bool keeps_all(const rkv_node *node)
{
    return (node->options.flags & RKV_NODE_KEEP_HISTORY) != 0;
}

/* Eight notes reach back at least as far as the time that is kept. */
static uint64_t between_notes(const rkv_node *node)
{
    return (to_ticks(node, node->options.history_ms) + 7) / 8;
}

static void note(rkv_node *node, int64_t revision)
{
    struct rkv_notes *notes = &node->notes;

    if (notes->count == RKV_NOTES_MAX) {
        memmove(notes->notes, notes->notes + 1,
                (RKV_NOTES_MAX - 1) * sizeof notes->notes[0]);
        notes->count--;
    }
    notes->notes[notes->count++] = (struct rkv_note){node->hub->now, revision};
    notes->note_at = node->hub->now + between_notes(node);
}

void rkv_history_tick(rkv_node *node)
{
    struct rkv_kv_status status;
    struct rkv_notes *notes = &node->notes;
    int64_t target;

    if (node->role != RKV_LEADER || node->kv == NULL || keeps_all(node)) {
        notes->term = 0;
        return;
    }
    if (notes->term != node->term) {
        memset(notes, 0, sizeof *notes);
        notes->term = node->term;
    }
    if (node->hub->now < notes->note_at && node->hub->now < notes->look_at)
        return;
    status = rkv_kv_look(node->kv);
    if (node->hub->now >= notes->note_at && has_more(node, &status))
        note(node, status.revision);
    notes->look_at = node->hub->now + to_ticks(node, LOOK_MS);
    target = choose(node, &status);
    /* One that is under way is not proposed again. */
    if (target > status.compacted && target > notes->asked &&
        node->applied >= notes->index)
        compact(node, target);
}

/* Whether there is more than must be kept.  What can be done about it may have
 * to wait until that is old. */
static bool has_more(const rkv_node *node, const struct rkv_kv_status *status)
{
    uint64_t kept = node->options.history_revisions;
    uint64_t revision = (uint64_t)status->revision;

    return revision > kept && (int64_t)(revision - kept) > status->compacted;
}

/* Never, while nothing could go. */
uint64_t rkv_history_deadline(const rkv_node *node)
{
    const struct rkv_notes *notes = &node->notes;
    struct rkv_kv_status status;
    uint64_t due = UINT64_MAX;

    if (node->role != RKV_LEADER || node->kv == NULL || keeps_all(node))
        return UINT64_MAX;
    status = rkv_kv_look(node->kv);
    if (has_more(node, &status))
        due = notes->note_at;
    if (is_near_quota(&status) && status.revisions > status.keys &&
        status.revision > status.compacted && notes->look_at < due)
        due = notes->look_at;
    /* It is a tick that is waited for, so not now. */
    if (due != UINT64_MAX &&
        (notes->term != node->term || due <= node->hub->now))
        return node->hub->now + 1;
    return due;
}

static bool is_near_quota(const struct rkv_kv_status *status)
{
    return status->quota > 0 && status->space >= status->quota / 8 * NEAR;
}

/* The newest revision that may be compacted; -1: none. */
static int64_t choose(const rkv_node *node, const struct rkv_kv_status *status)
{
    const struct rkv_notes *notes = &node->notes;
    uint64_t kept = to_ticks(node, node->options.history_ms);
    int64_t old = -1, least;

    /* Just now nothing may have a past. */
    if (is_near_quota(status))
        return status->revisions > status->keys ? status->revision : -1;
    for (size_t i = 0; i < notes->count; i++) {
        if (node->hub->now - notes->notes[i].at >= kept)
            old = notes->notes[i].revision;
    }
    if (node->options.history_revisions >= (uint64_t)status->revision)
        return -1;
    least = status->revision - (int64_t)node->options.history_revisions;
    return old < least ? old : least;
}

/* On behalf of root, where that has to be said. */
static void compact(rkv_node *node, int64_t revision)
{
    struct rkv_auth_status auth = {.size = sizeof auth};
    rkv_txn *txn;

    /* Without memory the next look tries again. */
    if (rkv_txn_new(&node->hub->allocator, &txn) != RKV_OK)
        return;
    rkv_kv_auth(node->kv, &auth);
    if (auth.enabled)
        (void)rkv_txn_user(txn, "root", 4, auth.revision);
    (void)rkv_txn_compact(txn, revision);
    if (rkv_propose_own(node, txn, &node->notes.index) == RKV_OK)
        node->notes.asked = revision;
    rkv_txn_free(txn);
}
