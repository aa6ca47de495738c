/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Between the rooms of the library: the linker puts these functions in the
 * place of those that one room calls in another, so that the oracles see every
 * entry that any member applies, with what it came to there, also of those
 * that nobody waits for; what goes into every core and comes out of it; and
 * what every store is given and gives back.
 */
#include "oracle.h"
#include "world.h"

int __real_rkv_kv_apply(rkv_kv *kv, uint64_t index, const void *command,
                        size_t len, const struct rkv_result **result);
int __wrap_rkv_kv_apply(rkv_kv *kv, uint64_t index, const void *command,
                        size_t len, const struct rkv_result **result);
int __real_rkv_kv_skip(rkv_kv *kv, uint64_t index);
int __wrap_rkv_kv_skip(rkv_kv *kv, uint64_t index);

int __real_rkv_store_write(rkv_store *store,
                           const struct rkv_store_write *writes,
                           uint32_t count);
int __wrap_rkv_store_write(rkv_store *store,
                           const struct rkv_store_write *writes,
                           uint32_t count);
int __real_rkv_store_state(rkv_store *store, uint64_t group,
                           struct rkv_store_state *out);
int __wrap_rkv_store_state(rkv_store *store, uint64_t group,
                           struct rkv_store_state *out);
int __real_rkv_store_read(rkv_store *store, uint64_t group, uint64_t first,
                          uint32_t count, uint64_t bytes_max,
                          const struct rkv_entry **out, uint32_t *out_count);
int __wrap_rkv_store_read(rkv_store *store, uint64_t group, uint64_t first,
                          uint32_t count, uint64_t bytes_max,
                          const struct rkv_entry **out, uint32_t *out_count);

/* One world is awake at a time. */
static struct world *watched;

void probe_watch(struct world *w)
{
    watched = w;
}

static bool has_state(rkv_node *node, const void *kv)
{
    return rkv_node_kv(node) == kv;
}

static bool has_core(rkv_node *node, const void *raft)
{
    return rkv_node_raft(node) == raft;
}

/* Of the first group, which all is about.  Of what is just being opened nobody
 * has a handle yet. */
static bool is_of_first(bool has(rkv_node *, const void *), const void *part)
{
    if (watched == NULL)
        return false;
    for (uint32_t i = 0; i < watched->count; i++) {
        const struct machine *m = &watched->machines[i];

        if (m->node != NULL && has(m->node, part))
            return true;
        for (uint32_t k = 0; k < watched->others; k++)
            if (m->others[k] != NULL && has(m->others[k], part))
                return false;
    }
    return watched->opening == 0;
}

int __wrap_rkv_kv_apply(rkv_kv *kv, uint64_t index, const void *command,
                        size_t len, const struct rkv_result **result)
{
    const struct rkv_result *found = NULL;
    int rc = __real_rkv_kv_apply(kv, index, command, len, &found);

    if (rc == RKV_OK && is_of_first(has_state, kv))
        oracle_applied(watched, kv, index, command, len, found);
    if (rc == RKV_OK && result != NULL)
        *result = found;
    return rc;
}

int __wrap_rkv_kv_skip(rkv_kv *kv, uint64_t index)
{
    int rc = __real_rkv_kv_skip(kv, index);

    if (rc == RKV_OK && is_of_first(has_state, kv))
        oracle_applied(watched, kv, index, NULL, 0, NULL);
    return rc;
}

void probe_stepped(const rkv_raft *raft, const struct rkv_raft_in *in, int rc)
{
    if (is_of_first(has_core, raft))
        core_stepped(watched, raft, in, rc);
}

void probe_drained(const rkv_raft *raft, const struct rkv_raft_out *out)
{
    if (is_of_first(has_core, raft))
        core_drained(watched, raft, out);
}

/* Whose store this is, if it is a member's own and not one below it; 0: of
 * none. */
static uint64_t owner_of(const rkv_store *store)
{
    for (uint32_t i = 0; watched != NULL && i < watched->count; i++)
        if (watched->machines[i].store == store)
            return member_id(watched, i);
    return 0;
}

static const struct rkv_store_write *
own_group(const struct rkv_store_write *writes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (writes[i].group == 0 &&
            (writes[i].flags & ~(uint32_t)RKV_WRITE_IDENTITY) != 0)
            return &writes[i];
    return NULL;
}

int __wrap_rkv_store_write(rkv_store *store,
                           const struct rkv_store_write *writes, uint32_t count)
{
    const struct rkv_store_write *own = own_group(writes, count);
    uint64_t owner = own != NULL ? owner_of(store) : 0;
    int rc;

    if (owner != 0)
        notary_writing(&watched->oracle->notary, owner, own);
    rc = __real_rkv_store_write(store, writes, count);
    if (owner != 0 && rc == RKV_OK)
        notary_written(&watched->oracle->notary, owner);
    return rc;
}

int __wrap_rkv_store_state(rkv_store *store, uint64_t group,
                           struct rkv_store_state *out)
{
    uint64_t owner = group == 0 ? owner_of(store) : 0;
    int rc = __real_rkv_store_state(store, group, out);

    if (owner != 0 && rc == RKV_OK)
        notary_found(&watched->oracle->notary, owner, out);
    return rc;
}

int __wrap_rkv_store_read(rkv_store *store, uint64_t group, uint64_t first,
                          uint32_t count, uint64_t bytes_max,
                          const struct rkv_entry **out, uint32_t *out_count)
{
    uint64_t owner = group == 0 ? owner_of(store) : 0;
    int rc = __real_rkv_store_read(store, group, first, count, bytes_max, out,
                                   out_count);

    if (owner != 0 && rc == RKV_OK)
        notary_read(&watched->oracle->notary, owner, *out, *out_count);
    return rc;
}
