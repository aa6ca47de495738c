/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The core must not allocate while it steps or drains.  The linker puts these
 * two functions in place of the core's, and every machine's allocator looks
 * whether one of them is under way.
 */
#include <raftkv/raft.h>

#include "memory.h"
#include "probe.h"

int __real_rkv_raft_step(rkv_raft *raft, const struct rkv_raft_in *in);
int __real_rkv_raft_drain(rkv_raft *raft, const struct rkv_raft_out **out);
int __wrap_rkv_raft_step(rkv_raft *raft, const struct rkv_raft_in *in);
int __wrap_rkv_raft_drain(rkv_raft *raft, const struct rkv_raft_out **out);

static bool in_core;

int __wrap_rkv_raft_step(rkv_raft *raft, const struct rkv_raft_in *in)
{
    int rc;

    in_core = true;
    rc = __real_rkv_raft_step(raft, in);
    in_core = false;
    probe_stepped(raft, in, rc);
    return rc;
}

int __wrap_rkv_raft_drain(rkv_raft *raft, const struct rkv_raft_out **out)
{
    int rc;

    in_core = true;
    rc = __real_rkv_raft_drain(raft, out);
    in_core = false;
    probe_drained(raft, *out);
    return rc;
}

bool purity_in_core(void)
{
    return in_core;
}
