/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/probe.h - what passes between the rooms of the library, seen.
 */
#ifndef TEST_SIM_PROBE_H
#define TEST_SIM_PROBE_H

#include <raftkv/raft.h>

struct world;

/* From here on this world is told; NULL: nobody. */
void probe_watch(struct world *w);
void probe_stepped(const rkv_raft *raft, const struct rkv_raft_in *in, int rc);
void probe_drained(const rkv_raft *raft, const struct rkv_raft_out *out);

#endif
