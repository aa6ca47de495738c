/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/log.h - what raftkvd has to say: one line an event, logfmt, on
 * stderr.  A line names what happened, where, what was expected and found,
 * and what to do.
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdint.h>

enum { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log {
    int level;
    const char *name; /* of the member; NULL until it is known */
};

/* -1: no such level. */
int log_level_parse(const char *text);
/* The rest of the line is key=value pairs; format may be "". */
void log_line(const struct log *log, int level, const char *what,
              const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Text made fit to stand as a value: quoted where it must be, cut to cap. */
const char *log_quote(const char *text, char *out, unsigned cap);

#endif
