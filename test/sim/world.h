/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/world.h - a cluster in one process and one thread, with virtual
 * time and one seed.
 *
 * What happens here: the real node, wire, key-value state and memory store,
 * between links that lose, repeat, delay and cut, on machines that crash
 * with whatever they had not yet made durable.  What it promises: the same
 * seed is the same run to the byte.  What it needs: public headers only.
 * Where to start: run.c, then what must hold in oracle.c.
 */
#ifndef TEST_SIM_WORLD_H
#define TEST_SIM_WORLD_H

#include <raftkv/hub.h>
#include <stdbool.h>

#include "disk/dice.h"
#include "disk.h"
#include "groups.h"
#include "live.h"
#include "marks.h"
#include "memory.h"
#include "net.h"
#include "probe.h"
#include "swarm.h"

struct machine {
    struct memory memory;
    struct disk disk;
    rkv_store *store;       /* the disk, as the node has it */
    uint64_t struck_before; /* of the disk and the memory, when it began */
    bool misled;    /* a frame came that was not for it, or from a bad disk */
    rkv_node *node; /* NULL: down */
    rkv_hub *hub;   /* NULL: its node is alone */
    rkv_node *others[OTHERS_MAX];
    rkv_job *job;
    uint64_t job_until; /* when the host hears that the disk has done it */
    bool job_ran;       /* which may have been long before */
    bool stirred;       /* something came in since its last turn */
    uint64_t wakes;     /* down until then */
    uint64_t sleeps;    /* paused until then */
    uint64_t suspect;   /* till then clients ask it again and again */
    uint64_t busy_until;
    uint64_t slow_until; /* till then each turn takes up to slowness */
    uint64_t slowness;
    uint64_t clock_set; /* its clock showed clock_base then, and goes at */
    uint64_t clock_base;
    uint64_t clock_rate; /* per thousand of the world's */
    uint64_t last_applied;
};

/* Of what happens: nothing, all, or all but the traffic. */
enum telling { TELL_NOTHING, TELL_ALL, TELL_SCENARIO };

struct world {
    uint64_t seed;
    enum telling telling;
    uint64_t now;
    uint64_t moment; /* when something may strike next */
    uint64_t order;
    uint64_t hash; /* of everything that happened */
    uint64_t events;
    struct dice disk, load, host, clocks;
    struct swarm swarm;
    struct net net;
    struct live live;
    uint32_t others;  /* groups beside the first */
    uint32_t opening; /* which group is being opened */
    struct group group[OTHERS_MAX];
    struct dice group_load;

    uint32_t count;
    uint32_t founders; /* the first of them; others join by a change */
    struct machine machines[MEMBERS_MAX];

    /* What kind of world this is. */
    uint32_t platters; /* machines whose member is on the SQLite store */
    bool buffers;      /* what comes to a paused machine waits for it */
    bool peaceful;     /* nothing is wrong at all */
    bool rotten;       /* disks do not keep what they hold */
    bool drifts;       /* clocks do not go alike */
    uint64_t recorder_bytes;
    bool restless; /* hosts tick when nothing is due, too */
    uint64_t delay;
    uint64_t ghost_delay;
    uint64_t disk_delay;
    uint64_t rest;  /* how long a machine stays down or asleep at most */
    uint64_t cache; /* bytes of log in memory */
    uint32_t value; /* bytes of a value */
    uint32_t batch; /* entries in an append */
    uint32_t election;
    uint32_t raft_flags;
    bool calm; /* faults are over */

    struct load *clients;  /* load.h */
    struct oracle *oracle; /* oracle.h */
    bool quota;            /* clients set one now and then */
    bool leases;           /* operators let members agree to them */
    uint64_t asked, done, reads;
    uint64_t marks[MARKS_COUNT];

    /* What has been seen, for the oracles. */
    uint64_t changes, crashes, cuts, restarts, elections, restores, losses;
    uint64_t failures, cores;
    const char *broken; /* the oracle that fired */
    char detail[640];
};

/* run.c */
bool world_run(struct world *w, uint64_t seed, enum telling telling);
void world_free(struct world *w);
void world_note(struct world *w, const char *what, uint64_t a, uint64_t b);
void world_break(struct world *w, const char *oracle, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
uint32_t world_leader(const struct world *w); /* its position, or count */

/* shrink.c */
/* Finds the least of a broken seed that is still broken in the same way, and
 * prints it as a command and as a scenario; false: it is not broken. */
bool shrink(uint64_t seed);

/* faults.c */
void faults_strike(struct world *w);
void faults_end(struct world *w);

/* blight.c */
void blight_read(struct world *w, struct dice *dice);
void blight_write(struct world *w, struct dice *dice);
void blight_sync(struct world *w, struct dice *dice);
void blight_fill(struct world *w, struct dice *dice);
void blight_rot(struct world *w, struct dice *dice);
void blight_sector(struct world *w, struct dice *dice);
void blight_misdirect(struct world *w, struct dice *dice);
void blight_older(struct world *w, struct dice *dice);

/* recordings.c */
void recordings_end(struct world *w);

/* peace.c */
void peace_end(struct world *w);

/* member.c */
void machine_open(struct world *w, uint32_t at);
void machine_crash(struct world *w, uint32_t at);
void machine_give_up(struct world *w, uint32_t at);
/* The end of the world: it ends well, if it is up. */
void machine_end(struct world *w, uint32_t at);
/* Is it up?  Ends what failed, or lost its power. */
bool machine_lives(struct world *w, uint32_t at);
/* What its clock shows, and when its member wants to be called again, by the
 * world's. */
uint64_t machine_now(const struct world *w, const struct machine *m);
uint64_t machine_deadline(const struct world *w, const struct machine *m);

/* load.c */
void load_begin(struct world *w);
void load_free(struct world *w);
void load_ask(struct world *w);
/* The member at this machine is gone. */
void load_ended(struct world *w, uint32_t at);
void load_finish(struct world *w);
void load_event(struct world *w, uint32_t at, const struct rkv_event *event);

/* operate.c */
void operate_change(struct world *w, struct dice *dice);
void operate_transfer(struct world *w, struct dice *dice);

/* oracle.c */
void oracle_begin(struct world *w);
void oracle_free(struct world *w);
/* Somebody who is no client of ours has proposed this. */
void oracle_asked(struct world *w, const void *command, size_t len);
/* The life of a member begins, has begun, ends. */
void oracle_opening(struct world *w, uint32_t at);
void oracle_opened(struct world *w, uint32_t at);
void oracle_ending(struct world *w, uint32_t at);
/* No change of members is on its way, nor might come back from a disk. */
bool oracle_is_settled(struct world *w);
void oracle_restored(struct world *w, uint32_t at);
void oracle_look(struct world *w, uint32_t at);
void oracle_flushed(struct world *w, uint32_t at);
/* A moment of the calm; its end. */
void oracle_quiet(struct world *w);
void oracle_end(struct world *w);
/* And then all machines lose power at once. */
void oracle_power(struct world *w);

#endif
