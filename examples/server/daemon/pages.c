/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/pages.c - what is asked with a plain GET: /health, /livez, /readyz,
 * /version and /metrics.
 */
#include "server.h"

static const char as_json[] = "application/json";
static const char as_text[] = "text/plain; charset=utf-8";

static void answer_text(struct client *client, unsigned status,
                        const char *type, const char *text)
{
    http_answer(client, status, type, text, strlen(text));
}

static void healthy(struct client *client)
{
    answer_text(client, 200, as_json, "{\"health\":\"true\",\"reason\":\"\"}");
}

static void alive(struct client *client, struct bytes query)
{
    (void)query;
    answer_text(client, 200, as_text, "ok\n");
}

static void read_done(struct call *call, const struct rkv_result *result)
{
    struct client *client =
        (struct client *)(void *)((char *)call->stream -
                                  offsetof(struct client, stream));

    (void)result;
    if (client->page == PAGE_READY)
        alive(client, bytes_of("", 0));
    else
        healthy(client);
}

void pages_fail(struct client *client, const char *reason)
{
    struct buffer *scratch = &client->server->scratch;
    bool ready = client->page == PAGE_READY;

    buffer_reset(scratch, READ_BYTES);
    if (ready) {
        buffer_printf(scratch, "[-]linearizable_read failed: %s\n", reason);
    } else {
        buffer_text(scratch, "{\"health\":\"false\",\"reason\":");
        json_quote(scratch, reason, strlen(reason));
        buffer_byte(scratch, '}');
    }
    http_answer(client, 503, ready ? as_text : as_json, scratch->at,
                scratch->len);
}

/* Ready is a member that can answer a linearizable read. */
static void judge(struct client *client, enum page page)
{
    client->page = page;
    if (client->server->leader == 0)
        pages_fail(client, "RAFT NO LEADER");
    else
        calls_read(&client->stream, read_done);
}

/* "a=b&c=d" has "c=d". */
static bool query_has(struct bytes query, const char *pair)
{
    const char *at = query.at, *end = at + query.len;

    while (at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        if (bytes_are(bytes_of(at, len), pair))
            return true;
        at += len + 1;
    }
    return false;
}

/* Healthy is who is ready, or, when asked so, who runs. */
static void health(struct client *client, struct bytes query)
{
    if (query_has(query, "serializable=true"))
        healthy(client);
    else
        judge(client, PAGE_HEALTH);
}

static void ready(struct client *client, struct bytes query)
{
    (void)query;
    judge(client, PAGE_READY);
}

static void version(struct client *client, struct bytes query)
{
    char text[160];

    (void)query;
    snprintf(text, sizeof text,
             "{\"etcdserver\":\"%s\",\"etcdcluster\":\"%.3s.0\","
             "\"raftkvd\":\"%s\"}",
             api_version, api_version, rkv_version());
    answer_text(client, 200, as_json, text);
}

static void metrics(struct client *client, struct bytes query)
{
    struct buffer *scratch = &client->server->scratch;

    (void)query;
    buffer_reset(scratch, READ_BYTES);
    metrics_write(client->server, scratch);
    http_answer(client, 200, "text/plain; version=0.0.4; charset=utf-8",
                scratch->at, scratch->len);
}

bool pages_serve(struct client *client, struct bytes path, struct bytes query)
{
    static const struct {
        const char *path;
        void (*serve)(struct client *client, struct bytes query);
    } pages[] = {
        {"/health", health},   {"/livez", alive},     {"/readyz", ready},
        {"/version", version}, {"/metrics", metrics},
    };
    unsigned method = client->parser.method;

    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (!bytes_are(path, pages[i].path))
            continue;
        if (method == HTTP_GET || method == HTTP_HEAD)
            pages[i].serve(client, query);
        else
            answer_text(client, 405, as_text, "Method Not Allowed\n");
        return true;
    }
    return false;
}
