/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/stage.h - members on a stage: real cores, the disks and the
 * state machines they drive, and one queue of messages between them.  Nothing
 * moves unless a directive says so.
 *
 * One turn of a member (stage_turn) is what a host does once: take what the
 * core has to say, write it, say so, send what follows from that, and apply.
 * What the core says because of the applying waits for the next turn.
 */
#ifndef RKV_TEST_STAGE_H
#define RKV_TEST_STAGE_H

#include <raftkv/raft.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    STAGE_MEMBERS_MAX = 16,
    STAGE_TEXT_MAX = 512,
    STAGE_ELECTION_TICKS = 3,
    STAGE_HEARTBEAT_TICKS = 1
};

/* What an entry means to those on the stage: text to append to the state, or
 * a change of the configuration, "v2 r1". */
struct stage_item {
    uint64_t index;
    uint64_t term;
    uint32_t kind;
    uint32_t transition; /* RKV_CHANGE_AUTO, ... */
    uint64_t proposer;   /* whose client waits for it */
    bool is_v1;
    char text[STAGE_TEXT_MAX];
};

struct stage_log {
    uint64_t base;
    uint64_t base_term;
    uint64_t last;
    struct rkv_raft_entry *entries; /* of base + 1 ... last */
    size_t cap;
};

/* A state: what was applied, and by whom it is agreed on. */
struct stage_state {
    uint64_t index;
    uint64_t term;
    uint32_t members_count;
    struct rkv_raft_member members[RKV_MEMBERS_MAX];
    char content[STAGE_TEXT_MAX];
};

/* A message, or a proposal on its way to the leader. */
enum { STAGE_KIND_PROPOSAL = 1000 };
struct stage_packet {
    struct rkv_raft_msg msg;  /* its entries are this packet's own */
    struct stage_item item;   /* PROPOSAL */
    struct stage_state state; /* msg of kind SNAPSHOT: as it was when sent */
};

/* One write: entries that replace a tail, term, vote and commit. */
struct stage_write {
    uint64_t token;
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint32_t count;
    bool is_restore;
    struct rkv_raft_entry *entries;
    struct stage_state state;
};

/* Committed entries that are applied at one go. */
struct stage_batch {
    struct rkv_raft_entry *entries;
    size_t count;
};

/* What the core said and its host has not seen to. */
struct stage_ready {
    struct stage_write *writes;
    size_t writes_count;
    struct rkv_raft_entry *committed;
    size_t committed_count;
    struct stage_packet *packets;
    size_t packets_count;
    bool is_news;
    uint32_t role;
    uint64_t leader;
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
};

struct stage_options {
    struct stage_state state; /* what they begin with; index 0: nothing */
    uint32_t flags;           /* of rkv_raft_options */
    uint32_t inflight;
    uint32_t quiet_ticks; /* 0: it never sleeps */
    uint64_t apply_bytes;
    bool is_async;
    bool is_idle_on_forget;
    bool is_etcd; /* what etcd does when a change may not be made */
};

struct stage_member {
    uint64_t id;
    rkv_raft *core;
    uint64_t now;
    bool is_async;
    bool is_idle_on_forget; /* forget-leader is nothing to it */
    uint64_t apply_bytes;   /* of committed entries in one turn; 0: all */
    struct stage_log log;   /* all it took */
    struct stage_log disk;  /* all it kept */
    uint64_t disk_term;
    uint64_t disk_vote;
    uint64_t disk_commit;
    uint64_t boots;
    struct stage_state state;
    struct stage_state snapshot; /* what the log on disk goes on from */
    struct stage_state incoming; /* the last snapshot it was sent */
    struct stage_ready ready;
    struct stage_write *writes; /* asynchronous, under way */
    size_t writes_count;
    struct stage_batch *applies; /* asynchronous, under way */
    size_t applies_count;
    struct rkv_raft_entry *applied; /* or about to be: every entry, in order */
    size_t applied_count;
    struct stage_options options;
    /* As of its last turn. */
    uint32_t role;
    uint64_t leader;
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
};

struct stage {
    struct stage_member members[STAGE_MEMBERS_MAX];
    size_t count;
    struct stage_packet *packets;
    size_t packets_count;
    struct stage_item *items;
    size_t items_count;
    size_t refused; /* changes that a leader did not take */
    bool is_cut[STAGE_MEMBERS_MAX + 1][STAGE_MEMBERS_MAX + 1];
    bool is_telling;
    char told[16384];           /* what happened, a line each */
    char fault[STAGE_TEXT_MAX]; /* what may never happen, and did */
};

void stage_init(struct stage *s);
void stage_free(struct stage *s);
int stage_add(struct stage *s, const struct stage_options *options);
struct stage_member *stage_member(struct stage *s, uint64_t id);

/* Inputs; the code that the core answered. */
int stage_input(struct stage_member *m, struct rkv_raft_in in);
int stage_tick(struct stage_member *m, uint64_t ticks);
/* At a leader, or on its way to the one that this member knows. */
int stage_propose(struct stage *s, struct stage_member *m,
                  const struct stage_item *item);
void stage_forget_leader(struct stage_member *m);
void stage_set_timeout(struct stage_member *m, uint64_t ticks);
void stage_compact(struct stage_member *m, uint64_t index);
/* Stops a member; what was not written is lost, and so is its state, which
 * follows from the snapshot and the log when it starts again. */
void stage_crash(struct stage *s, struct stage_member *m);
int stage_start(struct stage *s, struct stage_member *m);
void stage_send_snapshot(struct stage *s, struct stage_member *from,
                         struct stage_member *to);

/* True: there was something to do. */
bool stage_is_ready(struct stage *s, struct stage_member *m);
void stage_turn(struct stage *s, struct stage_member *m);
bool stage_write_one(struct stage *s, struct stage_member *m);
bool stage_apply_one(struct stage *s, struct stage_member *m);

/* Hands over what is queued for this member, of one kind or (0) of all; or
 * throws it away. */
size_t stage_deliver(struct stage *s, uint64_t to, uint32_t kind, bool drop);

/* stage_change.c: what "v2 r1" means to the core. */
struct stage_changes {
    struct rkv_raft_change list[RKV_CHANGES_MAX];
    uint32_t count;
};
/* RKV_CHANGE_*, by its last word in small letters. */
uint32_t stage_transition(const char *name);
void stage_parse_changes(const char *text, struct stage_changes *changes);
int stage_propose_change(struct stage_member *m, const struct stage_item *item,
                         struct rkv_raft_in in);
/* A change as committed, NULL: one the core made itself. */
int stage_configure(struct stage_member *m, uint64_t index,
                    const struct stage_item *item);
/* "voters=(1 2)&&(1) learners=(3) autoleave" */
void stage_config(const struct stage_member *m, char *text, size_t size);

bool stage_is_voter(const struct stage_member *m);

/* tell.c: what happens on the stage, in words. */
void tell(struct stage *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *tell_role(uint32_t role);
void tell_log(struct stage *s, const struct stage_member *m);
void tell_packet(struct stage *s, const struct stage_packet *packet,
                 const char *fate);
void tell_write(struct stage *s, const struct stage_member *m,
                const struct stage_write *write);
void tell_turn(struct stage *s, const struct stage_member *m,
               const struct stage_ready *ready);
void tell_applied(struct stage *s, const struct stage_member *m,
                  const struct rkv_raft_entry *entry);
void tell_read(struct stage *s, const struct stage_member *m,
               const struct rkv_raft_read *read);

const struct stage_item *stage_item(const struct stage *s, uint64_t index,
                                    uint64_t term);
const struct rkv_raft_entry *stage_entry(const struct stage_log *log,
                                         uint64_t index);

#endif
