/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Looking into frames, as raftkv-wire(7) tells them: which pieces of snapshots
 * members ask each other for.
 */
#include "oracle.h"

enum { HEADER_BYTES = 48, PART_FETCH = 4 };

struct bytes {
    const uint8_t *at;
    size_t left;
};

static uint64_t take_number(struct bytes *in)
{
    uint64_t number = 0;

    for (unsigned shift = 0; in->left > 0 && shift < 64; shift += 7) {
        uint8_t byte = *in->at++;

        in->left--;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    return number;
}

static void look_at_fetch(struct world *w, uint32_t from, struct bytes body)
{
    struct core_look *look = &w->oracle->cores[from];
    uint64_t index = take_number(&body);
    uint64_t offset;

    (void)take_number(&body); /* its term */
    offset = take_number(&body);
    if (index == 0 || offset == 0)
        return;
    mark(w, MARK_PIECES);
    if (index == look->piece_of && offset == look->piece_at)
        mark(w, MARK_PIECE_AGAIN);
    look->piece_of = index;
    look->piece_at = offset;
}

void frame_sent(struct world *w, uint32_t from, const struct rkv_frame *frame)
{
    struct bytes in = {frame->data, frame->len};

    if (in.left < HEADER_BYTES)
        return;
    in.at += HEADER_BYTES;
    in.left -= HEADER_BYTES;
    while (in.left > 1) {
        struct bytes body;
        uint64_t group = take_number(&in);
        uint8_t kind;

        kind = in.left > 0 ? *in.at : 0;
        in.at += in.left > 0;
        in.left -= in.left > 0;
        body.left = (size_t)take_number(&in);
        body.at = in.at;
        if (body.left > in.left)
            return;
        in.at += body.left;
        in.left -= body.left;
        if (kind == PART_FETCH && group == 0)
            look_at_fetch(w, from, body);
    }
}
