/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/memory.h - what a machine's member may ask for: counted, so that a
 * member that is closed gives all of it back, and now and then refused.
 */
#ifndef TEST_SIM_MEMORY_H
#define TEST_SIM_MEMORY_H

#include <raftkv/base.h>
#include <stdbool.h>

#include "disk/fuse.h"

struct world;

struct memory {
    struct world *world;
    struct rkv_allocator allocator;
    uint64_t held;
    struct fuse fuse; /* for what is asked for */
    uint64_t refused;
};

/* Once, before anything else uses SQLite: it asks through us, too. */
void memory_begin(void);
void memory_init(struct memory *memory, struct world *w);
/* A request is refused after so many, or all from then on. */
void memory_starve(struct memory *memory, uint64_t after, bool for_ever);
bool memory_is_gone(const struct memory *memory);
void memory_feed(struct memory *memory);
/* The member of this machine is at work, until memory_rest(): what is asked
 * meanwhile may be refused, and by SQLite is asked for it. */
void memory_act(struct memory *memory);
void memory_rest(void);

/* purity.c */
bool purity_in_core(void);

#endif
