/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/sim/marks.h - situations that runs must come to, by name: an oracle
 * that is never asked anything hard proves little.  They are seen from outside,
 * in what goes into a core and comes out of it, in answers and in statuses; the
 * library knows nothing of them.
 */
#ifndef TEST_SIM_MARKS_H
#define TEST_SIM_MARKS_H

#include <stdint.h>

#define MARKS(X)                                                               \
    X(PUT, "a put was done")                                                   \
    X(THEN, "a transaction's comparisons held")                                \
    X(ELSE, "a transaction went the other way")                                \
    X(NESTED, "a transaction ran inside another")                              \
    X(READ_IN_TXN, "a command read")                                           \
    X(DELETED_MANY, "a deletion took several keys")                            \
    X(CLIENT_COMPACTED, "history was compacted")                               \
    X(COMPACT_REFUSED, "a compaction came too late or too early")              \
    X(READ_PAST, "the past was read")                                          \
    X(READ_COMPACTED, "a read asked for what is compacted")                    \
    X(READ_FUTURE, "a read asked for what is to come")                         \
    X(READ_SHAPED, "a range was sorted, bounded or cut")                       \
    X(READ_BEHIND, "a member was read that lagged behind the log")             \
    X(QUOTA_REFUSED, "a put found the state full")                             \
    X(SESSION_REPLAYED, "a command came again and was answered again")         \
    X(SESSION_STALE, "a command came after a later one of its session")        \
    X(SESSION_UNKNOWN, "a command named a session that is not there")          \
    X(LEASE_ENDED, "leases ended with their time")                             \
    X(LEASE_ENDED_KEYS, "a lease took keys with it")                           \
    X(LEASE_REVOKED_KEYS, "a revoked lease took keys with it")                 \
    X(LEASE_KEPT, "a lease was kept alive")                                    \
    X(LEASE_KEPT_LATE, "a lease that was gone was to be kept alive")           \
    X(LEASE_ACROSS, "a lease ended in a later term than it was granted in")    \
    X(LEASE_EMPTIED, "a key with a time to live of its own was replaced")      \
    X(DENIED, "a command was denied to its user")                              \
    X(OLD_AUTH, "a command knew an old state of users")                        \
    X(AUTH_ENABLED, "users had to say who they are")                           \
    X(AUTH_DISABLED, "users no longer had to")                                 \
    X(MALFORMED, "bytes that are no command were refused")                     \
    X(WATCH_PAST, "a watch began in the past")                                 \
    X(WATCH_FUTURE, "a watch began in the future")                             \
    X(WATCH_RESUMED, "a watch went on on another member")                      \
    X(WATCH_CANCELED, "a watch was ended by compaction")                       \
    X(WATCH_RESTORED, "a watch went on over a snapshot")                       \
    X(WATCH_WHOLE, "a watch was told several changes of one revision")         \
    X(WATCH_PROGRESS, "a watch was told that it is up to date")                \
    X(UNKNOWN_DONE, "an unknown request was in the log")                       \
    X(UNKNOWN_NEVER, "an unknown request never came to the log")               \
    X(NOT_DONE_LOST, "a request lost its place to another")                    \
    X(FORWARD_DONE, "a follower's request was done")                           \
    X(FORWARD_UNKNOWN, "a follower's request ended as unknown")                \
    X(FORWARD_REFUSED, "a follower's request was refused by a leader")         \
    X(SKIPPED, "a request ended as unknown because a snapshot passed it")      \
    X(WAITED, "a request waited for a leader and was done")                    \
    X(READ_FORWARDED, "a follower served a linearizable read")                 \
    X(OUTDATED, "somebody was asked who led no longer and did not know it")    \
    X(LED, "somebody was elected")                                             \
    X(DEPOSED, "a leader heard of a later term")                               \
    X(LOST_TOUCH, "a leader stepped down for want of a quorum")                \
    X(NO_WINNER, "a term had candidates and no leader")                        \
    X(PREVOTE_REFUSED, "a pre-vote was refused")                               \
    X(VOTE_REFUSED, "a vote was refused")                                      \
    X(LOG_CUT, "a follower replaced entries")                                  \
    X(PROBED, "a follower refused an append, and said where to look")          \
    X(STALE_APPEND, "an append of an older term came")                         \
    X(OLD_BOOT, "an answer came from an earlier life of its sender")           \
    X(OLD_TERM_COMMITTED, "entries of an older term were committed by a new")  \
    X(LEADER_DIED_OWING, "a leader died with entries not yet committed")       \
    X(DIED_BEFORE_WRITE, "a member died before its write was done")            \
    X(DIED_AFTER_WRITE, "a member died between its write and the word of it")  \
    X(DIED_RESTORING, "a member died while it was sent a snapshot")            \
    X(SLEPT_LEADING, "a leader was paused for longer than an election")        \
    X(HURRIED, "a member was told to campaign at once")                        \
    X(RIVALED, "an order to campaign met another election")                    \
    X(READ_DROPPED, "a leader that fell dropped its reads")                    \
    X(SNAPSHOT_WANTED, "a follower was offered a snapshot")                    \
    X(SNAPSHOT_INSTALLED, "a snapshot took the place of a log")                \
    X(SNAPSHOT_TAKEN, "a member took a snapshot of its own")                   \
    X(SNAPSHOT_FIRST, "a snapshot was the first that a member heard")          \
    X(RECOVERING, "a member that lost commits was met")                        \
    X(RECOVERED, "a member that lost commits was whole again")                 \
    X(STATED, "a recovering member was told where it would be whole")          \
    X(CONFIGURED, "a change of members took effect")                           \
    X(CHANGE_REFUSED, "a change was refused where it was asked")               \
    X(CHANGE_DONE, "a change was done")                                        \
    X(CHANGE_NOT_DONE, "a change was not done")                                \
    X(CHANGE_UNKNOWN, "a change ended as unknown")                             \
    X(LEARNER_ADDED, "a learner was added")                                    \
    X(PROMOTED, "a learner became a voter")                                    \
    X(DEMOTED, "a voter became a learner")                                     \
    X(REMOVED, "a voter was removed")                                          \
    X(LEADER_REMOVED, "a leader was removed")                                  \
    X(JOINT, "a joint configuration began")                                    \
    X(JOINT_LEFT, "a joint configuration ended by itself")                     \
    X(JOINT_ENDED, "a joint configuration was ended by its operator")          \
    X(LED_JOINT, "somebody was elected by a joint configuration")              \
    X(TRANSFER_DONE, "leadership was handed over")                             \
    X(TRANSFER_LOST, "a handover came to nothing")                             \
    X(TRANSFER_UNKNOWN, "a handover ended as unknown")                         \
    X(AGREED, "members agreed to leases")                                      \
    X(LEASE_READ, "a leader answered reads by its lease")                      \
    X(LEASE_NONE, "a leader was asked when its lease had run out")             \
    X(LEASE_LAPSED, "a leader was asked after a pause, and had no lease")      \
    X(RECOVERING_ASKED, "a recovering member was asked for its vote")          \
    X(PIECES, "a snapshot was sent in several pieces")                         \
    X(PIECE_AGAIN, "a piece of a snapshot was asked for again")                \
    X(REPLAYED, "a recording was played again")                                \
    X(POWER_LOST, "all lost power at once, and came back")

enum mark {
#define MARK_NAME(name, sentence) MARK_##name,
    MARKS(MARK_NAME)
#undef MARK_NAME
        MARKS_COUNT
};

struct world;
void mark(struct world *w, enum mark mark);
/* Each with its count; how many were never reached.  loud: all of them, else
 * only those. */
int marks_report(const uint64_t counts[MARKS_COUNT], int loud);

#endif
