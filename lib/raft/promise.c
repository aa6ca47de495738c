/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/promise.c - what the disk holds, and what waits for it.  A persist
 * token stands for an index and a (term, vote).  When the log is cut, the
 * durable mark and every outstanding token come down to the cut, so the late
 * end of a write whose entries were overwritten since promises nothing: the
 * write that brings an entry back has a token of its own.
 */
#include "core.h"

static void become_recovered(struct rkv_raft *r);

int rkv_promise_persisted(struct rkv_raft *r, uint64_t token)
{
    if (token == 0 || token > r->token_last)
        return RKV_EINVAL;
    if (token <= r->token_done)
        return RKV_OK;
    const struct token *t = &r->tokens[token & r->tokens_mask];
    r->token_done = token;
    r->durable_term = t->term;
    r->durable_vote = t->vote;
    if (t->index > r->durable)
        r->durable = t->index;
    if (r->role == RKV_LEADER) {
        if (r->durable > r->commit)
            rkv_commit_advance(r);
    } else if (r->role == RKV_CANDIDATE) {
        rkv_election_tally(r);
    } else if (r->recovering) {
        if (r->recover_token != 0 && token >= r->recover_token)
            become_recovered(r);
        else
            rkv_promise_recover_check(r);
    }
    return RKV_OK;
}

void rkv_promise_failed(struct rkv_raft *r)
{
    r->failed = true;
    rkv_read_drop(r, RKV_EFAILED);
    r->owed = 0;
    r->outbox_count = 0;
    r->ask = r->serve = r->beat = r->hurry = 0;
}

void rkv_promise_cut(struct rkv_raft *r, uint64_t index)
{
    if (r->handed <= index)
        return;
    r->handed = index;
    if (r->durable > index)
        r->durable = index;
    for (uint64_t t = r->token_done + 1; t <= r->token_last; t++)
        if (r->tokens[t & r->tokens_mask].index > index)
            r->tokens[t & r->tokens_mask].index = index;
}

/* The host learns of an entry that we make ourselves by being asked to persist
 * it, which must come before it is sent.  While that cannot be, writes are
 * under way, and when one ends we can try again. */
bool rkv_promise_is_next(const struct rkv_raft *r)
{
    return r->handed == r->trail.last &&
           r->token_last - r->token_done <= r->tokens_mask;
}

void rkv_promise_forget(struct rkv_raft *r)
{
    r->verified = 0;
    r->acked = 0;
    r->owed = 0;
    r->heartbeat_round = 0;
    r->ack_full = false;
    r->summoned = false;
    r->recover_stated = false;
}

/* The end of recovering: what the leader had when it learnt of this start is
 * on our disk again, so nothing that we ever acknowledged is missing. */
void rkv_promise_recover_check(struct rkv_raft *r)
{
    if (r->recovering && r->recover_stated && !r->recovered &&
        r->durable_term == r->term && promise_ack(r) >= r->recover_last)
        r->recovered = true;
}

static void become_recovered(struct rkv_raft *r)
{
    r->recovering = false;
    r->recovered = false;
    r->recover_token = 0;
}
