/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What runs on the disk's thread.  It touches the store, what the job lists,
 * and nothing else of the node; the loop leaves those alone until the end.
 * Nor does it allocate: the node's allocator belongs to the loop.
 */
#include <string.h>

#include "room.h"

static int write_snapshots(struct rkv_job *job)
{
    rkv_store *store = job->hub->store;
    int rc = RKV_OK;

    for (uint32_t i = 0; i < job->tasks_count && rc == RKV_OK; i++) {
        const struct rkv_task *task = &job->tasks[i];
        uint64_t group = task->node->group;

        if (task->snap_begin)
            rc = rkv_store_snap_begin(store, group, task->snap_index);
        if (rc == RKV_OK && task->snap_write)
            rc = rkv_store_snap_write(store, group, task->snap_offset,
                                      task->snap_chunk->data,
                                      task->snap_chunk->len);
        if (rc == RKV_OK && task->snap_finish)
            rc = rkv_store_snap_finish(store, group, task->snap_len);
    }
    return rc;
}

static int read_chunk(rkv_store *store, uint64_t group,
                      struct rkv_errand *errand)
{
    return rkv_store_snap_read(store, group, errand->picture.index,
                               errand->fetch.offset, errand->bytes.data,
                               errand->fetch.len, &errand->bytes.len);
}

/* The entry before the first is read for its chain; when the snapshot took
 * it, the receiver has nothing to check. */
static int read_previous(rkv_store *store, uint64_t group,
                         struct rkv_errand *errand)
{
    const struct rkv_entry *entry = NULL;
    uint32_t count = 0;
    int rc = RKV_ECOMPACTED;

    memset(errand->previous, 0, sizeof errand->previous);
    if (errand->msg.index > 0)
        rc = rkv_store_read(store, group, errand->msg.index, 1, 1, &entry,
                            &count);
    if (rc == RKV_OK && count == 1)
        memcpy(errand->previous, entry->chain, sizeof errand->previous);
    return rc == RKV_ECOMPACTED ? RKV_OK : rc;
}

/* The log may have changed since the message was made: what does not fit
 * into the room taken then is not what it named. */
static int keep_entry(struct rkv_errand *errand, const struct rkv_entry *entry)
{
    struct rkv_buffer *bytes = &errand->bytes;
    struct rkv_entry *ours = &errand->entries[errand->entries_count];

    if (entry->len > errand->want - bytes->len)
        return RKV_ECOMPACTED;
    *ours = *entry;
    if (entry->len > 0) {
        ours->data = bytes->data + bytes->len;
        memcpy(bytes->data + bytes->len, entry->data, entry->len);
        bytes->len += entry->len;
    }
    errand->entries_count++;
    return RKV_OK;
}

static int read_entries(rkv_store *store, uint64_t group,
                        struct rkv_errand *errand)
{
    int rc = read_previous(store, group, errand);

    while (rc == RKV_OK && errand->entries_count < errand->msg.count) {
        const struct rkv_entry *entries;
        uint32_t left = errand->msg.count - errand->entries_count;
        uint32_t count = 0;

        rc = rkv_store_read(store, group,
                            errand->msg.index + 1 + errand->entries_count, left,
                            RKV_ERRANDS_BYTES, &entries, &count);
        if (rc == RKV_OK && (count == 0 || count > left))
            rc = RKV_ENOTFOUND;
        for (uint32_t i = 0; i < count && rc == RKV_OK; i++)
            rc = keep_entry(errand, &entries[i]);
    }
    return rc;
}

/* Read errors stay with their errand: a leader that cannot read an entry does
 * not stop serving the others. */
static void run_errands(struct rkv_job *job)
{
    rkv_store *store = job->hub->store;

    for (uint32_t i = 0; i < job->tasks_count; i++) {
        rkv_node *node = job->tasks[i].node;

        for (uint32_t k = 0; k < job->tasks[i].errands; k++) {
            struct rkv_errand *errand = &node->errands[k];

            if (errand->rc == RKV_OK)
                errand->rc = errand->is_chunk
                                 ? read_chunk(store, node->group, errand)
                                 : read_entries(store, node->group, errand);
        }
    }
}

int rkv_job_run(rkv_job *job)
{
    if (job == NULL || !job->out || job->ran)
        return RKV_ESTATE;
    job->rc = write_snapshots(job);
    if (job->rc == RKV_OK && job->writes_count > 0)
        job->rc =
            rkv_store_write(job->hub->store, job->writes, job->writes_count);
    if (job->rc == RKV_OK)
        run_errands(job);
    job->ran = true;
    return job->rc;
}
