/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/lives.h - what a member knows of the others' lives: on which store
 * each was when it was last met, and in which start.  Promises are kept where
 * starts are counted, so who comes back with another store, or with an earlier
 * start, has lost what it promised, and must neither vote nor acknowledge.
 *
 * As text, for a file:
 *
 *     raftkvd peers 1
 *     cluster 3a3a9e5fc5467bb
 *     a0f920b66b4aa6c2 7 00112233445566778899aabbccddeeff    id start store
 *     sum 8c1d5b0f93a2e647                                   of all above
 */
#ifndef SERVER_LIVES_H
#define SERVER_LIVES_H

#include <raftkv/base.h>
#include <stdbool.h>

#include "../common/buffer.h"

enum {
    INCARNATION_BYTES = 16,
    INCARNATION_TEXT = 2 * INCARNATION_BYTES + 1,
    LIVES_TEXT_MAX = 8192
};

struct life {
    uint64_t id;
    uint64_t boot; /* which start; 0: it was never met */
    uint8_t incarnation[INCARNATION_BYTES]; /* of its store */
};

/* Who was met last is last. */
struct lives {
    struct life list[RKV_MEMBERS_MAX];
    size_t count;
};

/* Its life as last met; all but the id is zero when it never was. */
struct life lives_of(const struct lives *lives, uint64_t id);
/* True: that was news.  When there are too many, who was not met for longest
 * is forgotten. */
bool lives_meet(struct lives *lives, const struct life *life);
/* True: it was known. */
bool lives_forget(struct lives *lives, uint64_t id);

/* How what a member says it is goes together with what is known of it. */
enum life_verdict { LIFE_FITS, LIFE_WIPED, LIFE_OLDER };
enum life_verdict life_judge(const struct life *known, const struct life *said);

void incarnation_text(const uint8_t incarnation[INCARNATION_BYTES],
                      char out[INCARNATION_TEXT]);

void lives_write(const struct lives *lives, uint64_t cluster,
                 struct buffer *out);
/* The text ends with a zero.  0, or -1 with nothing known and a sentence in
 * error (128 bytes). */
int lives_read(struct lives *lives, uint64_t cluster, const char *text,
               size_t len, char *error);

#endif
