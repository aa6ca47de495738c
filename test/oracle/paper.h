/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/oracle/paper.h - what one member has on its disk, as far as its store
 * has acknowledged it; and whether the store, asked again, in this life or the
 * next, gives it back.
 *
 * Of a write that was begun and never acknowledged all may be there, or
 * nothing.  A store that says it lost commits may have lost any; one that does
 * not say so may not.
 */
#ifndef TEST_ORACLE_PAPER_H
#define TEST_ORACLE_PAPER_H

#include <raftkv/store.h>

#include "verdict.h"

struct paper_line {
    uint64_t term;  /* 0: not known */
    uint64_t chain; /* the first bytes of it */
    uint32_t kind;
};

struct paper_state {
    uint64_t term;
    uint64_t vote;
    uint64_t commit;
    uint64_t snapshot;
    uint64_t last;
};

struct paper {
    struct verdict *verdict;
    uint64_t member;
    struct paper_state now;
    struct paper_line *lines; /* by index, up to now.last */
    size_t cap;
    size_t end;      /* lines ever used */
    bool recovering; /* the store says so */
    /* The write under way, or that nobody knows the outcome of. */
    bool is_pending;
    bool is_doubtful; /* the store was asked since, and it could be either */
    struct paper_state next;
    uint64_t next_first; /* its lines begin here */
    struct paper_line *next_lines;
    size_t next_count;
};

void paper_init(struct paper *paper, uint64_t member, struct verdict *verdict);
void paper_free(struct paper *paper);
/* A write begins; it is acknowledged. */
void paper_writing(struct paper *paper, const struct rkv_store_write *write);
void paper_written(struct paper *paper);
/* What the store says now. */
void paper_found(struct paper *paper, const struct rkv_store_state *state);
void paper_read(struct paper *paper, const struct rkv_entry *entries,
                uint32_t count);
/* Durable, for all that was ever acknowledged. */
bool paper_holds(const struct paper *paper, uint64_t index, uint64_t term);

#endif
