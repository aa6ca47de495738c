/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/change.c - when membership may change, and what follows when it
 * did (thesis 4.1, 4.3).  A change takes effect when it is applied, on every
 * member; there is at most one that waits.  What it makes of a configuration
 * is config.c's business.
 */
#include "core.h"

static int check_list(const struct rkv_raft_changes *changes);
static int check_time(const struct rkv_raft *r);
static bool has_caught_up(const struct rkv_raft *r, const struct config *next);
static bool is_pending(const struct rkv_raft *r);
static bool is_next_config(const struct rkv_raft *r, uint64_t index);
static void lead_on(struct rkv_raft *r);

/* The answer depends on nothing but the configuration and the changes, so
 * that all members give the same one; next is what it will be. */
int rkv_change_check(const struct rkv_raft_changes *changes,
                     struct config *next)
{
    int rc = check_list(changes);
    return rc < 0 ? rc : rkv_config_apply(next, changes);
}

int rkv_change_propose(const struct rkv_raft *r, const struct rkv_raft_in *in)
{
    bool is_checked = (r->options.flags & RKV_RAFT_NO_CHANGE_CHECK) == 0;
    struct config next = rkv_slots_draft(r);

    int rc = check_list(in->changes);
    if (rc == RKV_OK && is_checked)
        rc = check_time(r);
    if (rc == RKV_OK && is_checked)
        rc = rkv_config_apply(&next, in->changes);
    if (rc < 0)
        return rc;
    if (is_checked && !has_caught_up(r, &next))
        return RKV_EBEHIND;
    return r->trail.last + KEPT_FOR_NOOP >= r->trail.end ? RKV_EBUSY : RKV_OK;
}

int rkv_change_configured(struct rkv_raft *r, const struct rkv_raft_in *in)
{
    struct config next = rkv_slots_draft(r);

    if (!is_next_config(r, in->index))
        return RKV_EINVAL;
    int rc = rkv_change_check(in->changes, &next);
    if (rc < 0)
        return rc;
    if (!r->leases)
        r->lease_index = in->index;
    rkv_slots_change(r, &next);
    r->applied = in->index;
    if (r->role == RKV_LEADER)
        lead_on(r);
    rkv_transfer_resume(r);
    return RKV_OK;
}

int rkv_change_rejected(struct rkv_raft *r, const struct rkv_raft_in *in)
{
    if (!is_next_config(r, in->index))
        return RKV_EINVAL;
    r->applied = in->index;
    rkv_transfer_resume(r);
    return RKV_OK;
}

/* A configuration is never applied by the way: the core must hear what
 * became of it. */
int rkv_change_applied(struct rkv_raft *r, uint64_t index)
{
    if (index < r->applied || index > r->emitted)
        return RKV_EINVAL;
    if (r->trail.config_last > r->applied &&
        rkv_trail_has_config(&r->trail, r->applied + 1, index))
        return RKV_EINVAL;
    r->applied = index;
    return RKV_OK;
}

/* An entry without a byte, like the one that begins a term.  Should it be
 * lost with its leader, the next one finds the configuration still joint. */
void rkv_change_leave(struct rkv_raft *r)
{
    if (r->transferee != 0 || r->leaving || !rkv_promise_is_next(r) ||
        r->trail.last + KEPT_FOR_NOOP >= r->trail.end || check_time(r) < 0)
        return;
    trail_add(&r->trail, r->term, 0, RKV_ENTRY_CONFIG);
    r->serve |= others_bits(r);
}

static int check_list(const struct rkv_raft_changes *changes)
{
    if (changes == NULL || changes->count > RKV_CHANGES_MAX ||
        changes->transition > RKV_CHANGE_EXPLICIT)
        return RKV_EINVAL;
    if (changes->count > 0 && changes->list == NULL)
        return RKV_EINVAL;
    for (uint32_t i = 0; i < changes->count; i++) {
        const struct rkv_raft_change *change = &changes->list[i];
        bool is_for_all = change->op >= RKV_CHANGE_LEASES_ON;
        if ((change->id == 0) != is_for_all || change->reserved != 0 ||
            change->op - 1 >= RKV_CHANGE_LEASES_OFF)
            return RKV_EINVAL;
    }
    return RKV_OK;
}

/* Without an entry of this term committed, a change of an earlier leader may
 * still be on its way, and two quorums that do not meet (the erratum to
 * thesis 4.1). */
static int check_time(const struct rkv_raft *r)
{
    if (r->commit < r->term_start)
        return RKV_ENOTYET;
    return is_pending(r) ? RKV_EPENDING : RKV_OK;
}

/* With a voter that still lacks most of the log the others are one failure
 * nearer to standing still (thesis 4.2.1). */
static bool has_caught_up(const struct rkv_raft *r, const struct config *next)
{
    uint64_t lag_max = r->options.promote_lag_max;

    if (lag_max == UINT32_MAX)
        return true;
    for (uint32_t i = 0; i < next->count; i++) {
        int slot = config_slot(r, next->members[i].id);
        if ((next->members[i].role & RKV_VOTER) == 0 || slot < 0 ||
            slot == r->self || r->members[slot].role != RKV_LEARNER)
            continue;
        const struct peer *p = &r->peers[slot];
        if (p->progress != RKV_PROGRESS_REPLICATE ||
            p->match + lag_max < r->trail.last ||
            r->now - p->heard >= r->options.election_ticks)
            return false;
    }
    return true;
}

static bool is_pending(const struct rkv_raft *r)
{
    return r->trail.config_last > r->applied &&
           rkv_trail_has_config(&r->trail, r->applied + 1, r->trail.last);
}

static bool is_next_config(const struct rkv_raft *r, uint64_t index)
{
    return index > r->applied && index <= r->emitted &&
           trail_kind(trail_at(&r->trail, index)) == RKV_ENTRY_CONFIG &&
           !rkv_trail_has_config(&r->trail, r->applied + 1, index - 1);
}

/* A smaller quorum may have been reached already, by entries and by reads;
 * a new member is probed at once. */
static void lead_on(struct rkv_raft *r)
{
    rkv_transfer_review(r);
    r->serve |= others_bits(r);
    rkv_commit_advance(r);
    if (r->reads.ready != r->reads.assigned)
        rkv_read_confirm(r);
    if ((voter_bits(r) & self_bit(r)) == 0 &&
        (r->options.flags & RKV_RAFT_NO_STEP_DOWN) == 0)
        rkv_transfer_leave(r);
}
