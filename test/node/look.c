/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/node/look.c - see look.h.
 */
#include "look.h"

#include <check.h>

#include "wire/wire.h"

bool frame_holds(const struct rkv_frame *frame, uint32_t kind)
{
    struct rkv_frame_header header;
    struct rkv_reader parts;
    struct rkv_part part;
    struct rkv_entry entries[64];
    struct rkv_raft_entry records[64];
    struct rkv_message_room room = {entries, records, 64};
    struct rkv_raft_msg msg;
    const uint8_t *previous;

    ck_assert_int_eq(
        rkv_frame_open(frame->data, frame->len, 1 << 24, &header, &parts),
        RKV_OK);
    while (rkv_part_next(&parts, &part) > 0)
        if (part.kind == RKV_PART_MESSAGE &&
            rkv_message_decode(&part.body, &msg, &previous, &room) == RKV_OK &&
            msg.kind == kind)
            return true;
    return false;
}

void cluster_say(struct cluster *c, const struct rkv_raft_msg *msg)
{
    struct rkv_allocator libc = rkv_alloc_choose(NULL);
    struct rkv_buffer frame;

    rkv_buffer_init(&frame, &libc);
    rkv_frame_begin(&frame, 77, msg->from, msg->to);
    rkv_message_encode(&frame, 0, msg, NULL, NULL);
    rkv_frame_end(&frame);
    (void)rkv_node_receive(c->nodes[msg->to - 1], c->now, frame.data,
                           frame.len);
    rkv_buffer_free(&frame);
}
