/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/explore.h - every run of a small group, breadth first.
 *
 * What happens here: the real step and drain of lib/raft, on a handful of
 * members whose every next move is tried: a message is delivered, or again, or
 * never; a timer runs out; a write becomes durable; a process dies.  States
 * that were seen, or differ only in the members' names, are not gone through
 * again.  What it promises: within a scope (scope.c) nothing is left out, and
 * what is found is the shortest way there.  What it needs: the inside of
 * lib/raft, to copy a core and to leave the clock to chance.  Where to start:
 * search.c, then soup.c.
 *
 *     actor     a core and its host, live, on memory that can be copied
 *     mirror    an actor as words, its members under other names
 *     book      every actor, message and outcome met so far, once
 *     ledger    what a group may never take back: leaders, committed entries
 *     state     who is what, what is on its way, what may still go wrong
 */
#ifndef RKV_TEST_EXPLORE_H
#define RKV_TEST_EXPLORE_H

#include <raftkv/raft.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    MEMBERS_MAX = 4,
    LOG_MAX = 12,
    TERMS_MAX = 5,
    WRITES_MAX = 4,
    SENT_MAX = 48,    /* messages from one input */
    LETTERS_MAX = 400 /* in one state */
};

/* ---- scopes ---- */

/* What may happen at most so often in one run. */
enum budget {
    PROPOSALS,
    CHANGES,
    CRASHES,
    LOSSES, /* crashes that take the disk along */
    READS,
    TRANSFERS,
    BUDGETS
};

struct scope {
    const char *name;
    const char *about;
    uint32_t members;
    uint32_t founders; /* the first configuration */
    uint32_t terms;
    uint8_t budget[BUDGETS];
    uint32_t flags;       /* of rkv_raft_options */
    bool is_rounds;       /* rounds.c; else soup.c */
    bool is_async;        /* a write becomes durable when it is its turn */
    bool is_lazy;         /* ... and a change is applied so */
    bool has_beats;       /* leaders send heartbeats */
    bool is_to_break;     /* the scope of a rule that does not hold */
    uint32_t short_depth; /* for who has ten seconds; 0: not then */
    uint32_t weight;      /* of the time that there is; 0: is to break */
    const uint32_t *menu; /* the changes, 0 at the end */
};

extern const struct scope scopes[];
extern const size_t scopes_count;

/* A change as the length of its entry, which is all that a core keeps. */
static inline uint32_t change_code(uint32_t op, uint64_t id)
{
    return op << 4 | (uint32_t)id;
}
/* Two at once: one comes, another goes. */
enum { CODE_SWAP = 0x800 };
static inline uint32_t swap_code(uint64_t in, uint64_t out)
{
    return CODE_SWAP | (uint32_t)in << 4 | (uint32_t)out;
}

/* ---- names ---- */

/* Another name for each member; 0, nobody, stays nobody. */
struct names {
    uint8_t to[MEMBERS_MAX + 1];
    uint8_t from[MEMBERS_MAX + 1];
};
enum { NAMES_MAX = 24 };
extern struct names names[NAMES_MAX]; /* the first changes nothing */
extern uint32_t names_count;
void names_find(const struct scope *scope);
uint32_t names_rename_len(const struct names *n, uint32_t kind, uint32_t len);

/* ---- actors ---- */

struct disk {
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint64_t last;
    uint64_t boot;
    uint64_t promised; /* as in a promise file: losing the disk leaves it */
    bool recovering;
    struct rkv_raft_entry log[LOG_MAX + 1]; /* by index */
};

struct write {
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint32_t count;
    bool is_recovered;
    struct rkv_raft_entry entries[LOG_MAX];
};

struct letter {
    struct rkv_raft_msg msg;
    struct rkv_raft_entry entries[LOG_MAX];
};

/* All that lives is here, at one address, so that a copy is a copy. */
struct actor {
    rkv_raft *core;
    uint64_t id;
    struct disk disk;
    struct write writes[WRITES_MAX]; /* under way, the oldest first */
    uint32_t writes_count;
    uint64_t committed;  /* was told so up to here */
    uint64_t read_index; /* the answer to a read ... */
    bool is_read;        /* ... that came with the last input */
    uint32_t sent_count;
    struct letter sent[SENT_MAX];
    const char *broken; /* a promise that does not hold, seen by its host */
};

enum move {
    MOVE_DELIVER,
    MOVE_TIMEOUT, /* a follower's or candidate's, or of a hand-over */
    MOVE_BEAT,    /* a leader's heartbeat is due */
    MOVE_PERSIST, /* the oldest write becomes durable */
    MOVE_APPLY,   /* a committed change is applied */
    MOVE_CRASH,   /* and starts again */
    MOVE_LOSE,    /* the same without its disk */
    MOVE_PROPOSE,
    MOVE_CHANGE,
    MOVE_READ,
    MOVE_TRANSFER
};

extern struct actor *const actor; /* the one that plays now */
void actor_found(const struct scope *scope, uint64_t id);
/* False: it would not, and nothing happened.  letter: for DELIVER; detail: a
 * length, a code, a member. */
bool actor_move(const struct scope *scope, enum move move,
                const struct letter *letter, uint32_t detail);
size_t actor_image_size(void);
void actor_save(void *image);
void actor_load(const void *image);

/* ---- mirror ---- */

uint64_t mirror_actor(const struct names *n);
uint64_t mirror_letter(const struct letter *l, const struct names *n);

/* ---- the book ---- */

/* What can be asked of an actor without waking it. */
struct face {
    uint64_t hash[NAMES_MAX];
    uint64_t digest; /* the core's own, which must agree with ours */
    void *image;
    uint64_t id;
    uint32_t role;
    uint64_t term;
    uint64_t commit;
    uint64_t applied;
    uint64_t last;
    uint64_t disk_last;
    uint64_t promised; /* it is in no term below this one ever again */
    uint32_t voters;   /* by id */
    uint32_t outgoing;
    bool is_recovering;
    bool has_writes;
    bool has_apply;  /* a change waits */
    bool is_leaving; /* or hands over: a timer runs */
    bool may_change; /* RKV_RAFT_NO_CHANGE_CHECK: as an impatient leader */
    struct rkv_raft_entry log[LOG_MAX + 1];
    uint64_t disk_terms[LOG_MAX + 1];
};

/* What one input makes of one actor. */
struct outcome {
    uint32_t next; /* face */
    uint32_t sent; /* first of sent_count letters in book_sent() */
    uint16_t sent_count;
    bool is_refused;
    bool is_read;
    uint64_t read_index;
    const char *broken;
};

void book_open(const struct scope *scope);
void book_close(void);
uint32_t book_found(uint64_t id);
const struct face *book_face(uint32_t face);
const struct letter *book_letter(uint32_t letter);
const uint64_t *book_letter_hash(uint32_t letter);
const uint32_t *book_sent(const struct outcome *o);
const struct outcome *book_outcome(uint32_t face, enum move move,
                                   uint32_t detail);
size_t book_memory(void);

/* ---- states ---- */

/* What was true once and must stay so. */
struct ledger {
    uint64_t leader_of[TERMS_MAX + 1];
    uint64_t last;                                /* committed up to here */
    struct rkv_raft_entry committed[LOG_MAX + 1]; /* by index */
    uint64_t by_term[LOG_MAX + 1]; /* of the leader that committed it */
    uint64_t read_floor;           /* committed when a read was asked */
};

struct state {
    uint32_t face[MEMBERS_MAX];
    uint32_t ledger;
    uint8_t left[8]; /* of the budgets */
    uint32_t letters_count;
    uint32_t letters[LETTERS_MAX];
};

/* ledger.c: what must hold; NULL, or the sentence that does not. */
void ledger_open(void);
void ledger_close(void);
uint32_t ledger_file(const struct ledger *l);
const struct ledger *ledger_at(uint32_t ledger);
const uint64_t *ledger_hash(uint32_t ledger);
/* A member has become another: the state is as it is now. */
const char *ledger_note(struct state *s, uint32_t at, uint32_t before,
                        const struct outcome *o);
/* Pairs of members, asked of states that are new. */
const char *ledger_compare(const struct state *s);

/* state.c: budgets and terms: what may this member do now? */
struct choice {
    enum move move;
    uint32_t detail;
};
enum { CHOICES_MAX = 32 };
uint32_t choices(const struct state *s, uint32_t at, struct choice *list);
/* Takes what it costs, and does it; false: nothing may come of it.  broken:
 * the sentence that does not hold any more. */
bool state_move(struct state *s, uint32_t at, struct choice choice,
                const struct outcome **out, const char **broken);
void state_begin(struct state *s);

/* ---- the search ---- */

/* Called with every step from one state to another, by its number; broken:
 * what does not hold in it. */
struct search;
typedef void taker(struct search *search, const struct state *to, uint32_t step,
                   const char *broken);
void soup_expand(struct search *search, const struct state *from, taker *take);
void rounds_expand(struct search *search, const struct state *from,
                   taker *take);

struct limits {
    uint32_t depth;   /* 0: none */
    uint32_t seconds; /* of processor time; 0: none */
    uint64_t megabytes;
};
struct found {
    uint64_t states;
    uint64_t steps;
    uint32_t depth;    /* gone through whole */
    bool is_exhausted; /* there is nothing more in this scope */
    const char *broken;
    uint32_t broken_at; /* steps that lead there */
    double seconds;
    uint64_t megabytes;
};
void search_run(const struct scope *scope, const struct limits *limits,
                struct found *found);

/* tell.c: a step in words; soup.c and rounds.c know what its number means. */
void soup_tell(const struct state *from, uint32_t step);
void rounds_tell(const struct state *from, uint32_t step);
void tell_move(uint32_t face, struct choice choice);
void tell_group(const struct state *s);

/* The scope that is gone through. */
extern const struct scope *here;

#endif
