/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Commands about leases, and what a host asks of them.  Nothing here knows the
 * time: the leader says with a clock command how far it has come, and every
 * member ends the same leases for it.
 */
#include "room.h"

static int grant(rkv_kv *kv, const struct rkv_op *op, uint64_t index,
                 struct rkv_response *out);
static int revoke(rkv_kv *kv, const struct rkv_op *op,
                  struct rkv_response *out);
static void keep_alive(rkv_kv *kv, const struct rkv_op *op,
                       struct rkv_response *out);
static int move_clock(rkv_kv *kv, const struct rkv_op *op,
                      struct rkv_response *out);
static int end_lease(rkv_kv *kv, struct rkv_lease *lease, uint32_t *changes);

int rkv_lease_run(rkv_kv *kv, uint64_t index)
{
    const struct rkv_program *program = kv->program;
    /* Between begin and end. */
    size_t count = program->count - 2;
    struct rkv_response *responses;
    int status = RKV_OK;

    if (rkv_scratch_reserve(&kv->scratch, 1, count) < 0)
        return RKV_ENOMEM;
    responses = kv->scratch.responses;
    for (size_t i = 0; i < count && status == RKV_OK; i++) {
        const struct rkv_op *op = &program->ops[i + 1];

        responses[i] = (struct rkv_response){
            .kind = op->kind == RKV_OP_CLOCK ? RKV_RESPONSE_CLOCK
                                             : RKV_RESPONSE_LEASE,
            .lease = op->lease,
        };
        if (op->kind == RKV_OP_GRANT)
            status = grant(kv, op, index, &responses[i]);
        else if (op->kind == RKV_OP_REVOKE)
            status = revoke(kv, op, &responses[i]);
        else if (op->kind == RKV_OP_KEEP_ALIVE)
            keep_alive(kv, op, &responses[i]);
        else
            status = move_clock(kv, op, &responses[i]);
        responses[i].revision = kv->state->revision;
    }
    if (status == RKV_OK)
        *kv->scratch.results = (struct rkv_result){
            .succeeded = 1,
            .responses = responses,
            .responses_count = count,
        };
    return status;
}

static int grant(rkv_kv *kv, const struct rkv_op *op, uint64_t index,
                 struct rkv_response *out)
{
    struct rkv_leases *leases = &kv->state->leases;
    struct rkv_lease draft = {.id = op->lease, .ttl = op->ttl};

    if (rkv_state_is_full(kv->state))
        return RKV_EQUOTA;
    if (draft.id == 0)
        draft.id = rkv_leases_choose(leases, index, 0);
    else if (rkv_leases_find(leases, draft.id) != NULL)
        return RKV_EEXIST;
    out->lease = draft.id;
    out->ttl = draft.ttl;
    return rkv_leases_grant(leases, &draft);
}

static int revoke(rkv_kv *kv, const struct rkv_op *op, struct rkv_response *out)
{
    struct rkv_lease *lease = rkv_leases_find(&kv->state->leases, op->lease);
    uint32_t changes = 0;

    if (lease == NULL)
        return RKV_ELEASE;
    if (end_lease(kv, lease, &changes) < 0)
        return RKV_ENOMEM;
    kv->state->revision += changes > 0;
    out->count = changes;
    return RKV_OK;
}

/* As in etcd a lease that is not there is no error, but has no time left. */
static void keep_alive(rkv_kv *kv, const struct rkv_op *op,
                       struct rkv_response *out)
{
    struct rkv_lease *lease = rkv_leases_find(&kv->state->leases, op->lease);

    if (lease == NULL)
        return;
    rkv_leases_renew(&kv->state->leases, lease);
    out->ttl = lease->ttl;
}

/* Who led before somebody of a later term has moved the clock has nothing to
 * say any more. */
static int move_clock(rkv_kv *kv, const struct rkv_op *op,
                      struct rkv_response *out)
{
    struct rkv_leases *leases = &kv->state->leases;
    struct rkv_lease *lease;
    uint32_t changes = 0;

    if (op->term < leases->term)
        return RKV_ESTALE;
    leases->term = op->term;
    rkv_leases_move(leases, op->number);
    while (changes < RKV_LEASE_BATCH &&
           (lease = rkv_leases_due(leases)) != NULL) {
        if (end_lease(kv, lease, &changes) < 0)
            return RKV_ENOMEM;
        out->count++;
    }
    out->more = rkv_leases_due(leases) != NULL;
    kv->state->revision += changes > 0;
    return RKV_OK;
}

/* The lease goes first, so that its keys find nothing to leave. */
static int end_lease(rkv_kv *kv, struct rkv_lease *lease, uint32_t *changes)
{
    struct rkv_lease_keys keys = rkv_leases_remove(&kv->state->leases, lease);
    struct rkv_lease_place place = rkv_lease_first(&keys);
    struct rkv_tree_spot spot = {NULL, NULL, 0};
    int status = RKV_OK;

    while (status == RKV_OK &&
           (spot.record = rkv_lease_next(&keys, &place)) != NULL)
        status = rkv_kv_change(kv, changes, spot.record->bytes,
                               spot.record->key_len, spot, NULL, 0);
    rkv_lease_keys_free(&kv->state->allocator, &keys);
    return status;
}

static void report(const struct rkv_leases *leases,
                   const struct rkv_lease *lease, struct rkv_lease_status *out)
{
    struct rkv_lease_status status = {
        .id = lease->id,
        .ttl = lease->ttl,
        .left = lease->ttl,
        .keys = lease->keys.count,
    };

    if (lease->deadline != 0)
        status.left = lease->deadline > leases->clock
                          ? lease->deadline - leases->clock
                          : 0;
    rkv_report(out, &status, sizeof(status));
}

int rkv_kv_lease(const rkv_kv *kv, int64_t id, struct rkv_lease_status *out)
{
    const struct rkv_leases *leases = &kv->state->leases;
    const struct rkv_lease *lease = rkv_leases_find(leases, id);

    if (kv->failed)
        return RKV_EFAILED;
    if (lease == NULL)
        return RKV_ELEASE;
    report(leases, lease, out);
    return RKV_OK;
}

int rkv_kv_next_lease(const rkv_kv *kv, int64_t id,
                      struct rkv_lease_status *out)
{
    const struct rkv_leases *leases = &kv->state->leases;
    const struct rkv_lease *lease = leases->first;

    if (kv->failed)
        return RKV_EFAILED;
    if (id != 0) {
        lease = rkv_leases_find(leases, id);
        if (lease == NULL)
            return RKV_ELEASE;
        lease = lease->next;
    }
    if (lease == NULL)
        return 0;
    report(leases, lease, out);
    return 1;
}

int rkv_kv_lease_keys(rkv_kv *kv, int64_t id, const struct rkv_result **result)
{
    const struct rkv_lease *lease = rkv_leases_find(&kv->state->leases, id);
    const struct rkv_record *record;
    struct rkv_lease_place place;

    if (kv->failed)
        return RKV_EFAILED;
    if (result == NULL)
        return RKV_EINVAL;
    rkv_scratch_clear(&kv->scratch);
    *kv->scratch.results = (struct rkv_result){
        .status = lease == NULL ? RKV_ELEASE : RKV_OK,
        .revision = kv->state->revision,
        .compacted = kv->state->compacted,
    };
    *result = kv->scratch.results;
    if (lease == NULL)
        return RKV_OK;
    place = rkv_lease_first(&lease->keys);
    while ((record = rkv_lease_next(&lease->keys, &place)) != NULL) {
        if (rkv_scratch_item(&kv->scratch, record, true) < 0)
            return RKV_ENOMEM;
    }
    *kv->scratch.responses = (struct rkv_response){
        .kind = RKV_RESPONSE_LEASE,
        .count = lease->keys.count,
        .items = kv->scratch.items,
        .items_count = kv->scratch.items_count,
        .revision = kv->state->revision,
        .lease = id,
        .ttl = lease->ttl,
    };
    kv->scratch.results->succeeded = 1;
    kv->scratch.results->responses = kv->scratch.responses;
    kv->scratch.results->responses_count = 1;
    return RKV_OK;
}
