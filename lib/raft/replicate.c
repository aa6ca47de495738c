/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/replicate.c - the leader's log and what it sends (thesis 3.5).
 * Appends are built when drained, so any number of proposals makes one
 * message for each member; commit news goes with them or alone.
 */
#include "core.h"

static int propose_check(const struct rkv_raft *r, const struct rkv_raft_in *in,
                         uint64_t *bytes_out);
static uint64_t command_end(const struct rkv_raft *r);
static bool send_append(struct rkv_raft *r, struct peer *p, uint64_t end);
static bool send_snapshot(struct rkv_raft *r, struct peer *p, int slot);
static bool send_heartbeat(struct rkv_raft *r, struct peer *p);
static bool stream(struct rkv_raft *r, struct peer *p);
static bool window_is_open(const struct rkv_raft *r, const struct peer *p);

int rkv_replicate_propose(struct rkv_raft *r, const struct rkv_raft_in *in)
{
    uint64_t bytes;
    int rc = propose_check(r, in, &bytes);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < in->count; i++)
        trail_add(&r->trail, r->term, in->entries[i].len, in->entries[i].kind);
    r->uncommitted_bytes += bytes;
    spend(r, bytes);
    r->serve |= others_bits(r);
    return RKV_OK;
}

void rkv_replicate_noop(struct rkv_raft *r)
{
    trail_add(&r->trail, r->term, 0, RKV_ENTRY_NOOP);
    r->term_start = r->trail.last;
    r->serve |= others_bits(r);
}

/* On multiples of the interval, whenever this leader was elected: those of
 * many groups of one host fall together, and share its frames and its wakes. */
uint64_t rkv_replicate_next_beat(const struct rkv_raft *r)
{
    uint64_t every = r->options.heartbeat_ticks;
    return r->now - r->now % every + every;
}

/* Heartbeats go to learners too; a snapshot that takes too long is begun
 * again from a probe. */
void rkv_replicate_tick(struct rkv_raft *r)
{
    rkv_quiet_tick(r);
    rkv_lease_beat(r);
    r->beat |= others_bits(r);
    for (uint32_t i = 0; i < r->count; i++) {
        struct peer *p = &r->peers[i];
        if (p->progress == RKV_PROGRESS_SNAPSHOT &&
            r->now - p->snapshot_at >= r->options.snapshot_ticks)
            rkv_progress_probe(r, (int)i);
    }
    r->timers.heartbeat = rkv_replicate_next_beat(r);
}

bool rkv_replicate_serve(struct rkv_raft *r, int slot)
{
    struct peer *p = &r->peers[slot];
    uint64_t bit = slot_bit(slot);

    if ((r->beat & bit) != 0) {
        if (!send_heartbeat(r, p))
            return false;
        r->beat &= ~bit;
    }
    if ((r->serve & bit) != 0) {
        bool is_done;
        if (p->next < r->trail.first)
            is_done = send_snapshot(r, p, slot);
        else if (p->progress == RKV_PROGRESS_REPLICATE)
            is_done = stream(r, p);
        else
            is_done = p->paused || p->full ||
                      (p->next > r->trail.last && !p->check) ||
                      send_append(r, p, r->trail.last + 1);
        if (!is_done)
            return false;
        r->serve &= ~bit;
    }
    if ((r->hurry & bit) != 0) {
        struct rkv_raft_msg *m = rkv_drain_msg(r, RKV_MSG_TIMEOUT_NOW, p->id);
        if (m == NULL)
            return false;
        r->hurry &= ~bit;
    }
    return true;
}

static int propose_check(const struct rkv_raft *r, const struct rkv_raft_in *in,
                         uint64_t *bytes_out)
{
    uint64_t bytes = 0;

    if (r->role != RKV_LEADER)
        return r->leader == 0 ? RKV_ENOLEADER : RKV_ENOTLEADER;
    if (r->transferee != 0 || r->leaving)
        return RKV_ETRANSFER;
    if (r->self < 0)
        return RKV_ENOTLEADER;
    if (in->count == 0 || in->entries == NULL)
        return RKV_EINVAL;
    if (in->count == 1 && in->entries->kind == RKV_ENTRY_CONFIG) {
        int rc = rkv_change_propose(r, in);
        if (rc < 0)
            return rc;
        bytes = in->entries->len;
    } else {
        for (uint32_t i = 0; i < in->count; i++) {
            if (in->entries[i].kind != RKV_ENTRY_COMMAND)
                return RKV_EINVAL;
            bytes += in->entries[i].len;
        }
        if (r->trail.last + in->count > command_end(r))
            return RKV_EBUSY;
        if (bytes > r->capacity)
            return RKV_ENOSPC;
    }
    if (r->trail.last + in->count >= NUMBER_LIMIT)
        return RKV_EBUSY;
    /* The first one always fits, or a large one never would. */
    if (bytes > 0 && r->uncommitted_bytes > 0 &&
        r->uncommitted_bytes + bytes > r->options.uncommitted_bytes_max)
        return RKV_EBUSY;
    *bytes_out = bytes;
    return RKV_OK;
}

/* At most half of a log is not committed: what is can be compacted by every
 * member, so that each can make room for the rest; were it all uncommitted, a
 * member whose log begins earlier could not take it, and nobody could ever
 * commit it. */
static uint64_t command_end(const struct rkv_raft *r)
{
    uint64_t by_room = trail_command_end(&r->trail, KEPT_BACK);
    uint64_t by_commit = r->commit + r->trail.entries_max / 2;
    return by_room < by_commit ? by_room : by_commit;
}

/* The stream to a member that keeps up: all there is while the window is
 * open, then commit news if nothing carried it. */
static bool stream(struct rkv_raft *r, struct peer *p)
{
    while (p->next <= r->trail.last && window_is_open(r, p))
        if (!send_append(r, p, r->trail.last + 1))
            return false;
    uint64_t commit = r->commit < p->next - 1 ? r->commit : p->next - 1;
    if (commit > p->sent_commit || p->check)
        return send_append(r, p, p->next);
    return true;
}

/* Entries [next, end), as many as one message may hold; none when they are
 * equal. */
static bool send_append(struct rkv_raft *r, struct peer *p, uint64_t end)
{
    struct listed listed = {0};
    uint64_t index = p->next - 1;

    if (r->out.msgs_count == r->msgs_max)
        return false;
    if (p->next < end) {
        listed = rkv_drain_list(r, p->next, end, r->options.append_entries_max,
                                r->options.append_bytes_max);
        if (listed.count == 0)
            return false;
    }
    struct rkv_raft_msg *m = rkv_drain_msg(r, RKV_MSG_APPEND, p->id);
    m->index = index;
    m->log_term = trail_term(&r->trail, index);
    m->commit = r->commit;
    m->stated_boot = p->stated_boot;
    m->stated_last = p->stated_last;
    m->last_term = m->log_term;
    p->check = false;
    if (listed.count > 0) {
        m->count = listed.count;
        m->entries = listed.records;
        m->last_term = listed.records[listed.count - 1].term;
        index += listed.count;
        if (p->progress == RKV_PROGRESS_REPLICATE) {
            p->next = index + 1;
            p->window[p->inflight_tail++ & r->window_mask] =
                (struct flight){.last = index, .bytes = listed.bytes};
            p->inflight_bytes += listed.bytes;
        } else {
            p->paused = true;
        }
    }
    p->sent_commit = r->commit < index ? r->commit : index;
    return true;
}

/* Only to a member that was heard from: a dead one should not be worked
 * for.  It is repeated with each heartbeat's answer, in case it was lost. */
static bool send_snapshot(struct rkv_raft *r, struct peer *p, int slot)
{
    if ((r->active & slot_bit(slot)) == 0 || p->paused)
        return true;
    struct rkv_raft_msg *m = rkv_drain_msg(r, RKV_MSG_SNAPSHOT, p->id);
    if (m == NULL)
        return false;
    m->index = r->trail.first - 1;
    m->log_term = r->trail.base_term;
    m->commit = r->commit;
    if (p->progress != RKV_PROGRESS_SNAPSHOT) {
        p->progress = RKV_PROGRESS_SNAPSHOT;
        p->snapshot_at = r->now;
        p->inflight_head = p->inflight_tail = 0;
        p->inflight_bytes = 0;
    }
    p->paused = true;
    return true;
}

static bool send_heartbeat(struct rkv_raft *r, struct peer *p)
{
    struct rkv_raft_msg *m = rkv_drain_msg(r, RKV_MSG_HEARTBEAT, p->id);
    if (m == NULL)
        return false;
    m->commit = r->commit < p->match ? r->commit : p->match;
    m->round = r->read_round;
    if (r->resting) {
        m->flags = RKV_MSG_QUIET;
        m->index = r->trail.last;
        m->log_term = r->trail.last_term;
    }
    m->stated_boot = p->stated_boot;
    m->stated_last = p->stated_last;
    return true;
}

/* The bytes are a soft limit: a message may start below and end above. */
static bool window_is_open(const struct rkv_raft *r, const struct peer *p)
{
    return progress_inflight(p) < r->options.inflight_max &&
           p->inflight_bytes < r->options.inflight_bytes_max && !p->full;
}
