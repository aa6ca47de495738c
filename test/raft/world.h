/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/raft/world.h - a few cores, the network between them and their disks,
 * all under a test's hand: a message is delivered, lost, repeated or late
 * when the test says so, a write becomes durable when it says so, and a crash
 * loses what was not.  Every promise is checked against the disk of the one
 * who makes it, every committed entry against what was committed before.
 */
#ifndef RKV_TEST_RAFT_WORLD_H
#define RKV_TEST_RAFT_WORLD_H

#include <raftkv/raft.h>
#include <stdbool.h>

#include "base/prng.h"

enum { NODES_MAX = 8, LOG_MAX = 6000, LEADERS_MAX = 4000, STEPS_MAX = 4 };

/* What a payload is to the test: a number nobody else uses, and for a
 * configuration the changes it stands for. */
struct item {
    uint64_t term;
    uint64_t content;
    uint32_t kind;
    uint32_t len;
    uint32_t changes_count;
    uint32_t transition;
    struct rkv_raft_change changes[STEPS_MAX];
};

struct packet {
    struct rkv_raft_msg msg;
    struct rkv_raft_entry *entries;
    struct item *items;
};

struct write {
    uint64_t token;
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint64_t first;
    uint32_t count;
    bool recovered;
    struct item *items;
};

struct snapshot {
    uint64_t index;
    uint64_t term;
    uint32_t count;
    struct rkv_raft_member members[NODES_MAX];
};

struct disk {
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint64_t last;
    struct snapshot snapshot;
    bool recovering;
    uint64_t promised;
    uint64_t boot;
    struct item *log;
};

struct node {
    uint64_t id;
    rkv_raft *raft;   /* NULL: down */
    struct item *log; /* by index: the bytes a host would keep */
    struct disk disk;
    struct write *writes; /* handed out, not yet durable */
    uint32_t writes_count;
    uint64_t committed; /* handed out up to here */
    uint64_t applied;
    struct snapshot config;      /* members as of applied */
    struct rkv_raft_read *reads; /* answered */
    uint32_t reads_count;
    uint64_t restore_index;
    uint64_t restore_from;
    bool restore_wanted;
    uint64_t deadline;
    uint64_t grants; /* vote grants sent */
};

struct world {
    struct node nodes[NODES_MAX]; /* node i has id i + 1 */
    uint32_t count;
    uint64_t now;
    uint64_t seed;
    struct rkv_prng prng;
    struct packet *packets;
    uint32_t packets_count;
    uint32_t packets_cap;
    uint64_t contents; /* the last number given out */
    struct item committed[LOG_MAX];
    uint64_t committed_last;
    uint64_t leader_of[LEADERS_MAX];          /* by term */
    uint64_t vote_of[NODES_MAX][LEADERS_MAX]; /* granted, by term */
    uint64_t reads;            /* asked by world_read_point, the last token */
    uint64_t read_floor[1024]; /* committed when it was asked, by token */
    struct rkv_raft_options options;
    struct rkv_allocator allocator;
    uint64_t allocations;
    bool cut[NODES_MAX + 1];       /* by id: its messages are lost */
    bool hold_disk[NODES_MAX + 1]; /* pump leaves its writes alone */
    bool hold_apply[NODES_MAX + 1];
    bool manual_drain;
    char failure[256]; /* the first thing that must not be */
};

/* voters 1 ... count, of nodes_count nodes; the others know of nobody. */
struct world *world_new(uint32_t nodes_count, uint32_t voters, uint64_t seed);
struct world *world_new_with(uint32_t nodes_count, uint32_t voters,
                             uint64_t seed,
                             const struct rkv_raft_options *options);
void world_free(struct world *w);
struct node *world_node(struct world *w, uint64_t id);

/* One input, its invariants checked; then a drain, unless manual_drain. */
int world_step(struct world *w, uint64_t id, struct rkv_raft_in in);
void world_drain(struct world *w, uint64_t id);
int world_tick(struct world *w, uint64_t id);
int world_propose(struct world *w, uint64_t id, uint32_t count, uint32_t len);
int world_change(struct world *w, uint64_t id, uint32_t op, uint64_t member);
int world_change_all(struct world *w, uint64_t id, uint32_t transition,
                     uint32_t count, const struct rkv_raft_change *changes);
/* Ends a joint configuration. */
int world_leave(struct world *w, uint64_t id);
int world_read(struct world *w, uint64_t id, uint64_t token);
/* The same with a token of its own; the answer is checked: it must not lie
 * before anything that was committed when it was asked. */
int world_read_point(struct world *w, uint64_t id);
int world_campaign(struct world *w, uint64_t id);
int world_transfer(struct world *w, uint64_t id, uint64_t to);
int world_receive(struct world *w, uint64_t id, const struct rkv_raft_msg *msg);

/* The oldest write becomes durable; false: there is none. */
bool world_persist(struct world *w, uint64_t id);
/* All of them do, and one report says so. */
bool world_persist_all(struct world *w, uint64_t id);
/* Applies what is committed; returns how many. */
uint32_t world_apply(struct world *w, uint64_t id);
/* The host takes a snapshot at what it applied, and forgets the log. */
void world_compact(struct world *w, uint64_t id, uint64_t keep);
/* Fetches and installs what the core wants; false: it wants nothing, or the
 * other has no such snapshot. */
bool world_restore(struct world *w, uint64_t id);

bool world_deliver(struct world *w, uint32_t at);
void world_lose(struct world *w, uint32_t at);
void world_repeat(struct world *w, uint32_t at);
/* Loses all packets of a kind (0: all) to or from (0: anyone). */
uint32_t world_lose_kind(struct world *w, uint32_t kind, uint64_t from,
                         uint64_t to);
/* The first packet under way like that, or NULL. */
struct packet *world_find(struct world *w, uint32_t kind, uint64_t from,
                          uint64_t to);
uint32_t world_count_kind(struct world *w, uint32_t kind, uint64_t from,
                          uint64_t to);
/* Delivers one such packet; false: there is none. */
bool world_deliver_kind(struct world *w, uint32_t kind, uint64_t from,
                        uint64_t to);

/* Keeps `done` of its writes under way, loses the others and the core. */
void world_crash(struct world *w, uint64_t id, uint32_t done);
void world_start(struct world *w, uint64_t id);

/* Delivers, persists and applies until nothing is left to do. */
void world_pump(struct world *w);
/* Lets time pass, ticking whoever is due and pumping. */
void world_pass(struct world *w, uint64_t ticks);
void world_elect(struct world *w, uint64_t id);
uint64_t world_leader(struct world *w);
struct rkv_raft_status world_status(struct world *w, uint64_t id);
struct rkv_raft_peer world_peer(struct world *w, uint64_t id, uint64_t peer);

/* Compares all logs, up and down. */
void world_compare(struct world *w);
/* Fails the test, with the seed, if anything went wrong so far. */
void world_check(struct world *w);

#endif
