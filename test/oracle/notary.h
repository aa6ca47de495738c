/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/oracle/notary.h - what members promise each other, against what they
 * have on their disks, and what must be true of all of them together: one vote
 * and one leader in a term, leaders that only append, logs that match, commits
 * that a majority has durably and that never go back, configurations any two
 * neighbouring majorities of which meet.
 */
#ifndef TEST_ORACLE_NOTARY_H
#define TEST_ORACLE_NOTARY_H

#include <raftkv/raft.h>

#include "paper.h"

/* Members and former members. */
enum { NOTARY_MEMBERS = 64 };

struct notary_vote {
    uint64_t term;
    uint64_t to;
};

struct notary_member {
    uint64_t id;
    struct paper paper;
    struct notary_vote *votes; /* all it ever gave */
    size_t votes_count;
    size_t votes_cap;
    /* In its present life. */
    uint64_t term;
    uint64_t commit;
    uint64_t leads;    /* the term it leads; 0: none */
    uint64_t appended; /* as a leader of that term: up to here */
    bool forgot;       /* it lost what others may still count on */
};

struct notary_config {
    uint64_t index;
    uint32_t count;
    struct rkv_raft_member members[16];
};

struct notary {
    struct verdict *verdict;
    struct notary_member members[NOTARY_MEMBERS];
    size_t count;
    uint64_t *leaders; /* by term */
    size_t leaders_cap;
    size_t leaders_end;
    struct notary_place { /* by index and term */
        uint64_t index;
        uint64_t term; /* 0: free */
        uint64_t chain;
    } * places;
    size_t places_cap;
    size_t places_count;
    uint64_t *committed; /* terms, by index */
    size_t committed_cap;
    size_t committed_end;          /* the first index that is not */
    struct notary_config *configs; /* as they were applied, in order */
    size_t configs_count;
    size_t configs_cap;
};

void notary_init(struct notary *notary, struct verdict *verdict);
void notary_free(struct notary *notary);
struct notary_member *notary_member(struct notary *notary, uint64_t id);

/* A life begins. */
void notary_opened(struct notary *notary, uint64_t id);
/* A write begins, is acknowledged. */
void notary_writing(struct notary *notary, uint64_t id,
                    const struct rkv_store_write *write);
void notary_written(struct notary *notary, uint64_t id);
/* What its store says. */
void notary_found(struct notary *notary, uint64_t id,
                  const struct rkv_store_state *state);
void notary_read(struct notary *notary, uint64_t id,
                 const struct rkv_entry *entries, uint32_t count);
/* What came out of its core. */
void notary_drained(struct notary *notary, uint64_t id,
                    const struct rkv_raft_out *out);
/* Some member calls the entry at index committed, which is of this term. */
void notary_settled(struct notary *notary, uint64_t id, uint64_t index,
                    uint64_t term);
/* A leader calls all up to index committed, in a configuration of its own. */
void notary_committed(struct notary *notary, uint64_t id, uint64_t index,
                      uint64_t term, const struct rkv_raft_member *members,
                      uint32_t count);
/* The term of the committed entry there; 0: it is not known. */
uint64_t notary_term(const struct notary *notary, uint64_t index);
/* The entry at index took effect and gave this configuration. */
void notary_configured(struct notary *notary, uint64_t index,
                       const struct rkv_raft_member *members, uint32_t count);
/* No log that anybody wrote down holds a change that is yet to take effect. */
bool notary_is_settled(const struct notary *notary);
/* Who led it; 0: nobody did. */
uint64_t notary_leader(const struct notary *notary, uint64_t term);

#endif
