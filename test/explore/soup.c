/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/soup.c - messages that never go away: each may be delivered at
 * any time, any number of times or not at all.  So loss, repetition, delay and
 * every order are one rule.
 *
 * A step is one member and what it does, or the message that it gets.
 */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t step_of(uint32_t at, struct choice c)
{
    return at << 30 | (uint32_t)c.move << 26 | c.detail;
}

/* Of a term that its receiver has left for good, so it will be thrown away
 * whenever it comes.  (Votes are not: they bring news of what is committed.
 * Nor is what a leader says, which is told the present term.) */
static bool is_dead(const struct state *s, uint32_t letter)
{
    const struct rkv_raft_msg *m = &book_letter(letter)->msg;

    switch (m->kind) {
    case RKV_MSG_APPEND_REPLY:
    case RKV_MSG_HEARTBEAT_REPLY:
    case RKV_MSG_READ_REPLY:
    case RKV_MSG_TIMEOUT_NOW:
    case RKV_MSG_TRANSFER:
        return m->term < book_face(s->face[m->to - 1])->promised;
    default:
        return false;
    }
}

static bool is_there(const struct state *s, uint32_t letter)
{
    for (uint32_t i = 0; i < s->letters_count; i++)
        if (s->letters[i] == letter)
            return true;
    return false;
}

static void throw_dead(struct state *s)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->letters_count; i++)
        if (!is_dead(s, s->letters[i]))
            s->letters[kept++] = s->letters[i];
    s->letters_count = kept;
}

static void add(struct state *s, uint32_t letter)
{
    if (is_there(s, letter) || is_dead(s, letter))
        return;
    if (s->letters_count == LETTERS_MAX) {
        fputs("explore: too many messages in one state\n", stderr);
        exit(2);
    }
    s->letters[s->letters_count++] = letter;
}

/* Most of what is delivered changes nothing: see so before copying. */
static bool is_idle(const struct state *from, uint32_t at, struct choice c)
{
    const struct outcome *o = book_outcome(from->face[at], c.move, c.detail);
    const uint32_t *sent = book_sent(o);

    if (o->is_refused)
        return true;
    if (o->next != from->face[at] || o->broken != NULL || o->is_read ||
        c.move >= MOVE_CRASH)
        return false;
    for (uint32_t i = 0; i < o->sent_count; i++)
        if (!is_there(from, sent[i]) && !is_dead(from, sent[i]))
            return false;
    return true;
}

static void try(struct search *search, const struct state *from, uint32_t at,
                struct choice c, taker *take)
{
    struct state to;
    const struct outcome *o;
    const char *broken;

    if (is_idle(from, at, c))
        return;
    memcpy(&to, from,
           offsetof(struct state, letters) +
               from->letters_count * sizeof from->letters[0]);
    if (!state_move(&to, at, c, &o, &broken))
        return;
    if (book_face(to.face[at])->promised > book_face(from->face[at])->promised)
        throw_dead(&to);
    for (uint32_t i = 0; i < o->sent_count; i++)
        add(&to, book_sent(o)[i]);
    take(search, &to, step_of(at, c), broken);
}

void soup_expand(struct search *search, const struct state *from, taker *take)
{
    struct choice list[CHOICES_MAX];

    for (uint32_t at = 0; at < here->members; at++) {
        uint32_t count = choices(from, at, list);

        for (uint32_t i = 0; i < count; i++)
            try(search, from, at, list[i], take);
    }
    for (uint32_t i = 0; i < from->letters_count; i++) {
        uint32_t letter = from->letters[i];
        uint32_t at = (uint32_t)book_letter(letter)->msg.to - 1;

        try(search, from, at,
            (struct choice){.move = MOVE_DELIVER, .detail = letter}, take);
    }
}

void soup_tell(const struct state *from, uint32_t step)
{
    tell_move(from->face[step >> 30],
              (struct choice){.move = (enum move)(step >> 26 & 15),
                              .detail = step & ((1u << 26) - 1)});
}
