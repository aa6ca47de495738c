/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One seed: a storm, then calm, and what must hold throughout and at the end.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"
#include "world.h"

enum {
    STORM = 12000,
    CALM = 12000,
    ROUNDS_MAX = 500,
    MOMENT = 10,
    PATIENCE = 20
};

/* ---- notes ---- */

/* There is much of it, and it follows from the rest. */
static bool is_traffic(const char *what)
{
    return strcmp(what, "receive") == 0 || strcmp(what, "flushed") == 0;
}

void world_note(struct world *w, const char *what, uint64_t a, uint64_t b)
{
    uint64_t words[4] = {w->now, a, b, (unsigned char)what[0]};

    for (int i = 0; i < 4; i++) {
        w->hash = (w->hash ^ words[i]) * 0x100000001b3u;
        w->hash ^= w->hash >> 29;
    }
    w->events++;
    if (w->telling == TELL_ALL ||
        (w->telling == TELL_SCENARIO && !is_traffic(what)))
        printf("%8llu %-8s %llu %llu\n", (unsigned long long)w->now, what,
               (unsigned long long)a, (unsigned long long)b);
}

void world_break(struct world *w, const char *oracle, const char *format, ...)
{
    va_list args;

    if (w->broken != NULL)
        return;
    w->broken = oracle;
    va_start(args, format);
    (void)vsnprintf(w->detail, sizeof w->detail, format, args);
    va_end(args);
}

uint32_t world_leader(const struct world *w)
{
    struct rkv_node_status status = {.size = sizeof status};
    uint32_t leader = w->count;
    uint64_t term = 0;

    for (uint32_t i = 0; i < w->count; i++) {
        const struct machine *m = &w->machines[i];

        if (m->node == NULL || m->sleeps > w->now)
            continue;
        rkv_node_status(m->node, &status);
        if (status.role == RKV_LEADER && status.term > term) {
            term = status.term;
            leader = i;
        }
    }
    return leader;
}

/* ---- turns ---- */

static void send_all(struct world *w, uint32_t at)
{
    const struct rkv_frame *frame;

    while (rkv_node_next_frame(w->machines[at].node, &frame) > 0) {
        frame_sent(w, at, frame);
        net_send(w, at, frame);
    }
}

/* False: the power went. */
static bool run_job(struct machine *m)
{
    (void)rkv_job_run(m->job);
    m->job_ran = true;
    return disk_has_power(&m->disk);
}

/* The disk takes its time; other things happen meanwhile, before it did what
 * it was given, and after. */
static void turn_disk(struct world *w, uint32_t at)
{
    struct machine *m = &w->machines[at];
    int rc;

    if (m->job == NULL &&
        rkv_node_flush_begin(m->node, machine_now(w, m), &m->job) > 0) {
        m->job_until = w->now + dice_below(&w->disk, w->disk_delay + 1);
        if (dice_below(&w->disk, 2) == 0 && !run_job(m))
            return;
    }
    if (m->job == NULL || m->job_until > w->now)
        return;
    if (!m->job_ran && !run_job(m))
        return;
    rc = rkv_node_flush_end(m->node, machine_now(w, m), m->job);
    world_note(w, "flushed", at, 0);
    m->job = NULL;
    m->job_ran = false;
    memory_rest();
    /* A snapshot may be stored when there was no memory to go on from it. */
    if (rc == RKV_OK)
        oracle_flushed(w, at);
    memory_act(&m->memory);
}

static void take_events(struct world *w, uint32_t at)
{
    const struct rkv_event *event;

    while (rkv_node_next_event(w->machines[at].node, &event) > 0) {
        memory_rest();
        if (!groups_event(w, at, event) && !live_event(w, at, event))
            load_event(w, at, event);
        memory_act(&w->machines[at].memory);
    }
}

/* Every order is safe, and whatever is left out is only late. */
static void turn_lazily(struct world *w, uint32_t at)
{
    struct machine *m = &w->machines[at];

    memory_act(&m->memory);
    for (uint64_t steps = dice_below(&w->host, 8); steps > 0; steps--)
        switch (dice_below(&w->host, 5)) {
        case 0:
            (void)rkv_node_tick(m->node, machine_now(w, m));
            break;
        case 1:
            send_all(w, at);
            break;
        case 2:
            turn_disk(w, at);
            break;
        case 3:
            take_events(w, at);
            break;
        default:
            (void)rkv_node_unreachable(m->node,
                                       1 + dice_below(&w->host, w->count));
        }
    memory_rest();
    if (machine_lives(w, at))
        oracle_look(w, at);
}

/* A host goes round until nothing is due. */
static void turn(struct world *w, uint32_t at)
{
    struct machine *m = &w->machines[at];
    struct dice dice;
    int rounds = 0;

    m->stirred = false;
    if (m->slow_until > w->now)
        m->busy_until = w->now + dice_below(&w->host, m->slowness);
    if (swarm_strikes(&w->swarm, CHANCE_LAZY, &dice)) {
        turn_lazily(w, at);
        return;
    }
    do {
        memory_act(&m->memory);
        (void)rkv_node_tick(m->node, machine_now(w, m));
        send_all(w, at);
        turn_disk(w, at);
        send_all(w, at);
        take_events(w, at);
        memory_rest();
        if (!machine_lives(w, at))
            return;
        oracle_look(w, at);
        if (++rounds >= PATIENCE && memory_is_gone(&m->memory)) {
            machine_give_up(w, at);
            return;
        }
        if (rounds == ROUNDS_MAX)
            world_break(w, "a host comes to rest", "member %u", at + 1);
    } while (rounds < ROUNDS_MAX && machine_deadline(w, m) <= w->now);
}

/* Hosts sleep until the deadline, or until something comes in. */
static bool is_due(const struct world *w, const struct machine *m)
{
    if (m->node == NULL || m->sleeps > w->now || m->busy_until > w->now)
        return false;
    return m->stirred || w->restless ||
           (m->job != NULL && m->job_until <= w->now) ||
           machine_deadline(w, m) <= w->now;
}

static uint64_t next_time(const struct world *w)
{
    uint64_t next = w->moment;

    if (net_next(w) < next)
        next = net_next(w);
    for (uint32_t i = 0; i < w->count; i++) {
        const struct machine *m = &w->machines[i];
        uint64_t due;

        if (m->job != NULL && m->job_until < next)
            next = m->job_until;
        if (m->node == NULL || m->sleeps > w->now)
            continue;
        due = machine_deadline(w, m);
        if (due < m->busy_until)
            due = m->busy_until;
        if (due < next)
            next = due;
    }
    return next > w->now ? next : w->now + 1;
}

static void run_until(struct world *w, uint64_t end)
{
    while (w->now < end && w->broken == NULL) {
        w->now = next_time(w);
        net_deliver(w);
        for (uint32_t i = 0; i < w->count; i++)
            if (is_due(w, &w->machines[i]))
                turn(w, i);
        if (w->now < w->moment)
            continue;
        w->moment += MOMENT;
        faults_strike(w);
        if (w->calm) {
            live_probe(w);
            oracle_quiet(w);
            continue;
        }
        if (!swarm_asks(&w->swarm))
            continue;
        load_ask(w);
        groups_ask(w);
    }
}

static void make_disk(struct world *w, uint32_t at)
{
    struct disk *disk = &w->machines[at].disk;
    char name[] = "disk0";

    if (at >= w->platters) {
        disk_make_memory(disk, at < w->founders ? 1 + w->others : 1);
        return;
    }
    name[4] = (char)('0' + at);
    disk_make_platter(disk, name, dice_named(w->seed, name), at == 0);
}

/* How many there are, and how many of them found the cluster. */
static void draw_sizes(struct world *w)
{
    static const uint32_t sizes[] = {3, 3, 3, 3, 3, 5, 5, 1, 2, 4, 7};
    struct dice dice = dice_named(w->seed, "sizes");

    w->founders = sizes[dice_below(&dice, sizeof sizes / sizeof *sizes)];
    w->count = w->founders;
    if (dice_below(&dice, 2) == 0 && w->count < MEMBERS_MAX)
        w->count += (uint32_t)dice_below(&dice, MEMBERS_MAX - w->count) % 3;
}

/* What lived in this world leaves nothing behind. */
static void close_all(struct world *w, int64_t held)
{
    int64_t left;

    for (uint32_t i = 0; i < w->count; i++) {
        machine_end(w, i);
        disk_free(&w->machines[i].disk);
    }
    left = sqlite3_memory_used() - held;
    if (left != 0)
        world_break(w, "SQLite gives all memory back", "%lld bytes",
                    (long long)left);
}

bool world_run(struct world *w, uint64_t seed, enum telling telling)
{
    int64_t held = sqlite3_memory_used();

    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->telling = telling;
    w->now = 1;
    w->moment = MOMENT;
    w->disk = dice_named(seed, "disks");
    w->load = dice_named(seed, "load");
    w->host = dice_named(seed, "hosts");
    w->clocks = dice_named(seed, "clocks");
    w->group_load = dice_named(seed, "group load");
    draw_sizes(w);
    swarm_draw(w);
    net_make(w);
    oracle_begin(w);
    load_begin(w);
    for (uint32_t i = 0; i < w->count; i++) {
        memory_init(&w->machines[i].memory, w);
        make_disk(w, i);
        machine_open(w, i);
    }
    run_until(w, STORM);
    live_begin(w);
    run_until(w, STORM + CALM);
    live_end(w);
    groups_end(w);
    oracle_end(w);
    peace_end(w);
    recordings_end(w);
    oracle_power(w);
    close_all(w, held);
    probe_watch(NULL);
    return w->broken == NULL;
}

void world_free(struct world *w)
{
    load_free(w);
    oracle_free(w);
    net_free(w);
}
