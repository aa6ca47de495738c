/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests against the log.
 */
#include "claims.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void claims_init(struct claims *claims, struct verdict *verdict)
{
    memset(claims, 0, sizeof *claims);
    claims->verdict = verdict;
}

void claims_free(struct claims *claims)
{
    free(claims->table);
    free(claims->landings);
}

/* Its place, or the free one where it would be. */
static struct claim *place_of(struct claim *table, size_t cap, uint64_t digest)
{
    size_t at = (size_t)(digest >> 7) & (cap - 1);

    while (table[at].digest != 0 && table[at].digest != digest)
        at = (at + 1) & (cap - 1);
    return &table[at];
}

static void grow(struct claims *claims)
{
    size_t cap = claims->cap == 0 ? 256 : 2 * claims->cap;
    struct claim *table = calloc(cap, sizeof *table);

    if (table == NULL)
        abort();
    for (size_t i = 0; i < claims->cap; i++)
        if (claims->table[i].digest != 0)
            *place_of(table, cap, claims->table[i].digest) = claims->table[i];
    free(claims->table);
    claims->table = table;
    claims->cap = cap;
}

static struct claim *find(struct claims *claims, uint64_t digest)
{
    struct claim *claim;

    if (2 * (claims->count + 1) > claims->cap)
        grow(claims);
    claim = place_of(claims->table, claims->cap, digest);
    claims->count += claim->digest == 0;
    claim->digest = digest;
    return claim;
}

static void check(const struct claims *claims, const struct claim *claim)
{
    if (claim->landed + claim->refused > claim->asked)
        verdict_break(claims->verdict, "what was not done never shows",
                      "%" PRIu64 " requests, %" PRIu64
                      " were answered as not done, but %" PRIu64
                      " entries are there",
                      claim->asked, claim->refused, claim->landed);
}

void claims_asked(struct claims *claims, uint64_t digest)
{
    find(claims, digest)->asked++;
}

void claims_landed(struct claims *claims, uint64_t index, uint64_t digest,
                   bool is_own)
{
    struct claim *claim = find(claims, digest);

    while (claims->landings_end <= index) {
        claims->landings =
            row_grow(claims->landings, &claims->landings_cap,
                     (size_t)claims->landings_end, sizeof(claims->landings[0]));
        claims->landings[claims->landings_end++] = (struct landing){0};
    }
    claims->landings[index].digest = digest;
    if (is_own)
        return;
    claim->landed++;
    if (claim->asked == 0)
        verdict_break(claims->verdict, "the log holds what was asked for",
                      "nobody asked for the entry at %" PRIu64, index);
    check(claims, claim);
}

void claims_done(struct claims *claims, uint64_t digest, uint64_t index)
{
    struct landing *landing =
        index < claims->landings_end ? &claims->landings[index] : NULL;

    if (landing == NULL || landing->digest != digest)
        verdict_break(claims->verdict, "what is done is in the log",
                      "done at %" PRIu64 ", where %s is", index,
                      landing == NULL ? "nothing" : "another entry");
    else if (landing->is_claimed)
        verdict_break(claims->verdict, "an entry answers one request",
                      "two were done at %" PRIu64, index);
    else
        landing->is_claimed = true;
    find(claims, digest)->done++;
}

void claims_not_done(struct claims *claims, uint64_t digest)
{
    struct claim *claim = find(claims, digest);

    claim->refused++;
    check(claims, claim);
}

uint64_t claims_count(const struct claims *claims, uint64_t digest)
{
    if (claims->cap == 0)
        return 0;
    return place_of(claims->table, claims->cap, digest)->landed;
}
