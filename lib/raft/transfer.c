/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/transfer.c - handing leadership over (thesis 3.10): the leader
 * stops taking proposals, brings the other's log up to its own, and tells it
 * to campaign at once.  After an election timeout it gives up and goes on.  A
 * leader that was removed hands over too, and then is none.
 */
#include "core.h"

static int choose(const struct rkv_raft *r, uint64_t among);
static uint64_t who_knows(const struct rkv_raft *r);

int rkv_transfer_ask(struct rkv_raft *r, uint64_t id)
{
    if (r->role != RKV_LEADER) {
        if (r->leader == 0)
            return RKV_ENOLEADER;
        r->owed |= OWE_TRANSFER;
        r->wished = id;
        return RKV_OK;
    }
    int slot = id == 0 ? choose(r, all_bits(r)) : config_slot(r, id);
    if (slot < 0)
        return RKV_ENOTFOUND;
    if (slot == r->self || (voter_bits(r) & slot_bit(slot)) == 0 ||
        r->peers[slot].never_leads)
        return RKV_EINVAL;
    if (r->leaving)
        return RKV_ETRANSFER;
    if (r->peers[slot].stated_boot != 0)
        return RKV_ERECOVERING;
    if (r->transferee == r->peers[slot].id)
        return RKV_OK;
    r->transferee = r->peers[slot].id;
    r->lease_void = true;
    r->timers.transfer = r->now + r->options.election_ticks;
    r->hurry = 0;
    if (r->peers[slot].match == r->trail.last)
        r->hurry |= slot_bit(slot);
    r->serve |= slot_bit(slot);
    return RKV_OK;
}

/* A wish that cannot be met is let go: the one who wished sees who leads. */
void rkv_transfer_receive(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    if (r->role == RKV_LEADER && m->term == r->term)
        (void)rkv_transfer_ask(r, m->hint);
}

void rkv_transfer_abort(struct rkv_raft *r)
{
    r->transferee = 0;
    r->hurry = 0;
}

void rkv_transfer_review(struct rkv_raft *r)
{
    if (r->transferee == 0)
        return;
    int slot = config_slot(r, r->transferee);
    if (slot < 0 || (voter_bits(r) & slot_bit(slot)) == 0)
        rkv_transfer_abort(r);
}

/* No pre-vote: everybody still hears the old leader.  Come too late, in
 * another term or role, it means nothing any more. */
void rkv_transfer_timeout_now(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    if (m->term != r->term || r->role != RKV_FOLLOWER)
        return;
    if (r->leader != 0 && r->leader != m->from)
        return;
    if (rkv_election_allowed(r)) {
        rkv_election_campaign(r, true);
        return;
    }
    r->summoned = r->applied < r->commit;
    r->summoned_at = r->now;
}

/* Called upon while a committed change was not applied here yet, as it is by
 * a leader that this very change removes. */
void rkv_transfer_resume(struct rkv_raft *r)
{
    if (!r->summoned || r->role != RKV_FOLLOWER || !rkv_election_allowed(r))
        return;
    r->summoned = false;
    if (r->now - r->summoned_at < r->options.election_ticks)
        rkv_election_campaign(r, true);
}

/* It would go on sending heartbeats and commit nothing that needs its vote, and
 * nothing at all as fast as the others could.  They must be faster, though, or
 * nothing would be won. */
void rkv_transfer_stalled(struct rkv_raft *r)
{
    const struct token *oldest =
        &r->tokens[(r->token_done + 1) & r->tokens_mask];

    if (r->token_done == r->token_last || r->transferee != 0 || r->leaving ||
        r->now < r->stall_at)
        return;
    uint64_t since =
        oldest->at > r->timers.awake ? oldest->at : r->timers.awake;
    if (r->now - since < r->options.stall_ticks)
        return;
    int slot = choose(r, all_bits(r));
    if (slot < 0 || r->peers[slot].match <= r->durable ||
        rkv_transfer_ask(r, r->peers[slot].id) != RKV_OK)
        return;
    /* Should that fail, there is time for proposals before the next. */
    r->stall_at = r->now + 2 * (uint64_t)r->options.election_ticks;
}

/* Those who stay could not campaign before they know, and would blindly wait
 * for their timeouts if we just fell silent (thesis 4.2.2). */
void rkv_transfer_leave(struct rkv_raft *r)
{
    if (r->leaving)
        return;
    rkv_transfer_abort(r);
    r->leaving = r->lease_void = true;
    r->leave_index = r->applied;
    r->leave_round = ++r->read_round;
    r->beat |= others_bits(r);
    r->timers.transfer = r->now + r->options.election_ticks;
}

bool rkv_transfer_drain(struct rkv_raft *r)
{
    bool names_one = (r->options.flags & RKV_RAFT_NO_HANDOVER) == 0;
    uint64_t known = who_knows(r);
    bool is_known = rkv_quorum_vote(r, known, 0) == VOTE_WON;
    int next = names_one && is_known ? choose(r, known) : -1;

    if (next >= 0 && r->peers[next].match != r->trail.last)
        next = -1;
    if (r->now < r->timers.transfer && (!is_known || (names_one && next < 0)))
        return true;
    if (next >= 0 &&
        rkv_drain_msg(r, RKV_MSG_TIMEOUT_NOW, r->peers[next].id) == NULL)
        return false;
    rkv_election_follow(r, r->term, 0);
    r->out.flags |= RKV_OUT_MORE;
    return true;
}

/* A heartbeat since tells its commit to whoever holds the entry. */
static uint64_t who_knows(const struct rkv_raft *r)
{
    uint64_t known = 0;
    for (uint32_t i = 0; i < r->count; i++)
        if (r->peers[i].match >= r->leave_index &&
            r->peers[i].round >= r->leave_round)
            known |= slot_bit((int)i);
    return known;
}

/* The voter that is furthest and may lead; among equals the one with the
 * higher priority, then with the lowest id. */
static int choose(const struct rkv_raft *r, uint64_t among)
{
    const struct peer *best = NULL;
    for (uint64_t rest = r->voters & among & ~self_bit(r); rest != 0;
         rest &= rest - 1) {
        const struct peer *p = &r->peers[lowest_slot(rest)];
        if (p->stated_boot != 0 || p->never_leads)
            continue;
        if (best == NULL || p->match > best->match ||
            (p->match == best->match && p->priority > best->priority))
            best = p;
    }
    return best == NULL ? -1 : (int)(best - r->peers);
}
