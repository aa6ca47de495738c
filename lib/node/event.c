/* SPDX-License-Identifier: BSD-2-Clause
 *
 * News for the host: a ring of simple events, then changes of watches, then
 * what applying the next committed entry answers.
 */
#include <string.h>

#include "line.h"

/* Beyond this, news that nobody takes is only kept up to date. */
enum { NEWS_MAX = 1024, TURN_EVENTS = 64 };

static struct rkv_event *event_at(const rkv_node *node, size_t position)
{
    return &node->events[(node->events_head + position) &
                         (node->events_cap - 1)];
}

static int grow_ring(rkv_node *node, size_t wanted)
{
    const struct rkv_allocator *a = &node->hub->allocator;
    size_t cap = node->events_cap == 0 ? 16 : node->events_cap;
    struct rkv_event *events;

    while (cap < wanted)
        cap *= 2;
    events = rkv_alloc(a, cap * sizeof *events);
    if (events == NULL)
        return RKV_ENOMEM;
    for (size_t i = 0; i < node->events_count; i++)
        events[i] = *event_at(node, i);
    rkv_release(a, node->events, node->events_cap * sizeof *events);
    node->events = events;
    node->events_cap = cap;
    node->events_head = 0;
    return RKV_OK;
}

/* Every open request has a place in the ring from its first day. */
int rkv_event_reserve(rkv_node *node)
{
    size_t wanted = node->events_count + (size_t)node->requests.count + 1;

    return wanted <= node->events_cap ? RKV_OK : grow_ring(node, wanted);
}

static void append(rkv_node *node, const struct rkv_event *event)
{
    struct rkv_event *at = event_at(node, node->events_count++);

    *at = *event;
    at->group = node->group;
    rkv_node_wait(node, RKV_WAIT_HOST);
}

static struct rkv_event *newest_of(const rkv_node *node, uint32_t kind)
{
    for (size_t i = node->events_count; i > 0; i--)
        if (event_at(node, i - 1)->kind == kind)
            return event_at(node, i - 1);
    return NULL;
}

void rkv_event_push(rkv_node *node, const struct rkv_event *event)
{
    struct rkv_event *old = NULL;

    if (node->news_count >= NEWS_MAX)
        old = newest_of(node, event->kind);
    if (old != NULL) {
        *old = *event;
        old->group = node->group;
        return;
    }
    if (rkv_event_reserve(node) != RKV_OK) {
        (void)rkv_hub_fail(node->hub, RKV_ENOMEM,
                           "group %llu: no memory to report an event",
                           (unsigned long long)node->group);
        return;
    }
    append(node, event);
    node->news_count++;
}

void rkv_event_done(rkv_node *node, uint64_t token, uint32_t outcome,
                    int32_t status)
{
    struct rkv_event event = {.kind = RKV_EVENT_DONE,
                              .outcome = outcome,
                              .status = status,
                              .token = token,
                              .term = node->term,
                              .leader = node->leader};

    append(node, &event);
    node->requests.answers++;
}

static bool next_told(rkv_node *node)
{
    if (node->events_count == 0)
        return false;
    node->event = *event_at(node, 0);
    node->events_head = (node->events_head + 1) & (node->events_cap - 1);
    node->events_count--;
    if (node->event.kind == RKV_EVENT_DONE)
        node->requests.answers--;
    else
        node->news_count--;
    return true;
}

static bool next_change(rkv_node *node)
{
    const struct rkv_change_event *change;

    if (node->kv == NULL || rkv_kv_next_change(node->kv, &change) <= 0)
        return false;
    memset(&node->event, 0, sizeof node->event);
    node->event.kind = RKV_EVENT_CHANGE;
    node->event.group = node->group;
    node->event.change = change;
    return true;
}

static bool next_applied(rkv_node *node)
{
    if (node->hub->failed || node->applied >= node->commit)
        return false;
    memset(&node->event, 0, sizeof node->event);
    if (rkv_apply_next(node, &node->event) <= 0)
        return false;
    node->event.group = node->group;
    return true;
}

/* What is applied may answer nobody and yet be news, or fail, and with that
 * answer everybody. */
int rkv_event_next(rkv_node *node, const struct rkv_event **out)
{
    bool found = next_told(node) || next_change(node) || next_applied(node) ||
                 next_told(node) || next_change(node);

    if (found)
        *out = &node->event;
    return found;
}

bool rkv_event_waiting(const rkv_node *node)
{
    return node->events_count > 0 || node->applied < node->commit ||
           rkv_kv_changes_wait(node->kv);
}

/* A state sweeps out what a compaction left when it is asked for changes: of
 * those that nothing happens to, one is asked each time. */
static bool next_of_idle(rkv_hub *hub, const struct rkv_event **event)
{
    rkv_node *node;

    if (hub->nodes_count == 0)
        return false;
    node = hub->nodes[hub->idle_turn++ % hub->nodes_count];
    if (!next_change(node))
        return false;
    *event = &node->event;
    return true;
}

/* Groups take turns, so that a busy one does not silence the others; a turn
 * is a few events, so that a state is not left as soon as it is at hand. */
static bool next_of_any(rkv_hub *hub, const struct rkv_event **event)
{
    rkv_node *node;

    while ((node = rkv_bell_answer(&hub->bell)) != NULL)
        rkv_node_wait(node, RKV_WAIT_HOST);
    if (hub->lines[RKV_WAIT_HOST].first == NULL)
        return next_of_idle(hub, event);
    while ((node = hub->lines[RKV_WAIT_HOST].first) != NULL) {
        bool found = rkv_event_next(node, event);

        if (found && ++hub->turn_taken < TURN_EVENTS)
            return true;
        hub->turn_taken = 0;
        (void)rkv_line_next(hub, RKV_WAIT_HOST);
        if (!found)
            continue;
        rkv_node_wait(node, RKV_WAIT_HOST);
        return true;
    }
    return false;
}

int rkv_hub_next_event(rkv_hub *hub, const struct rkv_event **event)
{
    bool was_failed;

    if (hub == NULL || event == NULL)
        return RKV_EINVAL;
    rkv_pump(hub);
    was_failed = hub->failed != 0;
    if (next_of_any(hub, event))
        return 1;
    /* Applying may have made the cores speak, or failed. */
    if (was_failed || (hub->lines[RKV_WAIT_PUMP].first == NULL && !hub->failed))
        return hub->failed ? RKV_EFAILED : 0;
    rkv_pump(hub);
    if (next_of_any(hub, event))
        return 1;
    return hub->failed ? RKV_EFAILED : 0;
}
