/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The twin keeps leases.
 */
#include <string.h>

#include "twin_room.h"

struct twin_lease *twin_lease(const struct twin *twin, int64_t id)
{
    for (size_t i = 0; i < twin->leases_count; i++)
        if (twin->leases[i].id == id)
            return &twin->leases[i];
    return NULL;
}

bool lease_is_free(const struct twin *twin, int64_t id)
{
    return id != 0 && twin_lease(twin, id) == NULL;
}

void lease_grant(struct twin *twin, int64_t id, int64_t ttl, bool is_owned)
{
    twin->leases = row_grow(twin->leases, &twin->leases_cap, twin->leases_count,
                            sizeof(twin->leases[0]));
    twin->leases[twin->leases_count++] =
        (struct twin_lease){.id = id,
                            .ttl = ttl,
                            .is_owned = is_owned,
                            .renewals = ++twin->renewals};
}

static void drop(struct twin *twin, struct twin_lease *lease)
{
    size_t at = (size_t)(lease - twin->leases);

    twin->leases_count--;
    memmove(lease, lease + 1, (twin->leases_count - at) * sizeof *lease);
}

static bool has_key(const struct twin_key *key, int64_t id)
{
    const struct twin_version *version = twin_at(key, INT64_MAX);

    return is_live(version) && version->lease == id;
}

uint64_t lease_keys(const struct twin *twin, int64_t id)
{
    uint64_t count = 0;

    for (size_t i = 0; i < twin->keys_count; i++)
        count += has_key(twin->keys[i], id);
    return count;
}

void leases_tidy(struct twin *twin)
{
    for (size_t i = twin->leases_count; i-- > 0;)
        if (twin->leases[i].is_owned &&
            lease_keys(twin, twin->leases[i].id) == 0) {
            drop(twin, &twin->leases[i]);
            twin->news.leases_emptied++;
        }
}

/* All its keys, in order, in the next revision. */
static uint64_t end_lease(struct twin *twin, struct twin_lease *lease)
{
    int64_t id = lease->id;
    uint64_t count = 0;

    drop(twin, lease);
    twin->news.leases_ended++;
    for (size_t i = 0; i < twin->keys_count; i++)
        if (has_key(twin->keys[i], id)) {
            twin_delete_key(twin, twin->keys[i], twin->revision + 1);
            count++;
        }
    return count;
}

static struct twin_lease *next_due(const struct twin *twin)
{
    struct twin_lease *next = NULL;

    for (size_t i = 0; i < twin->leases_count; i++) {
        struct twin_lease *lease = &twin->leases[i];

        if (lease->deadline == 0 || lease->deadline > twin->clock)
            continue;
        if (next == NULL || lease->deadline < next->deadline ||
            (lease->deadline == next->deadline && lease->id < next->id))
            next = lease;
    }
    return next;
}

static int32_t grant(struct twin *twin, const struct operation *op,
                     const struct rkv_response *theirs,
                     struct rkv_response *out)
{
    int64_t id = op->lease;

    if (twin_is_full(twin))
        return RKV_EQUOTA;
    if (id == 0 && theirs != NULL && theirs->lease > 0)
        id = theirs->lease;
    if (!lease_is_free(twin, id))
        return RKV_EEXIST;
    out->lease = id;
    out->ttl = op->ttl;
    lease_grant(twin, id, op->ttl, false);
    return RKV_OK;
}

static int32_t revoke(struct twin *twin, const struct operation *op,
                      struct rkv_response *out)
{
    struct twin_lease *lease = twin_lease(twin, op->lease);

    if (lease == NULL)
        return RKV_ELEASE;
    out->count = end_lease(twin, lease);
    twin->revision += out->count > 0;
    return RKV_OK;
}

static int32_t move_clock(struct twin *twin, const struct operation *op,
                          struct rkv_response *out)
{
    uint64_t keys = 0;
    struct twin_lease *due;

    out->kind = RKV_RESPONSE_CLOCK;
    if (op->term < twin->clock_term)
        return RKV_ESTALE;
    twin->clock_term = op->term;
    if (op->number > twin->clock)
        twin->clock = op->number;
    for (size_t i = 0; i < twin->leases_count; i++)
        if (twin->leases[i].deadline == 0)
            twin->leases[i].deadline = twin->clock + twin->leases[i].ttl;
    while ((due = next_due(twin)) != NULL) {
        keys += end_lease(twin, due);
        out->count++;
    }
    twin->revision += keys > 0;
    return RKV_OK;
}

static int32_t run_one(struct twin *twin, const struct operation *op,
                       const struct rkv_response *theirs,
                       struct rkv_response *out)
{
    struct twin_lease *lease = twin_lease(twin, op->lease);

    out->kind = RKV_RESPONSE_LEASE;
    out->lease = op->lease;
    if (op->deed == DEED_GRANT)
        return grant(twin, op, theirs, out);
    if (op->deed == DEED_REVOKE)
        return revoke(twin, op, out);
    if (op->deed == DEED_CLOCK)
        return move_clock(twin, op, out);
    if (lease != NULL) {
        lease->deadline = 0;
        lease->renewals = ++twin->renewals;
        out->ttl = lease->ttl;
    }
    return RKV_OK;
}

int32_t lease_run(struct twin *twin, const struct command *command,
                  const struct rkv_result *theirs, struct rkv_result *out)
{
    struct rkv_response *responses =
        arena_take(&twin->scratch, command->alone_count * sizeof *responses);

    for (size_t i = 0; i < command->alone_count; i++) {
        int32_t status =
            run_one(twin, &command->alone[i],
                    i < theirs->responses_count ? &theirs->responses[i] : NULL,
                    &responses[i]);

        if (status != RKV_OK)
            return status;
        responses[i].revision = twin->revision;
    }
    *out = (struct rkv_result){.succeeded = 1,
                               .responses = responses,
                               .responses_count = command->alone_count};
    return RKV_OK;
}
