/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The pump: what the cores have to say goes where it belongs - messages to
 * the outbox, entries to the next write, reads to their requests, commit to
 * the applier.  It runs before anything is handed to the host, so a hundred
 * inputs cost one message per peer.
 */
#include <string.h>

#include "line.h"

int rkv_node_step(rkv_node *node, struct rkv_raft_in *in)
{
    in->now = node->hub->now;
    rkv_node_touch(node);
    return node->recorder.cap == 0
               ? rkv_raft_step(node->raft, in)
               : rkv_recorder_step(&node->recorder, node->raft, in);
}

int rkv_node_reserve(rkv_node *node, uint32_t count)
{
    return node->recorder.cap == 0
               ? rkv_raft_reserve(node->raft, count)
               : rkv_recorder_reserve(&node->recorder, node->raft, count);
}

static void drain(rkv_node *node, const struct rkv_raft_out **out)
{
    if (node->recorder.cap == 0)
        (void)rkv_raft_drain(node->raft, out);
    else
        rkv_recorder_drain(&node->recorder, node->raft, out);
}

void rkv_node_refresh(rkv_node *node)
{
    struct rkv_raft_status status = {.size = sizeof status};

    if (!node->waits[RKV_WAIT_PUMP] || node->hub->failed)
        return;
    rkv_raft_status(node->raft, &status);
    if (status.role != node->role || status.leader != node->leader ||
        status.term != node->term)
        rkv_pump(node->hub);
}

void rkv_node_touch(rkv_node *node)
{
    if (node->closed)
        return;
    rkv_node_wait(node, RKV_WAIT_DISK);
    rkv_node_wait(node, RKV_WAIT_PUMP);
}

/* The payloads of what was proposed and received are in the tail already;
 * what the core made itself is empty, and joins them here. */
static int add_made_by_core(rkv_node *node, const struct rkv_raft_out *out)
{
    int rc = RKV_OK;

    for (uint32_t i = 0; i < out->append_count && rc == RKV_OK; i++) {
        struct rkv_entry entry = {.index = out->append[i].index,
                                  .term = out->append[i].term,
                                  .kind = out->append[i].kind};

        if (entry.kind != RKV_ENTRY_COMMAND && out->append[i].len == 0)
            rc = rkv_tail_add(node->tail, &entry, 1);
    }
    return rc == RKV_OK
               ? RKV_OK
               : rkv_hub_fail(node->hub, rc,
                              "group %llu: no memory for an empty entry",
                              (unsigned long long)node->group);
}

void rkv_pump_cut(rkv_node *node, uint64_t first)
{
    while (node->unwritten_count > 0 &&
           node->unwritten[node->unwritten_count - 1].index >= first)
        node->unwritten_count--;
    if (first <= node->durable)
        node->durable = first - 1;
}

/* Entries to append replace all from the first one on: later drains may
 * overwrite what an earlier one listed and no write took yet. */
static int take_append(rkv_node *node, const struct rkv_raft_out *out)
{
    void *unwritten = node->unwritten;

    rkv_pump_cut(node, out->append[0].index);
    if (rkv_grow(&node->hub->allocator, &unwritten, &node->unwritten_cap,
                 (size_t)node->unwritten_count + out->append_count,
                 sizeof *node->unwritten) != RKV_OK)
        return rkv_hub_fail(node->hub, RKV_ENOMEM,
                            "group %llu: no memory for the list of entries "
                            "to write",
                            (unsigned long long)node->group);
    node->unwritten = unwritten;
    memcpy(node->unwritten + node->unwritten_count, out->append,
           out->append_count * sizeof *out->append);
    node->unwritten_count += out->append_count;
    return add_made_by_core(node, out);
}

static void lose(rkv_node *node, uint64_t peer)
{
    for (uint32_t i = 0; i < node->lost_count; i++)
        if (node->lost_peers[i] == peer)
            return;
    if (node->lost_count == 0)
        node->lost_due = node->hub->now + 1;
    if (node->lost_count < RKV_MEMBERS_MAX)
        node->lost_peers[node->lost_count++] = peer;
}

static void take_state(rkv_node *node, const struct rkv_raft_out *out)
{
    struct rkv_event event = {.kind = RKV_EVENT_ROLE,
                              .role = out->role,
                              .leader = out->leader,
                              .term = out->term};
    uint32_t was = node->role;
    uint64_t led_by = node->leader;

    node->role = out->role;
    node->leader = out->leader;
    node->term = out->term;
    if ((out->role == RKV_CANDIDATE || out->role == RKV_PRECANDIDATE) &&
        was != RKV_CANDIDATE && was != RKV_PRECANDIDATE)
        node->elections++;
    rkv_event_push(node, &event);
    if (out->leader != 0 && out->leader != led_by) {
        node->retry_at = node->hub->now;
        rkv_requests_led(node);
    }
}

static int take(rkv_node *node, const struct rkv_raft_out *out)
{
    if (out->flags & RKV_OUT_STATE)
        take_state(node, out);
    node->role = out->role;
    node->leader = out->leader;
    node->term = out->term;
    node->vote = out->vote;
    node->commit = out->commit;
    if (node->applied < node->commit)
        rkv_node_wait(node, RKV_WAIT_HOST);
    node->deadline = out->deadline;
    if (out->flags & RKV_OUT_PERSIST) {
        if (out->append_count > 0 && take_append(node, out) != RKV_OK)
            return node->hub->failed;
        node->token = out->token;
        node->must_write = true;
        if (out->flags & RKV_OUT_RECOVERED)
            node->recovered = true;
    }
    for (uint32_t i = 0; i < out->msgs_count; i++) {
        const struct rkv_raft_msg *msg = &out->msgs[i];

        if (msg->kind == RKV_MSG_TIMEOUT_NOW)
            node->hurried = msg->term;
        if (!rkv_outbox_message(node, msg) &&
            (msg->kind == RKV_MSG_APPEND || msg->kind == RKV_MSG_SNAPSHOT))
            lose(node, msg->to);
    }
    for (uint32_t i = 0; i < out->reads_count; i++)
        rkv_requests_read(node, &out->reads[i]);
    if (out->flags & RKV_OUT_RESTORE)
        rkv_fetch_start(node, out);
    return RKV_OK;
}

/* The core is told once per pump how far the host has come. */
static void tell_applied(rkv_node *node)
{
    struct rkv_raft_in in = {.kind = RKV_IN_APPLIED, .index = node->applied};

    if (node->applied == node->applied_told)
        return;
    node->applied_told = node->applied;
    (void)rkv_node_step(node, &in);
    rkv_tail_release(node->tail, node->applied < node->durable ? node->applied
                                                               : node->durable);
}

/* A dropped message is reported at the next tick, not here: the core would
 * try again at once, into an outbox that is still full. */
void rkv_pump_lost(rkv_node *node)
{
    for (uint32_t i = 0; i < node->lost_count; i++) {
        struct rkv_raft_in in = {.kind = RKV_IN_UNREACHABLE,
                                 .peer = node->lost_peers[i]};

        (void)rkv_node_step(node, &in);
    }
    node->lost_count = 0;
}

static void pump_node(rkv_node *node)
{
    const struct rkv_raft_out *out;

    tell_applied(node);
    do {
        drain(node, &out);
        if (take(node, out) != RKV_OK)
            return;
    } while (out->flags & RKV_OUT_MORE);
    /* What it was touched for so far is done; who was in line behind it has
     * waited. */
    (void)rkv_line_next(node->hub, RKV_WAIT_PUMP);
    rkv_requests_applied(node);
    if (node->retry_at != 0 && node->retry_at <= node->hub->now)
        rkv_requests_retry(node);
    rkv_due_set(node, rkv_node_due(node));
}

void rkv_pump(rkv_hub *hub)
{
    const struct rkv_line *line = &hub->lines[RKV_WAIT_PUMP];

    while (!hub->failed && line->first != NULL)
        pump_node(line->first);
}
