/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/node/meter.h - an allocator that counts every byte and fails when a
 * test says so.
 */
#ifndef TEST_NODE_METER_H
#define TEST_NODE_METER_H

#include <raftkv/base.h>
#include <stdbool.h>

struct meter {
    size_t out;  /* bytes not given back */
    size_t peak; /* the most there ever were */
    uint64_t asked;
    uint64_t fail_at; /* 0: never */
    bool for_ever;    /* and every one after it */
    bool closed;      /* a call now is an error of the library */
};

struct rkv_allocator meter_allocator(struct meter *meter);

#endif
