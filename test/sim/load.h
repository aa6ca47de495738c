/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/load.h - clients: what they ask of which member, what they are
 * answered, and what they remember to ask the next time.
 */
#ifndef TEST_SIM_LOAD_H
#define TEST_SIM_LOAD_H

#include "oracle/watcher.h"
#include "world.h"

enum {
    CLIENTS = 12,
    KEYS = 40,
    STREAMS = 6,
    LEASES_KNOWN = 12,
    COMMAND_BYTES = 16 << 10
};

enum ask_kind { ASK_COMMAND, ASK_READ, ASK_CHANGE, ASK_TRANSFER };

/* One request, known by its place, which is its token. */
struct ask {
    enum ask_kind kind;
    uint32_t member;
    uint32_t client;  /* CLIENTS: an operator */
    uint32_t outcome; /* 0: open */
    uint32_t answers;
    bool is_follower; /* another member led, as far as this one knew */
    bool is_leaderless;
    uint64_t asked; /* moments */
    uint64_t digest;
};

struct client {
    uint32_t member;    /* whom it asks, as long as that is up */
    uint32_t waiting;   /* requests without an answer */
    uint32_t most;      /* of them */
    int64_t seen[KEYS]; /* mod revision of each key, as it knows it */
    /* One that wants everything exactly once. */
    bool in_session;
    uint64_t session;
    uint64_t sequence;
    bool is_owed; /* the command below was not answered as done */
    size_t len;
    uint8_t command[COMMAND_BYTES];
};

/* One that watches. */
struct stream {
    struct watcher watcher;
    bool has_begun;
    uint32_t member;
    uint64_t life; /* names its watch for the member */
    uint64_t opens_at;
    uint32_t last_member;
    char keys[WATCHER_SPANS][2][8];
};

struct load {
    struct ask *asks;
    size_t asks_count;
    size_t asks_cap;
    uint64_t moment;
    struct client clients[CLIENTS];
    struct stream streams[STREAMS];
    uint64_t lives; /* of watches */
    int64_t leases[LEASES_KNOWN];
    uint64_t leases_count; /* all that were granted */
    uint32_t weights[32];  /* of what is asked, by its kind */
    uint32_t weights_sum;
    bool has_users;
    uint32_t users_step;
    rkv_txn *txn;
    char value[4096];
};

/* load.c: the command in the pen goes to a member. */
int load_propose(struct world *w, uint32_t client, uint32_t at);
/* What operators ask. */
int load_reconfigure(struct world *w, uint32_t at,
                     const struct rkv_change *steps, uint32_t count,
                     uint32_t transition);
void load_transfer(struct world *w, uint32_t at, uint64_t to);
uint64_t load_below(struct world *w, uint64_t bound);

/* command.c.  One put; the command lasts as long as txn, which is for the
 * caller to free in any case. */
int encode_put(const char *key, const char *value, rkv_txn **txn,
               const void **command, size_t *len);
void commands_draw(struct world *w);
void command_ask(struct world *w, uint32_t client, uint32_t at);
void command_learn(struct world *w, uint32_t client,
                   const struct rkv_result *result);
void command_retry(struct world *w, uint32_t client, uint32_t at);

/* operate.c */
void operate_leases(struct world *w);

/* reading.c */
void reading_look(struct world *w, uint32_t at);

/* watching.c */
void watching_ask(struct world *w);
void watching_told(struct world *w, uint32_t at,
                   const struct rkv_change_event *event);
void watching_restored(struct world *w, uint32_t at);
void watching_ended(struct world *w, uint32_t at);
/* All that is open knows everything. */
void watching_finish(struct world *w);

#endif
