/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/check.c - the invariants of core.h as code, for tests and
 * simulations to ask after every step.
 */
#include "core.h"

static const char *check_log(const struct rkv_raft *r);
static const char *check_disk(const struct rkv_raft *r);
static const char *check_role(const struct rkv_raft *r);
static const char *check_members(const struct rkv_raft *r);

const char *rkv_core_check(const struct rkv_raft *r)
{
    const char *broken = check_log(r);
    if (broken == NULL)
        broken = check_disk(r);
    if (broken == NULL)
        broken = check_role(r);
    if (broken == NULL)
        broken = check_members(r);
    return broken;
}

static const char *check_log(const struct rkv_raft *r)
{
    const struct trail *t = &r->trail;

    if (t->first == 0 || t->last + 1 < t->first)
        return "the log has a beginning and an end";
    if (t->last > t->end)
        return "the log ends where there is room";
    if (r->commit > t->last || r->emitted > r->commit ||
        r->applied > r->emitted)
        return "applied <= emitted <= commit <= last";
    if (t->first > r->applied + 1)
        return "only what is applied is compacted";
    if (t->last >= t->first && trail_at(t, t->last)->term != t->last_term)
        return "the last term is that of the last entry";
    if (t->last_term > r->term)
        return "no entry is of a later term";
    for (uint64_t i = t->first; i <= t->last; i++) {
        const struct trail_entry *entry = trail_at(t, i);
        if (entry->term < trail_term(t, i - 1))
            return "terms never fall along the log";
        if (trail_kind(entry) == RKV_ENTRY_CONFIG && i > t->config_last)
            return "no configuration lies above config_last";
    }
    return NULL;
}

static const char *check_disk(const struct rkv_raft *r)
{
    uint64_t index = r->durable;

    if (r->durable > r->handed || r->handed > r->trail.last)
        return "durable <= handed <= last";
    if (r->durable + 1 < r->trail.first)
        return "what was compacted is durable";
    if (r->token_last - r->token_done > r->tokens_mask + 1)
        return "tokens under way are bounded";
    for (uint64_t i = r->token_done + 1; i <= r->token_last; i++) {
        const struct token *t = &r->tokens[i & r->tokens_mask];
        if (t->index > r->handed)
            return "a token stands for no more than was handed out";
        if (t->index >= r->durable && t->index < index)
            return "a later token stands for no less";
        if (t->index >= index)
            index = t->index;
    }
    if (r->durable_term > r->term)
        return "the disk is in no later term";
    return NULL;
}

static const char *check_role(const struct rkv_raft *r)
{
    if ((r->role == RKV_LEADER) != (r->leader == r->id))
        return "a leader, and nobody else, takes itself for one";
    if (r->quiet && r->role != RKV_FOLLOWER && r->role != RKV_LEADER)
        return "who campaigns is not quiet";
    if (r->role != RKV_FOLLOWER && r->role != RKV_LEADER && r->leader != 0)
        return "who campaigns follows nobody";
    if (r->role == RKV_LEADER &&
        (r->durable_term != r->term || r->durable_vote != r->id))
        return "nobody leads before its own vote is durable";
    if (r->role == RKV_LEADER && r->term_start > r->trail.last)
        return "a leader has an entry of its term";
    if (r->role == RKV_CANDIDATE && r->vote != r->id)
        return "a candidate votes for itself";
    if (r->recovering && r->role != RKV_FOLLOWER)
        return "a member that lost commits follows";
    if (r->verified > r->trail.last)
        return "what is verified is in the log";
    if (r->restore_index != 0 && r->restore_index < r->commit)
        return "no snapshot is fetched that ends before the commit";
    return NULL;
}

static const char *check_members(const struct rkv_raft *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        const struct peer *p = &r->peers[i];
        if (p->id != r->members[i].id || p->id == 0)
            return "members and peers run parallel";
        if (i > 0 && p->id <= r->peers[i - 1].id)
            return "members are in id order";
        if (r->role != RKV_LEADER || (int)i == r->self)
            continue;
        if (p->match >= p->next)
            return "match < next";
        if (p->match > r->trail.last || p->next > r->trail.last + 1)
            return "a peer has no more than the leader";
        if (progress_inflight(p) > r->options.inflight_max)
            return "appends under way are bounded";
    }
    if ((r->granted | r->rejected) & ~all_bits(r))
        return "only members are counted";
    return NULL;
}
