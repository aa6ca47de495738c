/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The leader's clock for leases.  A leader takes up the state's clock where
 * the log left it, once an entry of its own term is applied, lets it run with
 * the host's ticks, and proposes how far it has come: soon after leases were
 * granted or renewed, when one ends, and once in a while.  Its first word of
 * a term makes those of earlier leaders void.
 */
#include "request.h"

/* Milliseconds: what is fresh waits so long for others; and of what the next
 * lease has left, a sixteenth may get lost with a leader, within bounds. */
enum { GATHER = 50, LOST_PART = 16, LOST_MIN = 1000, LOST_MAX = 60000 };

static bool may_speak(const rkv_node *node);
static int64_t clock_of(const rkv_node *node);
static int64_t due_at(const rkv_node *node, const struct rkv_kv_status *status);
static int speak(rkv_node *node, int64_t clock);

void rkv_clock_tick(rkv_node *node)
{
    struct rkv_kv_status status;
    struct rkv_clock *clock = &node->clock;

    if (!may_speak(node))
        return;
    status = rkv_kv_look(node->kv);
    if (clock->term != node->term) {
        clock->term = node->term;
        clock->from = node->hub->now;
        clock->base = status.clock;
        clock->said = 0;
        clock->retry_at = 0;
    }
    if (node->applied < clock->said || node->hub->now < clock->retry_at ||
        clock_of(node) < due_at(node, &status))
        return;
    clock->retry_at =
        speak(node, clock_of(node)) == RKV_OK ? 0 : node->hub->now + 1;
}

/* It is a tick that is waited for, so not now. */
uint64_t rkv_clock_deadline(const rkv_node *node)
{
    struct rkv_kv_status status;
    const struct rkv_clock *clock = &node->clock;
    uint64_t left, tick = node->options.tick_ms;
    int64_t due;

    if (!may_speak(node))
        return UINT64_MAX;
    status = rkv_kv_look(node->kv);
    if (clock->term != node->term)
        return status.leases > 0 ? node->hub->now + 1 : UINT64_MAX;
    /* Its application makes this be asked again. */
    if (node->applied < clock->said)
        return UINT64_MAX;
    if (node->hub->now < clock->retry_at)
        return clock->retry_at;
    due = due_at(node, &status);
    if (due == INT64_MAX)
        return UINT64_MAX;
    if (due <= clock_of(node))
        return node->hub->now + 1;
    left = (uint64_t)(due - clock_of(node));
    return node->hub->now + (left + tick - 1) / tick;
}

/* What earlier leaders said is applied with the first entry of this term. */
static bool may_speak(const rkv_node *node)
{
    uint64_t term;

    return node->role == RKV_LEADER && node->kv != NULL &&
           rkv_raft_term_at(node->raft, node->applied, &term) == RKV_OK &&
           term == node->term;
}

/* Beyond what the state takes it would be refused; it stands still there. */
static int64_t clock_of(const rkv_node *node)
{
    uint64_t past = node->hub->now - node->clock.from;
    uint64_t most = (uint64_t)(INT64_MAX / 4 - node->clock.base);

    if (past > most / node->options.tick_ms)
        past = most / node->options.tick_ms;
    past *= node->options.tick_ms;
    return node->clock.base + (int64_t)past;
}

static int64_t lower(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* On the clock; INT64_MAX: nothing is to be said. */
static int64_t due_at(const rkv_node *node, const struct rkv_kv_status *status)
{
    int64_t due = INT64_MAX, left;

    if (status->leases == 0 || status->clock_term > node->term)
        return due;
    if (status->clock_term != node->term)
        return 0;
    if (status->leases_fresh > 0)
        due = status->clock + GATHER;
    if (status->next_end == 0)
        return due;
    left = (status->next_end - status->clock) / LOST_PART;
    left = left < LOST_MIN ? LOST_MIN : lower(left, LOST_MAX);
    return lower(due, lower(status->next_end, status->clock + left));
}

static int speak(rkv_node *node, int64_t clock)
{
    rkv_txn *txn;
    int rc = rkv_txn_new(&node->hub->allocator, &txn);

    if (rc != RKV_OK)
        return rc;
    (void)rkv_txn_clock(txn, node->term, clock);
    rc = rkv_propose_own(node, txn, &node->clock.said);
    rkv_txn_free(txn);
    return rc;
}
