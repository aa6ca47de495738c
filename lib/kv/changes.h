/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/changes.h - what the node asks at every turn, and nobody else needs
 * to.
 */
#ifndef RKV_KV_CHANGES_H
#define RKV_KV_CHANGES_H

#include <raftkv/kv.h>
#include <stdbool.h>

/* As rkv_kv_status(), but for the hash, which is work. */
struct rkv_kv_status rkv_kv_look(const rkv_kv *kv);

/* Who pulls until there is nothing has no use for this question.
 * May rkv_kv_next_change() have something?  False after it had nothing, until
 * something is applied or watched. */
bool rkv_kv_changes_wait(const rkv_kv *kv);

/* Who pulls from many states need not ask all of them: of one that came to
 * have changes by itself, since somebody watches its past, he is told here. */
struct rkv_bell {
    rkv_kv *rung; /* the first of those that were not asked since */
};
void rkv_kv_hang(rkv_kv *kv, struct rkv_bell *bell, void *owner);
/* The owner of one that rang, which rings no more; NULL: none did. */
void *rkv_bell_answer(struct rkv_bell *bell);

#endif
