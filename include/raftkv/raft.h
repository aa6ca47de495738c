/* SPDX-License-Identifier: BSD-2-Clause
 *
 * raftkv/raft.h - Raft as a pure step function.
 *
 *     state x input -> state,   state -> what there is to do
 *
 * rkv_raft_step() consumes one input and takes it whole or refuses it whole;
 * rkv_raft_drain() gives the merged outcome of all inputs since the last
 * drain: what to persist, messages, committed entries, reads, news.  Neither
 * does I/O, reads a clock, draws randomness but from its seed, calls anybody
 * back, or allocates: memory is taken by rkv_raft_new() and rkv_raft_reserve()
 * alone.  The same inputs give the same outputs, to the byte.
 *
 * The core decides; it never sees payload bytes.  It knows of every entry
 * its index, term, kind and length, and lists entries as records: append
 * these, send these, these are committed.  You (or rkv_tail in store.h) add
 * the bytes.
 *
 * Promises wait for the disk: a vote or an acknowledgement comes out only
 * after RKV_IN_PERSISTED said that what it promises is durable.  So there is
 * no wrong moment to send what you are handed, and no order to keep but one:
 * persist in the order asked.
 */
#ifndef RAFTKV_RAFT_H
#define RAFTKV_RAFT_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rkv_raft rkv_raft;

enum {
    RKV_RAFT_NEVER_LEADS = 1u << 2, /* votes, but never campaigns */
    /* To reproduce the runs of others; leave them alone. */
    RKV_RAFT_NO_PREVOTE = 1u << 0,
    RKV_RAFT_NO_CHECK_QUORUM = 1u << 1,
    RKV_RAFT_NO_CHANGE_CHECK = 1u << 3, /* propose any change at any time */
    RKV_RAFT_NO_HANDOVER = 1u << 4,     /* a leader removed names nobody */
    RKV_RAFT_NO_STEP_DOWN = 1u << 5     /* a leader removed goes on leading */
};

struct rkv_raft_options {
    uint32_t size;
    uint32_t flags;
    uint64_t id;                    /* this member; not 0 */
    uint64_t seed;                  /* of the election jitter */
    uint32_t election_ticks;        /* 1000; each draw is in [x, 2x) */
    uint32_t heartbeat_ticks;       /* 100; less than election_ticks */
    uint32_t members_max;           /* 16, at most RKV_MEMBERS_MAX */
    uint32_t inflight_max;          /* 256 appends under way per member */
    uint32_t append_entries_max;    /* 1024 entries in one message */
    uint32_t reads_max;             /* 1024 waiting reads */
    uint32_t entries_max;           /* 1 << 20 entries held; a leader leaves at
                                       most half of them uncommitted */
    uint32_t snapshot_ticks;        /* 30 election timeouts: then probe again */
    uint64_t append_bytes_max;      /* 1 MiB of payload in one message */
    uint64_t inflight_bytes_max;    /* 16 MiB under way per member */
    uint64_t uncommitted_bytes_max; /* 64 MiB */
    uint32_t promote_lag_max;       /* 1024 entries a learner may lack and be
                                       promoted; UINT32_MAX: any */
    uint32_t priority;              /* 0; of equal logs the higher may lead */
    uint32_t stall_ticks;           /* 2 election timeouts: a leader whose own
                                       write takes longer hands over */
    uint32_t quiet_ticks;           /* 0: never; a group idle for so long asks
                                       for no ticks, see rkv_raft(3) */
    uint64_t committed_bytes_max;   /* 16 MiB of payload in one drain */
    uint32_t trace_max;             /* 0 records of what happened: trace.h */
    uint32_t reserved;
    const struct rkv_allocator *allocator; /* NULL: malloc */
};

/* What the core knows of an entry.  Frozen. */
struct rkv_raft_entry {
    uint64_t index;
    uint64_t term;
    uint32_t len;
    uint32_t kind;
};

/* A change of membership: any number of steps at once, given with the proposal
 * and again, by the host that decoded the committed entry, with
 * RKV_IN_CONFIGURED.  No step at all ends a joint configuration; the entry by
 * which a leader does so itself has no payload, and means that.  Frozen. */
enum {
    RKV_CHANGE_ADD_LEARNER = 1, /* a voter becomes a learner */
    RKV_CHANGE_ADD_VOTER = 2,   /* also promotes a learner */
    RKV_CHANGE_REMOVE = 3,
    RKV_CHANGE_UPDATE = 4,    /* no effect on the core: a new address */
    RKV_CHANGE_LEASES_ON = 5, /* from here on members promise leases, and a */
    RKV_CHANGE_LEASES_OFF = 6 /* leader answers reads by them; id 0 */
};
struct rkv_raft_change {
    uint32_t op;
    uint32_t reserved;
    uint64_t id;
};
enum {
    RKV_CHANGE_AUTO = 0,     /* one step: at once; several: as IMPLICIT */
    RKV_CHANGE_IMPLICIT = 1, /* by a joint configuration that ends by itself */
    RKV_CHANGE_EXPLICIT = 2  /* ... that ends with the next, empty change */
};
enum { RKV_CHANGES_MAX = 128 };
struct rkv_raft_changes {
    const struct rkv_raft_change *list;
    uint32_t count;
    uint32_t transition;
};

/* A configuration as the core holds it, in id order; roles as in base.h.
 * Frozen. */
struct rkv_raft_member {
    uint64_t id;
    uint32_t role;
    uint32_t reserved;
};

/* Messages: one flat record for all kinds.  Frozen. */
enum {
    /* Up to VOTE_REPLY, commit and hint_term are the sender's commit index
     * and the term of the entry there. */
    RKV_MSG_PREVOTE = 1, /* term: the one campaigned for; index, log_term:
                            last entry */
    RKV_MSG_PREVOTE_REPLY = 2,
    RKV_MSG_VOTE = 3,
    RKV_MSG_VOTE_REPLY = 4,      /* index, log_term: of the request answered */
    RKV_MSG_APPEND = 5,          /* index, log_term: entry before the first */
    RKV_MSG_APPEND_REPLY = 6,    /* index: verified and durable up to here; on
                                    REJECT: the index refused, with hint */
    RKV_MSG_HEARTBEAT = 7,       /* commit cut to what the peer has; round */
    RKV_MSG_HEARTBEAT_REPLY = 8, /* round; index as in an append reply; hint:
                                    ticks for which no vote is given */
    RKV_MSG_SNAPSHOT = 9,        /* index, log_term: fetch mine */
    RKV_MSG_TIMEOUT_NOW = 10,    /* campaign at once (thesis 3.10) */
    RKV_MSG_READ = 11,       /* follower asks a read point; round: its own */
    RKV_MSG_READ_REPLY = 12, /* index; round; REJECT: not now */
    RKV_MSG_TRANSFER = 13    /* follower asks its leader; hint: to whom */
};
enum {
    RKV_MSG_REJECT = 1u << 0,
    RKV_MSG_FORCE = 1u << 1,       /* vote: sent on a transfer */
    RKV_MSG_FULL = 1u << 2,        /* append reply: no room, took a prefix */
    RKV_MSG_RECOVERING = 1u << 3,  /* reply: the sender lost commits */
    RKV_MSG_NEVER_LEADS = 1u << 4, /* reply: do not hand over to the sender */
    /* Append reply, with REJECT: offer a snapshot of at least index. */
    RKV_MSG_WANT_SNAPSHOT = 1u << 5,
    /* Heartbeat: index, log_term are my last entry; is it yours too, and shall
     * we sleep?  Reply: yes. */
    RKV_MSG_QUIET = 1u << 6
};

struct rkv_raft_msg {
    uint32_t kind;
    uint32_t flags;
    uint64_t from;
    uint64_t to;
    uint64_t term;
    uint64_t index;
    uint64_t log_term;
    uint64_t commit;
    uint64_t hint;        /* reject: largest index that may match */
    uint64_t hint_term;   /* reject: its term */
    uint64_t round;       /* reads: confirms leadership (thesis 6.4) */
    uint64_t boot;        /* replies: the sender's boot counter */
    uint64_t stated_boot; /* append, heartbeat: to the boot of a recovering
                             peer ... */
    uint64_t stated_last; /* ... this was the leader's last index */
    uint64_t last_term;   /* append: term of the last entry listed, or
                             log_term; drop the message when your log now
                             holds another there */
    uint32_t count;       /* append: entries listed */
    uint32_t priority;    /* votes and replies: the sender's */
    const struct rkv_raft_entry *entries; /* index + 1 ... index + count */
};

/* Inputs: one flat frozen record.  Fields a kind does not name are 0. */
enum {
    RKV_IN_TICK = 1,             /* now has moved on: run due timers */
    RKV_IN_RECEIVE = 2,          /* msg */
    RKV_IN_PROPOSE = 3,          /* entries, count: len and kind of each; with
                                    one CONFIG entry alone: changes */
    RKV_IN_PERSISTED = 4,        /* token: all asked up to it is durable */
    RKV_IN_PERSIST_FAILED = 5,   /* the core stops for good */
    RKV_IN_APPLIED = 6,          /* index: applied up to here; refused when a
                                    CONFIG entry lies between, which wants one
                                    of the next two */
    RKV_IN_CONFIGURED = 7,       /* index, changes: CONFIG entry applied */
    RKV_IN_REJECTED = 8,         /* index: CONFIG entry without effect */
    RKV_IN_READ = 9,             /* token: want a linearizable read point */
    RKV_IN_COMPACTED = 10,       /* index: forget entries up to here */
    RKV_IN_RESTORED = 11,        /* index, term, members: a durable snapshot
                                    took the place of the log */
    RKV_IN_RESTORE_FAILED = 12,  /* give up the restore asked for */
    RKV_IN_SNAPSHOT_FAILED = 13, /* peer: could not be served a snapshot */
    RKV_IN_UNREACHABLE = 14,     /* peer: messages to it were lost or dropped */
    RKV_IN_TRANSFER = 15,        /* peer: hand leadership over; 0: choose */
    RKV_IN_CAMPAIGN = 16,
    RKV_IN_FORGET_LEADER = 17, /* a follower whose leader is known to be dead:
                                  help the next one at once */
    RKV_IN_CAPACITY = 18,      /* token: bytes of payload the disk has room for
                                  from here on; none was said: no limit */
    RKV_IN_WANT_SNAPSHOT = 19, /* a follower that has the log, but no state to
                                  apply it to: asks its leader */
    RKV_IN_WAKE = 20           /* a sleeping member wakes, and the others */
};

struct rkv_raft_in {
    uint32_t kind;
    uint32_t count; /* of entries or members */
    uint64_t now;
    uint64_t index;
    uint64_t term;
    uint64_t peer;
    uint64_t token;
    const struct rkv_raft_entry *entries;
    const struct rkv_raft_msg *msg;
    const struct rkv_raft_changes *changes;
    const struct rkv_raft_member *members;
    uint64_t reserved;
};

enum {
    RKV_FOLLOWER = 1,
    RKV_PRECANDIDATE = 2,
    RKV_CANDIDATE = 3,
    RKV_LEADER = 4
};

/* What a drain found.  Take it from top to bottom; the record and all it
 * points to last until the next call on the handle.  Grows at the end. */
enum {
    RKV_OUT_STATE = 1u << 0,     /* role, leader or term changed */
    RKV_OUT_PERSIST = 1u << 1,   /* term, vote, commit and append below;
                                    then say PERSISTED with token */
    RKV_OUT_RECOVERED = 1u << 2, /* with PERSIST: clear the store's mark */
    RKV_OUT_RESTORE = 1u << 3,   /* fetch and install restore_*, or a later
                                    one; until RESTORED or RESTORE_FAILED
                                    the log stands still */
    RKV_OUT_MORE = 1u << 4       /* room ran out: drain again */
};

struct rkv_raft_read {
    uint64_t token;
    uint64_t index; /* serve it once applied >= index */
    int32_t status; /* RKV_OK, or why there is no read point */
    uint32_t reserved;
};

struct rkv_raft_out {
    uint32_t flags;
    uint32_t role;
    uint64_t leader; /* 0: unknown */
    uint64_t term;
    uint64_t vote;
    uint64_t commit;   /* no further than what was given to persist */
    uint64_t deadline; /* a TICK is wanted at this tick; 0: a first input;
                          UINT64_MAX: none ever */
    uint64_t token;
    /* Entries to append, replacing all from append[0].index on. */
    const struct rkv_raft_entry *append;
    const struct rkv_raft_msg *msgs;
    /* Newly committed, each exactly once, in order. */
    const struct rkv_raft_entry *committed;
    const struct rkv_raft_read *reads;
    uint32_t append_count;
    uint32_t msgs_count;
    uint32_t committed_count;
    uint32_t reads_count;
    uint64_t restore_index;
    uint64_t restore_term;
    uint64_t restore_from;
};

/* What the store remembered; all zero for a member that never ran. */
struct rkv_raft_boot {
    uint32_t size;
    uint32_t recovering; /* the store lost commits (raftkv-design(7)) */
    uint64_t boot;       /* this start's counter; rises with every start */
    uint64_t promised;   /* recovering: the highest term ever promised */
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint64_t snapshot_index;
    uint64_t snapshot_term;
    /* As of the snapshot.  Where members are to join later, begin at a
     * snapshot_index of 1: with a snapshot they learn who was there first. */
    const struct rkv_raft_member *members;
    uint32_t members_count;
    uint32_t reserved;
};

/* RKV_EINVAL names an option out of range; RKV_EROLLBACK a recovering member
 * that is the only voter. */
RKV_API int rkv_raft_new(const struct rkv_raft_options *options,
                         const struct rkv_raft_boot *boot, rkv_raft **out);
RKV_API void rkv_raft_free(rkv_raft *raft);

/* Before the first step: the log left on disk, in order, in as many calls as
 * convenient.  Makes the room it needs, above entries_max too. */
RKV_API int rkv_raft_load(rkv_raft *raft, const struct rkv_raft_entry *entries,
                          uint32_t count);

/* Makes room for `count` more entries than are held now, and renews what is
 * kept back for those the core makes itself: call it now and then even with
 * 0, best before every step that brings entries or time.  The only call
 * besides new and load that allocates.  RKV_EBUSY: above entries_max. */
RKV_API int rkv_raft_reserve(rkv_raft *raft, uint32_t count);

/* Negative: the input had no effect at all.  RKV_EFAILED: the handle met a
 * failed persist and only waits to be freed.  For RKV_IN_PROPOSE see
 * rkv_raft_last(): the entries took the last `count` indexes.  RECEIVE:
 * RKV_EINVAL and RKV_EMALFORMED are no messages for us, RKV_ENOTFOUND is an
 * answer from no member, RKV_EBUSY wants a drain first, RKV_EDIVERGED and
 * RKV_EROLLBACK mean that a member (it, or we) lost what it promised. */
RKV_API int rkv_raft_step(rkv_raft *raft, const struct rkv_raft_in *in);

/* Never fails; *out is always valid.  Returns 1 when there is anything in
 * it besides the state words, else 0. */
RKV_API int rkv_raft_drain(rkv_raft *raft, const struct rkv_raft_out **out);

/* Looking in; never changes state. */
enum {
    RKV_LEADERLESS_NOT = 0,        /* there is a leader */
    RKV_LEADERLESS_WAITING = 1,    /* for the election timeout */
    RKV_LEADERLESS_PREVOTES = 2,   /* no majority would vote for us, so far */
    RKV_LEADERLESS_VOTES = 3,      /* no majority has voted for us, so far */
    RKV_LEADERLESS_DISK = 4,       /* our own vote is not durable yet */
    RKV_LEADERLESS_NO_VOTER = 5,   /* we are none: others must campaign */
    RKV_LEADERLESS_NEVER = 6,      /* we never lead */
    RKV_LEADERLESS_RECOVERING = 7, /* we lost commits */
    RKV_LEADERLESS_RESTORING = 8,  /* a snapshot is to be installed first */
    RKV_LEADERLESS_CHANGE = 9, /* a committed change is to be applied first */
    RKV_LEADERLESS_FULL = 10,  /* our log has no room */
    RKV_LEADERLESS_PROMISED = 11, /* leases: we promised not to, as yet */
    RKV_LEADERLESS_FAILED = 12    /* a persist failed */
};
struct rkv_raft_status {
    uint32_t size;
    uint32_t role;
    uint64_t id;
    uint64_t leader;
    uint64_t term;
    uint64_t vote;
    uint64_t first; /* first index held, last < first: none */
    uint64_t last;
    uint64_t durable;
    uint64_t commit;
    uint64_t applied;
    uint64_t deadline;
    uint64_t transferee; /* 0: no transfer under way */
    uint64_t uncommitted_bytes;
    uint32_t recovering;
    uint32_t pending_change; /* a change waits to be applied */
    uint64_t lease;          /* a leader answers reads at once before this
                                tick; 0: it has no lease */
    uint32_t quiet;          /* it sleeps until something happens */
    uint32_t leaderless;     /* RKV_LEADERLESS_*: why no leader is known here */
    uint32_t granted;  /* a campaign: voters for it, itself included ... */
    uint32_t rejected; /* ... and against it */
};
enum {
    RKV_PROGRESS_PROBE = 1,
    RKV_PROGRESS_REPLICATE = 2,
    RKV_PROGRESS_SNAPSHOT = 3
};
struct rkv_raft_peer {
    uint32_t size;
    uint32_t role;
    uint64_t id;
    uint64_t match;
    uint64_t next;
    uint64_t heard; /* tick of its last message; 0: not yet in this term */
    uint32_t progress;
    uint32_t inflight;
};
RKV_API void rkv_raft_status(const rkv_raft *raft, struct rkv_raft_status *out);
RKV_API int rkv_raft_peer(const rkv_raft *raft, uint64_t id,
                          struct rkv_raft_peer *out);
RKV_API void rkv_raft_last(const rkv_raft *raft, uint64_t *index,
                           uint64_t *term);
/* Term of the entry at index: RKV_ECOMPACTED before first - 1, RKV_EFUTURE
 * after last. */
RKV_API int rkv_raft_term_at(const rkv_raft *raft, uint64_t index,
                             uint64_t *term);
RKV_API uint32_t rkv_raft_members(const rkv_raft *raft,
                                  const struct rkv_raft_member **out);
/* Could these changes follow the ones applied so far?  RKV_EINVAL,
 * RKV_EUNSAFE, RKV_EJOINT or RKV_OK; every member answers alike. */
RKV_API int rkv_raft_check_change(const rkv_raft *raft,
                                  const struct rkv_raft_changes *changes);
/* A digest of the whole state: equal runs have equal digests. */
RKV_API uint64_t rkv_raft_digest(const rkv_raft *raft);

#ifdef __cplusplus
}
#endif
#endif
