/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/tree.h - the tree from each key to its newest record.
 */
#ifndef RKV_KV_TREE_H
#define RKV_KV_TREE_H

#include "record.h"

/* A B+tree from each key to its newest record, which may be a deletion; it
 * counts the live keys below every branch. */
struct rkv_tree_node;
struct rkv_leaf;
struct rkv_tree {
    const struct rkv_allocator *allocator;
    struct rkv_tree_node *root; /* NULL: empty */
    uint64_t live;
};

/* A place between two keys; valid until the tree changes its keys.  Records
 * may be replaced meanwhile. */
struct rkv_tree_place {
    const struct rkv_leaf *leaf;
    uint32_t slot;
};

void rkv_tree_init(struct rkv_tree *tree, const struct rkv_allocator *a);
void rkv_tree_free(struct rkv_tree *tree);
/* The newest record of a key and where it hangs; valid until the tree changes
 * its keys. */
struct rkv_tree_spot {
    struct rkv_record *record; /* NULL: the key is not there */
    struct rkv_leaf *leaf;     /* NULL: has to be looked for */
    uint32_t slot;
};

struct rkv_tree_spot rkv_tree_find(const struct rkv_tree *tree, const void *key,
                                   size_t key_len);
/* Makes record the newest of its key, which was found at spot.  RKV_OK or
 * RKV_ENOMEM. */
int rkv_tree_put(struct rkv_tree *tree, struct rkv_record *record,
                 struct rkv_tree_spot spot);
/* Forgets the key of this record, which is there. */
void rkv_tree_remove(struct rkv_tree *tree, const struct rkv_record *record);
struct rkv_tree_place rkv_tree_seek(const struct rkv_tree *tree,
                                    const void *key, size_t key_len);
/* The newest record of the next key, deletions included; NULL at the end. */
struct rkv_record *rkv_tree_next(struct rkv_tree_place *place);
/* The same for live keys alone, however many dead ones lie between. */
struct rkv_record *rkv_tree_next_live(const struct rkv_tree *tree,
                                      struct rkv_tree_place *place);
/* How many live keys come before this one. */
uint64_t rkv_tree_rank(const struct rkv_tree *tree, const void *key,
                       size_t key_len);
/* The live key before which so many others come: there is one. */
struct rkv_tree_place rkv_tree_select(const struct rkv_tree *tree,
                                      uint64_t rank);
/* Every invariant, by brute force: a test's question. */
bool rkv_tree_check(const struct rkv_tree *tree);

#endif
