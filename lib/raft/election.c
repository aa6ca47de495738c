/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/election.c - terms, votes and who leads (thesis 3.4, 9.6 and
 * 4.2.3).  A vote is given in memory here and leaves when promise.c finds it
 * on disk; a campaign is won only once our own vote is there too.
 */
#include "core.h"

enum { OBJECT_TIMEOUTS = 4 };

static void become_precandidate(struct rkv_raft *r);
static void become_candidate(struct rkv_raft *r, bool force);
static void become_leader(struct rkv_raft *r);
static void leave_role(struct rkv_raft *r);
static bool vote_is_free(const struct rkv_raft *r,
                         const struct rkv_raft_msg *m);
static bool log_is_current(const struct rkv_raft *r,
                           const struct rkv_raft_msg *m);
static bool objects(const struct rkv_raft *r, const struct rkv_raft_msg *m);

/* With a committed configuration not yet applied here, our quorum may be one
 * that others have left behind. */
bool rkv_election_allowed(const struct rkv_raft *r)
{
    if (r->self < 0 || (voter_bits(r) & self_bit(r)) == 0)
        return false;
    if (r->role == RKV_LEADER || r->recovering || r->restore_index != 0 ||
        (r->options.flags & RKV_RAFT_NEVER_LEADS) != 0)
        return false;
    if (r->trail.last == r->trail.end || r->term + 1 >= NUMBER_LIMIT)
        return false;
    return r->applied >= r->trail.config_last ||
           !rkv_trail_has_config(&r->trail, r->applied + 1, r->commit);
}

bool rkv_election_is_durable(const struct rkv_raft *r)
{
    return r->durable_term == r->term && r->durable_vote == r->id;
}

int rkv_election_command(struct rkv_raft *r)
{
    if (r->recovering)
        return RKV_ERECOVERING;
    /* Our own vote would break the promise as well. */
    if (!rkv_election_allowed(r) || rkv_lease_binds(r))
        return RKV_ESTATE;
    rkv_election_campaign(r, false);
    return RKV_OK;
}

void rkv_election_campaign(struct rkv_raft *r, bool force)
{
    if (r->prevote && !force)
        become_precandidate(r);
    else
        become_candidate(r, force);
    rkv_election_tally(r);
}

/* A pre-vote of our own costs nothing and counts at once; a vote only from
 * the disk on.  Peers alone may be a majority, but a leader whose own term is
 * not durable could win the same term twice. */
void rkv_election_tally(struct rkv_raft *r)
{
    bool is_ready = r->role == RKV_PRECANDIDATE || rkv_election_is_durable(r);
    bool may_lead = is_ready && rkv_promise_is_next(r);
    uint64_t granted = r->granted | (is_ready ? self_bit(r) : 0);

    switch (rkv_quorum_vote(r, granted, r->rejected)) {
    case VOTE_WON:
        if (r->role == RKV_PRECANDIDATE) {
            become_candidate(r, false);
            rkv_election_tally(r);
        } else if (may_lead) {
            become_leader(r);
        }
        break;
    case VOTE_LOST:
        rkv_election_follow(r, r->term, 0);
        break;
    case VOTE_PENDING:
        break;
    }
}

/* The host knows better than our clock that the leader is gone.  Any word of
 * it brings it back; with leases we have promised to wait.  The clock that ran
 * runs on: who forgets is not to wait longer for it.  A sleeper's stood still,
 * and what its host says is worth the shortest timeout: only what was drawn
 * beyond that is left to wait, or all of them would campaign at once. */
int rkv_election_forget(struct rkv_raft *r)
{
    if (r->role != RKV_FOLLOWER || r->leases)
        return RKV_ESTATE;
    if (r->leader == 0)
        return RKV_OK;
    uint64_t timeout = r->timers.timeout;
    uint64_t shortest = r->options.election_ticks - 1;
    if (r->quiet)
        r->timers.from = r->now - (r->now < shortest ? r->now : shortest);
    leave_role(r);
    r->timers.timeout = timeout;
    r->leader = 0;
    return RKV_OK;
}

/* A silent leader is forgotten even by those who may not campaign, so that
 * reads do not wait for it and others find no loyalty here. */
void rkv_election_timeout(struct rkv_raft *r)
{
    if (rkv_election_allowed(r))
        rkv_election_campaign(r, false);
    else
        rkv_election_follow(r, r->term, 0);
}

void rkv_election_follow(struct rkv_raft *r, uint64_t term, uint64_t leader)
{
    bool same_leader = r->role == RKV_FOLLOWER && r->term == term &&
                       r->leader == leader && leader != 0;
    if (!same_leader)
        leave_role(r);
    if (term != r->term) {
        assert(term > r->term);
        r->term = term;
        r->vote = 0;
        rkv_promise_forget(r);
    }
    r->role = RKV_FOLLOWER;
    r->leader = leader;
    if (leader != 0)
        r->timers.heard = r->now;
    rkv_election_restart_timer(r);
}

/* Loyalty to a leader heard from within the shortest election timeout: a
 * member cut off for a while cannot depose it (thesis 4.2.3).  A leader is
 * loyal to itself; check-quorum sees to it that it is right.  Whoever led this
 * term and asks for a later one leads no more, however late a heartbeat of its
 * arrives. */
bool rkv_election_sticky(const struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    if ((m->flags & RKV_MSG_FORCE) != 0)
        return false;
    if (rkv_lease_binds(r))
        return true;
    if (!r->check_quorum || r->leader == 0 || r->leader == m->from)
        return false;
    if (r->leader == r->id)
        return true;
    bool is_heard = r->slept_at == 0 || r->timers.heard > r->slept_at;
    return is_heard && r->now - r->timers.heard < r->options.election_ticks;
}

/* A pre-vote asks whether a campaign would be worth it; it changes nothing
 * here.  Granted, it names the term asked for, else the candidate could not
 * tell it from an old answer. */
void rkv_election_prevote(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    bool is_free = m->term > r->term || vote_is_free(r, m);
    if (rkv_lease_binds(r) && (m->flags & RKV_MSG_FORCE) == 0)
        return;
    if (!is_free || r->recovering || !log_is_current(r, m) || objects(r, m)) {
        rkv_election_answer(r, m, RKV_MSG_PREVOTE_REPLY, RKV_MSG_REJECT,
                            r->term);
        return;
    }
    rkv_election_answer(r, m, RKV_MSG_PREVOTE_REPLY, 0, m->term);
}

/* Anyone may be voted for and learners vote: who is a voter is decided where
 * the votes are counted, and we may not have applied our own promotion. */
void rkv_election_vote(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    if (rkv_lease_binds(r) && (m->flags & RKV_MSG_FORCE) == 0)
        return;
    if (!vote_is_free(r, m) || r->recovering || !log_is_current(r, m) ||
        objects(r, m)) {
        rkv_election_answer(r, m, RKV_MSG_VOTE_REPLY, RKV_MSG_REJECT, r->term);
        return;
    }
    r->vote = m->from;
    r->owed |= OWE_VOTE;
    r->grant_index = m->index;
    r->grant_log_term = m->log_term;
    rkv_election_restart_timer(r);
}

/* A grant for a log that we no longer have is none: it names the last entry
 * of the request it answers. */
void rkv_election_reply(struct rkv_raft *r, const struct rkv_raft_msg *m,
                        int slot)
{
    bool is_prevote = m->kind == RKV_MSG_PREVOTE_REPLY;
    uint32_t role = is_prevote ? RKV_PRECANDIDATE : RKV_CANDIDATE;
    bool is_granted = (m->flags & RKV_MSG_REJECT) == 0;

    if (r->role != role)
        return;
    if (is_granted &&
        (m->term != r->term + is_prevote || m->index != r->trail.last ||
         m->log_term != r->trail.last_term))
        return;
    if (!is_granted && m->term != r->term)
        return;
    if (((r->granted | r->rejected) & slot_bit(slot)) != 0)
        return;
    *(is_granted ? &r->granted : &r->rejected) |= slot_bit(slot);
    rkv_election_tally(r);
}

void rkv_election_answer(struct rkv_raft *r, const struct rkv_raft_msg *m,
                         uint32_t kind, uint32_t flags, uint64_t term)
{
    rkv_outbox_put(r, &(struct rkv_raft_msg){
                          .kind = kind,
                          .flags = flags,
                          .to = m->from,
                          .term = term,
                          .index = m->index,
                          .log_term = m->log_term,
                          .commit = r->commit,
                          .hint_term = trail_term(&r->trail, r->commit)});
}

/* All that is said in an election names what the speaker knows to be
 * committed.  Where our log holds the same entry, it is so for us: after a
 * restart this may be the only way to learn that a configuration is
 * committed which we must apply before anybody can win.  A log that waits for
 * a snapshot is to be replaced and proves nothing. */
void rkv_election_learn(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    if (m->commit <= r->commit || m->commit > r->trail.last ||
        r->restore_index != 0 ||
        trail_term(&r->trail, m->commit) != m->hint_term)
        return;
    commit_to(r, m->commit);
    if ((r->role == RKV_PRECANDIDATE || r->role == RKV_CANDIDATE) &&
        !rkv_election_allowed(r))
        rkv_election_follow(r, r->term, 0);
}

void rkv_election_restart_timer(struct rkv_raft *r)
{
    r->timers.from = r->now;
}

static void become_precandidate(struct rkv_raft *r)
{
    leave_role(r);
    r->role = RKV_PRECANDIDATE;
    r->leader = 0;
    r->ask = voter_bits(r) & ~self_bit(r);
    rkv_election_restart_timer(r);
}

static void become_candidate(struct rkv_raft *r, bool force)
{
    leave_role(r);
    r->term++;
    r->vote = r->id;
    rkv_promise_forget(r);
    r->role = RKV_CANDIDATE;
    r->leader = 0;
    r->force = force;
    r->ask = voter_bits(r) & ~self_bit(r);
    rkv_election_restart_timer(r);
}

/* The new leader knows nothing of the others' logs; an empty entry of its
 * term finds out and commits what was left by earlier ones (thesis 6.4). */
static void become_leader(struct rkv_raft *r)
{
    leave_role(r);
    r->role = RKV_LEADER;
    r->leader = r->id;
    for (uint32_t i = 0; i < r->count; i++)
        rkv_progress_reset(r, (int)i, r->trail.last + 1);
    rkv_replicate_noop(r);
    r->active = 0;
    r->timers.heartbeat = rkv_replicate_next_beat(r);
    r->timers.quorum = r->now + r->options.election_ticks;
    rkv_commit_advance(r);
}

/* Everything that belongs to a role ends with it; every start of a term and
 * every campaign draws a new timeout. */
static void leave_role(struct rkv_raft *r)
{
    rkv_read_drop(r, r->role == RKV_LEADER ? RKV_ENOTLEADER : RKV_ENOLEADER);
    r->granted = r->rejected = r->ask = 0;
    r->active = r->serve = r->beat = r->hurry = 0;
    r->transferee = 0;
    r->leaving = r->lease_void = false;
    r->beats_count = 0;
    r->quiet = r->resting = r->agrees = false;
    r->agreed = 0;
    r->idle_at = r->now;
    r->stall_at = 0;
    r->force = false;
    r->uncommitted_bytes = 0;
    r->term_start = 0;
    r->owed &= ~(uint32_t)(OWE_TRANSFER | OWE_READS | OWE_WANT);
    r->wants = false;
    r->timers.timeout = r->options.election_ticks +
                        rkv_prng_below(&r->prng, r->options.election_ticks);
}

/* For the term we are in. */
static bool vote_is_free(const struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    return r->vote == m->from || (r->vote == 0 && r->leader == 0);
}

static bool log_is_current(const struct rkv_raft *r,
                           const struct rkv_raft_msg *m)
{
    if (m->log_term != r->trail.last_term)
        return m->log_term > r->trail.last_term;
    return m->index >= r->trail.last;
}

/* Of two equal logs the one with the higher priority is to lead: we would
 * rather campaign ourselves.  But only for a while: perhaps nobody hears us,
 * and a leader of little priority is better than none. */
static bool objects(const struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    if (r->options.priority <= m->priority ||
        (r->options.flags & RKV_RAFT_NEVER_LEADS) != 0 ||
        (voter_bits(r) & self_bit(r)) == 0)
        return false;
    if (m->index != r->trail.last || m->log_term != r->trail.last_term ||
        (m->flags & RKV_MSG_FORCE) != 0)
        return false;
    return r->now - r->timers.heard <
           OBJECT_TIMEOUTS * r->options.election_ticks;
}
