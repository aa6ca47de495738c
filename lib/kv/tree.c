/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The tree from each key to its newest record: a B+tree whose full nodes are
 * split on the way down, so that a split never has to travel up, and whose
 * nodes at the right edge are split near their end, so that keys that come in
 * order leave full nodes behind.  Nodes that run empty are joined with a
 * neighbour; in the state only sweeping after a compaction takes keys away.
 */
#include "node.h"

struct step {
    struct rkv_inner *inner;
    uint32_t at;
    struct rkv_bounds bounds; /* of inner */
};

struct path {
    struct step steps[RKV_TREE_HEIGHT_MAX];
    size_t count;
    struct rkv_leaf *leaf;
};

/* Below this a node looks for a neighbour to join. */
enum { JOIN_BELOW = 16, JOINED_MAX = 48 };

static int put(struct rkv_tree *tree, struct rkv_record *record);
static void descend(const struct rkv_tree *tree, const uint8_t *key,
                    size_t key_len, struct path *path);
static int descend_splitting(struct rkv_tree *tree, const uint8_t *key,
                             size_t key_len, struct path *path);
static int split_child(struct rkv_tree *tree, struct rkv_inner *inner,
                       uint32_t at, struct rkv_bounds bounds,
                       const uint8_t *key, size_t key_len);
static int raise_root(struct rkv_tree *tree);
static void count_live(struct rkv_tree *tree, const struct path *path, bool was,
                       bool is);
static void join_thin(struct rkv_tree *tree, const struct path *path);
static void skip_dead(const struct rkv_tree *tree,
                      struct rkv_tree_place *place);
static void lower_root(struct rkv_tree *tree);

void rkv_tree_init(struct rkv_tree *tree, const struct rkv_allocator *a)
{
    *tree = (struct rkv_tree){.allocator = a};
}

void rkv_tree_free(struct rkv_tree *tree)
{
    if (tree->root != NULL)
        rkv_node_free(tree->allocator, tree->root);
    tree->root = NULL;
}

/* A search will look at some of the heads in a row that depends on what it
 * finds: all of them are fetched at once instead. */
static void prefetch(const struct rkv_tree_node *node)
{
    const uint8_t *at = (const uint8_t *)node;

    for (size_t i = 0; i < sizeof(*node); i += 64)
        __builtin_prefetch(at + i);
}

static struct rkv_leaf *leaf_of(const struct rkv_tree *tree, const uint8_t *key,
                                size_t key_len)
{
    struct rkv_tree_node *node = tree->root;

    while (node->level > 0) {
        struct rkv_inner *inner = rkv_as_inner(node);

        node = inner->children[rkv_inner_slot(inner, key, key_len)];
        prefetch(node);
    }
    return rkv_as_leaf(node);
}

struct rkv_tree_spot rkv_tree_find(const struct rkv_tree *tree, const void *key,
                                   size_t key_len)
{
    struct rkv_tree_spot spot = {NULL, NULL, 0};
    bool exact;

    if (tree->root == NULL)
        return spot;
    spot.leaf = leaf_of(tree, key, key_len);
    spot.slot = rkv_leaf_slot(spot.leaf, key, key_len, &exact);
    if (exact)
        spot.record = spot.leaf->records[spot.slot];
    return spot;
}

int rkv_tree_put(struct rkv_tree *tree, struct rkv_record *record,
                 struct rkv_tree_spot spot)
{
    bool is_live = rkv_record_is_live(record);

    if (spot.record != NULL && spot.leaf != NULL &&
        rkv_record_is_live(spot.record) == is_live) {
        spot.leaf->records[spot.slot] = record;
        return RKV_OK;
    }
    return put(tree, record);
}

void rkv_tree_remove(struct rkv_tree *tree, const struct rkv_record *record)
{
    struct path path;
    uint32_t slot;
    bool exact;

    descend(tree, record->bytes, record->key_len, &path);
    slot = rkv_leaf_slot(path.leaf, record->bytes, record->key_len, &exact);
    count_live(tree, &path, (path.leaf->live >> slot & 1) != 0, false);
    rkv_leaf_remove(path.leaf, slot);
    join_thin(tree, &path);
    lower_root(tree);
}

struct rkv_tree_place rkv_tree_seek(const struct rkv_tree *tree,
                                    const void *key, size_t key_len)
{
    struct rkv_tree_place place = {NULL, 0};
    bool exact;

    if (tree->root == NULL)
        return place;
    place.leaf = leaf_of(tree, key, key_len);
    place.slot = rkv_leaf_slot(place.leaf, key, key_len, &exact);
    return place;
}

struct rkv_record *rkv_tree_next(struct rkv_tree_place *place)
{
    while (place->leaf != NULL) {
        if (place->slot < place->leaf->node.count)
            return place->leaf->records[place->slot++];
        place->leaf = place->leaf->next;
        place->slot = 0;
    }
    return NULL;
}

/* One leaf without a live key may be chance; where there is one more, there
 * may be thousands, so the counts lead past all of them. */
struct rkv_record *rkv_tree_next_live(const struct rkv_tree *tree,
                                      struct rkv_tree_place *place)
{
    while (place->leaf != NULL) {
        if (place->slot < place->leaf->node.count) {
            uint64_t rest = place->leaf->live >> place->slot;

            if (rest != 0) {
                place->slot += (uint32_t)__builtin_ctzll(rest);
                return place->leaf->records[place->slot++];
            }
        }
        place->leaf = place->leaf->next;
        place->slot = 0;
        if (place->leaf != NULL && place->leaf->live == 0)
            skip_dead(tree, place);
    }
    return NULL;
}

struct rkv_tree_place rkv_tree_select(const struct rkv_tree *tree,
                                      uint64_t rank)
{
    struct rkv_tree_node *node = tree->root;
    uint64_t live;

    while (node->level > 0) {
        struct rkv_inner *inner = rkv_as_inner(node);
        uint32_t at = 0;

        for (; rank >= inner->live[at]; at++)
            rank -= inner->live[at];
        node = inner->children[at];
    }
    for (live = rkv_as_leaf(node)->live; rank > 0; rank--)
        live &= live - 1;
    return (struct rkv_tree_place){rkv_as_leaf(node),
                                   (uint32_t)__builtin_ctzll(live)};
}

/* From the beginning of a leaf without a live key to the next one that has
 * some. */
static void skip_dead(const struct rkv_tree *tree, struct rkv_tree_place *place)
{
    const struct rkv_record *first = place->leaf->records[0];
    uint64_t rank;

    if (place->leaf->node.count == 0)
        return;
    rank = rkv_tree_rank(tree, first->bytes, first->key_len);
    *place = rank < tree->live ? rkv_tree_select(tree, rank)
                               : (struct rkv_tree_place){NULL, 0};
}

uint64_t rkv_tree_rank(const struct rkv_tree *tree, const void *key,
                       size_t key_len)
{
    struct rkv_tree_node *node = tree->root;
    uint64_t rank = 0, below;
    uint32_t slot;
    bool exact;

    if (node == NULL)
        return 0;
    while (node->level > 0) {
        struct rkv_inner *inner = rkv_as_inner(node);
        uint32_t at = rkv_inner_slot(inner, key, key_len);

        for (uint32_t i = 0; i < at; i++)
            rank += inner->live[i];
        node = inner->children[at];
    }
    slot = rkv_leaf_slot(rkv_as_leaf(node), key, key_len, &exact);
    below = slot == RKV_NODE_MAX ? UINT64_MAX : ((uint64_t)1 << slot) - 1;
    return rank +
           (uint64_t)__builtin_popcountll(rkv_as_leaf(node)->live & below);
}

static int put(struct rkv_tree *tree, struct rkv_record *record)
{
    bool is_live = rkv_record_is_live(record);
    struct path path;
    uint32_t slot;
    bool exact, was_live;
    uint64_t bit;

    if (tree->root == NULL) {
        struct rkv_leaf *leaf = rkv_leaf_new(tree->allocator);

        if (leaf == NULL)
            return RKV_ENOMEM;
        tree->root = &leaf->node;
    }
    descend(tree, record->bytes, record->key_len, &path);
    slot = rkv_leaf_slot(path.leaf, record->bytes, record->key_len, &exact);
    if (exact) {
        bit = (uint64_t)1 << slot;
        was_live = (path.leaf->live & bit) != 0;
        path.leaf->records[slot] = record;
        path.leaf->live =
            is_live ? path.leaf->live | bit : path.leaf->live & ~bit;
        count_live(tree, &path, was_live, is_live);
        return RKV_OK;
    }
    if (path.leaf->node.count == RKV_NODE_MAX) {
        if (descend_splitting(tree, record->bytes, record->key_len, &path) < 0)
            return RKV_ENOMEM;
        slot = rkv_leaf_slot(path.leaf, record->bytes, record->key_len, &exact);
    }
    rkv_leaf_insert(path.leaf, slot, record);
    count_live(tree, &path, false, is_live);
    return RKV_OK;
}

static void descend(const struct rkv_tree *tree, const uint8_t *key,
                    size_t key_len, struct path *path)
{
    struct rkv_tree_node *node = tree->root;
    struct rkv_bounds bounds = {NULL, NULL};

    path->count = 0;
    while (node->level > 0) {
        struct step *step = &path->steps[path->count++];

        step->inner = rkv_as_inner(node);
        step->at = rkv_inner_slot(step->inner, key, key_len);
        step->bounds = bounds;
        bounds = rkv_inner_bounds(step->inner, step->at, bounds);
        node = step->inner->children[step->at];
    }
    path->leaf = rkv_as_leaf(node);
}

static int descend_splitting(struct rkv_tree *tree, const uint8_t *key,
                             size_t key_len, struct path *path)
{
    struct rkv_bounds bounds = {NULL, NULL};
    struct rkv_tree_node *node;

    if (tree->root->count == RKV_NODE_MAX && raise_root(tree) < 0)
        return RKV_ENOMEM;
    node = tree->root;
    path->count = 0;
    while (node->level > 0) {
        struct step *step = &path->steps[path->count++];
        struct rkv_inner *inner = rkv_as_inner(node);
        uint32_t at = rkv_inner_slot(inner, key, key_len);

        if (inner->children[at]->count == RKV_NODE_MAX) {
            if (split_child(tree, inner, at, bounds, key, key_len) < 0)
                return RKV_ENOMEM;
            at = rkv_inner_slot(inner, key, key_len);
        }
        *step = (struct step){inner, at, bounds};
        bounds = rkv_inner_bounds(inner, at, bounds);
        node = inner->children[at];
    }
    path->leaf = rkv_as_leaf(node);
    return RKV_OK;
}

static int split_child(struct rkv_tree *tree, struct rkv_inner *inner,
                       uint32_t at, struct rkv_bounds bounds,
                       const uint8_t *key, size_t key_len)
{
    struct rkv_tree_node *child = inner->children[at];
    bool is_edge = bounds.high == NULL && at + 1 == inner->node.count;
    uint32_t slot, keep = RKV_NODE_MAX / 2;
    bool exact;

    if (child->level == 0)
        slot = rkv_leaf_slot(rkv_as_leaf(child), key, key_len, &exact);
    else
        slot = rkv_inner_slot(rkv_as_inner(child), key, key_len) + 1;
    if (is_edge && slot == RKV_NODE_MAX)
        keep = RKV_NODE_MAX - 1;
    return rkv_inner_split(tree->allocator, inner, at, keep, bounds);
}

static int raise_root(struct rkv_tree *tree)
{
    struct rkv_inner *root =
        rkv_inner_new(tree->allocator, tree->root->level + 1);

    if (root == NULL)
        return RKV_ENOMEM;
    root->children[0] = tree->root;
    root->live[0] = tree->live;
    root->node.count = 1;
    tree->root = &root->node;
    return RKV_OK;
}

static void count_live(struct rkv_tree *tree, const struct path *path, bool was,
                       bool is)
{
    uint64_t change = (uint64_t)is - (uint64_t)was;

    if (change == 0)
        return;
    tree->live += change;
    for (size_t i = 0; i < path->count; i++)
        path->steps[i].inner->live[path->steps[i].at] += change;
}

static bool may_join(const struct rkv_inner *inner, uint32_t at)
{
    uint32_t left = inner->children[at]->count;
    uint32_t right = inner->children[at + 1]->count;
    uint32_t max = left == 0 || right == 0 ? RKV_NODE_MAX : JOINED_MAX;

    return left + right <= max;
}

static void join_thin(struct rkv_tree *tree, const struct path *path)
{
    for (size_t i = path->count; i-- > 0;) {
        const struct step *step = &path->steps[i];
        struct rkv_inner *inner = step->inner;

        if (inner->children[step->at]->count >= JOIN_BELOW)
            return;
        if (step->at + 1 < inner->node.count && may_join(inner, step->at))
            rkv_inner_join(tree->allocator, inner, step->at, step->bounds);
        else if (step->at > 0 && may_join(inner, step->at - 1))
            rkv_inner_join(tree->allocator, inner, step->at - 1, step->bounds);
    }
}

static void lower_root(struct rkv_tree *tree)
{
    while (tree->root->level > 0 && tree->root->count == 1) {
        struct rkv_inner *root = rkv_as_inner(tree->root);

        tree->root = root->children[0];
        rkv_release(tree->allocator, root, sizeof(*root));
    }
    if (tree->root->level == 0 && tree->root->count == 0) {
        rkv_release(tree->allocator, tree->root, sizeof(struct rkv_leaf));
        tree->root = NULL;
    }
}
