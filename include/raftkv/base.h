/* SPDX-License-Identifier: BSD-2-Clause
 *
 * raftkv/base.h - what every other header of the library stands on:
 * results, the allocator, the log entry, and promises that hold for the
 * whole API.
 *
 * Ownership.  A handle you get from rkv_*_new() or rkv_*_open() is yours;
 * give it back with the matching _free() or _close(), which accept NULL.
 * Memory you pass in is borrowed for the length of the call.  Memory you are
 * handed is the library's and stays valid until your next call on the same
 * handle, unless the function says otherwise.
 *
 * Threads.  The library has no writable globals.  Different handles never
 * meet; one handle wants one caller at a time.
 *
 * Results.  Functions that can fail return an int: negative is an RKV_E*
 * code, zero is success or "nothing more", positive (only where said) is
 * "here is one".  Output parameters are written only on success.  A (pointer,
 * length) pair with length 0 may carry any pointer.
 *
 * Time.  Time is ticks: every `now` is an absolute, monotonic count that you
 * keep.  How long a tick lasts is yours to choose; the defaults suit one of a
 * millisecond.  No clock is read anywhere in the library.
 *
 * Growth.  Options start with `size`, the sizeof of the struct you compiled
 * with; in every other field 0 means "the default".  A shorter struct is
 * padded with zeros, a longer one is accepted while its surplus is zero.
 * Records called frozen never change; their reserved words must be 0.
 */
#ifndef RAFTKV_BASE_H
#define RAFTKV_BASE_H

#include <stddef.h>
#include <stdint.h>

#include "version.h"

#ifndef RKV_API
#if defined(__GNUC__)
#define RKV_API __attribute__((visibility("default")))
#else
#define RKV_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Result codes.  Values are ABI: never renumbered, never reused. */
enum {
    RKV_OK = 0,

    /* Ask differently: the handle is unharmed. */
    RKV_EINVAL = -1,      /* an argument is outside its documented range */
    RKV_ESTATE = -2,      /* this call is not allowed in the current state */
    RKV_ETOOBIG = -3,     /* larger than a limit in the options */
    RKV_ENOTFOUND = -4,   /* no such member, entry, key or watch */
    RKV_ECOMPACTED = -5,  /* that index or revision has been compacted away */
    RKV_EFUTURE = -6,     /* that index or revision is not there yet */
    RKV_EVERSION = -7,    /* caller or peer uses something this build lacks */
    RKV_EMALFORMED = -8,  /* bytes that do not decode */
    RKV_EAUTH = -9,       /* frame not sealed by a member of this cluster */
    RKV_ECLUSTER = -10,   /* a frame of another cluster, or for another id */
    RKV_EEXIST = -11,     /* there already, and different */
    RKV_EKEY = -12,       /* a key is empty or absent */
    RKV_EDUPLICATE = -13, /* a transaction changes the same key twice */
    RKV_ETOOMANY = -14,   /* more operations than a transaction may hold */
    RKV_EUNSAFE = -15,    /* a membership change that would lose the quorum */
    RKV_ELEASE = -16,     /* no such lease */
    RKV_EQUOTA = -17,     /* the state is full: delete and compact */
    RKV_ESESSION = -18,   /* no such session */
    RKV_EDENIED = -19,    /* this user may not do that */

    /* Ask later, or elsewhere. */
    RKV_EBUSY = -20,       /* a queue limit is reached; flush, then retry */
    RKV_ENOTLEADER = -21,  /* ask the leader */
    RKV_ENOLEADER = -22,   /* no leader is known; retry in a moment */
    RKV_ELOST = -23,       /* another entry was committed in its place */
    RKV_ETIMEOUT = -24,    /* no answer in time */
    RKV_EPENDING = -25,    /* another membership change is under way */
    RKV_ETRANSFER = -26,   /* leadership is being handed over */
    RKV_ECLOSED = -27,     /* the node was closed before the answer */
    RKV_ESTALE = -28,      /* the log has moved on; drop the message */
    RKV_ESKIPPED = -29,    /* a snapshot took the place of the answer */
    RKV_ERECOVERING = -30, /* this member lost commits and is catching up */
    RKV_EJOINT = -31,   /* a joint configuration must end first; or is none */
    RKV_ENOTYET = -32,  /* the leader is too new; retry in a moment */
    RKV_EBEHIND = -33,  /* a learner lacks too much to become a voter */
    RKV_ENOUSER = -34,  /* no such user, or none was named */
    RKV_ENOROLE = -35,  /* no such role */
    RKV_EROOT = -36,    /* auth needs the user root with the role root */
    RKV_EOLDAUTH = -37, /* users or roles have changed since; look anew */

    /* Fail-stop: close the handle, look at the machine, open it again. */
    RKV_ENOMEM = -40,
    RKV_EIO = -41,
    RKV_ECORRUPT = -42,  /* stored bytes do not match their checksum */
    RKV_EFAILED = -43,   /* this handle met one of these earlier */
    RKV_EDIVERGED = -44, /* two members hold different entries at one place */
    RKV_EROLLBACK = -45, /* the store is older than what it promised */
    RKV_ELOCKED = -46,   /* another process holds this directory */
    RKV_ENOSPC = -47     /* the disk is full */
};

/* "RKV_ENOTLEADER" and "ask the leader"; never NULL, for any code. */
RKV_API const char *rkv_errname(int32_t code);
RKV_API const char *rkv_strerror(int32_t code);

/* Version of the library actually loaded: major * 1000000 + minor * 1000 +
 * patch. */
RKV_API uint32_t rkv_version_number(void);
RKV_API const char *rkv_version(void);

/* One function is the whole allocator: allocate when ptr is NULL, release
 * when new_size is 0, resize otherwise.  old_size is always exact, so an
 * arena needs no headers and a counter needs no table.  NULL: failed. */
struct rkv_allocator {
    void *(*resize)(void *ctx, void *ptr, size_t old_size, size_t new_size);
    void *ctx;
};

/* One log entry: what Raft orders, stores keep and frames carry.  chain is
 * BLAKE2b-256 over the chain of the entry before it, then index, term (each
 * 8 bytes), kind, len (each 4 bytes, all little-endian) and the payload, so
 * two logs with equal chains at an index are equal up to there.  Frozen. */
enum { RKV_ENTRY_COMMAND = 1, RKV_ENTRY_CONFIG = 2, RKV_ENTRY_NOOP = 3 };
enum { RKV_CHAIN_BYTES = 32 };

struct rkv_entry {
    uint64_t index;
    uint64_t term;
    const void *data;
    uint32_t len;
    uint32_t kind;
    uint8_t chain[32];
};

/* entry->chain from the chain of the entry before it. */
RKV_API void rkv_entry_chain(struct rkv_entry *entry,
                             const uint8_t previous[32]);

/* A member as the configuration knows it.  role says what it may do; address
 * is opaque bytes of the host, at most RKV_ADDRESS_MAX of them.  Mostly role
 * is one of the first two; while a configuration is joint, voters of the half
 * that goes out have RKV_OUTGOING as well, or instead when they are in no
 * other: then they leave with that half, or become learners. */
enum {
    RKV_VOTER = 1,
    RKV_LEARNER = 2,
    RKV_OUTGOING = 16,
    RKV_LEARNER_NEXT = 32, /* outgoing: a learner afterwards */
    RKV_AUTO_LEAVE = 64,   /* outgoing: that half leaves by itself */
    RKV_LEASES = 128       /* of all members or none: they agreed to leases */
};
enum { RKV_ADDRESS_MAX = 1024, RKV_MEMBERS_MAX = 64 };

struct rkv_member {
    uint64_t id; /* not 0 */
    uint32_t role;
    uint32_t address_len;
    const void *address;
};

#ifdef __cplusplus
}
#endif
#endif
