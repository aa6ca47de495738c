/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hall of the key-value room.  What happens where:
 *
 *     txn.c         writing a command
 *     command.c     its bytes, read and checked; duplicate.c: no key twice
 *     apply.c       compare, refuse or do, answer
 *     range.c       reading, now or then; shape.c: in another order
 *     state.c       the records and their sums
 *       record.c    one change, and the line of changes of its key
 *       tree.c      from each key to its newest record; node.c: its nodes;
 *                   treecheck.c: what is always true of them
 *       history.c   all records in the order of their revisions
 *       pool.c      where records live
 *       compact.c   what is dropped, and when its memory comes back
 *       lease.c     what ends with time; leasekeys.c: the keys it takes along
 *       session.c   what became of each client's last command
 *       auth.c      users and roles; authbytes.c: as bytes
 *     leaseop.c     commands about leases; sessionop.c: with a session;
 *                   authop.c: about users and roles, authtxn.c writes those
 *     permit.c      who may do what
 *     hash.c        hashes of the whole
 *     watch.c       who is told what; watchindex.c: who watches a key;
 *                   watchpast.c: who has yet to catch up
 *     snapshot.c    a view, as bytes; restore.c: and back
 */
#include "room.h"

static int choose_options(struct rkv_kv_options *ours,
                          const struct rkv_kv_options *theirs);

int rkv_kv_new(const struct rkv_kv_options *options, rkv_kv **out)
{
    struct rkv_kv_options chosen;
    struct rkv_allocator allocator;
    int error = choose_options(&chosen, options);
    rkv_kv *kv;

    if (error == RKV_OK && out == NULL)
        error = RKV_EINVAL;
    if (error != RKV_OK)
        return error;
    allocator = rkv_alloc_choose(chosen.allocator);
    kv = rkv_alloc_zeroed(&allocator, sizeof(*kv));
    if (kv == NULL)
        return RKV_ENOMEM;
    kv->allocator = allocator;
    kv->options = chosen;
    kv->options.allocator = &kv->allocator;
    rkv_scratch_init(&kv->scratch, &kv->allocator);
    rkv_watches_init(&kv->watches, &kv->allocator, chosen.watch_bytes_max);
    kv->state = rkv_state_new(&kv->allocator);
    kv->program = rkv_alloc(&kv->allocator, sizeof(*kv->program));
    if (kv->program != NULL)
        rkv_program_init(kv->program, &kv->allocator);
    if (kv->state == NULL || kv->program == NULL ||
        rkv_scratch_reserve(&kv->scratch, 1, 1) < 0) {
        rkv_kv_free(kv);
        return RKV_ENOMEM;
    }
    *out = kv;
    return RKV_OK;
}

void rkv_kv_free(rkv_kv *kv)
{
    struct rkv_allocator allocator;

    if (kv == NULL)
        return;
    allocator = kv->allocator;
    rkv_kv_hang(kv, NULL, NULL);
    rkv_kv_restore_abort(kv);
    if (kv->state != NULL)
        rkv_watches_free(&kv->watches, kv->state);
    rkv_state_drop(kv->state);
    rkv_scratch_free(&kv->scratch);
    if (kv->program != NULL)
        rkv_program_free(kv->program);
    rkv_release(&allocator, kv->program, sizeof(*kv->program));
    rkv_release(&allocator, kv, sizeof(*kv));
}

struct rkv_kv_status rkv_kv_look(const rkv_kv *kv)
{
    const struct rkv_state *state = kv->state;

    return (struct rkv_kv_status){
        .watches = (uint32_t)kv->watches.count,
        .applied = state->applied,
        .revision = state->revision,
        .compacted = state->compacted,
        .keys = state->tree.live,
        .revisions = state->held.records,
        .bytes = state->held.bytes,
        .space = rkv_state_space(state),
        .quota = (uint64_t)state->quota,
        .full = rkv_state_is_full(state),
        .sessions = state->sessions.count,
        .leases = state->leases.count,
        .leases_fresh = state->leases.fresh_count,
        .clock = state->leases.clock,
        .clock_term = state->leases.term,
        .next_end =
            state->leases.heap_count > 0 ? state->leases.heap[0]->deadline : 0,
    };
}

void rkv_kv_status(const rkv_kv *kv, struct rkv_kv_status *out)
{
    struct rkv_kv_status status = rkv_kv_look(kv);

    status.hash = rkv_state_hash(kv->state);
    rkv_report(out, &status, sizeof(status));
}

static int choose_options(struct rkv_kv_options *ours,
                          const struct rkv_kv_options *theirs)
{
    int error = rkv_options(ours, sizeof(*ours), theirs);

    if (error != RKV_OK)
        return error;
    if (ours->txn_depth_max > RKV_COMMAND_DEPTH_MAX ||
        ours->key_bytes_max > RKV_COMMAND_BYTES_MAX ||
        ours->command_bytes_max > RKV_COMMAND_BYTES_MAX)
        return RKV_EINVAL;
    if (ours->txn_ops_max == 0)
        ours->txn_ops_max = 128;
    if (ours->txn_depth_max == 0)
        ours->txn_depth_max = 8;
    if (ours->watches_max == 0)
        ours->watches_max = 10000;
    if (ours->key_bytes_max == 0)
        ours->key_bytes_max = (uint64_t)64 << 10;
    if (ours->command_bytes_max == 0)
        ours->command_bytes_max = (uint64_t)1536 << 10;
    if (ours->watch_bytes_max == 0)
        ours->watch_bytes_max = (uint64_t)64 << 20;
    return RKV_OK;
}
