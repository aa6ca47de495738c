/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/disk.h - the disk has a thread of its own, which runs one job at a
 * time: while it writes and syncs, the loop goes on talking.
 */
#ifndef SERVER_DISK_H
#define SERVER_DISK_H

#include <raftkv/node.h>
#include <stdbool.h>
#include <uv.h>

struct server;

struct disk {
    struct server *server;
    uv_thread_t thread;
    uv_mutex_t lock; /* guards all below */
    uv_cond_t wanted;
    uv_async_t done;
    rkv_job *job;
    int result;
    uint64_t took_ns;
    bool running; /* job is with the thread */
    bool finished;
    bool quit;
    bool started;
};

int disk_start(struct disk *disk, struct server *server);
/* Is a job out? */
bool disk_busy(const struct disk *disk);
/* Hands the next write to the thread, if there is one and it is free. */
void disk_begin(struct disk *disk);
/* Takes a finished write back.  False: it failed, and the member with it. */
bool disk_collect(struct disk *disk);
/* Waits for the job that is out, and ends the thread. */
void disk_stop(struct disk *disk);

#endif
