/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/book.c - every member, message and outcome met so far, once.
 * Members are far fewer than groups of them, and a core is a function of what
 * it is and what it gets: so the real core plays each pair of the two a single
 * time, and what came of it is looked up from then on.
 */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/core.h"
#include "shelf.h"

struct kept_letter {
    struct letter letter;
    uint64_t hash[NAMES_MAX];
};

static const struct scope *scope;
static struct shelf faces, letters, outcomes;
static struct table face_of, letter_of, outcome_of;
static uint32_t *sent;
static size_t sent_count, sent_cap;

/* ---- members ---- */

static uint32_t by_id(const rkv_raft *r, uint64_t slots)
{
    uint32_t ids = 0;

    for (uint32_t i = 0; i < r->count; i++)
        if ((slots & slot_bit((int)i)) != 0)
            ids |= 1u << r->members[i].id;
    return ids;
}

/* A leader that only waits for what it proposed itself in its own term. */
static bool is_impatient(const rkv_raft *r)
{
    for (uint64_t i = r->applied + 1; i <= r->trail.last; i++) {
        const struct trail_entry *e = trail_at(&r->trail, i);

        if (trail_kind(e) == RKV_ENTRY_CONFIG && e->term == r->term)
            return false;
    }
    return true;
}

static void describe(struct face *f)
{
    const rkv_raft *r = actor->core;
    const struct disk *d = &actor->disk;

    f->id = actor->id;
    f->role = r->role;
    f->term = r->term;
    f->commit = r->commit;
    f->applied = r->applied;
    f->last = r->trail.last;
    f->disk_last = d->last;
    f->promised = d->promised;
    f->voters = by_id(r, r->voters);
    f->outgoing = by_id(r, r->outgoing);
    f->is_recovering = r->recovering;
    f->has_writes = actor->writes_count > 0;
    f->has_apply = r->applied < r->emitted;
    f->is_leaving = r->leaving || r->transferee != 0;
    f->may_change = is_impatient(r);
    for (uint64_t i = 1; i <= r->trail.last; i++) {
        const struct trail_entry *e = trail_at(&r->trail, i);

        f->log[i] = (struct rkv_raft_entry){.index = i,
                                            .term = e->term,
                                            .len = trail_len(e),
                                            .kind = trail_kind(e)};
    }
    for (uint64_t i = 1; i <= d->last; i++)
        f->disk_terms[i] = d->log[i].term;
}

/* The one that plays now. */
static uint32_t recognise(void)
{
    uint64_t hash = table_key(mirror_actor(&names[0]));
    uint64_t digest = rkv_raft_digest(actor->core);
    struct face *f;
    uint32_t id;

    if (table_get(&face_of, hash, &id)) {
        if (book_face(id)->digest != digest) {
            fputs("explore: two members look alike, but the core tells them "
                  "apart: mirror.c misses a field\n",
                  stderr);
            exit(2);
        }
        return id;
    }
    id = faces.count;
    f = shelf_add(&faces);
    table_put(&face_of, hash, id);
    for (uint32_t i = 0; i < names_count; i++)
        f->hash[i] = mirror_actor(&names[i]);
    f->digest = digest;
    f->image = must_have(malloc(actor_image_size()));
    actor_save(f->image);
    describe(f);
    return id;
}

uint32_t book_found(uint64_t id)
{
    actor_found(scope, id);
    return recognise();
}

const struct face *book_face(uint32_t face)
{
    return shelf_at(&faces, face);
}

/* ---- messages ---- */

static uint32_t file_letter(const struct letter *l)
{
    uint64_t hash = table_key(mirror_letter(l, &names[0]));
    struct kept_letter *kept;
    uint32_t id;

    if (table_get(&letter_of, hash, &id))
        return id;
    id = letters.count;
    kept = shelf_add(&letters);
    table_put(&letter_of, hash, id);
    kept->letter = *l;
    for (uint32_t i = 0; i < names_count; i++)
        kept->hash[i] = mirror_letter(l, &names[i]);
    return id;
}

const struct letter *book_letter(uint32_t letter)
{
    return &((const struct kept_letter *)shelf_at(&letters, letter))->letter;
}

const uint64_t *book_letter_hash(uint32_t letter)
{
    return ((const struct kept_letter *)shelf_at(&letters, letter))->hash;
}

/* ---- outcomes ---- */

static void file_sent(struct outcome *o)
{
    if (sent_count + actor->sent_count > sent_cap) {
        sent_cap = sent_cap == 0 ? 1 << 16 : 2 * sent_cap;
        sent = must_have(realloc(sent, sent_cap * sizeof *sent));
    }
    o->sent = (uint32_t)sent_count;
    for (uint32_t i = 0; i < actor->sent_count; i++)
        sent[sent_count++] = file_letter(&actor->sent[i]);
    o->sent_count = (uint16_t)actor->sent_count;
}

static void play(uint32_t face, enum move move, uint32_t detail,
                 struct outcome *o)
{
    const struct letter *letter =
        move == MOVE_DELIVER ? book_letter(detail) : NULL;

    actor_load(book_face(face)->image);
    o->is_refused = !actor_move(scope, move, letter, detail);
    o->next = face;
    if (o->is_refused)
        return;
    o->broken = actor->broken;
    o->is_read = actor->is_read;
    o->read_index = actor->read_index;
    file_sent(o);
    /* What is broken may be so in any way; it is not gone on from. */
    if (o->broken == NULL)
        o->next = recognise();
}

const uint32_t *book_sent(const struct outcome *o)
{
    return sent + o->sent;
}

const struct outcome *book_outcome(uint32_t face, enum move move,
                                   uint32_t detail)
{
    uint64_t key = (uint64_t)(face + 1) << 32 | (uint64_t)move << 27 | detail;
    struct outcome *o;
    uint32_t id;

    if (table_get(&outcome_of, key, &id))
        return shelf_at(&outcomes, id);
    id = outcomes.count;
    o = shelf_add(&outcomes);
    table_put(&outcome_of, key, id);
    play(face, move, detail, o);
    return o;
}

/* ---- the book itself ---- */

void book_open(const struct scope *of)
{
    scope = of;
    shelf_open(&faces, sizeof(struct face));
    shelf_open(&letters, sizeof(struct kept_letter));
    shelf_open(&outcomes, sizeof(struct outcome));
    table_open(&face_of);
    table_open(&letter_of);
    table_open(&outcome_of);
}

void book_close(void)
{
    for (uint32_t i = 0; i < faces.count; i++)
        free(((struct face *)shelf_at(&faces, i))->image);
    shelf_close(&faces);
    shelf_close(&letters);
    shelf_close(&outcomes);
    table_close(&face_of);
    table_close(&letter_of);
    table_close(&outcome_of);
    free(sent);
    sent = NULL;
    sent_count = sent_cap = 0;
}

size_t book_memory(void)
{
    return faces.memory + letters.memory + outcomes.memory +
           faces.count * actor_image_size() + sent_cap * sizeof *sent +
           table_memory(&face_of) + table_memory(&letter_of) +
           table_memory(&outcome_of);
}
