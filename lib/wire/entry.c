/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/wire/entry.c - the entries of an append.  Their indexes follow from the
 * message's, their terms are steps from the one before, so an entry costs
 * three bytes or four besides its payload, and payloads are read in place.
 *
 *     entry:   u8 kind | varint step | varint length | payload
 *
 * The first step is taken from the message's log_term; the last one ends at
 * its last_term, and none leads past its term: no leader has entries of a
 * later one.
 */
#include "code.h"

static int entry_read(struct rkv_reader *body, struct rkv_entry *entry,
                      uint64_t term, uint64_t term_max);

size_t rkv_entries_size(const struct rkv_raft_msg *msg,
                        const struct rkv_entry *entries)
{
    size_t size = 0;
    uint64_t term = msg->log_term;
    for (uint32_t i = 0; i < msg->count; i++) {
        size += 1 + rkv_varint_size(entries[i].term - term) +
                rkv_varint_size(entries[i].len) + entries[i].len;
        term = entries[i].term;
    }
    return size;
}

uint8_t *rkv_entries_put(uint8_t *p, const struct rkv_raft_msg *msg,
                         const struct rkv_entry *entries)
{
    uint64_t term = msg->log_term;
    for (uint32_t i = 0; i < msg->count; i++) {
        const struct rkv_entry *entry = &entries[i];
        assert(entry->index == msg->index + 1 + i);
        assert(entry->term >= term);
        assert(entry->kind >= RKV_ENTRY_COMMAND);
        assert(entry->kind <= RKV_ENTRY_NOOP);
        *p++ = (uint8_t)entry->kind;
        p = rkv_put_varint(p, entry->term - term);
        p = rkv_put_varint(p, entry->len);
        p = rkv_put_bytes(p, entry->data, entry->len);
        term = entry->term;
    }
    assert(term == msg->last_term);
    assert(term <= msg->term);
    return p;
}

int rkv_entries_read(struct rkv_reader *body, const struct rkv_raft_msg *msg,
                     const struct rkv_message_room *room)
{
    uint64_t term = msg->log_term;
    if (term > msg->term)
        return RKV_EMALFORMED;
    for (uint32_t i = 0; i < msg->count; i++) {
        struct rkv_entry *entry = &room->entries[i];
        int rc = entry_read(body, entry, term, msg->term);
        if (rc < 0)
            return rc;
        entry->index = msg->index + 1 + i;
        room->records[i] = (struct rkv_raft_entry){
            .index = entry->index,
            .term = entry->term,
            .len = entry->len,
            .kind = entry->kind,
        };
        term = entry->term;
    }
    return term == msg->last_term ? RKV_OK : RKV_EMALFORMED;
}

static int entry_read(struct rkv_reader *body, struct rkv_entry *entry,
                      uint64_t term, uint64_t term_max)
{
    uint32_t kind = rkv_read_u8(body);
    uint64_t step = rkv_take_varint(body);
    uint64_t len = rkv_take_varint(body);
    if (body->failed || len > rkv_reader_left(body) || len > UINT32_MAX)
        return RKV_EMALFORMED;
    if (kind < RKV_ENTRY_COMMAND || kind > RKV_ENTRY_NOOP)
        return RKV_EVERSION;
    if (step > term_max - term || term + step == 0)
        return RKV_EMALFORMED;
    *entry = (struct rkv_entry){
        .term = term + step,
        .data = rkv_read_bytes(body, (size_t)len),
        .len = (uint32_t)len,
        .kind = kind,
    };
    return RKV_OK;
}
