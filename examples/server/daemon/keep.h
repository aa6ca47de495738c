/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/keep.h - keeps what is known of the others' lives in a file, so that
 * a member that was started again still knows whom it met.  A thread of the
 * pool writes it: the loop goes on talking while a disk is slow.  Each state
 * of the lives has a number, and a line to a peer is up only when the state
 * that has this peer in it is on disk.
 */
#ifndef SERVER_KEEP_H
#define SERVER_KEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "../common/buffer.h"
#include "lives.h"

struct server;

struct keep {
    struct server *server;
    struct lives lives;
    uint64_t state;   /* of the lives */
    uint64_t writing; /* this one is on its way to the disk ... */
    uint64_t written; /* ... and this one there, or given up */
    bool failed;      /* it was given up */
    bool busy;
    uv_work_t work;
    struct buffer text; /* the thread's while it is busy ... */
    size_t count;       /* ... which has so many lives */
    const char *step;   /* what it could not do, or NULL */
    int error;
};

/* Reads the file.  One that is damaged or missing is warned about and made
 * anew. */
void keep_load(struct keep *keep, struct server *server);
/* A peer was met in this life; returns the state that knows it. */
uint64_t keep_meet(struct keep *keep, const struct life *life);
/* It is no member any more: the next of its id has a life of its own. */
void keep_forget(struct keep *keep, uint64_t id);
void keep_free(struct keep *keep);

#endif
