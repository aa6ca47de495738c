/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/oracle/twin.h - a second opinion about the key-value state, written
 * from its description (raftkv-model(7)) and sharing nothing with lib/kv but
 * the public records.
 *
 * It is told every entry that any member applies, with what came of it there.
 * The first time it does the same itself and compares everything; when other
 * members apply that entry it compares with what it saw.  It forgets nothing:
 * compaction only moves a number, so it can say what was at any revision.
 */
#ifndef TEST_ORACLE_TWIN_H
#define TEST_ORACLE_TWIN_H

#include <raftkv/auth.h>

#include "verdict.h"

struct text {
    const uint8_t *bytes;
    size_t len;
};
struct span {
    struct text key;
    struct text end; /* empty: one key; the byte 0: no end */
};

struct twin_version {
    int64_t mod;
    int64_t create;
    int64_t version; /* 0: a deletion */
    int64_t lease;
    struct text value;
};

struct twin_key {
    struct text name;
    struct twin_version *versions; /* in order */
    size_t count;
    size_t cap;
};

/* All changes in order, those of one revision as its command made them. */
struct twin_change {
    struct twin_key *key;
    size_t at; /* which of its versions */
};

struct twin_lease {
    int64_t id;
    int64_t ttl;
    int64_t deadline;  /* 0: begins to run when the clock moves */
    bool is_owned;     /* goes with its last key */
    uint64_t renewals; /* a number for each time it was asked to live */
};

struct twin_session {
    uint64_t id;
    uint64_t sequence;
    struct rkv_result *last; /* what became of it, without items */
};

struct twin_role {
    struct text name;
    struct twin_permission {
        uint32_t access;
        struct span span;
    } * permissions;
    size_t count;
    size_t cap;
};

struct twin_user {
    struct text name;
    struct text password;
    struct text *roles; /* names */
    size_t count;
    size_t cap;
};

/* Of an operation, as bits in kinds. */
enum deed_kind {
    KIND_COMPARE = 1,
    KIND_PUT = 2,
    KIND_RANGE = 3,
    KIND_DELETE = 4,
    KIND_COMPACT = 8,
    KIND_GRANT = 9,
    KIND_REVOKE = 10,
    KIND_KEEP = 11,
    KIND_CLOCK = 12,
    KIND_AUTH = 16
};

/* What an entry was, and came to. */
struct twin_step {
    uint64_t command; /* digest of its bytes; 0: not a command */
    uint64_t answer;  /* digest of the result */
    uint64_t state;   /* the hash of the first member; 0: not told */
    int64_t revision; /* afterwards */
    int64_t compacted;
    int32_t status;
    uint32_t kinds; /* bit for each kind of operation in it */
    bool in_session;
};

struct twin {
    struct verdict *verdict;
    uint64_t first;   /* the index of steps[0] */
    uint64_t applied; /* the last index */
    int64_t revision;
    int64_t compacted;
    struct twin_step *steps;
    size_t steps_cap;
    struct twin_key **keys; /* in order */
    size_t keys_count;
    size_t keys_cap;
    struct twin_change *changes;
    size_t changes_count;
    size_t changes_cap;
    /* What is held after compaction, counted. */
    uint64_t live;
    uint64_t records;
    uint64_t bytes;
    struct twin_lease *leases; /* as granted */
    size_t leases_count;
    size_t leases_cap;
    uint64_t renewals;
    int64_t clock;
    uint64_t clock_term;
    int64_t quota;
    struct twin_session *sessions;
    size_t sessions_count;
    size_t sessions_cap;
    bool auth_enabled;
    uint64_t auth_revision;
    struct twin_user *users;
    size_t users_count;
    size_t users_cap;
    struct twin_role *roles;
    size_t roles_count;
    size_t roles_cap;
    struct arena kept;    /* bytes of all commands */
    struct arena scratch; /* of the command under way */
    struct twin_news {    /* of the command that was done last */
        uint64_t leases_ended;
        uint64_t leases_emptied; /* owned ones that lost their last key */
        uint64_t deleted;
        bool is_nested;
        bool was_denied;
    } news;
};

/* Everything up to index came before what it will be told. */
void twin_init(struct twin *twin, uint64_t index, struct verdict *verdict);
void twin_free(struct twin *twin);

/* Some member has applied an entry, with this result; with NULL, an entry
 * that is no command.  state: the hash of the whole state there. */
void twin_applied(struct twin *twin, uint64_t index, const void *command,
                  size_t len, const struct rkv_result *result, uint64_t state);
/* A member came to this index otherwise, by a snapshot. */
void twin_restored(struct twin *twin, uint64_t index, uint64_t state);
/* As in the steps. */
uint64_t twin_digest(const void *command, size_t len);
uint64_t twin_digest_answer(const struct rkv_result *result);
/* NULL: it is not known. */
const struct twin_step *twin_step(const struct twin *twin, uint64_t index);

/* What a member says whose state is at this revision, and which has compacted
 * up to there. */
void twin_check_range(struct twin *twin, int64_t revision, int64_t compacted,
                      const struct rkv_range *range,
                      const struct rkv_result *result);
/* What a member says that is as far as the twin: its sums; and all it can be
 * asked, every revision that can be read included. */
void twin_check_status(struct twin *twin, const struct rkv_kv_status *status);
void twin_check_all(struct twin *twin, rkv_kv *kv);
bool twin_permits(const struct twin *twin, struct text user, uint32_t access,
                  const struct span *span);

/* The version of a key as of a revision, or NULL: none yet. */
const struct twin_version *twin_at(const struct twin_key *key,
                                   int64_t revision);
/* NULL: there never was one. */
struct twin_key *twin_find(const struct twin *twin, struct text name);
struct twin_lease *twin_lease(const struct twin *twin, int64_t id);
int text_order(struct text a, struct text b);
bool span_holds(const struct span *span, struct text key);

#endif
