/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The twin does transactions: compare against the state before, see whether
 * everything on the path can be done, do it in order.
 */
#include <stdlib.h>
#include <string.h>

#include "twin_room.h"

enum { FLAG_TTL = 1u << 7, SPACE_EACH = 128 };

/* ---- comparing ---- */

static int order_of(const struct operation *op,
                    const struct twin_version *version)
{
    int64_t number = 0;

    switch (op->target) {
    case RKV_COMPARE_VERSION:
        number = version->version;
        break;
    case RKV_COMPARE_CREATE:
        number = version->create;
        break;
    case RKV_COMPARE_MOD:
        number = version->mod;
        break;
    case RKV_COMPARE_LEASE:
        number = version->lease;
        break;
    default:
        return text_order(version->value, op->value);
    }
    return (number > op->number) - (number < op->number);
}

static bool relation_holds(const struct operation *op,
                           const struct twin_version *version)
{
    int order = order_of(op, version);

    switch (op->relation) {
    case RKV_EQUAL:
        return order == 0;
    case RKV_GREATER:
        return order > 0;
    case RKV_LESS:
        return order < 0;
    default:
        return order != 0;
    }
}

static bool holds(const struct twin *twin, const struct operation *op)
{
    const struct twin_version nothing = {.version = 0};
    bool is_empty = true;

    for (size_t i = first_key(twin, &op->span);
         i < twin->keys_count && span_holds(&op->span, twin->keys[i]->name);
         i++) {
        const struct twin_version *version =
            twin_at(twin->keys[i], twin->revision);

        if (!is_live(version))
            continue;
        is_empty = false;
        if (!relation_holds(op, version))
            return false;
    }
    return !is_empty ||
           (op->target != RKV_COMPARE_VALUE && relation_holds(op, &nothing));
}

/* Also in those inside, before anything is done. */
static void choose(const struct twin *twin, struct transaction *txn)
{
    struct list *list;

    txn->side = 0;
    for (size_t i = 0; i < txn->compares.count && txn->side == 0; i++)
        txn->side = !holds(twin, &txn->compares.ops[i]);
    list = &txn->sides[txn->side];
    for (size_t i = 0; i < list->count; i++)
        if (list->ops[i].deed == DEED_TXN)
            choose(twin, list->ops[i].txn);
}

/* ---- can it be done? ---- */

bool twin_is_full(const struct twin *twin)
{
    uint64_t space =
        twin->bytes + SPACE_EACH * (twin->records + twin->leases_count);

    return twin->quota > 0 && space >= (uint64_t)twin->quota;
}

static int32_t check_put(const struct twin *twin, const struct operation *op,
                         bool is_alone)
{
    const uint32_t keeps = RKV_PUT_IGNORE_VALUE | RKV_PUT_IGNORE_LEASE;
    const struct twin_key *key = twin_find(twin, op->span.key);
    bool has_lease = op->lease == 0 || twin_lease(twin, op->lease) != NULL;
    bool has_key = (op->flags & keeps) == 0 ||
                   (key != NULL && is_live(twin_at(key, twin->revision)));

    if (is_alone && !has_lease)
        return RKV_ELEASE;
    if (!has_key)
        return RKV_ENOTFOUND;
    return has_lease ? RKV_OK : RKV_ELEASE;
}

static int32_t check_range(const struct twin *twin, const struct operation *op)
{
    if (op->number > twin->revision)
        return RKV_EFUTURE;
    return op->number != 0 && op->number < twin->compacted ? RKV_ECOMPACTED
                                                           : RKV_OK;
}

/* All operations of one kind on the path: puts are asked first. */
static int32_t check(const struct twin *twin, const struct transaction *txn,
                     enum deed deed, bool is_alone)
{
    const struct list *list = &txn->sides[txn->side];

    for (size_t i = 0; i < list->count; i++) {
        const struct operation *op = &list->ops[i];
        int32_t status = RKV_OK;

        if (op->deed == DEED_TXN)
            status = check(twin, op->txn, deed, false);
        else if (op->deed == deed && deed == DEED_PUT)
            status =
                twin_is_full(twin) ? RKV_EQUOTA : check_put(twin, op, is_alone);
        else if (op->deed == deed)
            status = check_range(twin, op);
        if (status != RKV_OK)
            return status;
    }
    return RKV_OK;
}

/* Nothing but one put, as etcd's Put is. */
static bool is_one_put(const struct transaction *txn)
{
    return txn->compares.count == 0 && txn->sides[0].count == 1 &&
           txn->sides[1].count == 0 && txn->sides[0].ops[0].deed == DEED_PUT;
}

/* ---- doing it ---- */

static struct twin_key *key_named(struct twin *twin, struct text name)
{
    const struct span span = {.key = name};
    size_t at = first_key(twin, &span);
    struct twin_key *key = twin_find(twin, name);

    if (key != NULL)
        return key;
    twin->keys = row_grow(twin->keys, &twin->keys_cap, twin->keys_count,
                          sizeof(twin->keys[0]));
    memmove(twin->keys + at + 1, twin->keys + at,
            (twin->keys_count - at) * sizeof(twin->keys[0]));
    twin->keys_count++;
    key = arena_take(&twin->kept, sizeof *key);
    key->name = name;
    twin->keys[at] = key;
    return key;
}

/* version->version is 0 for a deletion, else it is counted here. */
void twin_change_key(struct twin *twin, struct text name,
                     const struct twin_version *version)
{
    struct twin_key *key = key_named(twin, name);
    const struct twin_version *old = twin_at(key, INT64_MAX);
    struct twin_version fresh = *version;

    if (fresh.version > 0) {
        fresh.create = is_live(old) ? old->create : fresh.mod;
        fresh.version = is_live(old) ? old->version + 1 : 1;
    }
    twin->live += is_live(&fresh);
    twin->live -= is_live(old);
    twin->records++;
    twin->bytes += name.len + fresh.value.len;
    key->versions = row_grow(key->versions, &key->cap, key->count,
                             sizeof(key->versions[0]));
    key->versions[key->count] = fresh;
    twin->changes = row_grow(twin->changes, &twin->changes_cap,
                             twin->changes_count, sizeof(twin->changes[0]));
    twin->changes[twin->changes_count++] =
        (struct twin_change){key, key->count++};
}

void twin_delete_key(struct twin *twin, struct twin_key *key, int64_t revision)
{
    const struct twin_version gone = {.mod = revision};

    twin->news.deleted++;
    twin_change_key(twin, key->name, &gone);
}

static struct rkv_response *respond(struct twin *twin, struct rkv_result *out,
                                    enum deed deed)
{
    static const uint32_t kinds[] = {[DEED_PUT] = RKV_RESPONSE_PUT,
                                     [DEED_RANGE] = RKV_RESPONSE_RANGE,
                                     [DEED_DELETE] = RKV_RESPONSE_DELETE,
                                     [DEED_TXN] = RKV_RESPONSE_TXN};
    /* Room for all was taken when the list began. */
    struct rkv_response *response = (struct rkv_response *)(uintptr_t)&out
                                        ->responses[out->responses_count++];

    (void)twin;
    response->kind = kinds[deed];
    return response;
}

static void show_old(struct twin *twin, const struct twin_key *key,
                     const struct twin_version *old, struct rkv_response *out)
{
    struct rkv_item *item = arena_take(&twin->scratch, sizeof *item);

    *item = item_of(key, old, true);
    out->items = item;
    out->items_count = 1;
}

/* Which number a lease of its own has is for the store to say. */
static int64_t own_lease(struct twin *twin, const struct operation *op,
                         const struct rkv_response *theirs,
                         struct rkv_response *out)
{
    if (theirs != NULL && theirs->lease > 0 &&
        lease_is_free(twin, theirs->lease))
        out->lease = theirs->lease;
    out->ttl = op->ttl;
    if (out->lease != 0)
        lease_grant(twin, out->lease, op->ttl, true);
    return out->lease;
}

static void run_put(struct twin *twin, const struct operation *op,
                    const struct rkv_response *theirs, struct rkv_response *out)
{
    const struct twin_key *key = twin_find(twin, op->span.key);
    const struct twin_version *old =
        key != NULL ? twin_at(key, INT64_MAX) : NULL;
    struct twin_version fresh = {.mod = twin->revision + 1,
                                 .version = 1,
                                 .lease = op->lease,
                                 .value = op->value};

    if ((op->flags & RKV_PUT_PREV) != 0 && is_live(old))
        show_old(twin, key, old, out);
    if ((op->flags & FLAG_TTL) != 0)
        fresh.lease = own_lease(twin, op, theirs, out);
    if ((op->flags & RKV_PUT_IGNORE_VALUE) != 0 && is_live(old))
        fresh.value = old->value;
    if ((op->flags & RKV_PUT_IGNORE_LEASE) != 0 && is_live(old))
        fresh.lease = old->lease;
    twin_change_key(twin, op->span.key, &fresh);
}

static void run_delete(struct twin *twin, const struct operation *op,
                       struct rkv_response *out)
{
    struct rkv_item *items =
        arena_take(&twin->scratch, (twin->keys_count + 1) * sizeof *items);

    for (size_t i = first_key(twin, &op->span);
         i < twin->keys_count && span_holds(&op->span, twin->keys[i]->name);
         i++) {
        const struct twin_version *old = twin_at(twin->keys[i], INT64_MAX);

        if (!is_live(old))
            continue;
        items[out->count++] = item_of(twin->keys[i], old, true);
        twin_delete_key(twin, twin->keys[i], twin->revision + 1);
    }
    out->items = items;
    if ((op->flags & RKV_RANGE_PREV) != 0)
        out->items_count = out->count;
}

static const struct rkv_response *peek(const struct rkv_result *theirs,
                                       uint64_t at)
{
    return theirs != NULL && at < theirs->responses_count
               ? &theirs->responses[at]
               : NULL;
}

/* The revision as it would be if nothing came after. */
static int64_t revision_so_far(const struct twin *twin)
{
    const struct twin_change *last =
        twin->changes_count > 0 ? &twin->changes[twin->changes_count - 1]
                                : NULL;

    return last != NULL && last->key->versions[last->at].mod > twin->revision
               ? twin->revision + 1
               : twin->revision;
}

static void perform(struct twin *twin, struct transaction *txn,
                    const struct rkv_result *theirs, struct rkv_result *out);

static void perform_op(struct twin *twin, struct operation *op,
                       const struct rkv_response *theirs,
                       struct rkv_response *out)
{
    struct rkv_result *inner;

    switch (op->deed) {
    case DEED_PUT:
        run_put(twin, op, theirs, out);
        break;
    case DEED_DELETE:
        run_delete(twin, op, out);
        break;
    case DEED_RANGE:
        range_answer(twin, op, op->number > 0 ? op->number : INT64_MAX, out);
        break;
    default:
        twin->news.is_nested = true;
        inner = arena_take(&twin->scratch, sizeof *inner);
        perform(twin, op->txn, theirs != NULL ? theirs->txn : NULL, inner);
        out->txn = inner;
    }
}

static void perform(struct twin *twin, struct transaction *txn,
                    const struct rkv_result *theirs, struct rkv_result *out)
{
    struct list *list = &txn->sides[txn->side];

    *out = (struct rkv_result){.succeeded = txn->side == 0,
                               .compacted = twin->compacted};
    out->responses =
        arena_take(&twin->scratch, (list->count + 1) * sizeof *out->responses);
    for (size_t i = 0; i < list->count; i++) {
        struct rkv_response *response = respond(twin, out, list->ops[i].deed);

        perform_op(twin, &list->ops[i], peek(theirs, i), response);
        response->revision = revision_so_far(twin);
    }
    out->revision = revision_so_far(twin);
}

int32_t txn_run(struct twin *twin, struct transaction *txn,
                const struct rkv_result *theirs, struct rkv_result *out)
{
    int32_t status;

    choose(twin, txn);
    status = check(twin, txn, DEED_PUT, is_one_put(txn));
    if (status == RKV_OK)
        status = check(twin, txn, DEED_RANGE, false);
    if (status != RKV_OK)
        return status;
    perform(twin, txn, theirs, out);
    twin->revision = revision_so_far(twin);
    leases_tidy(twin);
    return RKV_OK;
}
