/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/watch_cmd.c - changes as they happen.  When the server goes away the
 * watch goes on at the next endpoint, after the last revision seen.
 */
#include "ctl.h"

#include <time.h>

struct watching {
    struct ctl *ctl;
    int64_t next; /* revision to go on from; 0: whatever comes */
    int64_t left; /* events still wanted; -1: all */
    int rc;
    bool over;
    bool begun;  /* it was created once: from then on it is not given up */
    bool adrift; /* the server has no leader: another may */
    bool told;   /* that there is nobody, and not to be told again */
};

struct stream_error {
    uint32_t code;
    struct bytes message;
};
static const struct field stream_error_fields[] = {
    {"grpc_code", 1, FIELD_UINT32, offsetof(struct stream_error, code), NULL},
    {"message", 2, FIELD_STRING, offsetof(struct stream_error, message), NULL},
};
static const struct message stream_error_message = {
    "stream error", sizeof(struct stream_error), stream_error_fields, 2};
struct streamed {
    const struct watch_response *result;
    const struct stream_error *error;
};
static const struct field streamed_fields[] = {
    {"result", 1, FIELD_MESSAGE, offsetof(struct streamed, result),
     &watch_response_message},
    {"error", 2, FIELD_MESSAGE, offsetof(struct streamed, error),
     &stream_error_message},
};
static const struct message streamed_message = {
    "streamed response", sizeof(struct streamed), streamed_fields, 2};

static void print_event(const struct ctl *ctl, const struct event *event)
{
    puts(event->type == EVENT_DELETE ? "DELETE" : "PUT");
    if (event->prev_kv)
        print_item(ctl, event->prev_kv);
    if (!event->kv)
        return;
    print_bytes(ctl, bytes_of(event->kv->key, event->kv->key_len));
    if (event->type != EVENT_DELETE)
        print_bytes(ctl, bytes_of(event->kv->value, event->kv->value_len));
}

static bool canceled(struct watching *watching,
                     const struct watch_response *response)
{
    if (response->compact_revision != 0)
        fprintf(stderr,
                "Error: watch canceled: history up to revision %lld has been "
                "compacted; start at a later --rev\n",
                (long long)response->compact_revision);
    else
        fprintf(stderr, "Error: watch canceled: %.*s\n",
                (int)response->cancel_reason.len,
                (const char *)response->cancel_reason.at);
    watching->rc = CTL_REFUSED;
    watching->over = true;
    return false;
}

static bool take_response(struct watching *watching,
                          const struct watch_response *response)
{
    const struct event *events = response->events.at;

    if (response->canceled)
        return canceled(watching, response);
    watching->begun = true;
    watching->told = false;
    if (response->created && watching->next == 0 && response->header)
        watching->next = response->header->revision + 1;
    for (size_t i = 0; i < response->events.count; i++) {
        if (!watching->ctl->json)
            print_event(watching->ctl, &events[i]);
        if (events[i].kv)
            watching->next = events[i].kv->mod_revision + 1;
        if (watching->left > 0 && --watching->left == 0)
            watching->over = true;
    }
    fflush(stdout);
    return !watching->over;
}

/* An error, in a stream or instead of one.  Another endpoint may do better
 * where this one has no leader or is on the way out. */
static void take_error(struct watching *watching, char *line, size_t len,
                       const struct stream_error *in_stream)
{
    enum { UNAVAILABLE = 14 };
    struct ctl *ctl = watching->ctl;
    const struct error_response *alone = NULL;
    struct bytes text;

    if (!in_stream)
        alone = message_from_json(&ctl->arena, &error_response_message,
                                  &ctl->answer_json, line, len);
    if (in_stream)
        text = in_stream->message;
    else if (alone && alone->message.len > 0)
        text = alone->message;
    else
        text = bytes_text("the answer is not understood");
    watching->adrift = (in_stream ? in_stream->code
                        : alone   ? alone->code
                                  : 0) == UNAVAILABLE;
    if (!watching->told)
        fprintf(stderr, "Error: %.*s%s\n", (int)text.len, (const char *)text.at,
                watching->adrift ? "; trying on" : "");
    if (watching->adrift)
        return;
    watching->rc = CTL_REFUSED;
    watching->over = true;
}

static bool take_line(void *ctx, char *line, size_t len)
{
    struct watching *watching = ctx;
    struct ctl *ctl = watching->ctl;

    if (ctl->json) {
        fwrite(line, 1, len, stdout);
        putchar('\n');
    }
    arena_reset(&ctl->arena);
    const struct streamed *streamed = message_from_json(
        &ctl->arena, &streamed_message, &ctl->answer_json, line, len);
    if (streamed && streamed->result)
        return take_response(watching, streamed->result);
    take_error(watching, line, len, streamed ? streamed->error : NULL);
    return false;
}

static int watch_at(struct watching *watching, const struct url *endpoint,
                    struct watch_create *create)
{
    struct watch_request request = {.create_request = create};
    struct buffer body = {0};
    struct http *http;
    char error[256] = "", url[URL_HOST_MAX + 32];

    url_format(endpoint, url, sizeof url);
    if (http_open(endpoint, watching->ctl->timeout_ms, &http, error) != 0) {
        if (!watching->told)
            fprintf(stderr, "raftkvctl: %s: %s\n", url, error);
        return -1;
    }
    create->start_revision = watching->next;
    watching->adrift = false;
    message_to_json(&body, &watch_request_message, &request);
    int status = http_stream(http, "/v3/watch", body.at, body.len, take_line,
                             watching, error);
    http_close(http);
    buffer_free(&body);
    if (watching->over)
        return 0;
    if (watching->adrift)
        return watching->begun ? 1 : -1;
    fprintf(stderr, "raftkvctl: %s: %s\n", url,
            status < 0 ? error : "the watch ended");
    return 1;
}

/* From endpoint to endpoint.  A watch that nobody has begun ends when all were
 * asked; one that was begun has somebody counting on it, and waits. */
static void go_on(struct watching *watching, struct watch_create *create)
{
    const struct url_list *endpoints = &watching->ctl->endpoints;
    size_t failures = 0, at = 0;

    while (!watching->over) {
        struct timespec moment = {0, 200000000};
        if (watch_at(watching, &endpoints->urls[at], create) < 0)
            failures++;
        else
            failures = 0;
        at = (at + 1) % endpoints->count;
        if (failures >= endpoints->count && !watching->begun)
            return;
        if (failures == endpoints->count && !watching->told) {
            fprintf(stderr, "raftkvctl: nobody answers; trying on\n");
            watching->told = true;
        }
        if (!watching->over)
            nanosleep(&moment, NULL);
    }
}

int cmd_watch(struct ctl *ctl)
{
    struct watch_create create = {.prev_kv = ctl->prev_kv,
                                  .progress_notify = ctl->progress};
    struct watching watching = {
        .ctl = ctl,
        .next = ctl->revision,
        .left = ctl->limit > 0 ? ctl->limit : -1,
    };
    struct arena keys = {0};

    if (ctl->argc < 1 || ctl->argc > 2)
        return ctl_usage("watch takes a key, or a key and the end of a range");
    create.key = bytes_text(ctl->argv[0]);
    if (ctl->argc == 2) {
        create.range_end = bytes_text(ctl->argv[1]);
    } else if (ctl->prefix) {
        struct bytes end = ctl_prefix_end(ctl, create.key);
        void *copy = arena_take(&keys, end.len);
        create.range_end = bytes_of(memcpy(copy, end.at, end.len), end.len);
    } else if (ctl->from_key) {
        create.range_end = bytes_of("", 1);
    }
    go_on(&watching, &create);
    arena_free(&keys);
    return watching.over ? watching.rc : CTL_UNREACHED;
}
