/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Snapshots of our own.  One is taken when the log has outgrown the state: a
 * view of the state is copied to the store chunk by chunk, a chunk a flush,
 * while commands go on being applied.  Once finished it is held back until
 * snapshot_keep entries have followed it; only then is it named, and the log
 * before it dropped, so members that lag a little never need it.
 *
 *     a snapshot:  | u32 length | configuration | key-value state ... |
 */
#include <string.h>

#include "room.h"

static bool due(const rkv_node *node)
{
    uint64_t entries = node->applied - node->current.index;

    if (entries == 0)
        return false;
    if (node->taking.asked || entries >= node->raft_options.entries_max / 2)
        return true;
    if (entries < node->options.snapshot_entries &&
        node->log_bytes < node->options.snapshot_bytes)
        return false;
    return node->log_bytes >= rkv_kv_look(node->kv).bytes;
}

/* Puts what is to come first into the first chunk. */
static int begin(rkv_node *node)
{
    struct rkv_taking *taking = &node->taking;
    struct rkv_picture *picture = &taking->picture;
    int rc;

    memset(picture, 0, sizeof *picture);
    picture->index = node->applied;
    rc = rkv_raft_term_at(node->raft, node->applied, &picture->term);
    if (rc == RKV_OK)
        rc = rkv_tail_chain(node->tail, node->applied, picture->chain);
    if (rc == RKV_OK)
        rc = rkv_config_write(node, &taking->config);
    if (rc == RKV_OK)
        rc = rkv_kv_snapshot(node->kv, &taking->view);
    if (rc != RKV_OK)
        return rc;
    rkv_buffer_clear(&taking->chunk);
    rkv_write_u32(&taking->chunk, (uint32_t)taking->config.len);
    rkv_write_bytes(&taking->chunk, taking->config.data, taking->config.len);
    rkv_blake_begin(&taking->hash);
    rkv_blake_add(&taking->hash, taking->chunk.data, taking->chunk.len);
    taking->offset = 0;
    taking->begun = false;
    taking->ended = false;
    taking->bytes = node->log_bytes;
    taking->state = RKV_TAKING_READ;
    return RKV_OK;
}

void rkv_snapshot_consider(rkv_node *node)
{
    if (node->taking.state != RKV_TAKING_NOTHING ||
        node->fetching.state != RKV_FETCH_NOTHING)
        return;
    /* Without memory for the view there is a next time. */
    if (!due(node) || begin(node) != RKV_OK)
        node->taking.asked = false;
}

void rkv_snapshot_forget(rkv_node *node)
{
    struct rkv_taking *taking = &node->taking;

    rkv_snapshot_close(taking->view);
    taking->view = NULL;
    taking->state = RKV_TAKING_NOTHING;
    taking->asked = false;
    rkv_buffer_clear(&taking->chunk);
    rkv_buffer_clear(&taking->config);
}

/* Without memory for a chunk the snapshot is given up: there is a next time,
 * and the store forgets what was begun of this one. */
int rkv_snapshot_fill(rkv_node *node)
{
    struct rkv_taking *taking = &node->taking;
    struct rkv_buffer *chunk = &taking->chunk;
    size_t want = (size_t)node->options.snapshot_chunk_bytes;
    size_t len = 1;

    if (!rkv_buffer_reserve(chunk, want)) {
        rkv_snapshot_forget(node);
        return RKV_ENOMEM;
    }
    while (chunk->len < want && len > 0) {
        int rc = rkv_snapshot_read(taking->view, chunk->data + chunk->len,
                                   want - chunk->len, &len);

        if (rc != RKV_OK)
            return rkv_hub_fail(node->hub, rc,
                                "group %llu: the state could not be read for "
                                "a snapshot (%s)",
                                (unsigned long long)node->group,
                                rkv_strerror(rc));
        rkv_blake_add(&taking->hash, chunk->data + chunk->len, len);
        chunk->len += len;
    }
    if (len == 0) {
        taking->ended = true;
        taking->picture.len = taking->offset + chunk->len;
        rkv_blake_end(&taking->hash, taking->picture.hash);
    }
    return RKV_OK;
}

void rkv_snapshot_named(rkv_node *node, const struct rkv_picture *picture)
{
    struct rkv_raft_in applied = {.kind = RKV_IN_APPLIED,
                                  .index = node->applied};
    struct rkv_raft_in compacted = {.kind = RKV_IN_COMPACTED,
                                    .index = picture->index};

    node->previous = node->current;
    node->current = *picture;
    node->log_bytes -= node->taking.bytes;
    node->applied_told = node->applied;
    (void)rkv_node_step(node, &applied);
    (void)rkv_node_step(node, &compacted);
}

int rkv_node_snapshot(rkv_node *node)
{
    if (node == NULL)
        return RKV_EINVAL;
    if (node->hub->failed)
        return RKV_EFAILED;
    if (node->current.index == 0)
        return RKV_ESTATE; /* not yet part of a cluster */
    node->taking.asked = true;
    rkv_node_touch(node);
    return RKV_OK;
}
