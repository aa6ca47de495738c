/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Who watches a key.  Groups of single keys hang in a hash table; groups of
 * ranges in a balanced tree ordered by where they begin, each node knowing
 * who below it reaches furthest.  So a change that nobody watches costs one
 * look at each, however many watchers there are.
 */
#include "room.h"

#include <string.h>

struct side {
    struct rkv_watch_seat *first;
    struct rkv_watch_seat *last;
};

struct rkv_watch_group {
    uint32_t key_len;
    uint32_t end_len;
    uint32_t kind;
    int height;           /* in the tree */
    struct side sides[2]; /* [1]: riders */
    union {
        struct rkv_watch_group *left;
        struct rkv_watch_group *chain; /* single keys with the same hash */
    };
    struct rkv_watch_group *right;
    const struct rkv_watch_group *furthest; /* from here down */
    uint8_t bytes[];                        /* key, then end */
};

static struct rkv_watch_group *find(const struct rkv_watch_index *index,
                                    const struct rkv_span *span);
static struct rkv_watch_group *group_new(const struct rkv_allocator *a,
                                         const struct rkv_span *span);
static int take_seat(struct rkv_watch_index *index, struct rkv_watcher *watcher,
                     const struct rkv_span *span);
static void leave_seat(struct rkv_watch_index *index,
                       struct rkv_watch_seat *seat);
static void join(struct rkv_watch_seat *seat);
static void part(struct rkv_watch_seat *seat);
static int enter(struct rkv_watch_index *index, struct rkv_watch_group *group);
static void leave(struct rkv_watch_index *index, struct rkv_watch_group *group);
static int compare(const struct rkv_span *a, const struct rkv_span *b);
static int compare_group(const struct rkv_span *span,
                         const struct rkv_watch_group *group);
static struct rkv_watch_group *insert(struct rkv_watch_group *node,
                                      struct rkv_watch_group *group);
static struct rkv_watch_group *extract(struct rkv_watch_group *node,
                                       const struct rkv_watch_group *group);

void rkv_watch_index_init(struct rkv_watch_index *index,
                          const struct rkv_allocator *a)
{
    index->allocator = a;
    index->root = NULL;
    index->many = 0;
    rkv_map_init(&index->keys, a);
}

void rkv_watch_index_free(struct rkv_watch_index *index)
{
    rkv_map_free(&index->keys);
}

static struct rkv_span span_of(const struct rkv_watch_group *group)
{
    return (struct rkv_span){
        .key = group->bytes,
        .end = group->bytes + group->key_len,
        .key_len = group->key_len,
        .end_len = group->end_len,
        .kind = group->kind,
    };
}

static size_t size_of(const struct rkv_watch_group *group)
{
    return sizeof(*group) + group->key_len + group->end_len;
}

int rkv_watch_index_add(struct rkv_watch_index *index,
                        struct rkv_watcher *watcher,
                        const struct rkv_span *spans, uint32_t count)
{
    watcher->rides = false;
    watcher->seats_count = 0;
    index->many += count > 1;
    watcher->is_single = count == 1 && spans->kind == RKV_SPAN_ONE;
    for (uint32_t i = 0; i < count; i++) {
        if (take_seat(index, watcher, &spans[i]) == RKV_OK)
            continue;
        index->many -= count > 1;
        while (watcher->seats_count > 0)
            leave_seat(index, &watcher->seats[--watcher->seats_count]);
        return RKV_ENOMEM;
    }
    /* Several that were all the same are one. */
    index->many -= count > 1 && watcher->seats_count == 1;
    watcher->is_single =
        watcher->seats_count == 1 && spans->kind == RKV_SPAN_ONE;
    return RKV_OK;
}

void rkv_watch_index_remove(struct rkv_watch_index *index,
                            struct rkv_watcher *watcher)
{
    index->many -= watcher->seats_count > 1;
    for (uint32_t i = 0; i < watcher->seats_count; i++)
        leave_seat(index, &watcher->seats[i]);
    watcher->seats_count = 0;
}

struct rkv_span rkv_watch_index_span(const struct rkv_watch_seat *seat)
{
    return span_of(seat->group);
}

void rkv_watch_index_turn(struct rkv_watcher *watcher, bool rides)
{
    if (watcher->rides == rides)
        return;
    for (uint32_t i = 0; i < watcher->seats_count; i++)
        part(&watcher->seats[i]);
    watcher->rides = rides;
    for (uint32_t i = 0; i < watcher->seats_count; i++)
        join(&watcher->seats[i]);
}

static int take_seat(struct rkv_watch_index *index, struct rkv_watcher *watcher,
                     const struct rkv_span *span)
{
    struct rkv_watch_seat *seat = &watcher->seats[watcher->seats_count];
    struct rkv_watch_group *group = find(index, span);

    for (uint32_t i = 0; i < watcher->seats_count; i++) {
        if (watcher->seats[i].group == group)
            return RKV_OK;
    }
    if (group == NULL) {
        group = group_new(index->allocator, span);
        if (group == NULL)
            return RKV_ENOMEM;
        if (enter(index, group) < 0) {
            rkv_release(index->allocator, group, size_of(group));
            return RKV_ENOMEM;
        }
    }
    *seat = (struct rkv_watch_seat){.watcher = watcher, .group = group};
    watcher->seats_count++;
    join(seat);
    return RKV_OK;
}

static void leave_seat(struct rkv_watch_index *index,
                       struct rkv_watch_seat *seat)
{
    struct rkv_watch_group *group = seat->group;

    part(seat);
    if (group->sides[0].first == NULL && group->sides[1].first == NULL) {
        leave(index, group);
        rkv_release(index->allocator, group, size_of(group));
    }
}

static struct side *side_of(const struct rkv_watch_seat *seat)
{
    return &seat->group->sides[seat->watcher->rides];
}

static void join(struct rkv_watch_seat *seat)
{
    struct side *side = side_of(seat);

    seat->next = NULL;
    seat->prev = side->last;
    if (side->last != NULL)
        side->last->next = seat;
    else
        side->first = seat;
    side->last = seat;
}

static void part(struct rkv_watch_seat *seat)
{
    struct side *side = side_of(seat);

    if (seat->prev != NULL)
        seat->prev->next = seat->next;
    else
        side->first = seat->next;
    if (seat->next != NULL)
        seat->next->prev = seat->prev;
    else
        side->last = seat->prev;
}

/* The key that was changed, and whom to call. */
struct call {
    const void *key;
    size_t key_len;
    bool riders;
    rkv_watch_tell *tell;
    void *ctx;
};

static void tell_all(const struct rkv_watch_group *group,
                     const struct call *call)
{
    struct rkv_watch_seat *next;

    /* Who is told may change sides, in all its groups, but has one seat in
     * each. */
    for (struct rkv_watch_seat *s = group->sides[call->riders].first; s != NULL;
         s = next) {
        next = s->next;
        call->tell(call->ctx, s->watcher);
    }
}

/* Whether the range goes on behind this key. */
static bool reaches(const struct rkv_watch_group *group, const void *key,
                    size_t key_len)
{
    return group->kind == RKV_SPAN_FROM ||
           rkv_bytes_compare(key, key_len, group->bytes + group->key_len,
                             group->end_len) < 0;
}

/* As deep as the tree is high: balanced, so a few dozen calls. */
static void match_ranges(const struct rkv_watch_group *node,
                         const struct call *call)
{
    while (node != NULL && reaches(node->furthest, call->key, call->key_len)) {
        match_ranges(node->left, call);
        if (rkv_bytes_compare(node->bytes, node->key_len, call->key,
                              call->key_len) > 0)
            return;
        if (reaches(node, call->key, call->key_len))
            tell_all(node, call);
        node = node->right;
    }
}

void rkv_watch_index_match(const struct rkv_watch_index *index, const void *key,
                           size_t key_len, bool riders, rkv_watch_tell *tell,
                           void *ctx)
{
    struct rkv_span one = rkv_span_of(key, key_len, NULL, 0);
    struct call call = {key, key_len, riders, tell, ctx};
    const struct rkv_watch_group *group;

    /* Watchers of one key alone do not ride. */
    if ((!riders || index->many > 0) && index->keys.count > 0) {
        group = find(index, &one);
        if (group != NULL)
            tell_all(group, &call);
    }
    match_ranges(index->root, &call);
}

static uint64_t hash_of(const struct rkv_span *span)
{
    return rkv_hash64(0, span->key, span->key_len);
}

static struct rkv_watch_group *find(const struct rkv_watch_index *index,
                                    const struct rkv_span *span)
{
    struct rkv_watch_group *group;
    int order;

    if (span->kind == RKV_SPAN_ONE) {
        group = rkv_map_get(&index->keys, hash_of(span));
        while (group != NULL && compare_group(span, group) != 0)
            group = group->chain;
        return group;
    }
    group = index->root;
    while (group != NULL && (order = compare_group(span, group)) != 0)
        group = order < 0 ? group->left : group->right;
    return group;
}

static struct rkv_watch_group *group_new(const struct rkv_allocator *a,
                                         const struct rkv_span *span)
{
    struct rkv_watch_group *group =
        rkv_alloc(a, sizeof(*group) + span->key_len + span->end_len);

    if (group == NULL)
        return NULL;
    *group = (struct rkv_watch_group){
        .key_len = span->key_len,
        .end_len = span->end_len,
        .kind = span->kind,
        .height = 1,
    };
    memcpy(group->bytes, span->key, span->key_len);
    if (span->end_len > 0)
        memcpy(group->bytes + span->key_len, span->end, span->end_len);
    group->furthest = group;
    return group;
}

static int enter(struct rkv_watch_index *index, struct rkv_watch_group *group)
{
    struct rkv_span span = span_of(group);
    uint64_t hash;

    if (group->kind != RKV_SPAN_ONE) {
        index->root = insert(index->root, group);
        return RKV_OK;
    }
    hash = hash_of(&span);
    group->chain = rkv_map_get(&index->keys, hash);
    return rkv_map_set(&index->keys, hash, group);
}

static void leave(struct rkv_watch_index *index, struct rkv_watch_group *group)
{
    struct rkv_span span = span_of(group);
    struct rkv_watch_group *first;
    uint64_t hash;

    if (group->kind != RKV_SPAN_ONE) {
        index->root = extract(index->root, group);
        return;
    }
    hash = hash_of(&span);
    first = rkv_map_get(&index->keys, hash);
    if (first != group) {
        while (first->chain != group)
            first = first->chain;
        first->chain = group->chain;
        return;
    }
    /* What has just been taken out leaves room for what goes in. */
    (void)rkv_map_remove(&index->keys, hash);
    if (group->chain != NULL)
        (void)rkv_map_set(&index->keys, hash, group->chain);
}

/* By where they begin, then by where they end: open ranges last. */
static int compare(const struct rkv_span *a, const struct rkv_span *b)
{
    int order = rkv_bytes_compare(a->key, a->key_len, b->key, b->key_len);

    if (order == 0)
        order = (a->kind > b->kind) - (a->kind < b->kind);
    if (order == 0 && a->kind == RKV_SPAN_UNTIL)
        order = rkv_bytes_compare(a->end, a->end_len, b->end, b->end_len);
    return order;
}

static int compare_group(const struct rkv_span *span,
                         const struct rkv_watch_group *group)
{
    struct rkv_span other = span_of(group);

    return compare(span, &other);
}

static int height_of(const struct rkv_watch_group *node)
{
    return node == NULL ? 0 : node->height;
}

static const struct rkv_watch_group *
further(const struct rkv_watch_group *a, const struct rkv_watch_group *below)
{
    if (below == NULL || a->kind == RKV_SPAN_FROM)
        return a;
    below = below->furthest;
    return reaches(below, a->bytes + a->key_len, a->end_len) ? below : a;
}

static void update(struct rkv_watch_group *node)
{
    int left = height_of(node->left), right = height_of(node->right);

    node->height = 1 + (left > right ? left : right);
    node->furthest = further(further(node, node->left), node->right);
}

static struct rkv_watch_group *rotate_right(struct rkv_watch_group *node)
{
    struct rkv_watch_group *up = node->left;

    node->left = up->right;
    up->right = node;
    update(node);
    update(up);
    return up;
}

static struct rkv_watch_group *rotate_left(struct rkv_watch_group *node)
{
    struct rkv_watch_group *up = node->right;

    node->right = up->left;
    up->left = node;
    update(node);
    update(up);
    return up;
}

/* Keeps the two sides within one level of each other. */
static struct rkv_watch_group *balance(struct rkv_watch_group *node)
{
    int lean = height_of(node->left) - height_of(node->right);

    if (lean > 1) {
        if (height_of(node->left->left) < height_of(node->left->right))
            node->left = rotate_left(node->left);
        return rotate_right(node);
    }
    if (lean < -1) {
        if (height_of(node->right->right) < height_of(node->right->left))
            node->right = rotate_right(node->right);
        return rotate_left(node);
    }
    update(node);
    return node;
}

static struct rkv_watch_group *insert(struct rkv_watch_group *node,
                                      struct rkv_watch_group *group)
{
    struct rkv_span span = span_of(group);

    if (node == NULL)
        return group;
    if (compare_group(&span, node) < 0)
        node->left = insert(node->left, group);
    else
        node->right = insert(node->right, group);
    return balance(node);
}

static struct rkv_watch_group *extract_first(struct rkv_watch_group *node,
                                             struct rkv_watch_group **first)
{
    if (node->left == NULL) {
        *first = node;
        return node->right;
    }
    node->left = extract_first(node->left, first);
    return balance(node);
}

static struct rkv_watch_group *extract(struct rkv_watch_group *node,
                                       const struct rkv_watch_group *group)
{
    struct rkv_span span = span_of(group);
    struct rkv_watch_group *next;
    int order = compare_group(&span, node);

    if (order < 0) {
        node->left = extract(node->left, group);
    } else if (order > 0) {
        node->right = extract(node->right, group);
    } else if (node->right == NULL) {
        return node->left;
    } else {
        struct rkv_watch_group *right = extract_first(node->right, &next);

        next->left = node->left;
        next->right = right;
        node = next;
    }
    return balance(node);
}
