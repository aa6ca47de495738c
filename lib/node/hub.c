/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hub: one store, one flush and one stream of frames per peer, for all
 * the groups of a member.  A node opened alone has a hub of its own.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/options.h"
#include "line.h"

/* ---- a life ---- */

static int check_identity(rkv_hub *hub)
{
    const struct rkv_store_identity *found = &hub->identity;

    if (found->cluster == 0)
        return RKV_OK;
    hub->identified = true;
    if (found->cluster == hub->cluster && found->member == hub->id)
        return RKV_OK;
    return rkv_hub_fail(
        hub, RKV_ECLUSTER,
        "the store belongs to member %016llx of cluster "
        "%016llx, expected member %016llx of cluster %016llx; "
        "check the options, or choose another directory",
        (unsigned long long)found->member, (unsigned long long)found->cluster,
        (unsigned long long)hub->id, (unsigned long long)hub->cluster);
}

static int take_options(rkv_hub *hub, const struct rkv_hub_options *options)
{
    hub->cluster = options->cluster;
    hub->id = options->id;
    hub->groups_max = options->groups_max ? options->groups_max : 1024;
    hub->frame_bytes_max =
        options->frame_bytes_max ? options->frame_bytes_max : 2 << 20;
    hub->outbox_bytes_max =
        options->outbox_bytes_max ? options->outbox_bytes_max : 16 << 20;
    if (hub->cluster == 0 || hub->id == 0 || hub->frame_bytes_max < 4096 ||
        hub->frame_bytes_max > UINT32_MAX ||
        hub->outbox_bytes_max < hub->frame_bytes_max)
        return RKV_EINVAL;
    return RKV_OK;
}

int rkv_hub_open(const struct rkv_hub_options *given, rkv_store *store,
                 rkv_hub **out)
{
    struct rkv_hub_options options;
    struct rkv_allocator allocator;
    rkv_hub *hub;
    int rc;

    if (store == NULL || out == NULL || given == NULL)
        return RKV_EINVAL;
    *out = NULL;
    rc = rkv_options(&options, sizeof options, given);
    if (rc != RKV_OK)
        return rc;
    allocator = rkv_alloc_choose(options.allocator);
    hub = rkv_alloc_zeroed(&allocator, sizeof *hub);
    if (hub == NULL)
        return RKV_ENOMEM;
    hub->allocator = allocator;
    hub->store = store;
    hub->job.hub = hub;
    rkv_buffer_init(&hub->lent, &hub->allocator);
    rkv_map_init(&hub->groups, &hub->allocator);
    rc = take_options(hub, &options);
    if (rc != RKV_OK) {
        rkv_hub_close(hub);
        return rc;
    }
    *out = hub;
    hub->identity.size = sizeof hub->identity;
    rc = rkv_store_start(store, &hub->identity);
    if (rc != RKV_OK)
        return rkv_hub_fail(hub, rc, "%s", rkv_store_errmsg(store));
    return check_identity(hub);
}

void rkv_hub_close(rkv_hub *hub)
{
    struct rkv_allocator allocator;

    if (hub == NULL)
        return;
    if (hub->job.out)
        rkv_job_bury(&hub->job);
    while (hub->nodes_count > 0) {
        rkv_node *node = hub->nodes[hub->nodes_count - 1];

        node->owns_hub = false;
        rkv_node_close(node);
    }
    rkv_outbox_free(hub);
    rkv_release(&hub->allocator, hub->nodes,
                hub->nodes_cap * sizeof(rkv_node *));
    rkv_map_free(&hub->groups);
    rkv_release(&hub->allocator, hub->dues, hub->dues_cap * sizeof *hub->dues);
    rkv_release(&hub->allocator, hub->job.tasks,
                hub->job.tasks_cap * sizeof *hub->job.tasks);
    rkv_release(&hub->allocator, hub->job.writes,
                hub->job.writes_cap * sizeof *hub->job.writes);
    rkv_release(&hub->allocator, hub->room.entries,
                hub->room.cap * sizeof *hub->room.entries);
    rkv_release(&hub->allocator, hub->room.records,
                hub->room.cap * sizeof *hub->room.records);
    allocator = hub->allocator;
    rkv_release(&allocator, hub, sizeof *hub);
}

/* ---- failure ---- */

int rkv_hub_fail(rkv_hub *hub, int code, const char *format, ...)
{
    va_list args;

    if (hub->failed)
        return hub->failed;
    va_start(args, format);
    (void)vsnprintf(hub->errmsg, sizeof hub->errmsg, format, args);
    va_end(args);
    return rkv_hub_poison(hub, code);
}

int rkv_hub_poison(rkv_hub *hub, int code)
{
    if (hub->failed)
        return hub->failed;
    hub->failed = code;
    for (size_t i = 0; i < hub->nodes_count; i++)
        rkv_requests_fail(hub->nodes[i], code);
    return code;
}

int rkv_hub_refuse(rkv_hub *hub, int code, const char *format, ...)
{
    va_list args;

    if (hub->failed)
        return code;
    va_start(args, format);
    (void)vsnprintf(hub->errmsg, sizeof hub->errmsg, format, args);
    va_end(args);
    return code;
}

const char *rkv_hub_errmsg(const rkv_hub *hub)
{
    return hub == NULL ? "" : hub->errmsg;
}

/* ---- time ---- */

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t latest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void tick_node(rkv_node *node)
{
    struct rkv_raft_in in = {.kind = RKV_IN_TICK};

    rkv_pump_lost(node);
    if (node->hub->now >= node->deadline)
        (void)rkv_node_step(node, &in);
    rkv_requests_stayed(node);
    rkv_requests_expire(node);
    rkv_fetch_tick(node);
    rkv_clock_tick(node);
    rkv_history_tick(node);
    if (node->retry_at != 0 && node->retry_at <= node->hub->now)
        rkv_node_touch(node);
}

int rkv_hub_tick(rkv_hub *hub, uint64_t now)
{
    rkv_node *node;

    if (hub == NULL)
        return RKV_EINVAL;
    if (hub->failed)
        return RKV_EFAILED;
    if (now > hub->now)
        hub->now = now;
    while ((node = rkv_line_next(hub, RKV_WAIT_TIME)) != NULL)
        rkv_requests_date(node);
    while (hub->dues_count > 0 && hub->dues[0].at <= hub->now) {
        node = hub->dues[0].node;
        tick_node(node);
        /* What a pump is to find is not known yet. */
        rkv_due_set(node, node->waits[RKV_WAIT_PUMP]
                              ? hub->now + 1
                              : latest(rkv_node_due(node), hub->now + 1));
    }
    return RKV_OK;
}

uint64_t rkv_node_due(const rkv_node *node)
{
    uint64_t due = earliest(node->deadline, rkv_requests_expiry(node));

    if (node->retry_at != 0)
        due = earliest(due, node->retry_at);
    if (node->lost_count > 0)
        due = earliest(due, node->lost_due);
    due = earliest(due, rkv_clock_deadline(node));
    due = earliest(due, rkv_history_deadline(node));
    return earliest(due, rkv_fetch_deadline(node));
}

/* Something for a flush, or for the host. */
static bool is_work_waiting(const rkv_hub *hub)
{
    const rkv_node *node = hub->lines[RKV_WAIT_HOST].first;

    if (hub->bell.rung != NULL)
        return true;
    for (; node != NULL; node = node->behind[RKV_WAIT_HOST])
        if (rkv_event_waiting(node))
            return true;
    node = hub->job.out ? NULL : hub->lines[RKV_WAIT_DISK].first;
    for (; node != NULL; node = node->behind[RKV_WAIT_DISK])
        if (rkv_flush_wanted(node))
            return true;
    return false;
}

uint64_t rkv_hub_deadline(const rkv_hub *hub)
{
    if (hub == NULL || hub->failed)
        return UINT64_MAX;
    if (hub->lines[RKV_WAIT_PUMP].first != NULL || rkv_outbox_waiting(hub) ||
        is_work_waiting(hub))
        return hub->now;
    return hub->dues_count > 0 ? hub->dues[0].at : UINT64_MAX;
}

/* ---- word of peers ---- */

static int say(rkv_node *node, uint32_t kind, uint64_t peer)
{
    struct rkv_raft_in in = {.kind = kind, .peer = peer};

    return rkv_node_step(node, &in);
}

/* Nothing is under way in a group that sleeps, and most links that break are
 * those of members that live; but who sleeps looks after its leader then. */
static void unreachable(rkv_node *node, uint64_t peer,
                        const struct rkv_raft_status *core)
{
    if (!core->quiet || core->leader == peer)
        (void)say(node, RKV_IN_UNREACHABLE, peer);
}

/* Who promised its leader not to help another finds out by itself whether it
 * is dead. */
static void dead(rkv_node *node, uint64_t peer,
                 const struct rkv_raft_status *core)
{
    if (core->leader != peer)
        unreachable(node, peer, core);
    else if (say(node, RKV_IN_FORGET_LEADER, 0) == RKV_ESTATE)
        (void)say(node, RKV_IN_WAKE, 0);
}

typedef void word_taker(rkv_node *, uint64_t, const struct rkv_raft_status *);

static int tell(rkv_hub *hub, uint64_t peer, word_taker *take)
{
    struct rkv_raft_status core = {.size = sizeof core};

    if (hub == NULL)
        return RKV_EINVAL;
    if (hub->failed)
        return RKV_EFAILED;
    for (size_t i = 0; i < hub->nodes_count; i++) {
        rkv_node *node = hub->nodes[i];

        if (rkv_members_find(node, peer) == NULL)
            continue;
        rkv_raft_status(node->raft, &core);
        take(node, peer, &core);
    }
    return RKV_OK;
}

int rkv_hub_unreachable(rkv_hub *hub, uint64_t peer)
{
    return tell(hub, peer, unreachable);
}

int rkv_hub_dead(rkv_hub *hub, uint64_t peer)
{
    if (hub != NULL && peer == hub->id)
        return RKV_EINVAL;
    return tell(hub, peer, dead);
}
