/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Bytes from peers.  A frame is judged as a whole first: whose it is, how
 * long, whether it is intact; then each part finds its group.  Nothing here
 * trusts a peer for memory, and what the core refuses is simply gone.
 */
#include <string.h>

#include "room.h"

/* Is it a frame, and one for us? */
static int check_header(rkv_hub *hub, const struct rkv_frame_header *header)
{
    if (header->cluster != hub->cluster)
        return rkv_hub_refuse(hub, RKV_ECLUSTER,
                              "frame refused: it is of cluster %016llx, this "
                              "member is of %016llx; check that all members "
                              "were started with the same configuration",
                              (unsigned long long)header->cluster,
                              (unsigned long long)hub->cluster);
    if (header->to != hub->id || header->from == 0 || header->from == hub->id)
        return rkv_hub_refuse(hub, RKV_ECLUSTER,
                              "frame refused: it goes from member %016llx to "
                              "%016llx, this is %016llx; check the peers' "
                              "addresses",
                              (unsigned long long)header->from,
                              (unsigned long long)header->to,
                              (unsigned long long)hub->id);
    return RKV_OK;
}

/* The core may have its own reasons not to take a message; only what says
 * something about the bytes is the sender's business. */
static bool blames_bytes(int rc)
{
    return rc == RKV_EMALFORMED || rc == RKV_EVERSION || rc == RKV_ETOOBIG;
}

int rkv_hub_receive(rkv_hub *hub, uint64_t now, const void *frame, size_t len)
{
    struct rkv_frame_header header;
    struct rkv_reader parts;
    struct rkv_part part;
    int rc, blamed = RKV_OK;

    if (hub == NULL || (frame == NULL && len > 0))
        return RKV_EINVAL;
    if (hub->failed)
        return RKV_EFAILED;
    if (now > hub->now)
        hub->now = now;
    rc = rkv_frame_open(frame, len, hub->frame_bytes_max, &header, &parts);
    if (rc == RKV_OK)
        rc = check_header(hub, &header);
    if (rc != RKV_OK) {
        hub->frames_refused++;
        return rc;
    }
    hub->frames_in++;
    while ((rc = rkv_part_next(&parts, &part)) > 0) {
        rkv_node *node = rkv_map_get(&hub->groups, part.group);

        if (node == NULL)
            continue;
        rc = rkv_inbox_part(node, &header, &part);
        if (hub->failed)
            return hub->failed;
        if (blamed == RKV_OK && blames_bytes(rc))
            blamed = rc;
    }
    if (rc == RKV_OK)
        rc = blamed;
    hub->frames_refused += rc != RKV_OK;
    return rc;
}

/* ---- appends: which payloads the core took ---- */

/* The first listed entry that the core does not hold yet. */
static uint32_t first_new(const rkv_node *node, const struct rkv_raft_msg *msg)
{
    uint64_t term;
    uint32_t i;

    for (i = 0; i < msg->count; i++) {
        int rc = rkv_raft_term_at(node->raft, msg->entries[i].index, &term);

        if (rc == RKV_EFUTURE || (rc == RKV_OK && term != msg->entries[i].term))
            break;
    }
    return i;
}

static int keep_payloads(rkv_node *node, const struct rkv_raft_msg *msg,
                         uint32_t from)
{
    const struct rkv_entry *entries = node->hub->room.entries;
    uint32_t end = from;
    uint64_t term;
    int rc;

    while (end < msg->count &&
           rkv_raft_term_at(node->raft, entries[end].index, &term) == RKV_OK &&
           term == entries[end].term)
        end++;
    if (end == from)
        return RKV_OK;
    for (uint32_t i = from; i < end; i++)
        node->log_bytes += entries[i].len;
    rkv_pump_cut(node, entries[from].index);
    rc = rkv_tail_add(node->tail, entries + from, end - from);
    if (rc != RKV_OK)
        return rkv_hub_fail(node->hub, rc,
                            "group %llu: no room for entries %llu to %llu",
                            (unsigned long long)node->group,
                            (unsigned long long)entries[from].index,
                            (unsigned long long)entries[end - 1].index);
    return RKV_OK;
}

/* Two members with the same term at an index hold the same log up to there
 * (thesis 3.5), so a different chain means that one of them no longer holds
 * what was agreed.  Going on would spread it. */
static int diverged(rkv_node *node, uint64_t from, uint64_t index,
                    const uint8_t ours[32], const uint8_t theirs[32])
{
    return rkv_hub_fail(
        node->hub, RKV_EDIVERGED,
        "group %llu: entry %llu has chain %02x%02x%02x%02x here and "
        "%02x%02x%02x%02x on member %016llx, in the same term; one of the two "
        "logs is damaged: compare both members with a third, and replace the "
        "one that differs",
        (unsigned long long)node->group, (unsigned long long)index, ours[0],
        ours[1], ours[2], ours[3], theirs[0], theirs[1], theirs[2], theirs[3],
        (unsigned long long)from);
}

/* Is the entry at index the same on both sides?  Unknown counts as yes. */
static bool same_there(const rkv_node *node, uint64_t index, uint64_t term,
                       const uint8_t theirs[32], uint8_t ours[32])
{
    uint64_t found;

    return rkv_raft_term_at(node->raft, index, &found) != RKV_OK ||
           found != term || rkv_tail_chain(node->tail, index, ours) != RKV_OK ||
           memcmp(ours, theirs, 32) == 0;
}

/* The entry before the first, and those listed that we hold already. */
static int check_chain(rkv_node *node, const struct rkv_raft_msg *msg,
                       const uint8_t *previous, uint32_t known)
{
    static const uint8_t unknown[32];
    uint8_t ours[32], chain[32];

    if (previous == NULL || memcmp(previous, unknown, 32) == 0)
        return RKV_OK;
    if (!same_there(node, msg->index, msg->log_term, previous, ours))
        return diverged(node, msg->from, msg->index, ours, previous);
    memcpy(chain, previous, 32);
    for (uint32_t i = 0; i < known; i++) {
        struct rkv_entry entry = node->hub->room.entries[i];

        rkv_entry_chain(&entry, chain);
        if (!same_there(node, entry.index, entry.term, entry.chain, ours))
            return diverged(node, msg->from, entry.index, ours, entry.chain);
        memcpy(chain, entry.chain, 32);
    }
    return RKV_OK;
}

/* A core whose room for answers is full has them taken, and goes on. */
static int receive_step(rkv_node *node, struct rkv_raft_in *in)
{
    int rc = rkv_node_step(node, in);

    if (rc != RKV_EBUSY)
        return rc;
    rkv_pump(node->hub);
    return node->hub->failed ? node->hub->failed : rkv_node_step(node, in);
}

static int receive_append(rkv_node *node, struct rkv_raft_in *in,
                          const uint8_t *previous)
{
    const struct rkv_raft_msg *msg = in->msg;
    uint32_t from;
    int rc;

    /* The leader asks again with the next heartbeat. */
    if (msg->count > 0 && rkv_node_lags(node))
        return RKV_OK;
    from = first_new(node, msg);
    rc = check_chain(node, msg, previous, from);
    if (rc != RKV_OK)
        return rc;
    /* Without memory the core takes what fits and says that it is full. */
    (void)rkv_node_reserve(node, msg->count);
    rc = receive_step(node, in);
    return rc == RKV_OK ? keep_payloads(node, msg, from) : rc;
}

static int receive_message(rkv_node *node,
                           const struct rkv_frame_header *header,
                           struct rkv_part *part)
{
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE};
    struct rkv_raft_msg msg;
    const uint8_t *previous = NULL;
    int rc;

    rc = rkv_message_decode(&part->body, &msg, &previous, &node->hub->room);
    if (rc != RKV_OK)
        return rc;
    if (msg.from != header->from || msg.to != header->to)
        return RKV_EMALFORMED;
    in.msg = &msg;
    /* Between a complete snapshot and its name neither log nor commit may
     * move; whoever it was will say it again. */
    if (node->fetching.state == RKV_FETCH_NAMING)
        return RKV_OK;
    rc = msg.kind == RKV_MSG_APPEND ? receive_append(node, &in, previous)
                                    : receive_step(node, &in);
    if (rc != RKV_EDIVERGED)
        return rc;
    return rkv_hub_fail(node->hub, rc,
                        "group %llu: member %016llx sent entries after %llu "
                        "that contradict what is committed here; one of the "
                        "two logs is damaged: compare both members with a "
                        "third, and replace the one that differs",
                        (unsigned long long)node->group,
                        (unsigned long long)msg.from,
                        (unsigned long long)msg.index);
}

int rkv_inbox_part(rkv_node *node, const struct rkv_frame_header *header,
                   struct rkv_part *part)
{
    struct rkv_forward forward;
    struct rkv_forward_reply reply;
    struct rkv_fetch fetch;
    struct rkv_chunk chunk;
    int rc;

    switch (part->kind) {
    case RKV_PART_MESSAGE:
        return receive_message(node, header, part);
    case RKV_PART_FORWARD:
        rc = rkv_forward_decode(&part->body, &forward);
        if (rc == RKV_OK)
            rkv_request_forwarded(node, header->from, &forward);
        return rc;
    case RKV_PART_FORWARD_REPLY:
        rc = rkv_forward_reply_decode(&part->body, &reply);
        if (rc == RKV_OK)
            rkv_request_answered(node, header->from, &reply);
        return rc;
    case RKV_PART_FETCH:
        rc = rkv_fetch_decode(&part->body, &fetch);
        if (rc == RKV_OK)
            rkv_fetch_serve(node, header->from, &fetch);
        return rc;
    case RKV_PART_CHUNK:
        rc = rkv_chunk_decode(&part->body, &chunk);
        if (rc == RKV_OK)
            rkv_fetch_chunk(node, header->from, &chunk);
        return rc;
    default:
        return RKV_OK; /* of a later version: not for us */
    }
}
