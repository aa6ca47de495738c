/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The life of a member on its machine: it begins, fails when its disk does,
 * crashes, and begins again.  What fails must have been made to fail, and must
 * say so by name.
 */
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* Did anything strike this machine since its member began? */
static uint64_t struck(const struct machine *m)
{
    return m->disk.platter.struck + m->memory.refused;
}

static bool is_excused(const struct machine *m)
{
    return struck(m) != m->struck_before || m->disk.damaged;
}

static void end(struct world *w, uint32_t at, enum disk_end how)
{
    struct machine *m = &w->machines[at];

    oracle_ending(w, at);
    memory_act(&m->memory);
    if (m->hub != NULL)
        rkv_hub_close(m->hub);
    else
        rkv_node_close(m->node);
    disk_close(&m->disk, how);
    memory_rest();
    groups_ended(w, at);
    memset(m->others, 0, sizeof m->others);
    m->hub = NULL;
    if (m->memory.held != 0)
        world_break(w, "who is closed gives all memory back",
                    "member %u: %llu bytes", at + 1,
                    (unsigned long long)m->memory.held);
    m->node = NULL;
    m->store = NULL;
    m->job = NULL;
    m->job_ran = false;
    load_ended(w, at);
}

void machine_end(struct world *w, uint32_t at)
{
    if (w->machines[at].node != NULL)
        end(w, at, END_ORDERLY);
}

/* A crash takes the process: what no finished write holds is gone.  A write
 * under way is there or not, as a coin falls; on a platter it may be there in
 * part. */
void machine_crash(struct world *w, uint32_t at)
{
    struct machine *m = &w->machines[at];
    struct dice dice = dice_thrown(&w->disk);
    enum disk_end how = dice_below(&dice, 2) == 0 ? END_KILLED : END_POWER;

    if (m->node == NULL)
        return;
    if (m->disk.on_platter && disk_has_power(&m->disk))
        platter_cut_power(&m->disk.platter, dice_below(&dice, 30));
    memory_act(&m->memory);
    if (m->job != NULL && !m->job_ran && dice_below(&dice, 2) == 0)
        (void)rkv_job_run(m->job);
    memory_rest();
    if (!disk_has_power(&m->disk))
        how = END_POWER;
    end(w, at, how);
    w->crashes++;
    world_note(w, "crash", at, 0);
}

static bool is_damage(int code)
{
    return code == RKV_ECORRUPT || code == RKV_EROLLBACK ||
           code == RKV_EDIVERGED;
}

/* A refusal for now, unless what the member remembers is damaged. */
static void fail(struct world *w, uint32_t at, const char *when, int code,
                 const char *words)
{
    struct machine *m = &w->machines[at];
    struct dice dice = dice_thrown(&w->disk);

    if (!is_excused(m))
        world_break(w, "nothing fails by itself", "member %u, %s: %s: %s",
                    at + 1, when, rkv_errname(code), words);
    if (is_damage(code) && !m->disk.damaged)
        world_break(w, "nothing sound is called damaged",
                    "member %u, %s: %s: %s", at + 1, when, rkv_errname(code),
                    words);
    if (words[0] == '\0' && code != RKV_ENOMEM)
        world_break(w, "a failure has a name", "member %u, %s: %s", at + 1,
                    when, rkv_errname(code));
    /* Somebody sees to the disk before the next try, or does not. */
    if (m->disk.on_platter && dice_below(&dice, 2) == 0)
        platter_heal(&m->disk.platter);
    memory_feed(&m->memory);
    w->failures++;
    world_note(w, "fail", at, (uint64_t)-code);
}

/* The member has failed for good: what is to be told is told, and the process
 * begins anew. */
static void replace(struct world *w, uint32_t at)
{
    struct machine *m = &w->machines[at];
    struct dice dice = dice_thrown(&w->host);
    const struct rkv_event *event;

    fail(w, at, "at work", RKV_EFAILED, rkv_node_errmsg(m->node));
    while (rkv_node_next_event(m->node, &event) > 0)
        if (!groups_event(w, at, event) && !live_event(w, at, event))
            load_event(w, at, event);
    end(w, at, dice_below(&dice, 2) == 0 ? END_ORDERLY : END_KILLED);
    m->wakes = w->now + dice_below(&dice, w->rest);
}

/* A host that gets nothing done for want of memory begins anew. */
void machine_give_up(struct world *w, uint32_t at)
{
    struct machine *m = &w->machines[at];

    machine_crash(w, at);
    memory_feed(&m->memory);
    m->wakes = w->now + dice_below(&w->host, w->rest);
}

bool machine_lives(struct world *w, uint32_t at)
{
    struct rkv_node_status status = {.size = sizeof status};
    struct machine *m = &w->machines[at];

    if (m->node == NULL)
        return false;
    if (!disk_has_power(&m->disk)) {
        machine_crash(w, at);
        m->wakes = w->now + dice_below(&w->host, w->rest);
        return false;
    }
    /* A node that failed waits for nothing any more. */
    if (rkv_node_deadline(m->node) == UINT64_MAX &&
        rkv_node_tick(m->node, machine_now(w, m)) == RKV_EFAILED) {
        replace(w, at);
        return false;
    }
    if (rkv_node_errmsg(m->node)[0] != '\0' && !is_excused(m) && !m->misled)
        world_break(w, "nothing fails by itself", "member %u: %s", at + 1,
                    rkv_node_errmsg(m->node));
    rkv_node_status(m->node, &status);
    if (m->disk.on_platter && !status.recovering && !groups_recover(m))
        m->disk.recovering = false;
    live_look(w, at);
    groups_look(w, at);
    return true;
}

/* ---- the beginning ---- */

static int open_hub(struct world *w, uint32_t at,
                    const struct rkv_node_options *options)
{
    struct machine *m = &w->machines[at];
    struct rkv_hub_options hub = {.size = sizeof hub,
                                  .groups_max = 1 + OTHERS_MAX,
                                  .cluster = options->cluster,
                                  .id = options->id,
                                  .allocator = options->allocator};
    int rc = rkv_hub_open(&hub, m->store, &m->hub);

    return rc == RKV_OK ? rkv_hub_node(m->hub, options, &m->node) : rc;
}

static int open_node(struct world *w, uint32_t at)
{
    struct machine *m = &w->machines[at];
    struct rkv_raft_options raft = {.size = sizeof raft,
                                    .flags = w->raft_flags,
                                    .election_ticks = w->election,
                                    .heartbeat_ticks = 20,
                                    .append_entries_max = w->batch,
                                    .inflight_max = 8};
    struct rkv_node_options options = {.size = sizeof options,
                                       .cluster = 1,
                                       .id = at + 1,
                                       .seed = w->seed * 31 + at,
                                       .raft = &raft,
                                       .request_ticks = 3000,
                                       .cache_bytes_max = w->cache,
                                       .snapshot_entries = 60,
                                       .snapshot_bytes = 4000,
                                       .snapshot_keep = w->peaceful ? 500 : 20,
                                       .snapshot_chunk_bytes = 80 << 10,
                                       .allocator = &m->memory.allocator,
                                       .recorder_bytes = w->recorder_bytes};
    struct rkv_member members[MEMBERS_MAX] = {{0}};
    bool founds = at < w->founders && !m->disk.recovering;
    int rc = w->others > 0 ? open_hub(w, at, &options)
                           : rkv_node_open(&options, m->store, &m->node);

    for (uint32_t i = 0; i < w->founders; i++) {
        members[i].id = i + 1;
        members[i].role = RKV_VOTER;
    }
    if (rc == RKV_OK && founds)
        rc = rkv_node_bootstrap(m->node, members, w->founders);
    if (rc == RKV_OK && at < w->founders && w->others > 0)
        rc = groups_open(w, at, &options, founds ? members : NULL);
    return rc;
}

/* It did not begin: because the power went, or what it needs is not there. */
static void give_up(struct world *w, uint32_t at, int code)
{
    struct machine *m = &w->machines[at];
    bool has_power = disk_has_power(&m->disk);

    if (has_power)
        fail(w, at, "opening", code,
             m->hub != NULL    ? rkv_hub_errmsg(m->hub)
             : m->node != NULL ? rkv_node_errmsg(m->node)
                               : rkv_store_errmsg(m->store));
    end(w, at, has_power ? END_KILLED : END_POWER);
    m->wakes = w->now + dice_below(&w->host, w->rest);
}

/* Each boot has a clock of its own. */
static void set_clock(struct world *w, uint32_t at)
{
    struct machine *m = &w->machines[at];
    struct dice dice = dice_thrown(&w->clocks);

    m->clock_set = w->now;
    m->clock_base = w->drifts ? dice_below(&dice, 1000000) : w->now;
    m->clock_rate = w->drifts ? 900 + dice_below(&dice, 201) : 1000;
}

uint64_t machine_now(const struct world *w, const struct machine *m)
{
    return m->clock_base + (w->now - m->clock_set) * m->clock_rate / 1000;
}

uint64_t machine_deadline(const struct world *w, const struct machine *m)
{
    uint64_t due = rkv_node_deadline(m->node);

    if (due == UINT64_MAX)
        return due;
    if (due <= machine_now(w, m))
        return w->now;
    return m->clock_set +
           ((due - m->clock_base) * 1000 + m->clock_rate - 1) / m->clock_rate;
}

void machine_open(struct world *w, uint32_t at)
{
    struct machine *m = &w->machines[at];
    int rc;

    set_clock(w, at);
    oracle_opening(w, at);
    m->misled = false;
    m->struck_before = struck(m);
    memory_act(&m->memory);
    rc = disk_open(&m->disk, &m->store);
    if (rc == RKV_OK)
        rc = open_node(w, at);
    memory_rest();
    if (rc != RKV_OK) {
        give_up(w, at, rc);
        return;
    }
    m->last_applied = 0;
    m->stirred = true;
    w->restarts++;
    oracle_opened(w, at);
    world_note(w, "open", at, 0);
}
