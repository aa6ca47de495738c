/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/trace.c - a record of what happened, in a ring that the host pulls
 * from.  It looks at a core from outside, before and after a step or a drain,
 * so nothing in the topics knows of it and nothing depends on it.
 */
#include "core.h"

#include <stdio.h>

static struct rkv_raft_trace *put(struct rkv_raft *r, uint32_t event);
static void put_msg(struct rkv_raft *r, uint32_t event,
                    const struct rkv_raft_msg *m);
static void see(struct rkv_raft *r);
static const char *name_of(const struct rkv_raft_trace *t);
static const char *type_of(uint32_t msg_kind);
static const char *role_of(uint32_t role);

void rkv_trace_step(struct rkv_raft *r, const struct rkv_raft_in *in)
{
    if (in->kind == RKV_IN_RECEIVE)
        put_msg(r, RKV_TRACE_RECEIVE, in->msg);
    if (r->role == RKV_LEADER && r->trail.last > r->traces.seen.last &&
        in->kind == RKV_IN_PROPOSE) {
        bool is_change = in->entries->kind == RKV_ENTRY_CONFIG;
        r->traces.seen.last = r->trail.last;
        put(r, is_change ? RKV_TRACE_CHANGE_CONF : RKV_TRACE_REPLICATE);
    }
    see(r);
    if (in->kind == RKV_IN_CONFIGURED)
        put(r, RKV_TRACE_APPLY_CONF);
    if (in->kind == RKV_IN_REJECTED)
        put(r, RKV_TRACE_REJECT_CONF);
}

void rkv_trace_drain(struct rkv_raft *r)
{
    see(r);
    if ((r->out.flags & RKV_OUT_PERSIST) != 0)
        put(r, RKV_TRACE_READY);
    for (uint32_t i = 0; i < r->out.msgs_count; i++)
        put_msg(r, RKV_TRACE_SEND, &r->msgs[i]);
}

int rkv_raft_trace(rkv_raft *r, const struct rkv_raft_trace **out)
{
    struct traces *t = &r->traces;

    if (t->ring == NULL || t->head == t->count)
        return 0;
    t->given = t->ring[t->head++ % t->max];
    *out = &t->given;
    return 1;
}

int rkv_trace_json(const struct rkv_raft_trace *t, char *out, size_t size)
{
    char msg[384] = "";

    if (t == NULL || out == NULL)
        return RKV_EINVAL;
    if (t->msg_kind != 0)
        snprintf(msg, sizeof(msg),
                 ",\"msg\":{\"type\":\"%s\",\"term\":%llu,\"from\":\"%llu\","
                 "\"to\":\"%llu\",\"entries\":%u,\"logTerm\":%llu,"
                 "\"index\":%llu,\"commit\":%llu,\"reject\":%s,"
                 "\"rejectHint\":%llu}",
                 type_of(t->msg_kind), (unsigned long long)t->msg_term,
                 (unsigned long long)t->msg_from, (unsigned long long)t->msg_to,
                 (unsigned)t->msg_entries, (unsigned long long)t->msg_log_term,
                 (unsigned long long)t->msg_index,
                 (unsigned long long)t->msg_commit,
                 (t->msg_flags & RKV_MSG_REJECT) != 0 ? "true" : "false",
                 (unsigned long long)t->msg_hint);
    int len = snprintf(
        out, size,
        "{\"number\":%llu,\"tick\":%llu,\"name\":\"%s\",\"nid\":\"%llu\","
        "\"state\":{\"term\":%llu,\"vote\":\"%llu\",\"commit\":%llu},"
        "\"role\":\"%s\",\"log\":%llu%s}\n",
        (unsigned long long)t->number, (unsigned long long)t->now, name_of(t),
        (unsigned long long)t->id, (unsigned long long)t->term,
        (unsigned long long)t->vote, (unsigned long long)t->commit,
        role_of(t->role), (unsigned long long)t->last, msg);
    return (size_t)len < size ? len : RKV_ETOOBIG;
}

/* The oldest makes room. */
static struct rkv_raft_trace *put(struct rkv_raft *r, uint32_t event)
{
    struct traces *t = &r->traces;
    struct rkv_raft_trace *record = &t->ring[t->count++ % t->max];

    if (t->count - t->head > t->max)
        t->head = t->count - t->max;
    *record = (struct rkv_raft_trace){.number = t->count,
                                      .now = r->now,
                                      .id = r->id,
                                      .event = event,
                                      .role = t->seen.role,
                                      .term = t->seen.term,
                                      .vote = t->seen.vote,
                                      .commit = t->seen.commit,
                                      .last = t->seen.last};
    return record;
}

static void put_msg(struct rkv_raft *r, uint32_t event,
                    const struct rkv_raft_msg *m)
{
    struct rkv_raft_trace *record = put(r, event);

    record->msg_kind = m->kind;
    record->msg_flags = m->flags;
    record->msg_from = m->from;
    record->msg_to = m->to;
    record->msg_term = m->term;
    record->msg_index = m->index;
    record->msg_log_term = m->log_term;
    record->msg_commit = m->commit;
    record->msg_hint = m->hint;
    record->msg_entries = m->count;
}

/* What has changed since we last looked. */
static void see(struct rkv_raft *r)
{
    struct seen before = r->traces.seen;
    bool is_first = before.role == 0;

    r->traces.seen = (struct seen){.role = r->role,
                                   .term = r->term,
                                   .vote = r->vote,
                                   .commit = r->commit,
                                   .last = r->trail.last};
    if (is_first) {
        put(r, RKV_TRACE_INIT);
        return;
    }
    if (before.role != r->role || before.term != r->term) {
        if (r->role == RKV_FOLLOWER)
            put(r, RKV_TRACE_BECOME_FOLLOWER);
        else if (r->role == RKV_LEADER)
            put(r, RKV_TRACE_BECOME_LEADER);
        else
            put(r, RKV_TRACE_BECOME_CANDIDATE);
    }
    if (before.commit != r->commit)
        put(r, RKV_TRACE_COMMIT);
}

static const char *name_of(const struct rkv_raft_trace *t)
{
    static const char *const names[] = {"",
                                        "InitState",
                                        "BecomeFollower",
                                        "BecomeCandidate",
                                        "BecomeLeader",
                                        "Commit",
                                        "Replicate",
                                        "ChangeConf",
                                        "ApplyConfChange",
                                        "RejectConfChange",
                                        "Ready"};
    bool is_send = t->event == RKV_TRACE_SEND;

    if (t->event < RKV_TRACE_SEND)
        return names[t->event];
    switch (t->msg_kind) {
    case RKV_MSG_APPEND:
    case RKV_MSG_HEARTBEAT:
        return is_send ? "SendAppendEntriesRequest"
                       : "ReceiveAppendEntriesRequest";
    case RKV_MSG_APPEND_REPLY:
    case RKV_MSG_HEARTBEAT_REPLY:
        return is_send ? "SendAppendEntriesResponse"
                       : "ReceiveAppendEntriesResponse";
    case RKV_MSG_PREVOTE:
    case RKV_MSG_VOTE:
        return is_send ? "SendRequestVoteRequest" : "ReceiveRequestVoteRequest";
    case RKV_MSG_PREVOTE_REPLY:
    case RKV_MSG_VOTE_REPLY:
        return is_send ? "SendRequestVoteResponse"
                       : "ReceiveRequestVoteResponse";
    case RKV_MSG_SNAPSHOT:
        return is_send ? "SendSnapshot" : "ReceiveSnapshot";
    default:
        return is_send ? "Send" : "Receive";
    }
}

static const char *type_of(uint32_t msg_kind)
{
    static const char *const types[] = {"",
                                        "MsgPreVote",
                                        "MsgPreVoteResp",
                                        "MsgVote",
                                        "MsgVoteResp",
                                        "MsgApp",
                                        "MsgAppResp",
                                        "MsgHeartbeat",
                                        "MsgHeartbeatResp",
                                        "MsgSnap",
                                        "MsgTimeoutNow",
                                        "MsgReadIndex",
                                        "MsgReadIndexResp",
                                        "MsgTransferLeader"};

    return msg_kind <= RKV_MSG_TRANSFER ? types[msg_kind] : "";
}

static const char *role_of(uint32_t role)
{
    static const char *const roles[] = {"", "StateFollower",
                                        "StatePreCandidate", "StateCandidate",
                                        "StateLeader"};

    return role <= RKV_LEADER ? roles[role] : "";
}
