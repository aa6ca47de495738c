/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/txn.h - a command being written, known to the files that write.
 */
#ifndef RKV_KV_TXN_H
#define RKV_KV_TXN_H

#include <raftkv/txn.h>

#include "../base/bytes.h"

struct rkv_buffer *rkv_txn_buffer(rkv_txn *txn);
/* The first error stays. */
int rkv_txn_settle(rkv_txn *txn, int error);
/* Of what stands in front of the operations, each once and in its order: the
 * tag, and when all of it is written. */
int rkv_txn_begin_head(rkv_txn *txn, uint8_t tag);
void rkv_txn_end_head(rkv_txn *txn);
/* No operation may be there, or one that may come in dozens. */
int rkv_txn_begin_alone(rkv_txn *txn, uint8_t kind);

#endif
