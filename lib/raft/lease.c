/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/lease.c - reads without asking (thesis 6.4.1), where the members
 * have agreed to it by a change of configuration.
 *
 * A follower promises its leader, in the answer to a heartbeat, not to help
 * anybody else to leadership for an election timeout.  While a quorum has
 * promised so in answer to what was sent at some tick, nobody else can lead
 * before that tick and the timeout: the leader answers reads at once, up to
 * nine tenths of it, so that clocks whose rates differ by less than a tenth do
 * no harm.
 *
 * The promise is in memory, so whoever starts anew keeps it on suspicion: that
 * leases are agreed on is durable before anything is promised.  And it binds
 * nobody who is asked by order of the leader itself, so a leader that ever
 * began to hand over has no lease any more in its term.
 */
#include "core.h"

/* The round of this beat was not there before now, so whoever confirms it,
 * or a later one, promises from now on. */
void rkv_lease_beat(struct rkv_raft *r)
{
    if (!r->leases || r->lease_void)
        return;
    r->read_round++;
    r->beats[r->beats_count++ % BEATS_KEPT] =
        (struct beat){.round = r->read_round, .at = r->now};
}

void rkv_lease_answer(struct rkv_raft *r, const struct rkv_raft_msg *m,
                      int slot)
{
    struct peer *p = &r->peers[slot];

    if (m->hint >= r->options.election_ticks && m->round > p->lease_round)
        p->lease_round = m->round;
}

bool rkv_lease_holds(const struct rkv_raft *r)
{
    return r->now < rkv_lease_end(r);
}

/* None while a change waits: it might be the end of leases, and some member
 * may have applied it already. */
uint64_t rkv_lease_end(const struct rkv_raft *r)
{
    uint64_t rounds[RKV_MEMBERS_MAX];
    uint32_t ticks = r->options.election_ticks;

    if (r->role != RKV_LEADER || !r->leases || r->lease_void ||
        r->commit < r->term_start || r->trail.config_last > r->applied)
        return 0;
    for (uint32_t i = 0; i < r->count; i++)
        rounds[i] = r->peers[i].lease_round;
    if (r->self >= 0)
        rounds[r->self] = r->read_round;
    uint64_t round = rkv_quorum_value(r, rounds);
    for (uint32_t n = r->beats_count; n > 0 && r->beats_count - n < BEATS_KEPT;
         n--) {
        const struct beat *beat = &r->beats[(n - 1) % BEATS_KEPT];
        if (beat->round <= round)
            return beat->at + ticks - ticks / 10 - 1;
    }
    return 0;
}

/* How long we promise; what we state here we keep. */
uint32_t rkv_lease_promise(struct rkv_raft *r)
{
    if (!r->leases || r->durable < r->lease_index)
        return 0;
    r->timers.promise = r->now + r->options.election_ticks;
    return r->options.election_ticks;
}

/* After a start we no longer know what we promised.  A configuration that is
 * not applied yet may be the one that made us promise. */
bool rkv_lease_binds(const struct rkv_raft *r)
{
    bool may_have = r->leases || r->trail.config_last > r->applied;
    return r->now < r->timers.promise || (may_have && r->now < r->timers.fence);
}
