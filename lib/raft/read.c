/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/read.c - linearizable reads without a log entry (thesis 6.4).  The
 * reads of one drain share a round: the leader notes its commit index and
 * asks the others, by heartbeat, whether it still leads; a quorum's answers
 * to that round or a later one decide it.  Rounds are numbered here and never
 * used again, so an answer cannot be taken for that to a later question.  A
 * follower asks its leader the same way, once for all its reads; it may start
 * again under the same leader, so what it asks names its start as well.
 */
#include "core.h"

static uint32_t waiting(const struct reads *q);
static void push(struct reads *q, uint64_t from, uint64_t token);
static void settle(struct reads *q, uint64_t round);

int rkv_read_ask(struct rkv_raft *r, uint64_t token)
{
    if (r->leader == 0)
        return RKV_ENOLEADER;
    if (waiting(&r->reads) == r->reads.max)
        return RKV_EBUSY;
    r->agrees = false;
    push(&r->reads, 0, token);
    return RKV_OK;
}

/* Half of the room is for our own host's reads. */
void rkv_read_receive(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    if (r->role == RKV_LEADER && m->term == r->term &&
        waiting(&r->reads) < (r->reads.max + 1) / 2) {
        push(&r->reads, m->from, m->round);
        return;
    }
    rkv_outbox_put(r, &(struct rkv_raft_msg){.kind = RKV_MSG_READ_REPLY,
                                             .flags = RKV_MSG_REJECT,
                                             .to = m->from,
                                             .term = r->term,
                                             .round = m->round});
}

/* An answer to a round decides all asked before it too: their points may
 * only be later than need be. */
void rkv_read_reply(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    struct reads *q = &r->reads;

    if (r->role != RKV_FOLLOWER || m->from != r->leader ||
        m->round <= r->read_base || m->round - r->read_base > r->read_round)
        return;
    uint64_t round = m->round - r->read_base;
    for (uint32_t i = q->ready; i != q->assigned; i++) {
        struct read *read = &q->ring[i & q->mask];
        if (read->round > round)
            break;
        read->index = m->index;
        read->status = (m->flags & RKV_MSG_REJECT) != 0 ? RKV_EBUSY : RKV_OK;
    }
    settle(q, round);
}

void rkv_read_confirm(struct rkv_raft *r)
{
    uint64_t values[RKV_MEMBERS_MAX];

    for (uint32_t i = 0; i < r->count; i++)
        values[i] = r->peers[i].round;
    if (r->self >= 0)
        values[r->self] = r->read_round;
    settle(&r->reads, rkv_quorum_value(r, values));
}

/* Our host is told, and other members too: they may still believe in us. */
void rkv_read_drop(struct rkv_raft *r, int32_t status)
{
    struct reads *q = &r->reads;

    for (; q->ready != q->tail; q->ready++)
        q->ring[q->ready & q->mask].status = status;
    q->assigned = q->tail;
}

/* Before an entry of its own term is committed, a leader does not know what
 * earlier ones committed, not even when it is alone: reads wait. */
void rkv_read_assign(struct rkv_raft *r)
{
    struct reads *q = &r->reads;
    bool is_leader = r->role == RKV_LEADER;
    bool again = (r->owed & OWE_READS) != 0 && q->ready != q->assigned;

    if (q->assigned == q->tail && !again)
        return;
    if (is_leader ? r->commit < r->term_start : r->leader == 0)
        return;
    if (!is_leader) {
        struct rkv_raft_msg *m = rkv_drain_msg(r, RKV_MSG_READ, r->leader);
        if (m == NULL)
            return;
        m->round = r->read_base + r->read_round + 1;
        r->owed &= ~(uint32_t)OWE_READS;
    }
    r->read_round++;
    for (; q->assigned != q->tail; q->assigned++) {
        struct read *read = &q->ring[q->assigned & q->mask];
        read->round = r->read_round;
        read->index = r->commit;
        read->status = RKV_OK;
    }
    if (is_leader && rkv_lease_holds(r)) {
        q->ready = q->assigned;
    } else if (is_leader) {
        r->beat |= voter_bits(r) & ~self_bit(r);
        rkv_read_confirm(r);
    }
}

void rkv_read_drain(struct rkv_raft *r)
{
    struct reads *q = &r->reads;
    struct rkv_raft_out *o = &r->out;

    for (; q->head != q->ready; q->head++) {
        const struct read *read = &q->ring[q->head & q->mask];
        if (read->from == 0) {
            if (o->reads_count == r->results_max)
                break;
            r->read_results[o->reads_count++] = (struct rkv_raft_read){
                .token = read->token,
                .index = read->status == RKV_OK ? read->index : 0,
                .status = read->status};
        } else {
            struct rkv_raft_msg *m =
                rkv_drain_msg(r, RKV_MSG_READ_REPLY, read->from);
            if (m == NULL)
                break;
            m->round = read->token;
            if (read->status == RKV_OK)
                m->index = read->index;
            else
                m->flags = RKV_MSG_REJECT;
        }
    }
    if (q->head != q->ready)
        o->flags |= RKV_OUT_MORE;
}

static uint32_t waiting(const struct reads *q)
{
    return q->tail - q->head;
}

static void push(struct reads *q, uint64_t from, uint64_t token)
{
    q->ring[q->tail++ & q->mask] = (struct read){.from = from, .token = token};
}

static void settle(struct reads *q, uint64_t round)
{
    while (q->ready != q->assigned &&
           q->ring[q->ready & q->mask].round <= round)
        q->ready++;
}
