/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/drain.c - the outcome of all inputs since the last drain, in one
 * record.  Whatever can be worked out late is worked out here: appends from
 * the trail, promises from what is durable, reads from their rounds.  Room is
 * bounded; what does not fit comes with the next drain.
 */
#include "core.h"

static void drain_persist(struct rkv_raft *r);
static void drain_leader(struct rkv_raft *r);
static void drain_candidate(struct rkv_raft *r);
static bool answer_leader(struct rkv_raft *r);
static bool answer_rarely(struct rkv_raft *r);
static bool acknowledge(struct rkv_raft *r);
static bool drain_vote(struct rkv_raft *r);
static void sign(const struct rkv_raft *r, struct rkv_raft_msg *m);
static struct rkv_raft_msg *reply(struct rkv_raft *r, uint32_t kind,
                                  uint64_t to);
static void drain_outbox(struct rkv_raft *r);
static void drain_committed(struct rkv_raft *r);
static void drain_state(struct rkv_raft *r);
static uint64_t deadline(const struct rkv_raft *r);

int rkv_raft_drain(rkv_raft *r, const struct rkv_raft_out **out)
{
    struct rkv_raft_out *o = &r->out;

    o->flags = 0;
    o->append_count = o->msgs_count = o->committed_count = o->reads_count = 0;
    r->records_used = 0;
    r->runs_used = 0;
    r->fresh = false;
    if (!r->failed) {
        if (r->reads.ready != r->reads.tail)
            rkv_read_assign(r);
        if (r->auto_leave && r->role == RKV_LEADER)
            rkv_change_leave(r);
        drain_persist(r);
        if (r->role == RKV_LEADER)
            drain_leader(r);
        else if (r->ask != 0)
            drain_candidate(r);
        if (r->role == RKV_FOLLOWER && r->leader != 0 && !answer_leader(r))
            o->flags |= RKV_OUT_MORE;
        if ((r->owed & OWE_VOTE) != 0 && !drain_vote(r))
            o->flags |= RKV_OUT_MORE;
        if (r->outbox_count > 0)
            drain_outbox(r);
        if (r->restore_index != 0 && !r->restore_told) {
            r->restore_told = true;
            o->flags |= RKV_OUT_RESTORE;
        }
        o->restore_index = r->restore_index;
        o->restore_term = r->restore_term;
        o->restore_from = r->restore_from;
    }
    if (r->emitted < r->commit)
        drain_committed(r);
    if (r->reads.head != r->reads.ready)
        rkv_read_drain(r);
    drain_state(r);
    if (r->traces.ring != NULL)
        rkv_trace_drain(r);
    *out = o;
    return (o->flags | o->append_count | o->msgs_count | o->committed_count |
            o->reads_count) != 0;
}

struct rkv_raft_msg *rkv_drain_msg(struct rkv_raft *r, uint32_t kind,
                                   uint64_t to)
{
    if (r->out.msgs_count == r->msgs_max)
        return NULL;
    struct rkv_raft_msg *m = &r->msgs[r->out.msgs_count++];
    /* Word by word: a block fill costs more to begin than these take. */
    m->kind = kind;
    m->flags = 0;
    m->from = r->id;
    m->to = to;
    m->term = r->term;
    m->index = m->log_term = m->commit = 0;
    m->hint = m->hint_term = m->round = m->boot = 0;
    m->stated_boot = m->stated_last = m->last_term = 0;
    m->count = m->priority = 0;
    m->entries = NULL;
    return m;
}

struct listed rkv_drain_list(struct rkv_raft *r, uint64_t first, uint64_t end,
                             uint64_t count_max, uint64_t bytes_max)
{
    struct listed listed = {0};
    const struct run *run = r->runs;
    const struct run *runs_end = run + r->runs_used;

    while (run < runs_end && (first < run->first || first >= run->end))
        run++;
    if (end - first > count_max)
        end = first + count_max;
    if (run < runs_end) {
        listed.records = run->records + (first - run->first);
        if (end > run->end)
            end = run->end;
        for (uint64_t index = first; index < end; index++) {
            uint32_t len = listed.records[listed.count].len;
            if (listed.count > 0 && listed.bytes + len > bytes_max)
                break;
            listed.bytes += len;
            listed.count++;
        }
        return listed;
    }
    if (end - first > r->records_max - r->records_used)
        end = first + (r->records_max - r->records_used);
    if (r->runs_used == RUNS_MAX)
        return listed;
    struct rkv_raft_entry *record = &r->records[r->records_used];
    listed.records = record;
    for (uint64_t index = first; index < end; index++, record++) {
        const struct trail_entry *entry = trail_at(&r->trail, index);
        uint32_t len = trail_len(entry);
        if (listed.count > 0 && listed.bytes + len > bytes_max)
            break;
        record->index = index;
        record->term = entry->term;
        record->len = len;
        record->kind = trail_kind(entry);
        listed.bytes += len;
        listed.count++;
    }
    r->records_used += listed.count;
    if (listed.count > 0)
        r->runs[r->runs_used++] = (struct run){.first = first,
                                               .end = first + listed.count,
                                               .records = listed.records};
    return listed;
}

void rkv_outbox_put(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    assert(!outbox_is_full(r));
    r->outbox[r->outbox_count++] = *m;
}

/* Several persists may be under way; when too many are, the next waits and
 * is larger.  The commit known now goes with each, but asks for none. */
static void drain_persist(struct rkv_raft *r)
{
    struct rkv_raft_out *o = &r->out;
    bool has_state = r->handed_term != r->term || r->handed_vote != r->vote;
    bool has_entries = r->handed < r->trail.last;
    bool has_end = r->recovered && r->recover_token == 0;

    if (!has_state && !has_entries && !has_end)
        return;
    if (r->token_last - r->token_done > r->tokens_mask)
        return;
    if (has_entries) {
        struct listed listed =
            rkv_drain_list(r, r->handed + 1, r->trail.last + 1,
                           r->options.append_entries_max, UINT64_MAX);
        o->append = listed.records;
        o->append_count = listed.count;
        r->handed += listed.count;
        if (r->handed < r->trail.last)
            o->flags |= RKV_OUT_MORE;
    }
    r->handed_term = r->term;
    r->handed_vote = r->vote;
    r->token_last++;
    r->tokens[r->token_last & r->tokens_mask] = (struct token){
        .index = r->handed, .term = r->term, .vote = r->vote, .at = r->now};
    o->token = r->token_last;
    o->flags |= RKV_OUT_PERSIST;
    if (has_end) {
        r->recover_token = r->token_last;
        o->flags |= RKV_OUT_RECOVERED;
    }
}

static void drain_leader(struct rkv_raft *r)
{
    uint64_t rest = r->serve | r->beat | r->hurry;

    for (; rest != 0; rest &= rest - 1) {
        if (!rkv_replicate_serve(r, lowest_slot(rest))) {
            r->out.flags |= RKV_OUT_MORE;
            return;
        }
    }
    if (r->leaving && !rkv_transfer_drain(r))
        r->out.flags |= RKV_OUT_MORE;
}

static void drain_candidate(struct rkv_raft *r)
{
    bool is_prevote = r->role == RKV_PRECANDIDATE;

    for (; r->ask != 0; r->ask &= r->ask - 1) {
        const struct peer *p = &r->peers[lowest_slot(r->ask)];
        struct rkv_raft_msg *m = rkv_drain_msg(
            r, is_prevote ? RKV_MSG_PREVOTE : RKV_MSG_VOTE, p->id);
        if (m == NULL) {
            r->out.flags |= RKV_OUT_MORE;
            return;
        }
        m->flags = r->force ? RKV_MSG_FORCE : 0;
        m->priority = r->options.priority;
        m->term = r->term + is_prevote;
        m->index = r->trail.last;
        m->log_term = r->trail.last_term;
        m->commit = r->commit;
        m->hint_term = trail_term(&r->trail, r->commit);
    }
}

/* False: no room for all of it. */
static bool answer_leader(struct rkv_raft *r)
{
    if ((r->owed & OWED_RARELY) != 0 && !answer_rarely(r))
        return false;
    return acknowledge(r);
}

/* Mostly none of this is owed. */
static bool answer_rarely(struct rkv_raft *r)
{
    struct rkv_raft_msg *m;

    if ((r->owed & OWE_HEARTBEAT) != 0) {
        m = reply(r, RKV_MSG_HEARTBEAT_REPLY, r->leader);
        if (m == NULL)
            return false;
        m->round = r->heartbeat_round;
        m->hint = rkv_lease_promise(r);
        if (r->agrees) {
            m->flags |= RKV_MSG_QUIET;
            rkv_quiet_begin(r);
        }
        m->index = promise_ack(r);
        if (m->index > r->acked)
            r->acked = m->index;
        r->owed &= ~(uint32_t)OWE_HEARTBEAT;
    }
    if ((r->owed & OWE_REJECT) != 0) {
        m = reply(r, RKV_MSG_APPEND_REPLY, r->leader);
        if (m == NULL)
            return false;
        m->flags |= RKV_MSG_REJECT;
        m->index = r->reject_index;
        m->hint = r->reject_hint;
        m->hint_term = r->reject_hint_term;
        r->owed &= ~(uint32_t)OWE_REJECT;
    }
    if ((r->owed & OWE_TRANSFER) != 0) {
        m = rkv_drain_msg(r, RKV_MSG_TRANSFER, r->leader);
        if (m == NULL)
            return false;
        m->hint = r->wished;
        r->owed &= ~(uint32_t)OWE_TRANSFER;
    }
    if ((r->owed & OWE_WANT) != 0) {
        m = reply(r, RKV_MSG_APPEND_REPLY, r->leader);
        if (m == NULL)
            return false;
        m->flags |= RKV_MSG_REJECT | RKV_MSG_WANT_SNAPSHOT;
        m->index = r->commit;
        r->owed &= ~(uint32_t)OWE_WANT;
    }
    return true;
}

/* Whatever has become durable since is news; an append that brought none is
 * answered once all that it covered is. */
static bool acknowledge(struct rkv_raft *r)
{
    uint64_t ack = promise_ack(r);
    bool is_all = ack >= promise_verified(r) && r->durable_term == r->term;

    if (ack <= r->acked && !((r->owed & OWE_ACK) != 0 && is_all))
        return true;
    struct rkv_raft_msg *m = reply(r, RKV_MSG_APPEND_REPLY, r->leader);
    if (m == NULL)
        return false;
    m->index = ack;
    r->acked = ack;
    if (is_all) {
        r->owed &= ~(uint32_t)OWE_ACK;
        if (r->ack_full)
            m->flags |= RKV_MSG_FULL;
    }
    return true;
}

/* A grant leaves once this very (term, vote) is on disk; also from one who
 * asks for pre-votes meanwhile.  False: no room for it. */
static bool drain_vote(struct rkv_raft *r)
{
    if (r->durable_term != r->term || r->durable_vote != r->vote)
        return true;
    struct rkv_raft_msg *m = reply(r, RKV_MSG_VOTE_REPLY, r->vote);
    if (m == NULL)
        return false;
    m->index = r->grant_index;
    m->log_term = r->grant_log_term;
    m->commit = r->commit;
    m->hint_term = trail_term(&r->trail, r->commit);
    r->owed &= ~(uint32_t)OWE_VOTE;
    return true;
}

/* What every answer says of its sender. */
static void sign(const struct rkv_raft *r, struct rkv_raft_msg *m)
{
    m->boot = r->boot;
    m->priority = r->options.priority;
    if (r->recovering)
        m->flags |= RKV_MSG_RECOVERING;
    if ((r->options.flags & RKV_RAFT_NEVER_LEADS) != 0)
        m->flags |= RKV_MSG_NEVER_LEADS;
}

static struct rkv_raft_msg *reply(struct rkv_raft *r, uint32_t kind,
                                  uint64_t to)
{
    struct rkv_raft_msg *m = rkv_drain_msg(r, kind, to);
    if (m == NULL)
        return NULL;
    sign(r, m);
    return m;
}

/* The first ones leave first. */
static void drain_outbox(struct rkv_raft *r)
{
    uint32_t sent = 0;

    while (sent < r->outbox_count && r->out.msgs_count < r->msgs_max) {
        struct rkv_raft_msg *m = &r->msgs[r->out.msgs_count++];
        *m = r->outbox[sent++];
        m->from = r->id;
        sign(r, m);
    }
    r->outbox_count -= sent;
    for (uint32_t i = 0; i < r->outbox_count; i++)
        r->outbox[i] = r->outbox[sent + i];
    if (r->outbox_count > 0)
        r->out.flags |= RKV_OUT_MORE;
}

/* Nothing is given as committed that was not given to persist before. */
static void drain_committed(struct rkv_raft *r)
{
    uint64_t end = (r->commit < r->handed ? r->commit : r->handed) + 1;
    uint64_t freed = 0;

    if (r->emitted + 1 >= end)
        return;
    struct listed listed = rkv_drain_list(r, r->emitted + 1, end, UINT32_MAX,
                                          r->options.committed_bytes_max);
    r->out.committed = listed.records;
    r->out.committed_count = listed.count;
    r->emitted += listed.count;
    if (r->emitted + 1 < end)
        r->out.flags |= RKV_OUT_MORE;
    if (r->role != RKV_LEADER)
        return;
    for (uint32_t i = 0; i < listed.count; i++)
        if (listed.records[i].index >= r->term_start)
            freed += listed.records[i].len;
    r->uncommitted_bytes -=
        freed < r->uncommitted_bytes ? freed : r->uncommitted_bytes;
}

static void drain_state(struct rkv_raft *r)
{
    struct rkv_raft_out *o = &r->out;

    if (o->role != r->role || o->leader != r->leader || o->term != r->term)
        o->flags |= RKV_OUT_STATE;
    o->role = r->role;
    o->leader = r->leader;
    o->term = r->term;
    o->vote = r->vote;
    o->commit = r->commit < r->handed ? r->commit : r->handed;
    if (r->timers.pause_at == 0)
        return;
    o->deadline = r->failed ? UINT64_MAX : deadline(r);
    r->timers.pause_at = o->deadline == UINT64_MAX
                             ? UINT64_MAX
                             : o->deadline + r->options.election_ticks;
}

static uint64_t deadline(const struct rkv_raft *r)
{
    const struct timers *t = &r->timers;

    if (r->quiet)
        return UINT64_MAX;
    if (r->role != RKV_LEADER)
        return t->from + t->timeout;
    /* Alone, a leader has nobody to remind. */
    if (others_bits(r) == 0)
        return UINT64_MAX;
    uint64_t at = t->heartbeat;
    if (r->check_quorum && t->quorum < at)
        at = t->quorum;
    if ((r->transferee != 0 || r->leaving) && t->transfer < at)
        at = t->transfer;
    return at;
}
