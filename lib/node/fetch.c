/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Snapshots between members, pulled: the one that lacks it asks for the next
 * chunk when it has written the last one, so nothing is ever pushed at a slow
 * disk, a lost frame costs one question, and a new leader is simply asked
 * where the old one left off.  Each chunk and the whole are checked; the
 * state is built aside and takes over only when all of it is there.
 */
#include <string.h>

#include "room.h"

/* ---- receiving ---- */

static void clear(rkv_node *node)
{
    struct rkv_fetching *fetching = &node->fetching;

    rkv_kv_restore_abort(node->kv);
    memset(&fetching->picture, 0, sizeof fetching->picture);
    rkv_buffer_clear(&fetching->chunk);
    rkv_buffer_clear(&fetching->config);
    fetching->offset = 0;
    fetching->begun = false;
}

void rkv_fetch_ask(rkv_node *node)
{
    struct rkv_fetching *fetching = &node->fetching;
    struct rkv_fetch fetch = {.index = fetching->picture.index,
                              .term = fetching->picture.term,
                              .offset = fetching->offset,
                              .len =
                                  (uint32_t)node->options.snapshot_chunk_bytes};
    uint64_t peer = node->leader != 0 ? node->leader : fetching->from;
    struct rkv_buffer *frame;

    fetching->asked = peer;
    fetching->asked_at = node->hub->now;
    if (peer == node->options.id)
        return;
    frame = rkv_outbox_open(node->hub, peer, 96, RKV_LANE_URGENT);
    if (frame == NULL)
        return;
    rkv_fetch_encode(frame, node->group, &fetch);
    rkv_outbox_close(node->hub);
}

/* The job may still hold the chunk of a snapshot of our own. */
static void begin_asking(rkv_node *node)
{
    struct rkv_fetching *fetching = &node->fetching;

    if (node->in_job)
        return;
    rkv_snapshot_forget(node);
    if (fetching->not_before > node->hub->now)
        return;
    clear(node);
    fetching->progress_at = node->hub->now;
    fetching->state = RKV_FETCH_ASKING;
    rkv_fetch_ask(node);
}

/* The core says it once. */
void rkv_fetch_start(rkv_node *node, const struct rkv_raft_out *out)
{
    struct rkv_fetching *fetching = &node->fetching;

    if (fetching->state != RKV_FETCH_NOTHING) {
        if (out->restore_index > fetching->wanted)
            fetching->wanted = out->restore_index;
        return;
    }
    fetching->wanted = out->restore_index;
    fetching->from = out->restore_from;
    fetching->state = RKV_FETCH_WANTED;
    begin_asking(node);
}

/* The leader will offer it again, perhaps at once; what failed for a reason
 * that lasts should not fill the wire meanwhile. */
static void give_up(rkv_node *node)
{
    struct rkv_raft_in in = {.kind = RKV_IN_RESTORE_FAILED};

    clear(node);
    node->fetching.state = RKV_FETCH_NOTHING;
    node->fetching.not_before =
        node->hub->now + node->raft_options.election_ticks;
    (void)rkv_node_step(node, &in);
}

void rkv_fetch_tick(rkv_node *node)
{
    struct rkv_fetching *fetching = &node->fetching;
    uint64_t patience = node->raft_options.election_ticks;

    if (fetching->state == RKV_FETCH_WANTED)
        begin_asking(node);
    if (fetching->state != RKV_FETCH_ASKING)
        return;
    if (node->hub->now - fetching->progress_at >= 30 * patience)
        give_up(node);
    else if (node->hub->now - fetching->asked_at >= patience)
        rkv_fetch_ask(node);
}

uint64_t rkv_fetch_deadline(const rkv_node *node)
{
    const struct rkv_fetching *fetching = &node->fetching;

    if (fetching->state == RKV_FETCH_ASKING)
        return fetching->asked_at + node->raft_options.election_ticks;
    if (fetching->state == RKV_FETCH_WANTED && !node->in_job)
        return fetching->not_before;
    return UINT64_MAX;
}

/* The configuration is judged before anything else is asked for: once the
 * store has named a snapshot there is no way back. */
static int check_config(rkv_node *node, const uint8_t *config, uint32_t len)
{
    struct rkv_member members[RKV_MEMBERS_MAX];
    uint32_t count = 0;
    int rc = rkv_config_read(config, len, NULL, members, &count);

    if (rc != RKV_OK || count == 0)
        return rc != RKV_OK ? rc : RKV_EMALFORMED;
    if (count <= node->raft_options.members_max)
        return RKV_OK;
    return rkv_hub_refuse(node->hub, RKV_ETOOBIG,
                          "group %llu: a snapshot has %u members, but "
                          "members_max of the raft options is %u; raise it",
                          (unsigned long long)node->group, count,
                          node->raft_options.members_max);
}

/* The first chunk begins with the configuration. */
static int take_head(rkv_node *node, const struct rkv_chunk *chunk,
                     size_t *skip)
{
    struct rkv_fetching *fetching = &node->fetching;
    struct rkv_reader in;
    uint32_t len;
    const uint8_t *config;

    rkv_reader_init(&in, chunk->data, chunk->len);
    len = rkv_read_u32(&in);
    config = rkv_read_bytes(&in, len);
    int rc = config == NULL ? RKV_EMALFORMED : check_config(node, config, len);

    if (rc != RKV_OK)
        return rc;
    rkv_buffer_clear(&fetching->config);
    rkv_write_bytes(&fetching->config, config, len);
    *skip = chunk->len - rkv_reader_left(&in);
    return fetching->config.failed ? RKV_ENOMEM : RKV_OK;
}

static int begin(rkv_node *node, const struct rkv_chunk *chunk)
{
    struct rkv_fetching *fetching = &node->fetching;
    struct rkv_picture *picture = &fetching->picture;

    clear(node);
    picture->index = chunk->index;
    picture->term = chunk->term;
    picture->len = chunk->total;
    memcpy(picture->chain, chunk->chain, 32);
    memcpy(picture->hash, chunk->hash, 32);
    rkv_blake_begin(&fetching->hash);
    return rkv_kv_restore_begin(node->kv);
}

static int take_bytes(rkv_node *node, const struct rkv_chunk *chunk)
{
    struct rkv_fetching *fetching = &node->fetching;
    size_t skip = 0;
    int rc = RKV_OK;

    if (fetching->offset == 0)
        rc = take_head(node, chunk, &skip);
    if (rc == RKV_OK)
        rc = rkv_kv_restore_write(node->kv, (const uint8_t *)chunk->data + skip,
                                  chunk->len - skip);
    rkv_buffer_clear(&fetching->chunk);
    rkv_write_bytes(&fetching->chunk, chunk->data, chunk->len);
    rkv_blake_add(&fetching->hash, chunk->data, chunk->len);
    return rc == RKV_OK && fetching->chunk.failed ? RKV_ENOMEM : rc;
}

/* Where our log reaches as far, it must agree. */
static int check_chain(rkv_node *node, const struct rkv_picture *picture)
{
    uint8_t ours[32];
    uint64_t term;

    if (rkv_raft_term_at(node->raft, picture->index, &term) != RKV_OK ||
        term != picture->term ||
        rkv_tail_chain(node->tail, picture->index, ours) != RKV_OK ||
        memcmp(ours, picture->chain, 32) == 0)
        return RKV_OK;
    return rkv_hub_fail(node->hub, RKV_EDIVERGED,
                        "group %llu: entry %llu has another chain in our log "
                        "than in the snapshot of member %016llx, in the same "
                        "term; compare both members with a third, and replace "
                        "the one that differs",
                        (unsigned long long)node->group,
                        (unsigned long long)picture->index,
                        (unsigned long long)node->fetching.asked);
}

/* All of it is here.  The state may take over before the store knows: a
 * crash in between finds the old state and the old log, both whole. */
static int complete(rkv_node *node)
{
    struct rkv_fetching *fetching = &node->fetching;
    struct rkv_raft_status status = {.size = sizeof status};
    uint8_t hash[32];
    int rc;

    rkv_raft_status(node->raft, &status);
    rkv_blake_end(&fetching->hash, hash);
    if (memcmp(hash, fetching->picture.hash, 32) != 0)
        return rkv_hub_refuse(node->hub, RKV_ECORRUPT,
                              "group %llu: snapshot %llu arrived with another "
                              "hash than it was announced with; it is asked "
                              "for again",
                              (unsigned long long)node->group,
                              (unsigned long long)fetching->picture.index);
    if (fetching->picture.index <= node->applied ||
        fetching->picture.index <= status.commit ||
        fetching->picture.term > status.term)
        return RKV_ESTALE; /* the log came by itself meanwhile */
    rc = check_chain(node, &fetching->picture);
    if (rc == RKV_OK)
        rc = rkv_kv_restore_end(node->kv);
    if (rc != RKV_OK)
        return rc;
    node->applied = fetching->picture.index;
    node->applied_told = node->applied;
    node->skipped = node->applied;
    fetching->state = RKV_FETCH_NAMING;
    return RKV_OK;
}

/* A piece of another snapshot than the one begun: from its beginning we can
 * go on, from its middle we ask for that. */
static int change_over(rkv_node *node, const struct rkv_chunk *chunk)
{
    if (chunk->offset == 0)
        return begin(node, chunk);
    clear(node);
    rkv_fetch_ask(node);
    return RKV_OK;
}

void rkv_fetch_chunk(rkv_node *node, uint64_t from,
                     const struct rkv_chunk *chunk)
{
    struct rkv_fetching *fetching = &node->fetching;
    int rc = RKV_OK;

    if (fetching->state != RKV_FETCH_ASKING || from != fetching->asked ||
        chunk->len == 0 || chunk->term > node->term)
        return;
    /* Whoever leads now has the entries that the last one had not. */
    if (chunk->index < fetching->wanted) {
        give_up(node);
        return;
    }
    if (chunk->index != fetching->picture.index ||
        memcmp(chunk->hash, fetching->picture.hash, 32) != 0)
        rc = change_over(node, chunk);
    if (rc == RKV_OK && (chunk->offset != fetching->offset ||
                         chunk->total != fetching->picture.len ||
                         chunk->len > chunk->total - chunk->offset))
        return;
    fetching->state = RKV_FETCH_WRITING;
    rkv_node_touch(node);
    fetching->progress_at = node->hub->now;
    if (rc == RKV_OK)
        rc = take_bytes(node, chunk);
    if (rc == RKV_OK && chunk->offset + chunk->len == chunk->total)
        rc = complete(node);
    if (rc != RKV_OK)
        give_up(node);
}

void rkv_fetch_written(rkv_node *node)
{
    struct rkv_fetching *fetching = &node->fetching;

    /* Complete, but its name had to wait for another write. */
    if (fetching->state == RKV_FETCH_NAMING)
        return;
    fetching->offset += fetching->chunk.len;
    rkv_buffer_clear(&fetching->chunk);
    fetching->state = RKV_FETCH_ASKING;
    rkv_fetch_ask(node);
}

void rkv_fetch_named(rkv_node *node)
{
    struct rkv_fetching *fetching = &node->fetching;
    struct rkv_raft_member members[RKV_MEMBERS_MAX];
    struct rkv_raft_in in = {.kind = RKV_IN_RESTORED,
                             .index = fetching->picture.index,
                             .term = fetching->picture.term,
                             .members = members};
    struct rkv_event event = {.kind = RKV_EVENT_RESTORED,
                              .index = fetching->picture.index,
                              .term = fetching->picture.term};
    struct rkv_raft_status status = {.size = sizeof status};
    int rc;

    rc = rkv_config_take(node, fetching->config.data, fetching->config.len);
    if (rc == RKV_OK)
        rc = rkv_tail_restore(node->tail, in.index, fetching->picture.chain);
    in.count = rkv_members_flat(node, members);
    if (rc == RKV_OK)
        rc = rkv_node_step(node, &in);
    if (rc != RKV_OK) {
        (void)rkv_hub_fail(node->hub, rc,
                           "group %llu: snapshot %llu is stored but could not "
                           "take over (%s); close the node and open it again",
                           (unsigned long long)node->group,
                           (unsigned long long)in.index, rkv_errname(rc));
        return;
    }
    node->previous = node->current;
    node->current = fetching->picture;
    node->log_bytes = 0;
    node->snapshots_received++;
    fetching->state = RKV_FETCH_NOTHING;
    clear(node);
    rkv_raft_status(node->raft, &status);
    node->durable = status.durable;
    rkv_requests_skipped(node, in.index);
    rkv_event_push(node, &event);
    event.kind = RKV_EVENT_MEMBERS;
    rkv_event_push(node, &event);
}

/* ---- serving ---- */

/* A member asks for one chunk at a time: what it asked before is void. */
static struct rkv_errand *errand_for(rkv_node *node, uint64_t peer)
{
    for (uint32_t i = node->errands_out; i < node->errands_count; i++)
        if (node->errands[i].is_chunk && node->errands[i].peer == peer)
            return &node->errands[i];
    if (node->errands_count == RKV_ERRANDS_MAX)
        return NULL;
    return &node->errands[node->errands_count++];
}

void rkv_fetch_serve(rkv_node *node, uint64_t from,
                     const struct rkv_fetch *fetch)
{
    const struct rkv_picture *picture = &node->current;
    struct rkv_errand *errand;
    uint64_t len = node->options.snapshot_chunk_bytes;

    if (picture->index == 0 || rkv_members_find(node, from) == NULL)
        return;
    if (fetch->index != 0 && fetch->index == node->previous.index)
        picture = &node->previous;
    errand = errand_for(node, from);
    if (errand == NULL)
        return;
    errand->peer = from;
    errand->is_chunk = true;
    errand->picture = *picture;
    errand->fetch = *fetch;
    if (fetch->index != picture->index || fetch->offset >= picture->len)
        errand->fetch.offset = 0;
    if (fetch->len > 0 && fetch->len < len)
        len = fetch->len;
    errand->fetch.len = (uint32_t)len;
    errand->want = (size_t)len;
    rkv_node_touch(node);
}
