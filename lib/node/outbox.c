/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Frames on their way out.  Parts of all groups for one peer share a frame, so
 * a host pays one send per peer and flush; a frame is closed when it is full
 * or taken.  What finds no room is dropped and the core is told: to it that
 * is a lost message, which Raft is made for.
 */
#include <assert.h>
#include <string.h>

#include "room.h"

enum {
    /* More links than members of all groups are for strangers we answered. */
    LINKS_MAX = 4 * RKV_MEMBERS_MAX,
    /* Where this much waits, small messages no longer queue behind it: a
     * heartbeat that is late is an election. */
    OVERTAKE_BYTES = 64 << 10
};

static bool is_idle(const struct rkv_link *link)
{
    return link->count == 0 && link->urgent.len == 0;
}

static bool is_stranger(const rkv_hub *hub, uint64_t peer)
{
    for (size_t i = 0; i < hub->nodes_count; i++)
        if (rkv_members_find(hub->nodes[i], peer) != NULL)
            return false;
    return true;
}

static void free_link(rkv_hub *hub, struct rkv_link *link)
{
    for (size_t i = 0; i < link->cap; i++)
        rkv_buffer_free(&link->frames[i]);
    rkv_release(&hub->allocator, link->frames,
                link->cap * sizeof *link->frames);
    rkv_buffer_free(&link->urgent);
}

/* Makes room where only members we no longer know, or never did, had it. */
static void forget_strangers(rkv_hub *hub)
{
    size_t kept = 0;

    for (size_t i = 0; i < hub->links_count; i++) {
        struct rkv_link *link = &hub->links[i];

        if (is_idle(link) && is_stranger(hub, link->peer))
            free_link(hub, link);
        else
            hub->links[kept++] = *link;
    }
    hub->links_count = kept;
    hub->links_turn = 0;
}

static struct rkv_link *add_link(rkv_hub *hub, uint64_t peer, size_t at)
{
    void *links = hub->links;

    if (rkv_grow(&hub->allocator, &links, &hub->links_cap, hub->links_count + 1,
                 sizeof *hub->links) != RKV_OK)
        return NULL;
    hub->links = links;
    memmove(&hub->links[at + 1], &hub->links[at],
            (hub->links_count - at) * sizeof *hub->links);
    memset(&hub->links[at], 0, sizeof hub->links[at]);
    hub->links[at].peer = peer;
    rkv_buffer_init(&hub->links[at].urgent, &hub->allocator);
    hub->links_count++;
    return &hub->links[at];
}

static struct rkv_link *link_of(rkv_hub *hub, uint64_t peer)
{
    size_t at = 0;

    while (at < hub->links_count && hub->links[at].peer < peer)
        at++;
    if (at < hub->links_count && hub->links[at].peer == peer)
        return &hub->links[at];
    if (hub->links_count >= LINKS_MAX && is_stranger(hub, peer)) {
        forget_strangers(hub);
        if (hub->links_count >= LINKS_MAX)
            return NULL;
        for (at = 0; at < hub->links_count && hub->links[at].peer < peer;)
            at++;
    }
    return add_link(hub, peer, at);
}

static struct rkv_buffer *frame_at(struct rkv_link *link, size_t position)
{
    return &link->frames[(link->head + position) & (link->cap - 1)];
}

/* Unrolls the ring into a larger one: the order is the order of sending. */
static int grow_ring(rkv_hub *hub, struct rkv_link *link)
{
    size_t cap = link->cap == 0 ? 4 : link->cap * 2;
    struct rkv_buffer *frames =
        rkv_alloc(&hub->allocator, cap * sizeof *frames);

    if (frames == NULL)
        return RKV_ENOMEM;
    for (size_t i = 0; i < cap; i++)
        if (i < link->cap)
            frames[i] = *frame_at(link, i);
        else
            rkv_buffer_init(&frames[i], &hub->allocator);
    rkv_release(&hub->allocator, link->frames,
                link->cap * sizeof *link->frames);
    link->frames = frames;
    link->cap = cap;
    link->head = 0;
    return RKV_OK;
}

/* Room for a part is taken before anything shows: without memory the frame is
 * as it was, and can be sent like that. */
static bool make_room(struct rkv_buffer *frame, size_t bound)
{
    if (rkv_buffer_reserve(frame, bound))
        return true;
    frame->failed = false;
    return false;
}

/* A frame is begun only when a part follows: its header alone says nothing. */
static struct rkv_buffer *begin_frame(rkv_hub *hub, uint64_t to,
                                      struct rkv_buffer *frame, size_t bound)
{
    rkv_buffer_clear(frame);
    if (!make_room(frame, RKV_FRAME_HEADER_BYTES + bound))
        return NULL;
    rkv_frame_begin(frame, hub->cluster, hub->id, to);
    return frame;
}

static struct rkv_buffer *new_frame(rkv_hub *hub, struct rkv_link *link,
                                    size_t bound)
{
    struct rkv_buffer *frame;

    if (link->count == link->cap && grow_ring(hub, link) != RKV_OK)
        return NULL;
    frame = begin_frame(hub, link->peer, frame_at(link, link->count), bound);
    if (frame == NULL)
        return NULL;
    link->count++;
    link->bytes += frame->len;
    return frame;
}

/* The frame for what is in order. */
static struct rkv_buffer *bulk_frame(rkv_hub *hub, struct rkv_link *link,
                                     size_t bound)
{
    struct rkv_buffer *last;

    if (link->bytes + bound > hub->outbox_bytes_max)
        return NULL;
    if (link->count > 0) {
        last = frame_at(link, link->count - 1);
        if (last->len + bound <= hub->frame_bytes_max)
            return make_room(last, bound) ? last : NULL;
    }
    return new_frame(hub, link, bound);
}

/* The frame that overtakes: there is one, and it is taken first. */
static struct rkv_buffer *urgent_frame(rkv_hub *hub, struct rkv_link *link,
                                       size_t bound)
{
    struct rkv_buffer *frame = &link->urgent;

    if (frame->len == 0)
        return begin_frame(hub, link->peer, frame, bound);
    return frame->len + bound <= hub->frame_bytes_max && make_room(frame, bound)
               ? frame
               : NULL;
}

struct rkv_buffer *rkv_outbox_open(rkv_hub *hub, uint64_t peer, size_t bound,
                                   enum rkv_lane lane)
{
    struct rkv_link *link = link_of(hub, peer);
    struct rkv_buffer *frame = NULL;
    bool overtakes = lane == RKV_LANE_URGENT && link != NULL &&
                     (link->bytes > OVERTAKE_BYTES || link->urgent.len > 0);

    if (link != NULL && bound + RKV_FRAME_HEADER_BYTES <= hub->frame_bytes_max)
        frame = overtakes ? urgent_frame(hub, link, bound)
                          : bulk_frame(hub, link, bound);
    if (frame == NULL) {
        hub->frames_dropped++;
        return NULL;
    }
    hub->writing = overtakes ? NULL : link;
    hub->writing_to = frame;
    hub->writing_from = frame->len;
    hub->writing_bound = bound;
    return frame;
}

void rkv_outbox_close(rkv_hub *hub)
{
    struct rkv_buffer *frame = hub->writing_to;
    size_t len = frame->len - hub->writing_from;

    assert(!frame->failed);
    assert(len > 0);
    assert(len <= hub->writing_bound);
    if (hub->writing != NULL)
        hub->writing->bytes += len;
}

/* ---- the core's messages ---- */

bool rkv_outbox_append(rkv_node *node, const struct rkv_raft_msg *msg,
                       const uint8_t previous[32],
                       const struct rkv_entry *entries)
{
    rkv_hub *hub = node->hub;
    struct rkv_buffer *frame = rkv_outbox_open(
        hub, msg->to, rkv_message_bound(msg, entries),
        msg->kind == RKV_MSG_APPEND ? RKV_LANE_BULK : RKV_LANE_URGENT);

    if (frame == NULL)
        return false;
    rkv_message_encode(frame, node->group, msg, previous, entries);
    rkv_outbox_close(hub);
    return true;
}

/* Entries that left memory are read by the next job.  A member that far
 * behind is slow already; when there are too many of them, the message is
 * dropped and the core asks again. */
static bool send_later(rkv_node *node, const struct rkv_raft_msg *msg)
{
    struct rkv_errand *errand;

    if (node->errands_count == RKV_ERRANDS_MAX)
        return false;
    errand = &node->errands[node->errands_count++];
    errand->peer = msg->to;
    errand->is_chunk = false;
    errand->msg = *msg;
    errand->msg.entries = NULL;
    errand->want = 0;
    for (uint32_t i = 0; i < msg->count; i++)
        errand->want += msg->entries[i].len;
    return true;
}

/* While one append waits to be read, those that follow it must not overtake
 * it, or the member would refuse them for the gap. */
static bool is_behind(const rkv_node *node, uint64_t peer)
{
    for (uint32_t i = 0; i < node->errands_count; i++)
        if (!node->errands[i].is_chunk && node->errands[i].peer == peer)
            return true;
    return false;
}

bool rkv_outbox_message(rkv_node *node, const struct rkv_raft_msg *msg)
{
    static const uint8_t unknown[32];
    const struct rkv_entry *entries = NULL;
    uint8_t previous[32];
    int rc;

    if (msg->kind != RKV_MSG_APPEND)
        return rkv_outbox_append(node, msg, NULL, NULL);
    if (is_behind(node, msg->to))
        return msg->count == 0 || send_later(node, msg);
    if (msg->count > 0) {
        rc = rkv_tail_get(node->tail, msg->entries, msg->count, &entries);
        if (rc == RKV_ECOMPACTED)
            return send_later(node, msg);
        if (rc != RKV_OK)
            return false;
    }
    if (rkv_tail_chain(node->tail, msg->index, previous) != RKV_OK)
        memcpy(previous, unknown, sizeof previous);
    return rkv_outbox_append(node, msg, previous, entries);
}

/* ---- taken by the host ---- */

static void address_of(rkv_hub *hub, struct rkv_frame *frame)
{
    frame->address = NULL;
    frame->address_len = 0;
    for (size_t i = 0; i < hub->nodes_count; i++) {
        const struct rkv_member *member =
            rkv_members_find(hub->nodes[i], frame->to);

        if (member != NULL) {
            frame->address = member->address;
            frame->address_len = member->address_len;
            return;
        }
    }
}

/* The buffer goes to the host and the one it held takes its place. */
static void lend(rkv_hub *hub, uint64_t to, struct rkv_buffer *frame)
{
    struct rkv_buffer spare = hub->lent;

    rkv_frame_end(frame);
    hub->lent = *frame;
    *frame = spare;
    rkv_buffer_clear(frame);
    hub->frames_out++;
    hub->frame.to = to;
    hub->frame.data = hub->lent.data;
    hub->frame.len = hub->lent.len;
    address_of(hub, &hub->frame);
}

static void take_first(rkv_hub *hub, struct rkv_link *link)
{
    struct rkv_buffer *first = frame_at(link, 0);

    if (link->urgent.len > 0) {
        lend(hub, link->peer, &link->urgent);
        return;
    }
    link->bytes -= first->len;
    lend(hub, link->peer, first);
    link->head = (link->head + 1) & (link->cap - 1);
    link->count--;
}

bool rkv_outbox_waiting(const rkv_hub *hub)
{
    for (size_t i = 0; i < hub->links_count; i++)
        if (!is_idle(&hub->links[i]))
            return true;
    return false;
}

/* Peers take turns, so that a long queue to one does not hold up another. */
int rkv_hub_next_frame(rkv_hub *hub, const struct rkv_frame **frame)
{
    if (hub == NULL || frame == NULL)
        return RKV_EINVAL;
    rkv_pump(hub);
    if (hub->failed)
        return RKV_EFAILED;
    for (size_t i = 0; i < hub->links_count; i++) {
        size_t at = (hub->links_turn + i) % hub->links_count;

        if (is_idle(&hub->links[at]))
            continue;
        hub->links_turn = at + 1;
        take_first(hub, &hub->links[at]);
        *frame = &hub->frame;
        return 1;
    }
    return 0;
}

void rkv_outbox_free(rkv_hub *hub)
{
    for (size_t i = 0; i < hub->links_count; i++)
        free_link(hub, &hub->links[i]);
    rkv_release(&hub->allocator, hub->links,
                hub->links_cap * sizeof *hub->links);
    rkv_buffer_free(&hub->lent);
}
