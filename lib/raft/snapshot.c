/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/snapshot.c - when a log does not reach back far enough (thesis
 * 5.1).  The core only says what to fetch and from whom; bytes move between
 * the hosts.  From then until the host says how it ended, the log of this
 * member stands still and it does not campaign.
 */
#include "core.h"

static void restore(struct rkv_raft *r, const struct rkv_raft_msg *m,
                    uint64_t index);

/* What is committed here is in any snapshot; and an entry we have ourselves
 * is no reason to lose those behind it. */
void rkv_snapshot_offer(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    if (r->restore_index != 0)
        return;
    if (r->wants && m->index >= r->applied) {
        restore(r, m, m->index > r->commit ? m->index : r->commit);
        return;
    }
    if (m->index <= r->commit) {
        r->owed |= OWE_ACK;
        return;
    }
    if (trail_knows(&r->trail, m->index) &&
        trail_term(&r->trail, m->index) == m->log_term) {
        commit_to(r, m->index);
        r->owed |= OWE_ACK;
        return;
    }
    restore(r, m, m->index);
}

/* Only while our log ends with this leader's entries: what we ask for is then
 * part of its history, and it will not be asked for by mistake again. */
int rkv_snapshot_want(struct rkv_raft *r)
{
    if (r->role != RKV_FOLLOWER || r->leader == 0)
        return RKV_ENOLEADER;
    if (r->restore_index != 0 || r->trail.last_term != r->term)
        return RKV_ESTATE;
    r->wants = true;
    r->owed |= OWE_WANT;
    return RKV_OK;
}

/* The follower has these entries and goes on getting more, so nothing changes
 * in how it is fed; should the offer be lost, it asks again. */
void rkv_snapshot_wanted(struct rkv_raft *r, const struct rkv_raft_msg *m)
{
    uint64_t index =
        m->index < r->trail.first - 1 ? r->trail.first - 1 : m->index;

    if (index > r->applied)
        return;
    rkv_outbox_put(
        r, &(struct rkv_raft_msg){.kind = RKV_MSG_SNAPSHOT,
                                  .to = m->from,
                                  .term = r->term,
                                  .index = index,
                                  .log_term = trail_term(&r->trail, index),
                                  .commit = r->commit});
}

/* The snapshot may be a later one than was named.  Entries behind it are
 * kept if ours at its index is the same; otherwise nothing of our log is
 * known to be true. */
int rkv_snapshot_restored(struct rkv_raft *r, const struct rkv_raft_in *in)
{
    if (r->restore_index == 0)
        return RKV_ESTATE;
    if (in->index < r->restore_index || in->index >= NUMBER_LIMIT ||
        in->term < r->restore_term || in->term > r->term || in->count == 0)
        return RKV_EINVAL;
    int rc = rkv_config_check(in->members, in->count, r->options.members_max);
    if (rc < 0)
        return rc;

    if (in->index <= r->trail.last &&
        trail_term(&r->trail, in->index) == in->term) {
        rkv_trail_compact(&r->trail, in->index);
    } else {
        rkv_promise_cut(r, in->index);
        rkv_trail_restart(&r->trail, in->index, in->term);
        if (r->verified > in->index)
            r->verified = in->index;
    }
    if (r->handed < in->index)
        r->handed = in->index;
    if (r->durable < in->index)
        r->durable = in->index;
    r->commit = r->emitted = r->applied = in->index;
    rkv_slots_set(r, in->members, in->count);
    r->lease_index = in->index;
    r->restore_index = 0;
    r->owed |= OWE_ACK;
    rkv_promise_recover_check(r);
    return RKV_OK;
}

int rkv_snapshot_give_up(struct rkv_raft *r)
{
    if (r->restore_index == 0)
        return RKV_ESTATE;
    r->restore_index = 0;
    return RKV_OK;
}

/* Only what is applied and on disk may be forgotten: the snapshot that takes
 * its place holds no more than that. */
int rkv_snapshot_compacted(struct rkv_raft *r, uint64_t index)
{
    if (index > r->applied || index > r->durable)
        return RKV_EINVAL;
    if (index >= r->trail.first)
        rkv_trail_compact(&r->trail, index);
    return RKV_OK;
}

static void restore(struct rkv_raft *r, const struct rkv_raft_msg *m,
                    uint64_t index)
{
    r->restore_index = index;
    r->restore_term =
        index == m->index ? m->log_term : trail_term(&r->trail, index);
    r->restore_from = m->from;
    r->restore_told = false;
    r->wants = r->agrees = false;
}
