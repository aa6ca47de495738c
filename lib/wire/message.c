/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/wire/message.c - the core's messages as bodies of parts.  All kinds
 * share one layout; a field that is 0 takes no space, so a heartbeat is some
 * twenty bytes.  What comes out is well-formed, not true: the core doubts it.
 *
 *     u8 kind | u8 flags | u16 present | varint, for each bit of present
 *
 * and an append goes on:
 *
 *     previous chain, 32 bytes | varint count | entry, count times
 *
 * Bit i of present stands for the i-th field of the list below.  A field
 * whose bit is set is not 0: there is one way to write a message.
 */
#include "code.h"

/* Bit of present, field; their order is that of the bytes. */
#define MESSAGE_FIELDS(X)                                                      \
    X(0, from)                                                                 \
    X(1, to)                                                                   \
    X(2, term)                                                                 \
    X(3, index)                                                                \
    X(4, log_term)                                                             \
    X(5, commit)                                                               \
    X(6, hint)                                                                 \
    X(7, hint_term)                                                            \
    X(8, round)                                                                \
    X(9, boot)                                                                 \
    X(10, stated_boot)                                                         \
    X(11, stated_last)                                                         \
    X(12, last_term)

/* And one that is 32 bits wide. */
enum {
    PRIORITY = 13,
    FIELDS = 14,
    HEAD_BYTES = 1 + 1 + 2,
    ENTRY_BYTES_MIN = 3
};
static const uint32_t fields_known = (UINT32_C(1) << FIELDS) - 1;
static const uint32_t flags_known =
    RKV_MSG_REJECT | RKV_MSG_FORCE | RKV_MSG_FULL | RKV_MSG_RECOVERING |
    RKV_MSG_NEVER_LEADS | RKV_MSG_WANT_SNAPSHOT | RKV_MSG_QUIET;

static size_t body_size(const struct rkv_raft_msg *msg,
                        const uint64_t fields[FIELDS],
                        const struct rkv_entry *entries);
static void fields_get(const struct rkv_raft_msg *msg, uint64_t fields[FIELDS]);
static void fields_set(struct rkv_raft_msg *msg, const uint64_t fields[FIELDS]);
static uint8_t *fields_put(uint8_t *p, const uint64_t fields[FIELDS]);
static int fields_read(struct rkv_reader *body, uint64_t fields[FIELDS]);
static int append_read(struct rkv_reader *body, struct rkv_raft_msg *msg,
                       const uint8_t **chain,
                       const struct rkv_message_room *room);

size_t rkv_message_bound(const struct rkv_raft_msg *msg,
                         const struct rkv_entry *entries)
{
    uint64_t fields[FIELDS];
    fields_get(msg, fields);
    return RKV_PART_HEAD_MAX + body_size(msg, fields, entries);
}

void rkv_message_encode(struct rkv_buffer *frame, uint64_t group,
                        const struct rkv_raft_msg *msg,
                        const uint8_t previous[32],
                        const struct rkv_entry *entries)
{
    uint64_t fields[FIELDS];
    bool is_append = msg->kind == RKV_MSG_APPEND;

    assert(msg->kind >= RKV_MSG_PREVOTE);
    assert(msg->kind <= RKV_MSG_TRANSFER);
    assert((msg->flags & ~flags_known) == 0);
    assert(is_append || msg->count == 0);
    fields_get(msg, fields);
    size_t len = body_size(msg, fields, entries);
    uint8_t *p = rkv_part_begin(frame, group, RKV_PART_MESSAGE, len);
    if (p == NULL)
        return;
    *p++ = (uint8_t)msg->kind;
    *p++ = (uint8_t)msg->flags;
    p = fields_put(p, fields);
    if (is_append) {
        p = rkv_put_bytes(p, previous, RKV_CHAIN_BYTES);
        p = rkv_put_varint(p, msg->count);
        p = rkv_entries_put(p, msg, entries);
    }
    assert(p == frame->data + frame->len);
}

int rkv_message_decode(struct rkv_reader *body, struct rkv_raft_msg *msg,
                       const uint8_t **previous,
                       const struct rkv_message_room *room)
{
    struct rkv_raft_msg m = {0};
    uint64_t fields[FIELDS] = {0};
    const uint8_t *chain = NULL;

    m.kind = rkv_read_u8(body);
    m.flags = rkv_read_u8(body);
    int rc = fields_read(body, fields);
    if (rc < 0)
        return rc;
    if (m.kind < RKV_MSG_PREVOTE || m.kind > RKV_MSG_TRANSFER)
        return RKV_EVERSION;
    if ((m.flags & ~flags_known) != 0)
        return RKV_EVERSION;
    fields_set(&m, fields);
    if (m.kind == RKV_MSG_APPEND) {
        rc = append_read(body, &m, &chain, room);
        if (rc < 0)
            return rc;
    }
    if (!rkv_reader_done(body))
        return RKV_EMALFORMED;
    *msg = m;
    *previous = chain;
    return RKV_OK;
}

static size_t body_size(const struct rkv_raft_msg *msg,
                        const uint64_t fields[FIELDS],
                        const struct rkv_entry *entries)
{
    size_t len = HEAD_BYTES;
    for (int i = 0; i < FIELDS; i++)
        len += fields[i] != 0 ? rkv_varint_size(fields[i]) : 0;
    if (msg->kind == RKV_MSG_APPEND)
        len += RKV_CHAIN_BYTES + rkv_varint_size(msg->count) +
               rkv_entries_size(msg, entries);
    return len;
}

static void fields_get(const struct rkv_raft_msg *msg, uint64_t fields[FIELDS])
{
#define X(bit, name) fields[bit] = msg->name;
    MESSAGE_FIELDS(X)
#undef X
    fields[PRIORITY] = msg->priority;
}

static void fields_set(struct rkv_raft_msg *msg, const uint64_t fields[FIELDS])
{
#define X(bit, name) msg->name = fields[bit];
    MESSAGE_FIELDS(X)
#undef X
    msg->priority = (uint32_t)fields[PRIORITY];
}

static uint8_t *fields_put(uint8_t *p, const uint64_t fields[FIELDS])
{
    uint8_t *present = p;
    uint32_t mask = 0;

    p += 2;
    for (int i = 0; i < FIELDS; i++) {
        if (fields[i] == 0)
            continue;
        mask |= UINT32_C(1) << i;
        p = rkv_put_varint(p, fields[i]);
    }
    present[0] = (uint8_t)mask;
    present[1] = (uint8_t)(mask >> 8);
    return p;
}

static int fields_read(struct rkv_reader *body, uint64_t fields[FIELDS])
{
    uint32_t mask = rkv_read_u8(body);
    mask |= (uint32_t)rkv_read_u8(body) << 8;
    if ((mask & ~fields_known) != 0)
        return RKV_EVERSION;
    for (int i = 0; i < FIELDS; i++) {
        if ((mask >> i & 1) == 0)
            continue;
        fields[i] = rkv_take_varint(body);
        if (fields[i] == 0)
            return RKV_EMALFORMED;
    }
    if (body->failed || fields[PRIORITY] > UINT32_MAX)
        return RKV_EMALFORMED;
    return RKV_OK;
}

/* What was told is held against the caller's room and the bytes that are
 * there before anything is done with it. */
static int append_read(struct rkv_reader *body, struct rkv_raft_msg *msg,
                       const uint8_t **chain,
                       const struct rkv_message_room *room)
{
    const uint8_t *previous = rkv_read_bytes(body, RKV_CHAIN_BYTES);
    uint64_t count = rkv_take_varint(body);
    if (body->failed)
        return RKV_EMALFORMED;
    if (count > room->cap)
        return RKV_ETOOBIG;
    if (count > rkv_reader_left(body) / ENTRY_BYTES_MIN)
        return RKV_EMALFORMED;
    if (msg->index > UINT64_MAX - count)
        return RKV_EMALFORMED;
    msg->count = (uint32_t)count;
    int rc = rkv_entries_read(body, msg, room);
    if (rc < 0)
        return rc;
    msg->entries = count > 0 ? room->records : NULL;
    *chain = previous;
    return RKV_OK;
}
