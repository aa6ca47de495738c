/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/state.c - what a member may do in a state, and the state that
 * follows when it does.
 */
#include "explore.h"

#include <string.h>

const struct scope *here;

static void offer(struct choice *list, uint32_t *count, enum move move,
                  uint32_t detail)
{
    list[(*count)++] = (struct choice){.move = move, .detail = detail};
}

static void offer_leader(const struct state *s, const struct face *f,
                         struct choice *list, uint32_t *count)
{
    bool is_checked = (here->flags & RKV_RAFT_NO_CHANGE_CHECK) == 0;

    if (f->is_leaving)
        offer(list, count, MOVE_TIMEOUT, 0);
    if (here->has_beats)
        offer(list, count, MOVE_BEAT, 0);
    if (s->left[PROPOSALS] > 0)
        offer(list, count, MOVE_PROPOSE,
              1u + here->budget[PROPOSALS] - s->left[PROPOSALS]);
    if (s->left[CHANGES] > 0 && (is_checked || f->may_change))
        for (const uint32_t *code = here->menu; *code != 0; code++)
            offer(list, count, MOVE_CHANGE, *code);
    if (s->left[TRANSFERS] > 0)
        for (uint32_t id = 1; id <= here->members; id++)
            if (id != f->id)
                offer(list, count, MOVE_TRANSFER, id);
}

/* One disk at a time: the next when the last is whole again. */
static bool may_lose(const struct state *s)
{
    for (uint32_t i = 0; i < here->members; i++)
        if (book_face(s->face[i])->is_recovering)
            return false;
    return s->left[LOSSES] > 0;
}

uint32_t choices(const struct state *s, uint32_t at, struct choice *list)
{
    const struct face *f = book_face(s->face[at]);
    uint32_t count = 0;

    if (f->role == RKV_LEADER)
        offer_leader(s, f, list, &count);
    else if (f->term < here->terms)
        offer(list, &count, MOVE_TIMEOUT, 0);
    if (f->has_writes)
        offer(list, &count, MOVE_PERSIST, 0);
    if (f->has_apply)
        offer(list, &count, MOVE_APPLY, 0);
    if (s->left[CRASHES] > 0)
        offer(list, &count, MOVE_CRASH, 0);
    if (may_lose(s))
        offer(list, &count, MOVE_LOSE, 0);
    if (s->left[READS] > 0)
        offer(list, &count, MOVE_READ, 0);
    return count;
}

static void pay(struct state *s, enum move move)
{
    static const struct {
        enum move move;
        enum budget budget;
    } prices[] = {{MOVE_PROPOSE, PROPOSALS}, {MOVE_CHANGE, CHANGES},
                  {MOVE_CRASH, CRASHES},     {MOVE_LOSE, LOSSES},
                  {MOVE_READ, READS},        {MOVE_TRANSFER, TRANSFERS}};

    for (size_t i = 0; i < sizeof prices / sizeof prices[0]; i++)
        if (prices[i].move == move)
            s->left[prices[i].budget]--;
}

bool state_move(struct state *s, uint32_t at, struct choice choice,
                const struct outcome **out, const char **broken)
{
    uint32_t before = s->face[at];
    const struct outcome *o = book_outcome(before, choice.move, choice.detail);

    *out = o;
    *broken = o->broken;
    if (o->is_refused)
        return false;
    pay(s, choice.move);
    if (o->broken != NULL)
        return true;
    if (book_face(o->next)->term > here->terms)
        return false;
    if (choice.move == MOVE_READ) {
        struct ledger l = *ledger_at(s->ledger);

        l.read_floor = l.last;
        s->ledger = ledger_file(&l);
    }
    s->face[at] = o->next;
    if (o->next != before || o->is_read)
        *broken = ledger_note(s, at, before, o);
    return true;
}

void state_begin(struct state *s)
{
    struct ledger nothing = {0};

    memset(s, 0, sizeof *s);
    for (uint32_t i = 0; i < here->members; i++)
        s->face[i] = book_found(i + 1);
    s->ledger = ledger_file(&nothing);
    for (int i = 0; i < BUDGETS; i++)
        s->left[i] = here->budget[i];
}
