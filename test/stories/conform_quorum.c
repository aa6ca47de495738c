/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/conform_quorum.c - what a quorum has reached and how a vote
 * stands, for one half or for two.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"
#include <raftkv/base.h>

#include "raft/quorum.h"

/* Slots in the order in which ids are first named: it is the order of what
 * is given for each. */
struct voters {
    uint64_t ids[RKV_MEMBERS_MAX];
    size_t count;
};

struct halves {
    uint64_t voters;
    uint64_t outgoing;
};

static bool is_number(const char *value)
{
    return *value >= '0' && *value <= '9';
}

static uint64_t half(struct voters *v, const struct script_arg *arg)
{
    uint64_t bits = 0;

    for (size_t i = 0; arg != NULL && i < arg->count; i++) {
        uint64_t id = strtoull(arg->values[i], NULL, 10);
        size_t slot = 0;

        if (!is_number(arg->values[i]))
            continue;
        while (slot < v->count && v->ids[slot] != id)
            slot++;
        if (slot == v->count && v->count < RKV_MEMBERS_MAX)
            v->ids[v->count++] = id;
        bits |= UINT64_C(1) << slot;
    }
    return bits;
}

/* The number stands in the last line; what is above it is a drawing. */
static bool same_index(const struct script *s, const struct script_case *c,
                       uint64_t found)
{
    char ours[32] = "\xe2\x88\x9e", where[512];
    const char *expected = "";
    size_t at = c->expected_end;

    while (at > c->expected_first && *expected == '\0')
        expected = s->lines[--at];
    if (strstr(expected, ours) != NULL)
        expected = ours;
    if (found != UINT64_MAX)
        snprintf(ours, sizeof ours, "%" PRIu64, found);
    if (strcmp(expected, ours) == 0)
        return true;
    printf("%s: expected %s, found %s\n",
           conform_where(s, c, where, sizeof where), expected, ours);
    return false;
}

static bool committed(const struct script *s, const struct script_case *c,
                      const struct halves *h)
{
    const struct script_arg *idx = script_find(c, "idx");
    uint64_t values[RKV_MEMBERS_MAX] = {0};

    for (size_t i = 0; idx != NULL && i < idx->count && i < RKV_MEMBERS_MAX;
         i++)
        values[i] =
            is_number(idx->values[i]) ? strtoull(idx->values[i], NULL, 10) : 0;
    return same_index(s, c, rkv_joint_value(h->voters, h->outgoing, values));
}

static bool vote(const struct script *s, const struct script_case *c,
                 const struct halves *h)
{
    static const char *const names[] = {[VOTE_PENDING] = "VotePending\n",
                                        [VOTE_WON] = "VoteWon\n",
                                        [VOTE_LOST] = "VoteLost\n"};
    const struct script_arg *votes = script_find(c, "votes");
    uint64_t yes = 0, no = 0;

    for (size_t i = 0; votes != NULL && i < votes->count && i < RKV_MEMBERS_MAX;
         i++) {
        if (strcmp(votes->values[i], "y") == 0)
            yes |= UINT64_C(1) << i;
        if (strcmp(votes->values[i], "n") == 0)
            no |= UINT64_C(1) << i;
    }
    return conform_lines(
        s, c, names[rkv_joint_vote(h->voters, h->outgoing, yes, no)]);
}

void conform_quorum(const struct script *s, struct score *score)
{
    for (size_t i = 0; i < s->cases_count; i++) {
        const struct script_case *c = &s->cases[i];
        struct halves h;
        struct voters v = {0};
        char where[512];
        bool is_same = false;

        h.voters = half(&v, script_find(c, "cfg"));
        h.outgoing = half(&v, script_find(c, "cfgj"));
        if (strcmp(c->directive, "committed") == 0)
            is_same = committed(s, c, &h);
        else if (strcmp(c->directive, "vote") == 0)
            is_same = vote(s, c, &h);
        else
            printf("%s: no such directive\n",
                   conform_where(s, c, where, sizeof where));
        score->passed += is_same;
        score->failed += !is_same;
    }
}
