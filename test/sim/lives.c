/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A store's lives on one disk, without a cluster: it is opened, written to,
 * and struck down with whatever it was doing; and each time it must come back
 * with all that it acknowledged, and of the write under way with all or
 * nothing, over all groups.  A disk that failed it may refuse it by name for
 * as long as it fails, and not longer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lives.h"
#include "memory.h"
#include "disk/platter.h"

enum {
    GROUPS = 3,
    ENTRIES_MAX = 2000,
    BATCH_MAX = 12,
    CUT_BACK_MAX = 8,
    LEN_MAX = 1500,
    SNAPSHOT_MAX = 9000
};

/* What a group is known by. */
struct head {
    uint64_t term, vote, commit, last, snapshot;
    uint8_t chain[32]; /* of the last entry */
};

struct log {
    struct head head;
    struct head next; /* if the write under way is there */
    uint64_t terms[ENTRIES_MAX + 1];
    uint8_t chains[ENTRIES_MAX + 1][32];
    /* What the write under way brings from an index on. */
    uint64_t first;
    uint64_t count;
    struct rkv_entry entries[BATCH_MAX];
};

struct life {
    struct dice dice;
    struct platter platter;
    struct memory memory;
    struct rkv_sqlite_options options;
    struct log logs[GROUPS];
    uint32_t groups;
    uint64_t boot;
    rkv_store *store;
    bool under_way; /* a write was begun and not acknowledged */
    bool begun;     /* the store was written to at all */
    uint8_t bytes[SNAPSHOT_MAX];
    struct lives_total *total;
    char *broken; /* LIVES_DETAIL bytes; "" while all is well */
};

static void is_broken(struct life *life, const char *what, uint64_t found,
                      uint64_t expected)
{
    if (life->broken[0] == '\0')
        (void)snprintf(life->broken, LIVES_DETAIL,
                       "%s: found %llu, expected %llu: %s", what,
                       (unsigned long long)found, (unsigned long long)expected,
                       rkv_store_errmsg(life->store));
}

/* ---- writes ---- */

static void plan_entries(struct life *life, struct log *log,
                         struct rkv_store_write *write)
{
    uint64_t back = dice_below(&life->dice, 4) == 0
                        ? dice_below(&life->dice, CUT_BACK_MAX)
                        : 0;
    uint64_t held = log->head.last - log->head.snapshot;
    const uint8_t *before;

    log->first = log->head.last + 1 - (back < held ? back : held);
    log->count = 1 + dice_below(&life->dice, BATCH_MAX);
    if (log->first <= log->head.last)
        log->next.term++;
    before = log->chains[log->first - 1];
    for (uint64_t i = 0; i < log->count; i++) {
        struct rkv_entry *entry = &log->entries[i];

        *entry = (struct rkv_entry){
            .index = log->first + i,
            .term = log->next.term,
            .data = life->bytes + i,
            .len = (uint32_t)dice_below(&life->dice, LEN_MAX),
            .kind = RKV_ENTRY_COMMAND};
        rkv_entry_chain(entry, before);
        before = entry->chain;
    }
    log->next.last = log->first + log->count - 1;
    memcpy(log->next.chain, before, 32);
    write->flags |= RKV_WRITE_ENTRIES;
    write->entries = log->entries;
    write->count = log->count;
}

/* The snapshot's own file is written first, and may fail. */
static int plan_snapshot(struct life *life, struct log *log,
                         struct rkv_store_write *write)
{
    uint64_t len = dice_below(&life->dice, SNAPSHOT_MAX);
    uint64_t index =
        log->head.snapshot + 1 +
        dice_below(&life->dice, log->head.last - log->head.snapshot);

    int rc = rkv_store_snap_begin(life->store, write->group, index);

    if (rc == RKV_OK)
        rc = rkv_store_snap_write(life->store, write->group, 0, life->bytes,
                                  len);
    if (rc == RKV_OK)
        rc = rkv_store_snap_finish(life->store, write->group, len);
    write->flags |= RKV_WRITE_SNAPSHOT | RKV_WRITE_COMPACT;
    write->compact = index - dice_below(&life->dice, 10);
    write->snapshot_index = index;
    write->snapshot_term = log->terms[index];
    write->snapshot_len = len;
    memcpy(write->snapshot_chain, log->chains[index], 32);
    log->next.snapshot = index;
    return rc;
}

static int plan_write(struct life *life, uint32_t at,
                      struct rkv_store_write *write)
{
    struct log *log = &life->logs[at];
    uint64_t kind = dice_below(&life->dice, 16);
    int rc = RKV_OK;

    *write = (struct rkv_store_write){
        .size = sizeof *write, .flags = RKV_WRITE_STATE, .group = at};
    log->next = log->head;
    log->count = 0;
    if (kind == 0 && log->head.last > log->head.snapshot) {
        rc = plan_snapshot(life, log, write);
    } else if (kind < 4) {
        log->next.term++;
        log->next.vote = 1 + dice_below(&life->dice, 5);
    } else {
        plan_entries(life, log, write);
    }
    if (log->next.commit < log->next.snapshot)
        log->next.commit = log->next.snapshot;
    write->term = log->next.term;
    write->vote = log->next.vote;
    write->commit = log->next.commit;
    return rc;
}

/* What was under way is there. */
static void settle(struct life *life)
{
    for (uint32_t i = 0; i < life->groups; i++) {
        struct log *log = &life->logs[i];

        for (uint64_t k = 0; k < log->count; k++) {
            log->terms[log->first + k] = log->entries[k].term;
            memcpy(log->chains[log->first + k], log->entries[k].chain, 32);
        }
        log->head = log->next;
        log->count = 0;
    }
    life->under_way = false;
}

static bool has_room(const struct life *life)
{
    for (uint32_t i = 0; i < life->groups; i++)
        if (life->logs[i].head.last + BATCH_MAX >= ENTRIES_MAX)
            return false;
    return true;
}

static int write_once(struct life *life)
{
    struct rkv_store_write writes[GROUPS];
    uint32_t count = 0;
    int rc;

    for (uint32_t i = 0; i < life->groups; i++) {
        life->logs[i].next = life->logs[i].head;
        life->logs[i].count = 0;
        if (life->groups > 1 && dice_below(&life->dice, 2) == 0)
            continue;
        rc = plan_write(life, i, &writes[count++]);
        if (rc != RKV_OK)
            return rc;
    }
    if (count == 0)
        return RKV_OK;
    life->under_way = true;
    rc = rkv_store_write(life->store, writes, count);
    if (rc != RKV_OK)
        return rc;
    settle(life);
    life->begun = true;
    life->total->commits++;
    return RKV_OK;
}

/* ---- waking up ---- */

static bool is_at(struct life *life, uint32_t group, const struct head *head)
{
    struct rkv_store_state state = {.size = sizeof state};
    const struct rkv_entry *entry = NULL;
    uint32_t count = 0;

    if (rkv_store_state(life->store, group, &state) != RKV_OK)
        return false;
    if (state.term != head->term || state.vote != head->vote ||
        state.commit != head->commit || state.last != head->last ||
        state.snapshot_index != head->snapshot)
        return false;
    if (head->last == head->snapshot)
        return true;
    return rkv_store_read(life->store, group, head->last, 1, 1, &entry,
                          &count) == RKV_OK &&
           memcmp(entry->chain, head->chain, 32) == 0;
}

static bool all_at(struct life *life, bool after)
{
    for (uint32_t i = 0; i < life->groups; i++)
        if (!is_at(life, i, after ? &life->logs[i].next : &life->logs[i].head))
            return false;
    return true;
}

static void check_memory(struct life *life,
                         const struct rkv_store_identity *identity)
{
    struct rkv_store_state state = {.size = sizeof state};

    if (identity->boot <= life->boot)
        is_broken(life, "the boot counter rises", identity->boot, life->boot);
    life->boot = identity->boot;
    if (identity->recovering)
        is_broken(life, "nothing was lost", 1, 0);
    if (!life->under_way) {
        for (uint32_t i = 0; i < life->groups; i++)
            life->logs[i].next = life->logs[i].head;
        if (!all_at(life, false) &&
            rkv_store_state(life->store, 0, &state) == RKV_OK)
            is_broken(life, "what was acknowledged is there", state.last,
                      life->logs[0].head.last);
    } else if (all_at(life, true)) {
        settle(life);
    } else if (!all_at(life, false)) {
        is_broken(life, "a write is there, or not at all",
                  rkv_store_state(life->store, 0, &state) == RKV_OK ? state.last
                                                                    : 0,
                  life->logs[0].next.last);
    }
    life->under_way = false;
}

/* A store that was never whole cannot tell a torn beginning from what is left
 * of a promise: somebody has to say that there was none. */
static void begin_anew(struct life *life)
{
    rkv_store_close(life->store);
    life->store = NULL;
    platter_heal(&life->platter);
    platter_put_back(&life->platter, NULL, "none");
}

/* Opens it; false: refused, which only a failing disk may cause. */
static bool wake(struct life *life)
{
    struct rkv_store_identity identity = {.size = sizeof identity};
    struct rkv_store_write own = {.size = sizeof own,
                                  .flags = RKV_WRITE_IDENTITY,
                                  .cluster = 5,
                                  .member = 6};
    uint64_t struck = life->platter.struck;
    uint64_t refused = life->memory.refused;
    int rc = rkv_store_sqlite(&life->options, &life->store);

    if (rc == RKV_OK)
        rc = rkv_store_start(life->store, &identity);
    if (rc == RKV_OK)
        check_memory(life, &identity);
    if (rc == RKV_OK)
        rc = rkv_store_write(life->store, &own, 1);
    life->total->lives += rc == RKV_OK;
    if (rc == RKV_OK || life->platter.off || life->platter.struck > struck ||
        (rc == RKV_ENOMEM && life->memory.refused > refused))
        return rc == RKV_OK;
    if (rc == RKV_ECORRUPT && life->boot == 0)
        begin_anew(life);
    else
        is_broken(life, "a sound disk gives the store back", (uint64_t)-rc, 0);
    return false;
}

/* ---- trouble ---- */

static void draw_trouble(struct life *life)
{
    struct platter *p = &life->platter;
    uint64_t after = dice_below(&life->dice, 120);

    switch (dice_below(&life->dice, 10)) {
    case 0:
        platter_fail(p, OP_SYNC, after / 4, dice_below(&life->dice, 4) == 0);
        break;
    case 1:
        platter_fail(p, OP_WRITE, after, dice_below(&life->dice, 4) == 0);
        break;
    case 2:
        platter_fail(p, OP_READ, after, dice_below(&life->dice, 4) == 0);
        break;
    case 3:
        platter_fill(p, dice_below(&life->dice, 50000));
        break;
    case 4:
        platter_fail(p, OP_OPEN, after / 30, false);
        break;
    case 5:
        memory_starve(&life->memory, after * after / 20,
                      dice_below(&life->dice, 4) == 0);
        break;
    default:
        platter_cut_power(p, after);
    }
}

/* The end of a life: killed, or without power; with faults or after them. */
static void end(struct life *life)
{
    bool power = life->platter.off || dice_below(&life->dice, 2) == 0;

    life->platter.off = life->platter.off || dice_below(&life->dice, 2) == 0;
    rkv_store_close(life->store);
    life->store = NULL;
    memory_rest();
    memory_feed(&life->memory);
    if (life->memory.held != 0)
        is_broken(life, "who is closed gives all memory back",
                  life->memory.held, 0);
    life->platter.off = false;
    if (power)
        platter_crash(&life->platter);
    else
        platter_kill(&life->platter);
    if (dice_below(&life->dice, 3) != 0)
        platter_heal(&life->platter);
}

static void live(struct life *life, uint64_t writes)
{
    uint64_t struck = life->platter.struck;
    uint64_t refused = life->memory.refused;
    int rc = RKV_OK;

    memory_act(&life->memory);
    if (!wake(life))
        return;
    while (writes-- > 0 && rc == RKV_OK && has_room(life) &&
           life->broken[0] == 0)
        rc = write_once(life);
    if (rc != RKV_OK && rkv_store_errmsg(life->store)[0] == '\0')
        is_broken(life, "a failure has a name", (uint64_t)-rc, 0);
    if (rc == RKV_OK || life->platter.off || life->platter.struck > struck)
        return;
    if (life->memory.refused == refused || rc != RKV_ENOMEM)
        is_broken(life, "nothing fails by itself", (uint64_t)-rc, 0);
}

/* ---- all of it ---- */

static void draw_options(struct life *life)
{
    static const uint32_t checkpoints[] = {4, 20, 100, 1000};
    static const uint32_t segments[] = {3, 20, 200, 16384};

    life->options = (struct rkv_sqlite_options){
        .size = sizeof life->options,
        .path = "/store",
        .vfs = life->platter.vfs_name,
        .allocator = &life->memory.allocator,
        .checkpoint_pages = checkpoints[dice_below(&life->dice, 4)],
        .segment_entries = segments[dice_below(&life->dice, 4)],
        .segment_bytes = 20000};
}

static struct life *begin(uint64_t seed, struct lives_total *total,
                          char *broken)
{
    struct life *life = calloc(1, sizeof *life);

    if (life == NULL)
        abort();
    life->dice = dice_named(seed, "lives");
    life->groups = 1 + (uint32_t)dice_below(&life->dice, GROUPS);
    life->total = total;
    life->broken = broken;
    broken[0] = '\0';
    for (size_t i = 0; i < sizeof life->bytes; i++)
        life->bytes[i] = (uint8_t)dice_next(&life->dice);
    platter_init(&life->platter, "disk", dice_named(seed, "platter"));
    platter_draw_traits(&life->platter);
    platter_mount(&life->platter, true);
    memory_init(&life->memory, NULL);
    draw_options(life);
    return life;
}

static void finish(struct life *life)
{
    rkv_store_close(life->store);
    platter_unmount(&life->platter);
    platter_free(&life->platter);
    free(life);
}

bool lives_run(uint64_t seed, struct lives_total *total,
               char broken[LIVES_DETAIL])
{
    struct life *life = begin(seed, total, broken);

    while (has_room(life) && broken[0] == '\0') {
        if (dice_below(&life->dice, 4) != 0)
            draw_trouble(life);
        live(life, dice_below(&life->dice, 40));
        end(life);
        total->ends++;
    }
    total->struck += life->platter.struck;
    finish(life);
    total->seeds++;
    return broken[0] == '\0';
}

static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* Each commit an entry, each life a commit and a loss of power. */
void lives_pace(uint64_t commits, uint64_t lives)
{
    struct lives_total total = {0};
    char broken[LIVES_DETAIL];
    double began = seconds(), spent;
    uint64_t done = 0;

    for (uint64_t seed = 1; done < commits; seed++) {
        struct life *life = begin(seed, &total, broken);

        (void)wake(life);
        for (; done < commits && has_room(life); done++)
            (void)write_once(life);
        finish(life);
    }
    spent = seconds() - began;
    printf("sim: %llu commits in %.2f s: %.0f a second\n",
           (unsigned long long)done, spent, (double)done / spent);
    began = seconds();
    for (uint64_t seed = 1; total.ends < lives; seed++) {
        struct life *life = begin(seed, &total, broken);

        for (; total.ends < lives && has_room(life); total.ends++) {
            live(life, 1);
            life->platter.off = true;
            rkv_store_close(life->store);
            life->store = NULL;
            platter_crash(&life->platter);
        }
        finish(life);
    }
    spent = seconds() - began;
    printf("sim: %llu crashes and recoveries in %.2f s: %.0f a second\n",
           (unsigned long long)total.ends, spent, (double)total.ends / spent);
}
