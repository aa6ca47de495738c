/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What one member has on its disk.
 */
#include "paper.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *rule = "a store gives back what it acknowledged";

void paper_init(struct paper *paper, uint64_t member, struct verdict *verdict)
{
    memset(paper, 0, sizeof *paper);
    paper->member = member;
    paper->verdict = verdict;
}

void paper_free(struct paper *paper)
{
    free(paper->lines);
    free(paper->next_lines);
    paper->lines = paper->next_lines = NULL;
}

static uint64_t beginning_of(const uint8_t chain[RKV_CHAIN_BYTES])
{
    uint64_t first;

    memcpy(&first, chain, sizeof first);
    return first;
}

static struct paper_line *line_at(struct paper *paper, uint64_t index)
{
    while (paper->end <= index) {
        paper->lines = row_grow(paper->lines, &paper->cap, paper->end,
                                sizeof paper->lines[0]);
        paper->lines[paper->end++] = (struct paper_line){0};
    }
    return &paper->lines[index];
}

static void forget_from(struct paper *paper, uint64_t index)
{
    for (; index < paper->end; index++)
        paper->lines[index] = (struct paper_line){0};
}

/* ---- writing ---- */

/* A snapshot of what is held keeps what follows it; of anything else, it
 * stands alone. */
static void plan_snapshot(struct paper *paper,
                          const struct rkv_store_write *write)
{
    uint64_t index = write->snapshot_index;
    bool is_held = index <= paper->now.last && index < paper->end &&
                   paper->lines[index].term == write->snapshot_term;

    paper->next.snapshot = index;
    if (!is_held)
        paper->next.last = index;
}

static void plan_entries(struct paper *paper,
                         const struct rkv_store_write *write)
{
    paper->next_first = write->entries[0].index;
    paper->next.last = paper->next_first + write->count - 1;
    paper->next_count = (size_t)write->count;
    free(paper->next_lines);
    paper->next_lines = calloc(paper->next_count, sizeof(struct paper_line));
    if (paper->next_lines == NULL)
        abort();
    for (size_t i = 0; i < paper->next_count; i++)
        paper->next_lines[i] = (struct paper_line){
            write->entries[i].term, beginning_of(write->entries[i].chain),
            write->entries[i].kind};
}

/* What comes after a write that failed has no effect. */
void paper_writing(struct paper *paper, const struct rkv_store_write *write)
{
    if (paper->is_pending && !paper->is_doubtful)
        return;
    paper->is_pending = true;
    paper->is_doubtful = false;
    paper->next = paper->now;
    paper->next_count = 0;
    if ((write->flags & RKV_WRITE_SNAPSHOT) != 0)
        plan_snapshot(paper, write);
    if ((write->flags & RKV_WRITE_STATE) != 0) {
        paper->next.term = write->term;
        paper->next.vote = write->vote;
        paper->next.commit = write->commit;
    }
    if ((write->flags & RKV_WRITE_ENTRIES) != 0 && write->count > 0)
        plan_entries(paper, write);
}

void paper_written(struct paper *paper)
{
    if (!paper->is_pending)
        return;
    if (paper->next_count > 0)
        forget_from(paper, paper->next_first);
    for (size_t i = 0; i < paper->next_count; i++)
        *line_at(paper, paper->next_first + i) = paper->next_lines[i];
    paper->now = paper->next;
    paper->is_pending = false;
    forget_from(paper, paper->now.last + 1);
}

/* ---- reading ---- */

static bool is_same(const struct paper_state *ours,
                    const struct rkv_store_state *found)
{
    return ours->term == found->term && ours->vote == found->vote &&
           ours->commit == found->commit && ours->last == found->last &&
           ours->snapshot == found->snapshot_index;
}

/* Who lost commits has to say so; then what it has left is all there is. */
static void take(struct paper *paper, const struct rkv_store_state *found)
{
    forget_from(paper, found->last + 1);
    for (size_t i = 0; i < paper->end; i++)
        paper->lines[i] = (struct paper_line){0};
    paper->now = (struct paper_state){found->term, found->vote, found->commit,
                                      found->snapshot_index, found->last};
    paper->is_pending = false;
}

void paper_found(struct paper *paper, const struct rkv_store_state *found)
{
    bool began_to_recover = found->recovering && !paper->recovering;

    paper->recovering = found->recovering != 0;
    if (began_to_recover) {
        take(paper, found);
        return;
    }
    if (paper->is_pending && is_same(&paper->next, found)) {
        if (!is_same(&paper->now, found) || paper->next_count == 0)
            paper_written(paper);
        paper->is_doubtful = paper->is_pending;
        return; /* of two that look alike the entries will tell */
    }
    if (is_same(&paper->now, found)) {
        paper->is_pending = false;
        return;
    }
    if (found->recovering) {
        take(paper, found);
        return;
    }
    verdict_break(paper->verdict, rule,
                  "member %" PRIu64 ": found term %" PRIu64 " vote %" PRIu64
                  " commit %" PRIu64 " last %" PRIu64 " snapshot %" PRIu64
                  ", acknowledged term %" PRIu64 " vote %" PRIu64
                  " commit %" PRIu64 " last %" PRIu64 " snapshot %" PRIu64,
                  paper->member, found->term, found->vote, found->commit,
                  found->last, found->snapshot_index, paper->now.term,
                  paper->now.vote, paper->now.commit, paper->now.last,
                  paper->now.snapshot);
}

static bool line_is(const struct paper_line *line, const struct rkv_entry *e)
{
    return line->term == 0 ||
           (line->term == e->term && line->chain == beginning_of(e->chain));
}

static bool is_in_pending(const struct paper *paper, const struct rkv_entry *e)
{
    return paper->is_pending && e->index >= paper->next_first &&
           e->index < paper->next_first + paper->next_count &&
           line_is(&paper->next_lines[e->index - paper->next_first], e);
}

static void read_one(struct paper *paper, const struct rkv_entry *e)
{
    struct paper_line *line = line_at(paper, e->index);

    if (e->index > paper->now.last && !paper->is_pending) {
        verdict_break(paper->verdict, rule,
                      "member %" PRIu64 ": entry %" PRIu64
                      " is read, acknowledged is up to %" PRIu64,
                      paper->member, e->index, paper->now.last);
        return;
    }
    if (line_is(line, e)) {
        /* So it was not done; or it wrote the same again. */
        if (e->index >= paper->next_first && !is_in_pending(paper, e))
            paper->is_pending = false;
        line->term = e->term;
        line->chain = beginning_of(e->chain);
        line->kind = e->kind;
    } else if (is_in_pending(paper, e)) {
        paper_written(paper);
    } else {
        verdict_break(paper->verdict, rule,
                      "member %" PRIu64 ": entry %" PRIu64 " of term %" PRIu64
                      " is read, acknowledged was another, of term %" PRIu64,
                      paper->member, e->index, e->term, line->term);
    }
}

void paper_read(struct paper *paper, const struct rkv_entry *entries,
                uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        read_one(paper, &entries[i]);
}

bool paper_holds(const struct paper *paper, uint64_t index, uint64_t term)
{
    if (index <= paper->now.snapshot)
        return true;
    return index <= paper->now.last && index < paper->end &&
           (paper->lines[index].term == 0 || paper->lines[index].term == term);
}
