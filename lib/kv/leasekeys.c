/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The keys of a lease.  Most leases have one, some have a million: a few stand
 * in a row, in order; when they are more they move into a tree of their own.
 */
#include "leasekeys.h"

#include <assert.h>
#include <string.h>

static int plant(const struct rkv_allocator *a, struct rkv_lease_keys *keys);
static size_t slot_of(const struct rkv_lease_keys *keys,
                      const struct rkv_record *record, bool *exact);

int rkv_lease_keys_add(const struct rkv_allocator *a,
                       struct rkv_lease_keys *keys, struct rkv_record *record)
{
    struct rkv_tree_spot nowhere = {NULL, NULL, 0};
    void *few = keys->few;
    size_t slot;
    bool exact;

    if (keys->many.root == NULL && keys->count == RKV_LEASE_FEW &&
        plant(a, keys) < 0)
        return RKV_ENOMEM;
    if (keys->many.root != NULL) {
        if (rkv_tree_put(&keys->many, record, nowhere) < 0)
            return RKV_ENOMEM;
        keys->count++;
        return RKV_OK;
    }
    /* One key needs no room for eight. */
    if (keys->count == 0 && keys->few_cap == 0) {
        keys->few = rkv_alloc(a, sizeof(keys->few[0]));
        if (keys->few == NULL)
            return RKV_ENOMEM;
        keys->few_cap = 1;
    } else if (keys->count == keys->few_cap) {
        if (rkv_grow(a, &few, &keys->few_cap, keys->count + 1,
                     sizeof(keys->few[0])) < 0)
            return RKV_ENOMEM;
        keys->few = few;
    }
    assert(keys->few != NULL);
    slot = slot_of(keys, record, &exact);
    memmove(keys->few + slot + 1, keys->few + slot,
            (keys->count - slot) * sizeof(keys->few[0]));
    keys->few[slot] = record;
    keys->count++;
    return RKV_OK;
}

void rkv_lease_keys_replace(struct rkv_lease_keys *keys,
                            const struct rkv_record *old,
                            struct rkv_record *record)
{
    struct rkv_tree_spot spot;
    bool exact;

    if (keys->many.root == NULL) {
        keys->few[slot_of(keys, old, &exact)] = record;
        return;
    }
    spot = rkv_tree_find(&keys->many, old->bytes, old->key_len);
    /* In its place nothing has to grow. */
    (void)rkv_tree_put(&keys->many, record, spot);
}

void rkv_lease_keys_remove(struct rkv_lease_keys *keys,
                           const struct rkv_record *record)
{
    size_t slot;
    bool exact;

    keys->count--;
    if (keys->many.root != NULL) {
        rkv_tree_remove(&keys->many, record);
        return;
    }
    slot = slot_of(keys, record, &exact);
    memmove(keys->few + slot, keys->few + slot + 1,
            (keys->count - slot) * sizeof(keys->few[0]));
}

bool rkv_lease_keys_have(const struct rkv_lease_keys *keys,
                         const struct rkv_record *record)
{
    bool exact;
    size_t slot;

    if (keys->many.root != NULL)
        return rkv_tree_find(&keys->many, record->bytes, record->key_len)
                   .record == record;
    slot = slot_of(keys, record, &exact);
    return exact && keys->few[slot] == record;
}

void rkv_lease_keys_free(const struct rkv_allocator *a,
                         struct rkv_lease_keys *keys)
{
    rkv_release(a, keys->few, keys->few_cap * sizeof(keys->few[0]));
    if (keys->many.root != NULL)
        rkv_tree_free(&keys->many);
    *keys = (struct rkv_lease_keys){.count = 0};
}

struct rkv_lease_place rkv_lease_first(const struct rkv_lease_keys *keys)
{
    struct rkv_lease_place place = {0, {NULL, 0}};

    if (keys->many.root != NULL)
        place.tree = rkv_tree_seek(&keys->many, "", 0);
    return place;
}

struct rkv_record *rkv_lease_next(const struct rkv_lease_keys *keys,
                                  struct rkv_lease_place *place)
{
    if (keys->many.root != NULL)
        return rkv_tree_next(&place->tree);
    return place->at < keys->count ? keys->few[place->at++] : NULL;
}

static int plant(const struct rkv_allocator *a, struct rkv_lease_keys *keys)
{
    struct rkv_tree_spot nowhere = {NULL, NULL, 0};

    rkv_tree_init(&keys->many, a);
    for (uint64_t i = 0; i < keys->count; i++) {
        if (rkv_tree_put(&keys->many, keys->few[i], nowhere) < 0)
            return RKV_ENOMEM;
    }
    rkv_release(a, keys->few, keys->few_cap * sizeof(keys->few[0]));
    keys->few = NULL;
    keys->few_cap = 0;
    return RKV_OK;
}

/* Where the key is or would be. */
static size_t slot_of(const struct rkv_lease_keys *keys,
                      const struct rkv_record *record, bool *exact)
{
    size_t low = 0, high = keys->count;

    *exact = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct rkv_record *other = keys->few[middle];
        int order = rkv_bytes_compare(other->bytes, other->key_len,
                                      record->bytes, record->key_len);

        if (order == 0) {
            *exact = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
