/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Looking in: nothing here changes anything.
 */
#include <string.h>

#include "../base/options.h"
#include "room.h"

static void from_core(const rkv_node *node, struct rkv_node_status *out)
{
    struct rkv_raft_status raft = {.size = sizeof raft};

    if (node->raft == NULL)
        return;
    rkv_raft_status(node->raft, &raft);
    out->role = raft.role;
    out->leader = raft.leader;
    out->term = raft.term;
    out->first = raft.first;
    out->last = raft.last;
    out->durable = raft.durable;
    out->commit = raft.commit;
    out->recovering = raft.recovering;
    out->quiet = raft.quiet;
}

void rkv_node_status(const rkv_node *node, struct rkv_node_status *out)
{
    if (node == NULL || out == NULL)
        return;

    const rkv_hub *hub = node->hub;
    struct rkv_node_status found = {.size = sizeof found,
                                    .id = hub->id,
                                    .cluster = hub->cluster,
                                    .group = node->group,
                                    .applied = node->applied,
                                    .snapshot_index = node->current.index,
                                    .boot = hub->identity.boot,
                                    .requests = node->requests.count,
                                    .frames_in = hub->frames_in,
                                    .frames_out = hub->frames_out,
                                    .frames_refused = hub->frames_refused,
                                    .frames_dropped = hub->frames_dropped,
                                    .flushes = hub->flushes,
                                    .entries_written = node->entries_written,
                                    .snapshots_taken = node->snapshots_taken,
                                    .snapshots_received =
                                        node->snapshots_received,
                                    .elections = node->elections,
                                    .members = node->members_count};

    memcpy(found.incarnation, hub->identity.incarnation,
           sizeof found.incarnation);
    from_core(node, &found);
    rkv_report(out, &found, sizeof found);
}

const rkv_raft *rkv_node_raft(const rkv_node *node)
{
    return node == NULL ? NULL : node->raft;
}

rkv_kv *rkv_node_kv(rkv_node *node)
{
    return node == NULL ? NULL : node->kv;
}

const char *rkv_node_errmsg(const rkv_node *node)
{
    return node == NULL ? "" : node->hub->errmsg;
}
