/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/core.h - what the files of this room share: the state of one
 * member, with what must hold of it next to each field, and the functions
 * the topics offer each other.
 *
 * What happens here: Raft as a pure step function.  What it promises: no
 * input from outside is trusted, none is half taken, nothing is promised to
 * another member before the disk holds it.  What it needs: base alone.  Where
 * to start: the two switches in raft.c, then drain.c.
 */
#ifndef RKV_RAFT_CORE_H
#define RKV_RAFT_CORE_H

#include <raftkv/trace.h>
#include <assert.h>
#include <stdbool.h>

#include "../base/alloc.h"
#include "../base/prng.h"
#include "config.h"
#include "quorum.h"
#include "trail.h"

enum {
    KEPT_FOR_NOOP = 8,
    /* At most; members with small windows have less of each. */
    TOKENS_MAX = 64, /* persists under way; a power of two */
    OUTBOX_MAX = 32, /* answers to members that wait for a drain */
    READS_PER_DRAIN = 128,
    RUNS_MAX = 8,
    BEATS_KEPT = 16 /* heartbeats whose answers may still found a lease */
};

/* Terms and indexes stay below this, so sums of two never wrap. */
#define NUMBER_LIMIT (UINT64_C(1) << 62)

/* A message of ours under way: its last index and payload bytes. */
struct flight {
    uint64_t last;
    uint64_t bytes;
};

/* What the leader knows of another member (thesis 10.2.1).
 *   match < next;  inflight_count <= inflight_max;
 *   PROBE: at most one message until an answer (paused). */
struct peer {
    uint64_t id;
    uint64_t match;       /* verified against us and durable there */
    uint64_t next;        /* the next entry to send */
    uint64_t sent_commit; /* the largest commit it was told, as far as it
                             could use it */
    uint64_t round;       /* the read round it confirmed */
    uint64_t lease_round; /* ... and promised not to vote from then on */
    uint64_t boot;        /* the newest start of it we heard of */
    uint64_t heard;
    uint64_t stated_boot; /* recovering: the start we stated to ... */
    uint64_t stated_last; /* ... that this was our last index */
    uint64_t snapshot_at; /* SNAPSHOT: since when */
    uint64_t inflight_bytes;
    uint32_t inflight_head; /* free running; masked when used */
    uint32_t inflight_tail;
    uint32_t progress;
    uint32_t priority;
    bool never_leads;
    bool paused; /* sends nothing until an answer */
    bool full;   /* said it has no room: wait for a heartbeat reply */
    bool check;  /* send an append even when there is nothing to send */
    struct flight *window;
};

/* Read rounds that began with a heartbeat, and when. */
struct beat {
    uint64_t round;
    uint64_t at;
};

/* What a persist token stands for. */
struct token {
    uint64_t index; /* entries up to here are durable with it */
    uint64_t term;
    uint64_t vote;
    uint64_t at; /* handed out */
};

/* A read waiting for its point.  [head, ready) are decided, [ready, assigned)
 * belong to a round under way, [assigned, tail) wait for one. */
struct read {
    uint64_t token; /* local: the host's; of a peer: its round */
    uint64_t from;  /* 0: local */
    uint64_t round;
    uint64_t index;
    int32_t status;
    uint32_t reserved;
};

struct reads {
    struct read *ring;
    uint32_t mask;
    uint32_t max;
    uint32_t head;
    uint32_t ready;
    uint32_t assigned;
    uint32_t tail;
};

/* Entries listed in this drain, as records: several messages and the append
 * list may point into one run. */
struct run {
    uint64_t first;
    uint64_t end; /* one past the last index */
    const struct rkv_raft_entry *records;
};

/* Everything an input may set running; kept apart so that an input that is
 * refused can put them back. */
struct timers {
    uint64_t from;      /* the election timeout counts from here */
    uint64_t timeout;   /* drawn from [election_ticks, 2 election_ticks) */
    uint64_t heard;     /* a follower: its leader's last sign of life; without
                           one, since when */
    uint64_t heartbeat; /* leader: the next heartbeat */
    uint64_t quorum;    /* leader: the next look at who is there */
    uint64_t transfer;  /* leader: when a hand-over is given up, or one that
                           was removed waits no longer */
    uint64_t promise;   /* leases: no vote before this tick ... */
    uint64_t fence;     /* ... nor before this one, after a start */
    uint64_t awake;     /* since this tick time was seen to pass */
    uint64_t pause_at;  /* a now from here on: the process was paused; 0:
                           no clock seen yet; UINT64_MAX: nothing drained
                           since the last restart */
};

/* Replies a follower owes its leader, worked out when drained. */
enum {
    OWE_ACK = 1u << 0, /* even if it is no news */
    OWE_REJECT = 1u << 1,
    OWE_HEARTBEAT = 1u << 2,
    OWE_VOTE = 1u << 3,
    OWE_TRANSFER = 1u << 4, /* hand the wish on to the leader */
    OWE_READS = 1u << 5,    /* ask the leader again */
    OWE_WANT = 1u << 6,     /* ask it for a snapshot */
    OWED_RARELY = OWE_REJECT | OWE_HEARTBEAT | OWE_TRANSFER | OWE_WANT
};

/* Records of what happened; [head, count) wait to be pulled. */
struct seen {
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint64_t last;
    uint32_t role; /* 0: nothing yet */
};

struct traces {
    struct rkv_raft_trace *ring; /* NULL: none wanted */
    uint64_t head;
    uint64_t count;
    uint32_t max;
    struct seen seen;
    struct rkv_raft_trace given;
};

struct rkv_raft {
    uint64_t now;
    uint32_t role;
    bool failed; /* a persist failed: nothing is ever promised again */
    bool check_quorum;
    bool prevote;
    bool watched; /* it sleeps, or keeps records: look after each step */
    bool fresh;   /* before the first step and drain: load is allowed */

    /* applied <= emitted <= commit <= last, first - 1 <= applied. */
    uint64_t id;
    uint64_t term;
    uint64_t vote;
    uint64_t leader; /* 0: unknown; own id exactly while leading */
    uint64_t commit;
    uint64_t emitted; /* handed out as committed up to here */
    uint64_t applied;
    struct trail trail;

    /* The disk.  durable <= handed <= last.  Outstanding tokens are those
     * above token_done; their indexes do not fall and lie between durable
     * and handed. */
    uint64_t durable;
    uint64_t durable_term;
    uint64_t durable_vote;
    uint64_t handed; /* entries given to persist up to here */
    uint64_t handed_term;
    uint64_t handed_vote;
    uint64_t token_last;
    uint64_t token_done;

    /* A follower, with the leader of this term.  All are forgotten when the
     * term changes. */
    uint64_t verified; /* equal to the leader's log up to here */
    uint64_t acked;    /* told the leader so */
    uint32_t owed;
    bool ack_full; /* the last append did not fit whole */
    uint64_t reject_index;
    uint64_t reject_hint;
    uint64_t reject_hint_term;
    uint64_t heartbeat_round;
    uint64_t grant_index; /* OWE_VOTE: the last entry of the request */
    uint64_t grant_log_term;
    uint64_t wished; /* OWE_TRANSFER: to whom */
    bool wants;      /* a snapshot, though the log reaches far enough */
    bool quiet;      /* waits for nothing; any role but a candidate's */
    bool agrees;     /* the heartbeat's answer is to say so */
    bool summoned;   /* told to campaign, with a change still to apply */
    uint64_t summoned_at;
    uint64_t slept_at; /* fell asleep last; 0: it never did */

    /* A candidate, by slot of peers.  Its own vote is no bit of granted: it
     * counts from when it is durable. */
    uint64_t granted;
    uint64_t rejected;
    uint64_t ask; /* a vote request is to be sent */
    bool force;   /* campaigns on a transfer */

    /* A leader, by slot of peers. */
    uint64_t term_start;        /* its no-op; nothing commits before it */
    uint64_t active;            /* heard from since the last look */
    uint64_t serve;             /* there may be something to append there */
    uint64_t beat;              /* a heartbeat is to be sent */
    uint64_t hurry;             /* TIMEOUT_NOW is to be sent */
    uint64_t transferee;        /* id; 0: none */
    uint64_t uncommitted_bytes; /* of entries of this term */
    bool lease_void;            /* a hand-over was begun in this term */
    uint32_t beats_count;
    struct beat beats[BEATS_KEPT];
    bool leaving; /* no voter any more: steps down when others know it */
    uint64_t leave_index;
    uint64_t leave_round;
    bool resting;       /* heartbeats ask whether to be quiet */
    uint64_t agreed;    /* by slot: who would */
    uint64_t idle_last; /* the last index, and since when it is */
    uint64_t idle_at;
    uint64_t stall_at; /* not before this tick is a stalled disk a reason */

    struct timers timers;
    uint64_t read_round;
    uint64_t read_base; /* added to rounds asked of a leader: no earlier start
                           of ours asked any from here on */
    struct reads reads;

    uint64_t capacity; /* bytes of payload the disk has room for */

    /* A snapshot the host was asked to fetch: the log stands still. */
    uint64_t restore_index; /* 0: none */
    uint64_t restore_term;
    uint64_t restore_from;
    bool restore_told;

    /* The store lost commits (raftkv-design(7)). */
    uint64_t boot;
    bool recovering;
    bool recover_stated; /* recover_last is the leader's word to this boot */
    bool recovered;      /* reached it; the mark is to be cleared on disk */
    uint64_t recover_last;
    uint64_t recover_token; /* 0: not handed out yet */

    /* The configuration as applied.  members and peers run parallel, in id
     * order; the masks are by that slot. */
    uint32_t count;
    int32_t self; /* own slot, or -1 */
    uint64_t voters;
    uint64_t outgoing;    /* the other half, while joint; else 0 */
    bool auto_leave;      /* the leader ends the joint configuration */
    bool leases;          /* members promise leases ... */
    uint64_t lease_index; /* ... since this entry */
    struct rkv_raft_member *members;
    struct peer *peers;

    /* What a drain hands out. */
    struct rkv_raft_entry *records;
    uint32_t records_max;
    uint32_t records_used;
    uint32_t runs_used;
    uint32_t msgs_max;
    uint32_t outbox_count;
    struct rkv_raft_msg *msgs;
    struct rkv_raft_msg *outbox;
    struct rkv_raft_read *read_results;
    struct run runs[RUNS_MAX];
    struct token *tokens; /* by number; tokens_mask + 1 of them */
    uint32_t tokens_mask;
    uint32_t outbox_max;
    uint32_t results_max;
    struct rkv_raft_out out;

    struct rkv_raft_options options;
    struct rkv_allocator allocator;
    struct rkv_prng prng;
    uint64_t boot_commit;
    uint32_t window_mask;
    struct flight *windows;
    struct traces traces;
};

/* Payload that was taken into the log. */
static inline void spend(struct rkv_raft *r, uint64_t bytes)
{
    r->capacity -= bytes < r->capacity ? bytes : r->capacity;
}

/* slots.c */
/* Takes a whole configuration; all that is known of peers is forgotten. */
void rkv_slots_set(struct rkv_raft *r, const struct rkv_raft_member *members,
                   uint32_t count);
/* Takes the next configuration; who stays keeps what is known of it. */
void rkv_slots_change(struct rkv_raft *r, const struct config *next);
/* A copy of the present one, to work out another. */
struct config rkv_slots_draft(const struct rkv_raft *r);

static inline int config_slot(const struct rkv_raft *r, uint64_t id)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->members[i].id == id)
            return (int)i;
    return -1;
}

static inline uint64_t slot_bit(int slot)
{
    return UINT64_C(1) << slot;
}

/* Own bit, or 0 when this member is in no configuration. */
static inline uint64_t self_bit(const struct rkv_raft *r)
{
    return r->self < 0 ? 0 : slot_bit(r->self);
}

static inline uint64_t all_bits(const struct rkv_raft *r)
{
    return r->count == 64 ? UINT64_MAX : (UINT64_C(1) << r->count) - 1;
}

static inline uint64_t others_bits(const struct rkv_raft *r)
{
    return all_bits(r) & ~self_bit(r);
}

static inline uint64_t voter_bits(const struct rkv_raft *r)
{
    return r->voters | r->outgoing;
}

static inline int lowest_slot(uint64_t bits)
{
    return __builtin_ctzll(bits);
}

/* commit.c: every question to a quorum goes through these two, so that both
 * halves of a joint configuration are always asked; nobody is no quorum. */
enum vote rkv_quorum_vote(const struct rkv_raft *r, uint64_t granted,
                          uint64_t rejected);
/* The largest value that a quorum has reached; values by slot. */
uint64_t rkv_quorum_value(const struct rkv_raft *r, const uint64_t *values);
/* A peer's match or our durable mark has moved: the leader's commit may. */
void rkv_commit_advance(struct rkv_raft *r);
/* Told to us by the leader; index <= last. */
static inline void commit_to(struct rkv_raft *r, uint64_t index)
{
    if (index > r->commit)
        r->commit = index;
}

/* election.c */
bool rkv_election_allowed(const struct rkv_raft *r);
/* Our vote for ourselves is. */
bool rkv_election_is_durable(const struct rkv_raft *r);
int rkv_election_command(struct rkv_raft *r);
void rkv_election_campaign(struct rkv_raft *r, bool force);
int rkv_election_forget(struct rkv_raft *r);
void rkv_election_tally(struct rkv_raft *r);
void rkv_election_timeout(struct rkv_raft *r);
void rkv_election_follow(struct rkv_raft *r, uint64_t term, uint64_t leader);
void rkv_election_prevote(struct rkv_raft *r, const struct rkv_raft_msg *m);
void rkv_election_vote(struct rkv_raft *r, const struct rkv_raft_msg *m);
void rkv_election_reply(struct rkv_raft *r, const struct rkv_raft_msg *m,
                        int slot);
/* Queues an answer to a vote request or pre-vote. */
void rkv_election_answer(struct rkv_raft *r, const struct rkv_raft_msg *m,
                         uint32_t kind, uint32_t flags, uint64_t term);
void rkv_election_learn(struct rkv_raft *r, const struct rkv_raft_msg *m);
bool rkv_election_sticky(const struct rkv_raft *r,
                         const struct rkv_raft_msg *m);
void rkv_election_restart_timer(struct rkv_raft *r);

/* receive.c */
int rkv_receive(struct rkv_raft *r, const struct rkv_raft_msg *m);

/* append.c: the follower. */
int rkv_append_check(const struct rkv_raft *r, const struct rkv_raft_msg *m);
bool rkv_append_agrees(const struct rkv_raft *r, const struct rkv_raft_msg *m);
void rkv_append(struct rkv_raft *r, const struct rkv_raft_msg *m);
void rkv_append_heartbeat(struct rkv_raft *r, const struct rkv_raft_msg *m);

/* replicate.c: the leader. */
int rkv_replicate_propose(struct rkv_raft *r, const struct rkv_raft_in *in);
void rkv_replicate_noop(struct rkv_raft *r);
/* Builds what this peer is to get; false: the drain's room ran out. */
bool rkv_replicate_serve(struct rkv_raft *r, int slot);
uint64_t rkv_replicate_next_beat(const struct rkv_raft *r);
void rkv_replicate_tick(struct rkv_raft *r);

/* progress.c: what the leader learns of a peer. */
void rkv_progress_reset(struct rkv_raft *r, int slot, uint64_t next);
void rkv_progress_reply(struct rkv_raft *r, const struct rkv_raft_msg *m,
                        int slot);
void rkv_progress_heartbeat_reply(struct rkv_raft *r,
                                  const struct rkv_raft_msg *m, int slot);
void rkv_progress_probe(struct rkv_raft *r, int slot);
int rkv_progress_unreachable(struct rkv_raft *r, uint64_t id);
int rkv_progress_snapshot_failed(struct rkv_raft *r, uint64_t id);

static inline uint32_t progress_inflight(const struct peer *p)
{
    return p->inflight_tail - p->inflight_head;
}

/* promise.c: what waits for the disk. */
int rkv_promise_persisted(struct rkv_raft *r, uint64_t token);
void rkv_promise_failed(struct rkv_raft *r);
/* The log was cut: entries above index are not what was written. */
void rkv_promise_cut(struct rkv_raft *r, uint64_t index);
/* The term has changed: nothing of the old one is owed. */
void rkv_promise_forget(struct rkv_raft *r);
/* Would the next drain ask to persist an entry made now? */
bool rkv_promise_is_next(const struct rkv_raft *r);
void rkv_promise_recover_check(struct rkv_raft *r);

static inline uint64_t promise_verified(const struct rkv_raft *r)
{
    return r->verified > r->commit ? r->verified : r->commit;
}

/* What may be acknowledged to the leader of this term (decision: promises
 * follow the disk).  What is committed is in the log of every later leader,
 * so it needs no verifying. */
static inline uint64_t promise_ack(const struct rkv_raft *r)
{
    if (r->durable_term != r->term)
        return 0;
    uint64_t verified = promise_verified(r);
    return verified < r->durable ? verified : r->durable;
}

/* read.c */
int rkv_read_ask(struct rkv_raft *r, uint64_t token);
void rkv_read_receive(struct rkv_raft *r, const struct rkv_raft_msg *m);
void rkv_read_reply(struct rkv_raft *r, const struct rkv_raft_msg *m);
void rkv_read_confirm(struct rkv_raft *r);
void rkv_read_drop(struct rkv_raft *r, int32_t status);
/* Gives waiting reads a round: a leader its own, a follower one to ask. */
void rkv_read_assign(struct rkv_raft *r);
void rkv_read_drain(struct rkv_raft *r);

/* lease.c */
void rkv_lease_beat(struct rkv_raft *r);
void rkv_lease_answer(struct rkv_raft *r, const struct rkv_raft_msg *m,
                      int slot);
bool rkv_lease_holds(const struct rkv_raft *r);
/* The tick it holds up to, or one that is past. */
uint64_t rkv_lease_end(const struct rkv_raft *r);
/* Ticks for which a follower promises its leader to vote for nobody; 0: none
 * were agreed on. */
uint32_t rkv_lease_promise(struct rkv_raft *r);
bool rkv_lease_binds(const struct rkv_raft *r);

/* quiet.c */
void rkv_quiet_tick(struct rkv_raft *r);
bool rkv_quiet_agrees(const struct rkv_raft *r, const struct rkv_raft_msg *m);
/* A follower's answer that it agrees is on its way. */
void rkv_quiet_begin(struct rkv_raft *r);
void rkv_quiet_answer(struct rkv_raft *r, const struct rkv_raft_msg *m,
                      int slot);
bool rkv_quiet_wakes(const struct rkv_raft *r, const struct rkv_raft_in *in);
void rkv_quiet_wake(struct rkv_raft *r, const struct rkv_raft_in *in);

/* change.c */
int rkv_change_check(const struct rkv_raft_changes *changes,
                     struct config *next);
int rkv_change_propose(const struct rkv_raft *r, const struct rkv_raft_in *in);
/* Ends a joint configuration that is to end by itself, as soon as it may. */
void rkv_change_leave(struct rkv_raft *r);
int rkv_change_configured(struct rkv_raft *r, const struct rkv_raft_in *in);
int rkv_change_rejected(struct rkv_raft *r, const struct rkv_raft_in *in);
int rkv_change_applied(struct rkv_raft *r, uint64_t index);

/* transfer.c */
int rkv_transfer_ask(struct rkv_raft *r, uint64_t id);
/* A leader whose own disk stands still while another's does not. */
void rkv_transfer_stalled(struct rkv_raft *r);
/* A leader that is no voter any more. */
void rkv_transfer_leave(struct rkv_raft *r);
/* False: the drain's room ran out. */
bool rkv_transfer_drain(struct rkv_raft *r);
/* A change was applied: what was put off for it may be done now. */
void rkv_transfer_resume(struct rkv_raft *r);
void rkv_transfer_receive(struct rkv_raft *r, const struct rkv_raft_msg *m);
void rkv_transfer_abort(struct rkv_raft *r);
/* The configuration has changed: is its target still a voter? */
void rkv_transfer_review(struct rkv_raft *r);
void rkv_transfer_timeout_now(struct rkv_raft *r, const struct rkv_raft_msg *m);

/* snapshot.c */
int rkv_snapshot_want(struct rkv_raft *r);
/* A follower asks for one; m: its request. */
void rkv_snapshot_wanted(struct rkv_raft *r, const struct rkv_raft_msg *m);
void rkv_snapshot_offer(struct rkv_raft *r, const struct rkv_raft_msg *m);
int rkv_snapshot_restored(struct rkv_raft *r, const struct rkv_raft_in *in);
int rkv_snapshot_give_up(struct rkv_raft *r);
int rkv_snapshot_compacted(struct rkv_raft *r, uint64_t index);

/* drain.c */
/* A fresh, zeroed message, or NULL when the drain's room ran out. */
struct rkv_raft_msg *rkv_drain_msg(struct rkv_raft *r, uint32_t kind,
                                   uint64_t to);
/* Entries [first, end) as records: as many as fit the limits and the room
 * left, but one even above bytes_max; 0: no room. */
struct listed {
    const struct rkv_raft_entry *records;
    uint64_t bytes;
    uint32_t count;
};
struct listed rkv_drain_list(struct rkv_raft *r, uint64_t first, uint64_t end,
                             uint64_t count_max, uint64_t bytes_max);
/* An answer to be sent with the next drain. */
void rkv_outbox_put(struct rkv_raft *r, const struct rkv_raft_msg *m);
static inline bool outbox_is_full(const struct rkv_raft *r)
{
    return r->outbox_count == r->outbox_max;
}

/* trace.c: after a step that was taken, and at the end of a drain. */
void rkv_trace_step(struct rkv_raft *r, const struct rkv_raft_in *in);
void rkv_trace_drain(struct rkv_raft *r);

/* check.c: what must hold between steps; NULL, or the sentence that does
 * not. */
const char *rkv_core_check(const struct rkv_raft *r);

#endif
