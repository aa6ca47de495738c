/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/rounds.c - longer steps, for runs that are too long to be gone
 * through message by message.  One member does something and is connected to
 * some of the others, for so many turns: what it sends reaches them, what they
 * answer reaches it, and so on.  All else that is sent is lost.  So elections
 * and commits are one step each, with every way in which they may stay halves.
 */
#include "explore.h"

#include <stdio.h>
#include <string.h>

enum { TURNS_MAX = 9, MAIL_MAX = 64 };

struct mail {
    uint32_t count;
    uint32_t letters[MAIL_MAX];
};

static uint32_t step_of(uint32_t at, struct choice c, uint32_t who,
                        uint32_t turns)
{
    return at << 30 | (uint32_t)c.move << 26 | c.detail << 8 | who << 4 | turns;
}

/* Only between the member and those it is connected to. */
static void collect(struct mail *mail, const struct outcome *o, uint32_t at,
                    uint32_t who)
{
    for (uint32_t i = 0; i < o->sent_count && mail->count < MAIL_MAX; i++) {
        uint32_t letter = book_sent(o)[i];
        const struct rkv_raft_msg *m = &book_letter(letter)->msg;
        uint32_t ends = 1u << (m->from - 1) | 1u << (m->to - 1);

        if ((ends & 1u << at) != 0 && (ends & ~(who | 1u << at)) == 0)
            mail->letters[mail->count++] = letter;
    }
}

/* One turn; the answers are the mail of the next. */
static const char *turn(struct state *s, struct mail *mail, uint32_t at,
                        uint32_t who)
{
    struct mail answers = {0};

    for (uint32_t i = 0; i < mail->count; i++) {
        uint32_t to = (uint32_t)book_letter(mail->letters[i])->msg.to - 1;
        const struct outcome *o;
        const char *broken;

        if (!state_move(s, to,
                        (struct choice){.move = MOVE_DELIVER,
                                        .detail = mail->letters[i]},
                        &o, &broken))
            continue;
        if (broken != NULL)
            return broken;
        collect(&answers, o, at, who);
    }
    *mail = answers;
    return NULL;
}

static void connect(struct search *search, const struct state *from,
                    uint32_t at, struct choice c, uint32_t who, taker *take)
{
    struct mail mail = {0};
    const struct outcome *o;
    const char *broken;
    struct state to;

    memcpy(&to, from, offsetof(struct state, letters));
    if (!state_move(&to, at, c, &o, &broken))
        return;
    if (who == 0 || broken != NULL) {
        take(search, &to, step_of(at, c, who, 0), broken);
        return;
    }
    collect(&mail, o, at, who);
    for (uint32_t turns = 1; turns <= TURNS_MAX && mail.count > 0; turns++) {
        broken = turn(&to, &mail, at, who);
        take(search, &to, step_of(at, c, who, turns), broken);
        if (broken != NULL)
            return;
    }
}

void rounds_expand(struct search *search, const struct state *from, taker *take)
{
    struct choice list[CHOICES_MAX];

    for (uint32_t at = 0; at < here->members; at++) {
        uint32_t count = choices(from, at, list);

        for (uint32_t i = 0; i < count; i++)
            for (uint32_t who = 0; who < 1u << here->members; who++)
                if ((who & 1u << at) == 0)
                    connect(search, from, at, list[i], who, take);
    }
}

void rounds_tell(const struct state *from, uint32_t step)
{
    uint32_t at = step >> 30;
    uint32_t who = step >> 4 & 15, turns = step & 15;
    struct choice c = {.move = (enum move)(step >> 26 & 15),
                       .detail = step >> 8 & 0x3ffff};
    struct mail mail = {0};
    const struct outcome *o;
    const char *broken;
    struct state s;

    memcpy(&s, from, offsetof(struct state, letters));
    tell_move(s.face[at], c);
    if (!state_move(&s, at, c, &o, &broken) || broken != NULL)
        return;
    collect(&mail, o, at, who);
    for (uint32_t i = 0; i < turns; i++) {
        struct state before = s;

        for (uint32_t k = 0; k < mail.count; k++) {
            uint32_t to = (uint32_t)book_letter(mail.letters[k])->msg.to - 1;
            struct choice get = {.move = MOVE_DELIVER,
                                 .detail = mail.letters[k]};

            tell_move(before.face[to], get);
            if (!state_move(&before, to, get, &o, &broken) || broken != NULL)
                break;
        }
        if (turn(&s, &mail, at, who) != NULL)
            return;
    }
}
