/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/node/line.h - lines of nodes that wait for something, and the heap of
 * the ticks they want.
 */
#ifndef RKV_NODE_LINE_H
#define RKV_NODE_LINE_H

#include "room.h"

/* Behind the others that do, unless it does already. */
static inline void rkv_node_wait(rkv_node *node, enum rkv_wait what)
{
    struct rkv_line *line = &node->hub->lines[what];

    if (node->waits[what])
        return;
    node->waits[what] = true;
    node->behind[what] = NULL;
    *(line->last != NULL ? &line->last->behind[what] : &line->first) = node;
    line->last = node;
}

/* Who came first, and leaves; NULL: nobody waits. */
static inline rkv_node *rkv_line_next(rkv_hub *hub, enum rkv_wait what)
{
    struct rkv_line *line = &hub->lines[what];
    rkv_node *node = line->first;

    if (node == NULL)
        return NULL;
    line->first = node->behind[what];
    if (line->first == NULL)
        line->last = NULL;
    node->waits[what] = false;
    return node;
}

/* It waits for nothing any more. */
void rkv_lines_leave(rkv_node *node);

/* RKV_OK or RKV_ENOMEM; it is due at once. */
int rkv_due_enter(rkv_node *node);
void rkv_due_leave(rkv_node *node);
/* Its place follows where it must: the first is always exact. */
void rkv_due_move(rkv_node *node);

static inline void rkv_due_set(rkv_node *node, uint64_t at)
{
    uint64_t before = node->hub->dues[node->due_place].at;

    node->due = at;
    if (at < before || (node->due_place == 0 && at > before))
        rkv_due_move(node);
}

#endif
