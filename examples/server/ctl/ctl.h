/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/ctl.h - the hall of raftkvctl: what the command line says, a way to
 * ask a server, and one function per command.
 */
#ifndef SERVER_CTL_H
#define SERVER_CTL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdio.h>

#include "../common/arena.h"
#include "../common/buffer.h"
#include "../common/etcd.h"
#include "../common/json.h"
#include "../common/url.h"

/* What the program's exit says; raftkvctl(1). */
enum { CTL_OK = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_UNREACHED = 3 };

struct ctl {
    struct url_list endpoints;
    int timeout_ms;
    bool json;
    bool hex;
    /* Flags of commands; what a command does not know is refused. */
    bool prefix, from_key, keys_only, count_only, prev_kv, ignore_value;
    bool serializable, progress, print_value_only;
    int64_t limit, revision, clients, seconds, value_size, keys, requests;
    const char *order, *sort_by, *at_half, *operation;
    int argc; /* what is left after the flags */
    char **argv;
    /* One answer. */
    struct arena arena;
    struct json answer_json;
    struct buffer answer;
};

/* Asks the endpoints in turn until one answers: 0 and *out (when response is
 * not NULL), or the exit code after saying why.  What changes something is
 * sent again only if it cannot have been received. */
int ctl_ask(struct ctl *ctl, const char *path, const struct message *request,
            const void *record, const struct message *response, void *out);
/* The same of one endpoint; quiet says nothing. */
int ctl_ask_one(struct ctl *ctl, const struct url *endpoint, const char *path,
                const struct message *request, const void *record,
                const struct message *response, void *out, bool quiet);
int ctl_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The end of all keys that begin like this one; "\0" when there is none. */
struct bytes ctl_prefix_end(struct ctl *ctl, struct bytes key);

/* http.c: one connection at a time, blocking, with a time limit. */
struct http;
enum { HTTP_FAILED_EARLY = -1, HTTP_FAILED_LATE = -2 };
int http_open(const struct url *url, int timeout_ms, struct http **out,
              char *error);
void http_close(struct http *http);
/* The status, or HTTP_FAILED_*: early is before anything was sent. */
int http_ask(struct http *http, const char *method, const char *path,
             const void *body, size_t len, struct buffer *answer, char *error);
/* A streamed answer: each line is given to take, which returns false to end
 * it. */
int http_stream(struct http *http, const char *path, const void *body,
                size_t len, bool (*take)(void *ctx, char *line, size_t len),
                void *ctx, char *error);

/* print.c */
void print_bytes(const struct ctl *ctl, struct bytes bytes);
void print_item(const struct ctl *ctl, const struct rkv_item *item);
void print_answer(struct ctl *ctl);

/* The commands. */
int cmd_put(struct ctl *ctl);
int cmd_get(struct ctl *ctl);
int cmd_del(struct ctl *ctl);
int cmd_txn(struct ctl *ctl);
int cmd_watch(struct ctl *ctl);
int cmd_compaction(struct ctl *ctl);
int cmd_status(struct ctl *ctl);
int cmd_hash(struct ctl *ctl);
int cmd_member(struct ctl *ctl);
int cmd_call(struct ctl *ctl);
int cmd_import(struct ctl *ctl);
int cmd_verify(struct ctl *ctl);
int cmd_load(struct ctl *ctl);

#endif
