/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/heard.h - what a file of etcd's interactions says of its
 * members, as far as it says it: the text a directive is expected to print is
 * read for terms, votes, commits, entries and configurations.  What it did
 * not print is not known, and nothing is held against it.
 */
#ifndef RKV_TEST_HEARD_H
#define RKV_TEST_HEARD_H

#include "script.h"
#include "stage.h"

enum { HEARD_ENTRIES_MAX = 512 };

struct heard_entry {
    uint64_t index;
    uint64_t term;
    bool is_config;
    char text[STAGE_TEXT_MAX]; /* of the payload */
};

struct heard_log {
    bool is_known; /* it ends at last */
    uint64_t last;
    size_t count;
    struct heard_entry entries[HEARD_ENTRIES_MAX];
};

struct heard_member {
    bool knows_hard; /* term, vote and commit */
    bool knows_soft; /* leader and role */
    bool knows_config;
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint64_t leader;
    uint32_t role;
    struct heard_log log;
    struct heard_log applied; /* since it was last lost sight of */
    char config[STAGE_TEXT_MAX];
};

struct heard {
    struct heard_member members[STAGE_MEMBERS_MAX + 1];
    size_t refused; /* changes that were not taken, in this directive */
    bool is_silent; /* nothing is printed */
    bool is_terse;  /* what it logs of configurations is not printed */
};

void heard_init(struct heard *h);
/* A member that starts from this. */
void heard_start(struct heard *h, uint64_t id, const struct stage_state *state,
                 const char *config);
/* A directive was carried out; alone: the one member it was about, or 0. */
void heard_case(struct heard *h, const struct script *s,
                const struct script_case *c, uint64_t alone);
/* Compares; says each difference in a line that begins with where. */
bool heard_agrees(const struct heard *h, const struct stage *stage,
                  const char *where);

/* "2/5 EntryNormal "x"" and its like. */
bool heard_read_entry(const char *line, struct heard_entry *entry);
uint32_t heard_role(const char *name);
bool heard_is_log(const char *line);

#endif
