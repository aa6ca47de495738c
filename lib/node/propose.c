/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From a request to a place in the leader's log, here or by forwarding, and
 * again later when nobody could take it.
 */
#include <string.h>

#include "../base/options.h"
#include "request.h"

/* ---- the envelope ---- */

static size_t envelope(uint8_t *out, uint64_t origin, uint64_t boot,
                       uint64_t id)
{
    uint64_t words[3] = {origin, boot, id};
    size_t len = 0;

    out[len++] = origin != 0;
    for (int i = 0; origin != 0 && i < 3; i++) {
        uint64_t v = words[i];

        for (; v >= 0x80; v >>= 7)
            out[len++] = (uint8_t)(v | 0x80);
        out[len++] = (uint8_t)v;
    }
    return len;
}

int rkv_envelope_open(const void *data, size_t len, struct rkv_envelope *out)
{
    struct rkv_reader in;
    uint8_t flag;

    memset(out, 0, sizeof *out);
    rkv_reader_init(&in, data, len);
    flag = rkv_read_u8(&in);
    if (flag == 1) {
        out->origin = rkv_read_varint(&in);
        out->boot = rkv_read_varint(&in);
        out->id = rkv_read_varint(&in);
    }
    if (in.failed || flag > 1)
        return RKV_EMALFORMED;
    out->len = rkv_reader_left(&in);
    out->data = in.at;
    return RKV_OK;
}

/* ---- into the log ---- */

int rkv_propose_here(rkv_node *node, const struct rkv_proposal *proposal,
                     uint64_t *index, uint64_t *term)
{
    uint8_t head[RKV_ENVELOPE_BYTES_MAX];
    struct rkv_raft_entry record = {.kind = proposal->kind};
    struct rkv_raft_change flat[RKV_CHANGES_MAX];
    struct rkv_raft_changes flats;
    struct rkv_entry entry = {.kind = proposal->kind};
    struct rkv_changes changes;
    struct rkv_raft_in in = {
        .kind = RKV_IN_PROPOSE, .count = 1, .entries = &record};
    int rc;

    if (rkv_node_lags(node))
        return RKV_EBUSY;
    rkv_buffer_clear(&node->scratch);
    rkv_write_bytes(
        &node->scratch, head,
        envelope(head, proposal->origin, proposal->boot, proposal->id));
    rkv_write_bytes(&node->scratch, proposal->data, proposal->len);
    if (node->scratch.failed)
        return RKV_EBUSY;
    record.len = (uint32_t)node->scratch.len;
    if (proposal->kind == RKV_ENTRY_CONFIG) {
        rc = rkv_changes_decode(proposal->data, proposal->len, &changes);
        if (rc != RKV_OK)
            return rc;
        rkv_changes_flat(&changes, &flats, flat);
        in.changes = &flats;
    }
    if (rkv_node_reserve(node, 1) != RKV_OK)
        return RKV_EBUSY;
    rc = rkv_node_step(node, &in);
    if (rc != RKV_OK)
        return rc;
    rkv_raft_last(node->raft, index, term);
    entry.index = *index;
    entry.term = *term;
    entry.data = node->scratch.data;
    entry.len = record.len;
    node->log_bytes += entry.len;
    rc = rkv_tail_add(node->tail, &entry, 1);
    return rc == RKV_OK ? RKV_OK
                        : rkv_hub_fail(node->hub, rc,
                                       "group %llu: entry %llu found no "
                                       "memory after it was accepted",
                                       (unsigned long long)node->group,
                                       (unsigned long long)*index);
}

int rkv_propose_own(rkv_node *node, rkv_txn *txn, uint64_t *index)
{
    struct rkv_proposal proposal = {.kind = RKV_ENTRY_COMMAND};
    const void *command;
    uint64_t at, term;
    int rc = rkv_txn_encode(txn, &command, &proposal.len);

    if (rc != RKV_OK)
        return rc;
    proposal.data = command;
    rc = rkv_propose_here(node, &proposal, &at, &term);
    if (rc == RKV_OK)
        *index = at;
    return rc;
}

int rkv_propose(rkv_node *node, struct rkv_request *request, const void *data,
                size_t len)
{
    struct rkv_proposal proposal = {.kind = request->kind == RKV_REQUEST_CHANGE
                                                ? RKV_ENTRY_CONFIG
                                                : RKV_ENTRY_COMMAND,
                                    .data = data,
                                    .len = len};
    uint64_t index, term;
    int rc;

    if (node->role == RKV_LEADER) {
        rc = rkv_propose_here(node, &proposal, &index, &term);
        if (rc == RKV_OK) {
            /* Without memory to wait at its place it can only time out. */
            if (rkv_request_place(node, request, index, term) != RKV_OK)
                request->state = RKV_REQUEST_FORWARDED;
            return RKV_OK;
        }
        return rkv_passes(rc) ? RKV_ENOLEADER : rc;
    }
    if (node->leader == 0 || node->leader == node->options.id)
        return RKV_ENOLEADER;
    return rkv_forward(node, request, &proposal);
}

static int start(rkv_node *node, uint64_t token, uint32_t kind,
                 const void *data, size_t len)
{
    struct rkv_request *request;
    int rc;

    rkv_node_refresh(node);
    if (node->hub->failed)
        return RKV_EFAILED;
    request = rkv_request_new(node, token, kind);
    if (request == NULL)
        return RKV_EBUSY;
    rc = rkv_propose(node, request, data, len);
    /* Then it has ended like all the others, and was told so. */
    if (node->hub->failed)
        return RKV_OK;
    if (rc == RKV_ENOLEADER)
        rc = rkv_request_wait(node, request, data, len);
    if (rc != RKV_OK)
        rkv_request_release(node, request);
    return rc;
}

int rkv_node_propose(rkv_node *node, uint64_t token, const void *command,
                     size_t len)
{
    int rc;

    if (node == NULL || (command == NULL && len > 0))
        return RKV_EINVAL;
    if (node->hub->failed)
        return RKV_EFAILED;
    if (len > node->options.request_bytes_max)
        return rkv_hub_refuse(
            node->hub, RKV_ETOOBIG,
            "command refused: %zu bytes, at most %llu are "
            "allowed (request_bytes_max)",
            len, (unsigned long long)node->options.request_bytes_max);
    rc = rkv_kv_check(node->kv, command, len);
    return rc == RKV_OK ? start(node, token, RKV_REQUEST_COMMAND, command, len)
                        : rc;
}

int rkv_node_change(rkv_node *node, uint64_t token,
                    const struct rkv_change *change)
{
    return rkv_node_reconfigure(node, token, change, 1, RKV_CHANGE_AUTO);
}

/* Callers may be older than we are: their records lie as far apart as the
 * first one says. */
static int take_changes(const rkv_node *node, const struct rkv_change *changes,
                        struct rkv_changes *out)
{
    const uint8_t *at = (const uint8_t *)changes;

    for (uint32_t i = 0; i < out->count; i++, at += changes->size) {
        struct rkv_change *ours = &out->list[i];
        int rc = rkv_options(ours, sizeof *ours, at);

        if (rc != RKV_OK)
            return rc;
        if (((const struct rkv_change *)(const void *)at)->size !=
                changes->size ||
            (ours->id == 0) != (ours->op >= RKV_CHANGE_LEASES_ON) ||
            ours->address_len > RKV_ADDRESS_MAX ||
            (ours->address == NULL && ours->address_len > 0))
            return RKV_EINVAL;
        /* To the core that is no change; to who asks it is a mistake. */
        if ((ours->op == RKV_CHANGE_REMOVE || ours->op == RKV_CHANGE_UPDATE) &&
            rkv_members_find(node, ours->id) == NULL)
            return RKV_EINVAL;
    }
    return RKV_OK;
}

int rkv_node_reconfigure(rkv_node *node, uint64_t token,
                         const struct rkv_change *changes, uint32_t count,
                         uint32_t transition)
{
    struct rkv_changes ours = {.count = count, .transition = transition};
    struct rkv_raft_change flat[RKV_CHANGES_MAX];
    struct rkv_raft_changes flats;
    struct rkv_buffer bytes;
    int rc;

    if (node == NULL || count > RKV_CHANGES_MAX ||
        (changes == NULL && count > 0))
        return RKV_EINVAL;
    if (node->hub->failed)
        return RKV_EFAILED;
    rc = take_changes(node, changes, &ours);
    if (rc != RKV_OK)
        return rc;
    rkv_changes_flat(&ours, &flats, flat);
    rc = rkv_raft_check_change(node->raft, &flats);
    if (rc != RKV_OK)
        return rc;
    rkv_buffer_init(&bytes, &node->hub->allocator);
    rkv_changes_encode(&bytes, &ours);
    rc = bytes.failed
             ? RKV_EBUSY
             : start(node, token, RKV_REQUEST_CHANGE, bytes.data, bytes.len);
    rkv_buffer_free(&bytes);
    return rc;
}

/* ---- trying again ---- */

static int again(rkv_node *node, struct rkv_request *request)
{
    void *data = request->data;
    size_t len = request->len;
    int rc;

    rc = request->kind == RKV_REQUEST_READ
             ? rkv_read(node, request)
             : rkv_propose(node, request, data, len);
    if (rc != RKV_OK || node->hub->failed)
        return rc;
    /* It moved on, and its command with it. */
    rkv_release(&node->hub->allocator, data, len);
    request->data = NULL;
    request->len = 0;
    node->requests.waiting--;
    node->requests.waiting_bytes -= len;
    return RKV_OK;
}

void rkv_requests_retry(rkv_node *node)
{
    struct rkv_request *request = node->requests.oldest;

    node->retry_at = 0;
    while (request != NULL && node->requests.waiting > 0 &&
           !node->hub->failed) {
        struct rkv_request *newer = request->newer;

        if (request->state == RKV_REQUEST_WAITING) {
            int rc = again(node, request);

            if (node->hub->failed)
                return; /* and with it every request has ended */
            if (rkv_passes(rc) || rc == RKV_EBUSY) {
                node->retry_at =
                    node->hub->now + node->raft_options.heartbeat_ticks;
                return;
            }
            if (rc != RKV_OK)
                rkv_request_finish(node, request, RKV_NOT_DONE, rc);
        }
        request = newer;
    }
}
