/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Operators: members come and go, one at a time or several at once, leaders
 * hand over, and in some worlds all agree to leases.  They ask any member, and
 * are answered like clients; they only see to it that two voters stay.
 */
#include "load.h"
#include "oracle.h"

enum { VOTERS_LEAST = 2, STEPS_MAX = 4 };

struct plan {
    struct rkv_change steps[STEPS_MAX];
    uint32_t count;
    uint32_t voters; /* as there would be afterwards */
};

static bool is_awake(const struct world *w, uint32_t at)
{
    return w->machines[at].node != NULL && w->machines[at].sleeps <= w->now;
}

/* Mostly who leads, now and then anybody. */
static uint32_t pick_member(const struct world *w, struct dice *dice)
{
    uint32_t leader = world_leader(w);
    uint32_t other = (uint32_t)dice_below(dice, w->count);

    if (leader == w->count || dice_below(dice, 5) == 0)
        return is_awake(w, other) ? other : w->count;
    return leader;
}

static uint32_t role_of(const struct rkv_member *members, uint32_t count,
                        uint64_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == id)
            return members[i].role & (RKV_VOTER | RKV_LEARNER);
    return 0;
}

/* What could be next for this member. */
static void plan_step(struct plan *plan, uint64_t id, uint32_t role,
                      struct dice *dice)
{
    struct rkv_change *step = &plan->steps[plan->count];

    *step = (struct rkv_change){.size = sizeof *step, .id = id};
    if (role == 0) {
        step->op = dice_below(dice, 4) == 0 ? RKV_CHANGE_ADD_VOTER
                                            : RKV_CHANGE_ADD_LEARNER;
    } else if (role == RKV_LEARNER) {
        step->op =
            dice_below(dice, 6) == 0 ? RKV_CHANGE_REMOVE : RKV_CHANGE_ADD_VOTER;
    } else if (plan->voters > VOTERS_LEAST) {
        step->op = dice_below(dice, 4) == 0 ? RKV_CHANGE_ADD_LEARNER
                                            : RKV_CHANGE_REMOVE;
        plan->voters--;
    } else {
        step->op = RKV_CHANGE_UPDATE;
        step->address = "elsewhere";
        step->address_len = dice_below(dice, 10);
    }
    plan->voters += role != RKV_VOTER && step->op == RKV_CHANGE_ADD_VOTER;
    plan->count++;
}

static uint32_t count_voters(const struct rkv_member *members, uint32_t count)
{
    uint32_t voters = 0;

    for (uint32_t i = 0; i < count; i++)
        voters += (members[i].role & RKV_VOTER) != 0;
    return voters;
}

/* Of those that are members or could be, some, each once. */
static void draw_steps(const struct world *w, uint32_t at, struct plan *plan,
                       struct dice *dice)
{
    const struct rkv_member *members;
    uint32_t count = rkv_node_members(w->machines[at].node, &members);
    uint32_t first = (uint32_t)dice_below(dice, w->count);
    uint64_t most = dice_below(dice, 2) == 0 ? 1 : 2 + dice_below(dice, 3);

    plan->voters = count_voters(members, count);
    for (uint32_t i = 0; i < w->count && plan->count < most; i++) {
        uint64_t id = member_id(w, (first + i) % w->count);

        plan_step(plan, id, role_of(members, count, id), dice);
    }
}

static bool is_joint(const struct world *w, uint32_t at, uint32_t roles)
{
    const struct rkv_member *members;
    uint32_t count = rkv_node_members(w->machines[at].node, &members);

    for (uint32_t i = 0; i < count; i++)
        if ((members[i].role & roles) != 0)
            return true;
    return false;
}

/* All agree, or no longer; that takes no member away, so any world may. */
void operate_leases(struct world *w)
{
    uint32_t at = world_leader(w);
    struct rkv_change step = {.size = sizeof step, .op = RKV_CHANGE_LEASES_ON};

    if (at == w->count)
        return;
    if (is_joint(w, at, RKV_LEASES)) {
        if (load_below(w, 20) > 0)
            return;
        step.op = RKV_CHANGE_LEASES_OFF;
    }
    (void)load_reconfigure(w, at, &step, 1, RKV_CHANGE_AUTO);
}

void operate_change(struct world *w, struct dice *dice)
{
    uint32_t at = pick_member(w, dice);
    struct plan plan = {.count = 0};
    uint32_t transition = (uint32_t)dice_below(dice, 3);
    int rc;

    if (at == w->count)
        return;
    /* A configuration that waits for it is ended before another begins. */
    if (!is_joint(w, at, RKV_OUTGOING))
        draw_steps(w, at, &plan, dice);
    if (plan.count == 0)
        transition = RKV_CHANGE_AUTO;
    rc = load_reconfigure(w, at, plan.steps, plan.count, transition);
    if (rc == RKV_OK)
        w->changes++;
    else
        mark(w, MARK_CHANGE_REFUSED);
}

/* Who hands over may be the last to hear who leads. */
static void deafen(struct world *w, uint32_t at, uint64_t ticks)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (i != at)
            w->net.links[i][at].cut_until = w->now + ticks;
    w->machines[at].suspect = w->now + ticks;
}

void operate_transfer(struct world *w, struct dice *dice)
{
    uint32_t at = pick_member(w, dice);
    uint32_t to = (uint32_t)dice_below(dice, w->count + 1);

    if (at == w->count)
        return;
    load_transfer(w, at, to < w->count ? member_id(w, to) : 0);
    if (dice_below(dice, 3) == 0)
        deafen(w, at, w->election);
}
