/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Random programs against the second opinion.  Two members take the same
 * commands; one of them is cut off now and then and comes back by a snapshot,
 * which was read in pieces while commands went on, and by the commands since.
 * Every answer, every sum, and every change of every watch is compared.
 */
#include <stdlib.h>
#include <string.h>

#include "kv/room.h"
#include "maker.h"
#include "model.h"
#include "support.h"

Suite *suite_kv_model(void);

enum { WATCHES = 12, STEPS = 700, LOG = 2048, SESSIONS = 3 };

struct watched {
    bool is_open;
    bool is_late; /* its start was compacted: the first change says so */
    uint64_t id;
    uint32_t flags;
    struct model_span spans[2];
    size_t spans_count;
    int64_t start;
    int64_t reached; /* the revision of the last change, or the start */
    size_t next;     /* in the model's changes */
};

struct member {
    struct kit kit;
    struct watched watches[WATCHES];
    bool is_cut_off;
};

struct entry {
    uint8_t *data;
    size_t len;
};

struct session {
    uint64_t id;
    uint64_t sequence;
};

struct world {
    struct maker maker;
    struct session sessions[SESSIONS];
    struct model model;
    struct member members[2];
    struct entry log[LOG]; /* by index */
    /* A snapshot of member 0 being read for member 1. */
    rkv_snapshot *snapshot;
};

static uint64_t below(struct world *world, uint64_t bound)
{
    return maker_below(&world->maker, bound);
}

/* The other member answers with the same status, and after it with the same
 * state. */
static void follow(struct member *member, const struct entry *entry,
                   uint64_t index, const struct rkv_result *first)
{
    const struct rkv_result *result;

    ck_assert_int_eq(
        rkv_kv_apply(member->kit.kv, index, entry->data, entry->len, &result),
        RKV_OK);
    member->kit.index = index;
    if (first == NULL)
        return;
    ck_assert_int_eq(result->status, first->status);
    ck_assert_int_eq(result->revision, first->revision);
    ck_assert_uint_eq(result->replayed, first->replayed);
    ck_assert_uint_eq(result->responses_count, first->responses_count);
    for (uint64_t i = 0; i < first->responses_count; i++)
        ck_assert_int_eq(result->responses[i].lease, first->responses[i].lease);
}

static const struct rkv_result *propose(struct world *world)
{
    struct kit *kit = &world->members[0].kit;
    const struct rkv_result *result;
    const void *data;
    size_t len;

    ck_assert_int_eq(rkv_txn_encode(kit->txn, &data, &len), RKV_OK);
    ck_assert_uint_lt(kit->index + 1, LOG);
    world->log[kit->index + 1].data = malloc(len);
    world->log[kit->index + 1].len = len;
    memcpy(world->log[kit->index + 1].data, data, len);
    result = kit_apply(kit);
    if (!world->members[1].is_cut_off)
        follow(&world->members[1], &world->log[kit->index], kit->index, result);
    return result;
}

static void compare_members(struct world *world)
{
    struct kit *a = &world->members[0].kit, *b = &world->members[1].kit;
    struct rkv_kv_status first = kit_report(a), second;
    struct rkv_mass held;
    uint32_t hash, other;
    int64_t compacted;

    model_status(&world->model, &first);
    ck_assert_uint_eq(rkv_state_rehash(a->kv->state, &held), first.hash);
    ck_assert_uint_eq(held.records, first.revisions);
    ck_assert_uint_eq(held.bytes, first.bytes);
    ck_assert(rkv_tree_check(&a->kv->state->tree));
    ck_assert(rkv_history_check(&a->kv->state->history));
    ck_assert(rkv_leases_check(&a->kv->state->leases, &a->kv->state->tree));
    for (size_t i = 0; i < world->model.leases_count; i++)
        model_lease(&world->model, &world->model.leases[i], a->kv);
    if (world->members[1].is_cut_off)
        return;
    ck_assert(rkv_leases_check(&b->kv->state->leases, &b->kv->state->tree));
    second = kit_report(b);
    second.watches = first.watches;
    ck_assert_mem_eq(&first, &second, sizeof(first));
    ck_assert_int_eq(rkv_kv_hash(a->kv, 0, &hash, &compacted), RKV_OK);
    ck_assert_int_eq(rkv_kv_hash(b->kv, 0, &other, &compacted), RKV_OK);
    ck_assert_uint_eq(hash, other);
}

static bool watched_wants(const struct watched *watched,
                          const struct model_change *change)
{
    uint32_t unwanted =
        change->version > 0 ? RKV_WATCH_NO_PUT : RKV_WATCH_NO_DELETE;

    bool holds = false;

    for (size_t i = 0; i < watched->spans_count; i++)
        holds = holds || model_span_holds(&watched->spans[i], &change->key);
    return holds && change->mod >= watched->start &&
           (watched->flags & unwanted) == 0;
}

/* The next change this watch must be told of, up to a revision. */
static const struct model_change *expected(const struct model *model,
                                           const struct watched *watched,
                                           size_t *at, int64_t revision)
{
    for (*at = watched->next; *at < model->count; ++*at) {
        const struct model_change *change = &model->changes[*at];

        if (change->mod > revision)
            return NULL;
        if (watched_wants(watched, change))
            return change;
    }
    return NULL;
}

static void check_before(const struct model *model,
                         const struct watched *watched,
                         const struct model_change *change, int64_t compacted,
                         const struct rkv_item *before)
{
    const struct model_change *old =
        model_at(model, &change->key, change->mod - 1);

    if ((watched->flags & RKV_WATCH_PREV) != 0 && change->mod > compacted &&
        old != NULL && old->version > 0)
        model_item(old, before, (watched->flags & RKV_WATCH_KEYS_ONLY) == 0);
    else
        ck_assert_int_eq(before->version, 0);
}

static void check_change(struct world *world, struct member *member,
                         const struct rkv_change_event *got)
{
    struct rkv_kv_status status = kit_report(&member->kit);
    const struct model_change *change, *following;
    struct watched *watched = NULL;
    size_t at;

    for (size_t i = 0; i < WATCHES; i++)
        if (member->watches[i].is_open && member->watches[i].id == got->watch)
            watched = &member->watches[i];
    ck_assert_ptr_nonnull(watched);
    if (got->kind == RKV_CHANGE_CANCELED) {
        ck_assert_int_lt(watched->reached, status.compacted);
        ck_assert_int_eq(got->compacted, status.compacted);
        watched->is_open = false;
        return;
    }
    ck_assert(!watched->is_late);
    change = expected(&world->model, watched, &at, status.revision);
    ck_assert_ptr_nonnull(change);
    ck_assert_uint_eq(got->kind,
                      change->version > 0 ? RKV_CHANGE_PUT : RKV_CHANGE_DELETE);
    ck_assert_int_eq(got->revision, change->mod);
    model_item(change, &got->now, (watched->flags & RKV_WATCH_KEYS_ONLY) == 0);
    check_before(&world->model, watched, change, status.compacted,
                 &got->before);
    watched->reached = change->mod;
    watched->next = at + 1;
    following = expected(&world->model, watched, &at, change->mod);
    ck_assert_uint_eq(got->last, following == NULL);
}

/* Who is said to have been told everything has been. */
static void check_progress(struct world *world, struct member *member)
{
    struct rkv_kv_status status = kit_report(&member->kit);
    int64_t revision;
    size_t at;

    for (size_t i = 0; i < WATCHES; i++) {
        const struct watched *watched = &member->watches[i];

        if (!watched->is_open ||
            rkv_kv_progress(member->kit.kv, watched->id, &revision) != RKV_OK)
            continue;
        ck_assert_int_eq(revision, status.revision);
        ck_assert_ptr_null(expected(&world->model, watched, &at, revision));
    }
}

static void pull(struct world *world, struct member *member, uint64_t most)
{
    struct rkv_kv_status status = kit_report(&member->kit);
    const struct rkv_change_event *change;
    int64_t revision;
    size_t at;
    int more = 1;

    while (most-- > 0 &&
           (more = rkv_kv_next_change(member->kit.kv, &change)) == 1)
        check_change(world, member, change);
    ck_assert_int_ge(more, 0);
    check_progress(world, member);
    if (more == 1)
        return;
    ck_assert_int_eq(rkv_kv_progress(member->kit.kv, 0, &revision), RKV_OK);
    ck_assert_int_eq(revision, status.revision);
    for (size_t i = 0; i < WATCHES; i++) {
        const struct watched *watched = &member->watches[i];

        if (!watched->is_open)
            continue;
        ck_assert(!watched->is_late);
        ck_assert_ptr_null(
            expected(&world->model, watched, &at, status.revision));
    }
}

static void watch(struct world *world, struct member *member)
{
    struct rkv_kv_status status = kit_report(&member->kit);
    struct watched *watched = &member->watches[below(world, WATCHES)];
    struct rkv_watch w = {.size = sizeof(w)};
    struct rkv_watch_range more;

    if (watched->is_open) {
        ck_assert_int_eq(rkv_kv_unwatch(member->kit.kv, watched->id), RKV_OK);
        watched->is_open = false;
        return;
    }
    memset(watched, 0, sizeof(*watched));
    watched->flags = (uint32_t)below(world, 16);
    watched->spans_count = 1 + below(world, 2);
    for (size_t i = 0; i < watched->spans_count; i++)
        watched->spans[i] = maker_span(&world->maker, 4);
    switch (below(world, 4)) {
    case 0:
        w.start = (int64_t)(1 + below(world, (uint64_t)status.revision));
        break;
    case 1:
        w.start = status.revision + (int64_t)below(world, 10);
        break;
    default:
        break;
    }
    w.flags = watched->flags;
    w.key = watched->spans[0].key.bytes;
    w.key_len = watched->spans[0].key.len;
    w.end = watched->spans[0].end.bytes;
    w.end_len = watched->spans[0].end.len;
    more = (struct rkv_watch_range){
        watched->spans[1].key.bytes, watched->spans[1].key.len,
        watched->spans[1].end.bytes, watched->spans[1].end.len};
    w.more = &more;
    w.more_count = watched->spans_count - 1;
    if (rkv_kv_watch(member->kit.kv, &w, &watched->id) != RKV_OK)
        return;
    watched->is_open = true;
    watched->start = w.start != 0 ? w.start : status.revision + 1;
    watched->reached = watched->start;
    watched->is_late = watched->start < status.compacted;
}

static void read_range(struct world *world)
{
    struct model_op op = {.kind = MODEL_RANGE};
    struct rkv_range range;
    const struct rkv_result *result;

    op.span = maker_span(&world->maker, 3);
    op.revision = maker_revision(&world->maker);
    maker_page(&world->maker, &op);
    range = model_write_range(&op);
    ck_assert_int_eq(rkv_kv_range(world->members[0].kit.kv, &range, &result),
                     RKV_OK);
    model_range(&world->model, &op, result);
}

static void compact(struct world *world)
{
    int64_t revision = world->model.revision;

    if (below(world, 2) == 0)
        revision -= (int64_t)below(world, 40);
    else
        revision += 1 - (int64_t)below(world, 3);
    ck_assert_int_eq(rkv_txn_compact(world->members[0].kit.txn, revision),
                     RKV_OK);
    model_compact(&world->model, revision, propose(world));
}

static void change_leases(struct world *world)
{
    struct model *model = &world->model;
    rkv_txn *txn = world->members[0].kit.txn;
    int64_t ids[3], time = model->clock;
    size_t count = 1 + below(world, 3);
    uint64_t term = model->term;

    ids[0] = maker_lease(&world->maker);
    switch (below(world, 5)) {
    case 0:
        time = 1 + (int64_t)below(world, 60);
        ck_assert_int_eq(rkv_txn_grant(txn, ids[0], time), RKV_OK);
        model_grant(model, ids[0], time, propose(world));
        break;
    case 1:
        ck_assert_int_eq(rkv_txn_revoke(txn, ids[0]), RKV_OK);
        model_revoke(model, ids[0], propose(world));
        break;
    case 2:
        for (size_t i = 0; i < count; i++) {
            ids[i] = maker_lease(&world->maker);
            ck_assert_int_eq(rkv_txn_keep_alive(txn, ids[i]), RKV_OK);
        }
        model_keep_alive(model, ids, count, propose(world));
        break;
    default:
        time += (int64_t)below(world, 30) - 3;
        time = time < 0 ? 0 : time;
        if (below(world, 5) == 0)
            term += below(world, 3);
        else if (term > 0 && below(world, 5) == 0)
            term--;
        ck_assert_int_eq(rkv_txn_clock(txn, term, time), RKV_OK);
        model_clock(model, term, time, propose(world));
    }
}

/* Little room, mostly for a short time. */
static void change_quota(struct world *world)
{
    const struct rkv_result *result;

    world->model.quota =
        below(world, 3) == 0 ? 1 + (int64_t)below(world, 30000) : 0;
    ck_assert_int_eq(
        rkv_txn_quota(world->members[0].kit.txn, world->model.quota), RKV_OK);
    result = propose(world);
    ck_assert_int_eq(result->status, RKV_OK);
    ck_assert_uint_eq(result->responses_count, 0);
    ck_assert_int_eq(result->revision, world->model.revision);
}

/* The same again, whose outcome was this. */
static void retry(struct world *world, const struct model_txn *txn,
                  const struct session *session,
                  const struct rkv_result *outcome)
{
    rkv_txn *out = world->members[0].kit.txn;
    const struct rkv_result *result;

    (void)rkv_txn_session(out, session->id, session->sequence);
    model_write(txn, out);
    result = propose(world);
    ck_assert_uint_eq(result->replayed, 1);
    ck_assert_int_eq(result->status, outcome->status);
    ck_assert_uint_eq(result->succeeded, outcome->succeeded);
    ck_assert_int_eq(result->revision, outcome->revision);
    ck_assert_uint_eq(result->responses_count, outcome->responses_count);
}

static void change(struct world *world)
{
    struct session *session = &world->sessions[below(world, SESSIONS)];
    rkv_txn *out = world->members[0].kit.txn;
    bool has_session = below(world, 5) == 0;
    struct rkv_result outcome;
    struct model_txn *txn;

    if (session->id == 0) {
        (void)rkv_txn_open_session(out);
        session->id = propose(world)->responses->session;
        world->model.sessions++;
    }
    world->maker.txns_used = 0;
    txn = maker_txn(&world->maker, 0);
    if (has_session) {
        session->sequence += 1 + below(world, 2);
        (void)rkv_txn_session(out, session->id, session->sequence);
    }
    model_write(txn, out);
    outcome = *propose(world);
    model_apply(&world->model, txn, &outcome);
    /* What the rules refuse was never a command of the session. */
    if (has_session && outcome.status != RKV_EDUPLICATE)
        retry(world, txn, session, &outcome);
}

/* Cuts the second member off, or lets it come back: a piece of a snapshot at
 * a time while it is away, then the commands since. */
static void part_or_join(struct world *world)
{
    struct member *other = &world->members[1];
    struct kit *kit = &other->kit;
    uint8_t piece[256];
    size_t len;

    if (!other->is_cut_off) {
        other->is_cut_off = true;
        return;
    }
    if (world->snapshot == NULL) {
        ck_assert_int_eq(
            rkv_kv_snapshot(world->members[0].kit.kv, &world->snapshot),
            RKV_OK);
        ck_assert_int_eq(rkv_kv_restore_begin(kit->kv), RKV_OK);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(rkv_snapshot_read(world->snapshot, piece,
                                           1 + below(world, sizeof(piece)),
                                           &len),
                         RKV_OK);
        if (len == 0)
            break;
        ck_assert_int_eq(rkv_kv_restore_write(kit->kv, piece, len), RKV_OK);
    }
    if (len > 0)
        return;
    ck_assert_int_eq(rkv_kv_restore_end(kit->kv), RKV_OK);
    kit->index = rkv_snapshot_applied(world->snapshot);
    ck_assert_uint_eq(kit_report(kit).applied, kit->index);
    rkv_snapshot_close(world->snapshot);
    world->snapshot = NULL;
    other->is_cut_off = false;
    while (kit->index < world->members[0].kit.index)
        follow(other, &world->log[kit->index + 1], kit->index + 1, NULL);
    compare_members(world);
}

static void take_step(struct world *world)
{
    uint64_t dice = below(world, 100);

    if (dice < 43)
        change(world);
    else if (dice < 45)
        change_quota(world);
    else if (dice < 55)
        change_leases(world);
    else if (dice < 58)
        compact(world);
    else if (dice < 68)
        read_range(world);
    else if (dice < 76)
        watch(world, &world->members[below(world, 2)]);
    else if (dice < 90)
        pull(world, &world->members[below(world, 2)],
             below(world, 3) == 0 ? UINT64_MAX : below(world, 8));
    else if (dice < 97)
        part_or_join(world);
    else
        compare_members(world);
}

static void run(uint64_t seed, uint64_t watch_bytes)
{
    struct world *world = calloc(1, sizeof(*world));
    struct rkv_kv_options options = {
        .size = sizeof(options),
        .watch_bytes_max = watch_bytes,
    };

    rkv_prng_seed(&world->maker.prng, seed);
    world->maker.model = &world->model;
    model_init(&world->model);
    for (int i = 0; i < 2; i++)
        kit_open(&world->members[i].kit, &options);
    for (int i = 0; i < STEPS; i++)
        take_step(world);
    for (int i = 0; i < 2; i++)
        pull(world, &world->members[i], UINT64_MAX);
    compare_members(world);
    rkv_snapshot_close(world->snapshot);
    for (int i = 0; i < 2; i++)
        kit_close(&world->members[i].kit);
    for (size_t i = 0; i < LOG; i++)
        free(world->log[i].data);
    model_free(&world->model);
    free(world);
}

START_TEST(random_programs_agree_with_the_second_opinion)
{
    run((uint64_t)_i, 0);
}
END_TEST

START_TEST(random_programs_agree_with_watchers_that_always_lag)
{
    run(1000 + (uint64_t)_i, 1);
}
END_TEST

START_TEST(random_programs_agree_with_a_queue_of_a_few_changes)
{
    run(2000 + (uint64_t)_i, 400);
}
END_TEST

Suite *suite_kv_model(void)
{
    Suite *suite = suite_create("kv model");
    TCase *tcase = tcase_create("random programs");

    tcase_add_loop_test(tcase, random_programs_agree_with_the_second_opinion, 0,
                        20);
    tcase_add_loop_test(
        tcase, random_programs_agree_with_watchers_that_always_lag, 0, 10);
    tcase_add_loop_test(
        tcase, random_programs_agree_with_a_queue_of_a_few_changes, 0, 10);
    suite_add_tcase(suite, tcase);
    return suite;
}
