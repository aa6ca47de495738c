/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/lanes.h - many requests at once over many connections, one under way
 * on each: what import, verify and load are made of.  A lane whose server
 * went away goes on at the next endpoint.
 */
#ifndef SERVER_LANES_H
#define SERVER_LANES_H

#include "ctl.h"

struct lane {
    int fd; /* -1: not connected */
    bool connecting;
    bool busy;
    size_t endpoint;
    size_t item;      /* what the request is about */
    uint64_t started; /* ns */
    uint64_t retry_at;
    struct buffer out;
    size_t sent;
    struct buffer in;
};

struct lanes {
    struct ctl *ctl;
    struct lane *lane;
    size_t count;
    int epoll;
    uint64_t timeout_ns; /* of one request */
    bool over;           /* set it, and the run ends */
    void *ctx;
    /* Writes the lane's next request with lanes_post() and notes its item;
     * false: there is nothing to do just now. */
    bool (*next)(struct lanes *lanes, struct lane *lane);
    void (*answered)(struct lanes *lanes, struct lane *lane, int status,
                     char *body, size_t len);
    /* There will be no answer. */
    void (*lost)(struct lanes *lanes, struct lane *lane);
    /* Now and then; may set over. */
    void (*tick)(struct lanes *lanes, uint64_t now);
};

uint64_t lanes_now(void);
/* 0, or the exit code after saying why. */
int lanes_run(struct lanes *lanes);
void lanes_post(struct lane *lane, const char *path,
                const struct message *message, const void *record,
                struct buffer *scratch);

#endif
