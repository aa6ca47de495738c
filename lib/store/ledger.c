/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules of a write, and the picture of each group before and after it.
 * A write is refused here or nowhere: what passes, a store can only fail to
 * make durable.  No I/O but through the questions asked of the store.
 */
#include "ledger.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

void rkv_ledger_init(struct rkv_ledger *ledger,
                     const struct rkv_allocator *allocator, size_t group_size,
                     const struct rkv_ledger_source *source,
                     struct rkv_trouble *trouble)
{
    assert(group_size >= sizeof(struct rkv_group));
    memset(ledger, 0, sizeof *ledger);
    ledger->allocator = allocator;
    ledger->group_size = group_size;
    ledger->source = *source;
    ledger->trouble = trouble;
    rkv_map_init(&ledger->map, allocator);
}

static void free_config(struct rkv_ledger *ledger, struct rkv_picture *picture)
{
    rkv_release(ledger->allocator, (void *)(uintptr_t)picture->state.config,
                picture->state.config_len);
    picture->state.config = NULL;
    picture->state.config_len = 0;
}

void rkv_ledger_free(struct rkv_ledger *ledger,
                     void (*release)(void *ctx, struct rkv_group *group),
                     void *ctx)
{
    rkv_ledger_undo(ledger);
    for (size_t i = 0; i < ledger->groups_count; i++) {
        struct rkv_group *group = ledger->groups[i];

        release(ctx, group);
        free_config(ledger, &group->now);
        rkv_release(ledger->allocator, group, ledger->group_size);
    }
    rkv_release(ledger->allocator, ledger->groups,
                ledger->groups_cap * sizeof *ledger->groups);
    rkv_release(ledger->allocator, ledger->links,
                ledger->links_cap * sizeof *ledger->links);
    rkv_release(ledger->allocator, ledger->touched,
                ledger->touched_cap * sizeof *ledger->touched);
    rkv_map_free(&ledger->map);
    memset(ledger, 0, sizeof *ledger);
}

struct rkv_group *rkv_ledger_find(const struct rkv_ledger *ledger, uint64_t id)
{
    return rkv_map_get(&ledger->map, id);
}

struct rkv_group *rkv_ledger_make(struct rkv_ledger *ledger, uint64_t id)
{
    struct rkv_group *group = rkv_ledger_find(ledger, id);

    if (group != NULL)
        return group;
    if (rkv_grow(ledger->allocator, (void **)&ledger->groups,
                 &ledger->groups_cap, ledger->groups_count + 1,
                 sizeof *ledger->groups) != RKV_OK)
        return NULL;
    group = rkv_alloc_zeroed(ledger->allocator, ledger->group_size);
    if (group == NULL)
        return NULL;
    group->id = id;
    group->now.state.size = (uint32_t)sizeof group->now.state;
    group->now.state.first = 1;
    group->now.state.recovering = ledger->marked ? 1 : 0;
    group->now.kept = 1;
    if (rkv_map_set(&ledger->map, id, group) != RKV_OK) {
        rkv_release(ledger->allocator, group, ledger->group_size);
        return NULL;
    }
    ledger->groups[ledger->groups_count++] = group;
    return group;
}

int rkv_ledger_keep_config(struct rkv_ledger *ledger,
                           struct rkv_picture *picture, const void *config,
                           size_t len)
{
    void *copy = NULL;

    if (len != 0) {
        copy = rkv_alloc(ledger->allocator, len);
        if (copy == NULL)
            return rkv_trouble_say(ledger->trouble, RKV_ENOMEM,
                                   "no memory for a configuration of %zu bytes",
                                   len);
        memcpy(copy, config, len);
    }
    picture->state.config = copy;
    picture->state.config_len = len;
    return RKV_OK;
}

/* A write being planned: the records before this one have taken effect in
 * next, but the store does not hold their entries yet. */
struct plan {
    struct rkv_ledger *ledger;
    const struct rkv_store_write *writes;
    const struct rkv_store_write *write;
    struct rkv_group *group;
};

static int refuse_memory(struct rkv_ledger *ledger, uint64_t id)
{
    return rkv_trouble_say(ledger->trouble, RKV_ENOMEM,
                           "no memory to plan a write to group %" PRIu64, id);
}

/* Term and chain of an entry that next holds, or of the one before them:
 * the ends are known, earlier records of this write are looked through from
 * the latest, and the rest is the store's. */
static int find_place(const struct plan *plan, uint64_t index,
                      struct rkv_place *out)
{
    const struct rkv_picture *next = &plan->group->next;
    const struct rkv_store_state *state = &next->state;

    assert(index + 1 >= next->kept);
    assert(index <= state->last);
    if (index == state->last) {
        *out = next->last;
        return RKV_OK;
    }
    if (index == state->snapshot_index) {
        out->term = state->snapshot_term;
        memcpy(out->chain, state->snapshot_chain, sizeof out->chain);
        return RKV_OK;
    }
    for (const struct rkv_store_write *w = plan->write; w-- > plan->writes;) {
        if (w->group != plan->group->id || !(w->flags & RKV_WRITE_ENTRIES) ||
            index < w->entries[0].index)
            continue;
        out->term = w->entries[index - w->entries[0].index].term;
        memcpy(out->chain, w->entries[index - w->entries[0].index].chain,
               sizeof out->chain);
        return RKV_OK;
    }
    return plan->ledger->source.place(plan->ledger->source.ctx, plan->group,
                                      index, out);
}

static int plan_identity(struct rkv_ledger *ledger,
                         const struct rkv_store_write *write)
{
    if (write->cluster == 0 || write->member == 0)
        return rkv_trouble_say(
            ledger->trouble, RKV_EINVAL,
            "an identity needs a cluster and a member other than 0; this is "
            "cluster %" PRIu64 ", member %" PRIu64,
            write->cluster, write->member);
    if (ledger->next_cluster != 0 && (ledger->next_cluster != write->cluster ||
                                      ledger->next_member != write->member))
        return rkv_trouble_say(
            ledger->trouble, RKV_EEXIST,
            "this store belongs to cluster %" PRIu64 ", member %" PRIu64
            "; it was asked to be of cluster %" PRIu64 ", member %" PRIu64
            ": give each member a store of its own",
            ledger->next_cluster, ledger->next_member, write->cluster,
            write->member);
    ledger->next_cluster = write->cluster;
    ledger->next_member = write->member;
    return RKV_OK;
}

/* Does the log go on behind this snapshot?  Only if it holds the snapshot's
 * last entry (thesis 5.1): 1, 0, or why not even that can be told. */
static int snapshot_continues(const struct plan *plan)
{
    const struct rkv_store_write *write = plan->write;
    struct rkv_place held;

    if (write->snapshot_index > plan->group->next.state.last)
        return 0;
    int rc = find_place(plan, write->snapshot_index, &held);
    if (rc != RKV_OK)
        return rc;
    if (held.term != write->snapshot_term)
        return 0;
    if (memcmp(held.chain, write->snapshot_chain, sizeof held.chain) != 0) {
        char ours[RKV_HEX_BYTES];
        char theirs[RKV_HEX_BYTES];

        rkv_hex(ours, held.chain);
        rkv_hex(theirs, write->snapshot_chain);
        return rkv_trouble_say(
            plan->ledger->trouble, RKV_EDIVERGED,
            "group %" PRIu64 ": the snapshot ends with entry %" PRIu64
            " of term %" PRIu64 " and chain %s, but this log holds that entry "
            "with chain %s: two members hold different logs",
            write->group, write->snapshot_index, write->snapshot_term, theirs,
            ours);
    }
    return 1;
}

static int check_snapshot(const struct plan *plan)
{
    const struct rkv_store_write *write = plan->write;
    const struct rkv_store_state *state = &plan->group->next.state;
    const struct rkv_ledger_source *source = &plan->ledger->source;

    if (write->snapshot_index <= state->snapshot_index ||
        write->snapshot_index >= RKV_INDEX_MAX)
        return rkv_trouble_say(plan->ledger->trouble, RKV_EINVAL,
                               "group %" PRIu64 ": a snapshot at %" PRIu64
                               " cannot follow the current one at %" PRIu64,
                               write->group, write->snapshot_index,
                               state->snapshot_index);
    if (!source->finished(source->ctx, plan->group, write->snapshot_index,
                          write->snapshot_len))
        return rkv_trouble_say(
            plan->ledger->trouble, RKV_ENOTFOUND,
            "group %" PRIu64 ": there is no finished snapshot at %" PRIu64
            " of %" PRIu64 " bytes: write and finish it first",
            write->group, write->snapshot_index, write->snapshot_len);
    return RKV_OK;
}

static int plan_snapshot(const struct plan *plan)
{
    const struct rkv_store_write *write = plan->write;
    struct rkv_picture *next = &plan->group->next;
    struct rkv_store_state *state = &next->state;
    int rc = check_snapshot(plan);

    if (rc != RKV_OK)
        return rc;
    int continues = snapshot_continues(plan);
    if (continues < 0)
        return continues;
    if (state->config != plan->group->now.state.config)
        free_config(plan->ledger, next);
    rc = rkv_ledger_keep_config(plan->ledger, next, write->config,
                                write->config_len);
    if (rc != RKV_OK)
        return rc;
    if (continues == 0) {
        state->last = write->snapshot_index;
        next->last.term = write->snapshot_term;
        memcpy(next->last.chain, write->snapshot_chain, 32);
    }
    state->snapshot_index = write->snapshot_index;
    state->snapshot_term = write->snapshot_term;
    state->snapshot_len = write->snapshot_len;
    memcpy(state->snapshot_chain, write->snapshot_chain, 32);
    memcpy(state->snapshot_hash, write->snapshot_hash, 32);
    state->first = write->snapshot_index + 1;
    if (continues == 0 || !(write->flags & RKV_WRITE_COMPACT)) {
        next->kept = state->first;
        memcpy(next->kept_chain, write->snapshot_chain, 32);
    }
    return RKV_OK;
}

/* Terms and commits only rise, and a vote is given once in a term (thesis
 * 3.4); a member that lost commits spends its vote whatever it was. */
static int plan_state(const struct plan *plan)
{
    const struct rkv_store_write *write = plan->write;
    struct rkv_store_state *state = &plan->group->next.state;

    if (write->term < state->term || write->commit < state->commit)
        return rkv_trouble_say(
            plan->ledger->trouble, RKV_EINVAL,
            "group %" PRIu64 ": term %" PRIu64 " and commit %" PRIu64
            " would take back term %" PRIu64 " and commit %" PRIu64,
            write->group, write->term, write->commit, state->term,
            state->commit);
    if (write->term == state->term && state->vote != 0 &&
        write->vote != state->vote && !state->recovering)
        return rkv_trouble_say(
            plan->ledger->trouble, RKV_EINVAL,
            "group %" PRIu64 ": the vote of term %" PRIu64 " went to %" PRIu64
            " and cannot go to %" PRIu64 " too",
            write->group, write->term, state->vote, write->vote);
    state->term = write->term;
    state->vote = write->vote;
    state->commit = write->commit;
    return RKV_OK;
}

/* Were the chains of these entries computed from this one? */
static bool follows(const struct rkv_store_write *write,
                    const uint8_t before[32])
{
    if (write->follows != NULL)
        return memcmp(write->follows, before, 32) == 0;
    return rkv_entry_is_linked(&write->entries[0], before);
}

static int plan_entries(const struct plan *plan)
{
    const struct rkv_store_write *write = plan->write;
    const struct rkv_entry *first = &write->entries[0];
    const struct rkv_entry *last = &write->entries[write->count - 1];
    struct rkv_picture *next = &plan->group->next;
    struct rkv_store_state *state = &next->state;
    struct rkv_place before;

    if (first->index < state->first || first->index > state->last + 1 ||
        last->index >= RKV_INDEX_MAX)
        return rkv_trouble_say(plan->ledger->trouble, RKV_EINVAL,
                               "group %" PRIu64 ": entries from %" PRIu64
                               " do not join a log of %" PRIu64 " to %" PRIu64,
                               write->group, first->index, state->first,
                               state->last);
    int rc = find_place(plan, first->index - 1, &before);
    if (rc != RKV_OK)
        return rc;
    if (first->term < before.term)
        return rkv_trouble_say(
            plan->ledger->trouble, RKV_EINVAL,
            "group %" PRIu64 ": entry %" PRIu64 " has term %" PRIu64
            ", the one before it %" PRIu64,
            write->group, first->index, first->term, before.term);
    if (!follows(write, before.chain))
        return rkv_trouble_say(plan->ledger->trouble, RKV_EINVAL,
                               "group %" PRIu64 ": the chain of entry %" PRIu64
                               " does not follow from the entry before it",
                               write->group, first->index);
    memcpy(plan->ledger->links[write - plan->writes], before.chain, 32);
    state->last = last->index;
    next->last.term = last->term;
    memcpy(next->last.chain, last->chain, 32);
    return RKV_OK;
}

static int plan_compact(const struct plan *plan)
{
    const struct rkv_store_write *write = plan->write;
    struct rkv_picture *next = &plan->group->next;
    struct rkv_place place;
    uint64_t compact = write->compact;

    if (compact > next->state.snapshot_index)
        compact = next->state.snapshot_index;
    if (compact < next->kept)
        return RKV_OK;
    int rc = find_place(plan, compact, &place);
    if (rc != RKV_OK)
        return rc;
    next->kept = compact + 1;
    memcpy(next->kept_chain, place.chain, 32);
    return RKV_OK;
}

static int touch(struct rkv_ledger *ledger, struct rkv_group *group)
{
    if (group->touched)
        return RKV_OK;
    int rc = rkv_grow(ledger->allocator, (void **)&ledger->touched,
                      &ledger->touched_cap, ledger->touched_count + 1,
                      sizeof *ledger->touched);
    if (rc != RKV_OK)
        return rc;
    ledger->touched[ledger->touched_count++] = group;
    group->touched = true;
    group->next = group->now;
    return RKV_OK;
}

static int plan_one(struct plan *plan)
{
    struct rkv_ledger *ledger = plan->ledger;
    const struct rkv_store_write *write = plan->write;
    int rc = RKV_OK;

    if (write->flags & RKV_WRITE_IDENTITY)
        rc = plan_identity(ledger, write);
    if (rc != RKV_OK || (write->flags & ~(uint32_t)RKV_WRITE_IDENTITY) == 0)
        return rc;
    plan->group = rkv_ledger_make(ledger, write->group);
    if (plan->group == NULL || touch(ledger, plan->group) != RKV_OK)
        return refuse_memory(ledger, write->group);
    if (write->flags & RKV_WRITE_SNAPSHOT)
        rc = plan_snapshot(plan);
    if (rc == RKV_OK && (write->flags & RKV_WRITE_STATE))
        rc = plan_state(plan);
    if (rc == RKV_OK && (write->flags & RKV_WRITE_ENTRIES))
        rc = plan_entries(plan);
    if (rc == RKV_OK && (write->flags & RKV_WRITE_COMPACT))
        rc = plan_compact(plan);
    if (rc == RKV_OK && (write->flags & RKV_WRITE_RECOVERED))
        plan->group->next.state.recovering = 0;
    return rc;
}

int rkv_ledger_plan(struct rkv_ledger *ledger,
                    const struct rkv_store_write *writes, uint32_t count)
{
    struct plan plan = {.ledger = ledger, .writes = writes};

    assert(ledger->touched_count == 0);
    if (rkv_grow(ledger->allocator, (void **)&ledger->links, &ledger->links_cap,
                 count, sizeof *ledger->links) != RKV_OK)
        return rkv_trouble_say(
            ledger->trouble, RKV_ENOMEM,
            "no memory to plan a write of %" PRIu32 " records", count);
    ledger->next_cluster = ledger->cluster;
    ledger->next_member = ledger->member;
    for (uint32_t i = 0; i < count; i++) {
        plan.write = &writes[i];
        int rc = plan_one(&plan);
        if (rc != RKV_OK) {
            rkv_ledger_undo(ledger);
            return rc;
        }
    }
    return RKV_OK;
}

void rkv_ledger_settle(struct rkv_ledger *ledger)
{
    for (size_t i = 0; i < ledger->touched_count; i++) {
        struct rkv_group *group = ledger->touched[i];

        if (group->next.state.config != group->now.state.config)
            free_config(ledger, &group->now);
        group->now = group->next;
        group->known = true;
        group->touched = false;
    }
    ledger->touched_count = 0;
    ledger->cluster = ledger->next_cluster;
    ledger->member = ledger->next_member;
}

void rkv_ledger_undo(struct rkv_ledger *ledger)
{
    for (size_t i = 0; i < ledger->touched_count; i++) {
        struct rkv_group *group = ledger->touched[i];

        if (group->next.state.config != group->now.state.config)
            free_config(ledger, &group->next);
        group->touched = false;
    }
    ledger->touched_count = 0;
    ledger->next_cluster = ledger->cluster;
    ledger->next_member = ledger->member;
}

void rkv_ledger_state(const struct rkv_ledger *ledger, uint64_t id,
                      struct rkv_store_state *out)
{
    const struct rkv_group *group = rkv_ledger_find(ledger, id);

    if (group != NULL) {
        *out = group->now.state;
        return;
    }
    memset(out, 0, sizeof *out);
    out->size = (uint32_t)sizeof *out;
    out->first = 1;
    out->recovering = ledger->marked ? 1 : 0;
}

int rkv_ledger_readable(struct rkv_ledger *ledger,
                        const struct rkv_group *group, uint64_t id,
                        uint64_t first)
{
    uint64_t kept = group == NULL ? 1 : group->now.kept;
    uint64_t last = group == NULL ? 0 : group->now.state.last;

    if (first < kept)
        return rkv_trouble_say(ledger->trouble, RKV_ECOMPACTED,
                               "group %" PRIu64 ": entry %" PRIu64
                               " is compacted away; the log begins at %" PRIu64,
                               id, first, kept);
    if (first > last)
        return rkv_trouble_say(ledger->trouble, RKV_EFUTURE,
                               "group %" PRIu64 ": entry %" PRIu64
                               " is not there; the log ends at %" PRIu64,
                               id, first, last);
    return RKV_OK;
}
