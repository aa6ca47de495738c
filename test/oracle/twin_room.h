/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/oracle/twin_room.h - what the files of the twin share: a command as it
 * was read, and what it comes to.
 */
#ifndef TEST_ORACLE_TWIN_ROOM_H
#define TEST_ORACLE_TWIN_ROOM_H

#include "twin.h"

enum deed {
    DEED_COMPARE = 1,
    DEED_PUT = 2,
    DEED_RANGE = 3,
    DEED_DELETE = 4,
    DEED_ELSE = 5,
    DEED_TXN = 6,
    DEED_END = 7,
    DEED_COMPACT = 8,
    DEED_GRANT = 9,
    DEED_REVOKE = 10,
    DEED_KEEP = 11,
    DEED_CLOCK = 12,
    DEED_QUOTA = 13,
    DEED_OPEN = 14,
    DEED_SESSION = 15,
    DEED_AUTH = 16,
    DEED_USER_ADD = 17,
    DEED_USER_DELETE = 18,
    DEED_USER_PASSWORD = 19,
    DEED_USER_GRANT = 20,
    DEED_USER_REVOKE = 21,
    DEED_ROLE_ADD = 22,
    DEED_ROLE_DELETE = 23,
    DEED_ROLE_GRANT = 24,
    DEED_ROLE_REVOKE = 25,
    DEED_USER = 26
};

/* One operation; of a transaction, its own lists. */
struct operation {
    enum deed deed;
    uint32_t flags;
    uint32_t target;
    uint32_t relation;
    uint32_t sort;
    uint32_t order;
    struct span span; /* of users and roles: the name is span.key */
    struct text value;
    int64_t number; /* to compare with, revision, bytes, time */
    int64_t limit;
    int64_t offset;
    int64_t lease;
    int64_t ttl;
    int64_t min_mod, max_mod, min_create, max_create;
    uint64_t term;
    uint32_t access;
    struct transaction *txn;
};

struct list {
    struct operation *ops;
    size_t count;
    size_t cap;
};

struct transaction {
    struct list compares;
    struct list sides[2]; /* then, else */
    int side;             /* which one runs */
};

struct command {
    struct text user; /* empty: none */
    uint64_t auth_revision;
    uint64_t session; /* 0: none */
    uint64_t sequence;
    struct transaction txn;  /* of a command that is one */
    struct operation *alone; /* else: all of them, mostly one */
    size_t alone_count;
};

/* twin_command.c: NULL, or what is wrong with the bytes. */
const char *command_read(struct arena *arena, const void *bytes, size_t len,
                         struct command *out);

/* twin_answer.c: results, compared field by field; index 0: of a range that
 * no command asked. */
void answers_differ(struct verdict *verdict, uint64_t index,
                    const struct rkv_result *ours,
                    const struct rkv_result *theirs);
struct rkv_result *answer_without_items(struct arena *arena,
                                        const struct rkv_result *result);

/* twin_range.c */
struct rkv_item item_of(const struct twin_key *key,
                        const struct twin_version *version, bool with_value);
void range_answer(struct twin *twin, const struct operation *op,
                  int64_t revision, struct rkv_response *out);
bool is_live(const struct twin_version *version);
size_t first_key(const struct twin *twin, const struct span *span);

/* twin_txn.c: a status, and what it comes to. */
int32_t txn_run(struct twin *twin, struct transaction *txn,
                const struct rkv_result *theirs, struct rkv_result *out);
void twin_change_key(struct twin *twin, struct text name,
                     const struct twin_version *version);
void twin_delete_key(struct twin *twin, struct twin_key *key, int64_t revision);
bool twin_is_full(const struct twin *twin);

/* twin_lease.c */
int32_t lease_run(struct twin *twin, const struct command *command,
                  const struct rkv_result *theirs, struct rkv_result *out);
bool lease_is_free(const struct twin *twin, int64_t id);
void lease_grant(struct twin *twin, int64_t id, int64_t ttl, bool is_owned);
uint64_t lease_keys(const struct twin *twin, int64_t id);
void leases_tidy(struct twin *twin);

/* twin_auth.c */
int32_t auth_permits(const struct twin *twin, const struct command *command);
int32_t auth_run(struct twin *twin, const struct operation *op);

#endif
