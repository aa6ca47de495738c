/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/progress.c - what the leader knows of each member, and how an
 * answer changes it (thesis 10.2.1).
 *
 *     PROBE      one append at a time, until the logs are seen to agree
 *     REPLICATE  appends stream, within a window of count and bytes
 *     SNAPSHOT   the log no longer reaches back so far: it was told to fetch
 *
 * Whatever the order in which answers arrive, match never falls (but for a
 * member that says it lost commits) and next stays above it.
 */
#include "core.h"

static bool hear(struct rkv_raft *r, const struct rkv_raft_msg *m, int slot);
static void acknowledge(struct rkv_raft *r, int slot, uint64_t index);
static void reject(struct rkv_raft *r, const struct rkv_raft_msg *m, int slot);
static void replicate_from(struct peer *p, uint64_t next);

void rkv_progress_reset(struct rkv_raft *r, int slot, uint64_t next)
{
    struct peer *p = &r->peers[slot];

    p->match = 0;
    p->next = next;
    p->sent_commit = 0;
    p->round = 0;
    p->lease_round = 0;
    p->heard = 0;
    p->stated_boot = 0;
    p->stated_last = 0;
    p->snapshot_at = 0;
    p->inflight_bytes = 0;
    p->inflight_head = p->inflight_tail = 0;
    p->progress = RKV_PROGRESS_PROBE;
    p->paused = p->full = p->check = false;
}

void rkv_progress_reply(struct rkv_raft *r, const struct rkv_raft_msg *m,
                        int slot)
{
    struct peer *p = &r->peers[slot];

    if (!hear(r, m, slot))
        return;
    if ((m->flags & RKV_MSG_WANT_SNAPSHOT) != 0) {
        rkv_snapshot_wanted(r, m);
        return;
    }
    if ((m->flags & RKV_MSG_REJECT) != 0) {
        reject(r, m, slot);
        return;
    }
    acknowledge(r, slot, m->index);
    if ((m->flags & RKV_MSG_FULL) != 0) {
        rkv_progress_probe(r, slot);
        p->full = true;
    }
}

/* A heartbeat's answer says the way is open again: what was lost meanwhile
 * is asked about, what was waiting is sent. */
void rkv_progress_heartbeat_reply(struct rkv_raft *r,
                                  const struct rkv_raft_msg *m, int slot)
{
    struct peer *p = &r->peers[slot];

    if (!hear(r, m, slot))
        return;
    if (m->index > p->match || (m->index == p->match && p->match > 0 &&
                                p->progress == RKV_PROGRESS_PROBE))
        acknowledge(r, slot, m->index);
    rkv_lease_answer(r, m, slot);
    rkv_quiet_answer(r, m, slot);
    if (m->round > p->round) {
        p->round = m->round;
        if (r->reads.ready != r->reads.assigned)
            rkv_read_confirm(r);
    }
    p->full = false;
    p->paused = false;
    if (p->match < r->trail.last) {
        p->check =
            p->progress == RKV_PROGRESS_REPLICATE && p->match + 1 < p->next;
        r->serve |= slot_bit(slot);
    } else if (p->progress == RKV_PROGRESS_PROBE) {
        p->check = true;
        r->serve |= slot_bit(slot);
    }
}

/* From here on one message at a time, starting where we are sure. */
void rkv_progress_probe(struct rkv_raft *r, int slot)
{
    struct peer *p = &r->peers[slot];

    p->progress = RKV_PROGRESS_PROBE;
    p->next = p->match + 1;
    p->inflight_head = p->inflight_tail = 0;
    p->inflight_bytes = 0;
    p->paused = false;
    p->check = false;
    if (p->sent_commit > p->match)
        p->sent_commit = p->match;
    r->serve |= slot_bit(slot);
}

/* One more message may go at once, in case only some were lost; then it
 * waits for a heartbeat's answer.  So a host whose link is down and says so
 * each time does not spin. */
int rkv_progress_unreachable(struct rkv_raft *r, uint64_t id)
{
    int slot = config_slot(r, id);

    if (slot < 0 || slot == r->self)
        return RKV_ENOTFOUND;
    if (r->role == RKV_LEADER &&
        r->peers[slot].progress == RKV_PROGRESS_REPLICATE)
        rkv_progress_probe(r, slot);
    return RKV_OK;
}

int rkv_progress_snapshot_failed(struct rkv_raft *r, uint64_t id)
{
    int slot = config_slot(r, id);

    if (slot < 0 || slot == r->self)
        return RKV_ENOTFOUND;
    if (r->role == RKV_LEADER &&
        r->peers[slot].progress == RKV_PROGRESS_SNAPSHOT) {
        rkv_progress_probe(r, slot);
        r->peers[slot].paused = true;
    }
    return RKV_OK;
}

/* False: an answer from before its last start, which may speak of a log it
 * lost since.  After a new start a member no longer knows how far its log is
 * ours, and so takes no commit from heartbeats: it is probed where it stands.
 * One that lost commits begins anew, and is told how far it has to come. */
static bool hear(struct rkv_raft *r, const struct rkv_raft_msg *m, int slot)
{
    struct peer *p = &r->peers[slot];

    if (m->boot < p->boot)
        return false;
    if (m->boot > p->boot && p->boot != 0 &&
        p->progress != RKV_PROGRESS_SNAPSHOT) {
        rkv_progress_probe(r, slot);
        p->check = true;
    }
    p->boot = m->boot;
    if ((m->flags & RKV_MSG_RECOVERING) == 0) {
        p->stated_boot = 0;
    } else if (p->stated_boot != m->boot) {
        uint64_t last = r->trail.last;
        rkv_progress_reset(r, slot, last > 0 ? last : 1);
        p->stated_boot = m->boot;
        p->stated_last = last;
        r->beat |= slot_bit(slot);
        r->serve |= slot_bit(slot);
    }
    p->priority = m->priority;
    p->never_leads = (m->flags & RKV_MSG_NEVER_LEADS) != 0;
    r->active |= slot_bit(slot);
    p->heard = r->now;
    return true;
}

static void acknowledge(struct rkv_raft *r, int slot, uint64_t index)
{
    struct peer *p = &r->peers[slot];
    bool is_news = index > p->match;

    if (is_news) {
        p->match = index;
        if (p->next <= index)
            p->next = index + 1;
        p->paused = false;
    } else if (index < p->match || p->progress != RKV_PROGRESS_PROBE) {
        return;
    }
    switch (p->progress) {
    case RKV_PROGRESS_PROBE:
        if (!p->full)
            replicate_from(p, p->match + 1);
        break;
    case RKV_PROGRESS_REPLICATE:
        while (p->inflight_head != p->inflight_tail) {
            const struct flight *flight =
                &p->window[p->inflight_head & r->window_mask];
            if (flight->last > index)
                break;
            p->inflight_bytes -= flight->bytes;
            p->inflight_head++;
        }
        break;
    default:
        /* Any sign that our log reaches it again will do: the host may have
         * given it another snapshot than the one we named. */
        if (p->match + 1 >= r->trail.first)
            replicate_from(p, p->match + 1);
        break;
    }
    if (is_news && index > r->commit)
        rkv_commit_advance(r);
    if (p->next <= r->trail.last || p->sent_commit < r->commit)
        r->serve |= slot_bit(slot);
    if (r->transferee == p->id && p->match == r->trail.last)
        r->hurry |= slot_bit(slot);
}

/* Several appends may be refused for one cause: only the answer to what is
 * still believed counts. */
static void reject(struct rkv_raft *r, const struct rkv_raft_msg *m, int slot)
{
    struct peer *p = &r->peers[slot];

    if (p->progress == RKV_PROGRESS_REPLICATE) {
        if (m->index > p->match)
            rkv_progress_probe(r, slot);
        return;
    }
    if (p->progress != RKV_PROGRESS_PROBE || p->next - 1 != m->index)
        return;
    uint64_t hint = m->hint;
    if (m->hint_term > 0)
        hint = rkv_trail_conflict(&r->trail, hint, m->hint_term);
    uint64_t next = hint + 1 < m->index ? hint + 1 : m->index;
    p->next = next > p->match ? next : p->match + 1;
    p->paused = false;
    r->serve |= slot_bit(slot);
}

static void replicate_from(struct peer *p, uint64_t next)
{
    assert(progress_inflight(p) == 0);
    assert(p->inflight_bytes == 0);
    p->progress = RKV_PROGRESS_REPLICATE;
    p->next = next;
    p->paused = false;
    p->check = false;
}
