/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The twin answers ranges: it looks at each key of the range, takes what was
 * there at the revision, leaves out, sorts, and cuts, in that order.
 */
#include <stdlib.h>
#include <string.h>

#include "twin_room.h"

int text_order(struct text a, struct text b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.bytes, b.bytes, shorter) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool has_no_end(const struct span *span)
{
    return span->end.len == 1 && span->end.bytes[0] == 0;
}

bool span_holds(const struct span *span, struct text key)
{
    if (span->end.len == 0)
        return text_order(key, span->key) == 0;
    return text_order(key, span->key) >= 0 &&
           (has_no_end(span) || text_order(key, span->end) < 0);
}

bool is_live(const struct twin_version *version)
{
    return version != NULL && version->version > 0;
}

const struct twin_version *twin_at(const struct twin_key *key, int64_t revision)
{
    size_t low = 0, high = key->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (key->versions[middle].mod <= revision)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &key->versions[low - 1] : NULL;
}

/* Where the first key at or behind the beginning of a span stands. */
size_t first_key(const struct twin *twin, const struct span *span)
{
    size_t low = 0, high = twin->keys_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (text_order(twin->keys[middle]->name, span->key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct twin_key *twin_find(const struct twin *twin, struct text name)
{
    const struct span span = {.key = name};
    size_t at = first_key(twin, &span);

    return at < twin->keys_count && text_order(twin->keys[at]->name, name) == 0
               ? twin->keys[at]
               : NULL;
}

struct rkv_item item_of(const struct twin_key *key,
                        const struct twin_version *version, bool with_value)
{
    return (struct rkv_item){
        .key = key->name.bytes,
        .key_len = key->name.len,
        .value = with_value ? version->value.bytes : NULL,
        .value_len = with_value ? version->value.len : 0,
        .create_revision = version->create,
        .mod_revision = version->mod,
        .version = version->version,
        .lease = version->lease,
    };
}

static bool within(int64_t number, int64_t least, int64_t most)
{
    return (least == 0 || number >= least) && (most == 0 || number <= most);
}

static int64_t sort_number(const struct operation *op,
                           const struct rkv_item *item)
{
    if (op->sort == RKV_SORT_VERSION)
        return item->version;
    return op->sort == RKV_SORT_CREATE ? item->create_revision
                                       : item->mod_revision;
}

static int order_of(const struct operation *op, const struct rkv_item *a,
                    const struct rkv_item *b)
{
    int64_t left = 0, right = 0;
    int order;

    if (op->sort == RKV_SORT_KEY)
        order = text_order((struct text){a->key, a->key_len},
                           (struct text){b->key, b->key_len});
    else if (op->sort == RKV_SORT_VALUE)
        order = text_order((struct text){a->value, a->value_len},
                           (struct text){b->value, b->value_len});
    else {
        left = sort_number(op, a);
        right = sort_number(op, b);
        order = (left > right) - (left < right);
    }
    return op->order == RKV_ORDER_DESCEND ? -order : order;
}

/* They come in the order of the keys, and what is equal stays in it. */
static void sort(const struct operation *op, struct rkv_item *items,
                 size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct rkv_item item = items[i];
        size_t at = i;

        for (; at > 0 && order_of(op, &items[at - 1], &item) > 0; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

/* All that is there and fits the bounds, in the order asked for. */
static size_t collect(struct twin *twin, const struct operation *op,
                      int64_t revision, struct rkv_item *items, uint64_t *count)
{
    size_t kept = 0;

    *count = 0;
    for (size_t i = first_key(twin, &op->span);
         i < twin->keys_count && span_holds(&op->span, twin->keys[i]->name);
         i++) {
        const struct twin_version *version = twin_at(twin->keys[i], revision);

        if (!is_live(version))
            continue;
        ++*count;
        if (within(version->mod, op->min_mod, op->max_mod) &&
            within(version->create, op->min_create, op->max_create))
            items[kept++] = item_of(twin->keys[i], version, true);
    }
    if (op->sort != RKV_SORT_KEY || op->order == RKV_ORDER_DESCEND)
        sort(op, items, kept);
    return kept;
}

void range_answer(struct twin *twin, const struct operation *op,
                  int64_t revision, struct rkv_response *out)
{
    struct rkv_item *items =
        arena_take(&twin->scratch, (twin->keys_count + 1) * sizeof *items);
    size_t found = collect(twin, op, revision, items, &out->count);
    size_t skipped = op->offset > 0 ? (size_t)op->offset : 0;
    size_t shown;

    out->kind = RKV_RESPONSE_RANGE;
    if ((op->flags & RKV_RANGE_COUNT_ONLY) != 0)
        return;
    if (skipped > found)
        skipped = found;
    shown = found - skipped;
    if (op->limit > 0 && shown > (size_t)op->limit) {
        shown = (size_t)op->limit;
        out->more = 1;
    }
    for (size_t i = 0; (op->flags & RKV_RANGE_KEYS_ONLY) != 0 && i < found; i++)
        items[i].value_len = 0;
    out->items = items + skipped;
    out->items_count = shown;
}

void twin_check_range(struct twin *twin, int64_t revision, int64_t compacted,
                      const struct rkv_range *range,
                      const struct rkv_result *result)
{
    const struct operation op = {
        .flags = range->flags,
        .span = {{range->key, range->key_len}, {range->end, range->end_len}},
        .limit = range->limit,
        .offset = range->offset,
        .sort = range->sort,
        .order = range->order,
        .min_mod = range->min_mod,
        .max_mod = range->max_mod,
        .min_create = range->min_create,
        .max_create = range->max_create};
    struct rkv_response response = {.revision = revision};
    struct rkv_result ours = {.revision = revision, .compacted = compacted};
    int64_t at = range->revision > 0 ? range->revision : revision;

    if (revision > twin->revision) {
        verdict_break(twin->verdict, "no member is ahead of the log",
                      "it says revision %lld, the log has come to %lld",
                      (long long)revision, (long long)twin->revision);
        return;
    }
    if (at > revision) {
        ours.status = RKV_EFUTURE;
    } else if (range->revision > 0 && at < compacted) {
        ours.status = RKV_ECOMPACTED;
    } else {
        range_answer(twin, &op, at, &response);
        ours.succeeded = 1;
        ours.responses = &response;
        ours.responses_count = 1;
    }
    answers_differ(twin->verdict, 0, &ours, result);
    arena_clear(&twin->scratch);
}
