/* SPDX-License-Identifier: BSD-2-Clause
 *
 * How a node begins: from an empty store (waiting to be told of its cluster),
 * from the members it is bootstrapped with, or from what an earlier life left
 * in the store - snapshot, log, term, vote and commit.
 *
 * A bootstrap is a snapshot like any other, of an empty state at index 1 and
 * term 1, the same on every first member: from then on there is one way to
 * begin.
 */
#include <assert.h>
#include <string.h>

#include "line.h"

enum { READ_BYTES = 1 << 20, READ_ENTRIES = 4096 };

/* ---- the snapshot ---- */

static int corrupt(rkv_node *node, uint64_t index, const char *what)
{
    return rkv_hub_refuse(node->hub, RKV_ECORRUPT,
                          "group %llu: snapshot %llu %s; a member of a cluster "
                          "can be removed, wiped and added again, a member "
                          "alone needs its backup",
                          (unsigned long long)node->group,
                          (unsigned long long)index, what);
}

static int restore_piece(rkv_node *node, uint64_t offset, const uint8_t *data,
                         size_t len)
{
    struct rkv_reader in;
    uint32_t config_len;

    if (offset > 0)
        return rkv_kv_restore_write(node->kv, data, len);
    rkv_reader_init(&in, data, len);
    config_len = rkv_read_u32(&in);
    if (rkv_read_bytes(&in, config_len) == NULL)
        return RKV_EMALFORMED;
    return rkv_kv_restore_write(node->kv, in.at, rkv_reader_left(&in));
}

static int restore_state(rkv_node *node, const struct rkv_store_state *state,
                         struct rkv_buffer *piece)
{
    struct rkv_blake hash;
    uint8_t found[32];
    uint64_t offset = 0;
    size_t len;
    int rc = rkv_kv_restore_begin(node->kv);

    if (rc == RKV_OK && !rkv_buffer_reserve(piece, READ_BYTES))
        rc = RKV_ENOMEM;
    if (rc != RKV_OK)
        return rkv_hub_refuse(node->hub, rc, "no memory to restore");
    rkv_blake_begin(&hash);
    for (;;) {
        rc = rkv_store_snap_read(node->hub->store, node->group,
                                 state->snapshot_index, offset, piece->data,
                                 READ_BYTES, &len);
        if (rc != RKV_OK)
            return rkv_hub_refuse(node->hub, rc, "%s",
                                  rkv_store_errmsg(node->hub->store));
        if (len == 0)
            break;
        rkv_blake_add(&hash, piece->data, len);
        rc = restore_piece(node, offset, piece->data, len);
        if (rc == RKV_ENOMEM)
            return rkv_hub_refuse(node->hub, rc, "no memory to restore");
        if (rc != RKV_OK)
            return corrupt(node, state->snapshot_index, "does not decode");
        offset += len;
    }
    rkv_blake_end(&hash, found);
    if (offset != state->snapshot_len ||
        memcmp(found, state->snapshot_hash, 32) != 0)
        return corrupt(node, state->snapshot_index,
                       "does not have the length and hash it was stored with");
    rc = rkv_kv_restore_end(node->kv);
    if (rc == RKV_ENOMEM)
        return rkv_hub_refuse(node->hub, rc, "no memory to restore");
    if (rc != RKV_OK)
        return corrupt(node, state->snapshot_index, "does not hold together");
    node->applied = node->applied_told = state->snapshot_index;
    node->current.index = state->snapshot_index;
    node->current.term = state->snapshot_term;
    node->current.len = state->snapshot_len;
    memcpy(node->current.chain, state->snapshot_chain, 32);
    memcpy(node->current.hash, state->snapshot_hash, 32);
    return RKV_OK;
}

/* ---- the log ---- */

static int load_records(rkv_node *node, const struct rkv_entry *entries,
                        uint32_t count)
{
    struct rkv_raft_entry records[256];
    int rc = RKV_OK;

    for (uint32_t done = 0; rc == RKV_OK && done < count;) {
        uint32_t n = count - done < 256 ? count - done : 256;

        for (uint32_t i = 0; i < n; i++) {
            records[i].index = entries[done + i].index;
            records[i].term = entries[done + i].term;
            records[i].len = entries[done + i].len;
            records[i].kind = entries[done + i].kind;
            node->log_bytes += entries[done + i].len;
        }
        rc = rkv_raft_load(node->raft, records, n);
        done += n;
    }
    return rc;
}

/* What is known to be committed is applied, and may leave memory again. */
static int load_payloads(rkv_node *node, const struct rkv_entry *entries,
                         uint32_t count)
{
    uint64_t end = entries[count - 1].index;
    struct rkv_event event;
    int rc = rkv_tail_add(node->tail, entries, count);

    if (end > node->commit)
        end = node->commit;
    while (rc >= 0 && node->applied < end)
        rc = rkv_apply_one(node, &event);
    if (rc >= 0)
        rkv_pump(node->hub);
    return rc < 0 ? rc : node->hub->failed;
}

typedef int (*batch_taker)(rkv_node *, const struct rkv_entry *, uint32_t);

static int read_log(rkv_node *node, uint64_t last, batch_taker take)
{
    uint64_t next = node->current.index + 1;

    while (next <= last) {
        const struct rkv_entry *entries;
        uint32_t count = 0;
        int rc = rkv_store_read(node->hub->store, node->group, next,
                                READ_ENTRIES, READ_BYTES, &entries, &count);

        if (rc != RKV_OK)
            return rkv_hub_refuse(node->hub, rc, "%s",
                                  rkv_store_errmsg(node->hub->store));
        rc = take(node, entries, count);
        if (rc != RKV_OK)
            return rkv_hub_refuse(
                node->hub, rc,
                "group %llu: entries from %llu on could not be "
                "loaded (%s)",
                (unsigned long long)node->group, (unsigned long long)next,
                rkv_errname(rc));
        next += count;
    }
    return RKV_OK;
}

/* The core wants all of the log before its first step, without the payloads.
 * Those follow, and everything known to be committed is applied before the
 * first input; so of a long log no more is in memory than in a life. */
static int load_log(rkv_node *node, uint64_t last)
{
    size_t news = node->news_count;
    size_t count = node->events_count;
    int rc = read_log(node, last, load_records);

    if (rc != RKV_OK)
        return rc;
    rkv_node_touch(node);
    rkv_pump(node->hub);
    rc = read_log(node, last, load_payloads);
    if (rc != RKV_OK || node->hub->failed)
        return rc != RKV_OK ? rc : node->hub->failed;
    /* What happened in an earlier life is no news. */
    node->events_count = count;
    node->news_count = news;
    return RKV_OK;
}

/* ---- open ---- */

static int make_core(rkv_node *node, const struct rkv_store_state *state)
{
    struct rkv_raft_member members[RKV_MEMBERS_MAX];
    struct rkv_raft_boot boot = {.size = sizeof boot,
                                 .recovering = state->recovering ||
                                               (state->snapshot_index == 0 &&
                                                node->hub->identity.recovering),
                                 .boot = node->hub->identity.boot,
                                 .promised = node->hub->identity.promised,
                                 .term = state->term,
                                 .vote = state->vote,
                                 .commit = state->commit,
                                 .snapshot_index = state->snapshot_index,
                                 .snapshot_term = state->snapshot_term,
                                 .members = members};
    int rc;

    boot.members_count = rkv_members_flat(node, members);
    rc = rkv_raft_new(&node->raft_options, &boot, &node->raft);
    if (rc == RKV_EROLLBACK)
        return rkv_hub_refuse(
            node->hub, rc,
            "group %llu: the store lost commits that were "
            "acknowledged, and this member is the only voter, "
            "so nobody can give them back; restore a backup",
            (unsigned long long)node->group);
    if (rc != RKV_OK)
        return rkv_hub_refuse(node->hub, rc,
                              "group %llu: the core did not start (%s); check "
                              "the raft options",
                              (unsigned long long)node->group, rkv_errname(rc));
    return RKV_OK;
}

static int make_parts(rkv_node *node, const struct rkv_store_state *state)
{
    struct rkv_tail_options tail = {.size = sizeof tail,
                                    .group = node->group,
                                    .cache_bytes_max =
                                        node->options.cache_bytes_max,
                                    .allocator = &node->hub->allocator};
    int rc = rkv_tail_new(&tail, state->snapshot_index, state->snapshot_chain,
                          &node->tail);

    /* A bootstrap finds one that the host may have begun to watch. */
    if (rc == RKV_OK && node->kv == NULL) {
        rc = rkv_kv_new(&node->kv_options, &node->kv);
        if (rc == RKV_OK)
            rkv_kv_hang(node->kv, &node->hub->bell, node);
    }
    if (rc != RKV_OK)
        return rkv_hub_refuse(node->hub, rc,
                              "group %llu: the parts of the node could not be "
                              "made (%s)",
                              (unsigned long long)node->group, rkv_errname(rc));
    return RKV_OK;
}

static int take_config(rkv_node *node, const struct rkv_store_state *state)
{
    int rc = rkv_config_take(node, state->config, state->config_len);

    if (rc == RKV_ENOMEM)
        return rkv_hub_refuse(node->hub, rc, "no memory for a configuration");
    return rc == RKV_OK ? rc
                        : corrupt(node, state->snapshot_index,
                                  "has a configuration that does not decode");
}

int rkv_node_boot(rkv_node *node)
{
    struct rkv_store_state state = {.size = sizeof state};
    struct rkv_buffer piece;
    int rc = rkv_store_state(node->hub->store, node->group, &state);

    if (rc != RKV_OK)
        return rkv_hub_refuse(node->hub, rc, "%s",
                              rkv_store_errmsg(node->hub->store));
    rkv_buffer_init(&piece, &node->hub->allocator);
    /* The store's memory for it lasts only until the next call. */
    if (state.snapshot_index > 0)
        rc = take_config(node, &state);
    if (rc == RKV_OK)
        rc = make_parts(node, &state);
    if (rc == RKV_OK && state.snapshot_index > 0)
        rc = restore_state(node, &state, &piece);
    if (rc == RKV_OK)
        rc = make_core(node, &state);
    rkv_buffer_free(&piece);
    if (rc != RKV_OK)
        return rc;
    node->durable =
        state.last > state.snapshot_index ? state.last : state.snapshot_index;
    node->boot_term = state.term;
    if (node->hub->identity.recovering &&
        node->hub->identity.promised > node->boot_term)
        node->boot_term = node->hub->identity.promised;
    return load_log(node, state.last);
}

void rkv_node_unload(rkv_node *node)
{
    rkv_lines_leave(node);
    rkv_snapshot_forget(node);
    rkv_recorder_reset(&node->recorder);
    rkv_raft_free(node->raft);
    rkv_tail_free(node->tail);
    node->raft = NULL;
    node->tail = NULL;
    node->unwritten_count = 0;
    node->must_write = false;
    node->errands_count = 0;
    node->lost_count = 0;
    node->log_bytes = 0;
}

/* ---- bootstrap ---- */

/* The members given, checked and in id order. */
static int sort_members(const rkv_node *node, const struct rkv_member *members,
                        uint32_t count, struct rkv_member *out)
{
    if (members == NULL || count == 0 || count > node->raft_options.members_max)
        return RKV_EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;

        if (members[i].id == 0 || members[i].role != RKV_VOTER ||
            members[i].address_len > RKV_ADDRESS_MAX)
            return RKV_EINVAL;
        for (; at > 0 && out[at - 1].id >= members[i].id; at--) {
            if (out[at - 1].id == members[i].id)
                return RKV_EINVAL;
            out[at] = out[at - 1];
        }
        out[at] = members[i];
    }
    return RKV_OK;
}

static bool is_among(const struct rkv_member *members, uint32_t count,
                     uint64_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == id)
            return true;
    return false;
}

/* What the members agree on before they can agree on anything: the digest of
 * cluster, group and members, and with it the chain every log begins from. */
static int digest_members(const rkv_node *node,
                          const struct rkv_member *members, uint32_t count,
                          uint8_t genesis[32])
{
    struct rkv_buffer bytes;
    int rc;

    rkv_buffer_init(&bytes, &node->hub->allocator);
    rkv_write_u64(&bytes, node->hub->cluster);
    rkv_write_u64(&bytes, node->group);
    rkv_members_encode(&bytes, members, count);
    rc = bytes.failed ? RKV_ENOMEM : RKV_OK;
    if (rc == RKV_OK)
        rkv_blake(genesis, bytes.data, bytes.len);
    rkv_buffer_free(&bytes);
    return rc;
}

/* A state that has applied index 1 and is otherwise as it was born. */
static int read_newborn(rkv_node *node, struct rkv_buffer *image)
{
    rkv_kv *kv = NULL;
    rkv_snapshot *view = NULL;
    size_t len = 1;
    int rc = rkv_kv_new(&node->kv_options, &kv);

    if (rc == RKV_OK)
        rc = rkv_kv_skip(kv, 1);
    if (rc == RKV_OK)
        rc = rkv_kv_snapshot(kv, &view);
    while (rc == RKV_OK && len > 0) {
        if (!rkv_buffer_reserve(image, 4096))
            rc = RKV_ENOMEM;
        else
            rc = rkv_snapshot_read(view, image->data + image->len, 4096, &len);
        if (rc == RKV_OK)
            image->len += len;
    }
    rkv_snapshot_close(view);
    rkv_kv_free(kv);
    return rc;
}

static int make_genesis(rkv_node *node, struct rkv_buffer *config,
                        struct rkv_buffer *image)
{
    int rc = rkv_config_write(node, config);

    if (rc != RKV_OK)
        return rc;
    rkv_write_u32(image, (uint32_t)config->len);
    rkv_write_bytes(image, config->data, config->len);
    rc = read_newborn(node, image);
    return rc == RKV_OK && image->failed ? RKV_ENOMEM : rc;
}

/* A member that is not bootstrapped yet may have been asked for its vote by
 * one that is: its term and vote stand. */
static int store_genesis(rkv_node *node, const struct rkv_buffer *config,
                         const struct rkv_buffer *image)
{
    static const uint8_t nothing[32];
    struct rkv_raft_status raft = {.size = sizeof raft};
    rkv_store *store = node->hub->store;
    struct rkv_entry origin = {.index = 1,
                               .term = 1,
                               .kind = RKV_ENTRY_NOOP,
                               .data = node->genesis,
                               .len = sizeof node->genesis};
    struct rkv_store_write write = {
        .size = sizeof write,
        .flags = RKV_WRITE_IDENTITY | RKV_WRITE_SNAPSHOT | RKV_WRITE_STATE,
        .group = node->group,
        .cluster = node->hub->cluster,
        .member = node->hub->id,
        .term = 1,
        .commit = 1,
        .snapshot_index = 1,
        .snapshot_term = 1,
        .snapshot_len = image->len,
        .config = config->data,
        .config_len = config->len};
    int rc;

    rkv_raft_status(node->raft, &raft);
    if (raft.term > 0) {
        write.term = raft.term;
        write.vote = raft.vote;
    }
    rkv_entry_chain(&origin, nothing);
    memcpy(write.snapshot_chain, origin.chain, 32);
    rkv_blake(write.snapshot_hash, image->data, image->len);
    rc = rkv_store_snap_begin(store, node->group, 1);
    if (rc == RKV_OK)
        rc = rkv_store_snap_write(store, node->group, 0, image->data,
                                  image->len);
    if (rc == RKV_OK)
        rc = rkv_store_snap_finish(store, node->group, image->len);
    if (rc == RKV_OK)
        rc = rkv_store_write(store, &write, 1);
    if (rc != RKV_OK)
        return rkv_hub_fail(node->hub, rc, "%s", rkv_store_errmsg(store));
    node->hub->identified = true;
    return RKV_OK;
}

int rkv_node_bootstrap(rkv_node *node, const struct rkv_member *members,
                       uint32_t count)
{
    struct rkv_member sorted[RKV_MEMBERS_MAX];
    struct rkv_buffer config, image;
    uint8_t genesis[32];
    int rc;

    if (node == NULL)
        return RKV_EINVAL;
    if (node->hub->failed)
        return RKV_EFAILED;
    if (node->hub->job.out || node->fetching.state != RKV_FETCH_NOTHING)
        return RKV_ESTATE;
    rc = sort_members(node, members, count, sorted);
    if (rc == RKV_OK)
        rc = digest_members(node, sorted, count, genesis);
    if (rc != RKV_OK)
        return rc;
    if (node->current.index > 0)
        return memcmp(genesis, node->genesis, 32) == 0
                   ? RKV_OK
                   : rkv_hub_refuse(node->hub, RKV_EEXIST,
                                    "bootstrap refused: this store belongs to "
                                    "a group that began with other members; "
                                    "leave its directory alone or choose "
                                    "another one");
    if (!is_among(sorted, count, node->options.id))
        return rkv_hub_refuse(node->hub, RKV_EINVAL,
                              "bootstrap refused: this member, %016llx, is not "
                              "among those given; one that joins a cluster "
                              "which runs already is not bootstrapped",
                              (unsigned long long)node->options.id);
    if (node->hub->identity.recovering)
        return rkv_hub_refuse(node->hub, RKV_ERECOVERING,
                              "bootstrap refused: this store lost what it "
                              "held; it must hear from the others first");
    memcpy(node->genesis, genesis, 32);
    rkv_buffer_init(&config, &node->hub->allocator);
    rkv_buffer_init(&image, &node->hub->allocator);
    rc = rkv_members_set(node, sorted, count);
    if (rc == RKV_OK)
        rc = make_genesis(node, &config, &image);
    if (rc == RKV_OK)
        rc = store_genesis(node, &config, &image);
    if (rc != RKV_OK)
        (void)rkv_members_set(node, NULL, 0);
    rkv_buffer_free(&config);
    rkv_buffer_free(&image);
    if (rc != RKV_OK)
        return rc;
    rkv_node_unload(node);
    rc = rkv_node_boot(node);
    return rc == RKV_OK ? RKV_OK : rkv_hub_poison(node->hub, rc);
}
