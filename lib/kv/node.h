/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/node.h - the nodes of the key tree, known to tree.c and node.c alone.
 *
 * Every key below a node lies between two fences, the separators to its left
 * and right.  What the fences have in common, all those keys begin with: a
 * node leaves out that prefix and keeps the next eight bytes of each key as a
 * number, so that a search rarely looks at a key itself.  A node at the edge
 * of the tree lacks a fence; there the prefix is what its own keys have in
 * common, and a search looks first whether it begins with that.
 *
 *     inner   | child 0 | fence 1 | child 1 | fence 2 | child 2 ...
 *     leaf    | record 0 | record 1 ...            -> next leaf
 */
#ifndef RKV_KV_NODE_H
#define RKV_KV_NODE_H

#include "room.h"

enum { RKV_NODE_MAX = 64, RKV_TREE_HEIGHT_MAX = 24 };

struct rkv_tree_node {
    uint32_t level; /* 0: a leaf */
    uint32_t count; /* of records, or of children */
    uint32_t prefix;
    bool is_edge;
    uint64_t heads[RKV_NODE_MAX];
};

struct rkv_leaf {
    struct rkv_tree_node node;
    uint64_t live; /* bit per record: it is not a deletion */
    struct rkv_leaf *next;
    struct rkv_record *records[RKV_NODE_MAX];
};

/* The shortest bytes that separate two neighbours: above the last key to the
 * left, not above the first one to the right. */
struct rkv_fence {
    uint32_t len;
    uint8_t bytes[];
};

struct rkv_inner {
    struct rkv_tree_node node;
    struct rkv_fence *fences[RKV_NODE_MAX]; /* [0] is NULL: the parent's */
    struct rkv_tree_node *children[RKV_NODE_MAX];
    uint64_t live[RKV_NODE_MAX]; /* live keys below each child */
};

/* The fences around a node; NULL: the end of the world. */
struct rkv_bounds {
    const struct rkv_fence *low;
    const struct rkv_fence *high;
};

struct rkv_leaf *rkv_leaf_new(const struct rkv_allocator *a);
struct rkv_inner *rkv_inner_new(const struct rkv_allocator *a, uint32_t level);
/* The node and all below it. */
void rkv_node_free(const struct rkv_allocator *a, struct rkv_tree_node *node);

/* The slot of the first key not below this one. */
uint32_t rkv_leaf_slot(const struct rkv_leaf *leaf, const uint8_t *key,
                       size_t key_len, bool *exact);
/* The child this key belongs to. */
uint32_t rkv_inner_slot(const struct rkv_inner *inner, const uint8_t *key,
                        size_t key_len);
struct rkv_bounds rkv_inner_bounds(const struct rkv_inner *inner, uint32_t at,
                                   struct rkv_bounds around);

void rkv_leaf_insert(struct rkv_leaf *leaf, uint32_t slot,
                     struct rkv_record *record);
void rkv_leaf_remove(struct rkv_leaf *leaf, uint32_t slot);
/* Splits the full child at `at`, keeping `keep` of its places on the left:
 * RKV_OK or RKV_ENOMEM.  The parent has room, around are its bounds. */
int rkv_inner_split(const struct rkv_allocator *a, struct rkv_inner *parent,
                    uint32_t at, uint32_t keep, struct rkv_bounds around);
/* Joins the children at `at` and behind it, whose places fit one node. */
void rkv_inner_join(const struct rkv_allocator *a, struct rkv_inner *parent,
                    uint32_t at, struct rkv_bounds around);

static inline struct rkv_leaf *rkv_as_leaf(struct rkv_tree_node *node)
{
    return (struct rkv_leaf *)(void *)node;
}

static inline struct rkv_inner *rkv_as_inner(struct rkv_tree_node *node)
{
    return (struct rkv_inner *)(void *)node;
}

#endif
