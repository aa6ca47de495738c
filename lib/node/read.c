/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Linearizable reads and transfers of leadership: requests that leave nothing
 * in the log.
 */
#include <string.h>

#include "request.h"

int rkv_read(rkv_node *node, struct rkv_request *request)
{
    struct rkv_raft_in in = {.kind = RKV_IN_READ, .token = request->id};
    int rc = rkv_node_step(node, &in);

    if (rc == RKV_OK)
        request->state = RKV_REQUEST_READING;
    return rc;
}

bool rkv_passes(int rc)
{
    return rc == RKV_ENOLEADER || rc == RKV_ENOTLEADER || rc == RKV_ENOTYET ||
           rc == RKV_ETRANSFER || rc == RKV_ELOST || rc == RKV_ETIMEOUT;
}

int rkv_node_read(rkv_node *node, uint64_t token)
{
    struct rkv_request *request;
    int rc;

    if (node == NULL)
        return RKV_EINVAL;
    if (node->hub->failed)
        return RKV_EFAILED;
    request = rkv_request_new(node, token, RKV_REQUEST_READ);
    if (request == NULL)
        return RKV_EBUSY;
    rc = rkv_read(node, request);
    if (rkv_passes(rc))
        rc = rkv_request_wait(node, request, NULL, 0);
    if (rc != RKV_OK)
        rkv_request_release(node, request);
    return rc;
}

void rkv_requests_read(rkv_node *node, const struct rkv_raft_read *read)
{
    struct rkv_requests *all = &node->requests;
    struct rkv_request *request = rkv_map_get(&all->ids, read->token);

    if (request == NULL || request->state != RKV_REQUEST_READING)
        return;
    if (read->status != RKV_OK) {
        /* Reading again is harmless: it waits for a leader, or its time. */
        request->state = 0;
        if (rkv_request_wait(node, request, NULL, 0) != RKV_OK)
            rkv_request_finish(node, request, RKV_NOT_DONE, read->status);
        return;
    }
    request->state = RKV_REQUEST_READY;
    request->index = read->index;
    request->next = NULL;
    *(all->ready_last != NULL ? &all->ready_last->next : &all->ready_first) =
        request;
    all->ready_last = request;
}

void rkv_requests_applied(rkv_node *node)
{
    struct rkv_request *request;

    /* Read points never go back, so the first in line is the first due. */
    while ((request = node->requests.ready_first) != NULL &&
           request->index <= node->applied)
        rkv_request_finish(node, request, RKV_DONE, RKV_OK);
}

static int move(rkv_node *node, struct rkv_request *request, uint64_t peer)
{
    struct rkv_raft_in in = {.kind = RKV_IN_TRANSFER, .peer = peer};
    int rc = rkv_node_step(node, &in);

    if (rc != RKV_OK)
        return rc;
    request->state = RKV_REQUEST_MOVING;
    request->term = peer;
    request->index = node->leader;
    node->requests.moving++;
    return RKV_OK;
}

int rkv_node_transfer(rkv_node *node, uint64_t token, uint64_t peer)
{
    struct rkv_request *request;
    int rc;

    if (node == NULL)
        return RKV_EINVAL;
    if (node->hub->failed)
        return RKV_EFAILED;
    rkv_node_refresh(node);
    if (node->hub->failed)
        return RKV_EFAILED;
    request = rkv_request_new(node, token, RKV_REQUEST_TRANSFER);
    if (request == NULL)
        return RKV_EBUSY;
    if (peer != 0 && peer == node->leader) {
        rkv_request_finish(node, request, RKV_DONE, RKV_OK);
        return RKV_OK;
    }
    rc = move(node, request, peer);
    if (rc != RKV_OK)
        rkv_request_release(node, request);
    return rc;
}

void rkv_requests_led(rkv_node *node)
{
    struct rkv_request *request = node->requests.oldest;

    while (request != NULL) {
        struct rkv_request *newer = request->newer;

        if (request->state == RKV_REQUEST_MOVING && node->leader != 0 &&
            node->leader != request->index) {
            bool meant = request->term == 0 || request->term == node->leader;

            rkv_request_finish(node, request, meant ? RKV_DONE : RKV_NOT_DONE,
                               meant ? RKV_OK : RKV_ELOST);
        }
        request = newer;
    }
}

/* The core gave up a transfer of ours, and we still lead.  Once the other was
 * told to campaign, that word may be on its way for long. */
void rkv_requests_stayed(rkv_node *node)
{
    struct rkv_raft_status status = {.size = sizeof status};
    struct rkv_request *request = node->requests.oldest;

    if (node->requests.moving == 0 || node->role != RKV_LEADER)
        return;
    rkv_raft_status(node->raft, &status);
    while (request != NULL && status.transferee == 0) {
        struct rkv_request *newer = request->newer;

        if (request->state == RKV_REQUEST_MOVING &&
            request->index == node->options.id)
            rkv_request_finish(node, request,
                               node->hurried == node->term ? RKV_UNKNOWN
                                                           : RKV_NOT_DONE,
                               RKV_ETIMEOUT);
        request = newer;
    }
}
