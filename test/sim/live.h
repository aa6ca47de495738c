/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/live.h - after the storm: from whom life is demanded, and what.
 *
 * In some worlds all is healed; in others only a core, which is enough voters
 * to decide, each of which hears each other, and for all the others things
 * stay for ever as they are: down, asleep, deaf or mute.  Then there must be
 * a leader in time, every probe must be answered, and all of the core must
 * end in one state.
 */
#ifndef TEST_SIM_LIVE_H
#define TEST_SIM_LIVE_H

#include "net.h"

struct rkv_event;

struct probe {
    uint32_t outcome; /* of the last try */
    uint32_t tries;
    bool open;
};

enum { PROBE_WRITE, PROBE_READ, PROBES };

struct live {
    uint32_t core; /* machines, a bit each; 0: nothing is demanded */
    uint64_t began;
    struct probe probes[MEMBERS_MAX][PROBES];
    /* The newest configuration that anybody was seen to have applied. */
    uint64_t config_at;
    uint32_t voters;
    bool is_joint;
};

/* The storm is over. */
void live_begin(struct world *w);
/* A moment of the calm. */
void live_probe(struct world *w);
/* A member was looked at. */
void live_look(struct world *w, uint32_t at);
/* True: it was the answer to a probe. */
bool live_event(struct world *w, uint32_t at, const struct rkv_event *event);
void live_end(struct world *w);
bool live_is_core(const struct world *w, uint32_t at);

#endif
