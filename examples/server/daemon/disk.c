/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/disk.c - begin here, run there, end here.  What comes in meanwhile
 * gathers in the node and becomes the next write: the slower the disk, the
 * larger its writes.
 */
#include "server.h"

static void run_jobs(void *arg)
{
    struct disk *disk = arg;

    uv_mutex_lock(&disk->lock);
    for (;;) {
        while (!disk->running && !disk->quit)
            uv_cond_wait(&disk->wanted, &disk->lock);
        if (!disk->running)
            break;
        rkv_job *job = disk->job;
        uv_mutex_unlock(&disk->lock);
        uint64_t from = uv_hrtime();
        int result = rkv_job_run(job);
        uint64_t took = uv_hrtime() - from;
        uv_mutex_lock(&disk->lock);
        disk->result = result;
        disk->took_ns = took;
        disk->running = false;
        disk->finished = true;
        uv_async_send(&disk->done);
    }
    uv_mutex_unlock(&disk->lock);
}

/* Waking up is all: the turn that follows looks for itself. */
static void woken(uv_async_t *async)
{
    (void)async;
}

int disk_start(struct disk *disk, struct server *server)
{
    disk->server = server;
    int rc = uv_mutex_init(&disk->lock);
    if (rc == 0)
        rc = uv_cond_init(&disk->wanted);
    if (rc == 0)
        rc = uv_async_init(&server->uv, &disk->done, woken);
    if (rc == 0)
        rc = uv_thread_create(&disk->thread, run_jobs, disk);
    if (rc != 0) {
        log_line(&server->log, LOG_ERROR, "no thread for the disk",
                 "error=\"%s\"", uv_strerror(rc));
        return -1;
    }
    disk->started = true;
    return 0;
}

bool disk_busy(const struct disk *disk)
{
    return disk->job != NULL;
}

void disk_begin(struct disk *disk)
{
    rkv_job *job;

    if (disk->job)
        return;
    if (rkv_node_flush_begin(disk->server->node, server_now(disk->server),
                             &job) != 1)
        return;
    uv_mutex_lock(&disk->lock);
    disk->job = job;
    disk->running = true;
    uv_mutex_unlock(&disk->lock);
    /* After the unlock, or the thread would wake only to wait for it. */
    uv_cond_signal(&disk->wanted);
}

bool disk_collect(struct disk *disk)
{
    struct server *server = disk->server;

    if (!disk->job)
        return true;
    uv_mutex_lock(&disk->lock);
    bool finished = disk->finished;
    int result = disk->result;
    uint64_t took = disk->took_ns;
    disk->finished = false;
    uv_mutex_unlock(&disk->lock);
    if (!finished)
        return true;

    rkv_job *job = disk->job;
    disk->job = NULL;
    histogram_add(&server->metrics.flush, took);
    samples_add(&server->metrics.flush_times, took);
    int rc = rkv_node_flush_end(server->node, server_now(server), job);
    if (result == RKV_OK && rc == RKV_OK)
        return true;
    log_line(&server->log, LOG_ERROR, "the disk failed",
             "error=\"%s\" detail=\"%s\" do=\"look at the disk and the "
             "messages above, then start this member again\"",
             rkv_strerror(rc ? rc : result), rkv_node_errmsg(server->node));
    return false;
}

void disk_stop(struct disk *disk)
{
    if (!disk->started)
        return;
    uv_mutex_lock(&disk->lock);
    disk->quit = true;
    uv_cond_signal(&disk->wanted);
    uv_mutex_unlock(&disk->lock);
    uv_thread_join(&disk->thread);
    disk_collect(disk);
    disk->started = false;
}
