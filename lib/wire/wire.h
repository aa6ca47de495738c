/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/wire/wire.h - the hall of wire: structs to bytes and back.
 *
 * What happens here: frames between members, and the payloads the library
 * itself puts into the log.  What it promises: a decoder never reads past
 * its end, never allocates, never trusts a count it was told, and refuses
 * what its own encoder would not have written: with RKV_EVERSION where a
 * later version might have, else with RKV_EMALFORMED.  What it needs: base,
 * and the public records.  Where to start: the picture in frame.c, then
 * raftkv-wire(7).
 */
#ifndef RKV_WIRE_WIRE_H
#define RKV_WIRE_WIRE_H

#include <raftkv/node.h>

#include "../base/bytes.h"

enum { RKV_WIRE_VERSION = 1, RKV_FRAME_HEADER_BYTES = 48 };

/* Frames: a header, then parts until the end.  A frame may be lost, repeated
 * or arrive in any order; a check word refuses a damaged one. */
struct rkv_frame_header {
    uint64_t cluster;
    uint64_t from;
    uint64_t to;
    uint32_t len; /* of the whole frame */
    uint32_t flags;
};
/* Appends an unfinished header to an empty buffer ... */
void rkv_frame_begin(struct rkv_buffer *frame, uint64_t cluster, uint64_t from,
                     uint64_t to);
/* ... and fills in length and check, once its parts are appended. */
void rkv_frame_end(struct rkv_buffer *frame);
/* RKV_EMALFORMED, RKV_EVERSION, RKV_ETOOBIG (len above bytes_max). */
int rkv_frame_open(const void *data, size_t len, uint64_t bytes_max,
                   struct rkv_frame_header *header, struct rkv_reader *parts);

/* Parts: what one group says. */
enum {
    RKV_PART_MESSAGE = 1,       /* the core's */
    RKV_PART_FORWARD = 2,       /* a request on its way to the leader */
    RKV_PART_FORWARD_REPLY = 3, /* what became of it */
    RKV_PART_FETCH = 4,         /* give me your snapshot from offset on */
    RKV_PART_CHUNK = 5          /* a piece of a snapshot */
};
struct rkv_part {
    uint64_t group;
    uint32_t kind;
    struct rkv_reader body;
};
/* 1: a part; 0: the frame ends here; RKV_EMALFORMED.  An unknown kind is
 * returned like any other, for the caller to skip. */
int rkv_part_next(struct rkv_reader *parts, struct rkv_part *out);

/* The core's messages.  entries (msg->count of them, from the tail) are
 * encoded for an append, and previous is the chain of the entry before the
 * first; both may be NULL for other kinds.  msg->entries is not looked at.
 * Bytes it will take at most: rkv_message_bound(). */
size_t rkv_message_bound(const struct rkv_raft_msg *msg,
                         const struct rkv_entry *entries);
void rkv_message_encode(struct rkv_buffer *frame, uint64_t group,
                        const struct rkv_raft_msg *msg,
                        const uint8_t previous[32],
                        const struct rkv_entry *entries);
/* Entries go into the caller's two arrays of cap elements (payloads point
 * into the frame; chains are left zero); more is RKV_ETOOBIG.  *previous is
 * NULL unless it is an append.  from and to are as told: that they are the
 * frame's is for the caller to check. */
struct rkv_message_room {
    struct rkv_entry *entries;
    struct rkv_raft_entry *records;
    uint32_t cap;
};
int rkv_message_decode(struct rkv_reader *body, struct rkv_raft_msg *msg,
                       const uint8_t **previous,
                       const struct rkv_message_room *room);

/* Requests forwarded to the leader.  (from, boot, id) names one for ever;
 * only the leader of this very term takes it, so that a late repetition can
 * not be taken twice. */
struct rkv_forward {
    uint64_t term;
    uint64_t boot;
    uint64_t id;
    uint32_t kind; /* RKV_ENTRY_COMMAND or RKV_ENTRY_CONFIG */
    uint32_t len;
    const void *data;
};
void rkv_forward_encode(struct rkv_buffer *frame, uint64_t group,
                        const struct rkv_forward *forward);
int rkv_forward_decode(struct rkv_reader *body, struct rkv_forward *out);

struct rkv_forward_reply {
    uint64_t boot;
    uint64_t id;
    int32_t status; /* RKV_OK: it has this place in the leader's log */
    uint32_t reserved;
    uint64_t index;
    uint64_t term;
};
void rkv_forward_reply_encode(struct rkv_buffer *frame, uint64_t group,
                              const struct rkv_forward_reply *reply);
int rkv_forward_reply_decode(struct rkv_reader *body,
                             struct rkv_forward_reply *out);

/* Snapshot transfer, pulled by the receiver: it asks for what it lacks, so
 * it resumes where it was, from whoever leads, at its own pace. */
struct rkv_fetch {
    uint64_t index; /* of the snapshot wanted; 0: whichever is current */
    uint64_t term;
    uint64_t offset;
    uint32_t len; /* at most */
    uint32_t reserved;
};
void rkv_fetch_encode(struct rkv_buffer *frame, uint64_t group,
                      const struct rkv_fetch *fetch);
int rkv_fetch_decode(struct rkv_reader *body, struct rkv_fetch *out);

struct rkv_chunk {
    uint64_t index;
    uint64_t term;
    uint64_t total; /* bytes of the whole snapshot */
    uint64_t offset;
    uint8_t chain[32]; /* of the entry at index */
    uint8_t hash[32];  /* BLAKE2b-256 of the whole snapshot */
    uint8_t check[32]; /* BLAKE2b-256 of data; made by the encoder */
    const void *data;
    uint32_t len;
    uint32_t reserved;
};
void rkv_chunk_encode(struct rkv_buffer *frame, uint64_t group,
                      const struct rkv_chunk *chunk);
/* Verifies check. */
int rkv_chunk_decode(struct rkv_reader *body, struct rkv_chunk *out);

/* The payload of a CONFIG entry: changes with their addresses, which a removal
 * has none of and which are at most RKV_ADDRESS_MAX long: check before.  It
 * stays in logs for ever, so it carries a format number of its own.  Read,
 * the addresses point into the bytes. */
struct rkv_changes {
    uint32_t count;
    uint32_t transition;
    struct rkv_change list[RKV_CHANGES_MAX];
};
void rkv_changes_encode(struct rkv_buffer *out, const struct rkv_changes *all);
int rkv_changes_decode(const void *data, size_t len, struct rkv_changes *out);

/* A configuration, as the store keeps it: members in id order, no two alike;
 * with a format number too. */
void rkv_members_encode(struct rkv_buffer *out,
                        const struct rkv_member *members, uint32_t count);
/* Into at most cap members, addresses pointing into the bytes; more is
 * RKV_ETOOBIG.  Reads its own bytes and no further: whether more may follow
 * is the caller's to say. */
int rkv_members_decode(struct rkv_reader *in, struct rkv_member *members,
                       uint32_t cap, uint32_t *count);

#endif
