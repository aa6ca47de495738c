/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/groups.h - other groups in the hubs of some worlds, beside the one
 * that all else is about: the same members found them, and what happens to
 * their machines, links and disks happens to all groups at once.  Clients
 * write to them too, and the plainest oracles watch.
 */
#ifndef TEST_SIM_GROUPS_H
#define TEST_SIM_GROUPS_H

#include <raftkv/hub.h>
#include <stdbool.h>

enum {
    OTHERS_MAX = 3,
    GROUP_WRITES = 600,
    GROUP_TERMS = 2048,
    GROUP_INDEXES = 4096
};

struct group_write {
    uint8_t member;
    uint8_t outcome; /* 0: open */
    uint8_t answers;
};

struct group {
    uint8_t leader_of[GROUP_TERMS];
    uint64_t state_at[GROUP_INDEXES]; /* hash of the state after an index */
    uint32_t asked;
    struct group_write writes[GROUP_WRITES];
};

struct world;
struct machine;

/* Opens the other groups of a hub; options are those of the first. */
int groups_open(struct world *w, uint32_t at,
                const struct rkv_node_options *options,
                const struct rkv_member *founders);
void groups_ask(struct world *w);
/* True: it was of another group. */
bool groups_event(struct world *w, uint32_t at, const struct rkv_event *event);
void groups_look(struct world *w, uint32_t at);
/* For its clients all open requests end: unknown. */
void groups_ended(struct world *w, uint32_t at);
bool groups_recover(const struct machine *m);
void groups_end(struct world *w);

#endif
