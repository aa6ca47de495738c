/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/node/frail.h - a store that hands everything on to another, and fails
 * when told to.
 */
#ifndef TEST_NODE_FRAIL_H
#define TEST_NODE_FRAIL_H

#include <raftkv/store.h>
#include <stdbool.h>

struct frail {
    rkv_store *real;
    bool writes_fail;
    bool reads_fail;
    uint8_t incarnation[16]; /* it says it has */
    uint64_t writes;
};

/* frail->real is closed with it. */
rkv_store *frail_open(struct frail *frail);

#endif
