/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/node/look.h - frames between members, looked into and made by hand.
 */
#ifndef TEST_NODE_LOOK_H
#define TEST_NODE_LOOK_H

#include "cluster.h"

/* Does it hold a message of this kind (of at most 64 entries)? */
bool frame_holds(const struct rkv_frame *frame, uint32_t kind);
/* The member msg->to is told so, in a frame of its own. */
void cluster_say(struct cluster *c, const struct rkv_raft_msg *msg);

#endif
