/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/status.c - looking in: nothing here changes anything.
 */
#include "core.h"

#include "../base/options.h"

static uint32_t leaderless(const struct rkv_raft *r);
static uint32_t voted(const struct rkv_raft *r, uint64_t bits, bool with_self);

void rkv_raft_status(const rkv_raft *r, struct rkv_raft_status *out)
{
    const struct trail *t = &r->trail;
    struct rkv_raft_status status = {
        .size = sizeof(status),
        .role = r->role,
        .id = r->id,
        .leader = r->leader,
        .term = r->term,
        .vote = r->vote,
        .first = t->first,
        .last = t->last,
        .durable = r->durable,
        .commit = r->commit,
        .applied = r->applied,
        .deadline = r->out.deadline,
        .transferee = r->transferee,
        .uncommitted_bytes = r->uncommitted_bytes,
        .lease = rkv_lease_end(r),
        .quiet = r->quiet,
        .leaderless = leaderless(r),
        .granted = voted(r, r->granted, true),
        .rejected = voted(r, r->rejected, false),
        .recovering = r->recovering,
        .pending_change = t->config_last > r->applied &&
                          rkv_trail_has_config(t, r->applied + 1, t->last)};
    rkv_report(out, &status, sizeof(status));
}

int rkv_raft_peer(const rkv_raft *r, uint64_t id, struct rkv_raft_peer *out)
{
    int slot = config_slot(r, id);
    if (slot < 0)
        return RKV_ENOTFOUND;
    const struct peer *p = &r->peers[slot];
    bool is_self = slot == r->self;
    struct rkv_raft_peer peer = {.size = sizeof(peer),
                                 .role = r->members[slot].role,
                                 .id = id,
                                 .match = is_self ? r->durable : p->match,
                                 .next = is_self ? r->trail.last + 1 : p->next,
                                 .heard = p->heard,
                                 .progress = p->progress,
                                 .inflight = progress_inflight(p)};
    rkv_report(out, &peer, sizeof(peer));
    return RKV_OK;
}

void rkv_raft_last(const rkv_raft *r, uint64_t *index, uint64_t *term)
{
    *index = r->trail.last;
    *term = r->trail.last_term;
}

int rkv_raft_term_at(const rkv_raft *r, uint64_t index, uint64_t *term)
{
    if (index + 1 < r->trail.first)
        return RKV_ECOMPACTED;
    if (index > r->trail.last)
        return RKV_EFUTURE;
    *term = trail_term(&r->trail, index);
    return RKV_OK;
}

uint32_t rkv_raft_members(const rkv_raft *r, const struct rkv_raft_member **out)
{
    *out = r->members;
    return r->count;
}

int rkv_raft_check_change(const rkv_raft *r,
                          const struct rkv_raft_changes *changes)
{
    struct config next = rkv_slots_draft(r);
    return rkv_change_check(changes, &next);
}

/* Of several reasons the one that holds whatever else changes. */
static uint32_t leaderless(const struct rkv_raft *r)
{
    if (r->leader != 0)
        return RKV_LEADERLESS_NOT;
    if (r->failed)
        return RKV_LEADERLESS_FAILED;
    if ((voter_bits(r) & self_bit(r)) == 0)
        return RKV_LEADERLESS_NO_VOTER;
    if ((r->options.flags & RKV_RAFT_NEVER_LEADS) != 0)
        return RKV_LEADERLESS_NEVER;
    if (r->recovering)
        return RKV_LEADERLESS_RECOVERING;
    if (r->restore_index != 0)
        return RKV_LEADERLESS_RESTORING;
    if (r->trail.last == r->trail.end)
        return RKV_LEADERLESS_FULL;
    if (!rkv_election_allowed(r))
        return RKV_LEADERLESS_CHANGE;
    if (r->role == RKV_PRECANDIDATE)
        return RKV_LEADERLESS_PREVOTES;
    if (r->role == RKV_CANDIDATE && rkv_election_is_durable(r))
        return RKV_LEADERLESS_VOTES;
    if (r->role == RKV_CANDIDATE)
        return RKV_LEADERLESS_DISK;
    return rkv_lease_binds(r) ? RKV_LEADERLESS_PROMISED
                              : RKV_LEADERLESS_WAITING;
}

static uint32_t voted(const struct rkv_raft *r, uint64_t bits, bool with_self)
{
    bool counts_self =
        with_self && (r->role == RKV_PRECANDIDATE ||
                      (r->role == RKV_CANDIDATE && rkv_election_is_durable(r)));
    if (counts_self)
        bits |= self_bit(r);
    return (uint32_t)__builtin_popcountll(bits & voter_bits(r));
}
