/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/quiet.c - a group that has nothing to do asks for no ticks.  Its
 * leader proposes so in its heartbeats once all members hold all there is, and
 * falls quiet itself when every one of them has agreed; a member that agreed
 * waits for no sign of life any more.  Whatever happens to one wakes it, and it
 * wakes the others: a leader by a heartbeat, a follower by a word to its
 * leader.
 *
 * Nobody notices then that the leader died, so this is for hosts that do, and
 * say so.
 */
#include "core.h"

static bool is_idle(const struct rkv_raft *r);

void rkv_quiet_tick(struct rkv_raft *r)
{
    if (r->options.quiet_ticks == 0)
        return;
    if (r->trail.last != r->idle_last || !is_idle(r)) {
        r->idle_last = r->trail.last;
        r->idle_at = r->now;
        r->resting = false;
        r->agreed = 0;
    } else if (r->now - r->idle_at >= r->options.quiet_ticks) {
        r->resting = true;
    }
}

/* A follower is asked: it must hold the same as its leader, to the end. */
bool rkv_quiet_agrees(const struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    return (m->flags & RKV_MSG_QUIET) != 0 && r->options.quiet_ticks != 0 &&
           m->index == r->trail.last && m->log_term == r->trail.last_term &&
           r->commit == r->trail.last && r->applied == r->trail.last &&
           r->durable == r->trail.last && r->durable_term == r->term &&
           r->reads.head == r->reads.tail && r->restore_index == 0 &&
           !r->wants && !r->recovering;
}

/* Nobody looks after its leader from here on, so until it hears from that
 * again it is loyal to nobody. */
void rkv_quiet_begin(struct rkv_raft *r)
{
    r->quiet = r->watched = true;
    r->slept_at = r->now;
}

void rkv_quiet_answer(struct rkv_raft *r, const struct rkv_raft_msg *m,
                      int slot)
{
    if ((m->flags & RKV_MSG_QUIET) == 0 || !r->resting)
        return;
    r->agreed |= slot_bit(slot);
    if ((others_bits(r) & ~r->agreed) == 0 && is_idle(r)) {
        r->quiet = r->watched = true;
        r->beat = 0;
    }
}

/* Not what the host still owes us from before, and not what keeps a quiet
 * group quiet. */
bool rkv_quiet_wakes(const struct rkv_raft *r, const struct rkv_raft_in *in)
{
    switch (in->kind) {
    case RKV_IN_TICK:
    case RKV_IN_PERSISTED:
    case RKV_IN_APPLIED:
    case RKV_IN_COMPACTED:
    case RKV_IN_CAPACITY:
        return false;
    case RKV_IN_RECEIVE:
        return (in->msg->flags & RKV_MSG_QUIET) == 0 ||
               (in->msg->kind == RKV_MSG_HEARTBEAT && !r->agrees);
    default:
        return true;
    }
}

void rkv_quiet_wake(struct rkv_raft *r, const struct rkv_raft_in *in)
{
    bool is_from_leader =
        in->kind == RKV_IN_RECEIVE && in->msg->from == r->leader;

    r->quiet = r->resting = r->agrees = false;
    r->agreed = 0;
    r->idle_at = r->now;
    r->timers.from = r->now;
    r->timers.heartbeat = r->now + r->options.heartbeat_ticks;
    r->timers.quorum = r->now + r->options.election_ticks;
    r->timers.awake = r->now;
    if (r->role == RKV_LEADER)
        r->beat |= others_bits(r);
    else if (r->role == RKV_FOLLOWER && r->leader != 0 && !is_from_leader)
        r->owed |= OWE_HEARTBEAT;
}

static bool is_idle(const struct rkv_raft *r)
{
    uint64_t last = r->trail.last;

    if (r->commit != last || r->applied != last || r->durable != last ||
        r->transferee != 0 || r->leaving || r->auto_leave ||
        r->reads.head != r->reads.tail)
        return false;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct peer *p = &r->peers[i];
        if ((int)i != r->self &&
            (p->match != last || p->sent_commit != last ||
             p->progress != RKV_PROGRESS_REPLICATE || p->stated_boot != 0))
            return false;
    }
    return true;
}
