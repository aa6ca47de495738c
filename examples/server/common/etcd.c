/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/etcd.c - the tables of etcd's messages: names and numbers as etcd
 * has them, places as etcd.h does.
 */
#include "etcd.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MESSAGE(variable, label, record)                                       \
    const struct message variable##_message = {label, sizeof(struct record),   \
                                               variable##_fields,              \
                                               COUNT(variable##_fields)}

static const char *const order_names[] = {"NONE", "ASCEND", "DESCEND"};
static const struct enumeration order_enum = {
    "etcdserverpb.RangeRequest_SortOrder", order_names, COUNT(order_names)};
static const char *const target_names[] = {"KEY", "VERSION", "CREATE", "MOD",
                                           "VALUE"};
static const struct enumeration target_enum = {
    "etcdserverpb.RangeRequest_SortTarget", target_names, COUNT(target_names)};
static const char *const result_names[] = {"EQUAL", "GREATER", "LESS",
                                           "NOT_EQUAL"};
static const struct enumeration result_enum = {
    "etcdserverpb.Compare_CompareResult", result_names, COUNT(result_names)};
static const char *const compare_names[] = {"VERSION", "CREATE", "MOD", "VALUE",
                                            "LEASE"};
static const struct enumeration compare_enum = {
    "etcdserverpb.Compare_CompareTarget", compare_names, COUNT(compare_names)};
static const char *const filter_names[] = {"NOPUT", "NODELETE"};
static const struct enumeration filter_enum = {
    "etcdserverpb.WatchCreateRequest_FilterType", filter_names,
    COUNT(filter_names)};
static const char *const event_names[] = {"PUT", "DELETE"};
static const struct enumeration event_enum = {"mvccpb.Event_EventType",
                                              event_names, COUNT(event_names)};

#define AT(record, member) offsetof(struct record, member)

static const struct field header_fields[] = {
    {"cluster_id", 1, FIELD_UINT64, AT(header, cluster_id), NULL},
    {"member_id", 2, FIELD_UINT64, AT(header, member_id), NULL},
    {"revision", 3, FIELD_INT64, AT(header, revision), NULL},
    {"raft_term", 4, FIELD_UINT64, AT(header, raft_term), NULL},
};
static MESSAGE(header, "etcdserverpb.ResponseHeader", header);

/* The pairs of pointer and length in the library's item are laid out like
 * struct bytes. */
_Static_assert(offsetof(struct rkv_item, key_len) ==
                   offsetof(struct rkv_item, key) + offsetof(struct bytes, len),
               "an item's key is no struct bytes");
_Static_assert(offsetof(struct rkv_item, value_len) ==
                   offsetof(struct rkv_item, value) +
                       offsetof(struct bytes, len),
               "an item's value is no struct bytes");
static const struct field item_fields[] = {
    {"key", 1, FIELD_BYTES, AT(rkv_item, key), NULL},
    {"create_revision", 2, FIELD_INT64, AT(rkv_item, create_revision), NULL},
    {"mod_revision", 3, FIELD_INT64, AT(rkv_item, mod_revision), NULL},
    {"version", 4, FIELD_INT64, AT(rkv_item, version), NULL},
    {"value", 5, FIELD_BYTES, AT(rkv_item, value), NULL},
    {"lease", 6, FIELD_INT64, AT(rkv_item, lease), NULL},
};
static MESSAGE(item, "mvccpb.KeyValue", rkv_item);

static const struct field range_request_fields[] = {
    {"key", 1, FIELD_BYTES, AT(range_request, key), NULL},
    {"range_end", 2, FIELD_BYTES, AT(range_request, range_end), NULL},
    {"limit", 3, FIELD_INT64, AT(range_request, limit), NULL},
    {"revision", 4, FIELD_INT64, AT(range_request, revision), NULL},
    {"sort_order", 5, FIELD_ENUM, AT(range_request, sort_order), &order_enum},
    {"sort_target", 6, FIELD_ENUM, AT(range_request, sort_target),
     &target_enum},
    {"serializable", 7, FIELD_BOOL, AT(range_request, serializable), NULL},
    {"keys_only", 8, FIELD_BOOL, AT(range_request, keys_only), NULL},
    {"count_only", 9, FIELD_BOOL, AT(range_request, count_only), NULL},
    {"min_mod_revision", 10, FIELD_INT64, AT(range_request, min_mod_revision),
     NULL},
    {"max_mod_revision", 11, FIELD_INT64, AT(range_request, max_mod_revision),
     NULL},
    {"min_create_revision", 12, FIELD_INT64,
     AT(range_request, min_create_revision), NULL},
    {"max_create_revision", 13, FIELD_INT64,
     AT(range_request, max_create_revision), NULL},
};
MESSAGE(range_request, "etcdserverpb.RangeRequest", range_request);

static const struct field range_response_fields[] = {
    {"header", 1, FIELD_MESSAGE, AT(range_response, header), &header_message},
    {"kvs", 2, FIELD_MESSAGES, AT(range_response, kvs), &item_message},
    {"more", 3, FIELD_BOOL, AT(range_response, more), NULL},
    {"count", 4, FIELD_INT64, AT(range_response, count), NULL},
};
MESSAGE(range_response, "etcdserverpb.RangeResponse", range_response);

static const struct field put_request_fields[] = {
    {"key", 1, FIELD_BYTES, AT(put_request, key), NULL},
    {"value", 2, FIELD_BYTES, AT(put_request, value), NULL},
    {"lease", 3, FIELD_INT64, AT(put_request, lease), NULL},
    {"prev_kv", 4, FIELD_BOOL, AT(put_request, prev_kv), NULL},
    {"ignore_value", 5, FIELD_BOOL, AT(put_request, ignore_value), NULL},
    {"ignore_lease", 6, FIELD_BOOL, AT(put_request, ignore_lease), NULL},
};
MESSAGE(put_request, "etcdserverpb.PutRequest", put_request);

static const struct field put_response_fields[] = {
    {"header", 1, FIELD_MESSAGE, AT(put_response, header), &header_message},
    {"prev_kv", 2, FIELD_MESSAGE, AT(put_response, prev_kv), &item_message},
};
MESSAGE(put_response, "etcdserverpb.PutResponse", put_response);

static const struct field delete_request_fields[] = {
    {"key", 1, FIELD_BYTES, AT(delete_request, key), NULL},
    {"range_end", 2, FIELD_BYTES, AT(delete_request, range_end), NULL},
    {"prev_kv", 3, FIELD_BOOL, AT(delete_request, prev_kv), NULL},
};
MESSAGE(delete_request, "etcdserverpb.DeleteRangeRequest", delete_request);

static const struct field delete_response_fields[] = {
    {"header", 1, FIELD_MESSAGE, AT(delete_response, header), &header_message},
    {"deleted", 2, FIELD_INT64, AT(delete_response, deleted), NULL},
    {"prev_kvs", 3, FIELD_MESSAGES, AT(delete_response, prev_kvs),
     &item_message},
};
MESSAGE(delete_response, "etcdserverpb.DeleteRangeResponse", delete_response);

static const struct field compare_fields[] = {
    {"result", 1, FIELD_ENUM, AT(compare, result), &result_enum},
    {"target", 2, FIELD_ENUM, AT(compare, target), &compare_enum},
    {"key", 3, FIELD_BYTES, AT(compare, key), NULL},
    {"version", 4, FIELD_INT64, AT(compare, version), NULL},
    {"create_revision", 5, FIELD_INT64, AT(compare, create_revision), NULL},
    {"mod_revision", 6, FIELD_INT64, AT(compare, mod_revision), NULL},
    {"value", 7, FIELD_BYTES, AT(compare, value), NULL},
    {"lease", 8, FIELD_INT64, AT(compare, lease), NULL},
    {"range_end", 64, FIELD_BYTES, AT(compare, range_end), NULL},
};
static MESSAGE(compare, "etcdserverpb.Compare", compare);

static const struct field request_op_fields[] = {
    {"request_range", 1, FIELD_MESSAGE, AT(request_op, range),
     &range_request_message},
    {"request_put", 2, FIELD_MESSAGE, AT(request_op, put),
     &put_request_message},
    {"request_delete_range", 3, FIELD_MESSAGE, AT(request_op, delete_range),
     &delete_request_message},
    {"request_txn", 4, FIELD_MESSAGE, AT(request_op, txn),
     &txn_request_message},
};
static MESSAGE(request_op, "etcdserverpb.RequestOp", request_op);

static const struct field response_op_fields[] = {
    {"response_range", 1, FIELD_MESSAGE, AT(response_op, range),
     &range_response_message},
    {"response_put", 2, FIELD_MESSAGE, AT(response_op, put),
     &put_response_message},
    {"response_delete_range", 3, FIELD_MESSAGE, AT(response_op, delete_range),
     &delete_response_message},
    {"response_txn", 4, FIELD_MESSAGE, AT(response_op, txn),
     &txn_response_message},
};
static MESSAGE(response_op, "etcdserverpb.ResponseOp", response_op);

static const struct field txn_request_fields[] = {
    {"compare", 1, FIELD_MESSAGES, AT(txn_request, compare), &compare_message},
    {"success", 2, FIELD_MESSAGES, AT(txn_request, success),
     &request_op_message},
    {"failure", 3, FIELD_MESSAGES, AT(txn_request, failure),
     &request_op_message},
};
MESSAGE(txn_request, "etcdserverpb.TxnRequest", txn_request);

static const struct field txn_response_fields[] = {
    {"header", 1, FIELD_MESSAGE, AT(txn_response, header), &header_message},
    {"succeeded", 2, FIELD_BOOL, AT(txn_response, succeeded), NULL},
    {"responses", 3, FIELD_MESSAGES, AT(txn_response, responses),
     &response_op_message},
};
MESSAGE(txn_response, "etcdserverpb.TxnResponse", txn_response);

static const struct field compaction_request_fields[] = {
    {"revision", 1, FIELD_INT64, AT(compaction_request, revision), NULL},
    {"physical", 2, FIELD_BOOL, AT(compaction_request, physical), NULL},
};
MESSAGE(compaction_request, "etcdserverpb.CompactionRequest",
        compaction_request);

static const struct field header_response_fields[] = {
    {"header", 1, FIELD_MESSAGE, AT(header_response, header), &header_message},
};
MESSAGE(header_response, "etcdserverpb.CompactionResponse", header_response);

static const struct field watch_create_fields[] = {
    {"key", 1, FIELD_BYTES, AT(watch_create, key), NULL},
    {"range_end", 2, FIELD_BYTES, AT(watch_create, range_end), NULL},
    {"start_revision", 3, FIELD_INT64, AT(watch_create, start_revision), NULL},
    {"progress_notify", 4, FIELD_BOOL, AT(watch_create, progress_notify), NULL},
    {"filters", 5, FIELD_ENUMS, AT(watch_create, filters), &filter_enum},
    {"prev_kv", 6, FIELD_BOOL, AT(watch_create, prev_kv), NULL},
    {"watch_id", 7, FIELD_INT64, AT(watch_create, watch_id), NULL},
    {"fragment", 8, FIELD_BOOL, AT(watch_create, fragment), NULL},
};
static MESSAGE(watch_create, "etcdserverpb.WatchCreateRequest", watch_create);

static const struct field watch_cancel_fields[] = {
    {"watch_id", 1, FIELD_INT64, AT(watch_cancel, watch_id), NULL},
};
static MESSAGE(watch_cancel, "etcdserverpb.WatchCancelRequest", watch_cancel);

static const struct message watch_progress_message = {
    "etcdserverpb.WatchProgressRequest", sizeof(struct watch_progress), NULL,
    0};

static const struct field watch_request_fields[] = {
    {"create_request", 1, FIELD_MESSAGE, AT(watch_request, create_request),
     &watch_create_message},
    {"cancel_request", 2, FIELD_MESSAGE, AT(watch_request, cancel_request),
     &watch_cancel_message},
    {"progress_request", 3, FIELD_MESSAGE, AT(watch_request, progress_request),
     &watch_progress_message},
};
MESSAGE(watch_request, "etcdserverpb.WatchRequest", watch_request);

static const struct field event_fields[] = {
    {"type", 1, FIELD_ENUM, AT(event, type), &event_enum},
    {"kv", 2, FIELD_MESSAGE, AT(event, kv), &item_message},
    {"prev_kv", 3, FIELD_MESSAGE, AT(event, prev_kv), &item_message},
};
static MESSAGE(event, "mvccpb.Event", event);

static const struct field watch_response_fields[] = {
    {"header", 1, FIELD_MESSAGE, AT(watch_response, header), &header_message},
    {"watch_id", 2, FIELD_INT64, AT(watch_response, watch_id), NULL},
    {"created", 3, FIELD_BOOL, AT(watch_response, created), NULL},
    {"canceled", 4, FIELD_BOOL, AT(watch_response, canceled), NULL},
    {"compact_revision", 5, FIELD_INT64, AT(watch_response, compact_revision),
     NULL},
    {"cancel_reason", 6, FIELD_STRING, AT(watch_response, cancel_reason), NULL},
    {"fragment", 7, FIELD_BOOL, AT(watch_response, fragment), NULL},
    {"events", 11, FIELD_MESSAGES, AT(watch_response, events), &event_message},
};
MESSAGE(watch_response, "etcdserverpb.WatchResponse", watch_response);

static const struct field member_fields[] = {
    {"ID", 1, FIELD_UINT64, AT(member, id), NULL},
    {"name", 2, FIELD_STRING, AT(member, name), NULL},
    {"peerURLs", 3, FIELD_STRINGS, AT(member, peer_urls), NULL},
    {"clientURLs", 4, FIELD_STRINGS, AT(member, client_urls), NULL},
    {"isLearner", 5, FIELD_BOOL, AT(member, is_learner), NULL},
};
static MESSAGE(member, "etcdserverpb.Member", member);

static const struct field member_list_request_fields[] = {
    {"linearizable", 1, FIELD_BOOL, AT(member_list_request, linearizable),
     NULL},
};
MESSAGE(member_list_request, "etcdserverpb.MemberListRequest",
        member_list_request);

static const struct field member_list_response_fields[] = {
    {"header", 1, FIELD_MESSAGE, AT(member_list_response, header),
     &header_message},
    {"members", 2, FIELD_MESSAGES, AT(member_list_response, members),
     &member_message},
};
MESSAGE(member_list_response, "etcdserverpb.MemberListResponse",
        member_list_response);

const struct message status_request_message = {
    "etcdserverpb.StatusRequest", sizeof(struct status_request), NULL, 0};

static const struct field status_response_fields[] = {
    {"header", 1, FIELD_MESSAGE, AT(status_response, header), &header_message},
    {"version", 2, FIELD_STRING, AT(status_response, version), NULL},
    {"dbSize", 3, FIELD_INT64, AT(status_response, db_size), NULL},
    {"leader", 4, FIELD_UINT64, AT(status_response, leader), NULL},
    {"raftIndex", 5, FIELD_UINT64, AT(status_response, raft_index), NULL},
    {"raftTerm", 6, FIELD_UINT64, AT(status_response, raft_term), NULL},
    {"raftAppliedIndex", 7, FIELD_UINT64,
     AT(status_response, raft_applied_index), NULL},
    {"errors", 8, FIELD_STRINGS, AT(status_response, errors), NULL},
    {"dbSizeInUse", 9, FIELD_INT64, AT(status_response, db_size_in_use), NULL},
    {"isLearner", 10, FIELD_BOOL, AT(status_response, is_learner), NULL},
    {"stateHash", 1000, FIELD_UINT64, AT(status_response, state_hash), NULL},
};
MESSAGE(status_response, "etcdserverpb.StatusResponse", status_response);

static const struct field hash_kv_request_fields[] = {
    {"revision", 1, FIELD_INT64, AT(hash_kv_request, revision), NULL},
};
MESSAGE(hash_kv_request, "etcdserverpb.HashKVRequest", hash_kv_request);

static const struct field hash_kv_response_fields[] = {
    {"header", 1, FIELD_MESSAGE, AT(hash_kv_response, header), &header_message},
    {"hash", 2, FIELD_UINT32, AT(hash_kv_response, hash), NULL},
    {"compact_revision", 3, FIELD_INT64, AT(hash_kv_response, compact_revision),
     NULL},
    {"hash_revision", 4, FIELD_INT64, AT(hash_kv_response, hash_revision),
     NULL},
};
MESSAGE(hash_kv_response, "etcdserverpb.HashKVResponse", hash_kv_response);

static const struct field error_response_fields[] = {
    {"error", 1, FIELD_STRING, AT(error_response, error), NULL},
    {"message", 2, FIELD_STRING, AT(error_response, message), NULL},
    {"code", 3, FIELD_UINT32, AT(error_response, code), NULL},
};
MESSAGE(error_response, "google.rpc.Status", error_response);
