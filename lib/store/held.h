/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/store/held.h - what the node asks of a tail: how much it holds.
 */
#ifndef RKV_STORE_HELD_H
#define RKV_STORE_HELD_H

#include <raftkv/store.h>

/* Bytes in memory, what was released and is kept while there is room too. */
uint64_t rkv_tail_held(const rkv_tail *tail);

#endif
