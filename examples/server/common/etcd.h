/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/etcd.h - etcd's messages, as far as raftkvd serves them: structs for
 * handlers, and their tables for encodings.  A key-value pair is the
 * library's own record.
 */
#ifndef SERVER_ETCD_H
#define SERVER_ETCD_H

#include <raftkv/kv.h>

#include "message.h"

struct header {
    uint64_t cluster_id;
    uint64_t member_id;
    int64_t revision;
    uint64_t raft_term;
};

enum { ORDER_NONE, ORDER_ASCEND, ORDER_DESCEND };
enum { BY_KEY, BY_VERSION, BY_CREATE, BY_MOD, BY_VALUE };
struct range_request {
    struct bytes key;
    struct bytes range_end;
    int64_t limit;
    int64_t revision;
    int32_t sort_order;
    int32_t sort_target;
    bool serializable;
    bool keys_only;
    bool count_only;
    int64_t min_mod_revision;
    int64_t max_mod_revision;
    int64_t min_create_revision;
    int64_t max_create_revision;
};
struct range_response {
    const struct header *header;
    struct list kvs; /* of struct rkv_item */
    bool more;
    int64_t count;
};

struct put_request {
    struct bytes key;
    struct bytes value;
    int64_t lease;
    bool prev_kv;
    bool ignore_value;
    bool ignore_lease;
};
struct put_response {
    const struct header *header;
    const struct rkv_item *prev_kv;
};

struct delete_request {
    struct bytes key;
    struct bytes range_end;
    bool prev_kv;
};
struct delete_response {
    const struct header *header;
    int64_t deleted;
    struct list prev_kvs; /* of struct rkv_item */
};

/* One of them. */
struct txn_request;
struct request_op {
    const struct range_request *range;
    const struct put_request *put;
    const struct delete_request *delete_range;
    const struct txn_request *txn;
};
struct txn_response;
struct response_op {
    const struct range_response *range;
    const struct put_response *put;
    const struct delete_response *delete_range;
    const struct txn_response *txn;
};
struct compare {
    int32_t result;
    int32_t target;
    struct bytes key;
    int64_t version;
    int64_t create_revision;
    int64_t mod_revision;
    struct bytes value;
    int64_t lease;
    struct bytes range_end;
};
struct txn_request {
    struct list compare; /* of struct compare */
    struct list success; /* of struct request_op */
    struct list failure; /* of struct request_op */
};
struct txn_response {
    const struct header *header;
    bool succeeded;
    struct list responses; /* of struct response_op */
};

struct compaction_request {
    int64_t revision;
    bool physical;
};
/* Responses that are nothing but a header. */
struct header_response {
    const struct header *header;
};

struct watch_create {
    struct bytes key;
    struct bytes range_end;
    int64_t start_revision;
    bool progress_notify;
    struct list filters; /* of int32_t */
    bool prev_kv;
    int64_t watch_id;
    bool fragment;
};
enum { FILTER_NOPUT, FILTER_NODELETE };
struct watch_cancel {
    int64_t watch_id;
};
struct watch_progress {
    char nothing;
};
struct watch_request {
    const struct watch_create *create_request;
    const struct watch_cancel *cancel_request;
    const struct watch_progress *progress_request;
};
enum { EVENT_PUT, EVENT_DELETE };
struct event {
    int32_t type;
    const struct rkv_item *kv;
    const struct rkv_item *prev_kv;
};
struct watch_response {
    const struct header *header;
    int64_t watch_id;
    bool created;
    bool canceled;
    int64_t compact_revision;
    struct bytes cancel_reason;
    bool fragment;
    struct list events; /* of struct event */
};

struct member {
    uint64_t id;
    struct bytes name;
    struct list peer_urls;   /* of struct bytes */
    struct list client_urls; /* of struct bytes */
    bool is_learner;
};
struct member_list_request {
    bool linearizable;
};
struct member_list_response {
    const struct header *header;
    struct list members; /* of struct member */
};

struct status_request {
    char nothing;
};
struct status_response {
    const struct header *header;
    struct bytes version;
    int64_t db_size;
    uint64_t leader;
    uint64_t raft_index;
    uint64_t raft_term;
    uint64_t raft_applied_index;
    struct list errors; /* of struct bytes */
    int64_t db_size_in_use;
    bool is_learner;
    uint64_t state_hash; /* raftkvd's own: of the whole state */
};

struct hash_kv_request {
    int64_t revision;
};
struct hash_kv_response {
    const struct header *header;
    uint32_t hash;
    int64_t compact_revision;
    int64_t hash_revision;
};

/* What the gateway answers when it cannot. */
struct error_response {
    struct bytes error;
    struct bytes message;
    uint32_t code;
};

extern const struct message range_request_message;
extern const struct message range_response_message;
extern const struct message put_request_message;
extern const struct message put_response_message;
extern const struct message delete_request_message;
extern const struct message delete_response_message;
extern const struct message txn_request_message;
extern const struct message txn_response_message;
extern const struct message compaction_request_message;
extern const struct message header_response_message;
extern const struct message watch_request_message;
extern const struct message watch_response_message;
extern const struct message member_list_request_message;
extern const struct message member_list_response_message;
extern const struct message status_request_message;
extern const struct message status_response_message;
extern const struct message hash_kv_request_message;
extern const struct message hash_kv_response_message;
extern const struct message error_response_message;

#endif
