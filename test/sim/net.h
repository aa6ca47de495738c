/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/net.h - what lies between machines: a link from each to each, for
 * one direction, with weather of its own, and frames on their way.
 */
#ifndef TEST_SIM_NET_H
#define TEST_SIM_NET_H

#include <stddef.h>

#include "disk/dice.h"

enum { MEMBERS_MAX = 7, RECORDS_MAX = 128 };

struct frame {
    uint64_t at; /* when it arrives */
    uint64_t order;
    uint32_t from;
    uint32_t to;
    bool damaged;
    bool misdelivered; /* somebody put it on a link that is not its own */
    size_t len;
    unsigned char *data;
};

struct link {
    struct dice dice;
    uint32_t weather;    /* per thousand of each chance a frame has */
    uint64_t least;      /* ticks that every frame takes */
    uint64_t cut_until;  /* nothing passes */
    uint64_t flap_until; /* nothing passes every other period */
    uint64_t flap_period;
    uint64_t clog_until; /* all that comes waits */
    bool newest_first;   /* and comes out of a clogged link like this */
};

struct net {
    struct link links[MEMBERS_MAX][MEMBERS_MAX]; /* from, to */
    struct frame *frames;                        /* a heap by (at, order) */
    size_t frames_count;
    size_t frames_cap;
    struct frame records[RECORDS_MAX]; /* by somebody who listens */
    struct dice listener;
};

struct world;
struct rkv_frame;

void net_make(struct world *w);
void net_free(struct world *w);
void net_send(struct world *w, uint32_t from, const struct rkv_frame *frame);
void net_deliver(struct world *w); /* what is due now */
uint64_t net_next(const struct world *w);
/* One of the frames heard long ago comes again. */
void net_replay(struct world *w, struct dice *dice);
bool link_is_cut(const struct world *w, uint32_t from, uint32_t to);

/* cuts.c: partitions in all shapes, links that flap or clog. */
void cut_some(struct world *w, struct dice *dice);
void cut_leader(struct world *w, struct dice *dice);
void flap_some(struct world *w, struct dice *dice);
void clog_some(struct world *w, struct dice *dice);
void cuts_mend(struct world *w);

#endif
