/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hall of the node.  A write on its way through the house:
 *
 *     rkv_node_propose   request.c   a place in the leader's log
 *     rkv_pump           pump.c      messages to peers, entries to the disk
 *     next_frame         outbox.c    one frame per peer
 *     flush              flush.c     one write for all groups (job.c)
 *     receive            inbox.c     the peers' acknowledgements
 *     next_event         apply.c     committed: applied, answered
 *
 * Leases end by clock.c, and the past by history.c.  Snapshots are taken in
 * snapshot.c and travel in fetch.c; boot.c begins a life; hub.c shares one
 * store, disk and wire among many nodes.
 */
#include <string.h>

#include "../base/options.h"
#include "line.h"

/* ---- options ---- */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value != 0 ? value : otherwise;
}

/* What a node says twice must be what its hub said. */
static bool agrees(uint64_t here, uint64_t hub)
{
    return here == 0 || here == hub;
}

/* An append must fit a frame, with what is around each entry: it carries
 * append_bytes_max of payload, or a single larger entry. */
static int fit_frame(rkv_node *node)
{
    struct rkv_raft_options *raft = &node->raft_options;
    uint64_t around = 32 * (uint64_t)raft->append_entries_max + 1024;
    uint64_t frame = node->hub->frame_bytes_max;

    if (frame < around + node->options.request_bytes_max)
        return rkv_hub_refuse(
            node->hub, RKV_EINVAL,
            "frame_bytes_max is %llu, but a command of "
            "request_bytes_max needs %llu",
            (unsigned long long)frame,
            (unsigned long long)(around + node->options.request_bytes_max));
    if (raft->append_bytes_max > frame - around)
        raft->append_bytes_max = frame - around;
    return RKV_OK;
}

static int take_raft_options(rkv_node *node)
{
    struct rkv_raft_options *raft = &node->raft_options;
    int rc = rkv_options(raft, sizeof *raft, node->options.raft);

    if (rc != RKV_OK)
        return rc;
    raft->id = node->options.id;
    raft->seed = node->options.seed;
    raft->election_ticks = (uint32_t)or_default(raft->election_ticks, 1000);
    raft->heartbeat_ticks = (uint32_t)or_default(raft->heartbeat_ticks, 100);
    raft->members_max = (uint32_t)or_default(raft->members_max, 16);
    raft->append_entries_max =
        (uint32_t)or_default(raft->append_entries_max, 1024);
    raft->entries_max = (uint32_t)or_default(raft->entries_max, 1 << 20);
    raft->append_bytes_max = or_default(raft->append_bytes_max, 1 << 20);
    raft->uncommitted_bytes_max =
        or_default(raft->uncommitted_bytes_max, 64 << 20);
    raft->allocator = &node->hub->allocator;
    return fit_frame(node);
}

static int take_options(rkv_node *node, const struct rkv_node_options *given)
{
    struct rkv_node_options *o = &node->options;
    int rc = rkv_options(o, sizeof *o, given);

    if (rc != RKV_OK)
        return rc;
    if (!agrees(o->cluster, node->hub->cluster) ||
        !agrees(o->id, node->hub->id) ||
        !agrees(o->frame_bytes_max, node->hub->frame_bytes_max) ||
        !agrees(o->outbox_bytes_max, node->hub->outbox_bytes_max) ||
        o->reserved != 0 || (o->flags & ~(uint32_t)RKV_NODE_KEEP_HISTORY) != 0)
        return RKV_EINVAL;
    o->cluster = node->hub->cluster;
    o->id = node->hub->id;
    o->requests_max = (uint32_t)or_default(o->requests_max, 65536);
    o->request_bytes_max = or_default(o->request_bytes_max, 3 << 19);
    o->cache_bytes_max = or_default(o->cache_bytes_max, 8 << 20);
    o->snapshot_entries = or_default(o->snapshot_entries, 10000);
    o->snapshot_bytes = or_default(o->snapshot_bytes, 16 << 20);
    o->snapshot_keep = or_default(o->snapshot_keep, 5000);
    o->snapshot_chunk_bytes = or_default(o->snapshot_chunk_bytes, 256 << 10);
    o->tick_ms = (uint32_t)or_default(o->tick_ms, 1);
    o->history_revisions = or_default(o->history_revisions, 100000);
    o->history_ms = or_default(o->history_ms, 3600000);
    node->group = o->group;
    rc = take_raft_options(node);
    if (rc == RKV_OK)
        rc = rkv_options(&node->kv_options, sizeof node->kv_options, o->kv);
    if (rc != RKV_OK)
        return rc;
    node->kv_options.allocator = &node->hub->allocator;
    o->request_ticks = (uint32_t)or_default(
        o->request_ticks, 5 * (uint64_t)node->raft_options.election_ticks);
    /* The first chunk of a snapshot holds the whole configuration. */
    if (o->snapshot_chunk_bytes < RKV_MEMBERS_MAX * (RKV_ADDRESS_MAX + 32) ||
        o->snapshot_chunk_bytes + 4096 > node->hub->frame_bytes_max)
        return RKV_EINVAL;
    return RKV_OK;
}

/* ---- a life ---- */

/* Where its group is, or would be. */
static size_t place_of(const rkv_hub *hub, uint64_t group)
{
    size_t low = 0, high = hub->nodes_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (hub->nodes[middle]->group < group)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int join_hub(rkv_node *node)
{
    rkv_hub *hub = node->hub;
    void *nodes = hub->nodes;
    size_t at = place_of(hub, node->group);

    if (rkv_map_get(&hub->groups, node->group) != NULL)
        return RKV_EEXIST;
    if (hub->nodes_count == hub->groups_max)
        return RKV_EBUSY;
    if (rkv_grow(&hub->allocator, &nodes, &hub->nodes_cap, hub->nodes_count + 1,
                 sizeof(rkv_node *)) != RKV_OK)
        return RKV_ENOMEM;
    hub->nodes = nodes;
    if (rkv_map_set(&hub->groups, node->group, node) != RKV_OK)
        return RKV_ENOMEM;
    if (rkv_due_enter(node) != RKV_OK) {
        (void)rkv_map_remove(&hub->groups, node->group);
        return RKV_ENOMEM;
    }
    memmove(&hub->nodes[at + 1], &hub->nodes[at],
            (hub->nodes_count - at) * sizeof(rkv_node *));
    hub->nodes[at] = node;
    hub->nodes_count++;
    return RKV_OK;
}

static void leave_hub(rkv_node *node)
{
    rkv_hub *hub = node->hub;
    size_t at = place_of(hub, node->group);

    if (at == hub->nodes_count || hub->nodes[at] != node)
        return;
    (void)rkv_map_remove(&hub->groups, node->group);
    rkv_due_leave(node);
    hub->nodes_count--;
    memmove(&hub->nodes[at], &hub->nodes[at + 1],
            (hub->nodes_count - at) * sizeof(rkv_node *));
    hub->turn_taken = 0;
}

/* Where appends of any group are decoded: as wide as the widest asks. */
static int widen_room(rkv_hub *hub, uint32_t cap)
{
    struct rkv_message_room *room = &hub->room;
    void *entries, *records;

    if (cap <= room->cap)
        return RKV_OK;
    entries = rkv_alloc(&hub->allocator, cap * sizeof *room->entries);
    records = rkv_alloc(&hub->allocator, cap * sizeof *room->records);
    if (entries == NULL || records == NULL) {
        rkv_release(&hub->allocator, entries, cap * sizeof *room->entries);
        rkv_release(&hub->allocator, records, cap * sizeof *room->records);
        return RKV_ENOMEM;
    }
    rkv_release(&hub->allocator, room->entries,
                room->cap * sizeof *room->entries);
    rkv_release(&hub->allocator, room->records,
                room->cap * sizeof *room->records);
    room->entries = entries;
    room->records = records;
    room->cap = cap;
    return RKV_OK;
}

static void init_buffers(rkv_node *node)
{
    const struct rkv_allocator *a = &node->hub->allocator;

    rkv_buffer_init(&node->scratch, a);
    rkv_buffer_init(&node->taking.config, a);
    rkv_buffer_init(&node->taking.chunk, a);
    rkv_buffer_init(&node->fetching.config, a);
    rkv_buffer_init(&node->fetching.chunk, a);
    for (uint32_t i = 0; i < RKV_ERRANDS_MAX; i++)
        rkv_buffer_init(&node->errands[i].bytes, a);
    rkv_requests_init(node);
}

int rkv_hub_node(rkv_hub *hub, const struct rkv_node_options *options,
                 rkv_node **out)
{
    rkv_node *node;
    int rc;

    if (hub == NULL || options == NULL || out == NULL)
        return RKV_EINVAL;
    *out = NULL;
    if (hub->failed)
        return RKV_EFAILED;
    /* Opening reads the store, and that has one caller at a time. */
    if (hub->job.out)
        return RKV_ESTATE;
    node = rkv_alloc_zeroed(&hub->allocator, sizeof *node);
    if (node == NULL)
        return RKV_ENOMEM;
    node->hub = hub;
    init_buffers(node);
    rc = take_options(node, options);
    if (rc == RKV_OK)
        rc = widen_room(hub, node->raft_options.append_entries_max);
    if (rc == RKV_OK)
        rc = rkv_recorder_open(&node->recorder, &hub->allocator,
                               node->options.recorder_bytes);
    if (rc == RKV_OK)
        rc = join_hub(node);
    if (rc == RKV_OK)
        rc = rkv_node_boot(node);
    if (rc == RKV_OK)
        *out = node;
    else
        rkv_node_close(node);
    return rc;
}

/* A node that was never born, to carry its hub's last words. */
static rkv_node *make_mourner(rkv_hub *hub, int code)
{
    rkv_node *node;

    if (hub->errmsg[0] == '\0')
        return NULL;
    node = rkv_alloc_zeroed(&hub->allocator, sizeof *node);
    if (node == NULL)
        return NULL;
    node->hub = hub;
    init_buffers(node);
    (void)rkv_hub_poison(hub, code);
    return node;
}

int rkv_node_open(const struct rkv_node_options *given, rkv_store *store,
                  rkv_node **out)
{
    struct rkv_node_options options;
    struct rkv_hub_options hub_options = {.size = sizeof hub_options,
                                          .groups_max = 1};
    rkv_hub *hub = NULL;
    int rc;

    if (out == NULL || given == NULL)
        return RKV_EINVAL;
    *out = NULL;
    rc = rkv_options(&options, sizeof options, given);
    if (rc != RKV_OK)
        return rc;
    hub_options.cluster = options.cluster;
    hub_options.id = options.id;
    hub_options.frame_bytes_max = options.frame_bytes_max;
    hub_options.outbox_bytes_max = options.outbox_bytes_max;
    hub_options.allocator = options.allocator;
    rc = rkv_hub_open(&hub_options, store, &hub);
    if (rc == RKV_OK)
        rc = rkv_hub_node(hub, &options, out);
    if (rc != RKV_OK && hub != NULL)
        *out = make_mourner(hub, rc);
    if (*out == NULL)
        rkv_hub_close(hub);
    else
        (*out)->owns_hub = true;
    return rc;
}

static void free_errands(rkv_node *node)
{
    for (uint32_t i = 0; i < RKV_ERRANDS_MAX; i++) {
        rkv_buffer_free(&node->errands[i].bytes);
        rkv_release(&node->hub->allocator, node->errands[i].entries,
                    node->errands[i].entries_cap * sizeof(struct rkv_entry));
    }
}

void rkv_node_bury(rkv_node *node)
{
    const struct rkv_allocator *a = &node->hub->allocator;

    rkv_node_unload(node);
    rkv_kv_free(node->kv);
    (void)rkv_members_set(node, NULL, 0);
    rkv_release(a, node->members, node->members_cap * sizeof *node->members);
    rkv_release(a, node->unwritten,
                node->unwritten_cap * sizeof *node->unwritten);
    rkv_release(a, node->writing, node->writing_cap * sizeof *node->writing);
    rkv_release(a, node->origins, node->origins_cap * sizeof *node->origins);
    rkv_release(a, node->events, node->events_cap * sizeof *node->events);
    rkv_buffer_free(&node->scratch);
    rkv_buffer_free(&node->taking.config);
    rkv_buffer_free(&node->taking.chunk);
    rkv_buffer_free(&node->fetching.config);
    rkv_buffer_free(&node->fetching.chunk);
    free_errands(node);
    rkv_recorder_close(&node->recorder, a);
    rkv_release(a, node, sizeof *node);
}

/* What the job holds stays until that has ended; then it is buried. */
void rkv_node_close(rkv_node *node)
{
    rkv_hub *hub, *owned;

    if (node == NULL)
        return;
    hub = node->hub;
    owned = node->owns_hub ? hub : NULL;
    leave_hub(node);
    if (node->kv != NULL)
        rkv_kv_hang(node->kv, NULL, NULL);
    rkv_requests_free(node);
    if (owned == NULL && node->in_job) {
        rkv_lines_leave(node);
        node->closed = true;
        return;
    }
    rkv_node_bury(node);
    if (owned != NULL) {
        owned->job.tasks_count = 0;
        rkv_hub_close(owned);
    }
}

/* ---- a node alone is its hub under another name ---- */

int rkv_node_receive(rkv_node *node, uint64_t now, const void *frame,
                     size_t len)
{
    return node == NULL ? RKV_EINVAL
                        : rkv_hub_receive(node->hub, now, frame, len);
}

int rkv_node_tick(rkv_node *node, uint64_t now)
{
    return node == NULL ? RKV_EINVAL : rkv_hub_tick(node->hub, now);
}

uint64_t rkv_node_deadline(const rkv_node *node)
{
    return node == NULL ? UINT64_MAX : rkv_hub_deadline(node->hub);
}

int rkv_node_unreachable(rkv_node *node, uint64_t peer)
{
    return node == NULL ? RKV_EINVAL : rkv_hub_unreachable(node->hub, peer);
}

int rkv_node_dead(rkv_node *node, uint64_t peer)
{
    return node == NULL ? RKV_EINVAL : rkv_hub_dead(node->hub, peer);
}

int rkv_node_flush(rkv_node *node, uint64_t now)
{
    return node == NULL ? RKV_EINVAL : rkv_hub_flush(node->hub, now);
}

int rkv_node_flush_begin(rkv_node *node, uint64_t now, rkv_job **job)
{
    return node == NULL || job == NULL
               ? RKV_EINVAL
               : rkv_hub_flush_begin(node->hub, now, job);
}

int rkv_node_flush_end(rkv_node *node, uint64_t now, rkv_job *job)
{
    return node == NULL || job == NULL ? RKV_EINVAL
                                       : rkv_hub_flush_end(node->hub, now, job);
}

int rkv_node_next_frame(rkv_node *node, const struct rkv_frame **frame)
{
    return node == NULL || frame == NULL ? RKV_EINVAL
                                         : rkv_hub_next_frame(node->hub, frame);
}

int rkv_node_next_event(rkv_node *node, const struct rkv_event **event)
{
    return node == NULL || event == NULL ? RKV_EINVAL
                                         : rkv_hub_next_event(node->hub, event);
}
