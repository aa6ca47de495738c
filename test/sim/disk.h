/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/disk.h - what a machine keeps its member on: a memory store that
 * outlives the member, or the SQLite store on a platter.
 */
#ifndef TEST_SIM_DISK_H
#define TEST_SIM_DISK_H

#include <raftkv/store.h>

#include "disk/platter.h"

struct disk {
    rkv_store *memory; /* the one below, which knows nothing of losses */
    rkv_store *open;   /* what the member has; NULL: none */
    uint64_t boots;
    uint64_t promised;
    /* All that was acknowledged is gone, and it is not yet whole again. */
    bool recovering;
    uint32_t groups; /* in memory: those that there are, a bit each */
    uint32_t lost;   /* and those that are not whole */
    bool on_platter;
    bool spoils_promise;       /* of the two, what may be spoilt here */
    bool damaged;              /* something was */
    struct platter_file *copy; /* made by somebody, to be put back */
    struct platter platter;
    struct rkv_sqlite_options options;
};

enum disk_end { END_ORDERLY, END_KILLED, END_POWER };

void disk_make_memory(struct disk *disk, uint32_t groups);
/* name: of the VFS, as no other disk has it. */
void disk_make_platter(struct disk *disk, const char *name, struct dice dice,
                       bool is_first);
void disk_free(struct disk *disk);

/* What a member has open lasts until disk_close(). */
int disk_open(struct disk *disk, rkv_store **out);
void disk_close(struct disk *disk, enum disk_end end);
/* Everything but the promise is gone; no member may be open on it. */
void disk_lose(struct disk *disk);
bool disk_has_power(const struct disk *disk);

#endif
