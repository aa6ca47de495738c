/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/search.c - breadth first, so that the first wrong state is the
 * nearest.  Of a state that was gone through only a 64-bit hash is kept, the
 * least one among all names of its members, and the step by which it was
 * reached; of those that wait, all.
 */
#include "explore.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "shelf.h"

enum { CHUNK = 1 << 20, LOOK_EVERY = 512 };
#define NOBODY UINT32_MAX

struct seen {
    uint64_t *hashes;
    uint64_t mask;
    uint64_t count;
};

/* How a state was reached. */
struct crumb {
    uint32_t from;
    uint32_t step;
};

/* States that wait, first in, first out. */
struct chunk {
    struct chunk *next;
    size_t head;
    size_t tail;
    unsigned char bytes[CHUNK];
};

struct line {
    struct chunk *first;
    struct chunk *last;
    uint64_t chunks;
};

struct search {
    struct seen seen;
    struct crumb *crumbs;
    uint64_t crumbs_count, crumbs_cap;
    struct line line;
    struct found *found;
    struct state now;
    uint32_t now_at;
    /* A path that is followed: the step that is looked for. */
    uint32_t wanted;
    struct state *wanted_state;
};

/* ---- seen ---- */

static bool seen_add(struct seen *t, uint64_t hash)
{
    uint64_t at = hash & t->mask;

    while (t->hashes[at] != 0 && t->hashes[at] != hash)
        at = (at + 1) & t->mask;
    if (t->hashes[at] == hash)
        return false;
    t->hashes[at] = hash;
    t->count++;
    return true;
}

static void seen_grow(struct seen *t)
{
    struct seen more = {.mask = t->mask == 0 ? (1 << 16) - 1 : 2 * t->mask + 1};

    if (t->mask != 0 && t->count * 4 < (t->mask + 1) * 3)
        return;
    more.hashes = must_have(calloc(more.mask + 1, sizeof *more.hashes));
    for (uint64_t i = 0; t->hashes != NULL && i <= t->mask; i++)
        if (t->hashes[i] != 0)
            (void)seen_add(&more, t->hashes[i]);
    free(t->hashes);
    *t = more;
}

/* The same for all who differ by names. */
static uint64_t hash_of(const struct state *s)
{
    uint64_t left, least = UINT64_MAX;

    memcpy(&left, s->left, sizeof left);
    for (uint32_t n = 0; n < names_count; n++) {
        uint64_t sum = ledger_hash(s->ledger)[n];

        for (uint32_t i = 0; i < here->members; i++)
            sum += book_face(s->face[i])->hash[n];
        for (uint32_t i = 0; i < s->letters_count; i++)
            sum += book_letter_hash(s->letters[i])[n];
        if (sum < least)
            least = sum;
    }
    return table_key(rkv_mix64(least, left));
}

/* ---- the line ---- */

static size_t packed(const struct state *s)
{
    return offsetof(struct state, letters) +
           s->letters_count * sizeof s->letters[0];
}

static void line_put(struct line *line, const struct state *s)
{
    size_t size = packed(s);

    if (line->last == NULL || line->last->tail + size > CHUNK) {
        struct chunk *more = must_have(malloc(sizeof *more));

        more->next = NULL;
        more->head = more->tail = 0;
        if (line->last == NULL)
            line->first = more;
        else
            line->last->next = more;
        line->last = more;
        line->chunks++;
    }
    memcpy(line->last->bytes + line->last->tail, s, size);
    line->last->tail += size;
}

static bool line_get(struct line *line, struct state *s)
{
    struct chunk *c = line->first;

    while (c != NULL && c->head == c->tail) {
        line->first = c->next;
        line->last = c->next == NULL ? NULL : line->last;
        line->chunks--;
        free(c);
        c = line->first;
    }
    if (c == NULL)
        return false;
    memcpy(s, c->bytes + c->head, offsetof(struct state, letters));
    memcpy(s, c->bytes + c->head, packed(s));
    c->head += packed(s);
    return true;
}

/* ---- paths ---- */

static void expand(struct search *search, const struct state *s, taker *take)
{
    if (here->is_rounds)
        rounds_expand(search, s, take);
    else
        soup_expand(search, s, take);
}

static void follow(struct search *search, const struct state *to, uint32_t step,
                   const char *broken)
{
    (void)broken;
    if (step == search->wanted)
        memcpy(search->wanted_state, to, packed(to));
}

static void tell_path(struct search *search, uint32_t at)
{
    uint32_t steps[512], count = 0;
    struct state s, next;

    for (; at != 0 && count < 512; at = search->crumbs[at].from)
        steps[count++] = search->crumbs[at].step;
    state_begin(&s);
    while (count > 0) {
        search->wanted = steps[--count];
        next = s;
        search->wanted_state = &next;
        if (here->is_rounds)
            rounds_tell(&s, search->wanted);
        else
            soup_tell(&s, search->wanted);
        expand(search, &s, follow);
        s = next;
        tell_group(&s);
    }
    fflush(stdout);
}

static struct search *running;

/* An assertion of the core: how it came to that is worth telling. */
static void aborted(int signal_number)
{
    (void)signal_number;
    signal(SIGABRT, SIG_DFL);
    printf("explore: %s: an assertion of the core failed, by one more step "
           "after these:\n",
           here->name);
    tell_path(running, running->now_at);
    _exit(1);
}

/* ---- the search ---- */

static uint32_t crumb(struct search *search, uint32_t step)
{
    if (search->crumbs_count == search->crumbs_cap) {
        search->crumbs_cap =
            search->crumbs_cap == 0 ? 1 << 16 : 2 * search->crumbs_cap;
        search->crumbs = must_have(
            realloc(search->crumbs, search->crumbs_cap * sizeof(struct crumb)));
    }
    search->crumbs[search->crumbs_count] =
        (struct crumb){.from = search->now_at, .step = step};
    return (uint32_t)search->crumbs_count++;
}

static void found_broken(struct search *search, uint32_t step,
                         const char *broken)
{
    uint32_t at = crumb(search, step);

    search->found->broken = broken;
    printf("explore: %s: %s: does not hold after\n", here->name, broken);
    for (uint32_t i = at; i != 0; i = search->crumbs[i].from)
        search->found->broken_at++;
    tell_path(search, at);
}

static void take(struct search *search, const struct state *to, uint32_t step,
                 const char *broken)
{
    if (search->found->broken != NULL)
        return;
    search->found->steps++;
    if (broken == NULL) {
        if (!seen_add(&search->seen, hash_of(to)))
            return;
        broken = ledger_compare(to);
    }
    if (broken != NULL) {
        found_broken(search, step, broken);
        return;
    }
    seen_grow(&search->seen);
    (void)crumb(search, step);
    line_put(&search->line, to);
}

static uint64_t megabytes(const struct search *search)
{
    return (search->seen.mask * sizeof(uint64_t) +
            search->crumbs_cap * sizeof(struct crumb) +
            search->line.chunks * sizeof(struct chunk) + book_memory()) >>
           20;
}

static bool is_over(const struct search *search, const struct limits *limits,
                    clock_t began)
{
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;

    return (limits->seconds > 0 && seconds > limits->seconds) ||
           (limits->megabytes > 0 && megabytes(search) > limits->megabytes);
}

/* A level is all that is reached by as many steps. */
static void run(struct search *search, const struct limits *limits,
                clock_t began)
{
    struct found *found = search->found;
    uint64_t level_end = search->crumbs_count;

    while (line_get(&search->line, &search->now)) {
        if (search->now_at == level_end) {
            found->depth++;
            level_end = search->crumbs_count;
            if (limits->depth > 0 && found->depth == limits->depth)
                return;
        }
        expand(search, &search->now, take);
        search->now_at++;
        if (found->broken != NULL)
            return;
        if (search->now_at % LOOK_EVERY == 0 && is_over(search, limits, began))
            return;
    }
    found->is_exhausted = true;
}

void search_run(const struct scope *scope, const struct limits *limits,
                struct found *found)
{
    struct search *search = must_have(calloc(1, sizeof *search));
    clock_t began = clock();

    here = scope;
    memset(found, 0, sizeof *found);
    names_find(scope);
    book_open(scope);
    ledger_open();
    search->found = found;
    running = search;
    signal(SIGABRT, aborted);
    seen_grow(&search->seen);
    state_begin(&search->now);
    (void)seen_add(&search->seen, hash_of(&search->now));
    (void)crumb(search, 0);
    line_put(&search->line, &search->now);
    run(search, limits, began);
    signal(SIGABRT, SIG_DFL);
    found->states = search->seen.count;
    found->seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    found->megabytes = megabytes(search);
    while (search->line.first != NULL) {
        struct chunk *c = search->line.first;

        search->line.first = c->next;
        free(c);
    }
    free(search->seen.hashes);
    free(search->crumbs);
    free(search);
    ledger_close();
    book_close();
}
