/* SPDX-License-Identifier: BSD-2-Clause
 *
 * raftkv/hub.h - many nodes (groups) of one member: one store, one flush for
 * all of them, one stream of frames per peer.
 *
 * A node opened through a hub takes requests by its own functions, but its
 * bytes, time, disk and events pass through the hub's, which are the node's
 * under another name: each does its work for every group at once.
 */
#ifndef RAFTKV_HUB_H
#define RAFTKV_HUB_H

#include "node.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rkv_hub rkv_hub;

struct rkv_hub_options {
    uint32_t size;
    uint32_t groups_max;       /* 1024 */
    uint64_t cluster;          /* not 0 */
    uint64_t id;               /* this member; not 0 */
    uint64_t frame_bytes_max;  /* 2 MiB */
    uint64_t outbox_bytes_max; /* 16 MiB per peer */
    const struct rkv_allocator *allocator;
};

RKV_API int rkv_hub_open(const struct rkv_hub_options *options,
                         rkv_store *store, rkv_hub **out);
RKV_API void rkv_hub_close(rkv_hub *hub); /* closes its nodes too */
/* cluster, id, frame and outbox limits in the node's options are the hub's
 * or 0.  rkv_node_close() takes the node out of its hub again. */
RKV_API int rkv_hub_node(rkv_hub *hub, const struct rkv_node_options *options,
                         rkv_node **out);

RKV_API int rkv_hub_receive(rkv_hub *hub, uint64_t now, const void *frame,
                            size_t len);
RKV_API int rkv_hub_tick(rkv_hub *hub, uint64_t now);
RKV_API uint64_t rkv_hub_deadline(const rkv_hub *hub);
RKV_API int rkv_hub_unreachable(rkv_hub *hub, uint64_t peer);
RKV_API int rkv_hub_dead(rkv_hub *hub, uint64_t peer);
RKV_API int rkv_hub_flush(rkv_hub *hub, uint64_t now);
RKV_API int rkv_hub_flush_begin(rkv_hub *hub, uint64_t now, rkv_job **job);
RKV_API int rkv_hub_flush_end(rkv_hub *hub, uint64_t now, rkv_job *job);
RKV_API int rkv_hub_next_frame(rkv_hub *hub, const struct rkv_frame **frame);
RKV_API int rkv_hub_next_event(rkv_hub *hub, const struct rkv_event **event);
RKV_API const char *rkv_hub_errmsg(const rkv_hub *hub);

#ifdef __cplusplus
}
#endif
#endif
