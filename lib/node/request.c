/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests and their outcomes.  Each ends exactly once: done, not done, or
 * unknown.  A command is placed in the leader's log, here or by forwarding;
 * then it waits for its index: the same term there is done, another is not
 * done.  A forwarded command carries its origin in the entry itself, so it is
 * recognised when it is applied even if the leader's answer was lost.
 */
#include <string.h>

#include "line.h"
#include "request.h"

enum { WAITING_BYTES_MAX = 16 << 20 };

void rkv_requests_init(rkv_node *node)
{
    memset(&node->requests, 0, sizeof node->requests);
    rkv_map_init(&node->requests.ids, &node->hub->allocator);
    rkv_map_init(&node->requests.places, &node->hub->allocator);
}

/* ---- one request's life ---- */

struct rkv_request *rkv_request_new(rkv_node *node, uint64_t token,
                                    uint32_t kind)
{
    struct rkv_requests *all = &node->requests;
    struct rkv_request *request = all->free;

    if (all->count + all->answers >= node->options.requests_max ||
        rkv_event_reserve(node) != RKV_OK)
        return NULL;
    if (request != NULL)
        all->free = request->next;
    else if ((request = rkv_alloc(&node->hub->allocator, sizeof *request)) ==
             NULL)
        return NULL;
    memset(request, 0, sizeof *request);
    request->token = token;
    request->kind = kind;
    request->id = ++all->next_id;
    if (rkv_map_set(&all->ids, request->id, request) != RKV_OK) {
        request->next = all->free;
        all->free = request;
        return NULL;
    }
    request->older = all->newest;
    *(all->newest != NULL ? &all->newest->newer : &all->oldest) = request;
    all->newest = request;
    if (all->undated == NULL)
        all->undated = request;
    all->count++;
    rkv_node_wait(node, RKV_WAIT_TIME);
    if (rkv_requests_expiry(node) < node->due)
        rkv_due_set(node, rkv_requests_expiry(node));
    return request;
}

static void forget_command(rkv_node *node, struct rkv_request *request)
{
    if (request->state == RKV_REQUEST_WAITING) {
        node->requests.waiting--;
        node->requests.waiting_bytes -= request->len;
    }
    rkv_release(&node->hub->allocator, request->data, request->len);
    request->data = NULL;
    request->len = 0;
}

static void leave_place(rkv_node *node, struct rkv_request *request)
{
    struct rkv_request *first, **link;

    if (request->state != RKV_REQUEST_PLACED)
        return;
    first = rkv_map_get(&node->requests.places, request->index);
    for (link = &first; *link != NULL; link = &(*link)->next)
        if (*link == request) {
            *link = request->next;
            break;
        }
    if (first == NULL)
        (void)rkv_map_remove(&node->requests.places, request->index);
    else
        (void)rkv_map_set(&node->requests.places, request->index, first);
}

static void leave_ready(rkv_node *node, struct rkv_request *request)
{
    struct rkv_requests *all = &node->requests;
    struct rkv_request *before = NULL;

    if (request->state != RKV_REQUEST_READY)
        return;
    for (struct rkv_request *at = all->ready_first; at != NULL; at = at->next) {
        if (at == request) {
            *(before != NULL ? &before->next : &all->ready_first) = at->next;
            if (all->ready_last == at)
                all->ready_last = before;
            return;
        }
        before = at;
    }
}

void rkv_request_release(rkv_node *node, struct rkv_request *request)
{
    struct rkv_requests *all = &node->requests;

    if (request->state == RKV_REQUEST_MOVING)
        all->moving--;
    forget_command(node, request);
    leave_place(node, request);
    leave_ready(node, request);
    (void)rkv_map_remove(&all->ids, request->id);
    if (all->undated == request)
        all->undated = request->newer;
    *(request->older != NULL ? &request->older->newer : &all->oldest) =
        request->newer;
    *(request->newer != NULL ? &request->newer->older : &all->newest) =
        request->older;
    request->next = all->free;
    all->free = request;
    all->count--;
}

void rkv_request_finish(rkv_node *node, struct rkv_request *request,
                        uint32_t outcome, int32_t status)
{
    uint64_t token = request->token;

    rkv_request_release(node, request);
    rkv_event_done(node, token, outcome, status);
}

/* What an outcome is worth when no answer will come any more. */
static void give_up(rkv_node *node, struct rkv_request *request, int32_t status)
{
    bool sent = request->state == RKV_REQUEST_FORWARDED ||
                request->state == RKV_REQUEST_PLACED ||
                request->state == RKV_REQUEST_MOVING;

    rkv_request_finish(node, request, sent ? RKV_UNKNOWN : RKV_NOT_DONE,
                       status);
}

void rkv_requests_fail(rkv_node *node, int32_t status)
{
    while (node->requests.oldest != NULL)
        give_up(node, node->requests.oldest, status);
}

void rkv_requests_free(rkv_node *node)
{
    struct rkv_request *request;

    node->events_count = node->news_count = 0;
    while ((request = node->requests.oldest) != NULL)
        rkv_request_release(node, request);
    while ((request = node->requests.free) != NULL) {
        node->requests.free = request->next;
        rkv_release(&node->hub->allocator, request, sizeof *request);
    }
    rkv_map_free(&node->requests.ids);
    rkv_map_free(&node->requests.places);
}

/* A host that slept does not know the time when it asks: a request's time
 * counts from the first tick after it. */
void rkv_requests_date(rkv_node *node)
{
    struct rkv_requests *all = &node->requests;

    for (; all->undated != NULL; all->undated = all->undated->newer)
        all->undated->deadline = node->hub->now + node->options.request_ticks;
}

/* All wait equally long, so the oldest is always the next one due. */
uint64_t rkv_requests_expiry(const rkv_node *node)
{
    const struct rkv_request *oldest = node->requests.oldest;

    if (oldest == NULL)
        return UINT64_MAX;
    return oldest->deadline != 0 ? oldest->deadline
                                 : node->hub->now + node->options.request_ticks;
}

void rkv_requests_expire(rkv_node *node)
{
    struct rkv_request *request;

    while ((request = node->requests.oldest) != NULL &&
           rkv_requests_expiry(node) <= node->hub->now)
        give_up(node, request,
                request->state == RKV_REQUEST_WAITING && node->leader == 0
                    ? RKV_ENOLEADER
                    : RKV_ETIMEOUT);
}

int rkv_request_wait(rkv_node *node, struct rkv_request *request,
                     const void *data, size_t len)
{
    if (len > WAITING_BYTES_MAX - node->requests.waiting_bytes)
        return RKV_EBUSY;
    if (len > 0 &&
        (request->data = rkv_alloc(&node->hub->allocator, len)) == NULL)
        return RKV_EBUSY;
    if (len > 0)
        memcpy(request->data, data, len);
    request->len = len;
    request->state = RKV_REQUEST_WAITING;
    node->requests.waiting++;
    node->requests.waiting_bytes += len;
    /* A leader that does not take it now may do so in a moment. */
    if (node->retry_at == 0 && node->leader != 0)
        node->retry_at = node->hub->now + node->raft_options.heartbeat_ticks;
    return RKV_OK;
}

int rkv_request_place(rkv_node *node, struct rkv_request *request,
                      uint64_t index, uint64_t term)
{
    struct rkv_request *there = rkv_map_get(&node->requests.places, index);

    if (rkv_map_set(&node->requests.places, index, request) != RKV_OK)
        return RKV_ENOMEM;
    request->next = there;
    request->state = RKV_REQUEST_PLACED;
    request->index = index;
    request->term = term;
    return RKV_OK;
}

/* ---- applied ---- */

struct rkv_request *rkv_requests_take(rkv_node *node, uint64_t index,
                                      uint64_t term, uint64_t id)
{
    struct rkv_request *at = rkv_map_get(&node->requests.places, index);
    struct rkv_request *ours =
        id != 0 ? rkv_map_get(&node->requests.ids, id) : NULL;

    while (at != NULL) {
        struct rkv_request *next = at->next;

        if (ours == NULL && at->term == term)
            ours = at;
        else if (at != ours)
            rkv_request_finish(node, at, RKV_NOT_DONE, RKV_ELOST);
        at = next;
    }
    return ours;
}

void rkv_requests_skipped(rkv_node *node, uint64_t index)
{
    struct rkv_request *request = node->requests.oldest;

    while (request != NULL) {
        struct rkv_request *newer = request->newer;

        if (request->state == RKV_REQUEST_PLACED && request->index <= index)
            rkv_request_finish(node, request, RKV_UNKNOWN, RKV_ESKIPPED);
        request = newer;
    }
}
