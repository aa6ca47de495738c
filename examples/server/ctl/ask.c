/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/ask.c - one question to whoever answers.
 */
#include "ctl.h"

#include <stdarg.h>
#include <stdlib.h>

int ctl_usage(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "raftkvctl: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nraftkvctl: --help lists the commands\n");
    return CTL_USAGE;
}

struct bytes ctl_prefix_end(struct ctl *ctl, struct bytes key)
{
    unsigned char *end = arena_take(&ctl->arena, key.len + 1);

    if (!end)
        return bytes_of("", 1);
    memcpy(end, key.at, key.len);
    for (size_t len = key.len; len > 0; len--) {
        if (end[len - 1] != 0xff) {
            end[len - 1]++;
            return bytes_of(end, len);
        }
    }
    return bytes_of("", 1);
}

static void say(const struct url *endpoint, const char *what)
{
    char text[URL_HOST_MAX + 32];

    url_format(endpoint, text, sizeof text);
    fprintf(stderr, "raftkvctl: %s: %s\n", text, what);
}

/* The error of an answer that is one.  True: the one with which a server says
 * that it does not know what became of a write. */
static bool explain(struct ctl *ctl, const struct url *endpoint, int status)
{
    char text[96];
    struct error_response *error =
        message_from_json(&ctl->arena, &error_response_message,
                          &ctl->answer_json, ctl->answer.at, ctl->answer.len);

    if (error && error->message.len > 0) {
        fprintf(stderr, "Error: %.*s\n", (int)error->message.len,
                (const char *)error->message.at);
        return bytes_start(error->message, "etcdserver: request timed out");
    }
    snprintf(text, sizeof text, "HTTP status %d%s", status,
             status == 404 ? "; is this a raftkvd or etcd client URL?" : "");
    say(endpoint, text);
    return status == 504;
}

static int decode(struct ctl *ctl, const struct url *endpoint,
                  const struct message *response, void *out)
{
    if (!response)
        return CTL_OK;
    const void *record =
        message_from_json(&ctl->arena, response, &ctl->answer_json,
                          ctl->answer.at, ctl->answer.len);
    if (!record) {
        say(endpoint, ctl->answer_json.error);
        return CTL_REFUSED;
    }
    memcpy(out, record, response->size);
    return CTL_OK;
}

enum { NOT_SENT = -1, NO_ANSWER = -2 };

static int ask(struct ctl *ctl, const struct url *endpoint, const char *path,
               const struct buffer *body, bool quiet)
{
    struct http *http;
    char error[256] = "";

    if (http_open(endpoint, ctl->timeout_ms, &http, error) != 0) {
        if (!quiet)
            say(endpoint, error);
        return NOT_SENT;
    }
    int status =
        http_ask(http, "POST", path, body->at, body->len, &ctl->answer, error);
    http_close(http);
    if (status >= 0)
        return status;
    if (!quiet)
        say(endpoint, error);
    return status == HTTP_FAILED_EARLY ? NOT_SENT : NO_ANSWER;
}

int ctl_ask_one(struct ctl *ctl, const struct url *endpoint, const char *path,
                const struct message *request, const void *record,
                const struct message *response, void *out, bool quiet)
{
    struct buffer body = {0};

    message_to_json(&body, request, record);
    int status = ask(ctl, endpoint, path, &body, quiet);
    buffer_free(&body);
    if (status < 0)
        return CTL_UNREACHED;
    if (status != 200) {
        if (!quiet)
            explain(ctl, endpoint, status);
        return CTL_REFUSED;
    }
    return decode(ctl, endpoint, response, out);
}

static bool only_reads(const char *path)
{
    return strcmp(path, "/v3/kv/range") == 0 ||
           strncmp(path, "/v3/cluster/member/list", 23) == 0 ||
           strncmp(path, "/v3/maintenance/", 16) == 0;
}

static void say_unknown(void)
{
    fprintf(stderr, "raftkvctl: whether it happened is not known; look before "
                    "you try again\n");
}

int ctl_ask(struct ctl *ctl, const char *path, const struct message *request,
            const void *record, const struct message *response, void *out)
{
    struct buffer body = {0};
    const struct url *endpoint = NULL;
    int status = NOT_SENT;

    message_to_json(&body, request, record);
    for (size_t i = 0; i < ctl->endpoints.count; i++) {
        bool last = i + 1 == ctl->endpoints.count;
        endpoint = &ctl->endpoints.urls[i];
        status = ask(ctl, endpoint, path, &body, !last);
        if (status == 200)
            break;
        if (status != NOT_SENT &&
            !(only_reads(path) && (status < 0 || status == 503)))
            break;
    }
    buffer_free(&body);
    if (status == 200)
        return decode(ctl, endpoint, response, out);
    if (status > 0) {
        bool known = !explain(ctl, endpoint, status) || only_reads(path);
        if (!known)
            say_unknown();
        return known ? CTL_REFUSED : CTL_UNREACHED;
    }
    if (status == NOT_SENT)
        fprintf(stderr, "raftkvctl: no endpoint could be reached; is a "
                        "raftkvd running there?  --endpoints says where\n");
    else if (!only_reads(path))
        say_unknown();
    return CTL_UNREACHED;
}
