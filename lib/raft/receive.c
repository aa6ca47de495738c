/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/receive.c - a message at the door: is it one, and whose term is
 * it (thesis 3.3)?  Everything that could be wrong with it is found before
 * anything is changed, so a refused message leaves no trace.
 */
#include "core.h"

static const uint32_t flags_known =
    RKV_MSG_REJECT | RKV_MSG_FORCE | RKV_MSG_FULL | RKV_MSG_RECOVERING |
    RKV_MSG_NEVER_LEADS | RKV_MSG_WANT_SNAPSHOT | RKV_MSG_QUIET;

static int check(const struct rkv_raft *r, const struct rkv_raft_msg *m);
static int check_entries(const struct rkv_raft_msg *m);
static bool is_reply(uint32_t kind);
static bool is_from_leader(uint32_t kind);
static void dispatch(struct rkv_raft *r, const struct rkv_raft_msg *m,
                     int slot);
static bool take_higher_term(struct rkv_raft *r, const struct rkv_raft_msg *m);
static void answer_lower_term(struct rkv_raft *r, const struct rkv_raft_msg *m);

int rkv_receive(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    int slot = -1;
    if (m == NULL)
        return RKV_EINVAL;
    int rc = check(r, m);
    if (rc < 0)
        return rc;
    if (is_reply(m->kind)) {
        slot = config_slot(r, m->from);
        if (slot < 0)
            return RKV_ENOTFOUND;
    }
    if (m->kind <= RKV_MSG_VOTE_REPLY)
        rkv_election_learn(r, m);
    if (m->term == r->term) {
        if (is_from_leader(m->kind)) {
            /* Two leaders in one term: one of us has lost its mind. */
            if (r->leader != m->from &&
                (r->leader != 0 || r->role == RKV_LEADER))
                return RKV_EMALFORMED;
            if (r->leader == 0)
                rkv_election_follow(r, r->term, m->from);
            r->timers.heard = r->now;
            rkv_election_restart_timer(r);
        }
        dispatch(r, m, slot);
        return RKV_OK;
    }
    if (m->term < r->term)
        answer_lower_term(r, m);
    else if (take_higher_term(r, m))
        dispatch(r, m, slot);
    return RKV_OK;
}

static int check(const struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    uint64_t numbers = m->term | m->index | m->log_term | m->commit | m->hint |
                       m->hint_term | m->round | m->last_term | m->stated_last;

    if (m->kind - 1 >= RKV_MSG_TRANSFER || (m->flags & ~flags_known) != 0)
        return RKV_EMALFORMED;
    if (m->to != r->id || m->from == r->id || m->from == 0)
        return RKV_EINVAL;
    if (m->term == 0 || numbers >= NUMBER_LIMIT)
        return RKV_EMALFORMED;
    if (m->log_term > m->term || (m->index == 0 && m->log_term != 0))
        return RKV_EMALFORMED;
    if (outbox_is_full(r))
        return RKV_EBUSY;
    switch (m->kind) {
    case RKV_MSG_APPEND: {
        int rc = check_entries(m);
        return rc < 0 ? rc : rkv_append_check(r, m);
    }
    case RKV_MSG_HEARTBEAT:
        /* It is cut to what we said was durable here. */
        if (m->term >= r->term && m->commit > r->trail.last && !r->recovering)
            return RKV_EROLLBACK;
        break;
    case RKV_MSG_SNAPSHOT:
        if (m->index == 0 || m->log_term == 0)
            return RKV_EMALFORMED;
        if (m->term >= r->term && !rkv_append_agrees(r, m))
            return RKV_EDIVERGED;
        break;
    case RKV_MSG_APPEND_REPLY:
    case RKV_MSG_HEARTBEAT_REPLY:
        /* Who leads no more may have lost what it led with. */
        if (m->term != r->term || r->role != RKV_LEADER)
            break;
        /* Nobody can have more of our log than we do. */
        if (m->index > r->trail.last && (m->kind == RKV_MSG_HEARTBEAT_REPLY ||
                                         (m->flags & RKV_MSG_REJECT) == 0))
            return RKV_EMALFORMED;
        /* Nor confirm a question that was not asked. */
        if (m->round > r->read_round)
            return RKV_EMALFORMED;
        break;
    default:
        break;
    }
    return m->count != 0 ? RKV_EMALFORMED : RKV_OK;
}

static int check_entries(const struct rkv_raft_msg *m)
{
    uint64_t index = m->index;
    uint64_t term = m->log_term;

    if (m->index > 0 && m->log_term == 0)
        return RKV_EMALFORMED;
    if (m->count > 0 && m->entries == NULL)
        return RKV_EINVAL;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct rkv_raft_entry *entry = &m->entries[i];
        index++;
        if (entry->index != index || entry->term < term || entry->term == 0)
            return RKV_EMALFORMED;
        if (entry->kind - 1 >= RKV_ENTRY_NOOP)
            return RKV_EMALFORMED;
        term = entry->term;
    }
    return term > m->term || index >= NUMBER_LIMIT ? RKV_EMALFORMED : RKV_OK;
}

static bool is_reply(uint32_t kind)
{
    return kind == RKV_MSG_APPEND_REPLY || kind == RKV_MSG_HEARTBEAT_REPLY ||
           kind == RKV_MSG_VOTE_REPLY || kind == RKV_MSG_PREVOTE_REPLY;
}

static bool is_from_leader(uint32_t kind)
{
    return kind == RKV_MSG_APPEND || kind == RKV_MSG_HEARTBEAT ||
           kind == RKV_MSG_SNAPSHOT;
}

static void dispatch(struct rkv_raft *r, const struct rkv_raft_msg *m, int slot)
{
    switch (m->kind) {
    case RKV_MSG_APPEND:
        rkv_append(r, m);
        break;
    case RKV_MSG_APPEND_REPLY:
        if (r->role == RKV_LEADER)
            rkv_progress_reply(r, m, slot);
        break;
    case RKV_MSG_HEARTBEAT:
        rkv_append_heartbeat(r, m);
        break;
    case RKV_MSG_HEARTBEAT_REPLY:
        if (r->role == RKV_LEADER)
            rkv_progress_heartbeat_reply(r, m, slot);
        break;
    case RKV_MSG_SNAPSHOT:
        rkv_snapshot_offer(r, m);
        break;
    case RKV_MSG_PREVOTE:
        rkv_election_prevote(r, m);
        break;
    case RKV_MSG_VOTE:
        rkv_election_vote(r, m);
        break;
    case RKV_MSG_PREVOTE_REPLY:
    case RKV_MSG_VOTE_REPLY:
        rkv_election_reply(r, m, slot);
        break;
    case RKV_MSG_TIMEOUT_NOW:
        rkv_transfer_timeout_now(r, m);
        break;
    case RKV_MSG_READ:
        rkv_read_receive(r, m);
        break;
    case RKV_MSG_READ_REPLY:
        rkv_read_reply(r, m);
        break;
    case RKV_MSG_TRANSFER:
        rkv_transfer_receive(r, m);
        break;
    default:
        break;
    }
}

/* False: nothing more is to be done with it.  A pre-vote and its grant name
 * a term nobody is in yet; what a follower asks of a leader, and the answer,
 * is no reason to depose anybody. */
static bool take_higher_term(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    switch (m->kind) {
    case RKV_MSG_PREVOTE:
        return !rkv_election_sticky(r, m);
    case RKV_MSG_VOTE:
        if (rkv_election_sticky(r, m))
            return false;
        break;
    case RKV_MSG_PREVOTE_REPLY:
        if ((m->flags & RKV_MSG_REJECT) == 0)
            return true;
        break;
    case RKV_MSG_READ:
        return true;
    case RKV_MSG_READ_REPLY:
    case RKV_MSG_TRANSFER:
        return false;
    default:
        break;
    }
    rkv_election_follow(r, m->term, is_from_leader(m->kind) ? m->from : 0);
    return true;
}

/* A leader or candidate of the past is told our term, or it might go on for
 * ever while we, cut off for a while, wait in a higher one. */
static void answer_lower_term(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    switch (m->kind) {
    case RKV_MSG_APPEND:
    case RKV_MSG_HEARTBEAT:
    case RKV_MSG_SNAPSHOT:
        rkv_outbox_put(r, &(struct rkv_raft_msg){.kind = RKV_MSG_APPEND_REPLY,
                                                 .flags = RKV_MSG_REJECT,
                                                 .to = m->from,
                                                 .term = r->term});
        break;
    case RKV_MSG_PREVOTE:
        rkv_election_answer(r, m, RKV_MSG_PREVOTE_REPLY, RKV_MSG_REJECT,
                            r->term);
        break;
    case RKV_MSG_VOTE:
        rkv_election_answer(r, m, RKV_MSG_VOTE_REPLY, RKV_MSG_REJECT, r->term);
        break;
    case RKV_MSG_READ:
        rkv_read_receive(r, m);
        break;
    default:
        break;
    }
}
