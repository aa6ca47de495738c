/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/ledger.c - what must hold (thesis 3.2, figure): one leader for
 * a term, logs that match, leaders that hold all that was committed before
 * their term, one entry for an index, and nothing committed but what a quorum
 * holds on disk.
 */
#include "explore.h"

#include <stdlib.h>

#include "base/hash.h"
#include "shelf.h"

struct kept_ledger {
    struct ledger ledger;
    uint64_t hash[NAMES_MAX];
};

static struct shelf ledgers;
static struct table ledger_of;

void ledger_open(void)
{
    shelf_open(&ledgers, sizeof(struct kept_ledger));
    table_open(&ledger_of);
}

void ledger_close(void)
{
    shelf_close(&ledgers);
    table_close(&ledger_of);
}

const struct ledger *ledger_at(uint32_t ledger)
{
    return &((const struct kept_ledger *)shelf_at(&ledgers, ledger))->ledger;
}

const uint64_t *ledger_hash(uint32_t ledger)
{
    return ((const struct kept_ledger *)shelf_at(&ledgers, ledger))->hash;
}

static uint64_t hash_of(const struct ledger *l, const struct names *n)
{
    uint64_t h = rkv_mix64(l->last, l->read_floor);

    for (int term = 0; term <= TERMS_MAX; term++)
        h = rkv_mix64(h, n->to[l->leader_of[term]]);
    for (uint64_t i = 1; i <= l->last; i++) {
        const struct rkv_raft_entry *e = &l->committed[i];

        h = rkv_mix64(h, e->term << 32 | e->kind);
        h = rkv_mix64(h, names_rename_len(n, e->kind, e->len));
        h = rkv_mix64(h, l->by_term[i]);
    }
    return h;
}

uint32_t ledger_file(const struct ledger *l)
{
    uint64_t key = table_key(hash_of(l, &names[0]));
    struct kept_ledger *kept;
    uint32_t id;

    if (table_get(&ledger_of, key, &id))
        return id;
    id = ledgers.count;
    kept = shelf_add(&ledgers);
    table_put(&ledger_of, key, id);
    kept->ledger = *l;
    for (uint32_t i = 0; i < names_count; i++)
        kept->hash[i] = hash_of(l, &names[i]);
    return id;
}

/* ---- what must hold ---- */

static bool is_same(const struct rkv_raft_entry *a,
                    const struct rkv_raft_entry *b)
{
    return a->term == b->term && a->kind == b->kind && a->len == b->len;
}

static bool is_majority(uint32_t ids, uint32_t of)
{
    return 2 * __builtin_popcount(ids & of) > __builtin_popcount(of);
}

static bool is_quorum(uint32_t ids, const struct face *f)
{
    return is_majority(ids, f->voters) &&
           (f->outgoing == 0 || is_majority(ids, f->outgoing));
}

/* Who lost its disk votes for nobody until it has all of it again, so what it
 * held still binds. */
static uint32_t who_holds(const struct state *s,
                          const struct rkv_raft_entry *entry)
{
    uint32_t ids = 0;

    for (uint32_t i = 0; i < here->members; i++) {
        const struct face *f = book_face(s->face[i]);

        if ((f->disk_last >= entry->index &&
             f->disk_terms[entry->index] == entry->term) ||
            f->is_recovering)
            ids |= 1u << f->id;
    }
    return ids;
}

static const char *note_leader(struct ledger *l, const struct face *f)
{
    if (f->role != RKV_LEADER)
        return NULL;
    if (l->leader_of[f->term] == 0)
        l->leader_of[f->term] = f->id;
    return l->leader_of[f->term] == f->id ? NULL : "one leader for a term";
}

/* The configuration that counted is the one before the step or, when a change
 * was applied with it, the one after. */
static const char *note_commit(const struct state *s, struct ledger *l,
                               const struct face *was, const struct face *f)
{
    for (uint64_t i = 1; i <= f->commit && i <= l->last; i++)
        if (!is_same(&f->log[i], &l->committed[i]))
            return "what is committed stays";
    for (uint64_t i = l->last + 1; i <= f->commit; i++) {
        uint32_t holders = who_holds(s, &f->log[i]);

        l->committed[i] = f->log[i];
        l->by_term[i] = f->term;
        l->last = i;
        if (!is_quorum(holders, was) && !is_quorum(holders, f))
            return "what is committed is on the disks of a quorum";
    }
    return NULL;
}

static const char *check_leaders(const struct state *s, const struct ledger *l)
{
    for (uint32_t at = 0; at < here->members; at++) {
        const struct face *f = book_face(s->face[at]);

        if (f->role != RKV_LEADER)
            continue;
        for (uint64_t i = 1; i <= l->last; i++)
            if (l->by_term[i] < f->term &&
                (i > f->last || !is_same(&f->log[i], &l->committed[i])))
                return "a leader holds all that was committed before its term";
    }
    return NULL;
}

const char *ledger_note(struct state *s, uint32_t at, uint32_t before,
                        const struct outcome *o)
{
    const struct face *was = book_face(before);
    const struct face *f = book_face(s->face[at]);
    struct ledger l = *ledger_at(s->ledger);
    const char *broken = note_leader(&l, f);

    if (o->is_read && o->read_index < l.read_floor)
        return "a read sees what was committed when it was asked";
    if (broken == NULL)
        broken = note_commit(s, &l, was, f);
    if (broken == NULL)
        broken = check_leaders(s, &l);
    s->ledger = ledger_file(&l);
    return broken;
}

static const char *compare(const struct face *a, const struct face *b)
{
    uint64_t last = a->last < b->last ? a->last : b->last;

    for (uint64_t i = last; i > 0; i--) {
        if (a->log[i].term != b->log[i].term)
            continue;
        for (uint64_t k = 1; k <= i; k++)
            if (!is_same(&a->log[k], &b->log[k]))
                return "logs with an entry in common are equal up to it";
        return NULL;
    }
    return NULL;
}

const char *ledger_compare(const struct state *s)
{
    for (uint32_t a = 0; a < here->members; a++)
        for (uint32_t b = a + 1; b < here->members; b++) {
            const char *broken =
                compare(book_face(s->face[a]), book_face(s->face[b]));

            if (broken != NULL)
                return broken;
        }
    return NULL;
}
