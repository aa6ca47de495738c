/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Nodes that wait for something: their core's turn at the pump, the disk, a
 * host that takes events.  Who came first is first; whoever is in no line
 * costs nothing.  And the tick each of them waits for, in a heap: what is due
 * is found without asking those that are not.
 *
 * A node that is to wait longer than its place in the heap says, as followers
 * do with each heartbeat, is left where it is until it comes to the top.
 */
#include "line.h"

/* ---- lines ---- */

static void leave(rkv_node *node, enum rkv_wait what)
{
    struct rkv_line *line = &node->hub->lines[what];
    rkv_node **link = &line->first, *before = NULL;

    if (!node->waits[what])
        return;
    while (*link != node) {
        before = *link;
        link = &before->behind[what];
    }
    *link = node->behind[what];
    if (line->last == node)
        line->last = before;
    node->waits[what] = false;
}

void rkv_lines_leave(rkv_node *node)
{
    for (int what = 0; what < RKV_WAITS; what++)
        leave(node, (enum rkv_wait)what);
}

/* ---- ticks ---- */

static void put(rkv_hub *hub, size_t place, struct rkv_due due)
{
    hub->dues[place] = due;
    due.node->due_place = place;
}

static void rise(rkv_hub *hub, size_t place, struct rkv_due due)
{
    while (place > 0 && due.at < hub->dues[(place - 1) / 2].at) {
        put(hub, place, hub->dues[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(hub, place, due);
}

static void sink(rkv_hub *hub, size_t place, struct rkv_due due)
{
    for (;;) {
        size_t below = 2 * place + 1;

        if (below >= hub->dues_count)
            break;
        if (below + 1 < hub->dues_count &&
            hub->dues[below + 1].at < hub->dues[below].at)
            below++;
        if (due.at <= hub->dues[below].at)
            break;
        put(hub, place, hub->dues[below]);
        place = below;
    }
    put(hub, place, due);
}

int rkv_due_enter(rkv_node *node)
{
    rkv_hub *hub = node->hub;
    void *dues = hub->dues;

    if (rkv_grow(&hub->allocator, &dues, &hub->dues_cap, hub->dues_count + 1,
                 sizeof *hub->dues) != RKV_OK)
        return RKV_ENOMEM;
    hub->dues = dues;
    node->due = 0;
    rise(hub, hub->dues_count++, (struct rkv_due){.node = node});
    return RKV_OK;
}

void rkv_due_leave(rkv_node *node)
{
    rkv_hub *hub = node->hub;
    size_t place = node->due_place;
    struct rkv_due last = hub->dues[--hub->dues_count];

    if (last.node == node)
        return;
    if (place > 0 && last.at < hub->dues[(place - 1) / 2].at)
        rise(hub, place, last);
    else
        sink(hub, place, last);
    rkv_due_move(hub->dues[0].node);
}

void rkv_due_move(rkv_node *node)
{
    rkv_hub *hub = node->hub;
    size_t place = node->due_place;

    if (node->due < hub->dues[place].at)
        rise(hub, place, (struct rkv_due){.at = node->due, .node = node});
    for (;;) {
        struct rkv_due first = hub->dues[0];

        if (first.at == first.node->due)
            return;
        first.at = first.node->due;
        sink(hub, 0, first);
    }
}
