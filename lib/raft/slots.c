/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/slots.c - where the members of the configuration sit: slots follow
 * id order, and when one comes or goes every mask by slot moves along.  What a
 * change makes of a configuration is config.c's question, and whether it may be
 * made now change.c's.
 */
#include "core.h"

#include <string.h>

enum { MASKS = 8 };

static void masks_rebuild(struct rkv_raft *r);
static void slot_insert(struct rkv_raft *r, uint64_t id, uint32_t role);
static void slot_remove(struct rkv_raft *r, int slot);
static uint64_t *const *mask_list(struct rkv_raft *r,
                                  uint64_t *list[MASKS + 1]);

void rkv_slots_set(struct rkv_raft *r, const struct rkv_raft_member *members,
                   uint32_t count)
{
    if (count > 0)
        memcpy(r->members, members, sizeof(members[0]) * count);
    r->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct flight *window = r->peers[i].window;
        r->peers[i] = (struct peer){.id = members[i].id, .window = window};
        rkv_progress_reset(r, (int)i, r->trail.last + 1);
    }
    r->granted = r->rejected = r->ask = 0;
    r->active = r->serve = r->beat = r->hurry = r->agreed = 0;
    masks_rebuild(r);
}

struct config rkv_slots_draft(const struct rkv_raft *r)
{
    struct config draft;

    draft.count = r->count;
    draft.max = r->options.members_max;
    memcpy(draft.members, r->members, sizeof(r->members[0]) * r->count);
    return draft;
}

/* Who left and came back under its old id begins anew. */
void rkv_slots_change(struct rkv_raft *r, const struct config *next)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < r->count;) {
        while (at < next->count && next->members[at].id < r->members[i].id)
            at++;
        bool stays = at < next->count &&
                     next->members[at].id == r->members[i].id &&
                     (next->members[at].role & ROLE_FRESH) == 0;
        if (stays)
            i++;
        else
            slot_remove(r, (int)i);
    }
    for (uint32_t i = 0; i < next->count; i++) {
        uint32_t role = next->members[i].role & ~(uint32_t)ROLE_FRESH;
        if (i == r->count || r->members[i].id != next->members[i].id)
            slot_insert(r, next->members[i].id, role);
        r->members[i].role = role;
    }
    assert(r->count == next->count);
    masks_rebuild(r);
}

static void masks_rebuild(struct rkv_raft *r)
{
    r->voters = 0;
    r->outgoing = 0;
    r->auto_leave = false;
    r->leases = r->count > 0 && (r->members[0].role & RKV_LEASES) != 0;
    r->self = config_slot(r, r->id);
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t role = r->members[i].role;
        if ((role & RKV_VOTER) != 0)
            r->voters |= slot_bit((int)i);
        if ((role & RKV_OUTGOING) != 0)
            r->outgoing |= slot_bit((int)i);
        if ((role & RKV_AUTO_LEAVE) != 0)
            r->auto_leave = true;
    }
}

/* A new member counts as heard from, so that the leader does not step down
 * over one that had no time to speak. */
static void slot_insert(struct rkv_raft *r, uint64_t id, uint32_t role)
{
    uint32_t at = 0;
    while (at < r->count && r->members[at].id < id)
        at++;
    struct flight *window = r->peers[r->count].window;
    memmove(&r->members[at + 1], &r->members[at],
            sizeof(r->members[0]) * (r->count - at));
    memmove(&r->peers[at + 1], &r->peers[at],
            sizeof(r->peers[0]) * (r->count - at));
    r->count++;
    r->members[at] = (struct rkv_raft_member){.id = id, .role = role};
    r->peers[at] = (struct peer){.id = id, .window = window};
    rkv_progress_reset(r, (int)at, r->trail.last > 0 ? r->trail.last : 1);

    uint64_t *list[MASKS + 1];
    uint64_t below = slot_bit((int)at) - 1;
    for (uint64_t *const *mask = mask_list(r, list); *mask != NULL; mask++)
        **mask = (**mask & below) | (**mask & ~below) << 1;
    r->active |= slot_bit((int)at);
}

static void slot_remove(struct rkv_raft *r, int slot)
{
    uint32_t at = (uint32_t)slot;
    struct flight *window = r->peers[at].window;
    r->count--;
    memmove(&r->members[at], &r->members[at + 1],
            sizeof(r->members[0]) * (r->count - at));
    memmove(&r->peers[at], &r->peers[at + 1],
            sizeof(r->peers[0]) * (r->count - at));
    r->peers[r->count] = (struct peer){.window = window};

    uint64_t *list[MASKS + 1];
    uint64_t below = slot_bit(slot) - 1;
    for (uint64_t *const *mask = mask_list(r, list); *mask != NULL; mask++)
        **mask = (**mask & below) | (**mask >> 1 & ~below);
}

static uint64_t *const *mask_list(struct rkv_raft *r, uint64_t *list[MASKS + 1])
{
    list[0] = &r->granted;
    list[1] = &r->rejected;
    list[2] = &r->ask;
    list[3] = &r->active;
    list[4] = &r->serve;
    list[5] = &r->beat;
    list[6] = &r->hurry;
    list[7] = &r->agreed;
    list[MASKS] = NULL;
    return list;
}
