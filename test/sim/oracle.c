/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What must hold, looked at after every turn of every member: one leader per
 * term, logs that match, leaders that hold all that is committed, states that
 * are equal at equal indexes, and at the end every answered write on every
 * member, once.
 */
#include "oracle.h"

#include <stdlib.h>

#include "world.h"

/* A bootstrap is a snapshot of nothing at index 1. */
enum { BOOTSTRAPPED = 1 };
/* Per thousand, as set_clock() draws them. */
enum { CLOCK_FASTEST = 1100 };

void oracle_begin(struct world *w)
{
    struct oracle *oracle = calloc(1, sizeof *oracle);
    struct rkv_raft_member founders[MEMBERS_MAX];

    if (oracle == NULL)
        abort();
    twin_init(&oracle->twin, BOOTSTRAPPED, &oracle->verdict);
    claims_init(&oracle->claims, &oracle->verdict);
    notary_init(&oracle->notary, &oracle->verdict);
    lifetimes_init(&oracle->lifetimes, w->drifts ? CLOCK_FASTEST : 1000,
                   &oracle->verdict);
    w->oracle = oracle;
    for (uint32_t i = 0; i < w->founders; i++)
        founders[i] =
            (struct rkv_raft_member){.id = member_id(w, i), .role = RKV_VOTER};
    notary_configured(&oracle->notary, BOOTSTRAPPED, founders, w->founders);
    probe_watch(w);
}

void oracle_free(struct world *w)
{
    if (w->oracle == NULL)
        return;
    twin_free(&w->oracle->twin);
    claims_free(&w->oracle->claims);
    notary_free(&w->oracle->notary);
    lifetimes_free(&w->oracle->lifetimes);
    free(w->oracle->taken_in);
    timeline_free(&w->oracle->timeline);
    free(w->oracle);
    w->oracle = NULL;
}

void oracle_hear(struct world *w)
{
    const struct verdict *verdict = &w->oracle->verdict;

    if (verdict->broken != NULL)
        world_break(w, verdict->broken, "%s", verdict->detail);
}

/* ---- what is applied ---- */

static bool is_of(const struct twin_step *step, enum deed_kind kind)
{
    return (step->kinds >> kind & 1) != 0;
}

static void note_deeds(struct world *w, const struct twin_step *step,
                       const struct twin_news *news,
                       const struct rkv_result *result)
{
    bool is_done = step->status == RKV_OK && !result->replayed;

    if (is_done && is_of(step, KIND_PUT))
        mark(w, MARK_PUT);
    if (is_done && is_of(step, KIND_COMPARE))
        mark(w, result->succeeded ? MARK_THEN : MARK_ELSE);
    if (is_done && is_of(step, KIND_RANGE))
        mark(w, MARK_READ_IN_TXN);
    if (news->is_nested)
        mark(w, MARK_NESTED);
    if (news->deleted > 1)
        mark(w, MARK_DELETED_MANY);
    if (is_of(step, KIND_COMPACT))
        mark(w, is_done ? MARK_CLIENT_COMPACTED : MARK_COMPACT_REFUSED);
    if (result->replayed)
        mark(w, MARK_SESSION_REPLAYED);
    if (step->status == RKV_ESESSION)
        mark(w, MARK_SESSION_UNKNOWN);
    if (step->status == RKV_ESTALE)
        mark(w, MARK_SESSION_STALE);
    if (step->status == RKV_EQUOTA)
        mark(w, MARK_QUOTA_REFUSED);
}

static void note_leases(struct world *w, const struct twin_step *step,
                        const struct twin_news *news,
                        const struct rkv_result *result)
{
    bool takes_keys = step->revision > 1 && news->deleted > 0;

    if (w->oracle->lifetimes.ended_across > 0)
        mark(w, MARK_LEASE_ACROSS);
    w->oracle->lifetimes.ended_across = 0;
    if (news->leases_emptied > 0)
        mark(w, MARK_LEASE_EMPTIED);
    if (is_of(step, KIND_CLOCK) && news->leases_ended > 0)
        mark(w, MARK_LEASE_ENDED);
    if (is_of(step, KIND_CLOCK) && takes_keys)
        mark(w, MARK_LEASE_ENDED_KEYS);
    if (is_of(step, KIND_REVOKE) && takes_keys)
        mark(w, MARK_LEASE_REVOKED_KEYS);
    for (uint64_t i = 0; is_of(step, KIND_KEEP) && i < result->responses_count;
         i++)
        mark(w, result->responses[i].ttl > 0 ? MARK_LEASE_KEPT
                                             : MARK_LEASE_KEPT_LATE);
}

static void note_users(struct world *w, const struct twin_step *step)
{
    if (step->status == RKV_EDENIED)
        mark(w, MARK_DENIED);
    if (step->status == RKV_EOLDAUTH)
        mark(w, MARK_OLD_AUTH);
    if (is_of(step, KIND_AUTH) && step->status == RKV_OK)
        mark(w, w->oracle->twin.auth_enabled ? MARK_AUTH_ENABLED
                                             : MARK_AUTH_DISABLED);
}

/* A lease lives from when a leader took in what asked for it: that is before
 * the clock moved next. */
static void follow_leases(struct world *w, uint64_t index,
                          const struct twin_step *step)
{
    struct oracle *o = w->oracle;
    uint64_t term = notary_term(&o->notary, index);
    bool is_known = index < o->taken_in_end && o->taken_in[index].term == term;

    lifetimes_step(&o->lifetimes, &o->twin,
                   is_known ? o->taken_in[index].at : 0, w->now, term,
                   is_of(step, KIND_CLOCK));
}

/* The first time an entry is applied anywhere. */
static void take_entry(struct world *w, const rkv_kv *kv, uint64_t index,
                       const struct rkv_result *result)
{
    struct oracle *oracle = w->oracle;
    const struct twin_step *step = twin_step(&oracle->twin, index);
    struct rkv_kv_status status = {.size = sizeof status};

    rkv_kv_status(kv, &status);
    twin_check_status(&oracle->twin, &status);
    if (result == NULL || step == NULL)
        return;
    /* Nodes move the clock by themselves, and compact near the quota. */
    claims_landed(&oracle->claims, index, step->command,
                  is_of(step, KIND_CLOCK) ||
                      (is_of(step, KIND_COMPACT) && !step->in_session));
    follow_leases(w, index, step);
    note_deeds(w, step, &oracle->twin.news, result);
    note_leases(w, step, &oracle->twin.news, result);
    note_users(w, step);
}

void oracle_applied(struct world *w, const rkv_kv *kv, uint64_t index,
                    const void *command, size_t len,
                    const struct rkv_result *result)
{
    struct twin *twin = &w->oracle->twin;
    struct rkv_kv_status status = {.size = sizeof status};
    bool is_first = index > twin->applied;

    rkv_kv_status(kv, &status);
    twin_applied(twin, index, command, len, result, status.hash);
    if (is_first)
        take_entry(w, kv, index, result);
    oracle_hear(w);
}

void oracle_restored(struct world *w, uint32_t at)
{
    struct rkv_kv_status status = {.size = sizeof status};

    rkv_kv_status(rkv_node_kv(w->machines[at].node), &status);
    twin_restored(&w->oracle->twin, status.applied, status.hash);
    oracle_hear(w);
}

void oracle_asked(struct world *w, const void *command, size_t len)
{
    claims_asked(&w->oracle->claims, twin_digest(command, len));
}

void oracle_opening(struct world *w, uint32_t at)
{
    w->oracle->cores[at] = (struct core_look){0};
    notary_opened(&w->oracle->notary, member_id(w, at));
}

void oracle_ending(struct world *w, uint32_t at)
{
    core_dies(w, at);
}

bool oracle_is_settled(struct world *w)
{
    struct rkv_raft_status status = {.size = sizeof status};

    for (uint32_t i = 0; i < w->count; i++) {
        if (w->machines[i].node == NULL)
            continue;
        rkv_raft_status(rkv_node_raft(w->machines[i].node), &status);
        if (status.pending_change)
            return false;
    }
    return notary_is_settled(&w->oracle->notary);
}

/* What it found on its disk is what was applied up to there. */
void oracle_opened(struct world *w, uint32_t at)
{
    struct rkv_node_status status = {.size = sizeof status};

    rkv_node_status(w->machines[at].node, &status);
    w->oracle->cores[at].boot = status.boot;
    w->oracle->cores[at].last = status.last;
    oracle_restored(w, at);
}

/* ---- members ---- */

static void applied_rises(struct world *w, uint32_t at)
{
    struct machine *m = &w->machines[at];
    struct rkv_kv_status kv = {.size = sizeof kv};

    rkv_kv_status(rkv_node_kv(m->node), &kv);
    if (kv.applied < m->last_applied)
        world_break(w, "applied never goes back", "member %u", at + 1);
    m->last_applied = kv.applied;
}

static void note_picture(struct world *w, uint32_t at)
{
    struct rkv_node_status status = {.size = sizeof status};
    struct core_look *look = &w->oracle->cores[at];

    rkv_node_status(w->machines[at].node, &status);
    if (status.snapshots_taken > look->pictures)
        mark(w, MARK_SNAPSHOT_TAKEN);
    look->pictures = status.snapshots_taken;
}

void oracle_look(struct world *w, uint32_t at)
{
    if (w->machines[at].node == NULL || w->broken != NULL)
        return;
    applied_rises(w, at);
    note_picture(w, at);
}

/* What the core calls durable is on the disk, and with it the vote. */
void oracle_flushed(struct world *w, uint32_t at)
{
    struct rkv_raft_status status = {.size = sizeof status};
    const struct paper_state *stored =
        &notary_member(&w->oracle->notary, member_id(w, at))->paper.now;
    bool is_spent;

    rkv_raft_status(rkv_node_raft(w->machines[at].node), &status);
    /* Whose disk lost what was promised has spent its vote, on nobody. */
    is_spent = status.recovering != 0 && status.vote == status.id;
    if (stored->term > status.term ||
        (stored->term == status.term && stored->vote != 0 &&
         stored->vote != status.vote && !is_spent))
        world_break(w, "the store knows the vote", "member %u term %llu",
                    at + 1, (unsigned long long)status.term);
    if (status.durable > stored->last && status.durable > stored->snapshot)
        world_break(w, "the store holds what is durable",
                    "member %u: %llu, stored up to %llu", at + 1,
                    (unsigned long long)status.durable,
                    (unsigned long long)stored->last);
}
