/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/status.c - from the library's codes to gRPC's, and from those to
 * HTTP's.
 */
#include "status.h"

#include <raftkv/node.h>

/* As the gateway of Debian's etcd has it, 412 for a failed precondition
 * included. */
unsigned status_http(int code)
{
    switch (code) {
    case STATUS_OK:
        return 200;
    case STATUS_CANCELED:
        return 408;
    case STATUS_INVALID:
    case STATUS_OUT_OF_RANGE:
        return 400;
    case STATUS_DEADLINE:
        return 504;
    case STATUS_NOT_FOUND:
        return 404;
    case STATUS_DENIED:
        return 403;
    case STATUS_EXHAUSTED:
        return 429;
    case STATUS_PRECONDITION:
        return 412;
    case STATUS_UNIMPLEMENTED:
        return 501;
    case STATUS_UNAVAILABLE:
        return 503;
    default:
        return 500;
    }
}

const char *status_name(int code)
{
    static const char *const names[STATUS_CODES] = {
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    };

    return names[code];
}

/* UNAVAILABLE is kept for "not executed" and "nobody knows": clients try
 * again on it.  Where etcd has no words, the library's do. */
static const struct status words[] = {
    [-RKV_EINVAL] = {STATUS_INVALID, NULL},
    [-RKV_ESTATE] = {STATUS_PRECONDITION, NULL},
    [-RKV_ETOOBIG] = {STATUS_INVALID, "etcdserver: request is too large"},
    [-RKV_ENOTFOUND] = {STATUS_INVALID, "etcdserver: key not found"},
    [-RKV_ECOMPACTED] = {STATUS_OUT_OF_RANGE,
                         "etcdserver: mvcc: required revision has been "
                         "compacted"},
    [-RKV_EFUTURE] = {STATUS_OUT_OF_RANGE,
                      "etcdserver: mvcc: required revision is a future "
                      "revision"},
    [-RKV_EVERSION] = {STATUS_UNIMPLEMENTED, NULL},
    [-RKV_EMALFORMED] = {STATUS_INVALID, NULL},
    [-RKV_EEXIST] = {STATUS_PRECONDITION, NULL},
    [-RKV_EKEY] = {STATUS_INVALID, "etcdserver: key is not provided"},
    [-RKV_EDUPLICATE] = {STATUS_INVALID,
                         "etcdserver: duplicate key given in txn request"},
    [-RKV_ETOOMANY] = {STATUS_INVALID,
                       "etcdserver: too many operations in txn request"},
    [-RKV_EUNSAFE] = {STATUS_PRECONDITION,
                      "etcdserver: re-configuration failed due to not "
                      "enough started members"},
    [-RKV_ELEASE] = {STATUS_NOT_FOUND, "etcdserver: requested lease not found"},
    [-RKV_EQUOTA] = {STATUS_EXHAUSTED,
                     "etcdserver: mvcc: database space exceeded"},
    [-RKV_ESESSION] = {STATUS_NOT_FOUND, NULL},
    [-RKV_EDENIED] = {STATUS_DENIED, "etcdserver: permission denied"},
    [-RKV_EBUSY] = {STATUS_EXHAUSTED, "etcdserver: too many requests"},
    [-RKV_ENOTLEADER] = {STATUS_UNAVAILABLE, "etcdserver: leader changed"},
    [-RKV_ENOLEADER] = {STATUS_UNAVAILABLE, "etcdserver: no leader"},
    [-RKV_ELOST] = {STATUS_UNAVAILABLE, "etcdserver: leader changed"},
    [-RKV_ETIMEOUT] = {STATUS_UNAVAILABLE, "etcdserver: request timed out"},
    [-RKV_EPENDING] = {STATUS_UNAVAILABLE, NULL},
    [-RKV_ETRANSFER] = {STATUS_UNAVAILABLE, "etcdserver: leader changed"},
    [-RKV_ECLOSED] = {STATUS_UNAVAILABLE, "etcdserver: server stopped"},
    [-RKV_ESTALE] = {STATUS_UNAVAILABLE, NULL},
    [-RKV_ESKIPPED] = {STATUS_UNAVAILABLE, "etcdserver: request timed out"},
    [-RKV_ERECOVERING] = {STATUS_UNAVAILABLE, "etcdserver: unhealthy cluster"},
    [-RKV_EJOINT] = {STATUS_PRECONDITION, NULL},
    [-RKV_ENOTYET] = {STATUS_UNAVAILABLE, "etcdserver: leader changed"},
    [-RKV_EBEHIND] = {STATUS_PRECONDITION,
                      "etcdserver: can only promote a learner member "
                      "which is in sync with leader"},
    [-RKV_ENOUSER] = {STATUS_PRECONDITION, "etcdserver: user name not found"},
    [-RKV_ENOROLE] = {STATUS_PRECONDITION, "etcdserver: role name not found"},
    [-RKV_EROOT] = {STATUS_PRECONDITION,
                    "etcdserver: root user does not have root role"},
    [-RKV_EOLDAUTH] = {STATUS_INVALID,
                       "etcdserver: revision of auth store is old"},
    [-RKV_ENOMEM] = {STATUS_EXHAUSTED, NULL},
    [-RKV_EIO] = {STATUS_UNAVAILABLE, "etcdserver: server stopped"},
    [-RKV_ECORRUPT] = {STATUS_DATA_LOSS, "etcdserver: corrupt cluster"},
    [-RKV_EFAILED] = {STATUS_UNAVAILABLE, "etcdserver: server stopped"},
    [-RKV_EDIVERGED] = {STATUS_DATA_LOSS, "etcdserver: corrupt cluster"},
    [-RKV_EROLLBACK] = {STATUS_UNAVAILABLE, "etcdserver: server stopped"},
    [-RKV_ELOCKED] = {STATUS_UNAVAILABLE, "etcdserver: server stopped"},
    [-RKV_ENOSPC] = {STATUS_UNAVAILABLE, "etcdserver: server stopped"},
};
enum { WORDS = sizeof words / sizeof *words };

struct status status_of(int32_t code)
{
    struct status status = {STATUS_OK, NULL};

    if (code < 0 && code > -WORDS)
        status = words[-code];
    if (status.code == STATUS_OK)
        status.code = STATUS_INTERNAL;
    if (!status.text)
        status.text = rkv_strerror(code);
    return status;
}

/* What is unknown has one text, and nothing else has it: whoever reads any
 * other may try again without fear. */
struct status status_of_write(uint32_t outcome, int32_t code)
{
    if (outcome == RKV_UNKNOWN)
        return (struct status){STATUS_UNAVAILABLE,
                               "etcdserver: request timed out"};
    if (code == RKV_ETIMEOUT || code == RKV_ESKIPPED)
        return status_of(RKV_ENOLEADER);
    return status_of(code);
}
