/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests between members: sent to the leader, taken by it at most once, and
 * answered with their place in its log or with a refusal that is certain.
 */
#include <string.h>

#include "request.h"

/* The core does not see what is forwarded; if it sleeps, its leader may have
 * died meanwhile. */
static void wake(rkv_node *node)
{
    struct rkv_raft_in in = {.kind = RKV_IN_WAKE};

    if (node->deadline == UINT64_MAX)
        (void)rkv_node_step(node, &in);
}

int rkv_forward(rkv_node *node, struct rkv_request *request,
                const struct rkv_proposal *proposal)
{
    struct rkv_forward out = {.term = node->term,
                              .boot = node->hub->identity.boot,
                              .id = request->id,
                              .kind = proposal->kind,
                              .len = (uint32_t)proposal->len,
                              .data = proposal->data};
    struct rkv_buffer *frame = rkv_outbox_open(
        node->hub, node->leader, proposal->len + 64, RKV_LANE_BULK);

    if (frame == NULL)
        return RKV_EBUSY;
    rkv_forward_encode(frame, node->group, &out);
    rkv_outbox_close(node->hub);
    request->state = RKV_REQUEST_FORWARDED;
    wake(node);
    return RKV_OK;
}

/* ---- forwarding, the leader's side ---- */

static struct rkv_origin *origin_of(rkv_node *node, uint64_t peer)
{
    void *origins = node->origins;
    struct rkv_origin *origin;

    for (size_t i = 0; i < node->origins_count; i++)
        if (node->origins[i].peer == peer)
            return &node->origins[i];
    /* Only members are remembered, and there is a limit to those. */
    if (rkv_members_find(node, peer) == NULL ||
        rkv_grow(&node->hub->allocator, &origins, &node->origins_cap,
                 node->origins_count + 1, sizeof *origin) != RKV_OK)
        return NULL;
    node->origins = origins;
    origin = &node->origins[node->origins_count++];
    memset(origin, 0, sizeof *origin);
    origin->peer = peer;
    return origin;
}

/* Its place in the window belongs to another by now. */
static bool is_forgotten(const struct rkv_origin *origin, uint64_t id)
{
    return id < origin->highest && origin->highest - id >= RKV_ORIGIN_WINDOW;
}

/* May this have been taken before, by this boot or an earlier one?  Then a
 * refusal would not be the truth. */
static bool perhaps_taken(const rkv_node *node, const struct rkv_origin *origin,
                          const struct rkv_forward *forward)
{
    if (forward->term <= node->boot_term || origin == NULL ||
        origin->term > forward->term)
        return true;
    if (origin->term < forward->term || origin->boot != forward->boot)
        return false;
    if (is_forgotten(origin, forward->id))
        return true;
    return origin->seen[forward->id / 64 % 64] & (uint64_t)1
                                                     << forward->id % 64;
}

/* True once for each id of a boot within a term; what is older than the
 * window counts as seen. */
static bool first_time(struct rkv_origin *origin, uint64_t term, uint64_t boot,
                       uint64_t id)
{
    uint64_t *word = &origin->seen[id / 64 % 64];

    if (origin->term != term || origin->boot < boot) {
        uint64_t peer = origin->peer;

        memset(origin, 0, sizeof *origin);
        origin->peer = peer;
        origin->term = term;
        origin->boot = boot;
    }
    if (boot < origin->boot || is_forgotten(origin, id))
        return false;
    for (; origin->highest < id; origin->highest++) {
        uint64_t next = origin->highest + 1;

        if (id - next >= RKV_ORIGIN_WINDOW) {
            memset(origin->seen, 0, sizeof origin->seen);
            origin->highest = id;
            break;
        }
        origin->seen[next / 64 % 64] &= ~((uint64_t)1 << next % 64);
    }
    if (*word & (uint64_t)1 << id % 64)
        return false;
    *word |= (uint64_t)1 << id % 64;
    return true;
}

void rkv_request_forwarded(rkv_node *node, uint64_t from,
                           const struct rkv_forward *forward)
{
    struct rkv_forward_reply reply = {
        .boot = forward->boot, .id = forward->id, .status = RKV_ENOTLEADER};
    struct rkv_proposal proposal = {.kind = forward->kind,
                                    .data = forward->data,
                                    .len = forward->len,
                                    .origin = from,
                                    .boot = forward->boot,
                                    .id = forward->id};
    struct rkv_origin *origin = origin_of(node, from);
    struct rkv_buffer *frame;

    rkv_node_refresh(node);
    if (node->hub->failed)
        return;
    if (node->role == RKV_LEADER && node->term == forward->term) {
        if (origin == NULL ||
            !first_time(origin, node->term, forward->boot, forward->id))
            return;
        reply.status =
            forward->len <= node->options.request_bytes_max
                ? rkv_propose_here(node, &proposal, &reply.index, &reply.term)
                : RKV_ETOOBIG;
    } else if (perhaps_taken(node, origin, forward)) {
        return;
    }
    if (node->hub->failed)
        return;
    frame = rkv_outbox_open(node->hub, from, 96, RKV_LANE_URGENT);
    if (frame == NULL)
        return;
    rkv_forward_reply_encode(frame, node->group, &reply);
    rkv_outbox_close(node->hub);
}

/* ---- forwarding, the asker's side ---- */

void rkv_request_answered(rkv_node *node, uint64_t from,
                          const struct rkv_forward_reply *reply)
{
    struct rkv_request *request = rkv_map_get(&node->requests.ids, reply->id);

    (void)from;
    if (reply->boot != node->hub->identity.boot || request == NULL ||
        request->state != RKV_REQUEST_FORWARDED)
        return;
    if (reply->status != RKV_OK) {
        rkv_request_finish(node, request, RKV_NOT_DONE, reply->status);
        return;
    }
    /* Its entry would have been recognised when it was applied, so another
     * one stands in its place - or a snapshot passed over both. */
    if (reply->index <= node->skipped) {
        rkv_request_finish(node, request, RKV_UNKNOWN, RKV_ESKIPPED);
    } else if (reply->index <= node->applied) {
        rkv_request_finish(node, request, RKV_NOT_DONE, RKV_ELOST);
    } else if (rkv_request_place(node, request, reply->index, reply->term) !=
               RKV_OK) {
        return; /* it stays forwarded and is recognised by its origin */
    }
}
