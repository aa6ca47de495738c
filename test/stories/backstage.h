/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/backstage.h - what stage.c and turn.c share.
 */
#ifndef RKV_TEST_BACKSTAGE_H
#define RKV_TEST_BACKSTAGE_H

#include "raft/core.h"
#include "stage.h"

/* Ends the program when there is no memory. */
void *backstage_take(void *memory, size_t count, size_t size);
#define PUSH(list, count)                                                      \
    ((list) = backstage_take((list), (count) + 1, sizeof *(list)),             \
     &(list)[(count)++])

struct rkv_raft_entry *backstage_copy(const struct rkv_raft_entry *from,
                                      size_t count);
void backstage_free(struct stage_packet *packet);

/* What may never happen did. */
void backstage_fault(struct stage *s, const struct stage_member *m,
                     const char *what);
/* An input that the core may not refuse. */
void backstage_must(struct stage *s, struct stage_member *m,
                    struct rkv_raft_in in, const char *what);

void backstage_restart(struct stage_log *log, uint64_t base,
                       uint64_t base_term);
void backstage_replace(struct stage *s, const struct stage_member *m,
                       struct stage_log *log,
                       const struct rkv_raft_entry *entries, size_t count);
void backstage_compact(struct stage_log *log, uint64_t index);

/* Adds what the core has to say to what waits for the next turn. */
void backstage_collect(struct stage *s, struct stage_member *m);

#endif
