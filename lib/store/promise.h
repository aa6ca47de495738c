/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/store/promise.h - the promise file: a second, tiny memory beside the
 * database of how far this store has promised.  SQLite takes a flipped bit
 * in its log for the end of that log and silently forgets every commit from
 * there on, votes included; the promise file then knows of a later one.
 * It is made first, in a state that promises nothing, it is what is locked,
 * and it is written and synced after each COMMIT, before anybody is told.
 *
 *     0      slot 0 │ 112 bytes of record and zeros
 *     4096   slot 1 │ the record with the higher generation holds
 */
#ifndef RKV_STORE_PROMISE_H
#define RKV_STORE_PROMISE_H

#include "file.h"

enum { RKV_INCARNATION_BYTES = 16 };
/* The generation of a file that was made and says nothing yet. */
enum { RKV_PROMISE_NEW = 1 };

struct rkv_promise_record {
    uint64_t cluster;
    uint64_t member;
    uint64_t boot;
    uint64_t sequence; /* of the last transaction that was acknowledged */
    uint64_t term;     /* highest promised in any group */
    uint8_t incarnation[RKV_INCARNATION_BYTES];
};

struct rkv_promise {
    struct rkv_file file;
    struct rkv_promise_record said;
    uint64_t generation;
    bool fresh;   /* made by this open */
    bool damaged; /* one slot was bad: the other may be one write older */
};

/* Opens and locks it, and makes it when the database is not there either.
 * RKV_ELOCKED, RKV_EROLLBACK (database without promise file), RKV_ECORRUPT
 * (no valid slot). */
int rkv_promise_open(struct rkv_promise *promise, struct rkv_disk *disk,
                     const char *database);
void rkv_promise_close(struct rkv_promise *promise);
/* Durable when it returns RKV_OK; then *next is what was said. */
int rkv_promise_say(struct rkv_promise *promise,
                    const struct rkv_promise_record *next);

#endif
