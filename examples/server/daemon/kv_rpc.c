/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/kv_rpc.c - range, put, delete, transaction, compaction: checked as
 * etcd checks them, handed to the library, and its results put into etcd's
 * messages.  What is made here lives in the server's arena until the answer
 * is written.
 */
#include "server.h"

#include <stdlib.h>

static void put_done(struct call *call, const struct rkv_result *result);
static void delete_done(struct call *call, const struct rkv_result *result);
static void txn_done(struct call *call, const struct rkv_result *result);
static void compact_done(struct call *call, const struct rkv_result *result);
static void range_done(struct call *call, const struct rkv_result *result);

/* ---- range ---- */

/* In another order than that of the keys, or with bounds on revisions. */
static bool range_is_shaped(const struct range_request *r)
{
    return r->sort_order == ORDER_DESCEND || r->sort_target != BY_KEY ||
           r->min_mod_revision != 0 || r->max_mod_revision != 0 ||
           r->min_create_revision != 0 || r->max_create_revision != 0;
}

/* The library numbers targets and orders as etcd does. */
static struct rkv_range range_of(const struct range_request *r)
{
    struct rkv_range range = {
        .size = sizeof range,
        .key = r->key.at,
        .key_len = r->key.len,
        .end = r->range_end.at,
        .end_len = r->range_end.len,
        .revision = r->revision,
        .limit = r->limit,
        .sort = (uint32_t)r->sort_target,
        .order = (uint32_t)r->sort_order,
        .min_mod = r->min_mod_revision,
        .max_mod = r->max_mod_revision,
        .min_create = r->min_create_revision,
        .max_create = r->max_create_revision,
    };
    if (r->count_only)
        range.flags |= RKV_RANGE_COUNT_ONLY;
    if (r->keys_only)
        range.flags |= RKV_RANGE_KEYS_ONLY;
    return range;
}

static void range_answer(struct stream *stream, const struct range_request *r)
{
    struct server *server = stream->server;
    struct rkv_range range = range_of(r);
    const struct rkv_result *result;

    server->metrics.ranges++;
    int rc = rkv_kv_range(server->kv, &range, &result);
    if (rc == RKV_OK)
        rc = result->status;
    if (rc != RKV_OK) {
        stream->transport->fail(stream, status_of(rc));
        return;
    }
    struct header header = server_header(server, result->revision);
    const struct rkv_response *found = &result->responses[0];
    struct range_response response = {
        .header = &header,
        .kvs = {found->items, (size_t)found->items_count},
        .more = found->more != 0,
        .count = (int64_t)found->count,
    };
    stream_reply(stream, &range_response_message, &response);
}

static void range_done(struct call *call, const struct rkv_result *result)
{
    (void)result;
    range_answer(call->stream, &call->range);
}

/* The request outlives the bytes it came in. */
static bool keep_range(struct call *call, const struct range_request *r)
{
    char *keys = malloc(r->key.len + r->range_end.len + 1);

    if (!keys)
        return false;
    memcpy(keys, r->key.at, r->key.len);
    if (r->range_end.len > 0)
        memcpy(keys + r->key.len, r->range_end.at, r->range_end.len);
    call->range = *r;
    call->range.key.at = keys;
    call->range.range_end.at = keys + r->key.len;
    call->keys = keys;
    return true;
}

static const char *range_fault(const struct range_request *r)
{
    if (r->key.len == 0)
        return "etcdserver: key is not provided";
    if (r->sort_order < 0 || r->sort_order > ORDER_DESCEND ||
        r->sort_target < 0 || r->sort_target > BY_VALUE)
        return "etcdserver: invalid sort option";
    return NULL;
}

static void out_of_memory(struct call *call, const struct rkv_result *result)
{
    (void)result;
    stream_fail(call->stream, STATUS_EXHAUSTED, "etcdserver: out of memory");
}

void kv_range(struct stream *stream, const void *request)
{
    const struct range_request *r = request;
    const char *fault = range_fault(r);

    if (fault) {
        stream_fail(stream, STATUS_INVALID, fault);
        return;
    }
    if (r->serializable) {
        range_answer(stream, r);
        return;
    }
    struct call *call = calls_read(stream, range_done);
    if (call && !keep_range(call, r))
        call->done = out_of_memory;
}

/* ---- put and delete ---- */

static struct status put_fault(const struct put_request *r)
{
    if (r->key.len == 0)
        return (struct status){STATUS_INVALID,
                               "etcdserver: key is not provided"};
    if (r->ignore_value && r->value.len > 0)
        return (struct status){STATUS_INVALID, "etcdserver: value is provided"};
    if (r->ignore_lease && r->lease != 0)
        return (struct status){STATUS_INVALID, "etcdserver: lease is provided"};
    /* There are no leases yet, so no lease is ever found. */
    if (r->lease != 0)
        return (struct status){STATUS_NOT_FOUND,
                               "etcdserver: requested lease not found"};
    return (struct status){STATUS_OK, ""};
}

static void txn_add_put(rkv_txn *txn, const struct put_request *r)
{
    struct rkv_put put = {
        .size = sizeof put,
        .key = r->key.at,
        .key_len = r->key.len,
        .value = r->value.at,
        .value_len = r->value.len,
        .lease = r->lease,
    };
    if (r->prev_kv)
        put.flags |= RKV_PUT_PREV;
    if (r->ignore_value)
        put.flags |= RKV_PUT_IGNORE_VALUE;
    if (r->ignore_lease)
        put.flags |= RKV_PUT_IGNORE_LEASE;
    rkv_txn_put(txn, &put);
}

static void txn_add_delete(rkv_txn *txn, const struct delete_request *r)
{
    struct rkv_range range = {
        .size = sizeof range,
        .flags = r->prev_kv ? (uint32_t)RKV_RANGE_PREV : 0,
        .key = r->key.at,
        .key_len = r->key.len,
        .end = r->range_end.at,
        .end_len = r->range_end.len,
    };
    rkv_txn_delete(txn, &range);
}

void kv_put(struct stream *stream, const void *request)
{
    const struct put_request *r = request;
    struct status fault = put_fault(r);

    if (fault.code != STATUS_OK) {
        stream_fail(stream, fault.code, fault.text);
        return;
    }
    stream->server->metrics.puts++;
    rkv_txn_reset(stream->server->txn);
    txn_add_put(stream->server->txn, r);
    calls_propose(stream, put_done);
}

void kv_delete(struct stream *stream, const void *request)
{
    const struct delete_request *r = request;

    if (r->key.len == 0) {
        stream_fail(stream, STATUS_INVALID, "etcdserver: key is not provided");
        return;
    }
    stream->server->metrics.deletes++;
    rkv_txn_reset(stream->server->txn);
    txn_add_delete(stream->server->txn, r);
    calls_propose(stream, delete_done);
}

static struct put_response put_response_of(const struct rkv_response *from,
                                           const struct header *header)
{
    return (struct put_response){
        .header = header,
        .prev_kv = from->items_count > 0 ? &from->items[0] : NULL,
    };
}

static struct delete_response
delete_response_of(const struct rkv_response *from, const struct header *header)
{
    return (struct delete_response){
        .header = header,
        .deleted = (int64_t)from->count,
        .prev_kvs = {from->items, (size_t)from->items_count},
    };
}

static void put_done(struct call *call, const struct rkv_result *result)
{
    struct header header = server_header(call->server, result->revision);
    struct put_response response =
        put_response_of(&result->responses[0], &header);

    stream_reply(call->stream, &put_response_message, &response);
}

static void delete_done(struct call *call, const struct rkv_result *result)
{
    struct header header = server_header(call->server, result->revision);
    struct delete_response response =
        delete_response_of(&result->responses[0], &header);

    stream_reply(call->stream, &delete_response_message, &response);
}

/* ---- transactions ---- */

static struct status txn_add(rkv_txn *txn, const struct txn_request *r);

static const struct status fine = {STATUS_OK, ""};

static struct status txn_add_compare(rkv_txn *txn, const struct compare *c)
{
    struct rkv_compare compare = {
        .size = sizeof compare,
        .target = (uint32_t)c->target,
        .relation = (uint32_t)c->result,
        .key = c->key.at,
        .key_len = c->key.len,
        .end = c->range_end.at,
        .end_len = c->range_end.len,
        .value = c->value.at,
        .value_len = c->value.len,
    };
    const int64_t numbers[] = {c->version, c->create_revision, c->mod_revision,
                               0, c->lease};

    if (c->key.len == 0)
        return (struct status){STATUS_INVALID,
                               "etcdserver: key is not provided"};
    if (c->target < 0 || c->target > RKV_COMPARE_LEASE || c->result < 0 ||
        c->result > RKV_NOT_EQUAL)
        return (struct status){STATUS_INVALID,
                               "etcdserver: unknown comparison"};
    compare.number = numbers[c->target];
    rkv_txn_compare(txn, &compare);
    return fine;
}

static struct status txn_add_range(rkv_txn *txn, const struct range_request *r)
{
    const char *fault = range_fault(r);

    if (fault)
        return (struct status){STATUS_INVALID, fault};
    if (range_is_shaped(r))
        return (struct status){
            STATUS_UNIMPLEMENTED,
            "sorting and revision bounds of a range inside a transaction are "
            "not there yet; leave them out and sort what comes back"};
    struct rkv_range range = range_of(r);
    rkv_txn_range(txn, &range);
    return fine;
}

static struct status txn_add_op(rkv_txn *txn, const struct request_op *op)
{
    if (op->range)
        return txn_add_range(txn, op->range);
    if (op->put) {
        struct status fault = put_fault(op->put);
        if (fault.code == STATUS_OK)
            txn_add_put(txn, op->put);
        return fault;
    }
    if (op->delete_range) {
        if (op->delete_range->key.len == 0)
            return (struct status){STATUS_INVALID,
                                   "etcdserver: key is not provided"};
        txn_add_delete(txn, op->delete_range);
        return fine;
    }
    if (op->txn) {
        rkv_txn_begin(txn);
        struct status fault = txn_add(txn, op->txn);
        rkv_txn_end(txn);
        return fault;
    }
    return (struct status){STATUS_INVALID, "etcdserver: key not found"};
}

static struct status txn_add_ops(rkv_txn *txn, const struct list *ops)
{
    const struct request_op *op = ops->at;

    for (size_t i = 0; i < ops->count; i++) {
        struct status fault = txn_add_op(txn, &op[i]);
        if (fault.code != STATUS_OK)
            return fault;
    }
    return fine;
}

static struct status txn_add(rkv_txn *txn, const struct txn_request *r)
{
    const struct compare *compare = r->compare.at;

    for (size_t i = 0; i < r->compare.count; i++) {
        struct status fault = txn_add_compare(txn, &compare[i]);
        if (fault.code != STATUS_OK)
            return fault;
    }
    struct status fault = txn_add_ops(txn, &r->success);
    if (fault.code != STATUS_OK)
        return fault;
    rkv_txn_else(txn);
    return txn_add_ops(txn, &r->failure);
}

void kv_txn(struct stream *stream, const void *request)
{
    rkv_txn *txn = stream->server->txn;

    rkv_txn_reset(txn);
    struct status fault = txn_add(txn, request);
    if (fault.code != STATUS_OK) {
        stream_fail(stream, fault.code, fault.text);
        return;
    }
    stream->server->metrics.txns++;
    calls_propose(stream, txn_done);
}

static bool fill_txn(struct arena *arena, const struct rkv_result *from,
                     struct txn_response *out);

/* The headers inside hold only the revision, a nested transaction's not even
 * that. */
static bool fill_op(struct arena *arena, const struct rkv_response *from,
                    struct response_op *out)
{
    struct header *header = arena_take(arena, sizeof *header);
    void *place = arena_take(arena, sizeof(struct range_response));

    if (!header || !place)
        return false;
    header->revision = from->revision;
    if (from->kind == RKV_RESPONSE_PUT) {
        struct put_response *put = place;
        *put = put_response_of(from, header);
        out->put = put;
    } else if (from->kind == RKV_RESPONSE_DELETE) {
        struct delete_response *deleted = place;
        *deleted = delete_response_of(from, header);
        out->delete_range = deleted;
    } else if (from->kind == RKV_RESPONSE_RANGE) {
        struct range_response *range = place;
        range->header = header;
        range->kvs = (struct list){from->items, (size_t)from->items_count};
        range->more = from->more != 0;
        range->count = (int64_t)from->count;
        out->range = range;
    } else {
        struct txn_response *txn = place;
        header->revision = 0;
        txn->header = header;
        out->txn = txn;
        return fill_txn(arena, from->txn, txn);
    }
    return true;
}
_Static_assert(sizeof(struct range_response) >= sizeof(struct put_response),
               "room for the largest");
_Static_assert(sizeof(struct range_response) >= sizeof(struct delete_response),
               "room for the largest");
_Static_assert(sizeof(struct range_response) >= sizeof(struct txn_response),
               "room for the largest");

static bool fill_txn(struct arena *arena, const struct rkv_result *from,
                     struct txn_response *out)
{
    size_t count = (size_t)from->responses_count;
    struct response_op *ops = arena_array(arena, count, sizeof *ops);

    if (!ops)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!fill_op(arena, &from->responses[i], &ops[i]))
            return false;
    out->succeeded = from->succeeded != 0;
    out->responses = (struct list){ops, count};
    return true;
}

/* A put, delete or range of ours is a transaction of one operation; one that
 * came as a transaction is answered as one. */
static void txn_done(struct call *call, const struct rkv_result *result)
{
    struct server *server = call->server;
    struct header header = server_header(server, result->revision);
    struct txn_response response = {.header = &header};

    if (fill_txn(&server->arena, result, &response))
        stream_reply(call->stream, &txn_response_message, &response);
    else
        stream_fail(call->stream, STATUS_UNAVAILABLE,
                    "etcdserver: request timed out");
}

/* ---- compaction ---- */

void kv_compact(struct stream *stream, const void *request)
{
    const struct compaction_request *r = request;

    rkv_txn_reset(stream->server->txn);
    rkv_txn_compact(stream->server->txn, r->revision);
    calls_propose(stream, compact_done);
}

static void compact_done(struct call *call, const struct rkv_result *result)
{
    struct header header = server_header(call->server, result->revision);
    struct header_response response = {&header};

    stream_reply(call->stream, &header_response_message, &response);
}
