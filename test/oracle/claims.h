/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/oracle/claims.h - requests against the log: what was answered as done
 * is one entry and nobody else's, what was answered as not done never is one,
 * and what nobody asked for is not there.  A request whose outcome is unknown
 * may become an entry for as long as there is a log.
 *
 * Requests are known by their bytes.  Where several have the same, a retry
 * and its first try for instance, they are counted together.
 */
#ifndef TEST_ORACLE_CLAIMS_H
#define TEST_ORACLE_CLAIMS_H

#include "verdict.h"

struct claim {       /* all requests with these bytes */
    uint64_t digest; /* 0: a free place */
    uint64_t asked;
    uint64_t refused; /* answered as not done */
    uint64_t done;
    uint64_t landed; /* entries with these bytes */
};

struct claims {
    struct verdict *verdict;
    struct claim *table; /* by digest; cap is a power of two */
    size_t cap;
    size_t count;
    struct landing { /* by index */
        uint64_t digest;
        bool is_claimed;
    } * landings;
    size_t landings_cap;
    uint64_t landings_end;
};

void claims_init(struct claims *claims, struct verdict *verdict);
void claims_free(struct claims *claims);
/* digests are not 0 */
void claims_asked(struct claims *claims, uint64_t digest);
/* An entry with these bytes is committed at index, in order.  is_own: a member
 * may have asked for it by itself. */
void claims_landed(struct claims *claims, uint64_t index, uint64_t digest,
                   bool is_own);
void claims_done(struct claims *claims, uint64_t digest, uint64_t index);
void claims_not_done(struct claims *claims, uint64_t digest);
/* Entries with these bytes so far. */
uint64_t claims_count(const struct claims *claims, uint64_t digest);

#endif
