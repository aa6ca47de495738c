/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/hello.h - how two members find out whether they belong together.
 * Each says once, before all else:
 *
 *     0    'P' 'K' 'V' 1 | version
 *     8    cluster
 *     16   who speaks:  id | start | incarnation of its store
 *     48   whom it means, and what it knows of that one's life: the same
 *
 * What comes before the cluster is the same in all versions.
 */
#ifndef SERVER_HELLO_H
#define SERVER_HELLO_H

#include <stdbool.h>
#include <stdint.h>

struct link;

enum { HELLO_BYTES = 80, HELLO_VERSION_BYTES = 8 };

/* What a dialler says. */
void hello_say(struct link *link, uint64_t to);
/* How long the hello is that begins with HELLO_VERSION_BYTES at data. */
uint64_t hello_len(const char *data);
/* What the other end said, so long.  False: it does not belong here; the line
 * was closed, and the log says why. */
bool hello_take(struct link *link, const char *data);
/* It belongs here, and that it was met is on disk: the line is up. */
void hello_settle(struct link *link);

#endif
