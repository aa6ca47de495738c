/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/node/recorder.h - what a core was told and what it said, kept for the
 * day when somebody asks why.
 *
 *     a half:  | u64 length of the image | u64 its digest | image | records |
 *     a file:  | header | the older half, if there is one | the newer half |
 *
 * Each half begins with the core as it was, so when both are full the older one
 * is used again, and what is left can still be played from its beginning.
 * Numbers are as this machine has them and structs as this build has them; the
 * header says which build that is.
 */
#ifndef RKV_NODE_RECORDER_H
#define RKV_NODE_RECORDER_H

#include <raftkv/raft.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    RKV_RECORD_STEP = 1,    /* rkv_raft_in without pointers, then what they
                               pointed to: entries, msg and its entries,
                               changes and their list, members */
    RKV_RECORD_RESERVE = 2, /* count */
    RKV_RECORD_DRAIN = 3    /* digest of what came out */
};

struct rkv_record {
    uint32_t tag;
    int32_t rc;
    uint32_t count;
    uint32_t len; /* of what follows, a multiple of 8 */
    uint64_t digest;
};

/* In place of struct rkv_raft_changes. */
struct rkv_record_changes {
    uint32_t count;
    uint32_t transition;
};

enum { RKV_RECORDING_FORMAT = 1 };
struct rkv_recording {
    uint8_t magic[8];
    uint32_t format;
    uint32_t halves; /* one or two */
    uint64_t build;
    uint64_t lens[2];
    uint64_t hashes[2];
    uint64_t gaps;   /* records that found no room and made it begin anew */
    uint64_t digest; /* of the core after the last record */
};
extern const uint8_t rkv_recording_magic[8];

struct rkv_recorder {
    uint8_t *halves[2];
    size_t cap; /* of each */
    size_t lens[2];
    int newer;
    bool has_older;
    bool is_begun;
    uint64_t gaps;
    struct rkv_recording header; /* as of the last call with offset 0 */
};

/* Half of `bytes` is for each half; no room for it: RKV_ENOMEM. */
int rkv_recorder_open(struct rkv_recorder *recorder,
                      const struct rkv_allocator *allocator, uint64_t bytes);
void rkv_recorder_close(struct rkv_recorder *recorder,
                        const struct rkv_allocator *allocator);
/* In place of the core's own calls. */
int rkv_recorder_step(struct rkv_recorder *recorder, rkv_raft *raft,
                      const struct rkv_raft_in *in);
int rkv_recorder_reserve(struct rkv_recorder *recorder, rkv_raft *raft,
                         uint32_t count);
void rkv_recorder_drain(struct rkv_recorder *recorder, rkv_raft *raft,
                        const struct rkv_raft_out **out);
/* The core is another. */
void rkv_recorder_reset(struct rkv_recorder *recorder);
/* A piece of the file; how long it is. */
size_t rkv_recorder_read(struct rkv_recorder *recorder, const rkv_raft *raft,
                         uint64_t offset, void *buf, size_t cap);

/* Of what a drain says, without addresses. */
uint64_t rkv_record_digest(const struct rkv_raft_out *out);

#endif
