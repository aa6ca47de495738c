/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/node/room.h - what the files of this room share.
 *
 * What happens here: the core, the wire, the store and the key-value state
 * are wired into one member that takes bytes and ticks and gives bytes and
 * events.  What it promises: glue only; a decision about consensus or data
 * made here is in the wrong room.  What it needs: the doors of every room
 * below.  Where to start: node.c, then follow one write through request.c,
 * pump.c, flush.c and apply.c.
 */
#ifndef RKV_NODE_ROOM_H
#define RKV_NODE_ROOM_H

#include <raftkv/hub.h>
#include <stdbool.h>

#include "../base/alloc.h"
#include "../base/bytes.h"
#include "../base/hash.h"
#include "../base/map.h"
#include "../kv/changes.h"
#include "../wire/wire.h"
#include "recorder.h"

/* ---- frames on their way out: outbox.c ---- */

/* Frames for one peer, in order.  The last one is open: parts are appended
 * to it until it is full or taken.  Buffers are kept and used again.  When
 * much waits already, what is small and must not wait goes into a frame of
 * its own that is taken first. */
struct rkv_link {
    uint64_t peer;
    struct rkv_buffer *frames; /* a ring of cap buffers */
    size_t cap;
    size_t head;
    size_t count;
    size_t bytes;             /* in all of them */
    struct rkv_buffer urgent; /* empty: no such frame */
};
enum rkv_lane {
    RKV_LANE_BULK,  /* in order */
    RKV_LANE_URGENT /* may overtake */
};

/* Room for one part of at most bound bytes; NULL, and nothing has changed but
 * a count of what was dropped, when the outbox is full or memory is short. */
struct rkv_buffer *rkv_outbox_open(rkv_hub *hub, uint64_t peer, size_t bound,
                                   enum rkv_lane lane);
/* The part is written. */
void rkv_outbox_close(rkv_hub *hub);
/* The core's message, with its entries from the tail or, when only the store
 * has them, from a later read job.  False: dropped. */
bool rkv_outbox_message(rkv_node *node, const struct rkv_raft_msg *msg);
/* The same once its entries are at hand. */
bool rkv_outbox_append(rkv_node *node, const struct rkv_raft_msg *msg,
                       const uint8_t previous[32],
                       const struct rkv_entry *entries);
/* Is there a frame for the host to take? */
bool rkv_outbox_waiting(const rkv_hub *hub);
void rkv_outbox_free(rkv_hub *hub);

/* ---- requests and their outcomes: request.c ---- */

enum {
    RKV_REQUEST_COMMAND = 1,
    RKV_REQUEST_CHANGE = 2,
    RKV_REQUEST_READ = 3,
    RKV_REQUEST_TRANSFER = 4
};
enum {
    RKV_REQUEST_WAITING = 1,   /* for a leader; nothing has happened yet */
    RKV_REQUEST_FORWARDED = 2, /* sent to the leader, place unknown */
    RKV_REQUEST_PLACED = 3,    /* at (index, term) in a leader's log */
    RKV_REQUEST_READING = 4,   /* the core looks for a read point */
    RKV_REQUEST_READY = 5,     /* read once applied >= index */
    RKV_REQUEST_MOVING = 6     /* leadership is on its way to term's ... */
};
struct rkv_request {
    uint64_t token;
    uint64_t id;
    uint64_t deadline; /* 0: counts from the next tick */
    uint64_t index;
    uint64_t term; /* placed: of the entry; moving: the member meant, or 0 */
    uint32_t kind;
    uint32_t state;
    void *data; /* waiting: the command, ours */
    size_t len;
    struct rkv_request *older, *newer; /* by age, for the timeouts */
    struct rkv_request *next; /* placed: others at this index; ready: the next
                                 read; free: the next one */
};

/* Every request is in ids and in the list by age; a placed one also hangs
 * below its index in places. */
struct rkv_requests {
    struct rkv_map ids;
    struct rkv_map places;
    struct rkv_request *oldest, *newest;
    struct rkv_request *undated; /* the oldest without a deadline */
    struct rkv_request *ready_first, *ready_last;
    struct rkv_request *free;
    uint64_t next_id;
    uint64_t count;
    uint64_t waiting;       /* of them in state WAITING */
    uint64_t waiting_bytes; /* of their commands */
    uint64_t moving;        /* in state MOVING */
    uint64_t answers;       /* ended, and their events not yet taken */
};

void rkv_requests_init(rkv_node *node);
void rkv_requests_free(rkv_node *node);
/* A leader is known, or a moment has passed: try what waits once more. */
void rkv_requests_retry(rkv_node *node);
/* The time of those asked since the last tick begins. */
void rkv_requests_date(rkv_node *node);
void rkv_requests_expire(rkv_node *node);
/* When the oldest ends without an answer. */
uint64_t rkv_requests_expiry(const rkv_node *node);
/* The core found a read point, or dropped the read. */
void rkv_requests_read(rkv_node *node, const struct rkv_raft_read *read);
/* Reads whose index is applied become events. */
void rkv_requests_applied(rkv_node *node);
/* Who leads has changed: transfers may be done. */
void rkv_requests_led(rkv_node *node);
/* Or are not, when the core gave one up. */
void rkv_requests_stayed(rkv_node *node);
/* A snapshot up to index took the place of what was waited for. */
void rkv_requests_skipped(rkv_node *node, uint64_t index);
/* The entry at index is applied.  The request it answers (by its origin, or
 * by its place) is taken out and returned; others at that place are told that
 * they lost it. */
struct rkv_request *rkv_requests_take(rkv_node *node, uint64_t index,
                                      uint64_t term, uint64_t id);
/* Ends a request that rkv_requests_take() returned. */
void rkv_request_release(rkv_node *node, struct rkv_request *request);
/* All that is left ends now. */
void rkv_requests_fail(rkv_node *node, int32_t status);
/* A peer's request came in, or the leader's answer to ours. */
void rkv_request_forwarded(rkv_node *node, uint64_t from,
                           const struct rkv_forward *forward);
void rkv_request_answered(rkv_node *node, uint64_t from,
                          const struct rkv_forward_reply *reply);

/* What stands before every payload the node puts into the log, so that the
 * member a request came from knows its own when it applies it: a byte, then
 * (flag 1) the origin's id, boot and request id. */
struct rkv_envelope {
    uint64_t origin; /* 0: whoever led */
    uint64_t boot;
    uint64_t id;
    const uint8_t *data;
    size_t len;
};
enum { RKV_ENVELOPE_BYTES_MAX = 31 };
int rkv_envelope_open(const void *data, size_t len, struct rkv_envelope *out);

/* ---- snapshots: snapshot.c (taken), fetch.c (sent and received) ---- */

/* One finished snapshot, as peers and the store know it. */
struct rkv_picture {
    uint64_t index;
    uint64_t term;
    uint64_t len;
    uint8_t chain[32];
    uint8_t hash[32];
};

/* The one being taken here. */
enum {
    RKV_TAKING_NOTHING = 0,
    RKV_TAKING_READ = 1, /* chunks go from the view to the store */
    RKV_TAKING_HELD = 2  /* finished; named once the log has grown past it */
};
struct rkv_taking {
    uint32_t state;
    bool asked;     /* by rkv_node_snapshot() */
    bool begun;     /* the store has been told */
    bool ended;     /* the view gave its last byte */
    uint64_t bytes; /* of log before it */
    rkv_snapshot *view;
    struct rkv_picture picture;
    struct rkv_blake hash;
    struct rkv_buffer config;
    struct rkv_buffer chunk;
    uint64_t offset;
};

/* The one being received. */
enum {
    RKV_FETCH_NOTHING = 0,
    RKV_FETCH_ASKING = 1,  /* waiting for a chunk */
    RKV_FETCH_WRITING = 2, /* a chunk is on its way to the store */
    RKV_FETCH_NAMING = 3,  /* complete: the store is to name it */
    RKV_FETCH_WANTED = 4   /* once our part of a job has ended, and after a
                              failure not before a moment has passed */
};
struct rkv_fetching {
    uint32_t state;
    bool begun;
    uint64_t from;
    uint64_t asked; /* of whom: nobody else's chunks are taken */
    uint64_t asked_at;
    uint64_t not_before;
    uint64_t progress_at;
    uint64_t wanted; /* at least this index */
    struct rkv_picture picture;
    struct rkv_blake hash;
    struct rkv_buffer config;
    struct rkv_buffer chunk;
    uint64_t offset;
};

/* The configuration and where the cluster began: what the store keeps with a
 * snapshot and what a snapshot begins with. */
int rkv_config_write(rkv_node *node, struct rkv_buffer *out);
int rkv_config_take(rkv_node *node, const void *data, size_t len);
/* Into room for RKV_MEMBERS_MAX; genesis may be NULL. */
int rkv_config_read(const void *data, size_t len, const uint8_t **genesis,
                    struct rkv_member *members, uint32_t *count);
int rkv_members_set(rkv_node *node, const struct rkv_member *members,
                    uint32_t count);
int rkv_members_change(rkv_node *node, const struct rkv_changes *changes);
/* Changes as the core takes them, without addresses. */
void rkv_changes_flat(const struct rkv_changes *changes,
                      struct rkv_raft_changes *out,
                      struct rkv_raft_change list[RKV_CHANGES_MAX]);
const struct rkv_member *rkv_members_find(const rkv_node *node, uint64_t id);
uint32_t rkv_members_flat(const rkv_node *node, struct rkv_raft_member *out);

void rkv_snapshot_consider(rkv_node *node);
void rkv_snapshot_forget(rkv_node *node);
int rkv_snapshot_fill(rkv_node *node); /* the next chunk for a job */
void rkv_snapshot_named(rkv_node *node, const struct rkv_picture *picture);

void rkv_fetch_start(rkv_node *node, const struct rkv_raft_out *out);
void rkv_fetch_ask(rkv_node *node);
void rkv_fetch_tick(rkv_node *node);
void rkv_fetch_chunk(rkv_node *node, uint64_t from,
                     const struct rkv_chunk *chunk);
void rkv_fetch_written(rkv_node *node);
void rkv_fetch_named(rkv_node *node);
/* The tick by which rkv_fetch_tick() has something to do. */
uint64_t rkv_fetch_deadline(const rkv_node *node);

/* Says how far time has come, if it is due and this node leads. */
void rkv_clock_tick(rkv_node *node);
uint64_t rkv_clock_deadline(const rkv_node *node);
/* Proposes to compact what need not be kept, if this node leads. */
void rkv_history_tick(rkv_node *node);
uint64_t rkv_history_deadline(const rkv_node *node);
void rkv_fetch_serve(rkv_node *node, uint64_t from,
                     const struct rkv_fetch *fetch);

/* ---- the disk: flush.c, job.c ---- */

/* A read for a slow member: entries of an append, or a chunk.  Memory for the
 * results is taken before the job begins: its thread must not allocate. */
struct rkv_errand {
    uint64_t peer;
    bool is_chunk;
    struct rkv_raft_msg msg; /* append: without its entries */
    struct rkv_fetch fetch;  /* chunk */
    struct rkv_picture picture;
    size_t want; /* bytes of payload, or of the chunk */
    /* Results. */
    int rc;
    uint8_t previous[32]; /* the chain before the first entry, or zeros */
    struct rkv_entry *entries;
    size_t entries_cap;
    uint32_t entries_count;
    struct rkv_buffer bytes; /* their payloads, or the chunk */
};
enum {
    RKV_ERRANDS_MAX = 32,
    /* A job reads no more than this for others (but one errand at least):
     * our own writes wait for its end. */
    RKV_ERRANDS_BYTES = 2 << 20
};

/* What a job does for one node. */
struct rkv_task {
    rkv_node *node;
    uint64_t token;
    bool has_write;
    bool names_taken;   /* the write names our own snapshot ... */
    bool names_fetched; /* ... or one received */
    bool snap_begin;
    bool snap_write;
    bool snap_finish;
    uint64_t snap_index;
    uint64_t snap_offset;
    const struct rkv_buffer *snap_chunk;
    uint64_t snap_len;
    uint32_t errands; /* of node->errands, from the first */
};
struct rkv_job {
    rkv_hub *hub;
    bool out; /* begun and not yet ended */
    bool ran;
    int rc;
    struct rkv_task *tasks;
    size_t tasks_cap;
    uint32_t tasks_count;
    struct rkv_store_write *writes;
    size_t writes_cap;
    uint32_t writes_count;
    size_t reads; /* bytes of its errands */
};

/* The job is over, whatever came of it: no node is held by it any more, and
 * those that were closed meanwhile are freed. */
void rkv_job_bury(struct rkv_job *job);

/* ---- the hub and its nodes ---- */

/* What a node may wait for: line.h. */
enum rkv_wait {
    RKV_WAIT_PUMP, /* its core may have something to drain */
    RKV_WAIT_DISK, /* a flush may find work for it */
    RKV_WAIT_HOST, /* it may have events */
    RKV_WAIT_TIME, /* it has requests whose time begins with the next tick */
    RKV_WAITS
};
struct rkv_line {
    rkv_node *first, *last;
};
/* The tick a node wants, or an earlier one. */
struct rkv_due {
    uint64_t at;
    rkv_node *node;
};

struct rkv_hub {
    struct rkv_allocator allocator;
    rkv_store *store;
    struct rkv_store_identity identity;
    uint64_t cluster;
    uint64_t id;
    uint64_t frame_bytes_max;
    uint64_t outbox_bytes_max;
    uint32_t groups_max;
    uint64_t now;
    int failed;      /* the code every call answers with RKV_EFAILED after */
    bool identified; /* the store knows whose it is */
    char errmsg[512];

    rkv_node **nodes; /* in group order */
    size_t nodes_cap;
    size_t nodes_count;
    struct rkv_map groups; /* the same, by group */
    struct rkv_line lines[RKV_WAITS];
    struct rkv_bell bell; /* of states with changes to tell */
    uint32_t turn_taken;  /* events of whose turn it is */
    size_t idle_turn;     /* of those without any, who is looked at next */
    struct rkv_due *dues; /* a heap: the first one's tick comes first */
    size_t dues_cap;
    size_t dues_count;

    struct rkv_link *links; /* in peer order */
    size_t links_cap;
    size_t links_count;
    size_t links_turn;
    struct rkv_buffer lent; /* the frame the host holds */
    struct rkv_frame frame;
    struct rkv_link *writing;      /* where a part is being written: */
    struct rkv_buffer *writing_to; /* in its open frame ... */
    size_t writing_from;           /* ... from here on ... */
    size_t writing_bound;          /* ... and no further than this many bytes */

    struct rkv_job job;
    struct rkv_message_room room; /* where incoming appends are decoded */
    size_t room_cap;

    uint64_t frames_in;
    uint64_t frames_out;
    uint64_t frames_refused;
    uint64_t frames_dropped;
    uint64_t flushes;
};

enum { RKV_ORIGIN_WINDOW = 4096 };
/* A member that sent requests: which ids of its boot were taken in this
 * term, so that a repeated frame is not taken twice. */
struct rkv_origin {
    uint64_t peer;
    uint64_t boot;
    uint64_t term;
    uint64_t highest;
    uint64_t seen[RKV_ORIGIN_WINDOW / 64]; /* bits of the ids up to highest */
};

/* How the leader of a term counts time for leases. */
struct rkv_clock {
    uint64_t term; /* 0: it has not begun to */
    uint64_t from; /* the tick at which the clock stood at `base` */
    int64_t base;
    uint64_t said;     /* the entry that says how far it has come */
    uint64_t retry_at; /* 0: nothing went wrong */
};

/* Which revision the state had when, as the leader of a term noted it. */
enum { RKV_NOTES_MAX = 10 };
struct rkv_note {
    uint64_t at;
    int64_t revision;
};
struct rkv_notes {
    uint64_t term;
    struct rkv_note notes[RKV_NOTES_MAX]; /* the oldest first */
    size_t count;
    uint64_t note_at;
    uint64_t look_at;
    int64_t asked;  /* to be compacted */
    uint64_t index; /* by this entry */
};

struct rkv_node {
    rkv_hub *hub;
    bool owns_hub;
    bool in_job; /* the job that is out works for it */
    bool closed; /* meanwhile: to be freed when that has ended */
    bool waits[RKV_WAITS];
    rkv_node *behind[RKV_WAITS];
    uint64_t due; /* the tick it wants; exact while no pump is to come */
    size_t due_place;
    struct rkv_node_options options;
    struct rkv_raft_options raft_options;
    struct rkv_kv_options kv_options;
    struct rkv_recorder recorder;
    uint64_t group;

    rkv_raft *raft;
    rkv_kv *kv;
    rkv_tail *tail;

    /* As the core last said. */
    uint32_t role;
    uint64_t leader;
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint64_t deadline;
    uint64_t boot_term; /* as this boot began */
    uint64_t hurried;   /* the last term we told somebody to campaign in */

    /* What is to be written: entries from the tail, and the state. */
    struct rkv_raft_entry *unwritten;
    size_t unwritten_cap;
    uint32_t unwritten_count;
    struct rkv_entry *writing; /* the job's copy */
    size_t writing_cap;
    uint8_t writing_follows[32]; /* the chain before it */
    uint64_t token;
    bool must_write;
    bool recovered;
    uint64_t durable; /* log known to be on disk here */

    uint64_t applied;
    uint64_t applied_told; /* to the core */
    uint64_t skipped;   /* entries up to here came as a snapshot, this boot */
    uint64_t log_bytes; /* payload since the last snapshot */
    uint64_t lost_peers[RKV_MEMBERS_MAX]; /* messages dropped: tell the core */
    uint32_t lost_count;
    uint64_t lost_due; /* the tick that tells it */

    struct rkv_member *members; /* in id order; addresses are ours */
    size_t members_cap;
    uint32_t members_count;
    uint8_t genesis[32];

    struct rkv_clock clock;
    struct rkv_notes notes;
    struct rkv_requests requests;
    uint64_t retry_at; /* 0: nothing to retry */
    struct rkv_origin *origins;
    size_t origins_cap;
    size_t origins_count;
    struct rkv_buffer scratch;

    struct rkv_event *events; /* a ring of simple ones */
    size_t events_cap;
    size_t events_head;
    size_t events_count;
    size_t news_count;      /* of them, that answer nobody */
    struct rkv_event event; /* the one the host holds */

    struct rkv_picture current;  /* named by the store */
    struct rkv_picture previous; /* still served to who is fetching it */
    struct rkv_taking taking;
    struct rkv_fetching fetching;
    struct rkv_errand errands[RKV_ERRANDS_MAX];
    uint32_t errands_count;
    uint32_t errands_out; /* of them in the job */

    uint64_t entries_written;
    uint64_t snapshots_taken;
    uint64_t snapshots_received;
    uint64_t elections;
};

/* Records the first failure for good: later calls answer RKV_EFAILED. */
int rkv_hub_fail(rkv_hub *hub, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with the words said last. */
int rkv_hub_poison(rkv_hub *hub, int code);
/* A word on something refused that leaves the handle unharmed. */
int rkv_hub_refuse(rkv_hub *hub, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One input to the core at the hub's time; what comes of it waits for the
 * pump. */
int rkv_node_step(rkv_node *node, struct rkv_raft_in *in);
/* It waits for the pump, and for a flush. */
void rkv_node_touch(rkv_node *node);

/* Takes what the cores have to say, to the outbox, the next write and the
 * events; nothing is lost when it is called often or seldom. */
void rkv_pump(rkv_hub *hub);
int rkv_node_reserve(rkv_node *node, uint32_t count);
void rkv_pump_lost(rkv_node *node);
/* The log is another from here on: what was to be written of the old one is
 * not any more, though the core may be slow to list what replaces it. */
void rkv_pump_cut(rkv_node *node, uint64_t first);

/* Brings role, leader and term up to what the core thinks, and the entries it
 * made itself into the tail; what was proposed since may wait for company. */
void rkv_node_refresh(rkv_node *node);

/* Opens the group's state from the store; again after a bootstrap.  Failure
 * is told by rkv_hub_errmsg(), and the hub is unharmed unless it had to read
 * too far for that. */
int rkv_node_boot(rkv_node *node);
void rkv_node_unload(rkv_node *node);
/* What a node that has left its hub still holds. */
void rkv_node_bury(rkv_node *node);

int rkv_inbox_part(rkv_node *node, const struct rkv_frame_header *header,
                   struct rkv_part *part);

/* Room for one answer more than there are requests and events, so that the
 * end of a request never wants for memory. */
int rkv_event_reserve(rkv_node *node);
/* Queues news without borrowed parts; a full ring grows, and when there is no
 * memory for that the hub fails.  What nobody takes is replaced by the newest
 * of its kind, beyond a limit. */
void rkv_event_push(rkv_node *node, const struct rkv_event *event);
int rkv_event_next(rkv_node *node, const struct rkv_event **out);
void rkv_event_done(rkv_node *node, uint64_t token, uint32_t outcome,
                    int32_t status);
bool rkv_event_waiting(const rkv_node *node);

/* Applies the next entry, which is committed: 1 and an event when it answers a
 * request of ours, 0, or the code the hub failed with. */
int rkv_apply_one(rkv_node *node, struct rkv_event *event);
/* Applies committed entries until one answers a request of ours: 1 and its
 * event, or 0 when there is nothing more to apply. */
int rkv_apply_next(rkv_node *node, struct rkv_event *event);
/* The host takes no events, or its disk stands still, and the log piles up in
 * memory: more than may be uncommitted.  Then no more is taken. */
bool rkv_node_lags(const rkv_node *node);

/* Would a flush do anything for it? */
bool rkv_flush_wanted(const rkv_node *node);
/* The tick by which it wants one, as long as no pump is to come. */
uint64_t rkv_node_due(const rkv_node *node);

#endif
