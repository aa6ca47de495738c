/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The nodes of the key tree: how one is searched, filled, split and joined.
 * Which node that is, tree.c decides.
 */
#include "node.h"

#include <string.h>

static uint64_t head_of(const uint8_t *key, size_t len, size_t prefix);
static uint32_t first_head(const struct rkv_tree_node *node, uint32_t low,
                           uint64_t head);
static int order_of_prefix(const struct rkv_tree_node *node,
                           const uint8_t *first, const uint8_t *key,
                           size_t key_len);
static bool shares_prefix(const struct rkv_leaf *leaf,
                          const struct rkv_record *record);
static void rebuild_heads(struct rkv_tree_node *node, struct rkv_bounds bounds);
static int split_leaf(const struct rkv_allocator *a, struct rkv_leaf *left,
                      uint32_t keep, struct rkv_fence **fence,
                      struct rkv_leaf **right);
static int split_inner(const struct rkv_allocator *a, struct rkv_inner *left,
                       uint32_t keep, struct rkv_fence **fence,
                       struct rkv_inner **right);
static uint64_t live_below(struct rkv_tree_node *node);
static void adopt(struct rkv_inner *parent, uint32_t at,
                  struct rkv_tree_node *child, struct rkv_fence *fence);
static void disown(struct rkv_inner *parent, uint32_t at);
static void join_leaves(const struct rkv_allocator *a, struct rkv_inner *parent,
                        uint32_t at);
static void join_inners(struct rkv_inner *parent, uint32_t at);
static void free_fence(const struct rkv_allocator *a, struct rkv_fence *fence);

struct rkv_leaf *rkv_leaf_new(const struct rkv_allocator *a)
{
    struct rkv_leaf *leaf = rkv_alloc_zeroed(a, sizeof(*leaf));

    if (leaf != NULL)
        leaf->node.is_edge = true;
    return leaf;
}

struct rkv_inner *rkv_inner_new(const struct rkv_allocator *a, uint32_t level)
{
    struct rkv_inner *inner = rkv_alloc_zeroed(a, sizeof(*inner));

    if (inner != NULL) {
        inner->node.level = level;
        inner->node.is_edge = true;
    }
    return inner;
}

/* Deeper by one at each step, and a tree is never higher than
 * RKV_TREE_HEIGHT_MAX. */
void rkv_node_free(const struct rkv_allocator *a, struct rkv_tree_node *node)
{
    struct rkv_inner *inner;

    if (node->level == 0) {
        rkv_release(a, node, sizeof(struct rkv_leaf));
        return;
    }
    inner = rkv_as_inner(node);
    for (uint32_t i = 0; i < node->count; i++) {
        free_fence(a, inner->fences[i]);
        rkv_node_free(a, inner->children[i]);
    }
    rkv_release(a, inner, sizeof(*inner));
}

uint32_t rkv_leaf_slot(const struct rkv_leaf *leaf, const uint8_t *key,
                       size_t key_len, bool *exact)
{
    uint32_t low, high;
    uint64_t head;

    *exact = false;
    if (leaf->node.is_edge && leaf->node.count > 0) {
        int order =
            order_of_prefix(&leaf->node, leaf->records[0]->bytes, key, key_len);

        if (order != 0)
            return order < 0 ? 0 : leaf->node.count;
    }
    head = head_of(key, key_len, leaf->node.prefix);
    low = first_head(&leaf->node, 0, head);
    high = low;
    while (high < leaf->node.count && leaf->node.heads[high] == head)
        high++;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct rkv_record *record = leaf->records[middle];
        int order =
            rkv_bytes_compare(record->bytes, record->key_len, key, key_len);

        if (order == 0) {
            *exact = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t rkv_inner_slot(const struct rkv_inner *inner, const uint8_t *key,
                        size_t key_len)
{
    uint32_t low, high;
    uint64_t head;

    if (inner->node.is_edge && inner->node.count > 1) {
        int order = order_of_prefix(&inner->node, inner->fences[1]->bytes, key,
                                    key_len);

        if (order != 0)
            return order < 0 ? 0 : inner->node.count - 1;
    }
    head = head_of(key, key_len, inner->node.prefix);
    low = first_head(&inner->node, 1, head);
    high = low;
    while (high < inner->node.count && inner->node.heads[high] == head)
        high++;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct rkv_fence *fence = inner->fences[middle];

        if (rkv_bytes_compare(fence->bytes, fence->len, key, key_len) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

struct rkv_bounds rkv_inner_bounds(const struct rkv_inner *inner, uint32_t at,
                                   struct rkv_bounds around)
{
    return (struct rkv_bounds){
        .low = at > 0 ? inner->fences[at] : around.low,
        .high =
            at + 1 < inner->node.count ? inner->fences[at + 1] : around.high,
    };
}

void rkv_leaf_insert(struct rkv_leaf *leaf, uint32_t slot,
                     struct rkv_record *record)
{
    size_t behind = leaf->node.count - slot;
    uint64_t below = ((uint64_t)1 << slot) - 1;
    bool fits = !leaf->node.is_edge || shares_prefix(leaf, record);

    memmove(&leaf->records[slot + 1], &leaf->records[slot],
            behind * sizeof(leaf->records[0]));
    memmove(&leaf->node.heads[slot + 1], &leaf->node.heads[slot],
            behind * sizeof(leaf->node.heads[0]));
    leaf->live = (leaf->live & below) | (leaf->live & ~below) << 1;
    if (rkv_record_is_live(record))
        leaf->live |= (uint64_t)1 << slot;
    leaf->records[slot] = record;
    leaf->node.heads[slot] =
        head_of(record->bytes, record->key_len, leaf->node.prefix);
    leaf->node.count++;
    if (!fits)
        rebuild_heads(&leaf->node, (struct rkv_bounds){NULL, NULL});
}

void rkv_leaf_remove(struct rkv_leaf *leaf, uint32_t slot)
{
    size_t behind = leaf->node.count - slot - 1;
    uint64_t below = ((uint64_t)1 << slot) - 1;

    memmove(&leaf->records[slot], &leaf->records[slot + 1],
            behind * sizeof(leaf->records[0]));
    memmove(&leaf->node.heads[slot], &leaf->node.heads[slot + 1],
            behind * sizeof(leaf->node.heads[0]));
    leaf->live = (leaf->live & below) | (leaf->live >> 1 & ~below);
    leaf->node.count--;
}

int rkv_inner_split(const struct rkv_allocator *a, struct rkv_inner *parent,
                    uint32_t at, uint32_t keep, struct rkv_bounds around)
{
    struct rkv_tree_node *left = parent->children[at];
    struct rkv_bounds bounds = rkv_inner_bounds(parent, at, around);
    struct rkv_tree_node *right;
    struct rkv_fence *fence;

    if (left->level == 0) {
        struct rkv_leaf *leaf;

        if (split_leaf(a, rkv_as_leaf(left), keep, &fence, &leaf) < 0)
            return RKV_ENOMEM;
        right = &leaf->node;
    } else {
        struct rkv_inner *inner;

        if (split_inner(a, rkv_as_inner(left), keep, &fence, &inner) < 0)
            return RKV_ENOMEM;
        right = &inner->node;
    }
    rebuild_heads(left, (struct rkv_bounds){bounds.low, fence});
    rebuild_heads(right, (struct rkv_bounds){fence, bounds.high});
    adopt(parent, at + 1, right, fence);
    parent->live[at] = live_below(left);
    rebuild_heads(&parent->node, around);
    return RKV_OK;
}

void rkv_inner_join(const struct rkv_allocator *a, struct rkv_inner *parent,
                    uint32_t at, struct rkv_bounds around)
{
    struct rkv_tree_node *left = parent->children[at];
    struct rkv_tree_node *right = parent->children[at + 1];

    if (left->level == 0)
        join_leaves(a, parent, at);
    else
        join_inners(parent, at);
    rkv_release(a, right,
                left->level == 0 ? sizeof(struct rkv_leaf)
                                 : sizeof(struct rkv_inner));
    parent->live[at] += parent->live[at + 1];
    disown(parent, at + 1);
    rebuild_heads(&parent->node, around);
    rebuild_heads(left, rkv_inner_bounds(parent, at, around));
}

/* The eight bytes behind the prefix, as a number that sorts as they do; keys
 * that end earlier are filled up with zeros, which full comparison settles. */
static uint64_t head_of(const uint8_t *key, size_t len, size_t prefix)
{
    uint64_t head = 0;
    size_t left = len > prefix ? len - prefix : 0;

    if (left > 8)
        left = 8;
    key += prefix;
    if (left == 8)
        return (uint64_t)key[0] << 56 | (uint64_t)key[1] << 48 |
               (uint64_t)key[2] << 40 | (uint64_t)key[3] << 32 |
               (uint64_t)key[4] << 24 | (uint64_t)key[5] << 16 |
               (uint64_t)key[6] << 8 | (uint64_t)key[7];
    for (size_t i = 0; i < left; i++)
        head |= (uint64_t)key[i] << (56 - 8 * i);
    return head;
}

/* The first slot from low on whose head is not below this one. */
static uint32_t first_head(const struct rkv_tree_node *node, uint32_t low,
                           uint64_t head)
{
    uint32_t left = node->count > low ? node->count - low : 0;

    while (left > 0) {
        uint32_t half = left / 2;
        bool is_below = node->heads[low + half] < head;

        low = is_below ? low + half + 1 : low;
        left = is_below ? left - half - 1 : half;
    }
    return low;
}

static uint32_t common(const uint8_t *a, uint32_t a_len, const uint8_t *b,
                       uint32_t b_len)
{
    uint32_t len = 0;

    while (len < a_len && len < b_len && a[len] == b[len])
        len++;
    return len;
}

/* How a key stands to the prefix that the keys of an edge begin with; 0: it
 * begins with it too. */
static int order_of_prefix(const struct rkv_tree_node *node,
                           const uint8_t *first, const uint8_t *key,
                           size_t key_len)
{
    size_t len = key_len < node->prefix ? key_len : node->prefix;
    int order = len == 0 ? 0 : memcmp(key, first, len);

    if (order == 0 && key_len < node->prefix)
        return -1;
    return order;
}

static bool shares_prefix(const struct rkv_leaf *leaf,
                          const struct rkv_record *record)
{
    return leaf->node.count > 0 &&
           order_of_prefix(&leaf->node, leaf->records[0]->bytes, record->bytes,
                           record->key_len) == 0;
}

/* Of an edge: what its first and last key, or fence, have in common. */
static uint32_t prefix_within(struct rkv_tree_node *node)
{
    if (node->level == 0 && node->count > 0) {
        const struct rkv_leaf *leaf = rkv_as_leaf(node);
        const struct rkv_record *first = leaf->records[0];
        const struct rkv_record *last = leaf->records[node->count - 1];

        return common(first->bytes, first->key_len, last->bytes, last->key_len);
    }
    if (node->level > 0 && node->count > 1) {
        const struct rkv_inner *inner = rkv_as_inner(node);
        const struct rkv_fence *first = inner->fences[1];
        const struct rkv_fence *last = inner->fences[node->count - 1];

        return common(first->bytes, first->len, last->bytes, last->len);
    }
    return 0;
}

static void rebuild_heads(struct rkv_tree_node *node, struct rkv_bounds bounds)
{
    node->is_edge = bounds.low == NULL || bounds.high == NULL;
    node->prefix = node->is_edge ? prefix_within(node)
                                 : common(bounds.low->bytes, bounds.low->len,
                                          bounds.high->bytes, bounds.high->len);
    if (node->level == 0) {
        struct rkv_leaf *leaf = rkv_as_leaf(node);

        for (uint32_t i = 0; i < node->count; i++)
            node->heads[i] = head_of(leaf->records[i]->bytes,
                                     leaf->records[i]->key_len, node->prefix);
    } else {
        struct rkv_inner *inner = rkv_as_inner(node);

        for (uint32_t i = 1; i < node->count; i++)
            node->heads[i] = head_of(inner->fences[i]->bytes,
                                     inner->fences[i]->len, node->prefix);
    }
}

static struct rkv_fence *fence_between(const struct rkv_allocator *a,
                                       const struct rkv_record *left,
                                       const struct rkv_record *right)
{
    struct rkv_fence *fence;
    uint32_t len =
        common(left->bytes, left->key_len, right->bytes, right->key_len);

    fence = rkv_alloc(a, sizeof(*fence) + len + 1);
    if (fence == NULL)
        return NULL;
    fence->len = len + 1;
    memcpy(fence->bytes, right->bytes, len + 1);
    return fence;
}

static int split_leaf(const struct rkv_allocator *a, struct rkv_leaf *left,
                      uint32_t keep, struct rkv_fence **fence,
                      struct rkv_leaf **right)
{
    uint32_t moved = left->node.count - keep;
    struct rkv_leaf *leaf = rkv_leaf_new(a);

    if (leaf == NULL)
        return RKV_ENOMEM;
    *fence = fence_between(a, left->records[keep - 1], left->records[keep]);
    if (*fence == NULL) {
        rkv_release(a, leaf, sizeof(*leaf));
        return RKV_ENOMEM;
    }
    memcpy(leaf->records, &left->records[keep],
           moved * sizeof(leaf->records[0]));
    leaf->node.count = moved;
    leaf->live = left->live >> keep;
    leaf->next = left->next;
    left->node.count = keep;
    left->live &= ((uint64_t)1 << keep) - 1;
    left->next = leaf;
    *right = leaf;
    return RKV_OK;
}

/* The fence in the middle moves up to the parent. */
static int split_inner(const struct rkv_allocator *a, struct rkv_inner *left,
                       uint32_t keep, struct rkv_fence **fence,
                       struct rkv_inner **right)
{
    uint32_t moved = left->node.count - keep;
    struct rkv_inner *inner = rkv_inner_new(a, left->node.level);

    if (inner == NULL)
        return RKV_ENOMEM;
    memcpy(inner->children, &left->children[keep],
           moved * sizeof(inner->children[0]));
    memcpy(inner->fences, &left->fences[keep],
           moved * sizeof(inner->fences[0]));
    memcpy(inner->live, &left->live[keep], moved * sizeof(inner->live[0]));
    inner->node.count = moved;
    left->node.count = keep;
    *fence = inner->fences[0];
    inner->fences[0] = NULL;
    *right = inner;
    return RKV_OK;
}

static uint64_t live_below(struct rkv_tree_node *node)
{
    uint64_t live = 0;

    if (node->level == 0)
        return (uint64_t)__builtin_popcountll(rkv_as_leaf(node)->live);
    for (uint32_t i = 0; i < node->count; i++)
        live += rkv_as_inner(node)->live[i];
    return live;
}

/* The parent's live count of the child that gave places away is settled by
 * the caller. */
static void adopt(struct rkv_inner *parent, uint32_t at,
                  struct rkv_tree_node *child, struct rkv_fence *fence)
{
    size_t behind = parent->node.count - at;

    memmove(&parent->children[at + 1], &parent->children[at],
            behind * sizeof(parent->children[0]));
    memmove(&parent->fences[at + 1], &parent->fences[at],
            behind * sizeof(parent->fences[0]));
    memmove(&parent->live[at + 1], &parent->live[at],
            behind * sizeof(parent->live[0]));
    parent->children[at] = child;
    parent->fences[at] = fence;
    parent->live[at] = live_below(child);
    parent->node.count++;
}

static void disown(struct rkv_inner *parent, uint32_t at)
{
    size_t behind = parent->node.count - at - 1;

    memmove(&parent->children[at], &parent->children[at + 1],
            behind * sizeof(parent->children[0]));
    memmove(&parent->fences[at], &parent->fences[at + 1],
            behind * sizeof(parent->fences[0]));
    memmove(&parent->live[at], &parent->live[at + 1],
            behind * sizeof(parent->live[0]));
    parent->node.count--;
}

static void join_leaves(const struct rkv_allocator *a, struct rkv_inner *parent,
                        uint32_t at)
{
    struct rkv_leaf *to = rkv_as_leaf(parent->children[at]);
    struct rkv_leaf *from = rkv_as_leaf(parent->children[at + 1]);

    if (from->node.count > 0) {
        memcpy(&to->records[to->node.count], from->records,
               from->node.count * sizeof(to->records[0]));
        to->live |= from->live << to->node.count;
    }
    to->node.count += from->node.count;
    to->next = from->next;
    free_fence(a, parent->fences[at + 1]);
}

/* The fence between them comes down from the parent. */
static void join_inners(struct rkv_inner *parent, uint32_t at)
{
    struct rkv_inner *to = rkv_as_inner(parent->children[at]);
    struct rkv_inner *from = rkv_as_inner(parent->children[at + 1]);
    uint32_t count = to->node.count;

    from->fences[0] = parent->fences[at + 1];
    memcpy(&to->children[count], from->children,
           from->node.count * sizeof(to->children[0]));
    memcpy(&to->fences[count], from->fences,
           from->node.count * sizeof(to->fences[0]));
    memcpy(&to->live[count], from->live,
           from->node.count * sizeof(to->live[0]));
    to->node.count += from->node.count;
}

static void free_fence(const struct rkv_allocator *a, struct rkv_fence *fence)
{
    if (fence != NULL)
        rkv_release(a, fence, sizeof(*fence) + fence->len);
}
