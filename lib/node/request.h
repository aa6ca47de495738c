/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/node/request.h - what request.c, propose.c, forward.c and read.c share
 * of a request's life.
 */
#ifndef RKV_NODE_REQUEST_H
#define RKV_NODE_REQUEST_H

#include "room.h"

/* NULL: too many are waiting, or no memory. */
struct rkv_request *rkv_request_new(rkv_node *node, uint64_t token,
                                    uint32_t kind);
/* Ends it with an event. */
void rkv_request_finish(rkv_node *node, struct rkv_request *request,
                        uint32_t outcome, int32_t status);
/* Until a leader is known; the command is copied.  RKV_EBUSY. */
int rkv_request_wait(rkv_node *node, struct rkv_request *request,
                     const void *data, size_t len);
/* At (index, term) in the log; RKV_ENOMEM leaves it as it was. */
int rkv_request_place(rkv_node *node, struct rkv_request *request,
                      uint64_t index, uint64_t term);

/* Something for the log. */
struct rkv_proposal {
    uint32_t kind; /* RKV_ENTRY_* */
    const void *data;
    size_t len;
    uint64_t origin; /* 0: this member */
    uint64_t boot;
    uint64_t id;
};
/* On RKV_OK the entry stands in our log at *index, in the current term. */
int rkv_propose_here(rkv_node *node, const struct rkv_proposal *proposal,
                     uint64_t *index, uint64_t *term);
/* What the leader says by itself, for nobody who waits.  *index is set on
 * RKV_OK alone. */
int rkv_propose_own(rkv_node *node, rkv_txn *txn, uint64_t *index);
/* To the leader's log, here or by forwarding.  RKV_ENOLEADER: nobody can
 * take it now, try again later. */
int rkv_propose(rkv_node *node, struct rkv_request *request, const void *data,
                size_t len);
int rkv_forward(rkv_node *node, struct rkv_request *request,
                const struct rkv_proposal *proposal);
/* Asks the core for a read point. */
int rkv_read(rkv_node *node, struct rkv_request *request);
/* A refusal that another leader, or another moment, may take back. */
bool rkv_passes(int rc);

#endif
