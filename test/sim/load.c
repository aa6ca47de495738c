/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Clients: each asks the member it knows, as long as that is up, and takes
 * every answer: done, not done, or unknown, which stays possible for ever.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>

#include "oracle.h"

void load_begin(struct world *w)
{
    struct load *load = calloc(1, sizeof *load);

    if (load == NULL || rkv_txn_new(NULL, &load->txn) != RKV_OK)
        abort();
    w->clients = load;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct client *c = &load->clients[i];

        c->member = (uint32_t)load_below(w, w->count);
        c->most = 1 + (uint32_t)load_below(w, 6);
        c->in_session = i % 4 == 3;
    }
    commands_draw(w);
    w->leases = !w->drifts && load_below(w, 4) > 0;
}

void load_free(struct world *w)
{
    struct load *load = w->clients;

    if (load == NULL)
        return;
    rkv_txn_free(load->txn);
    free(load->asks);
    free(load);
    w->clients = NULL;
}

uint64_t load_below(struct world *w, uint64_t bound)
{
    return dice_below(&w->load, bound);
}

/* ---- asking ---- */

static struct ask *add_ask(struct world *w, enum ask_kind kind, uint32_t client,
                           uint32_t at)
{
    struct load *load = w->clients;
    struct rkv_node_status status = {.size = sizeof status};
    struct ask *ask;

    rkv_node_status(w->machines[at].node, &status);
    load->asks =
        row_grow(load->asks, &load->asks_cap, load->asks_count, sizeof *ask);
    ask = &load->asks[load->asks_count++];
    *ask = (struct ask){.kind = kind,
                        .member = at,
                        .client = client,
                        .is_follower = status.role != RKV_LEADER,
                        .is_leaderless = status.leader == 0,
                        .asked = ++load->moment};
    return ask;
}

int load_propose(struct world *w, uint32_t client, uint32_t at)
{
    struct load *load = w->clients;
    struct client *c = &load->clients[client];
    struct ask *ask = add_ask(w, ASK_COMMAND, client, at);
    uint64_t token = load->asks_count - 1;
    int rc;

    ask->digest = twin_digest(c->command, c->len);
    rc = rkv_node_propose(w->machines[at].node, token, c->command, c->len);
    world_note(w, "write", token, (uint64_t)-rc);
    if (rc != RKV_OK) {
        ask->outcome = RKV_NOT_DONE;
        return rc;
    }
    claims_asked(&w->oracle->claims, ask->digest);
    c->waiting++;
    w->asked++;
    return RKV_OK;
}

static void ask_read(struct world *w, uint32_t client, uint32_t at)
{
    struct load *load = w->clients;
    struct ask *ask = add_ask(w, ASK_READ, client, at);
    uint64_t token = load->asks_count - 1;

    if (rkv_node_read(w->machines[at].node, token) != RKV_OK) {
        ask->outcome = RKV_NOT_DONE;
        return;
    }
    load->clients[client].waiting++;
    w->reads++;
    world_note(w, "read", token, at);
}

int load_reconfigure(struct world *w, uint32_t at,
                     const struct rkv_change *steps, uint32_t count,
                     uint32_t transition)
{
    struct load *load = w->clients;
    struct ask *ask = add_ask(w, ASK_CHANGE, CLIENTS, at);
    uint64_t token = load->asks_count - 1;
    int rc = rkv_node_reconfigure(w->machines[at].node, token, steps, count,
                                  transition);

    if (rc != RKV_OK)
        ask->outcome = RKV_NOT_DONE;
    w->machines[at].stirred = true;
    world_note(w, "member", token, (uint64_t)-rc);
    return rc;
}

void load_transfer(struct world *w, uint32_t at, uint64_t to)
{
    struct load *load = w->clients;
    struct ask *ask = add_ask(w, ASK_TRANSFER, CLIENTS, at);
    uint64_t token = load->asks_count - 1;
    int rc = rkv_node_transfer(w->machines[at].node, token, to);

    if (rc != RKV_OK)
        ask->outcome = RKV_NOT_DONE;
    w->machines[at].stirred = true;
    world_note(w, "transfer", token, (uint64_t)-rc);
}

static bool is_up(const struct world *w, uint32_t at)
{
    return w->machines[at].node != NULL && w->machines[at].sleeps <= w->now;
}

/* One burst of one client. */
static void ask_some(struct world *w, uint32_t client)
{
    struct client *c = &w->clients->clients[client];

    if (!is_up(w, c->member) || load_below(w, 20) == 0)
        c->member = (uint32_t)load_below(w, w->count);
    if (!is_up(w, c->member))
        return;
    w->machines[c->member].stirred = true;
    if (c->in_session) {
        if (c->waiting == 0)
            command_ask(w, client, c->member);
        return;
    }
    for (uint64_t burst = load_below(w, 5); burst > 0 && c->waiting < c->most;
         burst--) {
        uint64_t choice = load_below(w, 8);

        if (choice == 0)
            ask_read(w, client, c->member);
        else if (choice == 1)
            reading_look(w, c->member);
        else
            command_ask(w, client, c->member);
    }
}

static bool leads(const struct world *w, uint32_t at)
{
    struct rkv_node_status status = {.size = sizeof status};

    rkv_node_status(w->machines[at].node, &status);
    return status.role == RKV_LEADER;
}

/* Those that are likely to be wrong are asked first of all: who was paused, as
 * soon as it is back and perhaps before it has looked at a clock; who believes
 * that it leads while another does; and who hands over and hears nothing. */
static void ask_outdated(struct world *w)
{
    uint32_t leader = world_leader(w);

    for (uint32_t at = 0; at < w->count; at++) {
        struct machine *m = &w->machines[at];
        bool is_outdated = is_up(w, at) && at != leader && leads(w, at);

        if (is_outdated)
            mark(w, MARK_OUTDATED);
        if (!is_up(w, at) ||
            (m->sleeps + 10 < w->now && !is_outdated && m->suspect < w->now))
            continue;
        ask_read(w, (uint32_t)load_below(w, CLIENTS), at);
        m->stirred = true;
    }
}

void load_ask(struct world *w)
{
    watching_ask(w);
    ask_outdated(w);
    if (w->leases && load_below(w, 40) == 0)
        operate_leases(w);
    ask_some(w, (uint32_t)load_below(w, CLIENTS));
}

/* ---- answers ---- */

static void note_refusal(struct world *w, const struct ask *ask,
                         const struct rkv_event *event)
{
    if (event->outcome == RKV_NOT_DONE) {
        if (event->status == RKV_ELOST)
            mark(w, MARK_NOT_DONE_LOST);
        if (ask->is_follower &&
            (event->status == RKV_ENOTLEADER || event->status == RKV_ETRANSFER))
            mark(w, MARK_FORWARD_REFUSED);
        return;
    }
    if (event->status == RKV_ESKIPPED)
        mark(w, MARK_SKIPPED);
    if (ask->is_follower && !ask->is_leaderless)
        mark(w, MARK_FORWARD_UNKNOWN);
}

/* What was said to be done is what the model saw being applied there. */
static void command_done(struct world *w, const struct ask *ask,
                         const struct rkv_event *event)
{
    struct oracle *oracle = w->oracle;
    const struct twin_step *step = twin_step(&oracle->twin, event->index);
    struct deed_done deed = {.name = event->token,
                             .asked = ask->asked,
                             .answered = ++w->clients->moment,
                             .index = event->index,
                             .is_write = true};

    claims_done(&oracle->claims, ask->digest, event->index);
    if (step == NULL || event->result == NULL ||
        twin_digest_answer(event->result) != step->answer) {
        world_break(w, "a request is answered with what it came to",
                    "request %llu at index %llu",
                    (unsigned long long)event->token,
                    (unsigned long long)event->index);
        return;
    }
    deed.revision = step->revision;
    timeline_add(&oracle->timeline, &deed);
    w->done++;
    if (ask->is_leaderless)
        mark(w, MARK_WAITED);
    else if (ask->is_follower)
        mark(w, MARK_FORWARD_DONE);
    command_learn(w, ask->client, event->result);
}

static void read_done(struct world *w, uint32_t at, const struct ask *ask,
                      uint64_t token)
{
    struct rkv_kv_status kv = {.size = sizeof kv};
    struct deed_done deed = {
        .name = token, .asked = ask->asked, .answered = ++w->clients->moment};

    rkv_kv_status(rkv_node_kv(w->machines[at].node), &kv);
    deed.index = kv.applied;
    deed.revision = kv.revision;
    timeline_add(&w->oracle->timeline, &deed);
    if (ask->is_follower && !ask->is_leaderless)
        mark(w, MARK_READ_FORWARDED);
    reading_look(w, at);
}

static void operator_told(struct world *w, const struct ask *ask,
                          const struct rkv_event *event)
{
    if (ask->kind == ASK_TRANSFER) {
        mark(w, event->outcome == RKV_DONE       ? MARK_TRANSFER_DONE
                : event->outcome == RKV_NOT_DONE ? MARK_TRANSFER_LOST
                                                 : MARK_TRANSFER_UNKNOWN);
        return;
    }
    mark(w, event->outcome == RKV_DONE       ? MARK_CHANGE_DONE
            : event->outcome == RKV_NOT_DONE ? MARK_CHANGE_NOT_DONE
                                             : MARK_CHANGE_UNKNOWN);
}

static void take_answer(struct world *w, uint32_t at,
                        const struct rkv_event *event)
{
    struct load *load = w->clients;
    struct ask *ask = &load->asks[event->token];

    if (++ask->answers > 1 || ask->outcome != 0) {
        world_break(w, "a request ends once", "request %llu",
                    (unsigned long long)event->token);
        return;
    }
    ask->outcome = event->outcome;
    if (ask->client == CLIENTS) {
        operator_told(w, ask, event);
        return;
    }
    load->clients[ask->client].waiting--;
    if (event->outcome != RKV_DONE)
        note_refusal(w, ask, event);
    if (ask->kind == ASK_READ) {
        if (event->outcome == RKV_DONE)
            read_done(w, at, ask, event->token);
        return;
    }
    if (event->outcome == RKV_DONE)
        command_done(w, ask, event);
    else if (event->outcome == RKV_NOT_DONE)
        claims_not_done(&w->oracle->claims, ask->digest);
}

void load_event(struct world *w, uint32_t at, const struct rkv_event *event)
{
    if (event->kind == RKV_EVENT_RESTORED) {
        w->restores++;
        oracle_restored(w, at);
        watching_restored(w, at);
    }
    if (event->kind == RKV_EVENT_CHANGE)
        watching_told(w, at, event->change);
    if (event->kind == RKV_EVENT_DONE && event->token != UINT64_MAX) {
        world_note(w, "done", event->token, event->outcome);
        take_answer(w, at, event);
    }
    oracle_hear(w);
}

/* For the clients, all that was open at this member ends with it. */
void load_ended(struct world *w, uint32_t at)
{
    struct load *load = w->clients;

    for (size_t i = 0; i < load->asks_count; i++) {
        struct ask *ask = &load->asks[i];

        if (ask->member != at || ask->outcome != 0)
            continue;
        ask->outcome = RKV_UNKNOWN;
        if (ask->client == CLIENTS)
            continue;
        load->clients[ask->client].waiting--;
        if (ask->kind == ASK_COMMAND && ask->is_follower)
            mark(w, MARK_FORWARD_UNKNOWN);
    }
    watching_ended(w, at);
}

/* Nothing is left without an answer, and what is unknown happened or not. */
void load_finish(struct world *w)
{
    struct load *load = w->clients;

    for (size_t i = 0; i < load->asks_count; i++) {
        const struct ask *ask = &load->asks[i];

        if (ask->outcome == 0)
            world_break(w, "every request ends", "request %zu", i);
        if (ask->kind == ASK_COMMAND && ask->outcome == RKV_UNKNOWN)
            mark(w, claims_count(&w->oracle->claims, ask->digest) > 0
                        ? MARK_UNKNOWN_DONE
                        : MARK_UNKNOWN_NEVER);
    }
    watching_finish(w);
    timeline_check(&w->oracle->timeline, &w->oracle->verdict);
    oracle_hear(w);
}
