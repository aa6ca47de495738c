/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/world.c - see world.h.
 */
#include "raft/world.h"

#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *rkv_core_check(const struct rkv_raft *r);

/* Tokens from here on belong to world_read_point. */
static const uint64_t READ_POINTS = UINT64_C(1) << 32;

static void wrong(struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void wrong(struct world *w, const char *format, ...)
{
    va_list args;
    if (w->failure[0] != 0)
        return;
    va_start(args, format);
    vsnprintf(w->failure, sizeof(w->failure), format, args);
    va_end(args);
}

static void *grow(void *array, size_t count, size_t size)
{
    void *grown = realloc(array, (count + 1) * size);
    if (grown == NULL)
        abort();
    return grown;
}

static void *copy(const void *data, size_t size)
{
    void *made = malloc(size + 1);
    if (made == NULL)
        abort();
    if (size > 0)
        memcpy(made, data, size);
    return made;
}

static void *count_resize(void *ctx, void *ptr, size_t old_size,
                          size_t new_size)
{
    struct world *w = ctx;
    (void)old_size;
    w->allocations++;
    if (new_size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, new_size);
}

struct world *world_new(uint32_t nodes_count, uint32_t voters, uint64_t seed)
{
    return world_new_with(nodes_count, voters, seed, NULL);
}

struct world *world_new_with(uint32_t nodes_count, uint32_t voters,
                             uint64_t seed,
                             const struct rkv_raft_options *options)
{
    struct world *w = calloc(1, sizeof(*w));
    if (w == NULL)
        abort();
    if (options != NULL)
        w->options = *options;
    w->options.size = sizeof(w->options);
    w->allocator = (struct rkv_allocator){.resize = count_resize, .ctx = w};
    w->options.allocator = &w->allocator;
    w->count = nodes_count;
    w->seed = seed;
    w->now = 1;
    w->committed_last = 1;
    w->reads = READ_POINTS;
    rkv_prng_seed(&w->prng, seed);
    for (uint32_t i = 0; i < nodes_count; i++) {
        struct node *n = &w->nodes[i];
        n->id = i + 1;
        n->log = calloc(LOG_MAX, sizeof(n->log[0]));
        n->disk.log = calloc(LOG_MAX, sizeof(n->disk.log[0]));
        if (n->log == NULL || n->disk.log == NULL)
            abort();
        /* A cluster begins with a snapshot, so that who joins later learns
         * from it who was there first. */
        if (i < voters) {
            n->disk.snapshot.count = voters;
            n->disk.snapshot.index = n->disk.snapshot.term = 1;
            n->disk.term = n->disk.last = 1;
            for (uint32_t v = 0; v < voters; v++)
                n->disk.snapshot.members[v] =
                    (struct rkv_raft_member){.id = v + 1, .role = RKV_VOTER};
        }
        world_start(w, n->id);
    }
    return w;
}

static void writes_free(struct node *n)
{
    for (uint32_t i = 0; i < n->writes_count; i++)
        free(n->writes[i].items);
    free(n->writes);
    n->writes = NULL;
    n->writes_count = 0;
}

void world_free(struct world *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        struct node *n = &w->nodes[i];
        rkv_raft_free(n->raft);
        writes_free(n);
        free(n->log);
        free(n->disk.log);
        free(n->reads);
    }
    while (w->packets_count > 0)
        world_lose(w, 0);
    free(w->packets);
    free(w);
}

struct node *world_node(struct world *w, uint64_t id)
{
    return &w->nodes[id - 1];
}

/* --------------------------------------------------------------- output */

static void check_promise(struct world *w, struct node *n,
                          const struct rkv_raft_msg *m)
{
    bool is_reject = (m->flags & RKV_MSG_REJECT) != 0;
    const struct disk *d = &n->disk;

    if (m->kind == RKV_MSG_VOTE_REPLY && !is_reject) {
        n->grants++;
        if (m->term < LEADERS_MAX) {
            uint64_t *vote = &w->vote_of[n->id - 1][m->term];
            if (*vote != 0 && *vote != m->to)
                wrong(w, "%" PRIu64 " voted twice in term %" PRIu64, n->id,
                      m->term);
            *vote = m->to;
        }
        if (d->term != m->term || d->vote != m->to)
            wrong(w, "%" PRIu64 " granted a vote its disk does not hold",
                  n->id);
        if (d->recovering)
            wrong(w, "%" PRIu64 " voted while recovering", n->id);
    }
    if ((m->kind == RKV_MSG_APPEND_REPLY && !is_reject) ||
        m->kind == RKV_MSG_HEARTBEAT_REPLY) {
        if (m->index == 0)
            return;
        if (d->term != m->term)
            wrong(w, "%" PRIu64 " acknowledged in a term not on its disk",
                  n->id);
        uint64_t last =
            d->last > d->snapshot.index ? d->last : d->snapshot.index;
        if (last < m->index)
            wrong(w, "%" PRIu64 " acknowledged %" PRIu64 " but holds %" PRIu64,
                  n->id, m->index, last);
        uint64_t term;
        if (m->index > d->snapshot.index &&
            rkv_raft_term_at(n->raft, m->index, &term) == RKV_OK &&
            d->log[m->index].term != term)
            wrong(w, "%" PRIu64 " acknowledged another entry than it holds",
                  n->id);
    }
}

static void send_packet(struct world *w, struct node *n,
                        const struct rkv_raft_msg *m)
{
    struct packet p = {.msg = *m};

    check_promise(w, n, m);
    if (m->to == 0)
        wrong(w, "%" PRIu64 " writes to nobody", n->id);
    if (m->kind == RKV_MSG_APPEND &&
        m->index + 1 < world_status(w, n->id).first)
        wrong(w, "%" PRIu64 " sends what it has forgotten", n->id);
    if (m->to == 0 || m->to > w->count || w->cut[m->to] || w->cut[n->id])
        return;
    p.entries = copy(m->entries, m->count * sizeof(m->entries[0]));
    p.items = malloc((m->count + 1) * sizeof(p.items[0]));
    if (p.items == NULL)
        abort();
    for (uint32_t i = 0; i < m->count; i++) {
        const struct item *item = &n->log[m->entries[i].index];
        if (item->term != m->entries[i].term)
            wrong(w, "%" PRIu64 " sends an entry it has not", n->id);
        p.items[i] = *item;
    }
    p.msg.entries = m->count > 0 ? p.entries : NULL;
    if (w->packets_count == w->packets_cap) {
        w->packets_cap = w->packets_cap == 0 ? 64 : 2 * w->packets_cap;
        w->packets =
            realloc(w->packets, w->packets_cap * sizeof(w->packets[0]));
        if (w->packets == NULL)
            abort();
    }
    w->packets[w->packets_count++] = p;
}

static void hold_write(struct world *w, struct node *n,
                       const struct rkv_raft_out *o)
{
    struct write write = {.token = o->token,
                          .term = o->term,
                          .vote = o->vote,
                          .commit = o->commit,
                          .count = o->append_count,
                          .recovered = (o->flags & RKV_OUT_RECOVERED) != 0};
    write.items = malloc((o->append_count + 1) * sizeof(write.items[0]));
    if (write.items == NULL)
        abort();
    for (uint32_t i = 0; i < o->append_count; i++) {
        const struct rkv_raft_entry *e = &o->append[i];
        struct item *item = &n->log[e->index];
        if (i == 0)
            write.first = e->index;
        /* Entries the core makes itself have no bytes yet. */
        if (item->term != e->term) {
            if (e->len != 0 || e->kind == RKV_ENTRY_COMMAND ||
                o->term != e->term)
                wrong(w, "%" PRIu64 " persists an entry without bytes", n->id);
            *item = (struct item){
                .term = e->term, .kind = e->kind, .content = ++w->contents};
        }
        if (item->len != e->len || item->kind != e->kind)
            wrong(w, "%" PRIu64 " persists an entry of another shape", n->id);
        write.items[i] = *item;
    }
    n->writes = grow(n->writes, n->writes_count, sizeof(n->writes[0]));
    n->writes[n->writes_count++] = write;
}

static void check_committed(struct world *w, struct node *n,
                            const struct rkv_raft_out *o)
{
    for (uint32_t i = 0; i < o->committed_count; i++) {
        uint64_t index = o->committed[i].index;
        const struct item *item = &n->log[index];
        n->committed = index;
        if (item->term != o->committed[i].term)
            wrong(w, "%" PRIu64 " commits an entry without bytes", n->id);
        if (index <= w->committed_last) {
            const struct item *known = &w->committed[index];
            if (known->term != item->term || known->content != item->content)
                wrong(w, "%" PRIu64 " commits another entry at %" PRIu64, n->id,
                      index);
            continue;
        }
        if (index != w->committed_last + 1)
            wrong(w, "%" PRIu64 " commits %" PRIu64 " out of order", n->id,
                  index);
        w->committed[index] = *item;
        w->committed_last = index;
    }
}

/* Election safety, and leader completeness. */
static void check_leader(struct world *w, struct node *n,
                         const struct rkv_raft_out *o)
{
    if (o->role != RKV_LEADER || (o->flags & RKV_OUT_STATE) == 0)
        return;
    if (o->term < LEADERS_MAX) {
        uint64_t *leader = &w->leader_of[o->term];
        uint64_t start = n->id << 32 | n->disk.boot;
        if (*leader != 0 && *leader != start)
            wrong(w, "two leaders in term %" PRIu64, o->term);
        *leader = start;
    }
    struct rkv_raft_status s = world_status(w, n->id);
    for (uint64_t i = s.first; i <= w->committed_last; i++)
        if (i > s.last || n->log[i].content != w->committed[i].content)
            wrong(w, "leader %" PRIu64 " lacks committed entry %" PRIu64, n->id,
                  i);
}

static void check_read(struct world *w, struct node *n,
                       const struct rkv_raft_read *read)
{
    if (read->token < READ_POINTS || read->status != RKV_OK ||
        read->token + 1024 <= w->reads)
        return;
    if (read->index < w->read_floor[read->token & 1023])
        wrong(w, "%" PRIu64 " reads at %" PRIu64 " what was %" PRIu64, n->id,
              read->index, w->read_floor[read->token & 1023]);
}

void world_drain(struct world *w, uint64_t id)
{
    struct node *n = world_node(w, id);
    const struct rkv_raft_out *o;
    uint64_t allocations = w->allocations;

    if (n->raft == NULL)
        return;
    do {
        rkv_raft_drain(n->raft, &o);
        n->deadline = o->deadline;
        if ((o->flags & RKV_OUT_PERSIST) != 0)
            hold_write(w, n, o);
        else if (o->append_count != 0)
            wrong(w, "entries to append without a token");
        check_leader(w, n, o);
        for (uint32_t i = 0; i < o->msgs_count; i++)
            send_packet(w, n, &o->msgs[i]);
        check_committed(w, n, o);
        for (uint32_t i = 0; i < o->reads_count; i++) {
            n->reads = grow(n->reads, n->reads_count, sizeof(n->reads[0]));
            n->reads[n->reads_count++] = o->reads[i];
            check_read(w, n, &o->reads[i]);
        }
        if ((o->flags & RKV_OUT_RESTORE) != 0) {
            n->restore_wanted = true;
            n->restore_index = o->restore_index;
            n->restore_from = o->restore_from;
        }
    } while ((o->flags & RKV_OUT_MORE) != 0);
    if (allocations != w->allocations)
        wrong(w, "a drain allocated");
}

/* ---------------------------------------------------------------- input */

int world_step(struct world *w, uint64_t id, struct rkv_raft_in in)
{
    struct node *n = world_node(w, id);
    if (n->raft == NULL)
        return RKV_ECLOSED;
    in.now = w->now;
    uint64_t before = rkv_raft_digest(n->raft);
    uint64_t allocations = w->allocations;
    int rc = rkv_raft_step(n->raft, &in);
    if (allocations != w->allocations)
        wrong(w, "a step allocated");
    if (rc < 0 && rkv_raft_digest(n->raft) != before)
        wrong(w, "a refused input (kind %u, %d) left a trace", in.kind, rc);
    const char *broken = rkv_core_check(n->raft);
    if (broken != NULL)
        wrong(w, "%" PRIu64 " after input %u: not so: %s", id, in.kind, broken);
    if (!w->manual_drain) {
        world_drain(w, id);
        broken = rkv_core_check(n->raft);
        if (broken != NULL)
            wrong(w, "%" PRIu64 " after drain: not so: %s", id, broken);
    }
    return rc;
}

int world_tick(struct world *w, uint64_t id)
{
    return world_step(w, id, (struct rkv_raft_in){.kind = RKV_IN_TICK});
}

static struct rkv_raft_changes item_changes(const struct item *item)
{
    return (struct rkv_raft_changes){.list = item->changes,
                                     .count = item->changes_count,
                                     .transition = item->transition};
}

static int propose(struct world *w, uint64_t id, uint32_t count,
                   const struct item *items)
{
    struct node *n = world_node(w, id);
    struct rkv_raft_entry *entries = calloc(count + 1, sizeof(entries[0]));
    struct rkv_raft_changes changes = item_changes(&items[0]);
    uint64_t last;
    uint64_t term;
    if (entries == NULL)
        abort();
    if (n->raft == NULL) {
        free(entries);
        return RKV_ECLOSED;
    }
    for (uint32_t i = 0; i < count; i++)
        entries[i] =
            (struct rkv_raft_entry){.len = items[i].len, .kind = items[i].kind};
    (void)rkv_raft_reserve(n->raft, count);
    bool manual = w->manual_drain;
    w->manual_drain = true;
    int rc = world_step(
        w, id,
        (struct rkv_raft_in){
            .kind = RKV_IN_PROPOSE,
            .entries = entries,
            .count = count,
            .changes = items[0].kind == RKV_ENTRY_CONFIG ? &changes : NULL});
    w->manual_drain = manual;
    free(entries);
    if (rc == RKV_OK) {
        rkv_raft_last(n->raft, &last, &term);
        for (uint32_t i = 0; i < count; i++) {
            struct item *item = &n->log[last - count + 1 + i];
            *item = items[i];
            item->term = term;
            item->content = ++w->contents;
        }
    }
    if (!w->manual_drain)
        world_drain(w, id);
    return rc;
}

int world_propose(struct world *w, uint64_t id, uint32_t count, uint32_t len)
{
    struct item *items = calloc(count + 1, sizeof(items[0]));
    if (items == NULL)
        abort();
    for (uint32_t i = 0; i < count; i++)
        items[i] = (struct item){.kind = RKV_ENTRY_COMMAND, .len = len};
    int rc = propose(w, id, count, items);
    free(items);
    return rc;
}

int world_change(struct world *w, uint64_t id, uint32_t op, uint64_t member)
{
    struct rkv_raft_change change = {.op = op, .id = member};
    return world_change_all(w, id, RKV_CHANGE_AUTO, 1, &change);
}

int world_change_all(struct world *w, uint64_t id, uint32_t transition,
                     uint32_t count, const struct rkv_raft_change *changes)
{
    struct item item = {.kind = RKV_ENTRY_CONFIG,
                        .len = 20,
                        .transition = transition,
                        .changes_count = count};
    if (count > STEPS_MAX)
        abort();
    if (count > 0)
        memcpy(item.changes, changes, count * sizeof(changes[0]));
    return propose(w, id, 1, &item);
}

int world_leave(struct world *w, uint64_t id)
{
    return world_change_all(w, id, RKV_CHANGE_AUTO, 0, NULL);
}

int world_read(struct world *w, uint64_t id, uint64_t token)
{
    return world_step(
        w, id, (struct rkv_raft_in){.kind = RKV_IN_READ, .token = token});
}

int world_read_point(struct world *w, uint64_t id)
{
    w->reads++;
    w->read_floor[w->reads & 1023] = w->committed_last;
    return world_read(w, id, w->reads);
}

int world_campaign(struct world *w, uint64_t id)
{
    return world_step(w, id, (struct rkv_raft_in){.kind = RKV_IN_CAMPAIGN});
}

int world_transfer(struct world *w, uint64_t id, uint64_t to)
{
    return world_step(
        w, id, (struct rkv_raft_in){.kind = RKV_IN_TRANSFER, .peer = to});
}

int world_receive(struct world *w, uint64_t id, const struct rkv_raft_msg *msg)
{
    struct node *n = world_node(w, id);
    if (n->raft != NULL && msg->count > 0)
        (void)rkv_raft_reserve(n->raft, msg->count);
    return world_step(w, id,
                      (struct rkv_raft_in){.kind = RKV_IN_RECEIVE, .msg = msg});
}

/* The host keeps the bytes of those entries the core now holds. */
static void receive_packet(struct world *w, struct packet *p)
{
    struct node *n = world_node(w, p->msg.to);
    if (n->raft == NULL)
        return;
    bool manual = w->manual_drain;
    w->manual_drain = true;
    world_receive(w, n->id, &p->msg);
    w->manual_drain = manual;
    for (uint32_t i = 0; i < p->msg.count; i++) {
        uint64_t index = p->entries[i].index;
        uint64_t term;
        if (rkv_raft_term_at(n->raft, index, &term) != RKV_OK ||
            term != p->entries[i].term)
            continue;
        if (n->log[index].term == term &&
            n->log[index].content != p->items[i].content)
            wrong(w, "%" PRIu64 " meets two entries (%" PRIu64 ", %" PRIu64 ")",
                  n->id, index, term);
        n->log[index] = p->items[i];
    }
    if (!w->manual_drain)
        world_drain(w, n->id);
}

static struct packet take_packet(struct world *w, uint32_t at)
{
    struct packet p = w->packets[at];
    memmove(&w->packets[at], &w->packets[at + 1],
            (w->packets_count - at - 1) * sizeof(p));
    w->packets_count--;
    return p;
}

bool world_deliver(struct world *w, uint32_t at)
{
    if (at >= w->packets_count)
        return false;
    struct packet p = take_packet(w, at);
    if (!w->cut[p.msg.to] && !w->cut[p.msg.from])
        receive_packet(w, &p);
    free(p.entries);
    free(p.items);
    return true;
}

void world_lose(struct world *w, uint32_t at)
{
    if (at >= w->packets_count)
        return;
    struct packet p = take_packet(w, at);
    free(p.entries);
    free(p.items);
}

void world_repeat(struct world *w, uint32_t at)
{
    if (at >= w->packets_count)
        return;
    struct packet p = w->packets[at];
    p.entries = copy(p.entries, p.msg.count * sizeof(p.entries[0]));
    p.items = copy(p.items, p.msg.count * sizeof(p.items[0]));
    struct packet again = w->packets[at];
    receive_packet(w, &again);
    free(p.entries);
    free(p.items);
}

static bool matches(const struct packet *p, uint32_t kind, uint64_t from,
                    uint64_t to)
{
    return (kind == 0 || p->msg.kind == kind) &&
           (from == 0 || p->msg.from == from) && (to == 0 || p->msg.to == to);
}

uint32_t world_lose_kind(struct world *w, uint32_t kind, uint64_t from,
                         uint64_t to)
{
    uint32_t lost = 0;
    for (uint32_t i = 0; i < w->packets_count;) {
        if (!matches(&w->packets[i], kind, from, to)) {
            i++;
            continue;
        }
        world_lose(w, i);
        lost++;
    }
    return lost;
}

struct packet *world_find(struct world *w, uint32_t kind, uint64_t from,
                          uint64_t to)
{
    for (uint32_t i = 0; i < w->packets_count; i++)
        if (matches(&w->packets[i], kind, from, to))
            return &w->packets[i];
    return NULL;
}

uint32_t world_count_kind(struct world *w, uint32_t kind, uint64_t from,
                          uint64_t to)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->packets_count; i++)
        count += matches(&w->packets[i], kind, from, to);
    return count;
}

bool world_deliver_kind(struct world *w, uint32_t kind, uint64_t from,
                        uint64_t to)
{
    struct packet *p = world_find(w, kind, from, to);
    return p != NULL && world_deliver(w, (uint32_t)(p - w->packets));
}

/* ----------------------------------------------------------------- disk */

static void write_out(struct world *w, struct node *n, struct write *write)
{
    struct disk *d = &n->disk;

    if (write->commit > d->commit)
        d->commit = write->commit;
    d->term = write->term;
    d->vote = write->vote;
    if (write->count > 0) {
        uint64_t last =
            d->last > d->snapshot.index ? d->last : d->snapshot.index;
        if (write->first > last + 1)
            wrong(w, "%" PRIu64 " leaves a hole on its disk", n->id);
        for (uint32_t i = 0; i < write->count; i++)
            d->log[write->first + i] = write->items[i];
        d->last = write->first + write->count - 1;
    }
    if (write->recovered)
        d->recovering = false;
    if (d->promised < d->term)
        d->promised = d->term;
    free(write->items);
}

bool world_persist(struct world *w, uint64_t id)
{
    struct node *n = world_node(w, id);
    if (n->writes_count == 0 || n->raft == NULL)
        return false;
    struct write write = n->writes[0];
    n->writes_count--;
    memmove(&n->writes[0], &n->writes[1],
            n->writes_count * sizeof(n->writes[0]));
    write_out(w, n, &write);
    int rc = world_step(
        w, id,
        (struct rkv_raft_in){.kind = RKV_IN_PERSISTED, .token = write.token});
    if (rc != RKV_OK)
        wrong(w, "a write of %" PRIu64 " came to nothing: %d", id, rc);
    return true;
}

bool world_persist_all(struct world *w, uint64_t id)
{
    struct node *n = world_node(w, id);
    if (n->writes_count == 0 || n->raft == NULL)
        return false;
    uint64_t token = n->writes[n->writes_count - 1].token;
    for (uint32_t i = 0; i < n->writes_count; i++) {
        write_out(w, n, &n->writes[i]);
        n->writes[i].items = NULL;
    }
    writes_free(n);
    int rc = world_step(
        w, id, (struct rkv_raft_in){.kind = RKV_IN_PERSISTED, .token = token});
    if (rc != RKV_OK)
        wrong(w, "the writes of %" PRIu64 " came to nothing: %d", id, rc);
    return true;
}

/* What the host would write into its snapshots. */
static void config_copy(struct node *n)
{
    const struct rkv_raft_member *members;
    n->config.count = rkv_raft_members(n->raft, &members);
    memcpy(n->config.members, members, n->config.count * sizeof(members[0]));
}

uint32_t world_apply(struct world *w, uint64_t id)
{
    struct node *n = world_node(w, id);
    uint32_t count = 0;
    if (n->raft == NULL || w->hold_apply[id])
        return 0;
    uint64_t end = n->committed;
    while (n->applied < end) {
        uint64_t index = n->applied + 1;
        const struct item *item = &n->log[index];
        struct rkv_raft_in in = {.kind = RKV_IN_APPLIED, .index = index};
        struct rkv_raft_changes changes;
        if (item->kind == RKV_ENTRY_CONFIG) {
            changes = item_changes(item);
            int rc = rkv_raft_check_change(n->raft, &changes);
            in.kind = rc == RKV_OK ? RKV_IN_CONFIGURED : RKV_IN_REJECTED;
            in.changes = &changes;
        }
        n->applied = index;
        n->config.index = index;
        n->config.term = item->term;
        int rc = world_step(w, id, in);
        if (rc != RKV_OK)
            wrong(w, "%" PRIu64 " could not apply %" PRIu64 ": %d", id, index,
                  rc);
        config_copy(n);
        count++;
    }
    return count;
}

void world_compact(struct world *w, uint64_t id, uint64_t keep)
{
    struct node *n = world_node(w, id);
    struct rkv_raft_status s = world_status(w, id);
    if (n->raft == NULL || s.applied > s.durable ||
        n->config.index <= n->disk.snapshot.index)
        return;
    n->disk.snapshot = n->config;
    if (n->config.index < s.first + keep)
        return;
    int rc = world_step(w, id,
                        (struct rkv_raft_in){.kind = RKV_IN_COMPACTED,
                                             .index = n->config.index - keep});
    if (rc != RKV_OK)
        wrong(w, "%" PRIu64 " could not compact: %d", id, rc);
}

bool world_restore(struct world *w, uint64_t id)
{
    struct node *n = world_node(w, id);
    if (n->raft == NULL || !n->restore_wanted)
        return false;
    struct node *from = world_node(w, n->restore_from);
    n->restore_wanted = false;
    if (w->cut[id] || w->cut[from->id] ||
        from->disk.snapshot.index < n->restore_index) {
        world_step(w, id, (struct rkv_raft_in){.kind = RKV_IN_RESTORE_FAILED});
        return false;
    }
    /* Writes are done in order, so those before the swap come first. */
    while (world_persist(w, id))
        ;
    struct snapshot snapshot = from->disk.snapshot;
    struct disk *d = &n->disk;
    if (!(d->last >= snapshot.index && snapshot.index > d->snapshot.index &&
          d->log[snapshot.index].term == snapshot.term))
        d->last = snapshot.index;
    d->snapshot = snapshot;
    n->committed = n->applied = snapshot.index;
    n->config = snapshot;
    if (d->commit < snapshot.index)
        d->commit = snapshot.index;
    int rc = world_step(w, id,
                        (struct rkv_raft_in){.kind = RKV_IN_RESTORED,
                                             .index = snapshot.index,
                                             .term = snapshot.term,
                                             .members = snapshot.members,
                                             .count = snapshot.count});
    if (rc != RKV_OK)
        wrong(w, "%" PRIu64 " could not restore: %d", id, rc);
    return true;
}

void world_crash(struct world *w, uint64_t id, uint32_t done)
{
    struct node *n = world_node(w, id);
    if (n->raft == NULL)
        return;
    for (uint32_t i = 0; i < done && i < n->writes_count; i++) {
        write_out(w, n, &n->writes[i]);
        n->writes[i].items = NULL;
    }
    writes_free(n);
    rkv_raft_free(n->raft);
    n->raft = NULL;
    n->restore_wanted = false;
}

void world_start(struct world *w, uint64_t id)
{
    struct node *n = world_node(w, id);
    struct disk *d = &n->disk;
    struct rkv_raft_options options = w->options;
    options.id = id;
    options.seed = w->seed;
    d->boot++;
    struct rkv_raft_boot boot = {.size = sizeof(boot),
                                 .recovering = d->recovering,
                                 .boot = d->boot,
                                 .promised = d->promised,
                                 .term = d->term,
                                 .vote = d->vote,
                                 .commit = d->commit,
                                 .snapshot_index = d->snapshot.index,
                                 .snapshot_term = d->snapshot.term,
                                 .members = d->snapshot.members,
                                 .members_count = d->snapshot.count};
    if (rkv_raft_new(&options, &boot, &n->raft) != RKV_OK)
        abort();
    memcpy(n->log, d->log, LOG_MAX * sizeof(n->log[0]));
    for (uint64_t i = d->last + 1; i < LOG_MAX; i++)
        n->log[i] = (struct item){0};
    for (uint64_t i = d->snapshot.index + 1; i <= d->last; i++) {
        struct rkv_raft_entry entry = {.index = i,
                                       .term = d->log[i].term,
                                       .len = d->log[i].len,
                                       .kind = d->log[i].kind};
        int rc = rkv_raft_load(n->raft, &entry, 1);
        if (rc != RKV_OK)
            wrong(w, "%" PRIu64 " could not load %" PRIu64 ": %d", id, i, rc);
    }
    n->committed = n->applied = d->snapshot.index;
    n->config = d->snapshot;
    n->deadline = 0;
    world_drain(w, id);
    /* What was known to be committed is applied before anything else. */
    bool hold = w->hold_apply[id];
    w->hold_apply[id] = false;
    world_apply(w, id);
    w->hold_apply[id] = hold;
}

/* ----------------------------------------------------------------- time */

void world_pump(struct world *w)
{
    bool again = true;
    for (uint32_t rounds = 0; again && rounds < 100000; rounds++) {
        again = world_deliver(w, 0);
        for (uint64_t id = 1; id <= w->count; id++) {
            if (!w->hold_disk[id])
                again = world_persist(w, id) || again;
            again = world_apply(w, id) > 0 || again;
            again = world_restore(w, id) || again;
        }
    }
    if (again)
        wrong(w, "the world does not come to rest");
}

void world_pass(struct world *w, uint64_t ticks)
{
    uint64_t end = w->now + ticks;
    for (;;) {
        uint64_t next = end;
        for (uint64_t id = 1; id <= w->count; id++) {
            struct node *n = world_node(w, id);
            if (n->raft != NULL && n->deadline < next)
                next = n->deadline;
        }
        if (next > w->now)
            w->now = next;
        for (uint64_t id = 1; id <= w->count; id++) {
            struct node *n = world_node(w, id);
            if (n->raft != NULL && n->deadline <= w->now)
                world_tick(w, id);
        }
        world_pump(w);
        if (w->now >= end)
            break;
    }
}

void world_elect(struct world *w, uint64_t id)
{
    for (int i = 0; i < 20 && world_leader(w) != id; i++) {
        uint64_t leader = world_leader(w);
        if (leader != 0 && !w->cut[leader])
            world_transfer(w, leader, id);
        else
            world_campaign(w, id);
        world_pump(w);
        if (world_leader(w) != id)
            world_pass(w, 500);
    }
    if (world_leader(w) != id)
        wrong(w, "%" PRIu64 " was not elected", id);
    world_pass(w, 100);
    ck_assert_msg(w->failure[0] == 0, "%s", w->failure);
}

uint64_t world_leader(struct world *w)
{
    uint64_t leader = 0;
    uint64_t term = 0;
    for (uint64_t id = 1; id <= w->count; id++) {
        if (world_node(w, id)->raft == NULL)
            continue;
        struct rkv_raft_status s = world_status(w, id);
        if (s.role == RKV_LEADER && s.term > term) {
            leader = id;
            term = s.term;
        }
    }
    return leader;
}

struct rkv_raft_status world_status(struct world *w, uint64_t id)
{
    struct rkv_raft_status s = {.size = sizeof(s)};
    if (world_node(w, id)->raft != NULL)
        rkv_raft_status(world_node(w, id)->raft, &s);
    return s;
}

struct rkv_raft_peer world_peer(struct world *w, uint64_t id, uint64_t peer)
{
    struct rkv_raft_peer p = {.size = sizeof(p)};
    rkv_raft_peer(world_node(w, id)->raft, peer, &p);
    return p;
}

/* Log matching: one (index, term), one entry, and one history before it. */
void world_compare(struct world *w)
{
    for (uint64_t a = 1; a <= w->count; a++) {
        for (uint64_t b = a + 1; b <= w->count; b++) {
            struct node *n = world_node(w, a);
            struct node *m = world_node(w, b);
            if (n->raft == NULL || m->raft == NULL)
                continue;
            struct rkv_raft_status s = world_status(w, a);
            struct rkv_raft_status t = world_status(w, b);
            uint64_t first = s.first > t.first ? s.first : t.first;
            uint64_t last = s.last < t.last ? s.last : t.last;
            bool is_same = false;
            for (uint64_t i = last; i >= first && i > 0; i--) {
                is_same = is_same || n->log[i].term == m->log[i].term;
                if (is_same && n->log[i].content != m->log[i].content)
                    wrong(w,
                          "logs of %" PRIu64 " and %" PRIu64
                          " part before %" PRIu64,
                          a, b, i);
            }
        }
    }
}

void world_check(struct world *w)
{
    world_compare(w);
    ck_assert_msg(w->failure[0] == 0, "seed %" PRIu64 ": %s", w->seed,
                  w->failure);
}
