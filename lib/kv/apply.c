/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Applying a command.  Four walks over its operations, each along the path
 * that the comparisons choose: compare everything against the state as it
 * was; refuse the whole command if one operation cannot be done; do them all,
 * each seeing what the earlier ones did; hand out the results.  After the
 * second walk only memory can fail.
 */
#include "room.h"

struct run {
    struct rkv_kv *kv;
    struct rkv_state *state;
    struct rkv_scratch *scratch;
    struct rkv_op *ops;
    size_t count;
    size_t responses;
    uint32_t changes; /* the sub revision of the next one */
    uint64_t index;
};

static int run_command(struct rkv_kv *kv, uint64_t index, const void *command,
                       size_t len, struct rkv_session **session);
static int run_checked(struct rkv_kv *kv, uint64_t index);
static int run_txn(struct rkv_kv *kv, uint64_t index);
static size_t step(const struct run *run, size_t at);
static size_t choose(struct run *run);
static bool comparison_holds(const struct rkv_state *state,
                             const struct rkv_op *op);
static int precheck(const struct run *run);
static int perform(struct run *run);
static void hand_out(struct run *run);

int rkv_kv_apply(rkv_kv *kv, uint64_t index, const void *command, size_t len,
                 const struct rkv_result **result)
{
    struct rkv_session *session = NULL;
    struct rkv_result *first;
    int status;

    if (kv->failed)
        return RKV_EFAILED;
    if (index <= kv->state->applied || (command == NULL && len > 0))
        return RKV_EINVAL;
    rkv_state_sweep(kv->state);
    rkv_scratch_clear(&kv->scratch);
    status = run_command(kv, index, command, len, &session);
    first = kv->scratch.results;
    if (status != RKV_OK)
        *first = (struct rkv_result){.status = status};
    if (!first->replayed) {
        first->revision = kv->state->revision;
        first->compacted = kv->state->compacted;
    }
    if (status != RKV_ENOMEM && session != NULL)
        status = rkv_sessions_keep(&kv->state->sessions, session, index,
                                   kv->program->sequence, first);
    if (status == RKV_ENOMEM) {
        kv->failed = true;
        return RKV_ENOMEM;
    }
    kv->state->applied = index;
    if (result != NULL)
        *result = first;
    return RKV_OK;
}

int rkv_kv_skip(rkv_kv *kv, uint64_t index)
{
    if (kv->failed)
        return RKV_EFAILED;
    if (index <= kv->state->applied)
        return RKV_EINVAL;
    rkv_state_sweep(kv->state);
    kv->state->applied = index;
    return RKV_OK;
}

int rkv_kv_check(const rkv_kv *kv, const void *command, size_t len)
{
    int status;

    if (kv->failed)
        return RKV_EFAILED;
    if (command == NULL && len > 0)
        return RKV_EINVAL;
    if (len > kv->options.command_bytes_max)
        return RKV_ETOOBIG;
    status =
        rkv_program_decode(kv->program, command, len, kv->options.txn_ops_max);
    if (status == RKV_OK)
        status = rkv_program_limits(kv->program, &kv->options);
    return status == RKV_OK ? rkv_program_check(kv->program) : status;
}

/* *session: whose outcome is to be kept. */
static int run_command(struct rkv_kv *kv, uint64_t index, const void *command,
                       size_t len, struct rkv_session **session)
{
    int status = rkv_program_decode(kv->program, command, len, UINT32_MAX);

    if (status == RKV_OK)
        status = rkv_program_check(kv->program);
    if (status != RKV_OK)
        return status;
    status = rkv_permit_command(kv->state, kv->program);
    if (status != RKV_OK)
        return status;
    if (kv->program->session != 0) {
        status = rkv_session_enter(kv, session);
        if (status <= 0) {
            *session = NULL;
            return status;
        }
    }
    return run_checked(kv, index);
}

static int run_checked(struct rkv_kv *kv, uint64_t index)
{
    const struct rkv_op *first = &kv->program->ops[1];
    int status = RKV_OK;

    if (first->kind < RKV_OP_COMPACT)
        return run_txn(kv, index);
    if (first->kind == RKV_OP_COMPACT)
        status = rkv_state_compact(kv->state, first->number);
    else if (first->kind == RKV_OP_QUOTA)
        kv->state->quota = first->number;
    else if (first->kind >= RKV_OP_AUTH)
        return rkv_auth_run(kv);
    else if (first->kind == RKV_OP_OPEN_SESSION)
        return rkv_session_open(kv, index);
    else
        return rkv_lease_run(kv, index);
    if (status == RKV_OK)
        *kv->scratch.results = (struct rkv_result){.succeeded = 1};
    return status;
}

static int run_txn(struct rkv_kv *kv, uint64_t index)
{
    struct run run = {
        .kv = kv,
        .state = kv->state,
        .scratch = &kv->scratch,
        .ops = kv->program->ops,
        .count = kv->program->count,
        .index = index,
    };
    size_t results = choose(&run);
    int status = precheck(&run);

    if (status != RKV_OK)
        return status;
    if (rkv_scratch_reserve(&kv->scratch, results, run.responses) < 0 ||
        perform(&run) < 0)
        return RKV_ENOMEM;
    if (run.changes > 0)
        run.state->revision++;
    rkv_leases_tidy(&run.state->leases);
    hand_out(&run);
    return RKV_OK;
}

/* The operation behind this one on the chosen path. */
static size_t step(const struct run *run, size_t at)
{
    const struct rkv_op *op = &run->ops[at];

    if (op->kind == RKV_OP_ELSE)
        return run->ops[op->begin].end;
    if (op->kind != RKV_OP_BEGIN || op->chosen)
        return at + 1;
    return op->else_at == op->end ? op->end : op->else_at + 1;
}

/* Decides every transaction on the path, and gives each one its result and
 * its piece of the responses.  The number of results. */
static size_t choose(struct run *run)
{
    size_t results = 0;

    for (size_t at = 0; at < run->count; at = step(run, at)) {
        struct rkv_op *op = &run->ops[at];

        if (op->kind != RKV_OP_BEGIN)
            continue;
        op->chosen = true;
        for (size_t i = 1; i <= op->compares; i++)
            op->chosen =
                op->chosen && comparison_holds(run->state, &run->ops[at + i]);
        op->result = (uint32_t)results++;
        op->response = (uint32_t)run->responses;
        run->responses += op->branch[!op->chosen];
    }
    return results;
}

/* How what is there stands to what is asked: below 0, 0, above 0. */
static int order_of(const struct rkv_op *op, const struct rkv_item *item)
{
    int64_t number = 0;

    switch (op->target) {
    case RKV_COMPARE_VERSION:
        number = item->version;
        break;
    case RKV_COMPARE_CREATE:
        number = item->create_revision;
        break;
    case RKV_COMPARE_MOD:
        number = item->mod_revision;
        break;
    case RKV_COMPARE_LEASE:
        number = item->lease;
        break;
    case RKV_COMPARE_VALUE:
        return rkv_bytes_compare(item->value, item->value_len, op->value,
                                 op->value_len);
    default:
        /* As etcd: what cannot be compared is equal. */
        return 0;
    }
    return (number > op->number) - (number < op->number);
}

static bool relation_holds(const struct rkv_op *op, const struct rkv_item *item)
{
    int order = order_of(op, item);

    switch (op->relation) {
    case RKV_EQUAL:
        return order == 0;
    case RKV_GREATER:
        return order > 0;
    case RKV_LESS:
        return order < 0;
    case RKV_NOT_EQUAL:
        return order != 0;
    default:
        /* As etcd: a relation it does not know holds. */
        return true;
    }
}

static bool comparison_holds(const struct rkv_state *state,
                             const struct rkv_op *op)
{
    struct rkv_tree_place place =
        rkv_tree_seek(&state->tree, op->span.key, op->span.key_len);
    struct rkv_record *record;
    struct rkv_item item = {.version = 0};
    bool is_absent = true;

    while ((record = rkv_tree_next_live(&state->tree, &place)) != NULL &&
           rkv_span_reaches(&op->span, record)) {
        is_absent = false;
        rkv_record_item(record, true, &item);
        if (!relation_holds(op, &item))
            return false;
    }
    if (!is_absent)
        return true;
    return op->target != RKV_COMPARE_VALUE && relation_holds(op, &item);
}

static bool is_live(const struct rkv_state *state, const struct rkv_op *op)
{
    const struct rkv_record *record =
        rkv_tree_find(&state->tree, op->span.key, op->span.key_len).record;

    return record != NULL && rkv_record_is_live(record);
}

/* As in etcd a put that is the whole command looks for its lease first, one
 * in a transaction for its key. */
static int precheck_put(const struct run *run, const struct rkv_op *op)
{
    const uint32_t ignores = RKV_PUT_IGNORE_VALUE | RKV_PUT_IGNORE_LEASE;
    bool has_key = (op->flags & ignores) == 0 || is_live(run->state, op);
    bool has_lease = op->lease == 0 ||
                     rkv_leases_find(&run->state->leases, op->lease) != NULL;

    if (!has_lease && (has_key || run->count == 3))
        return RKV_ELEASE;
    return has_key ? RKV_OK : RKV_ENOTFOUND;
}

/* In a transaction a negative revision is not "now" but a number. */
static int precheck_range(const struct rkv_state *state,
                          const struct rkv_op *op)
{
    if (op->number > state->revision)
        return RKV_EFUTURE;
    if (op->number != 0 && op->number < state->compacted)
        return RKV_ECOMPACTED;
    return RKV_OK;
}

static bool puts_something(const struct run *run)
{
    for (size_t at = 0; at < run->count; at = step(run, at)) {
        if (run->ops[at].kind == RKV_OP_PUT)
            return true;
    }
    return false;
}

/* As in etcd the puts are asked first, wherever they stand, then the
 * ranges. */
static int precheck(const struct run *run)
{
    const uint32_t kinds[] = {RKV_OP_PUT, RKV_OP_RANGE};

    if (rkv_state_is_full(run->state) && puts_something(run))
        return RKV_EQUOTA;
    for (size_t i = 0; i < 2; i++) {
        for (size_t at = 0; at < run->count; at = step(run, at)) {
            const struct rkv_op *op = &run->ops[at];
            int status;

            if (op->kind != kinds[i])
                continue;
            status = op->kind == RKV_OP_PUT ? precheck_put(run, op)
                                            : precheck_range(run->state, op);
            if (status != RKV_OK)
                return status;
        }
    }
    return RKV_OK;
}

static int64_t revision_now(const struct run *run)
{
    return run->state->revision + (run->changes > 0);
}

int rkv_kv_change(rkv_kv *kv, uint32_t *changes, const uint8_t *key,
                  uint32_t key_len, struct rkv_tree_spot spot,
                  const struct rkv_op *put, int64_t lease)
{
    const struct rkv_record *newest = spot.record;
    bool was_live = newest != NULL && rkv_record_is_live(newest);
    struct rkv_draft draft = {
        .key = key,
        .key_len = key_len,
        .main = kv->state->revision + 1,
        .sub = *changes,
    };
    struct rkv_record *record;

    if (put != NULL) {
        draft.value = put->value;
        draft.value_len = put->value_len;
        draft.create = was_live ? newest->create : draft.main;
        draft.version = was_live ? newest->version + 1 : 1;
        draft.lease = lease;
        if ((put->flags & RKV_PUT_IGNORE_VALUE) != 0 && was_live) {
            draft.value = rkv_record_value(newest);
            draft.value_len = newest->value_len;
        }
        if ((put->flags & RKV_PUT_IGNORE_LEASE) != 0 && was_live)
            draft.lease = rkv_record_lease(newest);
    }
    if (rkv_state_append(kv->state, &draft, spot, &record) < 0)
        return RKV_ENOMEM;
    ++*changes;
    rkv_watches_notify(&kv->watches, record);
    return RKV_OK;
}

/* The lease that a put with a time to live makes for its key. */
static int grant_own(struct run *run, const struct rkv_op *op,
                     struct rkv_response *out)
{
    struct rkv_leases *leases = &run->state->leases;
    struct rkv_lease draft = {
        .id = rkv_leases_choose(leases, run->index, run->changes),
        .ttl = op->ttl,
        .flags = RKV_LEASE_OWNED,
    };

    out->lease = draft.id;
    out->ttl = draft.ttl;
    return rkv_leases_grant(leases, &draft);
}

static int perform_put(struct run *run, const struct rkv_op *op,
                       struct rkv_response *out)
{
    struct rkv_tree_spot spot =
        rkv_tree_find(&run->state->tree, op->span.key, op->span.key_len);
    const struct rkv_record *newest = spot.record;

    out->kind = RKV_RESPONSE_PUT;
    if ((op->flags & RKV_PUT_PREV) != 0 && newest != NULL &&
        rkv_record_is_live(newest) &&
        rkv_scratch_item(run->scratch, newest, true) < 0)
        return RKV_ENOMEM;
    if ((op->flags & RKV_PUT_TTL) != 0 && grant_own(run, op, out) < 0)
        return RKV_ENOMEM;
    return rkv_kv_change(run->kv, &run->changes, op->span.key, op->span.key_len,
                         spot, op, out->lease != 0 ? out->lease : op->lease);
}

/* Replacing records leaves the place in the tree as it is. */
static int perform_delete(struct run *run, const struct rkv_op *op,
                          struct rkv_response *out)
{
    struct rkv_tree_place place =
        rkv_tree_seek(&run->state->tree, op->span.key, op->span.key_len);
    struct rkv_tree_spot spot = {NULL, NULL, 0};
    struct rkv_record *record;

    out->kind = RKV_RESPONSE_DELETE;
    while ((record = rkv_tree_next_live(&run->state->tree, &place)) != NULL &&
           rkv_span_reaches(&op->span, record)) {
        if ((op->flags & RKV_RANGE_PREV) != 0 &&
            rkv_scratch_item(run->scratch, record, true) < 0)
            return RKV_ENOMEM;
        spot.record = record;
        if (rkv_kv_change(run->kv, &run->changes, record->bytes,
                          record->key_len, spot, NULL, 0) < 0)
            return RKV_ENOMEM;
        out->count++;
    }
    return RKV_OK;
}

static int perform_range(struct run *run, const struct rkv_op *op,
                         struct rkv_response *out)
{
    struct rkv_question question = {
        .span = op->span,
        .flags = op->flags,
        .revision = op->number > 0 ? op->number : 0,
        .limit = op->limit,
        .shape = op->shape,
    };

    /* The revision before this command is not "now" once it has changes. */
    if (op->number == run->state->revision && run->changes == 0)
        question.revision = 0;
    out->kind = RKV_RESPONSE_RANGE;
    return rkv_range_run(run->state, run->scratch, &question, out);
}

static int perform_op(struct run *run, const struct rkv_op *op,
                      struct rkv_response *out)
{
    int status = RKV_OK;

    if (op->kind == RKV_OP_PUT)
        status = perform_put(run, op, out);
    else if (op->kind == RKV_OP_DELETE)
        status = perform_delete(run, op, out);
    else if (op->kind == RKV_OP_RANGE)
        status = perform_range(run, op, out);
    else
        out->kind = RKV_RESPONSE_TXN;
    out->revision = revision_now(run);
    return status;
}

/* Does one operation, in the next response of the transaction around it. */
static int answer_op(struct run *run, struct rkv_op *op)
{
    struct rkv_scratch *scratch = run->scratch;
    struct rkv_response *out;

    op->slot = run->ops[op->begin].response++;
    out = &scratch->responses[op->slot];
    *out = (struct rkv_response){.kind = 0};
    scratch->starts[op->slot] = scratch->items_count;
    if (perform_op(run, op, out) < 0)
        return RKV_ENOMEM;
    out->items_count = scratch->items_count - scratch->starts[op->slot];
    return RKV_OK;
}

/* What a transaction came to is known where it ends. */
static void end_txn(struct run *run, const struct rkv_op *txn)
{
    struct rkv_scratch *scratch = run->scratch;

    scratch->results[txn->result] = (struct rkv_result){
        .succeeded = txn->chosen,
        .revision = revision_now(run),
        .compacted = run->state->compacted,
        .responses_count = txn->branch[!txn->chosen],
    };
    if (txn != run->ops)
        scratch->responses[txn->slot].revision = revision_now(run);
}

static int perform(struct run *run)
{
    for (size_t at = 0; at < run->count; at = step(run, at)) {
        struct rkv_op *op = &run->ops[at];

        switch (op->kind) {
        case RKV_OP_COMPARE:
        case RKV_OP_ELSE:
            break;
        case RKV_OP_END:
            end_txn(run, &run->ops[op->begin]);
            break;
        default:
            if (at > 0 && answer_op(run, op) < 0)
                return RKV_ENOMEM;
        }
    }
    return RKV_OK;
}

/* Nothing grows any more, so results may point at each other. */
static void hand_out(struct run *run)
{
    struct rkv_scratch *scratch = run->scratch;

    for (size_t i = 0; i < run->responses; i++) {
        struct rkv_response *response = &scratch->responses[i];

        if (response->items_count > 0)
            response->items = scratch->items + scratch->starts[i];
    }
    for (size_t at = 0; at < run->count; at = step(run, at)) {
        const struct rkv_op *op = &run->ops[at];
        struct rkv_result *result = &scratch->results[op->result];

        if (op->kind != RKV_OP_BEGIN)
            continue;
        result->responses =
            scratch->responses + op->response - result->responses_count;
        if (at > 0)
            scratch->responses[op->slot].txn = result;
    }
}
