/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/digest.c - the whole state as one number, so that two runs that
 * should be the same can be compared at every step.  It follows no pointers
 * but to what they hold, and knows no addresses.
 */
#include "core.h"

#include "../base/hash.h"

static uint64_t add_config(uint64_t h, const struct rkv_raft *r);
static uint64_t add_trail(uint64_t h, const struct rkv_raft *r);
static uint64_t add_beats(uint64_t h, const struct rkv_raft *r);
static uint64_t add_disk(uint64_t h, const struct rkv_raft *r);
static uint64_t add_roles(uint64_t h, const struct rkv_raft *r);
static uint64_t add_reads(uint64_t h, const struct rkv_raft *r);

uint64_t rkv_raft_digest(const rkv_raft *r)
{
    const uint64_t state[] = {
        r->now,          r->role,          r->failed,         r->term,
        r->vote,         r->leader,        r->commit,         r->emitted,
        r->applied,      r->boot,          r->recovering,     r->recovered,
        r->recover_last, r->recover_token, r->recover_stated, r->restore_index,
        r->restore_term, r->restore_from,  r->restore_told};
    uint64_t h = rkv_hash64(r->id, state, sizeof(state));
    h = add_roles(h, r);
    h = add_beats(h, r);
    h = add_disk(h, r);
    h = add_config(h, r);
    h = add_reads(h, r);
    h = rkv_hash64(h, r->prng.state, sizeof(r->prng.state));
    h = rkv_hash64(h, r->outbox, r->outbox_count * sizeof(r->outbox[0]));
    return add_trail(h, r);
}

static uint64_t add_roles(uint64_t h, const struct rkv_raft *r)
{
    const uint64_t state[] = {r->verified,
                              r->acked,
                              r->owed,
                              r->ack_full,
                              r->reject_index,
                              r->reject_hint,
                              r->reject_hint_term,
                              r->heartbeat_round,
                              r->grant_index,
                              r->grant_log_term,
                              r->wished,
                              r->wants,
                              r->quiet,
                              r->agrees,
                              r->resting,
                              r->agreed,
                              r->idle_last,
                              r->idle_at,
                              r->capacity,
                              r->summoned,
                              r->summoned_at,
                              r->granted,
                              r->rejected,
                              r->ask,
                              r->force,
                              r->term_start,
                              r->active,
                              r->serve,
                              r->beat,
                              r->hurry,
                              r->transferee,
                              r->uncommitted_bytes,
                              r->leaving,
                              r->leave_index,
                              r->leave_round,
                              r->stall_at,
                              r->slept_at,
                              r->timers.from,
                              r->timers.timeout,
                              r->timers.heartbeat,
                              r->timers.quorum,
                              r->timers.transfer,
                              r->timers.heard,
                              r->timers.promise,
                              r->timers.fence,
                              r->timers.awake,
                              r->lease_index,
                              r->lease_void,
                              r->timers.pause_at};
    return rkv_hash64(h, state, sizeof(state));
}

static uint64_t add_beats(uint64_t h, const struct rkv_raft *r)
{
    for (uint32_t n = r->beats_count; n > 0 && r->beats_count - n < BEATS_KEPT;
         n--) {
        const struct beat *beat = &r->beats[(n - 1) % BEATS_KEPT];
        h = rkv_mix64(rkv_mix64(h, beat->round), beat->at);
    }
    return h;
}

static uint64_t add_disk(uint64_t h, const struct rkv_raft *r)
{
    const uint64_t state[] = {r->durable,    r->durable_term, r->durable_vote,
                              r->handed,     r->handed_term,  r->handed_vote,
                              r->token_last, r->token_done};
    h = rkv_hash64(h, state, sizeof(state));
    for (uint64_t i = r->token_done + 1; i <= r->token_last; i++) {
        const struct token *t = &r->tokens[i & r->tokens_mask];
        h = rkv_mix64(rkv_mix64(h, t->index), rkv_mix64(t->term, t->vote));
        h = rkv_mix64(h, t->at);
    }
    return h;
}

static uint64_t add_config(uint64_t h, const struct rkv_raft *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        const struct peer *p = &r->peers[i];
        const uint64_t state[] = {p->id,
                                  r->members[i].role,
                                  p->match,
                                  p->next,
                                  p->sent_commit,
                                  p->round,
                                  p->lease_round,
                                  p->boot,
                                  p->heard,
                                  p->stated_boot,
                                  p->stated_last,
                                  p->snapshot_at,
                                  p->inflight_bytes,
                                  progress_inflight(p),
                                  p->progress,
                                  p->priority,
                                  p->never_leads,
                                  p->paused,
                                  p->full,
                                  p->check};
        h = rkv_hash64(h, state, sizeof(state));
        for (uint32_t at = p->inflight_head; at != p->inflight_tail; at++)
            h = rkv_mix64(h, p->window[at & r->window_mask].last);
    }
    return h;
}

static uint64_t add_reads(uint64_t h, const struct rkv_raft *r)
{
    const struct reads *q = &r->reads;
    const uint64_t state[] = {r->read_round, q->ready - q->head,
                              q->assigned - q->head, q->tail - q->head};
    h = rkv_hash64(h, state, sizeof(state));
    for (uint32_t i = q->head; i != q->tail; i++) {
        const struct read *read = &q->ring[i & q->mask];
        h = rkv_mix64(rkv_mix64(h, read->token), read->from);
        if (i - q->head < q->assigned - q->head)
            h = rkv_mix64(rkv_mix64(h, read->round), read->index);
    }
    return h;
}

static uint64_t add_trail(uint64_t h, const struct rkv_raft *r)
{
    const struct trail *t = &r->trail;
    const uint64_t state[] = {t->first, t->last, t->end, t->base_term,
                              t->config_last};
    h = rkv_hash64(h, state, sizeof(state));
    for (uint64_t i = t->first; i <= t->last; i++) {
        const struct trail_entry *entry = trail_at(t, i);
        h = rkv_mix64(rkv_mix64(h, entry->term), entry->shape);
    }
    return h;
}
