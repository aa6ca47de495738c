/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/raft.c - the hall of raft: a member's life from new to free, and
 * the one switch every input goes through.  Each topic of the thesis has a
 * file of its own: election, append (the follower), replicate and progress
 * (the leader), commit, promise (the disk), read, change and config,
 * transfer, snapshot; receive is the door for messages, drain the way out.
 */
#include "core.h"

#include "../base/hash.h"
#include "../base/options.h"

static const uint32_t flags_known =
    RKV_RAFT_NEVER_LEADS | RKV_RAFT_NO_PREVOTE | RKV_RAFT_NO_CHECK_QUORUM |
    RKV_RAFT_NO_CHANGE_CHECK | RKV_RAFT_NO_HANDOVER | RKV_RAFT_NO_STEP_DOWN;

static int take_options(struct rkv_raft *r,
                        const struct rkv_raft_options *options);
static int take_boot(struct rkv_raft *r, const struct rkv_raft_boot *boot);
static int make_room(struct rkv_raft *r);
static void look_after(struct rkv_raft *r, const struct rkv_raft_in *in);
static int input(struct rkv_raft *r, const struct rkv_raft_in *in);
static void tick(struct rkv_raft *r);
static void look_around(struct rkv_raft *r);
static void restart_timers(struct rkv_raft *r);
static uint32_t bounded(uint32_t value, uint32_t low, uint32_t high);
static uint32_t power_of_two(uint32_t at_least);
static int grow(struct trail *t, const struct rkv_allocator *a, uint64_t pages);

int rkv_raft_new(const struct rkv_raft_options *options,
                 const struct rkv_raft_boot *boot, rkv_raft **out)
{
    struct rkv_raft draft = {0};
    if (out == NULL)
        return RKV_EINVAL;
    int rc = take_options(&draft, options);
    if (rc < 0)
        return rc;
    struct rkv_raft *r = rkv_alloc(&draft.allocator, sizeof(*r));
    if (r == NULL)
        return RKV_ENOMEM;
    *r = draft;
    rc = make_room(r);
    if (rc == RKV_OK)
        rc = take_boot(r, boot);
    if (rc < 0) {
        rkv_raft_free(r);
        return rc;
    }
    *out = r;
    return RKV_OK;
}

void rkv_raft_free(rkv_raft *r)
{
    if (r == NULL)
        return;
    struct rkv_allocator a = r->allocator;
    size_t members = r->options.members_max;
    rkv_trail_free(&r->trail, &a);
    rkv_release(&a, r->members, members * sizeof(r->members[0]));
    rkv_release(&a, r->peers, members * sizeof(r->peers[0]));
    rkv_release(&a, r->windows,
                members * (r->window_mask + (size_t)1) * sizeof(r->windows[0]));
    rkv_release(&a, r->records, r->records_max * sizeof(r->records[0]));
    rkv_release(&a, r->msgs, r->msgs_max * sizeof(r->msgs[0]));
    rkv_release(&a, r->outbox, r->outbox_max * sizeof(r->outbox[0]));
    rkv_release(&a, r->tokens,
                (r->tokens_mask + (size_t)1) * sizeof(r->tokens[0]));
    rkv_release(&a, r->read_results,
                r->results_max * sizeof(r->read_results[0]));
    rkv_release(&a, r->reads.ring,
                (r->reads.mask + (size_t)1) * sizeof(r->reads.ring[0]));
    rkv_release(&a, r->traces.ring, r->traces.max * sizeof(r->traces.ring[0]));
    rkv_release(&a, r, sizeof(*r));
}

int rkv_raft_load(rkv_raft *r, const struct rkv_raft_entry *entries,
                  uint32_t count)
{
    struct trail *t = &r->trail;
    uint64_t term = t->last_term;

    if (!r->fresh)
        return RKV_ESTATE;
    if (count > 0 && entries == NULL)
        return RKV_EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i].index != t->last + 1 + i || entries[i].term < term ||
            entries[i].term == 0 || entries[i].term > r->term ||
            entries[i].kind - 1 >= RKV_ENTRY_NOOP)
            return RKV_EINVAL;
        term = entries[i].term;
    }
    int rc = rkv_trail_extend(t, &r->allocator, count);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < count; i++)
        trail_add(t, entries[i].term, entries[i].len, entries[i].kind);
    r->durable = r->handed = t->last;
    commit_to(r, r->boot_commit < t->last ? r->boot_commit : t->last);
    return RKV_OK;
}

int rkv_raft_reserve(rkv_raft *r, uint32_t count)
{
    return rkv_trail_reserve(&r->trail, &r->allocator, count);
}

/* Whatever an input may have set off before it turned out to be wrong is the
 * clock alone, and that is put back. */
int rkv_raft_step(rkv_raft *r, const struct rkv_raft_in *in)
{
    if (r->failed)
        return RKV_EFAILED;
    if (in == NULL || in->now < r->now || in->now >= NUMBER_LIMIT ||
        in->reserved != 0)
        return RKV_EINVAL;
    uint64_t before = r->now;
    r->now = in->now;
    if (in->now < r->timers.pause_at) {
        int rc = input(r, in);
        if (rc < 0)
            r->now = before;
        else if (r->watched)
            look_after(r, in);
        return rc;
    }
    struct timers timers = r->timers;
    restart_timers(r);
    int rc = input(r, in);
    if (rc < 0) {
        r->now = before;
        r->timers = timers;
    } else {
        r->fresh = false;
        if (r->watched)
            look_after(r, in);
    }
    return rc;
}

/* Mostly nobody sleeps, and nobody keeps a record. */
static void look_after(struct rkv_raft *r, const struct rkv_raft_in *in)
{
    if (r->quiet && rkv_quiet_wakes(r, in))
        rkv_quiet_wake(r, in);
    if (r->traces.ring != NULL)
        rkv_trace_step(r, in);
    r->watched = r->quiet || r->traces.ring != NULL;
}

static int input(struct rkv_raft *r, const struct rkv_raft_in *in)
{
    switch (in->kind) {
    case RKV_IN_TICK:
        tick(r);
        return RKV_OK;
    case RKV_IN_RECEIVE:
        return rkv_receive(r, in->msg);
    case RKV_IN_PROPOSE:
        return rkv_replicate_propose(r, in);
    case RKV_IN_PERSISTED:
        return rkv_promise_persisted(r, in->token);
    case RKV_IN_PERSIST_FAILED:
        rkv_promise_failed(r);
        return RKV_OK;
    case RKV_IN_APPLIED:
        return rkv_change_applied(r, in->index);
    case RKV_IN_CONFIGURED:
        return rkv_change_configured(r, in);
    case RKV_IN_REJECTED:
        return rkv_change_rejected(r, in);
    case RKV_IN_READ:
        return rkv_read_ask(r, in->token);
    case RKV_IN_COMPACTED:
        return rkv_snapshot_compacted(r, in->index);
    case RKV_IN_RESTORED:
        return rkv_snapshot_restored(r, in);
    case RKV_IN_RESTORE_FAILED:
        return rkv_snapshot_give_up(r);
    case RKV_IN_SNAPSHOT_FAILED:
        return rkv_progress_snapshot_failed(r, in->peer);
    case RKV_IN_UNREACHABLE:
        return rkv_progress_unreachable(r, in->peer);
    case RKV_IN_TRANSFER:
        return rkv_transfer_ask(r, in->peer);
    case RKV_IN_CAMPAIGN:
        return rkv_election_command(r);
    case RKV_IN_FORGET_LEADER:
        return rkv_election_forget(r);
    case RKV_IN_CAPACITY:
        r->capacity = in->token;
        return RKV_OK;
    case RKV_IN_WANT_SNAPSHOT:
        return rkv_snapshot_want(r);
    case RKV_IN_WAKE:
        return RKV_OK; /* quiet.c has it happen */
    default:
        return RKV_EINVAL;
    }
}

static void tick(struct rkv_raft *r)
{
    const struct timers *t = &r->timers;

    if (r->quiet)
        return;
    if (r->role != RKV_LEADER) {
        if (r->now >= t->from + t->timeout)
            rkv_election_timeout(r);
        return;
    }
    if (r->transferee != 0 && r->now >= t->transfer)
        rkv_transfer_abort(r);
    if (r->check_quorum && r->now >= t->quorum)
        look_around(r);
    if (r->role == RKV_LEADER && r->now >= t->heartbeat) {
        rkv_replicate_tick(r);
        rkv_transfer_stalled(r);
    }
}

/* A leader that no quorum answers is none: others may have one already
 * (thesis 6.2). */
static void look_around(struct rkv_raft *r)
{
    uint64_t present = r->active | self_bit(r);

    if (rkv_quorum_vote(r, present, 0) != VOTE_WON) {
        rkv_election_follow(r, r->term, 0);
        return;
    }
    r->active = 0;
    r->timers.quorum = r->now + r->options.election_ticks;
}

/* The first input, or the first after the process stood still: time that
 * nobody saw pass is held against nobody. */
static void restart_timers(struct rkv_raft *r)
{
    r->timers.from = r->now;
    if (r->leader == 0)
        r->timers.heard = r->now;
    if (r->timers.pause_at == 0)
        r->timers.fence = r->now + r->options.election_ticks;
    r->timers.awake = r->now;
    r->timers.heartbeat = r->now;
    r->timers.quorum = r->now + r->options.election_ticks;
    r->timers.pause_at = UINT64_MAX;
}

static int take_options(struct rkv_raft *r,
                        const struct rkv_raft_options *options)
{
    struct rkv_raft_options *o = &r->options;
    int rc = rkv_options(o, sizeof(*o), options);
    if (rc < 0)
        return rc;
    if (o->election_ticks == 0)
        o->election_ticks = 1000;
    if (o->heartbeat_ticks == 0)
        o->heartbeat_ticks =
            o->election_ticks < 10 ? 1 : o->election_ticks / 10;
    o->members_max = o->members_max == 0 ? 16 : o->members_max;
    o->inflight_max = o->inflight_max == 0 ? 256 : o->inflight_max;
    if (o->append_entries_max == 0)
        o->append_entries_max = 1024;
    o->reads_max = o->reads_max == 0 ? 1024 : o->reads_max;
    o->entries_max = o->entries_max == 0 ? 1u << 20 : o->entries_max;
    if (o->append_bytes_max == 0)
        o->append_bytes_max = UINT64_C(1) << 20;
    if (o->inflight_bytes_max == 0)
        o->inflight_bytes_max = UINT64_C(16) << 20;
    if (o->uncommitted_bytes_max == 0)
        o->uncommitted_bytes_max = UINT64_C(64) << 20;
    if (o->committed_bytes_max == 0)
        o->committed_bytes_max = UINT64_C(16) << 20;
    if (o->promote_lag_max == 0)
        o->promote_lag_max = 1024;
    if (o->id == 0 || o->heartbeat_ticks >= o->election_ticks)
        return RKV_EINVAL;
    if (o->election_ticks > 1u << 30 || o->inflight_max > 1u << 16 ||
        o->reads_max > 1u << 20 || o->append_entries_max > 1u << 20)
        return RKV_EINVAL;
    if (o->members_max > RKV_MEMBERS_MAX || o->entries_max < 4 * KEPT_BACK)
        return RKV_EINVAL;
    if ((o->flags & ~flags_known) != 0 || o->reserved != 0 ||
        o->trace_max > 1u << 24)
        return RKV_EINVAL;
    if (o->snapshot_ticks == 0)
        o->snapshot_ticks = o->election_ticks < (1u << 26)
                                ? 30 * o->election_ticks
                                : UINT32_MAX;
    if (o->stall_ticks == 0)
        o->stall_ticks = 2 * o->election_ticks;
    r->allocator = rkv_alloc_choose(o->allocator);
    o->allocator = NULL;
    r->id = o->id;
    r->prevote = (o->flags & RKV_RAFT_NO_PREVOTE) == 0;
    r->check_quorum = (o->flags & RKV_RAFT_NO_CHECK_QUORUM) == 0;
    r->role = r->out.role = RKV_FOLLOWER;
    r->fresh = true;
    r->capacity = UINT64_MAX;
    /* Members given the same seed still draw different timeouts. */
    rkv_prng_seed(&r->prng, rkv_mix64(o->seed, o->id));
    r->timers.timeout =
        o->election_ticks + rkv_prng_below(&r->prng, o->election_ticks);
    return RKV_OK;
}

static int make_room(struct rkv_raft *r)
{
    const struct rkv_allocator *a = &r->allocator;
    size_t members = r->options.members_max;

    r->window_mask = power_of_two(r->options.inflight_max) - 1;
    r->records_max = 2 * r->options.append_entries_max;
    r->msgs_max = 4 * r->options.members_max + 8;
    r->tokens_mask =
        bounded(power_of_two(r->options.inflight_max), 4, TOKENS_MAX) - 1;
    r->outbox_max = bounded(2 * r->options.members_max, 4, OUTBOX_MAX);
    r->results_max = bounded(r->options.reads_max, 1, READS_PER_DRAIN);
    r->reads.max = r->options.reads_max;
    r->reads.mask = power_of_two(r->reads.max) - 1;
    size_t windows = members * (r->window_mask + (size_t)1);
    r->members = rkv_alloc_zeroed(a, members * sizeof(r->members[0]));
    r->peers = rkv_alloc_zeroed(a, members * sizeof(r->peers[0]));
    r->windows = rkv_alloc_zeroed(a, windows * sizeof(r->windows[0]));
    r->records = rkv_alloc_zeroed(a, r->records_max * sizeof(r->records[0]));
    r->msgs = rkv_alloc_zeroed(a, r->msgs_max * sizeof(r->msgs[0]));
    r->outbox = rkv_alloc_zeroed(a, r->outbox_max * sizeof(r->outbox[0]));
    r->tokens = rkv_alloc_zeroed(a, (r->tokens_mask + (size_t)1) *
                                        sizeof(r->tokens[0]));
    r->read_results =
        rkv_alloc_zeroed(a, r->results_max * sizeof(r->read_results[0]));
    r->reads.ring = rkv_alloc_zeroed(a, (r->reads.mask + (size_t)1) *
                                            sizeof(r->reads.ring[0]));
    if (r->members == NULL || r->peers == NULL || r->windows == NULL ||
        r->records == NULL || r->msgs == NULL || r->outbox == NULL ||
        r->read_results == NULL || r->reads.ring == NULL || r->tokens == NULL)
        return RKV_ENOMEM;
    if (r->options.trace_max > 0) {
        r->traces.max = r->options.trace_max;
        r->traces.ring =
            rkv_alloc_zeroed(a, r->traces.max * sizeof(r->traces.ring[0]));
        if (r->traces.ring == NULL)
            return RKV_ENOMEM;
        r->watched = true;
    }
    r->out.msgs = r->msgs;
    r->out.reads = r->read_results;
    for (size_t i = 0; i < members; i++)
        r->peers[i].window = &r->windows[i * (r->window_mask + (size_t)1)];
    return RKV_OK;
}

/* A member that lost commits may have lost a vote too: it is put into the
 * highest term it ever promised anything in, with the vote there spent. */
static int take_boot(struct rkv_raft *r, const struct rkv_raft_boot *boot)
{
    struct rkv_raft_boot b;
    int rc = rkv_options(&b, sizeof(b), boot);
    if (rc < 0)
        return rc;
    if ((b.term | b.commit | b.promised | b.snapshot_index) >= NUMBER_LIMIT)
        return RKV_EINVAL;
    if (b.snapshot_term > b.term || b.reserved != 0)
        return RKV_EINVAL;
    if ((b.snapshot_index == 0) != (b.snapshot_term == 0))
        return RKV_EINVAL;
    if (b.recovering != 0 && b.boot == 0)
        return RKV_EINVAL;
    rc = rkv_config_check(b.members, b.members_count, r->options.members_max);
    if (rc < 0)
        return rc;
    rc = rkv_trail_init(&r->trail, &r->allocator, b.snapshot_index,
                        b.snapshot_term, r->options.entries_max);
    if (rc < 0)
        return rc;
    r->term = r->durable_term = r->handed_term = b.term;
    r->vote = r->durable_vote = r->handed_vote = b.vote;
    r->durable = r->handed = b.snapshot_index;
    r->commit = r->emitted = r->applied = b.snapshot_index;
    r->boot_commit = b.commit;
    r->boot = b.boot;
    r->read_base = (b.boot & 0xfffffff) << 32;
    rkv_slots_set(r, b.members, b.members_count);
    r->lease_index = b.snapshot_index;
    if (b.recovering != 0) {
        if (r->outgoing == 0 && r->voters != 0 && r->voters == self_bit(r))
            return RKV_EROLLBACK;
        r->recovering = true;
        r->vote = r->id;
        if (b.promised > r->term)
            r->term = b.promised;
    }
    r->out.term = r->term;
    return RKV_OK;
}

static uint32_t bounded(uint32_t value, uint32_t low, uint32_t high)
{
    if (value < low)
        return low;
    return value < high ? value : high;
}

static uint32_t power_of_two(uint32_t at_least)
{
    uint32_t power = 1;
    while (power < at_least)
        power *= 2;
    return power;
}

/* ---- memory: nothing else in the core takes any ---- */

int rkv_trail_init(struct trail *t, const struct rkv_allocator *a,
                   uint64_t base, uint64_t base_term, uint32_t entries_max)
{
    rkv_trail_begin(t, base, base_term, entries_max);
    t->pages = rkv_alloc_zeroed(a, sizeof(t->pages[0]));
    if (t->pages == NULL)
        return RKV_ENOMEM;
    t->pages[0] = rkv_alloc(a, sizeof(struct trail_entry) * PAGE_ENTRIES);
    if (t->pages[0] == NULL) {
        rkv_release(a, t->pages, sizeof(t->pages[0]));
        t->pages = NULL;
        return RKV_ENOMEM;
    }
    t->page_mask = 0;
    rkv_trail_measure(t);
    return rkv_trail_reserve(t, a, 0);
}

void rkv_trail_free(struct trail *t, const struct rkv_allocator *a)
{
    if (t->pages == NULL)
        return;
    for (uint64_t i = 0; i <= t->page_mask; i++)
        rkv_release(a, t->pages[i], sizeof(struct trail_entry) * PAGE_ENTRIES);
    rkv_release(a, t->pages, sizeof(t->pages[0]) * (size_t)(t->page_mask + 1));
    t->pages = NULL;
}

/* What is kept back comes on top, and is there even when the limit refuses
 * the rest: a log full of what is not committed must still be able to change
 * hands, or it would stay full for ever. */
int rkv_trail_reserve(struct trail *t, const struct rkv_allocator *a,
                      uint64_t count)
{
    bool is_over = t->last + 1 - t->first + count > t->entries_max;
    int rc = rkv_trail_extend(t, a, is_over ? 0 : count);
    return rc == RKV_OK && is_over ? RKV_EBUSY : rc;
}

int rkv_trail_extend(struct trail *t, const struct rkv_allocator *a,
                     uint64_t count)
{
    uint64_t held = t->last + 1 - t->first;
    uint64_t want = (t->first & (PAGE_ENTRIES - 1)) + held + count + KEPT_BACK;
    uint64_t pages = t->page_mask + 1;
    if (want <= pages << PAGE_SHIFT)
        return RKV_OK;
    while (pages << PAGE_SHIFT < want)
        pages *= 2;
    return grow(t, a, pages);
}

/* Old pages keep their indexes: a page sits where its number says, modulo
 * the new size. */
static int grow(struct trail *t, const struct rkv_allocator *a, uint64_t pages)
{
    uint64_t old = t->page_mask + 1;
    uint64_t low = t->first >> PAGE_SHIFT;
    uint64_t mask = pages - 1;
    struct trail_entry **directory =
        rkv_alloc_zeroed(a, sizeof(directory[0]) * (size_t)pages);
    if (directory == NULL)
        return RKV_ENOMEM;

    uint64_t made = old;
    for (; made < pages; made++) {
        struct trail_entry *page =
            rkv_alloc(a, sizeof(struct trail_entry) * PAGE_ENTRIES);
        if (page == NULL)
            break;
        directory[(low + made) & mask] = page;
    }
    if (made < pages) {
        while (made-- > old)
            rkv_release(a, directory[(low + made) & mask],
                        sizeof(struct trail_entry) * PAGE_ENTRIES);
        rkv_release(a, directory, sizeof(directory[0]) * (size_t)pages);
        return RKV_ENOMEM;
    }
    for (uint64_t i = 0; i < old; i++)
        directory[(low + i) & mask] = t->pages[(low + i) & t->page_mask];
    rkv_release(a, t->pages, sizeof(t->pages[0]) * (size_t)old);
    t->pages = directory;
    t->page_mask = mask;
    rkv_trail_measure(t);
    return RKV_OK;
}
