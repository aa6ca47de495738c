/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What members promise each other.
 */
#include "notary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void notary_init(struct notary *notary, struct verdict *verdict)
{
    memset(notary, 0, sizeof *notary);
    notary->verdict = verdict;
}

void notary_free(struct notary *notary)
{
    for (size_t i = 0; i < notary->count; i++) {
        paper_free(&notary->members[i].paper);
        free(notary->members[i].votes);
    }
    free(notary->leaders);
    free(notary->places);
    free(notary->committed);
    free(notary->configs);
}

struct notary_member *notary_member(struct notary *notary, uint64_t id)
{
    struct notary_member *member;

    for (size_t i = 0; i < notary->count; i++)
        if (notary->members[i].id == id)
            return &notary->members[i];
    if (notary->count == NOTARY_MEMBERS)
        abort();
    member = &notary->members[notary->count++];
    member->id = id;
    paper_init(&member->paper, id, notary->verdict);
    return member;
}

void notary_opened(struct notary *notary, uint64_t id)
{
    struct notary_member *member = notary_member(notary, id);

    member->term = 0;
    member->commit = 0;
    member->leads = 0;
}

/* Others may still count on what it lost, and rightly: it will not vote before
 * it has that again. */
void notary_found(struct notary *notary, uint64_t id,
                  const struct rkv_store_state *state)
{
    struct notary_member *member = notary_member(notary, id);

    if (state->recovering)
        member->forgot = true;
    paper_found(&member->paper, state);
}

void notary_read(struct notary *notary, uint64_t id,
                 const struct rkv_entry *entries, uint32_t count)
{
    paper_read(&notary_member(notary, id)->paper, entries, count);
}

/* ---- logs ---- */

static struct notary_place *find_place(struct notary_place *places, size_t cap,
                                       uint64_t index, uint64_t term)
{
    struct digest digest = {index};
    size_t at;

    digest_number(&digest, term);
    at = (size_t)digest.value & (cap - 1);
    while (places[at].term != 0 &&
           (places[at].index != index || places[at].term != term))
        at = (at + 1) & (cap - 1);
    return &places[at];
}

static void grow_places(struct notary *notary)
{
    size_t cap = notary->places_cap == 0 ? 1024 : 2 * notary->places_cap;
    struct notary_place *places = calloc(cap, sizeof *places);

    if (places == NULL)
        abort();
    for (size_t i = 0; i < notary->places_cap; i++) {
        const struct notary_place *p = &notary->places[i];

        if (p->term != 0)
            *find_place(places, cap, p->index, p->term) = *p;
    }
    free(notary->places);
    notary->places = places;
    notary->places_cap = cap;
}

/* A chain covers all that came before, so this says that two logs with an
 * entry of the same index and term are the same up to there (thesis 3.5). */
static void match(struct notary *notary, uint64_t id, const struct rkv_entry *e)
{
    struct notary_place *place;
    uint64_t chain;

    memcpy(&chain, e->chain, sizeof chain);
    if (2 * (notary->places_count + 1) > notary->places_cap)
        grow_places(notary);
    place = find_place(notary->places, notary->places_cap, e->index, e->term);
    if (place->term == 0) {
        *place = (struct notary_place){e->index, e->term, chain};
        notary->places_count++;
    } else if (place->chain != chain) {
        verdict_break(notary->verdict, "logs match",
                      "member %" PRIu64 " writes an entry at %" PRIu64
                      " of term %" PRIu64 " that is another elsewhere",
                      id, e->index, e->term);
    }
}

void notary_writing(struct notary *notary, uint64_t id,
                    const struct rkv_store_write *write)
{
    if ((write->flags & RKV_WRITE_ENTRIES) != 0)
        for (uint64_t i = 0; i < write->count; i++)
            match(notary, id, &write->entries[i]);
    paper_writing(&notary_member(notary, id)->paper, write);
}

void notary_written(struct notary *notary, uint64_t id)
{
    paper_written(&notary_member(notary, id)->paper);
}

/* ---- votes and leaders ---- */

static void vote(struct notary *notary, struct notary_member *member,
                 uint64_t term, uint64_t to)
{
    for (size_t i = member->votes_count; i-- > 0;) {
        if (member->votes[i].term != term)
            continue;
        if (member->votes[i].to != to)
            verdict_break(notary->verdict, "a member votes once in a term",
                          "member %" PRIu64 " in term %" PRIu64 ": for %" PRIu64
                          " and for %" PRIu64,
                          member->id, term, member->votes[i].to, to);
        return;
    }
    member->votes = row_grow(member->votes, &member->votes_cap,
                             member->votes_count, sizeof member->votes[0]);
    member->votes[member->votes_count++] = (struct notary_vote){term, to};
}

/* What a promise rests on. */
static void must_be_durable(struct notary *notary,
                            const struct notary_member *member, uint64_t term,
                            uint64_t for_whom)
{
    const struct paper_state *now = &member->paper.now;

    if (now->term != term || now->vote != for_whom)
        verdict_break(notary->verdict, "a vote is given when it is durable",
                      "member %" PRIu64 " in term %" PRIu64 " for %" PRIu64
                      ", on its disk: term %" PRIu64 " for %" PRIu64,
                      member->id, term, for_whom, now->term, now->vote);
}

static void lead(struct notary *notary, struct notary_member *member,
                 uint64_t term)
{
    if (member->leads == term)
        return;
    while (notary->leaders_end <= term) {
        notary->leaders =
            row_grow(notary->leaders, &notary->leaders_cap, notary->leaders_end,
                     sizeof notary->leaders[0]);
        notary->leaders[notary->leaders_end++] = 0;
    }
    if (notary->leaders[term] != 0 && notary->leaders[term] != member->id)
        verdict_break(notary->verdict, "one leader per term",
                      "term %" PRIu64 ": %" PRIu64 " and %" PRIu64, term,
                      notary->leaders[term], member->id);
    notary->leaders[term] = member->id;
    member->leads = term;
    member->appended = 0;
    vote(notary, member, term, member->id);
    must_be_durable(notary, member, term, member->id);
}

uint64_t notary_leader(const struct notary *notary, uint64_t term)
{
    return term < notary->leaders_end ? notary->leaders[term] : 0;
}

/* ---- what comes out of a core ---- */

static void acknowledge(struct notary *notary,
                        const struct notary_member *member,
                        const struct rkv_raft_msg *msg)
{
    const struct paper_state *now = &member->paper.now;
    uint64_t last = now->last > now->snapshot ? now->last : now->snapshot;

    /* A heartbeat is answered at once: what it tells must be there, but the
     * term need not. */
    bool is_beat = msg->kind == RKV_MSG_HEARTBEAT_REPLY;

    if ((now->term < msg->term && !is_beat) || last < msg->index)
        verdict_break(notary->verdict, "what is acknowledged is on the disk",
                      "member %" PRIu64 " says up to %" PRIu64
                      " in term %" PRIu64 ", on its disk: up to %" PRIu64
                      " in term %" PRIu64,
                      member->id, msg->index, msg->term, last, now->term);
}

static void hear(struct notary *notary, struct notary_member *member,
                 const struct rkv_raft_msg *msg)
{
    if ((msg->flags & RKV_MSG_REJECT) != 0)
        return;
    if (msg->kind == RKV_MSG_VOTE_REPLY) {
        vote(notary, member, msg->term, msg->to);
        must_be_durable(notary, member, msg->term, msg->to);
    } else if (msg->kind == RKV_MSG_APPEND_REPLY ||
               msg->kind == RKV_MSG_HEARTBEAT_REPLY) {
        acknowledge(notary, member, msg);
    }
}

static void append(struct notary *notary, struct notary_member *member,
                   const struct rkv_raft_out *out)
{
    const struct rkv_raft_entry *first = &out->append[0];

    if (out->role != RKV_LEADER)
        return;
    if (member->appended != 0 && first->index <= member->appended)
        verdict_break(notary->verdict, "a leader only appends",
                      "member %" PRIu64 " in term %" PRIu64 " replaces %" PRIu64
                      ", it had come to %" PRIu64,
                      member->id, out->term, first->index, member->appended);
    member->appended = out->append[out->append_count - 1].index;
}

void notary_drained(struct notary *notary, uint64_t id,
                    const struct rkv_raft_out *out)
{
    struct notary_member *member = notary_member(notary, id);

    if (out->term < member->term)
        verdict_break(notary->verdict, "terms never go back",
                      "member %" PRIu64 ": %" PRIu64 " after %" PRIu64, id,
                      out->term, member->term);
    if (out->commit < member->commit)
        verdict_break(notary->verdict, "commits never go back",
                      "member %" PRIu64 ": %" PRIu64 " after %" PRIu64, id,
                      out->commit, member->commit);
    member->term = out->term;
    member->commit = out->commit;
    if (out->role == RKV_LEADER)
        lead(notary, member, out->term);
    else
        member->leads = 0;
    if (out->append_count > 0)
        append(notary, member, out);
    for (uint32_t i = 0; i < out->msgs_count; i++)
        hear(notary, member, &out->msgs[i]);
}

/* ---- commits ---- */

/* As many as decide, of the voters that come in, or of those that go out. */
static bool has_quorum(struct notary *notary, uint64_t index, uint64_t term,
                       const struct rkv_raft_member *members, uint32_t count,
                       uint32_t role)
{
    uint32_t voters = 0, holders = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct notary_member *member;

        if ((members[i].role & role) == 0)
            continue;
        member = notary_member(notary, members[i].id);
        voters++;
        holders += member->forgot || paper_holds(&member->paper, index, term);
    }
    return voters == 0 || 2 * holders > voters;
}

void notary_settled(struct notary *notary, uint64_t id, uint64_t index,
                    uint64_t term)
{
    while (notary->committed_end <= index) {
        notary->committed =
            row_grow(notary->committed, &notary->committed_cap,
                     notary->committed_end, sizeof notary->committed[0]);
        notary->committed[notary->committed_end++] = 0;
    }
    if (notary->committed[index] != 0 && notary->committed[index] != term)
        verdict_break(notary->verdict, "what is committed stays",
                      "member %" PRIu64 ", index %" PRIu64 ": term %" PRIu64
                      ", was %" PRIu64,
                      id, index, term, notary->committed[index]);
    notary->committed[index] = term;
}

uint64_t notary_term(const struct notary *notary, uint64_t index)
{
    return index < notary->committed_end ? notary->committed[index] : 0;
}

void notary_committed(struct notary *notary, uint64_t id, uint64_t index,
                      uint64_t term, const struct rkv_raft_member *members,
                      uint32_t count)
{
    notary_settled(notary, id, index, term);
    if (!has_quorum(notary, index, term, members, count, RKV_VOTER) ||
        !has_quorum(notary, index, term, members, count, RKV_OUTGOING))
        verdict_break(notary->verdict,
                      "what is committed is durable on a majority",
                      "leader %" PRIu64 ", index %" PRIu64 " of term %" PRIu64,
                      id, index, term);
}

/* ---- configurations ---- */

static uint32_t bit_of(const struct notary_config *config,
                       const struct notary_config *other, uint64_t id)
{
    for (uint32_t i = 0; i < config->count; i++)
        if (config->members[i].id == id)
            return i;
    for (uint32_t i = 0; i < other->count; i++)
        if (other->members[i].id == id)
            return config->count + i;
    return 0;
}

/* Can this set decide, in this configuration? */
static bool decides(const struct notary_config *config,
                    const struct notary_config *a,
                    const struct notary_config *b, uint64_t set, uint32_t role)
{
    uint32_t voters = 0, there = 0;

    for (uint32_t i = 0; i < config->count; i++) {
        if ((config->members[i].role & role) == 0)
            continue;
        voters++;
        there += (uint32_t)(set >> bit_of(a, b, config->members[i].id) & 1);
    }
    return voters == 0 || 2 * there > voters;
}

static bool decides_all(const struct notary_config *config,
                        const struct notary_config *a,
                        const struct notary_config *b, uint64_t set)
{
    return decides(config, a, b, set, RKV_VOTER) &&
           decides(config, a, b, set, RKV_OUTGOING);
}

/* No set decides here while the rest decides there. */
static void check_meeting(struct notary *notary, const struct notary_config *a,
                          const struct notary_config *b)
{
    uint32_t bits = a->count + b->count;

    /* Learners and strangers decide nothing: only bits of voters matter, and
     * there are few. */
    for (uint64_t set = 0; set < (uint64_t)1 << a->count; set++) {
        uint64_t rest = ~set & (((uint64_t)1 << bits) - 1);

        if (!decides_all(a, a, b, set) || !decides_all(b, a, b, rest))
            continue;
        verdict_break(
            notary->verdict, "majorities of neighbouring configurations meet",
            "those applied at %" PRIu64 " and at %" PRIu64, a->index, b->index);
        return;
    }
}

static bool is_equal(const struct notary_config *a,
                     const struct notary_config *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->members[i].id != b->members[i].id ||
            a->members[i].role != b->members[i].role)
            return false;
    return true;
}

void notary_configured(struct notary *notary, uint64_t index,
                       const struct rkv_raft_member *members, uint32_t count)
{
    struct notary_config config = {.index = index};

    for (uint32_t i = 0; i < count && i < 16; i++)
        config.members[config.count++] = members[i];
    for (size_t i = notary->configs_count; i-- > 0;) {
        if (notary->configs[i].index > index)
            continue;
        if (notary->configs[i].index < index)
            break;
        if (!is_equal(&notary->configs[i], &config))
            verdict_break(notary->verdict, "all apply the same configurations",
                          "at %" PRIu64, index);
        return;
    }
    if (notary->configs_count > 0 &&
        notary->configs[notary->configs_count - 1].index < index)
        check_meeting(notary, &notary->configs[notary->configs_count - 1],
                      &config);
    notary->configs = row_grow(notary->configs, &notary->configs_cap,
                               notary->configs_count, sizeof config);
    notary->configs[notary->configs_count++] = config;
}

bool notary_is_settled(const struct notary *notary)
{
    uint64_t from = 1;

    if (notary->configs_count > 0)
        from = notary->configs[notary->configs_count - 1].index + 1;
    for (size_t i = 0; i < notary->count; i++) {
        const struct paper *paper = &notary->members[i].paper;

        for (uint64_t at = from; at < paper->end && at <= paper->now.last; at++)
            if (paper->lines[at].kind == RKV_ENTRY_CONFIG)
                return false;
    }
    return true;
}
