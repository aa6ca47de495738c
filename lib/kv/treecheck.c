/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What must always be true of the key tree, checked by looking at all of it.
 */
#include "node.h"

struct walk {
    const struct rkv_record *last; /* the key before, in order */
    const struct rkv_leaf *next;   /* the leaf that must come now */
};

static bool check_node(struct rkv_tree_node *node, uint32_t level,
                       struct rkv_bounds bounds, struct walk *walk,
                       uint64_t *live);

bool rkv_tree_check(const struct rkv_tree *tree)
{
    struct rkv_bounds bounds = {NULL, NULL};
    struct walk walk = {NULL, NULL};
    struct rkv_tree_node *node = tree->root;
    uint64_t live = 0;

    if (node == NULL)
        return tree->live == 0;
    while (node->level > 0)
        node = rkv_as_inner(node)->children[0];
    walk.next = rkv_as_leaf(node);
    return check_node(tree->root, tree->root->level, bounds, &walk, &live) &&
           walk.next == NULL && live == tree->live;
}

static bool is_between(const uint8_t *key, size_t len, struct rkv_bounds bounds)
{
    if (bounds.low != NULL &&
        rkv_bytes_compare(key, len, bounds.low->bytes, bounds.low->len) < 0)
        return false;
    return bounds.high == NULL ||
           rkv_bytes_compare(key, len, bounds.high->bytes, bounds.high->len) <
               0;
}

static bool check_leaf(struct rkv_leaf *leaf, struct rkv_bounds bounds,
                       struct walk *walk, uint64_t *live)
{
    if (walk->next != leaf)
        return false;
    walk->next = leaf->next;
    for (uint32_t i = 0; i < leaf->node.count; i++) {
        const struct rkv_record *record = leaf->records[i];
        bool is_live = (leaf->live >> i & 1) != 0, exact;

        if (record->next != NULL || is_live != rkv_record_is_live(record) ||
            !is_between(record->bytes, record->key_len, bounds))
            return false;
        if (walk->last != NULL &&
            rkv_bytes_compare(walk->last->bytes, walk->last->key_len,
                              record->bytes, record->key_len) >= 0)
            return false;
        if (rkv_leaf_slot(leaf, record->bytes, record->key_len, &exact) != i ||
            !exact)
            return false;
        *live += is_live;
        walk->last = record;
    }
    return leaf->node.count == RKV_NODE_MAX ||
           leaf->live >> leaf->node.count == 0;
}

/* As deep as the tree is high. */
static bool check_node(struct rkv_tree_node *node, uint32_t level,
                       struct rkv_bounds bounds, struct walk *walk,
                       uint64_t *live)
{
    struct rkv_inner *inner;
    uint64_t sum = 0;

    if (node->level != level || node->count > RKV_NODE_MAX)
        return false;
    if (level == 0)
        return check_leaf(rkv_as_leaf(node), bounds, walk, live);
    inner = rkv_as_inner(node);
    if (node->count == 0 || inner->fences[0] != NULL)
        return false;
    for (uint32_t i = 0; i < node->count; i++) {
        struct rkv_bounds within = rkv_inner_bounds(inner, i, bounds);
        uint64_t below = 0;

        if (i > 0 && (!is_between(inner->fences[i]->bytes,
                                  inner->fences[i]->len, bounds) ||
                      rkv_inner_slot(inner, inner->fences[i]->bytes,
                                     inner->fences[i]->len) != i))
            return false;
        if (!check_node(inner->children[i], level - 1, within, walk, &below) ||
            below != inner->live[i])
            return false;
        sum += below;
    }
    *live += sum;
    return true;
}
