/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What goes into the cores of the members and what comes out of them: told to
 * the notary, and looked through for situations that have a name.
 */
#include "oracle.h"

uint64_t member_id(const struct world *w, uint32_t at)
{
    (void)w;
    return at + 1;
}

/* Whose core this is.  While a member opens, only the core itself knows. */
static uint32_t place_of(const struct world *w, const rkv_raft *raft)
{
    struct rkv_raft_status status = {.size = sizeof status};

    for (uint32_t i = 0; i < w->count; i++)
        if (w->machines[i].node != NULL &&
            rkv_node_raft(w->machines[i].node) == raft)
            return i;
    rkv_raft_status(raft, &status);
    return (uint32_t)(status.id - 1);
}

static struct core_look *look_of(struct world *w, uint32_t at)
{
    return &w->oracle->cores[at];
}

/* ---- commits ---- */

/* By counting it commits entries of its own term alone (thesis 3.6.2); what
 * earlier leaders committed it may have heard from others. */
static void take_commit(struct world *w, uint32_t at, const rkv_raft *raft,
                        const struct rkv_raft_status *status)
{
    struct notary *notary = &w->oracle->notary;
    const struct rkv_raft_member *members;
    uint32_t count = rkv_raft_members(raft, &members);
    uint64_t term = 0, first = 0;

    if (rkv_raft_term_at(raft, status->commit, &term) != RKV_OK)
        return;
    if (term == status->term) {
        notary_committed(notary, status->id, status->commit, term, members,
                         count);
    } else if (notary_term(notary, status->commit) != term) {
        world_break(w, "a leader commits entries of its own term",
                    "member %u, term %llu: up to %llu, of term %llu", at + 1,
                    (unsigned long long)status->term,
                    (unsigned long long)status->commit,
                    (unsigned long long)term);
    }
    if (rkv_raft_term_at(raft, look_of(w, at)->commit + 1, &first) == RKV_OK &&
        first < status->term)
        mark(w, MARK_OLD_TERM_COMMITTED);
}

/* ---- what goes in ---- */

static void note_message(struct world *w, struct core_look *look,
                         const struct rkv_raft_msg *msg)
{
    const struct core_look *sender =
        msg->from - 1 < w->count ? look_of(w, (uint32_t)msg->from - 1) : NULL;
    bool refuses = (msg->flags & RKV_MSG_REJECT) != 0;

    if (msg->kind == RKV_MSG_APPEND && msg->term < look->term)
        mark(w, MARK_STALE_APPEND);
    if (msg->kind == RKV_MSG_PREVOTE_REPLY && refuses)
        mark(w, MARK_PREVOTE_REFUSED);
    if (msg->kind == RKV_MSG_VOTE_REPLY && refuses)
        mark(w, MARK_VOTE_REFUSED);
    if (msg->kind == RKV_MSG_APPEND_REPLY && refuses && msg->hint > 0)
        mark(w, MARK_PROBED);
    if ((msg->flags & RKV_MSG_RECOVERING) != 0)
        mark(w, MARK_RECOVERING);
    if (msg->stated_boot != 0 && msg->stated_last != 0)
        mark(w, MARK_STATED);
    if (sender != NULL && msg->boot != 0 && msg->boot < sender->boot)
        mark(w, MARK_OLD_BOOT);
    if (msg->kind == RKV_MSG_TIMEOUT_NOW && msg->term == look->term) {
        mark(w, MARK_HURRIED);
        look->hurried = look->term + 1;
    }
    if ((msg->kind == RKV_MSG_TIMEOUT_NOW &&
         (msg->term < look->term || look->role != RKV_FOLLOWER)) ||
        (msg->kind == RKV_MSG_VOTE && msg->term == look->hurried &&
         look->role == RKV_CANDIDATE && look->term == msg->term))
        mark(w, MARK_RIVALED);
    if ((msg->kind == RKV_MSG_VOTE || msg->kind == RKV_MSG_PREVOTE) &&
        look->recovering)
        mark(w, MARK_RECOVERING_ASKED);
}

static uint32_t role_in(const struct notary_config *config, uint64_t id)
{
    for (uint32_t i = 0; i < config->count; i++)
        if (config->members[i].id == id)
            return config->members[i].role;
    return 0;
}

static uint32_t roles_in(const struct notary_config *config)
{
    uint32_t roles = 0;

    for (uint32_t i = 0; i < config->count; i++)
        roles |= config->members[i].role;
    return roles;
}

/* One member, before and after a change. */
static void note_member(struct world *w, uint32_t before, uint32_t after)
{
    bool voted = (before & (RKV_VOTER | RKV_OUTGOING)) != 0;

    if (before == 0 && (after & RKV_LEARNER) != 0)
        mark(w, MARK_LEARNER_ADDED);
    if ((before & RKV_LEARNER) != 0 && (after & RKV_VOTER) != 0)
        mark(w, MARK_PROMOTED);
    if (voted && (after & RKV_LEARNER) != 0)
        mark(w, MARK_DEMOTED);
    if (voted && after == 0)
        mark(w, MARK_REMOVED);
}

static void note_config(struct world *w, const struct notary_config *before,
                        const struct notary_config *after)
{
    uint32_t was = roles_in(before), is = roles_in(after);

    for (uint32_t i = 0; i < w->count; i++)
        note_member(w, role_in(before, member_id(w, i)),
                    role_in(after, member_id(w, i)));
    if ((was & RKV_OUTGOING) == 0 && (is & RKV_OUTGOING) != 0)
        mark(w, MARK_JOINT);
    if ((was & RKV_OUTGOING) != 0 && (is & RKV_OUTGOING) == 0)
        mark(w,
             (was & RKV_AUTO_LEAVE) != 0 ? MARK_JOINT_LEFT : MARK_JOINT_ENDED);
    if ((was & RKV_LEASES) == 0 && (is & RKV_LEASES) != 0)
        mark(w, MARK_AGREED);
}

static void take_config(struct world *w, uint32_t at, const rkv_raft *raft,
                        uint64_t index)
{
    struct notary *notary = &w->oracle->notary;
    const struct rkv_raft_member *members;
    uint32_t count = rkv_raft_members(raft, &members);
    size_t known = notary->configs_count;

    mark(w, MARK_CONFIGURED);
    notary_configured(notary, index, members, count);
    if (notary->configs_count > known && known > 0)
        note_config(w, &notary->configs[known - 1], &notary->configs[known]);
    if (look_of(w, at)->role == RKV_LEADER &&
        role_in(&notary->configs[notary->configs_count - 1],
                member_id(w, at)) == 0)
        mark(w, MARK_LEADER_REMOVED);
}

static void take_input(struct world *w, uint32_t at, const rkv_raft *raft,
                       const struct rkv_raft_in *in)
{
    struct core_look *look = look_of(w, at);

    if (look->now != 0 && in->now > look->now + w->election &&
        look->role == RKV_LEADER) {
        mark(w, MARK_SLEPT_LEADING);
        look->slept = true;
    }
    look->now = in->now;
    if (in->kind == RKV_IN_RECEIVE)
        note_message(w, look, in->msg);
    if (in->kind == RKV_IN_RESTORED) {
        mark(w, MARK_SNAPSHOT_INSTALLED);
        if (look->last == 0)
            mark(w, MARK_SNAPSHOT_FIRST);
    }
    if (in->kind == RKV_IN_CONFIGURED)
        take_config(w, at, raft, in->index);
}

/* By its lease, or asking the others. */
static void note_read(struct world *w, struct core_look *look,
                      const rkv_raft *raft,
                      const struct rkv_raft_status *status)
{
    const struct rkv_raft_member *members;

    if (rkv_raft_members(raft, &members) == 0 ||
        (members[0].role & RKV_LEASES) == 0)
        return;
    mark(w, status->lease != 0 ? MARK_LEASE_READ : MARK_LEASE_NONE);
    if (look->slept && status->lease == 0)
        mark(w, MARK_LEASE_LAPSED);
    look->slept = false;
}

/* When a leader took in an entry, the last time that happened at this index. */
static void note_taken_in(struct world *w, uint64_t index, uint64_t term)
{
    struct oracle *o = w->oracle;

    while (o->taken_in_end <= index) {
        o->taken_in = row_grow(o->taken_in, &o->taken_in_cap, o->taken_in_end,
                               sizeof o->taken_in[0]);
        o->taken_in[o->taken_in_end++] = (struct taken_in){0};
    }
    o->taken_in[index] = (struct taken_in){term, w->now};
}

void core_stepped(struct world *w, const rkv_raft *raft,
                  const struct rkv_raft_in *in, int rc)
{
    struct rkv_raft_status status = {.size = sizeof status};
    uint32_t at;

    if (rc != RKV_OK)
        return;
    at = place_of(w, raft);
    take_input(w, at, raft, in);
    rkv_raft_status(raft, &status);
    if (status.role == RKV_LEADER && status.commit > look_of(w, at)->commit)
        take_commit(w, at, raft, &status);
    look_of(w, at)->commit = status.commit;
    look_of(w, at)->recovering = status.recovering != 0;
    if (status.commit > status.last && status.last >= status.first)
        world_break(w, "commit is within the log", "member %u", at + 1);
    if (in->kind == RKV_IN_PROPOSE)
        for (uint32_t i = 0; i < in->count; i++)
            note_taken_in(w, status.last - i, status.term);
    if (in->kind == RKV_IN_READ && status.role == RKV_LEADER)
        note_read(w, look_of(w, at), raft, &status);
    oracle_hear(w);
}

/* ---- what comes out ---- */

/* Leader completeness (thesis 3.6.3): all that was committed in earlier terms
 * is there. */
static void check_complete(struct world *w, uint32_t at, const rkv_raft *raft,
                           uint64_t term)
{
    const struct notary *notary = &w->oracle->notary;
    uint64_t held;

    for (uint64_t i = 1; i < notary->committed_end; i++)
        if (notary_term(notary, i) != 0 && notary_term(notary, i) < term &&
            rkv_raft_term_at(raft, i, &held) != RKV_ECOMPACTED &&
            (rkv_raft_term_at(raft, i, &held) != RKV_OK ||
             held != notary_term(notary, i)))
            world_break(w, "a leader holds all that is committed",
                        "member %u term %llu lacks index %llu", at + 1,
                        (unsigned long long)term, (unsigned long long)i);
}

static bool is_newest(const struct notary *notary, uint64_t term)
{
    for (uint64_t t = term + 1; t < notary->leaders_end; t++)
        if (notary_leader(notary, t) != 0)
            return false;
    return true;
}

static bool is_joint(const rkv_raft *raft)
{
    const struct rkv_raft_member *members;
    uint32_t count = rkv_raft_members(raft, &members), roles = 0;

    for (uint32_t i = 0; i < count; i++)
        roles |= members[i].role;
    return (roles & RKV_OUTGOING) != 0;
}

static void note_role(struct world *w, uint32_t at, const rkv_raft *raft,
                      const struct rkv_raft_out *out)
{
    struct core_look *look = look_of(w, at);

    if (out->role == RKV_LEADER &&
        (look->role != RKV_LEADER || look->term != out->term)) {
        mark(w, MARK_LED);
        w->elections++;
        if (is_joint(raft))
            mark(w, MARK_LED_JOINT);
        if (is_newest(&w->oracle->notary, out->term))
            check_complete(w, at, raft, out->term);
    }
    if (look->role == RKV_LEADER && out->role != RKV_LEADER)
        mark(w, out->term > look->term ? MARK_DEPOSED : MARK_LOST_TOUCH);
    if (look->role == RKV_CANDIDATE && out->term > look->term &&
        notary_leader(&w->oracle->notary, look->term) == 0)
        mark(w, MARK_NO_WINNER);
    look->role = out->role;
    look->term = out->term;
}

static void note_output(struct world *w, struct core_look *look,
                        const struct rkv_raft_out *out)
{
    if (out->append_count > 0) {
        if (out->append[0].index <= look->last)
            mark(w, MARK_LOG_CUT);
        look->last = out->append[out->append_count - 1].index;
    }
    for (uint32_t i = 0; i < out->reads_count; i++)
        if (out->reads[i].status != RKV_OK)
            mark(w, MARK_READ_DROPPED);
    if ((out->flags & RKV_OUT_RESTORE) != 0)
        mark(w, MARK_SNAPSHOT_WANTED);
    if ((out->flags & RKV_OUT_RECOVERED) != 0)
        mark(w, MARK_RECOVERED);
}

void core_drained(struct world *w, const rkv_raft *raft,
                  const struct rkv_raft_out *out)
{
    uint32_t at = place_of(w, raft);
    struct notary *notary = &w->oracle->notary;
    uint64_t id = member_id(w, at);

    notary_drained(notary, id, out);
    for (uint32_t i = 0; i < out->committed_count; i++)
        notary_settled(notary, id, out->committed[i].index,
                       out->committed[i].term);
    note_role(w, at, raft, out);
    note_output(w, look_of(w, at), out);
    oracle_hear(w);
}

/* ---- the end of a life ---- */

void core_dies(struct world *w, uint32_t at)
{
    const struct machine *m = &w->machines[at];
    struct rkv_raft_status status = {.size = sizeof status};

    if (m->node == NULL || rkv_node_raft(m->node) == NULL)
        return;
    rkv_raft_status(rkv_node_raft(m->node), &status);
    if (status.role == RKV_LEADER && status.last > status.commit)
        mark(w, MARK_LEADER_DIED_OWING);
    if (m->job != NULL)
        mark(w, m->job_ran ? MARK_DIED_AFTER_WRITE : MARK_DIED_BEFORE_WRITE);
    if (status.leaderless == RKV_LEADERLESS_RESTORING)
        mark(w, MARK_DIED_RESTORING);
}
