/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The disk's turn.  begin collects, over all groups, what the cores want
 * durable, the next piece of a snapshot and what slow members need read; run
 * does it, on any thread; end tells the cores.  Everything a hub was asked to
 * write since the last flush is one write to the store: group commit is not a
 * feature here but the shape of the loop.
 */
#include <string.h>

#include "line.h"

/* ---- begin ---- */

static bool fetch_wants(const rkv_node *node)
{
    return node->fetching.state == RKV_FETCH_WRITING ||
           node->fetching.state == RKV_FETCH_NAMING;
}

/* A snapshot of our own waits while another is fetched, and its name until
 * enough entries have followed it that slow members will not miss the old
 * ones, or until somebody asks. */
static bool may_name(const rkv_node *node)
{
    const struct rkv_taking *taking = &node->taking;

    return taking->state == RKV_TAKING_HELD &&
           node->fetching.state == RKV_FETCH_NOTHING &&
           node->durable >= taking->picture.index &&
           (taking->asked || node->applied - taking->picture.index >=
                                 node->options.snapshot_keep);
}

static bool taking_wants(const rkv_node *node)
{
    const struct rkv_taking *taking = &node->taking;

    if (node->fetching.state != RKV_FETCH_NOTHING)
        return false;
    return taking->state == RKV_TAKING_READ || may_name(node) ||
           (taking->state == RKV_TAKING_NOTHING && taking->asked);
}

/* An append that waits behind another may list entries that the disk was not
 * given yet.  One of an earlier term is read to be dropped. */
static bool is_readable(const rkv_node *node, const struct rkv_errand *errand,
                        uint64_t written)
{
    return errand->is_chunk || errand->msg.term != node->term ||
           errand->msg.index + errand->msg.count <= written;
}

static bool errands_want(const rkv_node *node)
{
    return node->errands_count > 0 &&
           is_readable(node, &node->errands[0], node->durable);
}

bool rkv_flush_wanted(const rkv_node *node)
{
    return node->must_write || errands_want(node) || fetch_wants(node) ||
           taking_wants(node);
}

static struct rkv_store_write *new_write(struct rkv_job *job,
                                         struct rkv_task *task)
{
    rkv_node *node = task->node;
    struct rkv_store_write *write = &job->writes[job->writes_count++];

    memset(write, 0, sizeof *write);
    write->size = sizeof *write;
    write->group = node->group;
    write->flags = RKV_WRITE_STATE;
    write->term = node->term;
    write->vote = node->vote;
    write->commit = node->commit;
    if (!job->hub->identified) {
        write->flags |= RKV_WRITE_IDENTITY;
        write->cluster = job->hub->cluster;
        write->member = job->hub->id;
    }
    task->has_write = true;
    return write;
}

/* The job gets its own list of entries; their bytes stay where they are
 * while the tail is pinned. */
static int write_entries(rkv_node *node, struct rkv_store_write *write)
{
    const struct rkv_entry *entries;
    int rc;

    if (node->unwritten_count == 0)
        return RKV_OK;
    rc = rkv_tail_get(node->tail, node->unwritten, node->unwritten_count,
                      &entries);
    if (rc == RKV_OK)
        rc = rkv_tail_chain(node->tail, entries[0].index - 1,
                            node->writing_follows);
    if (rc != RKV_OK)
        return rkv_hub_fail(
            node->hub, rc,
            "group %llu: entries %llu to %llu could not be "
            "gathered for the disk (%s)",
            (unsigned long long)node->group,
            (unsigned long long)node->unwritten[0].index,
            (unsigned long long)node->unwritten[node->unwritten_count - 1]
                .index,
            rkv_errname(rc));
    memcpy(node->writing, entries,
           node->unwritten_count * sizeof *node->writing);
    write->flags |= RKV_WRITE_ENTRIES;
    write->entries = node->writing;
    write->follows = node->writing_follows;
    write->count = node->unwritten_count;
    return RKV_OK;
}

static int plan_write(rkv_node *node, struct rkv_job *job,
                      struct rkv_task *task)
{
    struct rkv_store_write *write;

    if (!node->must_write)
        return RKV_OK;
    write = new_write(job, task);
    if (write_entries(node, write) != RKV_OK)
        return node->hub->failed;
    if (node->recovered)
        write->flags |= RKV_WRITE_RECOVERED;
    task->token = node->token;
    node->entries_written += node->unwritten_count;
    node->must_write = false;
    node->recovered = false;
    node->unwritten_count = 0;
    return RKV_OK;
}

static void name_picture(struct rkv_store_write *write,
                         const struct rkv_picture *picture,
                         const struct rkv_buffer *config)
{
    write->flags |= RKV_WRITE_SNAPSHOT;
    write->snapshot_index = picture->index;
    write->snapshot_term = picture->term;
    write->snapshot_len = picture->len;
    memcpy(write->snapshot_chain, picture->chain, 32);
    memcpy(write->snapshot_hash, picture->hash, 32);
    write->config = config->data;
    write->config_len = config->len;
    if (write->commit < picture->index)
        write->commit = picture->index;
}

static struct rkv_store_write *write_of(struct rkv_job *job,
                                        struct rkv_task *task)
{
    return task->has_write ? &job->writes[job->writes_count - 1]
                           : new_write(job, task);
}

static void plan_chunk(struct rkv_task *task, uint64_t index, bool *begun,
                       uint64_t offset, const struct rkv_buffer *chunk)
{
    task->snap_index = index;
    task->snap_begin = !*begun;
    task->snap_write = chunk->len > 0;
    task->snap_offset = offset;
    task->snap_chunk = chunk;
    *begun = true;
}

/* Our own snapshot: the next chunk, its end, or its name. */
static int plan_taking(rkv_node *node, struct rkv_job *job,
                       struct rkv_task *task)
{
    struct rkv_taking *taking = &node->taking;

    if (taking->state == RKV_TAKING_READ) {
        if (rkv_snapshot_fill(node) != RKV_OK)
            return node->hub->failed; /* or given up, and nothing to do */
        plan_chunk(task, taking->picture.index, &taking->begun, taking->offset,
                   &taking->chunk);
        task->snap_finish = taking->ended;
        task->snap_len = taking->offset + taking->chunk.len;
    } else if (may_name(node)) {
        name_picture(write_of(job, task), &taking->picture, &taking->config);
        task->names_taken = true;
    }
    return RKV_OK;
}

static void plan_fetching(rkv_node *node, struct rkv_job *job,
                          struct rkv_task *task)
{
    struct rkv_fetching *fetching = &node->fetching;

    plan_chunk(task, fetching->picture.index, &fetching->begun,
               fetching->offset, &fetching->chunk);
    if (fetching->state == RKV_FETCH_WRITING)
        return;
    /* What was still to be written belongs to the log that goes. */
    task->snap_finish = true;
    task->snap_len = fetching->picture.len;
    name_picture(write_of(job, task), &fetching->picture, &fetching->config);
    task->names_fetched = true;
}

/* Without memory the errand fails by itself: the member will ask again. */
static void prepare(struct rkv_errand *errand, const struct rkv_allocator *a)
{
    void *entries = errand->entries;
    uint32_t count = errand->is_chunk ? 0 : errand->msg.count;

    rkv_buffer_clear(&errand->bytes);
    errand->entries_count = 0;
    errand->rc = rkv_grow(a, &entries, &errand->entries_cap, count,
                          sizeof *errand->entries);
    errand->entries = entries;
    if (!rkv_buffer_reserve(&errand->bytes, errand->want))
        errand->rc = RKV_ENOMEM;
}

/* The largest index on disk once this task has written. */
static uint64_t written_then(const rkv_node *node, const struct rkv_job *job,
                             const struct rkv_task *task)
{
    const struct rkv_store_write *write;

    if (!task->has_write)
        return node->durable;
    write = &job->writes[job->writes_count - 1];
    return write->count == 0 ? node->durable
                             : write->entries[write->count - 1].index;
}

/* As many as the job has room for, and one in any case if it has none yet. */
static void plan_errands(rkv_node *node, struct rkv_job *job,
                         struct rkv_task *task)
{
    uint64_t written = written_then(node, job, task);

    while (task->errands < node->errands_count) {
        struct rkv_errand *errand = &node->errands[task->errands];

        if (!is_readable(node, errand, written))
            break;
        if (job->reads > 0 && job->reads + errand->want > RKV_ERRANDS_BYTES)
            break;
        prepare(errand, &node->hub->allocator);
        job->reads += errand->want;
        task->errands++;
    }
    node->errands_out = task->errands;
}

static int plan(rkv_node *node, struct rkv_job *job)
{
    struct rkv_task *task;
    bool naming_must_wait;

    task = &job->tasks[job->tasks_count];
    memset(task, 0, sizeof *task);
    task->node = node;
    naming_must_wait =
        node->fetching.state == RKV_FETCH_NAMING && node->must_write;
    if (plan_write(node, job, task) != RKV_OK)
        return node->hub->failed;
    if (fetch_wants(node) && !naming_must_wait)
        plan_fetching(node, job, task);
    else if (taking_wants(node) && plan_taking(node, job, task) != RKV_OK)
        return node->hub->failed;
    plan_errands(node, job, task);
    if (task->has_write || task->snap_chunk != NULL || task->errands > 0) {
        rkv_tail_pin(node->tail);
        node->in_job = true;
        job->tasks_count++;
    }
    return RKV_OK;
}

/* All that a job's writes need is there before anything is taken for it. */
static int make_room_for(rkv_node *node)
{
    void *writing = node->writing;
    int rc = rkv_grow(&node->hub->allocator, &writing, &node->writing_cap,
                      node->unwritten_count, sizeof *node->writing);

    node->writing = writing;
    return rc;
}

static int make_room(rkv_hub *hub, struct rkv_job *job, size_t count)
{
    void *tasks = job->tasks;
    void *writes = job->writes;
    rkv_node *node = hub->lines[RKV_WAIT_DISK].first;
    int rc;

    rc = rkv_grow(&hub->allocator, &tasks, &job->tasks_cap, count,
                  sizeof *job->tasks);
    job->tasks = tasks;
    if (rc == RKV_OK)
        rc = rkv_grow(&hub->allocator, &writes, &job->writes_cap, count,
                      sizeof *job->writes);
    job->writes = writes;
    for (; node != NULL && rc == RKV_OK; node = node->behind[RKV_WAIT_DISK])
        rc = make_room_for(node);
    return rc;
}

/* Most were touched by something that asks nothing of the disk: those leave
 * the line.  How many are left. */
static size_t count_those_who_want(rkv_hub *hub)
{
    struct rkv_line *line = &hub->lines[RKV_WAIT_DISK];
    rkv_node **link = &line->first, *node;
    size_t count = 0;

    line->last = NULL;
    while ((node = *link) != NULL) {
        rkv_snapshot_consider(node);
        if (rkv_flush_wanted(node)) {
            line->last = node;
            link = &node->behind[RKV_WAIT_DISK];
            count++;
        } else {
            *link = node->behind[RKV_WAIT_DISK];
            node->waits[RKV_WAIT_DISK] = false;
        }
    }
    return count;
}

/* A node that has more to do than fits waits at the end of the line. */
static void plan_all(rkv_hub *hub, struct rkv_job *job, size_t count)
{
    for (; count > 0 && !hub->failed; count--) {
        rkv_node *node = rkv_line_next(hub, RKV_WAIT_DISK);

        (void)plan(node, job);
        if (!node->in_job && rkv_flush_wanted(node))
            rkv_node_wait(node, RKV_WAIT_DISK);
    }
}

int rkv_hub_flush_begin(rkv_hub *hub, uint64_t now, rkv_job **out)
{
    struct rkv_job *job;
    size_t count;

    if (hub == NULL || out == NULL)
        return RKV_EINVAL;
    if (hub->failed)
        return RKV_EFAILED;
    if (now > hub->now)
        hub->now = now;
    job = &hub->job;
    if (job->out)
        return 0;
    rkv_pump(hub);
    count = count_those_who_want(hub);
    if (count == 0)
        return 0;
    if (make_room(hub, job, count) != RKV_OK)
        return RKV_ENOMEM; /* nothing was taken; ask again */
    job->hub = hub;
    job->rc = RKV_OK;
    job->ran = false;
    job->tasks_count = 0;
    job->writes_count = 0;
    job->reads = 0;
    plan_all(hub, job, count);
    if (hub->failed) {
        rkv_job_bury(job);
        return hub->failed;
    }
    if (job->tasks_count == 0)
        return 0;
    job->out = true;
    *out = job;
    return 1;
}

/* ---- end ---- */

static void persisted(rkv_node *node, const struct rkv_task *task)
{
    struct rkv_raft_in in = {.kind = RKV_IN_PERSISTED, .token = task->token};
    struct rkv_raft_status status = {.size = sizeof status};

    (void)rkv_node_step(node, &in);
    rkv_raft_status(node->raft, &status);
    node->durable = status.durable;
}

/* That something is not there is no fault when it was compacted, when a
 * snapshot was followed by two others, or when who wrote it leads no more. */
static bool may_be_gone(const rkv_node *node, const struct rkv_errand *errand)
{
    if (errand->rc == RKV_ECOMPACTED)
        return true;
    if (errand->is_chunk)
        return errand->rc == RKV_ENOTFOUND &&
               errand->picture.index != node->current.index &&
               errand->picture.index != node->previous.index;
    return errand->rc == RKV_EFUTURE && errand->msg.term != node->term;
}

/* What cannot be read is told to the host, not to the member: it asks again,
 * and by then another may lead. */
static bool is_read(rkv_node *node, const struct rkv_errand *errand)
{
    if (errand->rc == RKV_OK || may_be_gone(node, errand))
        return errand->rc == RKV_OK;
    (void)rkv_hub_refuse(node->hub, errand->rc,
                         "group %llu: what member %016llx lacks could not be "
                         "read from the store (%s)",
                         (unsigned long long)node->group,
                         (unsigned long long)errand->peer,
                         rkv_errname(errand->rc));
    return false;
}

static void send_chunk(rkv_node *node, const struct rkv_errand *errand)
{
    struct rkv_chunk chunk = {.index = errand->picture.index,
                              .term = errand->picture.term,
                              .total = errand->picture.len,
                              .offset = errand->fetch.offset,
                              .data = errand->bytes.data,
                              .len = (uint32_t)errand->bytes.len};
    struct rkv_raft_in failed = {.kind = RKV_IN_SNAPSHOT_FAILED,
                                 .peer = errand->peer};
    struct rkv_buffer *frame;

    if (!is_read(node, errand)) {
        (void)rkv_node_step(node, &failed);
        return;
    }
    memcpy(chunk.chain, errand->picture.chain, 32);
    memcpy(chunk.hash, errand->picture.hash, 32);
    frame = rkv_outbox_open(node->hub, errand->peer, errand->bytes.len + 256,
                            RKV_LANE_BULK);
    if (frame == NULL)
        return;
    rkv_chunk_encode(frame, node->group, &chunk);
    rkv_outbox_close(node->hub);
}

/* The message was made for the log as it was then: it may go only with the
 * entries it named (the last one's term tells), while we lead that term. */
static bool send_append(rkv_node *node, const struct rkv_errand *errand)
{
    const struct rkv_raft_msg *msg = &errand->msg;
    uint64_t term;

    return is_read(node, errand) && errand->entries_count == msg->count &&
           node->role == RKV_LEADER && node->term == msg->term &&
           rkv_raft_term_at(node->raft, msg->index + msg->count, &term) ==
               RKV_OK &&
           term == msg->last_term &&
           errand->entries[msg->count - 1].term == term &&
           rkv_outbox_append(node, msg, errand->previous, errand->entries);
}

static void send_errand(rkv_node *node, const struct rkv_errand *errand)
{
    struct rkv_raft_in lost = {.kind = RKV_IN_UNREACHABLE,
                               .peer = errand->peer};

    if (errand->is_chunk)
        send_chunk(node, errand);
    else if (!send_append(node, errand))
        (void)rkv_node_step(node, &lost);
}

/* Errands that came up while the job was out move to the front.  The buffers
 * of those done are used again, but large ones are not kept when nothing
 * waits for them. */
static void end_errands(rkv_node *node, uint32_t count)
{
    struct rkv_errand done[RKV_ERRANDS_MAX];
    uint32_t rest = RKV_ERRANDS_MAX - count;

    for (uint32_t i = 0; i < count; i++)
        send_errand(node, &node->errands[i]);
    memcpy(done, node->errands, count * sizeof *done);
    memmove(node->errands, node->errands + count, rest * sizeof *done);
    memcpy(node->errands + rest, done, count * sizeof *done);
    node->errands_count -= count;
    node->errands_out = 0;
    for (uint32_t i = node->errands_count; i < RKV_ERRANDS_MAX; i++)
        rkv_buffer_free(&node->errands[i].bytes);
}

static void end_taking(rkv_node *node, const struct rkv_task *task)
{
    struct rkv_taking *taking = &node->taking;

    if (task->names_taken) {
        rkv_snapshot_named(node, &taking->picture);
        rkv_snapshot_forget(node);
        node->snapshots_taken++;
        return;
    }
    taking->offset += taking->chunk.len;
    rkv_buffer_clear(&taking->chunk);
    if (!task->snap_finish)
        return;
    rkv_snapshot_close(taking->view);
    taking->view = NULL;
    taking->state = RKV_TAKING_HELD;
}

static void end_task(rkv_node *node, const struct rkv_task *task)
{
    node->in_job = false;
    rkv_tail_unpin(node->tail);
    if (task->token != 0)
        persisted(node, task);
    if (task->names_fetched)
        rkv_fetch_named(node);
    else if (task->snap_chunk == &node->fetching.chunk)
        rkv_fetch_written(node);
    else if (task->names_taken || task->snap_chunk == &node->taking.chunk)
        end_taking(node, task);
    if (task->errands > 0)
        end_errands(node, task->errands);
    rkv_fetch_tick(node);
    rkv_node_touch(node);
}

static void end_tasks(rkv_hub *hub, const struct rkv_job *job)
{
    hub->flushes++;
    if (job->writes_count > 0)
        hub->identified = true;
    for (uint32_t i = 0; i < job->tasks_count && !hub->failed; i++)
        if (!job->tasks[i].node->closed)
            end_task(job->tasks[i].node, &job->tasks[i]);
}

static void fail_tasks(rkv_hub *hub, const struct rkv_job *job)
{
    struct rkv_raft_in in = {.kind = RKV_IN_PERSIST_FAILED};

    for (uint32_t i = 0; i < job->tasks_count; i++)
        if (!job->tasks[i].node->closed)
            (void)rkv_node_step(job->tasks[i].node, &in);
    (void)rkv_hub_fail(hub, job->rc, "%s", rkv_store_errmsg(hub->store));
}

void rkv_job_bury(struct rkv_job *job)
{
    for (uint32_t i = 0; i < job->tasks_count; i++) {
        job->tasks[i].node->in_job = false;
        if (job->tasks[i].node->closed)
            rkv_node_bury(job->tasks[i].node);
    }
    job->tasks_count = 0;
    job->out = false;
}

int rkv_hub_flush_end(rkv_hub *hub, uint64_t now, rkv_job *job)
{
    bool was_failed;

    if (hub == NULL)
        return RKV_EINVAL;
    if (job != &hub->job || !job->out || !job->ran)
        return RKV_ESTATE;
    job->out = false;
    if (now > hub->now)
        hub->now = now;
    was_failed = hub->failed != 0;
    if (!was_failed && job->rc != RKV_OK)
        fail_tasks(hub, job);
    else if (!was_failed)
        end_tasks(hub, job);
    rkv_job_bury(job);
    return was_failed ? RKV_EFAILED : hub->failed;
}

int rkv_hub_flush(rkv_hub *hub, uint64_t now)
{
    rkv_job *job;
    int rc = rkv_hub_flush_begin(hub, now, &job);

    if (rc <= 0)
        return rc;
    (void)rkv_job_run(job);
    return rkv_hub_flush_end(hub, now, job);
}
