/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of kv share: a store and a transaction over an allocator
 * that counts, and short words for what one does with them.  Keys and values
 * are C strings; "@" as an end stands for the single byte 0.
 */
#ifndef RKV_TEST_KV_SUPPORT_H
#define RKV_TEST_KV_SUPPORT_H

#include <check.h>
#include <raftkv/kv.h>

#include "base/support.h"

struct kit {
    struct base_heap heap;
    struct rkv_allocator allocator;
    rkv_kv *kv;
    rkv_txn *txn;
    uint64_t index; /* applied last */
};

/* options may be NULL; its allocator is set here. */
void kit_open(struct kit *kit, const struct rkv_kv_options *options);
/* Everything must have been given back. */
void kit_close(struct kit *kit);

/* What is written into a transaction. */
int add_put(rkv_txn *txn, const char *key, const char *value, uint32_t flags);
int add_delete(rkv_txn *txn, const char *key, const char *end, uint32_t flags);
int add_range(rkv_txn *txn, const char *key, const char *end, int64_t revision,
              int64_t limit, uint32_t flags);
int add_number(rkv_txn *txn, uint32_t target, uint32_t relation,
               const char *key, int64_t number);
int add_value(rkv_txn *txn, uint32_t relation, const char *key,
              const char *value);
struct rkv_range range_of(const char *key, const char *end);
struct rkv_watch watch_of(const char *key, const char *end);

/* Applies what was written, which must be taken, and begins anew. */
const struct rkv_result *kit_apply(struct kit *kit);
int32_t kit_status(struct kit *kit);
/* Each of these must succeed: the revision afterwards. */
int64_t kit_put(struct kit *kit, const char *key, const char *value);
int64_t kit_delete(struct kit *kit, const char *key, const char *end);
int32_t kit_compact(struct kit *kit, int64_t revision);
/* The answer of a range that must be readable. */
const struct rkv_response *kit_range(struct kit *kit, const char *key,
                                     const char *end, int64_t revision);
int32_t kit_range_status(struct kit *kit, const char *key, int64_t revision);
/* "value", or "-" for none. */
const char *kit_get(struct kit *kit, const char *key, int64_t revision);
struct rkv_kv_status kit_report(const struct kit *kit);
/* Enough calls for all that compaction has dropped. */
void kit_settle(struct kit *kit);
/* All of a snapshot, to be freed. */
uint8_t *kit_snapshot(struct kit *kit, size_t *len);
/* Restores in one piece: what begin, write and end come to. */
int kit_restore(struct kit *kit, const void *data, size_t len);

void assert_item(const struct rkv_item *item, const char *key,
                 const char *value, int64_t create, int64_t mod,
                 int64_t version);
/* The keys of a response, one after the other, separated by blanks. */
void assert_keys(const struct rkv_response *response, const char *keys);

#endif
