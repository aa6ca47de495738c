/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/append.c - the follower's side of replication (thesis 3.5).  It
 * compares, cuts and extends the trail, and notes what is owed; replies are
 * worked out when drained, from what the disk holds then.
 */
#include "core.h"

static bool is_settled(const struct rkv_raft *r, uint64_t term, uint64_t index);
static void verify(struct rkv_raft *r, uint64_t index, uint64_t commit);
static void refuse(struct rkv_raft *r, const struct rkv_raft_msg *m);
static uint32_t take(struct rkv_raft *r, const struct rkv_raft_entry *entries,
                     uint32_t count);
static void hear_statement(struct rkv_raft *r, const struct rkv_raft_msg *m);

/* Committed entries are the same everywhere, and one (index, term) is one
 * entry: a message that says otherwise means a member whose log is not what
 * it promised. */
int rkv_append_check(const struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    const struct trail *t = &r->trail;

    if (m->term < r->term ||
        (m->index == t->last && m->log_term == t->last_term))
        return RKV_OK;
    if (!rkv_append_agrees(r, m))
        return RKV_EDIVERGED;
    if (m->index >= t->last)
        return RKV_OK;
    for (uint32_t i = 0; i < m->count; i++) {
        const struct rkv_raft_entry *entry = &m->entries[i];
        /* Of what is compacted only the last term is known; a list that
         * contradicts it would make terms fall along our log. */
        if (entry->index + 1 == t->first && entry->term != t->base_term)
            return RKV_EDIVERGED;
        if (entry->index < t->first)
            continue;
        if (entry->index > t->last)
            break;
        const struct trail_entry *ours = trail_at(t, entry->index);
        if (ours->term == entry->term &&
            (trail_len(ours) != entry->len || trail_kind(ours) != entry->kind))
            return RKV_EDIVERGED;
        if (ours->term != entry->term)
            return is_settled(r, m->term, entry->index) ? RKV_EDIVERGED
                                                        : RKV_OK;
    }
    return RKV_OK;
}

/* A leader names a place of its log: if we hold another entry there, ours
 * must be one that may still be taken back. */
bool rkv_append_agrees(const struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    return !trail_knows(&r->trail, m->index) ||
           !is_settled(r, m->term, m->index) ||
           trail_term(&r->trail, m->index) == m->log_term;
}

void rkv_append(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    struct trail *t = &r->trail;
    const struct rkv_raft_entry *entries = m->entries;
    uint32_t count = m->count;
    uint64_t index = m->index;

    r->agrees = false;
    if (m->stated_boot != 0)
        hear_statement(r, m);
    /* While a snapshot is fetched the log stands still, so that it is known
     * what the snapshot will replace. */
    if (r->restore_index != 0)
        return;
    if (index < r->commit) {
        /* What we have committed needs no comparing. */
        uint64_t known = r->commit - index;
        if (known >= count) {
            verify(r, index + count, 0);
            r->owed |= count > 0 ? OWE_ACK : 0;
            return;
        }
        entries += known;
        count -= (uint32_t)known;
        index = r->commit;
    } else if (index > t->last || trail_term(t, index) != m->log_term) {
        refuse(r, m);
        return;
    }
    while (count > 0 && index < t->last &&
           trail_at(t, index + 1)->term == entries->term) {
        index++;
        entries++;
        count--;
    }
    uint32_t taken = take(r, entries, count);
    r->ack_full = taken < count;
    r->owed |= m->count > 0 ? OWE_ACK : 0;
    verify(r, index + taken, m->commit);
}

/* Never beyond what this leader's log was seen to share with ours: our own
 * last entry may be one nobody else has. */
void rkv_append_heartbeat(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    if (m->stated_boot != 0)
        hear_statement(r, m);
    uint64_t verified = promise_verified(r);
    if (r->restore_index == 0)
        commit_to(r, m->commit < verified ? m->commit : verified);
    if (r->wants)
        r->owed |= OWE_WANT;
    r->agrees = rkv_quiet_agrees(r, m);
    if (m->round > r->heartbeat_round)
        r->heartbeat_round = m->round;
    r->owed |= OWE_HEARTBEAT;
    /* A question of ours that is still open may have been lost. */
    if (r->reads.ready != r->reads.assigned)
        r->owed |= OWE_READS;
}

/* Neither what is committed nor what this term's very leader showed us may be
 * taken back: we may have acknowledged it. */
static bool is_settled(const struct rkv_raft *r, uint64_t term, uint64_t index)
{
    return index <= r->commit || (term == r->term && index <= r->verified);
}

/* index: the end of what this message covered, not of our log. */
static void verify(struct rkv_raft *r, uint64_t index, uint64_t commit)
{
    if (index > r->verified)
        r->verified = index;
    commit_to(r, commit < index ? commit : index);
    if (r->recovering)
        rkv_promise_recover_check(r);
}

/* The hint is the last place where the logs may agree: ours ends there, or
 * has there a term no higher than the one refused (thesis 3.5). */
static void refuse(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    struct trail *t = &r->trail;
    uint64_t hint = rkv_trail_conflict(t, m->index, m->log_term);

    r->owed |= OWE_REJECT;
    r->reject_index = m->index;
    r->reject_hint = hint;
    r->reject_hint_term = trail_knows(t, hint) ? trail_term(t, hint) : 0;
}

/* Entries that are not in our log as they are; the first of them may be in
 * the place of another.  How many found room. */
static uint32_t take(struct rkv_raft *r, const struct rkv_raft_entry *entries,
                     uint32_t count)
{
    struct trail *t = &r->trail;

    if (count == 0)
        return 0;
    if (entries->index <= t->last) {
        assert(entries->index > r->commit);
        rkv_trail_truncate(t, entries->index - 1);
        rkv_promise_cut(r, t->last);
    }
    /* Commands wait for room; what a leader makes to settle its term does
     * not, or a full log could never be committed. */
    uint64_t command_end = trail_command_end(t, KEPT_FOR_NOOP);
    uint64_t left = r->capacity;
    uint32_t taken = 0;
    for (; taken < count; taken++) {
        const struct rkv_raft_entry *entry = &entries[taken];
        bool is_command = entry->kind == RKV_ENTRY_COMMAND;
        if (t->last >= (is_command ? command_end : t->end) ||
            (is_command && entry->len > left))
            break;
        left -= entry->len < left ? entry->len : left;
        trail_add(t, entry->term, entry->len, entry->kind);
    }
    r->capacity = left;
    return taken;
}

static void hear_statement(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    if (!r->recovering || m->stated_boot != r->boot)
        return;
    r->recover_stated = true;
    r->recover_last = m->stated_last;
    rkv_promise_recover_check(r);
}
