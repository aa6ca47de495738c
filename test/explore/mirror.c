/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/mirror.c - a member, or a message, as words in which everybody
 * has another name.  Two states that differ by names alone have all the same
 * before them, so only one of them is gone through.
 *
 * What is not among the words must follow from them; the book compares with
 * the core's own digest to see that it does.
 */
#include "explore.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "raft/core.h"

enum { WORDS_MAX = 512 };

struct words {
    uint32_t count;
    uint64_t word[WORDS_MAX];
};

static void add(struct words *w, uint64_t word)
{
    assert(w->count < WORDS_MAX);
    w->word[w->count++] = word;
}

static uint64_t hash(const struct words *w)
{
    return rkv_hash64(w->count, w->word, w->count * sizeof w->word[0]);
}

/* ---- names ---- */

struct names names[NAMES_MAX];
uint32_t names_count;

static uint64_t renamed(const struct names *n, uint64_t id)
{
    return id <= MEMBERS_MAX ? n->to[id] : id;
}

uint32_t names_rename_len(const struct names *n, uint32_t kind, uint32_t len)
{
    if (kind != RKV_ENTRY_CONFIG || len == 0)
        return len;
    if ((len & CODE_SWAP) != 0)
        return swap_code(n->to[len >> 4 & 15], n->to[len & 15]);
    return change_code(len >> 4, n->to[len & 15]);
}

static bool menu_has(const struct scope *scope, uint32_t code)
{
    for (const uint32_t *at = scope->menu; *at != 0; at++)
        if (*at == code)
            return true;
    return false;
}

/* The founders are alike, and those who may come later; and what may be done
 * to one may be done to the other. */
static bool is_alike(const struct scope *scope, const struct names *n)
{
    for (uint32_t id = 1; id <= scope->members; id++)
        if ((id <= scope->founders) != (n->to[id] <= scope->founders))
            return false;
    for (const uint32_t *at = scope->menu; at != NULL && *at != 0; at++)
        if (!menu_has(scope, names_rename_len(n, RKV_ENTRY_CONFIG, *at)))
            return false;
    return true;
}

static void permute(const struct scope *scope, struct names *n, uint32_t id,
                    uint32_t taken)
{
    if (id > scope->members) {
        if (is_alike(scope, n))
            names[names_count++] = *n;
        return;
    }
    for (uint32_t to = 1; to <= scope->members; to++)
        if ((taken & 1u << to) == 0) {
            n->to[id] = (uint8_t)to;
            n->from[to] = (uint8_t)id;
            permute(scope, n, id + 1, taken | 1u << to);
        }
}

void names_find(const struct scope *scope)
{
    struct names n = {{0}, {0}};

    names_count = 0;
    permute(scope, &n, 1, 0);
}

/* ---- a member ---- */

static void add_entry(struct words *w, const struct names *n, uint64_t term,
                      uint32_t kind, uint32_t len)
{
    add(w, term << 32 | kind << 24 | names_rename_len(n, kind, len));
}

static void add_disk(struct words *w, const struct names *n)
{
    const struct disk *d = &actor->disk;

    add(w, d->term);
    add(w, renamed(n, d->vote));
    add(w, d->commit);
    add(w, d->last);
    add(w, d->boot);
    add(w, d->promised << 1 | d->recovering);
    for (uint64_t i = 1; i <= d->last; i++)
        add_entry(w, n, d->log[i].term, d->log[i].kind, d->log[i].len);
    add(w, actor->committed);
    add(w, actor->writes_count);
    for (uint32_t i = 0; i < actor->writes_count; i++) {
        const struct write *write = &actor->writes[i];

        add(w, write->term);
        add(w, renamed(n, write->vote));
        add(w, write->commit);
        add(w, (uint64_t)write->count << 1 | write->is_recovered);
        for (uint32_t k = 0; k < write->count; k++) {
            add(w, write->entries[k].index);
            add_entry(w, n, write->entries[k].term, write->entries[k].kind,
                      write->entries[k].len);
        }
    }
}

static void add_promises(struct words *w, const struct names *n)
{
    const rkv_raft *r = actor->core;

    add(w, r->durable);
    add(w, r->durable_term);
    add(w, renamed(n, r->durable_vote));
    add(w, r->handed);
    add(w, r->handed_term);
    add(w, renamed(n, r->handed_vote));
    add(w, r->token_last);
    for (uint64_t i = 1; i <= r->token_last; i++) {
        const struct token *t = &r->tokens[i & r->tokens_mask];

        add(w, t->index);
        add(w, t->term);
        add(w, renamed(n, t->vote));
    }
    add(w, r->verified);
    add(w, r->acked);
    add(w, r->owed);
    add(w, r->reject_index);
    add(w, r->reject_hint);
    add(w, r->reject_hint_term);
    add(w, r->heartbeat_round);
    add(w, r->grant_index);
    add(w, r->grant_log_term);
    add(w, renamed(n, r->wished));
    add(w, (uint64_t)r->ack_full | (uint64_t)r->wants << 1 |
               (uint64_t)r->agrees << 2 | (uint64_t)r->quiet << 3 |
               (uint64_t)r->summoned << 4 | (uint64_t)r->recovering << 5 |
               (uint64_t)r->recover_stated << 6 | (uint64_t)r->recovered << 7 |
               (uint64_t)r->failed << 8);
    add(w, r->recover_last);
    add(w, r->recover_token);
    add(w, r->summoned_at);
}

static void add_leadership(struct words *w, const struct names *n)
{
    const rkv_raft *r = actor->core;

    add(w, r->term_start);
    add(w, renamed(n, r->transferee));
    add(w, r->uncommitted_bytes);
    add(w, (uint64_t)r->lease_void | (uint64_t)r->leaving << 1 |
               (uint64_t)r->resting << 2 | (uint64_t)r->force << 3);
    add(w, r->leave_index);
    add(w, r->leave_round);
    add(w, r->lease_index);
    add(w, r->idle_last);
    add(w, r->idle_at);
    add(w, r->stall_at);
    add(w, r->capacity);
}

static void add_reads(struct words *w, const struct names *n)
{
    const struct reads *q = &actor->core->reads;

    add(w, actor->core->read_round);
    add(w, q->ready - q->head);
    add(w, q->assigned - q->head);
    add(w, q->tail - q->head);
    for (uint32_t i = q->head; i != q->tail; i++) {
        const struct read *read = &q->ring[i & q->mask];

        add(w, read->token);
        add(w, renamed(n, read->from));
        add(w, read->round);
        add(w, read->index);
        add(w, (uint64_t)(uint32_t)read->status);
    }
}

/* By the new names, so that the order is theirs. */
static void add_peer(struct words *w, uint32_t old_id)
{
    const rkv_raft *r = actor->core;
    int slot = config_slot(r, old_id);
    uint64_t bit;
    const struct peer *p;

    if (slot < 0) {
        add(w, 0);
        return;
    }
    bit = slot_bit(slot);
    p = &r->peers[slot];
    add(w, 1 + (uint64_t)r->members[slot].role);
    add(w, (uint64_t)((r->granted & bit) != 0) |
               (uint64_t)((r->rejected & bit) != 0) << 1 |
               (uint64_t)((r->ask & bit) != 0) << 2 |
               (uint64_t)((r->active & bit) != 0) << 3 |
               (uint64_t)((r->serve & bit) != 0) << 4 |
               (uint64_t)((r->beat & bit) != 0) << 5 |
               (uint64_t)((r->hurry & bit) != 0) << 6 |
               (uint64_t)((r->agreed & bit) != 0) << 7 |
               (uint64_t)p->paused << 8 | (uint64_t)p->full << 9 |
               (uint64_t)p->check << 10 | (uint64_t)p->never_leads << 11);
    add(w, p->match);
    add(w, p->next);
    add(w, p->sent_commit);
    add(w, p->round);
    add(w, p->lease_round);
    add(w, p->boot);
    add(w, p->heard);
    add(w, p->stated_boot);
    add(w, p->stated_last);
    add(w, p->snapshot_at);
    add(w, p->inflight_bytes);
    add(w, p->progress);
    add(w, p->priority);
    add(w, progress_inflight(p));
    for (uint32_t i = p->inflight_head; i != p->inflight_tail; i++)
        add(w, p->window[i & r->window_mask].last);
}

static void add_log(struct words *w, const struct names *n)
{
    const struct trail *t = &actor->core->trail;

    add(w, t->first);
    add(w, t->last);
    add(w, t->base_term);
    add(w, t->config_last);
    for (uint64_t i = t->first; i <= t->last; i++) {
        const struct trail_entry *e = trail_at(t, i);

        add_entry(w, n, e->term, trail_kind(e), trail_len(e));
    }
}

uint64_t mirror_actor(const struct names *n)
{
    const rkv_raft *r = actor->core;
    struct words w;

    w.count = 0;
    add(&w, renamed(n, actor->id));
    add(&w, r->role);
    add(&w, r->term);
    add(&w, renamed(n, r->vote));
    add(&w, renamed(n, r->leader));
    add(&w, r->commit);
    add(&w, r->emitted);
    add(&w, r->applied);
    add(&w, r->restore_index);
    add(&w, r->restore_term);
    add(&w, renamed(n, r->restore_from));
    add(&w, r->restore_told);
    add_disk(&w, n);
    add_promises(&w, n);
    add_leadership(&w, n);
    add_reads(&w, n);
    for (uint32_t id = 1; id <= here->members; id++)
        add_peer(&w, n->from[id]);
    add_log(&w, n);
    return hash(&w);
}

/* ---- a message ---- */

uint64_t mirror_letter(const struct letter *l, const struct names *n)
{
    const struct rkv_raft_msg *m = &l->msg;
    struct words w;

    w.count = 0;
    add(&w, (uint64_t)m->kind << 32 | m->flags);
    add(&w, renamed(n, m->from));
    add(&w, renamed(n, m->to));
    add(&w, m->term);
    add(&w, m->index);
    add(&w, m->log_term);
    add(&w, m->commit);
    add(&w, m->kind == RKV_MSG_TRANSFER ? renamed(n, m->hint) : m->hint);
    add(&w, m->hint_term);
    add(&w, m->round);
    add(&w, m->boot);
    add(&w, m->stated_boot);
    add(&w, m->stated_last);
    add(&w, m->last_term);
    add(&w, m->priority);
    add(&w, m->count);
    for (uint32_t i = 0; i < m->count; i++)
        add_entry(&w, n, l->entries[i].term, l->entries[i].kind,
                  l->entries[i].len);
    return hash(&w);
}
