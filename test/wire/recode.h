/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Each kind of body, decoded and encoded again.  The result is the decoder's;
 * on RKV_OK the body made anew is in *out.  A decoder accepts one spelling of
 * a thing only, so the bytes must be those that came in: the tests of wire
 * and the fuzz targets hold all of them to it.
 */
#ifndef RKV_TEST_WIRE_RECODE_H
#define RKV_TEST_WIRE_RECODE_H

#include <string.h>

#include "wire/wire.h"

enum { RECODE_ENTRIES_MAX = 64 };

/* Takes the head off the one part that out holds. */
static inline void recode_bare(struct rkv_buffer *out)
{
    struct rkv_reader reader;
    struct rkv_part part;

    rkv_reader_init(&reader, out->data, out->len);
    if (rkv_part_next(&reader, &part) != 1 || !rkv_reader_done(&reader)) {
        rkv_buffer_clear(out);
        return;
    }
    out->len = rkv_reader_left(&part.body);
    memmove(out->data, part.body.at, out->len);
}

static inline int recode_message(const uint8_t *data, size_t len,
                                 struct rkv_buffer *out)
{
    struct rkv_entry entries[RECODE_ENTRIES_MAX];
    struct rkv_raft_entry records[RECODE_ENTRIES_MAX];
    struct rkv_message_room room = {entries, records, RECODE_ENTRIES_MAX};
    struct rkv_raft_msg msg;
    const uint8_t *previous;
    struct rkv_reader body;

    rkv_reader_init(&body, data, len);
    int rc = rkv_message_decode(&body, &msg, &previous, &room);
    if (rc < 0)
        return rc;
    rkv_message_encode(out, 0, &msg, previous, entries);
    recode_bare(out);
    return RKV_OK;
}

static inline int recode_forward(const uint8_t *data, size_t len,
                                 struct rkv_buffer *out)
{
    struct rkv_forward forward;
    struct rkv_reader body;

    rkv_reader_init(&body, data, len);
    int rc = rkv_forward_decode(&body, &forward);
    if (rc < 0)
        return rc;
    rkv_forward_encode(out, 0, &forward);
    recode_bare(out);
    return RKV_OK;
}

static inline int recode_forward_reply(const uint8_t *data, size_t len,
                                       struct rkv_buffer *out)
{
    struct rkv_forward_reply reply;
    struct rkv_reader body;

    rkv_reader_init(&body, data, len);
    int rc = rkv_forward_reply_decode(&body, &reply);
    if (rc < 0)
        return rc;
    rkv_forward_reply_encode(out, 0, &reply);
    recode_bare(out);
    return RKV_OK;
}

static inline int recode_fetch(const uint8_t *data, size_t len,
                               struct rkv_buffer *out)
{
    struct rkv_fetch fetch;
    struct rkv_reader body;

    rkv_reader_init(&body, data, len);
    int rc = rkv_fetch_decode(&body, &fetch);
    if (rc < 0)
        return rc;
    rkv_fetch_encode(out, 0, &fetch);
    recode_bare(out);
    return RKV_OK;
}

static inline int recode_chunk(const uint8_t *data, size_t len,
                               struct rkv_buffer *out)
{
    struct rkv_chunk chunk;
    struct rkv_reader body;

    rkv_reader_init(&body, data, len);
    int rc = rkv_chunk_decode(&body, &chunk);
    if (rc < 0)
        return rc;
    rkv_chunk_encode(out, 0, &chunk);
    recode_bare(out);
    return RKV_OK;
}

static inline int recode_change(const uint8_t *data, size_t len,
                                struct rkv_buffer *out)
{
    struct rkv_changes changes;
    int rc = rkv_changes_decode(data, len, &changes);
    if (rc < 0)
        return rc;
    rkv_changes_encode(out, &changes);
    return RKV_OK;
}

/* Here, and only here, the end is asked for. */
static inline int recode_members(const uint8_t *data, size_t len,
                                 struct rkv_buffer *out)
{
    struct rkv_member members[RKV_MEMBERS_MAX];
    struct rkv_reader in;
    uint32_t count;

    rkv_reader_init(&in, data, len);
    int rc = rkv_members_decode(&in, members, RKV_MEMBERS_MAX, &count);
    if (rc < 0)
        return rc;
    if (!rkv_reader_done(&in))
        return RKV_EMALFORMED;
    rkv_members_encode(out, members, count);
    return RKV_OK;
}

#endif
