/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/room.h - what the files of this room know of each other.
 *
 * Every change ever made and not compacted is one record.  The history holds
 * the records in the order of their revisions, the tree holds the newest one
 * of each key, and the records of a key are linked, so each question (a key
 * now, a key then, what changed since) has its short way.  Nothing written is
 * ever changed, so a snapshot is a revision and a promise to take nothing
 * away meanwhile, and a watch is a place in the history.  Only compaction
 * removes records: it counts as done at once and is carried out in steps.
 */
#ifndef RKV_KV_ROOM_H
#define RKV_KV_ROOM_H

#include <raftkv/kv.h>
#include <stdbool.h>

#include "../base/alloc.h"
#include "../base/bytes.h"
#include "../base/hash.h"
#include "../base/options.h"
#include "auth.h"
#include "changes.h"
#include "lease.h"
#include "program.h"
#include "record.h"
#include "session.h"
#include "state.h"
#include "watch.h"

/* --------------------------------------------------------------- results */

/* Reused from one call to the next. */
struct rkv_scratch {
    const struct rkv_allocator *allocator;
    struct rkv_result *results;
    size_t results_cap;
    struct rkv_response *responses;
    size_t *starts; /* per response: its first item */
    size_t responses_cap;
    size_t starts_cap;
    struct rkv_item *items;
    size_t items_count;
    size_t items_cap;
};

void rkv_scratch_init(struct rkv_scratch *scratch,
                      const struct rkv_allocator *a);
void rkv_scratch_free(struct rkv_scratch *scratch);
/* Forgets the last results, and memory that only a huge one needed. */
void rkv_scratch_clear(struct rkv_scratch *scratch);
int rkv_scratch_reserve(struct rkv_scratch *scratch, size_t results,
                        size_t responses);
/* RKV_OK or RKV_ENOMEM. */
int rkv_scratch_item(struct rkv_scratch *scratch,
                     const struct rkv_record *record, bool with_value);

/* What a range reads: fills everything but items of the response. */
struct rkv_question {
    struct rkv_span span;
    uint32_t flags;
    int64_t revision; /* 0: now */
    int64_t limit;
    struct rkv_shape shape;
};
int rkv_range_run(const struct rkv_state *state, struct rkv_scratch *scratch,
                  const struct rkv_question *question,
                  struct rkv_response *out);
/* The same for one that filters or is in another order. */
int rkv_shape_run(const struct rkv_state *state, struct rkv_scratch *scratch,
                  const struct rkv_question *question,
                  struct rkv_response *out);
/* The next key of it that is there; NULL at the end. */
const struct rkv_record *rkv_range_next(const struct rkv_state *state,
                                        const struct rkv_question *question,
                                        struct rkv_tree_place *place);
/* How many keys there are now. */
uint64_t rkv_range_count(const struct rkv_state *state,
                         const struct rkv_span *span);
/* So many are passed over, and so many in all are of interest. */
uint64_t rkv_range_offset(const struct rkv_question *question);
uint64_t rkv_range_end(const struct rkv_question *question);

/* -------------------------------------------------------------- the hall */

struct rkv_kv {
    struct rkv_allocator allocator;
    struct rkv_kv_options options;
    struct rkv_state *state;
    struct rkv_program *program;
    struct rkv_scratch scratch;
    struct rkv_watches watches;
    struct rkv_restore *restore; /* NULL: none under way */
    struct rkv_bell *bell;       /* NULL: nobody wants to be told */
    void *owner;                 /* ... of whom */
    rkv_kv *rung;                /* the next that rang it */
    bool failed;
    bool rings;
};

/* One change, the next of this revision: a put that names this lease, or
 * without one a deletion.  RKV_OK or RKV_ENOMEM. */
int rkv_kv_change(rkv_kv *kv, uint32_t *changes, const uint8_t *key,
                  uint32_t key_len, struct rkv_tree_spot spot,
                  const struct rkv_op *put, int64_t lease);
/* A command about leases: the status it comes to. */
int rkv_lease_run(rkv_kv *kv, uint64_t index);
/* A command about users and roles: the status it comes to. */
int rkv_auth_run(rkv_kv *kv);
/* Whether it may be done: RKV_OK, RKV_ENOUSER, RKV_EOLDAUTH, RKV_EDENIED. */
int rkv_permit_command(const struct rkv_state *state,
                       const struct rkv_program *program);
/* Of a command with a session: 1 and whose it is, when it is to be done;
 * RKV_OK when it has been, and is answered; or why neither can be. */
int rkv_session_enter(rkv_kv *kv, struct rkv_session **session);
int rkv_session_open(rkv_kv *kv, uint64_t index);

/* The bytes of a snapshot, all numbers little-endian.
 *
 *     header   magic 8, applied 8, revision 8, compacted 8, records 8,
 *              bytes 8, state hash 8, clock 8, term 8, leases 8,
 *              quota 8, sessions 8, auth revision 8 (and the highest bit: it is
 *              enabled), users 8, roles 8
 *     lease    length of the rest 4, then varints: id (zigzag), ttl, flags,
 *              deadline
 *     session  as session.c says
 *     user, role  as authbytes.c says
 *     record   length of the rest 4, then varints: main - that of the record
 *              before, sub, version; unless that is 0: main - create, and
 *              lease (zigzag); length of the key; key; value
 *     end      length 0, hash of the header 8
 */
enum { RKV_SNAPSHOT_HEADER = 120, RKV_SNAPSHOT_PREFIX_MAX = 120 };
extern const uint8_t rkv_snapshot_magic[8];

#endif
