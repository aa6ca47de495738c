/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Links: a heap of frames by the time they arrive.  Delay is drawn for each
 * frame alone, so they overtake each other freely.  What befalls a frame is
 * drawn with dice thrown for it, one draw for each chance whether it can
 * happen or not.
 */
#include "net.h"

#include <stdlib.h>
#include <string.h>

#include "world.h"

enum { DELAY_TAIL = 8 };

/* ---- the heap ---- */

static bool earlier(const struct frame *a, const struct frame *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void swap(struct frame *a, struct frame *b)
{
    struct frame held = *a;

    *a = *b;
    *b = held;
}

static void push(struct net *net, struct frame frame)
{
    size_t at = net->frames_count++;

    if (net->frames_count > net->frames_cap) {
        net->frames_cap = net->frames_cap ? 2 * net->frames_cap : 256;
        net->frames =
            realloc(net->frames, net->frames_cap * sizeof *net->frames);
        if (net->frames == NULL)
            abort();
    }
    net->frames[at] = frame;
    for (; at > 0 && earlier(&net->frames[at], &net->frames[(at - 1) / 2]);
         at = (at - 1) / 2)
        swap(&net->frames[at], &net->frames[(at - 1) / 2]);
}

static struct frame pop(struct net *net)
{
    struct frame first = net->frames[0];
    size_t at = 0;

    net->frames[0] = net->frames[--net->frames_count];
    for (;;) {
        size_t least = at, left = 2 * at + 1, right = left + 1;

        if (left < net->frames_count &&
            earlier(&net->frames[left], &net->frames[least]))
            least = left;
        if (right < net->frames_count &&
            earlier(&net->frames[right], &net->frames[least]))
            least = right;
        if (least == at)
            return first;
        swap(&net->frames[at], &net->frames[least]);
        at = least;
    }
}

/* ---- links ---- */

void net_make(struct world *w)
{
    struct dice dice = dice_named(w->seed, "weather");

    w->net.listener = dice_named(w->seed, "listener");
    for (uint32_t from = 0; from < MEMBERS_MAX; from++)
        for (uint32_t to = 0; to < MEMBERS_MAX; to++) {
            struct link *link = &w->net.links[from][to];

            link->dice = dice_thrown(&dice);
            link->weather = dice_below(&dice, 4) == 0
                                ? 0
                                : 500 + (uint32_t)dice_below(&dice, 1000);
            link->least = dice_below(&dice, 1 + w->delay / 2);
            link->newest_first = dice_below(&dice, 4) == 0;
        }
}

bool link_is_cut(const struct world *w, uint32_t from, uint32_t to)
{
    const struct link *link = &w->net.links[from][to];

    return w->now < link->cut_until ||
           (w->now < link->flap_until && w->now / link->flap_period % 2 == 1);
}

static struct frame copy_of(struct world *w, const struct frame *frame,
                            uint64_t at)
{
    struct frame copy = *frame;

    copy.at = at;
    copy.order = w->order++;
    copy.data = malloc(frame->len);
    if (copy.data == NULL)
        abort();
    memcpy(copy.data, frame->data, frame->len);
    return copy;
}

static void post(struct world *w, const struct frame *frame, uint64_t delay)
{
    const struct link *link = &w->net.links[frame->from][frame->to];
    struct frame copy = copy_of(w, frame, w->now + link->least + delay);

    if (copy.at < link->clog_until) {
        copy.at = link->clog_until;
        if (link->newest_first)
            copy.order = UINT64_MAX - copy.order;
    }
    push(&w->net, copy);
}

/* No link gives back what was sent: a byte is another, or the end is gone. */
static void post_damaged(struct world *w, const struct frame *frame,
                         struct dice dice)
{
    struct frame copy =
        copy_of(w, frame, w->now + dice_below(&dice, w->delay + 1));
    uint64_t at = dice_below(&dice, copy.len);

    copy.damaged = true;
    if (dice_below(&dice, 4) == 0)
        copy.len = at;
    else
        copy.data[at] ^= (unsigned char)(1u << dice_below(&dice, 8));
    push(&w->net, copy);
}

/* A tail of long delays behind many short ones. */
static uint64_t draw_delay(const struct world *w, struct dice dice)
{
    uint64_t delay = dice_below(&dice, w->delay + 1);

    return dice_below(&dice, 16) == 0 ? delay * DELAY_TAIL : delay;
}

static void record(struct world *w, const struct frame *frame)
{
    struct frame *kept;

    if (dice_below(&w->net.listener, 16) != 0)
        return;
    kept = &w->net.records[dice_below(&w->net.listener, RECORDS_MAX)];
    free(kept->data);
    *kept = copy_of(w, frame, 0);
}

void net_send(struct world *w, uint32_t from, const struct rkv_frame *sent)
{
    struct frame frame = {.from = from,
                          .to = (uint32_t)sent->to - 1,
                          .len = sent->len,
                          .data = (unsigned char *)(uintptr_t)sent->data};
    struct link *link = &w->net.links[from][frame.to];
    struct dice dice, delays[5];
    bool befalls[5];

    if (frame.to >= w->count)
        return;
    dice = dice_thrown(&link->dice);
    for (int i = 0; i < 5; i++) {
        static const enum chance chances[5] = {CHANCE_LOSS, CHANCE_GHOST,
                                               CHANCE_REPEAT, CHANCE_GHOST,
                                               CHANCE_DAMAGE};

        delays[i] = dice_thrown(&dice);
        befalls[i] = swarm_befalls(&w->swarm, chances[i], link->weather, &dice);
    }
    if (link_is_cut(w, from, frame.to) || befalls[0])
        return;
    record(w, &frame);
    /* A ghost is a frame that comes, or comes again, when nobody expects it. */
    post(w, &frame,
         befalls[1] ? dice_below(&delays[1], w->ghost_delay)
                    : draw_delay(w, delays[0]));
    if (befalls[2])
        post(w, &frame, draw_delay(w, delays[2]));
    if (befalls[3])
        post(w, &frame, dice_below(&delays[3], w->ghost_delay));
    if (befalls[4])
        post_damaged(w, &frame, delays[4]);
}

void net_replay(struct world *w, struct dice *dice)
{
    const struct frame *kept = &w->net.records[dice_below(dice, RECORDS_MAX)];
    struct frame copy;

    if (kept->data == NULL)
        return;
    copy = copy_of(w, kept, w->now + 1);
    if (dice_below(dice, 4) == 0) {
        copy.to = (uint32_t)dice_below(dice, w->count);
        copy.misdelivered = copy.to != kept->to;
    }
    push(&w->net, copy);
    world_note(w, "replay", copy.from * 10 + copy.to, copy.len);
}

/* ---- arrivals ---- */

static void arrive(struct world *w, const struct frame *frame)
{
    struct machine *m = &w->machines[frame->to];
    int rc;

    memory_act(&m->memory);
    rc = rkv_node_receive(m->node, machine_now(w, m), frame->data, frame->len);
    memory_rest();
    m->stirred = true;
    if (frame->damaged && rc == RKV_OK)
        world_break(w, "a damaged frame is refused", "%u to %u",
                    frame->from + 1, frame->to + 1);
    if (frame->misdelivered && rc == RKV_OK)
        world_break(w, "a frame for another is refused", "%u to %u",
                    frame->from + 1, frame->to + 1);
    m->misled |= frame->misdelivered || w->machines[frame->from].disk.damaged;
    world_note(w, "receive", frame->from * 10 + frame->to,
               frame->len * 100 + (uint64_t)-rc);
}

/* Whoever is asleep or busy finds it when he comes back, or does not. */
static bool waits(const struct world *w, struct frame *frame)
{
    const struct machine *m = &w->machines[frame->to];
    uint64_t until = m->sleeps > m->busy_until ? m->sleeps : m->busy_until;

    if (m->node == NULL || until <= w->now || until == UINT64_MAX ||
        (m->sleeps > w->now && !w->buffers))
        return false;
    frame->at = until;
    return true;
}

void net_deliver(struct world *w)
{
    while (w->net.frames_count > 0 && w->net.frames[0].at <= w->now) {
        struct frame frame = pop(&w->net);
        const struct machine *m = &w->machines[frame.to];

        if (waits(w, &frame)) {
            push(&w->net, frame);
            continue;
        }
        if (m->node != NULL && m->sleeps <= w->now &&
            !link_is_cut(w, frame.from, frame.to))
            arrive(w, &frame);
        free(frame.data);
    }
}

uint64_t net_next(const struct world *w)
{
    return w->net.frames_count > 0 ? w->net.frames[0].at : UINT64_MAX;
}

void net_free(struct world *w)
{
    while (w->net.frames_count > 0)
        free(w->net.frames[--w->net.frames_count].data);
    free(w->net.frames);
    for (size_t i = 0; i < RECORDS_MAX; i++)
        free(w->net.records[i].data);
    memset(&w->net, 0, sizeof w->net);
}
