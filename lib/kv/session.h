/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/session.h - sessions: what became of the last command of each client,
 * so that one that comes again is answered and not done again (thesis 6.3).
 */
#ifndef RKV_KV_SESSION_H
#define RKV_KV_SESSION_H

#include <raftkv/kv.h>
#include <stdbool.h>

#include "../base/bytes.h"
#include "../base/map.h"

/* What no option can exceed: part of the format.  Of a command with more
 * responses than that the outcome alone is remembered. */
enum { RKV_SESSIONS_MAX = 10000, RKV_SESSION_RESPONSES = 128 };

/* A response without what it showed. */
struct rkv_answer {
    uint32_t kind;
    uint32_t more;
    uint64_t count;
    int64_t revision;
    int64_t lease;
    int64_t ttl;
    uint64_t session;
};

struct rkv_session {
    uint64_t id;       /* the index of the command that opened it */
    uint64_t used;     /* that of its last command */
    uint64_t sequence; /* of that; 0: there was none */
    uint64_t hash;
    int32_t status;
    uint32_t succeeded;
    int64_t revision;
    int64_t compacted;
    struct rkv_answer *answers;
    size_t answers_cap;
    size_t answers_count;
    struct rkv_session *prev; /* in the order of use */
    struct rkv_session *next;
};

struct rkv_sessions {
    const struct rkv_allocator *allocator;
    struct rkv_map ids;
    struct rkv_session *first;
    struct rkv_session *last;
    uint64_t count;
    uint64_t hash; /* of all of them */
};

void rkv_sessions_init(struct rkv_sessions *sessions,
                       const struct rkv_allocator *a);
void rkv_sessions_free(struct rkv_sessions *sessions);
struct rkv_session *rkv_sessions_find(const struct rkv_sessions *sessions,
                                      uint64_t id);
/* Of too many the one goes that was not used for longest.  RKV_OK or
 * RKV_ENOMEM. */
int rkv_sessions_open(struct rkv_sessions *sessions, uint64_t index);
/* The command at this index came to result.  RKV_OK or RKV_ENOMEM. */
int rkv_sessions_keep(struct rkv_sessions *sessions,
                      struct rkv_session *session, uint64_t index,
                      uint64_t sequence, const struct rkv_result *result);
uint64_t rkv_sessions_rehash(const struct rkv_sessions *sessions);
/* All of them as pieces of a snapshot, and one piece read: RKV_OK,
 * RKV_ENOMEM, RKV_EMALFORMED. */
void rkv_sessions_write(const struct rkv_sessions *sessions,
                        struct rkv_buffer *out);
int rkv_sessions_read(struct rkv_sessions *sessions, const void *data,
                      size_t len);

#endif
