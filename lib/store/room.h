/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/store/room.h - the counter where logs and snapshots are handed over.
 * A store is a table of methods; store.c checks what is handed in and
 * remembers failure, memory.c and the sqlite files keep it.
 * What a write may say, and what a group looks like after it, is decided in
 * one place for both: the ledger, before anything is touched.
 * Nothing here knows what the bytes mean; nothing above knows where they lie.
 */
#ifndef RKV_STORE_ROOM_H
#define RKV_STORE_ROOM_H

#include <raftkv/store.h>
#include <stdbool.h>

#include "../base/alloc.h"

/* What went wrong last, in words.  "" when nothing did. */
struct rkv_trouble {
    char text[2048]; /* a path, two chains and an advice */
};

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
/* Writes the sentence and returns code, so that it can be returned at once. */
int rkv_trouble_say(struct rkv_trouble *trouble, int code, const char *format,
                    ...);

/* Room for a hash in hexadecimal, ended with a zero. */
enum { RKV_HEX_BYTES = 65 };
void rkv_hex(char out[RKV_HEX_BYTES], const uint8_t hash[32]);

/* Was its chain computed from this one? */
bool rkv_entry_is_linked(const struct rkv_entry *entry,
                         const uint8_t previous[32]);

/* A handle that only answers errmsg and close; NULL for want of memory. */
rkv_store *rkv_store_broken(const struct rkv_allocator *allocator,
                            const struct rkv_trouble *trouble);

#endif
