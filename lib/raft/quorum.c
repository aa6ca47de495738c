/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/quorum.c - see quorum.h.
 */
#include "quorum.h"

#include <raftkv/base.h>

enum vote rkv_majority_vote(uint64_t voters, uint64_t granted,
                            uint64_t rejected)
{
    int count = __builtin_popcountll(voters);
    int quorum = count / 2 + 1;
    int yes = __builtin_popcountll(voters & granted);
    int no = __builtin_popcountll(voters & rejected);

    if (count == 0 || yes >= quorum)
        return VOTE_WON;
    return count - no < quorum ? VOTE_LOST : VOTE_PENDING;
}

enum vote rkv_joint_vote(uint64_t voters, uint64_t outgoing, uint64_t granted,
                         uint64_t rejected)
{
    enum vote in = rkv_majority_vote(voters, granted, rejected);
    enum vote out = rkv_majority_vote(outgoing, granted, rejected);

    if (in == VOTE_LOST || out == VOTE_LOST)
        return VOTE_LOST;
    return in == VOTE_WON && out == VOTE_WON ? VOTE_WON : VOTE_PENDING;
}

/* The middle of three without a loop, since three is what most have. */
static inline uint64_t middle(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low = a < b ? a : b;
    uint64_t high = a < b ? b : a;
    uint64_t most = high < c ? high : c;
    return low > most ? low : most;
}

uint64_t rkv_majority_value(uint64_t voters, const uint64_t *values)
{
    uint64_t sorted[RKV_MEMBERS_MAX];
    uint32_t count = 0;

    if (voters == 7)
        return middle(values[0], values[1], values[2]);
    if (voters == 0)
        return UINT64_MAX;
    for (uint64_t rest = voters; rest != 0; rest &= rest - 1) {
        uint64_t value = values[__builtin_ctzll(rest)];
        uint32_t at = count++;
        for (; at > 0 && sorted[at - 1] < value; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = value;
    }
    return sorted[count / 2];
}

uint64_t rkv_joint_value(uint64_t voters, uint64_t outgoing,
                         const uint64_t *values)
{
    uint64_t in = rkv_majority_value(voters, values);
    if (outgoing == 0)
        return in;
    uint64_t out = rkv_majority_value(outgoing, values);
    return in < out ? in : out;
}
