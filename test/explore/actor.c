/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/actor.c - one core and the host around it.  The core takes its
 * memory from an arena that lies at one place for as long as the program runs,
 * so the bytes of the arena, put back, are the core as it was.
 *
 * The clock stands still: whichever timer the search lets run out is due.  And
 * what only tells when something happened, or is dead until it is written
 * again, is the same in all that are saved, lest equals look different.
 */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/core.h"

enum { ARENA_BYTES = 1 << 17, ROUNDS_MAX = 100, SEGMENTS_MAX = 16, NOW = 1 };

static struct {
    struct actor actor;
    _Alignas(64) unsigned char arena[ARENA_BYTES];
    size_t used;
} theatre;
struct actor *const actor = &theatre.actor;

/* What of all that a core took has to be kept between two inputs; lists that
 * a drain fills for its caller are not among it. */
static struct segment {
    void *at;
    size_t size;
} segments[SEGMENTS_MAX];
static size_t segments_count;

/* ---- memory ---- */

static void *take(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
    size_t at = (theatre.used + 63) & ~(size_t)63;

    (void)ctx;
    if (new_size == 0)
        return NULL;
    if (at + new_size > ARENA_BYTES) {
        fputs("explore: the arena is too small\n", stderr);
        exit(2);
    }
    theatre.used = at + new_size;
    if (ptr != NULL)
        memcpy(theatre.arena + at, ptr, old_size);
    return theatre.arena + at;
}

static void keep(void *at, size_t size)
{
    segments[segments_count++] = (struct segment){at, size};
}

/* Every core of a scope asks for the same, so its parts are where those of
 * the first were. */
static void survey(void)
{
    rkv_raft *r = actor->core;
    size_t members = r->options.members_max;

    segments_count = 0;
    keep(actor, offsetof(struct actor, committed) + sizeof actor->committed);
    keep(r, sizeof *r);
    keep(r->members, members * sizeof r->members[0]);
    keep(r->peers, members * sizeof r->peers[0]);
    keep(r->windows, members * (r->window_mask + 1) * sizeof r->windows[0]);
    keep(r->tokens, (r->tokens_mask + 1) * sizeof r->tokens[0]);
    keep(r->reads.ring, (r->reads.mask + 1) * sizeof r->reads.ring[0]);
    keep(r->trail.pages[0], (LOG_MAX + 2) * sizeof r->trail.pages[0][0]);
}

size_t actor_image_size(void)
{
    size_t size = 0;

    for (size_t i = 0; i < segments_count; i++)
        size += segments[i].size;
    return size;
}

void actor_save(void *image)
{
    unsigned char *to = image;

    for (size_t i = 0; i < segments_count; i++) {
        memcpy(to, segments[i].at, segments[i].size);
        to += segments[i].size;
    }
}

void actor_load(const void *image)
{
    const unsigned char *from = image;

    for (size_t i = 0; i < segments_count; i++) {
        memcpy(segments[i].at, from, segments[i].size);
        from += segments[i].size;
    }
}

/* ---- what the host sees ---- */

static void broken(const char *what)
{
    if (actor->broken == NULL)
        actor->broken = what;
}

static int step(struct rkv_raft_in in)
{
    const char *wrong;
    int rc;

    in.now = NOW;
    rc = rkv_raft_step(actor->core, &in);
    wrong = rkv_core_check(actor->core);
    if (wrong != NULL)
        broken(wrong);
    return rc;
}

static void must(struct rkv_raft_in in, const char *what)
{
    if (step(in) < 0)
        broken(what);
}

/* What others are promised is asked of the disk, not of the core. */
static void check_promise(const struct rkv_raft_msg *m)
{
    const struct disk *d = &actor->disk;
    bool is_granted = (m->flags & RKV_MSG_REJECT) == 0;

    if (m->kind == RKV_MSG_VOTE_REPLY && is_granted &&
        (d->term != m->term || d->vote != m->to))
        broken("a vote is on disk before it is told");
    if (m->kind == RKV_MSG_VOTE_REPLY && is_granted && d->recovering)
        broken("who lost commits does not vote");
    if ((m->kind == RKV_MSG_APPEND_REPLY && is_granted) ||
        m->kind == RKV_MSG_HEARTBEAT_REPLY) {
        if (m->index > d->last)
            broken("what is acknowledged is on disk");
        if (m->index > 0 && d->term != m->term)
            broken("a term is on disk before anything is acknowledged in it");
    }
}

static void post(const struct rkv_raft_msg *m)
{
    struct letter *l;

    if (actor->sent_count == SENT_MAX || m->count > LOG_MAX) {
        fputs("explore: too much is sent\n", stderr);
        exit(2);
    }
    check_promise(m);
    l = &actor->sent[actor->sent_count++];
    memset(l, 0, sizeof *l);
    l->msg = *m;
    l->msg.entries = NULL;
    if (m->count > 0)
        memcpy(l->entries, m->entries, m->count * sizeof l->entries[0]);
}

static void begin_write(const struct rkv_raft_out *out)
{
    struct write *w = &actor->writes[actor->writes_count++];

    if (actor->writes_count > WRITES_MAX || out->append_count > LOG_MAX) {
        fputs("explore: too much is written\n", stderr);
        exit(2);
    }
    memset(w, 0, sizeof *w);
    w->term = out->term;
    w->vote = out->vote;
    w->commit = out->commit;
    w->count = out->append_count;
    w->is_recovered = (out->flags & RKV_OUT_RECOVERED) != 0;
    if (w->count > 0)
        memcpy(w->entries, out->append, w->count * sizeof w->entries[0]);
}

static void end_write(void)
{
    struct disk *d = &actor->disk;
    struct write *w = &actor->writes[0];

    if (w->count > 0) {
        uint64_t first = w->entries[0].index;

        if (first > d->last + 1 || first + w->count > LOG_MAX + 1)
            broken("what is written goes on from what is there");
        else
            memcpy(&d->log[first], w->entries, w->count * sizeof w->entries[0]);
        d->last = first + w->count - 1;
        memset(&d->log[d->last + 1], 0, (LOG_MAX - d->last) * sizeof d->log[0]);
    }
    if (w->term < d->term)
        broken("a term on disk never falls");
    if (w->term == d->term && d->vote != 0 && w->vote != d->vote &&
        !d->recovering)
        broken("a vote on disk stays");
    d->term = w->term;
    d->vote = w->vote;
    d->commit = w->commit;
    d->promised = d->term > d->promised ? d->term : d->promised;
    if (w->is_recovered)
        d->recovering = false;
    actor->writes_count--;
    memmove(w, w + 1, actor->writes_count * sizeof *w);
    memset(&actor->writes[actor->writes_count], 0, sizeof *w);
    must((struct rkv_raft_in){.kind = RKV_IN_PERSISTED,
                              .token = actor->core->token_done + 1},
         "a write that ended is taken");
}

static void hear_commits(const struct rkv_raft_out *out)
{
    for (uint32_t i = 0; i < out->committed_count; i++) {
        const struct rkv_raft_entry *e = &out->committed[i];

        if (e->index != ++actor->committed ||
            trail_term(&actor->core->trail, e->index) != e->term)
            broken("committed entries come in order, and once");
    }
}

static bool drain(void)
{
    const struct rkv_raft_out *out;
    int rc = rkv_raft_drain(actor->core, &out);
    const char *wrong = rkv_core_check(actor->core);

    if (wrong != NULL)
        broken(wrong);
    if ((out->flags & RKV_OUT_PERSIST) != 0)
        begin_write(out);
    for (uint32_t i = 0; i < out->msgs_count; i++)
        post(&out->msgs[i]);
    hear_commits(out);
    for (uint32_t i = 0; i < out->reads_count; i++)
        if (out->reads[i].status == RKV_OK) {
            actor->is_read = true;
            actor->read_index = out->reads[i].index;
        }
    return rc > 0;
}

/* ---- changes ---- */

static struct rkv_raft_changes decode(uint32_t code,
                                      struct rkv_raft_change list[2])
{
    list[0] = (struct rkv_raft_change){.op = code >> 4, .id = code & 15};
    if ((code & CODE_SWAP) == 0)
        return (struct rkv_raft_changes){.list = list, .count = code != 0};
    list[0].op = RKV_CHANGE_ADD_VOTER;
    list[0].id = code >> 4 & 15;
    list[1] =
        (struct rkv_raft_change){.op = RKV_CHANGE_REMOVE, .id = code & 15};
    return (struct rkv_raft_changes){.list = list, .count = 2};
}

static void configure(const struct trail_entry *entry, uint64_t index)
{
    struct rkv_raft_change list[2];
    struct rkv_raft_changes changes = decode(trail_len(entry), list);

    if (step((struct rkv_raft_in){.kind = RKV_IN_CONFIGURED,
                                  .index = index,
                                  .changes = &changes}) < 0)
        must((struct rkv_raft_in){.kind = RKV_IN_REJECTED, .index = index},
             "a change is applied or rejected");
}

/* Changes only as many as are asked for; what else is committed at once. */
static bool apply(uint32_t changes)
{
    rkv_raft *r = actor->core;
    bool any = false;

    while (r->applied < r->emitted && actor->broken == NULL) {
        uint64_t index = r->applied + 1;
        const struct trail_entry *entry = trail_at(&r->trail, index);

        if (trail_kind(entry) != RKV_ENTRY_CONFIG)
            must((struct rkv_raft_in){.kind = RKV_IN_APPLIED, .index = index},
                 "what is committed may be applied");
        else if (changes-- > 0)
            configure(entry, index);
        else
            break;
        any = true;
    }
    return any;
}

/* ---- a move ---- */

static void settle(const struct scope *scope, bool is_boot)
{
    bool is_busy = true;

    for (int i = 0; is_busy && actor->broken == NULL; i++) {
        is_busy = drain();
        if (!scope->is_async && actor->writes_count > 0) {
            end_write();
            is_busy = true;
        }
        if (apply(scope->is_lazy && !is_boot ? 0 : UINT32_MAX))
            is_busy = true;
        if (i == ROUNDS_MAX)
            broken("a host comes to rest");
    }
}

/* Tokens are counted from the last one that came back. */
static void recount_tokens(rkv_raft *r)
{
    struct token under_way[WRITES_MAX] = {{0}};
    uint64_t count = r->token_last - r->token_done;

    for (uint64_t i = 0; i < count; i++)
        under_way[i] = r->tokens[(r->token_done + 1 + i) & r->tokens_mask];
    memset(r->tokens, 0, (r->tokens_mask + 1) * sizeof r->tokens[0]);
    for (uint64_t i = 0; i < count; i++)
        r->tokens[(1 + i) & r->tokens_mask] = under_way[i];
    if (r->recover_token != 0)
        r->recover_token -= r->token_done;
    r->token_last = count;
    r->token_done = 0;
}

static void forget_the_past(rkv_raft *r)
{
    recount_tokens(r);
    rkv_prng_seed(&r->prng, 1);
    r->timers = (struct timers){.from = NOW,
                                .timeout = r->options.election_ticks,
                                .heard = NOW,
                                .heartbeat = NOW + r->options.heartbeat_ticks,
                                .quorum = NOW + r->options.election_ticks,
                                .transfer = NOW + r->options.election_ticks,
                                .awake = NOW,
                                .pause_at = UINT64_MAX};
    if ((r->owed & OWE_REJECT) == 0)
        r->reject_index = r->reject_hint = r->reject_hint_term = 0;
    if ((r->owed & OWE_VOTE) == 0)
        r->grant_index = r->grant_log_term = 0;
    while (r->trail.config_last > 0 &&
           (r->trail.config_last > r->trail.last ||
            trail_kind(trail_at(&r->trail, r->trail.config_last)) !=
                RKV_ENTRY_CONFIG))
        r->trail.config_last--;
    if (r->role != RKV_LEADER)
        for (uint32_t i = 0; i < r->count; i++) {
            rkv_progress_reset(r, (int)i, 1);
            r->peers[i].heard = NOW;
        }
}

static void boot(const struct scope *scope)
{
    struct disk *d = &actor->disk;
    struct rkv_raft_member members[MEMBERS_MAX] = {{0}};
    struct rkv_allocator allocator = {.resize = take};
    struct rkv_raft_options o = {.size = sizeof o,
                                 .flags = scope->flags,
                                 .id = actor->id,
                                 .seed = 1,
                                 .members_max = MEMBERS_MAX,
                                 .inflight_max = WRITES_MAX,
                                 .append_entries_max = LOG_MAX,
                                 .reads_max = 2,
                                 .entries_max = 64,
                                 .promote_lag_max = UINT32_MAX,
                                 .allocator = &allocator};
    struct rkv_raft_boot b = {.size = sizeof b,
                              .recovering = d->recovering,
                              .boot = ++d->boot,
                              .promised = d->recovering ? d->promised : 0,
                              .term = d->term,
                              .vote = d->vote,
                              .commit = d->commit,
                              .members = members,
                              .members_count = scope->founders};

    for (uint32_t i = 0; i < scope->founders; i++)
        members[i] = (struct rkv_raft_member){.id = i + 1, .role = RKV_VOTER};
    theatre.used = 0;
    actor->writes_count = 0;
    memset(actor->writes, 0, sizeof actor->writes);
    actor->committed = 0;
    if (rkv_raft_new(&o, &b, &actor->core) < 0 ||
        rkv_raft_load(actor->core, &d->log[1], (uint32_t)d->last) < 0) {
        broken("what is on disk can be started from");
        return;
    }
    settle(scope, true);
    must((struct rkv_raft_in){.kind = RKV_IN_TICK}, "time begins");
}

void actor_found(const struct scope *scope, uint64_t id)
{
    memset(actor, 0, sizeof *actor);
    actor->id = id;
    boot(scope);
    survey();
    forget_the_past(actor->core);
}

/* The log, the vote and the term are gone; that there was something, and the
 * highest term, is written elsewhere. */
static void lose_disk(void)
{
    struct disk *d = &actor->disk;

    *d = (struct disk){
        .boot = d->boot, .promised = d->promised, .recovering = true};
}

static int receive(const struct letter *l)
{
    struct rkv_raft_msg m = l->msg;
    int rc;

    m.entries = l->entries;
    rc = step((struct rkv_raft_in){.kind = RKV_IN_RECEIVE, .msg = &m});
    if (rc < 0 && rc != RKV_ENOTFOUND)
        broken("no member says what cannot be");
    return rc;
}

static int propose(enum move move, uint32_t len)
{
    struct rkv_raft_change list[2];
    struct rkv_raft_changes changes = decode(len, list);
    struct rkv_raft_entry e = {.kind = move == MOVE_CHANGE ? RKV_ENTRY_CONFIG
                                                           : RKV_ENTRY_COMMAND,
                               .len = len};

    return step(
        (struct rkv_raft_in){.kind = RKV_IN_PROPOSE,
                             .entries = &e,
                             .count = 1,
                             .changes = move == MOVE_CHANGE ? &changes : NULL});
}

static int play(const struct scope *scope, enum move move,
                const struct letter *letter, uint32_t detail)
{
    rkv_raft *r = actor->core;
    struct rkv_raft_in tick = {.kind = RKV_IN_TICK};

    switch (move) {
    case MOVE_DELIVER:
        return receive(letter);
    case MOVE_TIMEOUT:
        r->timers.timeout = 0;
        r->timers.transfer = NOW;
        return step(tick);
    case MOVE_BEAT:
        r->timers.heartbeat = NOW;
        return step(tick);
    case MOVE_PERSIST:
        end_write();
        return RKV_OK;
    case MOVE_APPLY:
        (void)apply(1);
        return RKV_OK;
    case MOVE_LOSE:
        lose_disk();
        boot(scope);
        return RKV_OK;
    case MOVE_CRASH:
        boot(scope);
        return RKV_OK;
    case MOVE_PROPOSE:
    case MOVE_CHANGE:
        return propose(move, detail);
    case MOVE_READ:
        return step((struct rkv_raft_in){.kind = RKV_IN_READ, .token = 1});
    case MOVE_TRANSFER:
        return step(
            (struct rkv_raft_in){.kind = RKV_IN_TRANSFER, .peer = detail});
    }
    return RKV_EINVAL;
}

bool actor_move(const struct scope *scope, enum move move,
                const struct letter *letter, uint32_t detail)
{
    int rc;

    actor->sent_count = 0;
    actor->is_read = false;
    actor->read_index = 0;
    actor->broken = NULL;
    rc = play(scope, move, letter, detail);
    if (rc < 0 || actor->broken != NULL)
        return actor->broken != NULL;
    settle(scope, false);
    if (actor->core->role == RKV_LEADER && actor->disk.vote != actor->id)
        broken("nobody leads before its own vote is on disk");
    forget_the_past(actor->core);
    return true;
}
