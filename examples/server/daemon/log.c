/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/log.c - a line is put together first and written at once, so that
 * lines of two processes on one terminal do not mix.
 */
#define _POSIX_C_SOURCE 200809L

#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *const level_names[] = {"debug", "info", "warn", "error"};

int log_level_parse(const char *text)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++)
        if (strcmp(text, level_names[i]) == 0)
            return i;
    return -1;
}

const char *log_quote(const char *text, char *out, unsigned cap)
{
    unsigned at = 0;
    int bare = text[0] != '\0';

    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= ' ' || strchr("\"=\\", *c))
            bare = 0;
    if (!bare)
        out[at++] = '"';
    for (const char *c = text; *c && at + 4 < cap; c++) {
        if (*c == '"' || *c == '\\')
            out[at++] = '\\';
        out[at++] = (unsigned char)*c < ' ' ? ' ' : *c;
    }
    if (!bare)
        out[at++] = '"';
    out[at] = '\0';
    return out;
}

static size_t put_time(char *line, size_t cap)
{
    struct timespec now;
    struct tm parts;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t len = strftime(line, cap, "time=%Y-%m-%dT%H:%M:%S", &parts);
    len += (size_t)snprintf(line + len, cap - len, ".%03ldZ",
                            now.tv_nsec / 1000000);
    return len;
}

void log_line(const struct log *log, int level, const char *what,
              const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    char quoted[512];
    va_list args;

    if (level < log->level)
        return;
    size_t len = put_time(line, 64);
    len += (size_t)snprintf(
        line + len, sizeof line - len, " level=%s%s%s msg=%s",
        level_names[level], log->name ? " member=" : "",
        log->name ? log->name : "", log_quote(what, quoted, sizeof quoted));
    if (format[0] && len + 2 < sizeof line) {
        line[len++] = ' ';
        va_start(args, format);
        int more = vsnprintf(line + len, sizeof line - len, format, args);
        va_end(args);
        if (more > 0)
            len += (size_t)more;
    }
    if (len > sizeof line - 1)
        len = sizeof line - 1;
    line[len++] = '\n';
    /* Nobody is left to be told when this fails. */
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written;
}
