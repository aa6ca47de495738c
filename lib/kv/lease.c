/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Leases: when they end, and in what order.  A fresh one waits in a list until
 * the clock moves, the others in a heap; so moving the clock costs what is
 * fresh and what has ended, however many leases there are.
 */
#include "lease.h"

#include "../base/hash.h"
#include "leasekeys.h"

static void enlist(struct rkv_leases *leases, struct rkv_lease *lease);
static void freshen(struct rkv_leases *leases, struct rkv_lease *lease);
static void unfreshen(struct rkv_leases *leases, struct rkv_lease *lease);
static void heap_add(struct rkv_leases *leases, struct rkv_lease *lease);
static void heap_remove(struct rkv_leases *leases, struct rkv_lease *lease);
static void rise(struct rkv_leases *leases, size_t at);
static void sink(struct rkv_leases *leases, size_t at);
static uint64_t hash_of(const struct rkv_lease *lease);

void rkv_leases_init(struct rkv_leases *leases, const struct rkv_allocator *a)
{
    *leases = (struct rkv_leases){.allocator = a};
    rkv_map_init(&leases->ids, a);
}

void rkv_leases_free(struct rkv_leases *leases)
{
    const struct rkv_allocator *a = leases->allocator;

    while (leases->first != NULL) {
        struct rkv_lease_keys keys = rkv_leases_remove(leases, leases->first);

        rkv_lease_keys_free(a, &keys);
    }
    rkv_map_free(&leases->ids);
    rkv_release(a, leases->heap, leases->heap_cap * sizeof(leases->heap[0]));
    rkv_leases_init(leases, a);
}

struct rkv_lease *rkv_leases_find(const struct rkv_leases *leases, int64_t id)
{
    return rkv_map_get(&leases->ids, (uint64_t)id);
}

int64_t rkv_leases_choose(const struct rkv_leases *leases, uint64_t index,
                          uint32_t sub)
{
    uint64_t id = rkv_mix64(index, sub) & INT64_MAX;

    while (id == 0 || rkv_map_get(&leases->ids, id) != NULL)
        id = (id + 1) & INT64_MAX;
    return (int64_t)id;
}

int rkv_leases_grant(struct rkv_leases *leases, const struct rkv_lease *draft)
{
    const struct rkv_allocator *a = leases->allocator;
    void *heap = leases->heap;
    struct rkv_lease *lease;

    if (rkv_grow(a, &heap, &leases->heap_cap, leases->count + 1,
                 sizeof(leases->heap[0])) < 0)
        return RKV_ENOMEM;
    leases->heap = heap;
    lease = rkv_alloc_zeroed(a, sizeof(*lease));
    if (lease == NULL)
        return RKV_ENOMEM;
    lease->id = draft->id;
    lease->ttl = draft->ttl;
    lease->deadline = draft->deadline;
    lease->flags = draft->flags;
    if (rkv_map_set(&leases->ids, (uint64_t)lease->id, lease) < 0) {
        rkv_release(a, lease, sizeof(*lease));
        return RKV_ENOMEM;
    }
    enlist(leases, lease);
    if (lease->deadline == 0)
        freshen(leases, lease);
    else
        heap_add(leases, lease);
    leases->hash += hash_of(lease);
    return RKV_OK;
}

void rkv_leases_renew(struct rkv_leases *leases, struct rkv_lease *lease)
{
    if (lease->deadline == 0)
        return;
    leases->hash -= hash_of(lease);
    heap_remove(leases, lease);
    lease->deadline = 0;
    freshen(leases, lease);
    leases->hash += hash_of(lease);
}

struct rkv_lease_keys rkv_leases_remove(struct rkv_leases *leases,
                                        struct rkv_lease *lease)
{
    struct rkv_lease_keys keys = lease->keys;

    leases->hash -= hash_of(lease);
    leases->held -= keys.count;
    leases->count--;
    (void)rkv_map_remove(&leases->ids, (uint64_t)lease->id);
    if (lease->deadline == 0)
        unfreshen(leases, lease);
    else
        heap_remove(leases, lease);
    if (lease->prev != NULL)
        lease->prev->next = lease->next;
    else
        leases->first = lease->next;
    if (lease->next != NULL)
        lease->next->prev = lease->prev;
    else
        leases->last = lease->prev;
    rkv_release(leases->allocator, lease, sizeof(*lease));
    return keys;
}

void rkv_leases_move(struct rkv_leases *leases, int64_t clock)
{
    struct rkv_lease *lease;

    if (clock > leases->clock)
        leases->clock = clock;
    while ((lease = leases->fresh) != NULL) {
        leases->hash -= hash_of(lease);
        unfreshen(leases, lease);
        lease->deadline = leases->clock + lease->ttl;
        heap_add(leases, lease);
        leases->hash += hash_of(lease);
    }
}

struct rkv_lease *rkv_leases_due(const struct rkv_leases *leases)
{
    if (leases->heap_count == 0 || leases->heap[0]->deadline > leases->clock)
        return NULL;
    return leases->heap[0];
}

static int attach(struct rkv_leases *leases, struct rkv_record *record)
{
    struct rkv_lease *lease = rkv_leases_find(leases, rkv_record_lease(record));

    leases->leased++;
    if (lease == NULL)
        return RKV_OK;
    leases->held++;
    return rkv_lease_keys_add(leases->allocator, &lease->keys, record);
}

static void detach(struct rkv_leases *leases, const struct rkv_record *record)
{
    struct rkv_lease *lease = rkv_leases_find(leases, rkv_record_lease(record));

    leases->leased--;
    if (lease == NULL)
        return;
    leases->held--;
    rkv_lease_keys_remove(&lease->keys, record);
    if ((lease->flags & RKV_LEASE_OWNED) == 0 || lease->keys.count > 0 ||
        lease->is_empty || leases->is_restored)
        return;
    lease->is_empty = true;
    lease->empty_next = leases->empty;
    leases->empty = lease;
}

void rkv_leases_tidy(struct rkv_leases *leases)
{
    struct rkv_lease *lease;
    struct rkv_lease_keys keys;

    while ((lease = leases->empty) != NULL) {
        leases->empty = lease->empty_next;
        lease->is_empty = false;
        if (lease->keys.count > 0)
            continue;
        keys = rkv_leases_remove(leases, lease);
        rkv_lease_keys_free(leases->allocator, &keys);
    }
}

/* A deletion names no lease. */
int rkv_leases_change(struct rkv_leases *leases, struct rkv_record *newest,
                      struct rkv_record *record)
{
    int64_t was = newest != NULL ? rkv_record_lease(newest) : 0;
    struct rkv_lease *lease;

    if (was == 0 && rkv_record_lease(record) == 0)
        return RKV_OK;
    if (was == rkv_record_lease(record)) {
        lease = rkv_leases_find(leases, was);
        if (lease != NULL)
            rkv_lease_keys_replace(&lease->keys, newest, record);
        return RKV_OK;
    }
    if (was != 0)
        detach(leases, newest);
    return rkv_record_lease(record) != 0 ? attach(leases, record) : RKV_OK;
}

uint64_t rkv_leases_rehash(const struct rkv_leases *leases)
{
    uint64_t hash = 0;

    for (const struct rkv_lease *l = leases->first; l != NULL; l = l->next)
        hash += hash_of(l);
    return hash;
}

static bool check_lease(const struct rkv_leases *leases,
                        const struct rkv_lease *lease)
{
    struct rkv_lease_place place = rkv_lease_first(&lease->keys);
    const struct rkv_record *record, *last = NULL;
    uint64_t count = 0;

    while ((record = rkv_lease_next(&lease->keys, &place)) != NULL) {
        if (rkv_record_lease(record) != lease->id || record->next != NULL ||
            (last != NULL &&
             rkv_bytes_compare(last->bytes, last->key_len, record->bytes,
                               record->key_len) >= 0))
            return false;
        last = record;
        count++;
    }
    if (lease->keys.many.root != NULL && !rkv_tree_check(&lease->keys.many))
        return false;
    if (lease->deadline != 0 &&
        (lease->at >= leases->heap_count || leases->heap[lease->at] != lease))
        return false;
    return count == lease->keys.count &&
           ((lease->flags & RKV_LEASE_OWNED) == 0 || count > 0) &&
           rkv_leases_find(leases, lease->id) == lease;
}

bool rkv_leases_check(const struct rkv_leases *leases,
                      const struct rkv_tree *tree)
{
    struct rkv_tree_place place = rkv_tree_seek(tree, "", 0);
    const struct rkv_record *record;
    uint64_t count = 0, leased = 0, held = 0;

    for (const struct rkv_lease *l = leases->first; l != NULL; l = l->next) {
        if (!check_lease(leases, l))
            return false;
        count++;
        held += l->keys.count;
    }
    while ((record = rkv_tree_next_live(tree, &place)) != NULL)
        leased += rkv_record_lease(record) != 0;
    return count == leases->count && leased == leases->leased &&
           held == leases->held && held == leased && leases->empty == NULL &&
           leases->heap_count + leases->fresh_count == count &&
           rkv_leases_rehash(leases) == leases->hash;
}

/* A piece: length of the rest 4, then varints: id (zigzag), ttl, flags,
 * deadline. */
void rkv_leases_write(const struct rkv_leases *leases, struct rkv_buffer *out)
{
    for (const struct rkv_lease *l = leases->first; l != NULL; l = l->next) {
        size_t at = out->len;

        rkv_write_u32(out, 0);
        rkv_write_svarint(out, l->id);
        rkv_write_varint(out, (uint64_t)l->ttl);
        rkv_write_varint(out, l->flags);
        rkv_write_varint(out, (uint64_t)l->deadline);
        if (out->failed)
            return;
        rkv_put_u32(out->data + at, (uint32_t)(out->len - at - 4));
    }
}

int rkv_leases_read(struct rkv_leases *leases, const void *data, size_t len)
{
    struct rkv_lease draft = {.id = 0};
    struct rkv_reader r;
    uint64_t ttl, deadline;

    rkv_reader_init(&r, data, len);
    draft.id = rkv_read_svarint(&r);
    ttl = rkv_read_varint(&r);
    draft.flags = rkv_read_varint32(&r);
    deadline = rkv_read_varint(&r);
    if (!rkv_reader_done(&r) || draft.id == 0 || ttl < 1 ||
        ttl > RKV_LEASE_TTL_MAX ||
        deadline > (uint64_t)leases->clock + RKV_LEASE_TTL_MAX ||
        (draft.flags & ~(uint32_t)RKV_LEASE_OWNED) != 0 ||
        rkv_leases_find(leases, draft.id) != NULL)
        return RKV_EMALFORMED;
    draft.ttl = (int64_t)ttl;
    draft.deadline = (int64_t)deadline;
    return rkv_leases_grant(leases, &draft);
}

bool rkv_leases_fit(const struct rkv_leases *leases)
{
    for (const struct rkv_lease *l = leases->first; l != NULL; l = l->next) {
        if ((l->flags & RKV_LEASE_OWNED) != 0 && l->keys.count == 0)
            return false;
    }
    return leases->leased == leases->held;
}

static void enlist(struct rkv_leases *leases, struct rkv_lease *lease)
{
    leases->count++;
    lease->prev = leases->last;
    if (leases->last != NULL)
        leases->last->next = lease;
    else
        leases->first = lease;
    leases->last = lease;
}

static void freshen(struct rkv_leases *leases, struct rkv_lease *lease)
{
    lease->fresh_prev = NULL;
    lease->fresh_next = leases->fresh;
    if (leases->fresh != NULL)
        leases->fresh->fresh_prev = lease;
    leases->fresh = lease;
    leases->fresh_count++;
}

static void unfreshen(struct rkv_leases *leases, struct rkv_lease *lease)
{
    if (lease->fresh_prev != NULL)
        lease->fresh_prev->fresh_next = lease->fresh_next;
    else
        leases->fresh = lease->fresh_next;
    if (lease->fresh_next != NULL)
        lease->fresh_next->fresh_prev = lease->fresh_prev;
    leases->fresh_count--;
}

/* Of those that end at the same time the lower id is first, so that the order
 * does not depend on how the heap came to be. */
static bool ends_before(const struct rkv_lease *a, const struct rkv_lease *b)
{
    if (a->deadline != b->deadline)
        return a->deadline < b->deadline;
    return a->id < b->id;
}

static void heap_set(struct rkv_leases *leases, size_t at,
                     struct rkv_lease *lease)
{
    leases->heap[at] = lease;
    lease->at = at;
}

static void heap_add(struct rkv_leases *leases, struct rkv_lease *lease)
{
    heap_set(leases, leases->heap_count++, lease);
    rise(leases, lease->at);
}

static void heap_remove(struct rkv_leases *leases, struct rkv_lease *lease)
{
    struct rkv_lease *moved = leases->heap[--leases->heap_count];
    size_t at = lease->at;

    if (moved == lease)
        return;
    heap_set(leases, at, moved);
    rise(leases, at);
    sink(leases, moved->at);
}

static void rise(struct rkv_leases *leases, size_t at)
{
    struct rkv_lease *lease = leases->heap[at];

    while (at > 0 && ends_before(lease, leases->heap[(at - 1) / 2])) {
        heap_set(leases, at, leases->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_set(leases, at, lease);
}

static void sink(struct rkv_leases *leases, size_t at)
{
    struct rkv_lease *lease = leases->heap[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= leases->heap_count)
            break;
        if (child + 1 < leases->heap_count &&
            ends_before(leases->heap[child + 1], leases->heap[child]))
            child++;
        if (!ends_before(leases->heap[child], lease))
            break;
        heap_set(leases, at, leases->heap[child]);
        at = child;
    }
    heap_set(leases, at, lease);
}

static uint64_t hash_of(const struct rkv_lease *lease)
{
    uint8_t numbers[32];

    rkv_put_u64(numbers, (uint64_t)lease->id);
    rkv_put_u64(numbers + 8, (uint64_t)lease->ttl);
    rkv_put_u64(numbers + 16, (uint64_t)lease->deadline);
    rkv_put_u64(numbers + 24, lease->flags);
    return rkv_hash64(0, numbers, sizeof(numbers));
}
