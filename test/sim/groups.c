/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Group 0 is the world's; the others have the ids from 1 on, and their
 * requests tokens of their own.
 */
#include "groups.h"

#include <stdio.h>

#include "load.h"

#define GROUP_TOKENS (UINT64_C(1) << 61)

int groups_open(struct world *w, uint32_t at,
                const struct rkv_node_options *options,
                const struct rkv_member *founders)
{
    struct machine *m = &w->machines[at];
    int rc = RKV_OK;

    for (uint32_t i = 0; rc == RKV_OK && i < w->others; i++) {
        struct rkv_node_options ours = *options;

        ours.group = w->opening = i + 1;
        rc = rkv_hub_node(m->hub, &ours, &m->others[i]);
        if (rc == RKV_OK && founders != NULL)
            rc = rkv_node_bootstrap(m->others[i], founders, w->founders);
    }
    w->opening = 0;
    return rc;
}

/* ---- writes ---- */

static int ask_write(rkv_node *node, uint64_t n)
{
    char key[16];
    const void *command;
    rkv_txn *txn;
    size_t len;
    int rc;

    (void)snprintf(key, sizeof key, "g%05u", (unsigned)n);
    rc = encode_put(key, "other", &txn, &command, &len);
    if (rc == RKV_OK)
        rc = rkv_node_propose(node, GROUP_TOKENS + n, command, len);
    rkv_txn_free(txn);
    return rc;
}

void groups_ask(struct world *w)
{
    struct dice dice = dice_thrown(&w->group_load);
    uint32_t which = (uint32_t)dice_below(&dice, 1 + w->others);
    uint32_t at = (uint32_t)dice_below(&dice, w->founders);
    struct machine *m = &w->machines[at];
    struct group *group = &w->group[which];
    uint64_t n = group->asked;

    if (which == w->others || n == GROUP_WRITES || m->node == NULL ||
        m->sleeps > w->now || dice_below(&dice, 3) != 0)
        return;
    if (ask_write(m->others[which], n) != RKV_OK)
        return;
    group->writes[n].member = (uint8_t)at;
    group->asked++;
    m->stirred = true;
    world_note(w, "other", which, n);
}

bool groups_event(struct world *w, uint32_t at, const struct rkv_event *event)
{
    struct group_write *write;

    if (event->group == 0)
        return false;
    if (event->kind != RKV_EVENT_DONE || event->token < GROUP_TOKENS)
        return true;
    write = &w->group[event->group - 1].writes[event->token - GROUP_TOKENS];
    if (++write->answers > 1 || write->member != at)
        world_break(w, "a request of each group ends once, where it was asked",
                    "group %llu, write %llu, member %u",
                    (unsigned long long)event->group,
                    (unsigned long long)(event->token - GROUP_TOKENS), at + 1);
    write->outcome = (uint8_t)event->outcome;
    world_note(w, "answer", event->group, event->outcome);
    return true;
}

void groups_ended(struct world *w, uint32_t at)
{
    for (uint32_t i = 0; i < w->others; i++)
        for (uint32_t n = 0; n < w->group[i].asked; n++) {
            struct group_write *write = &w->group[i].writes[n];

            if (write->member == at && write->outcome == 0)
                write->outcome = RKV_UNKNOWN;
        }
}

bool groups_recover(const struct machine *m)
{
    struct rkv_node_status status = {.size = sizeof status};
    bool any = false;

    for (uint32_t i = 0; i < OTHERS_MAX; i++)
        if (m->others[i] != NULL) {
            rkv_node_status(m->others[i], &status);
            any |= status.recovering != 0;
        }
    return any;
}

/* ---- oracles ---- */

static void look_at(struct world *w, uint32_t at, uint32_t which)
{
    rkv_node *node = w->machines[at].others[which];
    struct group *group = &w->group[which];
    struct rkv_node_status status = {.size = sizeof status};
    struct rkv_kv_status kv = {.size = sizeof kv};

    rkv_node_status(node, &status);
    rkv_kv_status(rkv_node_kv(node), &kv);
    if (status.role == RKV_LEADER && status.term < GROUP_TERMS) {
        uint8_t *leader = &group->leader_of[status.term];

        if (*leader != 0 && *leader != at + 1)
            world_break(w, "one leader per term in each group",
                        "group %u term %llu: %u and %u", which + 1,
                        (unsigned long long)status.term, *leader, at + 1);
        *leader = (uint8_t)(at + 1);
    }
    if (kv.applied == 0 || kv.applied >= GROUP_INDEXES)
        return;
    if (group->state_at[kv.applied] == 0)
        group->state_at[kv.applied] = kv.hash;
    else if (group->state_at[kv.applied] != kv.hash)
        world_break(w, "states are equal at equal indexes in each group",
                    "group %u member %u index %llu", which + 1, at + 1,
                    (unsigned long long)kv.applied);
}

void groups_look(struct world *w, uint32_t at)
{
    for (uint32_t i = 0; i < w->others && at < w->founders; i++)
        look_at(w, at, i);
}

static bool holds(rkv_node *node, uint64_t n)
{
    char key[16];
    struct rkv_range range = {.size = sizeof range, .key = key};
    const struct rkv_result *result;

    range.key_len = (size_t)snprintf(key, sizeof key, "g%05u", (unsigned)n);
    return rkv_kv_range(rkv_node_kv(node), &range, &result) == RKV_OK &&
           result->responses[0].items_count == 1;
}

static void check_writes(struct world *w, uint32_t at, uint32_t which)
{
    const struct group *group = &w->group[which];

    for (uint64_t n = 0; n < group->asked && w->broken == NULL; n++) {
        bool there = holds(w->machines[at].others[which], n);

        if (group->writes[n].outcome == 0 ||
            (group->writes[n].outcome == RKV_DONE && !there) ||
            (group->writes[n].outcome == RKV_NOT_DONE && there))
            world_break(w, "a write of each group is where it was answered",
                        "group %u write %llu member %u: outcome %u, %s",
                        which + 1, (unsigned long long)n, at + 1,
                        group->writes[n].outcome,
                        there ? "there" : "not there");
    }
}

/* All of the core that found it agree on who leads and how far. */
static void check_group(struct world *w, uint32_t which)
{
    struct rkv_node_status first = {.size = sizeof first};
    struct rkv_node_status status = {.size = sizeof status};
    bool any = false;

    for (uint32_t at = 0; at < w->founders && w->broken == NULL; at++) {
        const struct machine *m = &w->machines[at];

        if (!live_is_core(w, at) || m->node == NULL)
            continue;
        rkv_node_status(m->others[which], any ? &status : &first);
        if (any ? status.leader != first.leader ||
                      status.applied != first.applied
                : first.leader == 0)
            world_break(w, "a healed core agrees in each group",
                        "group %u member %u: leader %llu, applied %llu, and "
                        "leader %llu, applied %llu",
                        which + 1, at + 1, (unsigned long long)status.leader,
                        (unsigned long long)status.applied,
                        (unsigned long long)first.leader,
                        (unsigned long long)first.applied);
        any = true;
        check_writes(w, at, which);
    }
}

void groups_end(struct world *w)
{
    uint32_t founders = (1u << w->founders) - 1;
    uint32_t quorum = w->founders / 2 + 1;

    /* The core was drawn for the members of the first group. */
    if ((uint32_t)__builtin_popcount(w->live.core & founders) < quorum)
        return;
    for (uint32_t i = 0; i < w->others; i++)
        check_group(w, i);
}
