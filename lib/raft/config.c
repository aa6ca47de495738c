/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/config.c - see config.h.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

static bool role_is_valid(uint32_t role);
static int change_all(struct config *c, const struct rkv_raft_change *list,
                      uint32_t count);
static int change_one(struct config *c, const struct rkv_raft_change *change);
static int make_voter(struct config *c, uint64_t id);
static int make_learner(struct config *c, uint64_t id);
static void make_nothing(struct config *c, uint64_t id);
static uint32_t position(const struct config *c, uint64_t id);
static struct rkv_raft_member *find(struct config *c, uint64_t id);
static struct rkv_raft_member *find_or_insert(struct config *c, uint64_t id);
static uint32_t voters(const struct config *c);
static bool was_voter(const struct config *c, uint64_t id);

int rkv_config_check(const struct rkv_raft_member *members, uint32_t count,
                     uint32_t max)
{
    uint64_t previous = 0;
    uint32_t found = 0;
    uint32_t leaves = 0;
    uint32_t stays = 0;
    uint32_t leases = 0;

    if (count > max || (count > 0 && members == NULL))
        return RKV_EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t role = members[i].role;
        if (members[i].id <= previous || members[i].reserved != 0 ||
            !role_is_valid(role))
            return RKV_EINVAL;
        previous = members[i].id;
        found += (role & RKV_VOTER) != 0;
        leases += (role & RKV_LEASES) != 0;
        if ((role & RKV_OUTGOING) != 0)
            *((role & RKV_AUTO_LEAVE) != 0 ? &leaves : &stays) += 1;
    }
    if ((leaves > 0 && stays > 0) || (leases > 0 && leases < count))
        return RKV_EINVAL;
    return count > 0 && found == 0 ? RKV_EINVAL : RKV_OK;
}

bool rkv_config_is_joint(const struct config *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        if ((c->members[i].role & RKV_OUTGOING) != 0)
            return true;
    return false;
}

/* Two majorities of which one has a voter more than the other still share a
 * member; with two voters changed they need not (thesis 4.1). */
int rkv_config_simple(struct config *c, const struct rkv_raft_change *list,
                      uint32_t count)
{
    const struct config before = *c;
    uint32_t changed = 0;

    if (rkv_config_is_joint(c))
        return RKV_EJOINT;
    int rc = change_all(c, list, count);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < c->count; i++)
        changed += (c->members[i].role & RKV_VOTER) != 0 &&
                   !was_voter(&before, c->members[i].id);
    for (uint32_t i = 0; i < before.count; i++)
        changed += (before.members[i].role & RKV_VOTER) != 0 &&
                   !was_voter(c, before.members[i].id);
    return changed > 1 ? RKV_ETOOMANY : RKV_OK;
}

int rkv_config_enter(struct config *c, const struct rkv_raft_change *list,
                     uint32_t count, bool auto_leave)
{
    if (rkv_config_is_joint(c))
        return RKV_EJOINT;
    if (voters(c) == 0)
        return RKV_ESTATE;
    for (uint32_t i = 0; i < c->count; i++)
        if ((c->members[i].role & RKV_VOTER) != 0)
            c->members[i].role |=
                RKV_OUTGOING | (auto_leave ? RKV_AUTO_LEAVE : 0u);
    return change_all(c, list, count);
}

int rkv_config_leave(struct config *c)
{
    uint32_t kept = 0;

    if (!rkv_config_is_joint(c))
        return RKV_EJOINT;
    for (uint32_t i = 0; i < c->count; i++) {
        struct rkv_raft_member member = c->members[i];
        if ((member.role & RKV_LEARNER_NEXT) != 0)
            member.role |= RKV_LEARNER;
        member.role &= ~(uint32_t)ROLE_JOINT;
        if ((member.role & ROLE_ALONE) != 0)
            c->members[kept++] = member;
    }
    c->count = kept;
    return RKV_OK;
}

int rkv_config_apply(struct config *c, const struct rkv_raft_changes *changes)
{
    bool is_auto = changes->transition == RKV_CHANGE_AUTO;

    if (is_auto && changes->count == 0)
        return rkv_config_leave(c);
    if (is_auto && changes->count == 1)
        return rkv_config_simple(c, changes->list, changes->count);
    return rkv_config_enter(c, changes->list, changes->count,
                            changes->transition != RKV_CHANGE_EXPLICIT);
}

static bool role_is_valid(uint32_t role)
{
    bool is_outgoing = (role & RKV_OUTGOING) != 0;

    if ((role & ~(uint32_t)(ROLE_ALONE | ROLE_JOINT | RKV_LEASES)) != 0)
        return false;
    if (!is_outgoing && (role & (RKV_LEARNER_NEXT | RKV_AUTO_LEAVE)) != 0)
        return false;
    switch (role & (ROLE_ALONE | RKV_LEARNER_NEXT)) {
    case RKV_VOTER:
        return true;
    case RKV_LEARNER:
        return !is_outgoing;
    case RKV_LEARNER_NEXT:
    case 0:
        return is_outgoing;
    default:
        return false;
    }
}

static int change_all(struct config *c, const struct rkv_raft_change *list,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int rc = change_one(c, &list[i]);
        if (rc < 0)
            return rc;
    }
    if (c->count > c->max)
        return RKV_EINVAL;
    return voters(c) == 0 ? RKV_EUNSAFE : RKV_OK;
}

static int change_one(struct config *c, const struct rkv_raft_change *change)
{
    switch (change->op) {
    case RKV_CHANGE_LEASES_ON:
    case RKV_CHANGE_LEASES_OFF:
        for (uint32_t i = 0; i < c->count; i++) {
            c->members[i].role &= ~(uint32_t)RKV_LEASES;
            if (change->op == RKV_CHANGE_LEASES_ON)
                c->members[i].role |= RKV_LEASES;
        }
        return RKV_OK;
    case RKV_CHANGE_ADD_VOTER:
        return make_voter(c, change->id);
    case RKV_CHANGE_ADD_LEARNER:
        return make_learner(c, change->id);
    case RKV_CHANGE_REMOVE:
        make_nothing(c, change->id);
        return RKV_OK;
    case RKV_CHANGE_UPDATE:
        return RKV_OK;
    default:
        return RKV_EINVAL;
    }
}

static int make_voter(struct config *c, uint64_t id)
{
    if (id == 0)
        return RKV_OK;
    struct rkv_raft_member *member = find_or_insert(c, id);
    if (member == NULL)
        return RKV_EINVAL;
    member->role &= ~(uint32_t)(RKV_LEARNER | RKV_LEARNER_NEXT);
    member->role |= RKV_VOTER;
    return RKV_OK;
}

/* Who still votes in the half that goes out cannot be a learner before it is
 * gone: nobody is both at once. */
static int make_learner(struct config *c, uint64_t id)
{
    if (id == 0)
        return RKV_OK;
    struct rkv_raft_member *member = find_or_insert(c, id);
    if (member == NULL)
        return RKV_EINVAL;
    member->role &= ~(uint32_t)RKV_VOTER;
    member->role |=
        (member->role & RKV_OUTGOING) != 0 ? RKV_LEARNER_NEXT : RKV_LEARNER;
    return RKV_OK;
}

static void make_nothing(struct config *c, uint64_t id)
{
    struct rkv_raft_member *member = find(c, id);
    if (member == NULL)
        return;
    member->role &= ~(uint32_t)(RKV_VOTER | RKV_LEARNER | RKV_LEARNER_NEXT);
    if ((member->role & RKV_OUTGOING) != 0)
        return;
    uint32_t at = (uint32_t)(member - c->members);
    c->count--;
    memmove(member, member + 1, sizeof(*member) * (c->count - at));
}

static uint32_t position(const struct config *c, uint64_t id)
{
    uint32_t at = 0;
    while (at < c->count && c->members[at].id < id)
        at++;
    return at;
}

static struct rkv_raft_member *find(struct config *c, uint64_t id)
{
    uint32_t at = position(c, id);
    return at < c->count && c->members[at].id == id ? &c->members[at] : NULL;
}

/* NULL: there is no room, even for a moment. */
/* NULL: there is no room for one more. */
static struct rkv_raft_member *find_or_insert(struct config *c, uint64_t id)
{
    struct rkv_raft_member *member = find(c, id);
    if (member != NULL)
        return member;
    uint32_t at = position(c, id);
    uint32_t leases = c->count > 0 ? c->members[0].role & RKV_LEASES : 0;
    if (c->count == RKV_MEMBERS_MAX)
        return NULL;
    memmove(&c->members[at + 1], &c->members[at],
            sizeof(c->members[0]) * (c->count - at));
    c->count++;
    c->members[at] =
        (struct rkv_raft_member){.id = id, .role = ROLE_FRESH | leases};
    return &c->members[at];
}

static uint32_t voters(const struct config *c)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->count; i++)
        count += (c->members[i].role & RKV_VOTER) != 0;
    return count;
}

static bool was_voter(const struct config *c, uint64_t id)
{
    uint32_t at = position(c, id);
    return at < c->count && c->members[at].id == id &&
           (c->members[at].role & RKV_VOTER) != 0;
}
