/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A disk that fails on demand: an SQLite VFS over the default one, on which
 * the k-th operation fails, the space runs out, or the power goes.  What was
 * written and not synced when the power went is lost, in part or whole.
 */
#ifndef RKV_TEST_STORE_FAULTY_H
#define RKV_TEST_STORE_FAULTY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    FAULTY_WRITE = 1u << 0,
    FAULTY_SYNC = 1u << 1,
    FAULTY_CUT = 1u << 2,
    FAULTY_OPEN = 1u << 3,
    FAULTY_READ = 1u << 4,
    FAULTY_REMOVE = 1u << 5,
    FAULTY_ALL = (1u << 6) - 1
};

struct faulty {
    uint32_t kinds;  /* which operations count */
    int64_t left;    /* operations before the fault; negative: none */
    int result;      /* what the failing one gives */
    bool for_ever;   /* and all after it */
    bool power;      /* the fault is that the power goes */
    bool has_struck; /* it happened */
    int64_t since;   /* writes, syncs and cuts from then on */
};

/* Registers the VFS "faulty"; faults begin when *faulty says so. */
void faulty_begin(struct faulty *faulty);
/* Unregisters it.  After a loss of power: what was not synced is taken back,
 * all of it with seed 0, else each write by a coin of its own. */
void faulty_end(uint64_t seed);

#endif
