/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Names and sentences of the result codes, from one list.
 */
#include <raftkv/base.h>

#define ERRORS(X)                                                              \
    X(RKV_OK, "it worked")                                                     \
    X(RKV_EINVAL, "an argument is outside its documented range")               \
    X(RKV_ESTATE, "this call is not allowed in the current state")             \
    X(RKV_ETOOBIG, "larger than a limit in the options")                       \
    X(RKV_ENOTFOUND, "no such member, entry, key or watch")                    \
    X(RKV_ECOMPACTED, "that index or revision has been compacted away")        \
    X(RKV_EFUTURE, "that index or revision is not there yet")                  \
    X(RKV_EVERSION, "the caller or peer uses something this build lacks")      \
    X(RKV_EMALFORMED, "these bytes do not decode")                             \
    X(RKV_EAUTH, "this frame was not sealed by a member of the cluster")       \
    X(RKV_ECLUSTER, "this frame belongs to another cluster or member")         \
    X(RKV_EEXIST, "it is there already, and different")                        \
    X(RKV_EKEY, "a key is empty or absent")                                    \
    X(RKV_EDUPLICATE, "a transaction changes the same key twice")              \
    X(RKV_ETOOMANY, "more operations than a transaction may hold")             \
    X(RKV_EUNSAFE, "this membership change would lose the quorum")             \
    X(RKV_ELEASE, "no such lease")                                             \
    X(RKV_ESESSION,                                                            \
      "no such session: it was never opened, or not used for long")            \
    X(RKV_EDENIED, "this user has no permission for that")                     \
    X(RKV_ENOUSER, "no such user, or no user was named")                       \
    X(RKV_ENOROLE, "no such role")                                             \
    X(RKV_EROOT, "auth needs the user root with the role root")                \
    X(RKV_EOLDAUTH, "users or roles have changed since this was authorized")   \
    X(RKV_EQUOTA,                                                              \
      "the store has reached its quota: delete keys and compact, or raise it") \
    X(RKV_EBUSY, "a queue is full; flush, take events, then try again")        \
    X(RKV_ENOTLEADER, "this member does not lead; ask the leader")             \
    X(RKV_ENOLEADER, "no leader is known; try again in a moment")              \
    X(RKV_ELOST, "another entry was committed in its place")                   \
    X(RKV_ETIMEOUT, "no answer came in time")                                  \
    X(RKV_EPENDING, "another membership change is under way")                  \
    X(RKV_ETRANSFER, "leadership is being handed over")                        \
    X(RKV_ECLOSED, "the node was closed before the answer")                    \
    X(RKV_ESTALE, "the log has moved on since this was made")                  \
    X(RKV_ESKIPPED, "a snapshot took the place of the answer")                 \
    X(RKV_ERECOVERING, "this member lost commits and is catching up")          \
    X(RKV_EJOINT, "a joint configuration must end first, or there is none")    \
    X(RKV_ENOTYET, "the leader is too new for this; try again in a moment")    \
    X(RKV_EBEHIND, "this learner lacks too much to become a voter")            \
    X(RKV_ENOMEM, "out of memory")                                             \
    X(RKV_EIO, "the disk failed a read, a write or a sync")                    \
    X(RKV_ECORRUPT, "stored bytes do not match their checksum")                \
    X(RKV_EFAILED, "this handle failed earlier; close it and open it anew")    \
    X(RKV_EDIVERGED, "two members hold different entries at one place")        \
    X(RKV_EROLLBACK, "the store is older than what it has promised")           \
    X(RKV_ELOCKED, "another process holds this directory")                     \
    X(RKV_ENOSPC, "the disk is full")

const char *rkv_errname(int32_t code)
{
    switch (code) {
#define NAME(symbol, text)                                                     \
    case symbol:                                                               \
        return #symbol;
        ERRORS(NAME)
#undef NAME
    }
    return "RKV_E?";
}

const char *rkv_strerror(int32_t code)
{
    switch (code) {
#define TEXT(symbol, text)                                                     \
    case symbol:                                                               \
        return text;
        ERRORS(TEXT)
#undef TEXT
    }
    return "not a result code of this library";
}
