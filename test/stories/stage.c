/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/stage.c - members on a stage.  An entry's meaning is kept once
 * for all of them, by index and term: that two members ever mean different
 * things by the same index and term is what Raft excludes, and the stage
 * watches over it.
 */
#include "backstage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- small things ---- */

void *backstage_take(void *memory, size_t count, size_t size)
{
    void *more = realloc(memory, count == 0 ? 1 : count * size);

    if (more == NULL) {
        fputs("no memory\n", stderr);
        exit(2);
    }
    return more;
}

struct rkv_raft_entry *backstage_copy(const struct rkv_raft_entry *from,
                                      size_t count)
{
    struct rkv_raft_entry *entries =
        backstage_take(NULL, count, sizeof *entries);

    if (count > 0)
        memcpy(entries, from, count * sizeof *entries);
    return entries;
}

void backstage_fault(struct stage *s, const struct stage_member *m,
                     const char *what)
{
    if (s->fault[0] == '\0')
        snprintf(s->fault, sizeof s->fault, "member %llu: %s",
                 (unsigned long long)m->id, what);
}

struct stage_member *stage_member(struct stage *s, uint64_t id)
{
    return id == 0 || id > s->count ? NULL : &s->members[id - 1];
}

const struct stage_item *stage_item(const struct stage *s, uint64_t index,
                                    uint64_t term)
{
    for (size_t i = 0; i < s->items_count; i++)
        if (s->items[i].index == index && s->items[i].term == term)
            return &s->items[i];
    return NULL;
}

const struct rkv_raft_entry *stage_entry(const struct stage_log *log,
                                         uint64_t index)
{
    return index <= log->base || index > log->last
               ? NULL
               : &log->entries[index - log->base - 1];
}

/* ---- logs ---- */

void backstage_restart(struct stage_log *log, uint64_t base, uint64_t base_term)
{
    log->base = log->last = base;
    log->base_term = base_term;
}

void backstage_replace(struct stage *s, const struct stage_member *m,
                       struct stage_log *log,
                       const struct rkv_raft_entry *entries, size_t count)
{
    if (count == 0)
        return;
    if (entries[0].index <= log->base || entries[0].index > log->last + 1) {
        backstage_fault(s, m, "was given entries that do not continue its log");
        return;
    }
    log->last = entries[0].index - 1;
    log->entries = backstage_take(log->entries, log->last - log->base + count,
                                  sizeof *log->entries);
    memcpy(&log->entries[log->last - log->base], entries,
           count * sizeof *entries);
    log->last += count;
}

void backstage_compact(struct stage_log *log, uint64_t index)
{
    uint64_t gone = index - log->base;

    if (index <= log->base || index > log->last)
        return;
    log->base_term = log->entries[gone - 1].term;
    memmove(log->entries, &log->entries[gone],
            (log->last - index) * sizeof *log->entries);
    log->base = index;
}

/* ---- life ---- */

void stage_init(struct stage *s)
{
    memset(s, 0, sizeof *s);
}

void backstage_free(struct stage_packet *packet)
{
    free((void *)(uintptr_t)packet->msg.entries);
}

static void free_ready(struct stage_ready *ready)
{
    for (size_t i = 0; i < ready->writes_count; i++)
        free(ready->writes[i].entries);
    for (size_t i = 0; i < ready->packets_count; i++)
        backstage_free(&ready->packets[i]);
    free(ready->writes);
    free(ready->committed);
    free(ready->packets);
    memset(ready, 0, sizeof *ready);
}

void stage_free(struct stage *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct stage_member *m = &s->members[i];

        rkv_raft_free(m->core);
        free(m->log.entries);
        free(m->disk.entries);
        free_ready(&m->ready);
        for (size_t k = 0; k < m->writes_count; k++)
            free(m->writes[k].entries);
        free(m->writes);
        for (size_t k = 0; k < m->applies_count; k++)
            free(m->applies[k].entries);
        free(m->applies);
        free(m->applied);
    }
    for (size_t i = 0; i < s->packets_count; i++)
        backstage_free(&s->packets[i]);
    free(s->packets);
    free(s->items);
}

/* The core, from what is on disk. */
static int boot(struct stage_member *m)
{
    const struct stage_state *from = &m->snapshot;
    struct rkv_raft_options o = {.size = sizeof o,
                                 .flags = m->options.flags,
                                 .id = m->id,
                                 .seed = 1,
                                 .election_ticks = STAGE_ELECTION_TICKS,
                                 .heartbeat_ticks = STAGE_HEARTBEAT_TICKS,
                                 .inflight_max = m->options.inflight,
                                 .promote_lag_max = UINT32_MAX,
                                 .quiet_ticks = m->options.quiet_ticks,
                                 .members_max = STAGE_MEMBERS_MAX};
    struct rkv_raft_boot b = {.size = sizeof b,
                              .boot = ++m->boots,
                              .term = m->disk_term,
                              .vote = m->disk_vote,
                              .commit = m->disk_commit,
                              .snapshot_index = from->index,
                              .snapshot_term = from->term,
                              .members = from->members,
                              .members_count = from->members_count};
    int rc = rkv_raft_new(&o, &b, &m->core);

    if (rc == RKV_OK)
        rc = rkv_raft_load(m->core, m->disk.entries,
                           (uint32_t)(m->disk.last - m->disk.base));
    m->state = m->snapshot;
    m->role = RKV_FOLLOWER;
    m->leader = 0;
    m->term = m->disk_term;
    m->vote = m->disk_vote;
    m->commit = m->disk_commit;
    return rc;
}

int stage_add(struct stage *s, const struct stage_options *options)
{
    const struct stage_state *state = &options->state;
    struct stage_member *m = &s->members[s->count];
    int rc;

    if (s->count == STAGE_MEMBERS_MAX)
        return RKV_EBUSY;
    memset(m, 0, sizeof *m);
    m->id = s->count + 1;
    m->options = *options;
    m->snapshot = *state;
    m->disk_term = state->term;
    m->disk_commit = state->index;
    backstage_restart(&m->log, state->index, state->term);
    backstage_restart(&m->disk, state->index, state->term);
    rc = boot(m);
    if (rc < 0)
        return rc;
    /* A story begins at a term before that of the snapshot all begin with,
     * which nobody but a test could bring about. */
    m->core->term = m->core->durable_term = m->core->handed_term = 0;
    m->core->out.term = m->term = m->disk_term = 0;
    s->count++;
    return RKV_OK;
}

void stage_crash(struct stage *s, struct stage_member *m)
{
    rkv_raft_free(m->core);
    m->core = NULL;
    free_ready(&m->ready);
    for (size_t k = 0; k < m->writes_count; k++)
        free(m->writes[k].entries);
    for (size_t k = 0; k < m->applies_count; k++)
        free(m->applies[k].entries);
    m->writes_count = m->applies_count = 0;
    m->applied_count = 0;
    backstage_restart(&m->log, m->disk.base, m->disk.base_term);
    backstage_replace(s, m, &m->log, m->disk.entries,
                      m->disk.last - m->disk.base);
    tell(s, "%llu stops", (unsigned long long)m->id);
    (void)stage_deliver(s, m->id, 0, true);
}

int stage_start(struct stage *s, struct stage_member *m)
{
    int rc = m->core != NULL ? RKV_ESTATE : boot(m);

    if (rc == RKV_OK)
        tell(s, "%llu starts in term %llu with entries up to %llu",
             (unsigned long long)m->id, (unsigned long long)m->disk_term,
             (unsigned long long)m->disk.last);
    return rc;
}

/* ---- inputs ---- */

int stage_input(struct stage_member *m, struct rkv_raft_in in)
{
    int rc = rkv_raft_reserve(m->core, 64);

    in.now = m->now;
    return rc < 0 ? rc : rkv_raft_step(m->core, &in);
}

/* What the core says of itself; a member that has not left the term before
 * all terms stands outside of it. */
static void look_inside(struct stage *s, const struct stage_member *m)
{
    const char *broken = m->core->term == 0 ? NULL : rkv_core_check(m->core);

    if (broken != NULL)
        backstage_fault(s, m, broken);
}

void backstage_must(struct stage *s, struct stage_member *m,
                    struct rkv_raft_in in, const char *what)
{
    int rc = stage_input(m, in);

    if (rc < 0) {
        char text[STAGE_TEXT_MAX / 2];

        snprintf(text, sizeof text, "%s: %s", what, rkv_errname(rc));
        backstage_fault(s, m, text);
    }
    look_inside(s, m);
}

int stage_tick(struct stage_member *m, uint64_t ticks)
{
    int rc = RKV_OK;

    for (uint64_t i = 0; i < ticks && rc == RKV_OK; i++) {
        m->now++;
        rc = stage_input(m, (struct rkv_raft_in){.kind = RKV_IN_TICK});
    }
    return rc;
}

static int propose_here(struct stage *s, struct stage_member *m,
                        const struct stage_item *item)
{
    struct rkv_raft_entry entry = {.kind = item->kind,
                                   .len = (uint32_t)strlen(item->text)};
    struct rkv_raft_in in = {
        .kind = RKV_IN_PROPOSE, .count = 1, .entries = &entry};
    struct stage_item *kept;
    int rc = item->kind == RKV_ENTRY_CONFIG ? stage_propose_change(m, item, in)
                                            : stage_input(m, in);

    if (rc < 0)
        return rc;
    kept = PUSH(s->items, s->items_count);
    *kept = *item;
    rkv_raft_last(m->core, &kept->index, &kept->term);
    return RKV_OK;
}

int stage_propose(struct stage *s, struct stage_member *m,
                  const struct stage_item *item)
{
    struct stage_item asked = *item, empty = {.kind = RKV_ENTRY_COMMAND};
    struct rkv_raft_status status = {.size = sizeof status};
    struct stage_packet *packet;
    int rc;

    if (asked.proposer == 0)
        asked.proposer = m->id;
    rkv_raft_status(m->core, &status);
    if (status.role == RKV_LEADER) {
        rc = propose_here(s, m, &asked);
        if (rc < 0 && m->options.is_etcd && item->kind == RKV_ENTRY_CONFIG)
            s->refused += propose_here(s, m, &empty) == RKV_OK;
        return rc;
    }
    if (status.leader == 0)
        return RKV_ENOLEADER;
    packet = PUSH(m->ready.packets, m->ready.packets_count);
    memset(packet, 0, sizeof *packet);
    packet->msg.kind = STAGE_KIND_PROPOSAL;
    packet->msg.from = m->id;
    packet->msg.to = status.leader;
    packet->item = asked;
    return RKV_OK;
}

void stage_set_timeout(struct stage_member *m, uint64_t ticks)
{
    m->core->timers.timeout = ticks;
}

void stage_compact(struct stage_member *m, uint64_t index)
{
    if (stage_input(m, (struct rkv_raft_in){.kind = RKV_IN_COMPACTED,
                                            .index = index}) < 0)
        return;
    backstage_compact(&m->log, index);
    backstage_compact(&m->disk, index);
    if (index == m->state.index)
        m->snapshot = m->state;
}

void stage_send_snapshot(struct stage *s, struct stage_member *from,
                         struct stage_member *to)
{
    struct stage_packet *packet = PUSH(s->packets, s->packets_count);
    struct rkv_raft_status status = {.size = sizeof status};

    rkv_raft_status(from->core, &status);
    memset(packet, 0, sizeof *packet);
    packet->msg = (struct rkv_raft_msg){.kind = RKV_MSG_SNAPSHOT,
                                        .from = from->id,
                                        .to = to->id,
                                        .term = status.term,
                                        .index = from->state.index,
                                        .log_term = from->state.term};
    packet->state = from->state;
}

/* ---- messages ---- */

static void receive(struct stage *s, struct stage_member *m,
                    struct stage_packet *packet)
{
    struct rkv_raft_in in = {.kind = RKV_IN_RECEIVE, .msg = &packet->msg};
    int rc;

    if (packet->msg.kind == STAGE_KIND_PROPOSAL) {
        (void)stage_propose(s, m, &packet->item);
        return;
    }
    if (packet->msg.kind == RKV_MSG_SNAPSHOT)
        m->incoming = packet->state;
    rc = stage_input(m, in);
    if (rc == RKV_EBUSY) {
        backstage_collect(s, m);
        rc = stage_input(m, in);
    }
    if (rc < 0)
        tell(s, "%llu refuses a message of %llu: %s", (unsigned long long)m->id,
             (unsigned long long)packet->msg.from, rkv_strerror(rc));
    look_inside(s, m);
}

size_t stage_deliver(struct stage *s, uint64_t to, uint32_t kind, bool drop)
{
    size_t queued = s->packets_count, moved = 0;
    struct stage_packet *packets = s->packets;
    struct stage_member *m = stage_member(s, to);

    s->packets = NULL;
    s->packets_count = 0;
    for (size_t i = 0; i < queued; i++) {
        struct stage_packet *packet = &packets[i];

        if (packet->msg.to != to || (kind != 0 && packet->msg.kind != kind) ||
            (m == NULL && !drop)) {
            *PUSH(s->packets, s->packets_count) = *packet;
            continue;
        }
        moved++;
        if (drop)
            tell_packet(s, packet, " is lost");
        else
            receive(s, m, packet);
        backstage_free(packet);
    }
    free(packets);
    return moved;
}
