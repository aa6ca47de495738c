/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/status.h - how a request ended, in the codes and words of etcd,
 * which its clients match.
 */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

#include <stdint.h>

/* gRPC's codes, of which HTTP's are made. */
enum {
    STATUS_OK = 0,
    STATUS_CANCELED = 1,
    STATUS_UNKNOWN = 2,
    STATUS_INVALID = 3,
    STATUS_DEADLINE = 4,
    STATUS_NOT_FOUND = 5,
    STATUS_DENIED = 7,
    STATUS_EXHAUSTED = 8,
    STATUS_PRECONDITION = 9,
    STATUS_OUT_OF_RANGE = 11,
    STATUS_UNIMPLEMENTED = 12,
    STATUS_INTERNAL = 13,
    STATUS_UNAVAILABLE = 14,
    STATUS_DATA_LOSS = 15,
    STATUS_CODES = 17
};
struct status {
    int code;
    const char *text;
};
unsigned status_http(int code);
const char *status_name(int code);
/* What a client is told about a result of the library. */
struct status status_of(int32_t code);
/* The same of a write that is NOT_DONE or UNKNOWN. */
struct status status_of_write(uint32_t outcome, int32_t code);

#endif
