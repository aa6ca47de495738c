/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/http.c - HTTP/1.1 on one connection: requests in, one after the
 * other, and their answers out in the same order.  What is asked is found in
 * the table of rpc.c, or among the pages.
 */
#include "server.h"

static const struct transport http_transport;

static struct client *client_of(const struct stream *stream)
{
    return (struct client *)(void *)((char *)(uintptr_t)stream -
                                     offsetof(struct client, stream));
}

/* ---- answers ---- */

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Payload Too Large";
    case 414:
        return "URI Too Long";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

static const char cors[] =
    "Access-Control-Allow-Headers: accept, content-type, authorization\r\n"
    "Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE\r\n"
    "Access-Control-Allow-Origin: *\r\n";

static void put_head(struct client *client, unsigned status, const char *type)
{
    struct buffer *out = &client->out;

    if (client->server->leave_by)
        client->last = true;
    if (status == 200) {
        buffer_add(out, "HTTP/1.1 200 OK\r\n", 17);
    } else {
        buffer_add(out, "HTTP/1.1 ", 9);
        buffer_u64(out, status);
        buffer_byte(out, ' ');
        buffer_text(out, reason_of(status));
        buffer_add(out, "\r\n", 2);
    }
    buffer_add(out, cors, sizeof cors - 1);
    buffer_add(out, "Content-Type: ", 14);
    buffer_text(out, type);
    buffer_add(out, "\r\n", 2);
    if (status == 405)
        buffer_text(out, client->rpc ? "Allow: POST\r\n" : "Allow: GET\r\n");
    if (client->last)
        buffer_text(out, "Connection: close\r\n");
    else if (client->bare)
        buffer_text(out, "Connection: keep-alive\r\n");
}

/* The connection is ready for its next request. */
static void answered(struct client *client)
{
    client->busy = false;
    client->complete = false;
    client->chunked = false;
    client->page = PAGE_NONE;
    client->rpc = NULL;
    buffer_reset(&client->body, CLIENT_KEEP_BYTES);
    client_touch(client);
}

void http_answer(struct client *client, unsigned status, const char *type,
                 const void *body, size_t len)
{
    if (client->closing)
        return;
    put_head(client, status, type);
    buffer_add(&client->out, "Content-Length: ", 16);
    buffer_u64(&client->out, len);
    buffer_add(&client->out, "\r\n\r\n", 4);
    if (client->parser.method != HTTP_HEAD)
        buffer_add(&client->out, body, len);
    answered(client);
}

/* Nothing more is read from a client whose request was answered before it
 * was all here. */
static void refuse(struct client *client, unsigned status, int code,
                   const char *text)
{
    struct buffer *scratch = &client->server->scratch;
    struct error_response error = {bytes_text(text), bytes_text(text),
                                   (uint32_t)code};

    client->refused = !client->complete;
    client->last = true;
    client->since = 0;
    buffer_reset(scratch, READ_BYTES);
    message_to_json(scratch, &error_response_message, &error);
    http_answer(client, status, "application/json", scratch->at, scratch->len);
}

static void reply(struct stream *stream, const struct message *message,
                  const void *record)
{
    struct client *client = client_of(stream);
    struct buffer *scratch = &client->server->scratch;

    stream_handled(stream, STATUS_OK);
    buffer_reset(scratch, READ_BYTES);
    message_to_json(scratch, message, record);
    if (scratch->failed) {
        client_close(client);
        return;
    }
    http_answer(client, 200, "application/json", scratch->at, scratch->len);
}

static void put_chunk(struct client *client, const struct buffer *text)
{
    if (client->bare) {
        buffer_add(&client->out, text->at, text->len);
    } else {
        buffer_printf(&client->out, "%zx\r\n", text->len);
        buffer_add(&client->out, text->at, text->len);
        buffer_add(&client->out, "\r\n", 2);
    }
    client_touch(client);
}

/* One message is one chunk, its newline included: some clients parse chunk
 * by chunk. */
static void push(struct stream *stream, const struct message *message,
                 const void *record)
{
    struct client *client = client_of(stream);
    struct buffer *scratch = &client->server->scratch;

    if (client->closing)
        return;
    if (!client->chunked) {
        client->chunked = true;
        if (client->bare)
            client->last = true;
        put_head(client, 200, "application/json");
        buffer_text(&client->out, client->bare
                                      ? "\r\n"
                                      : "Transfer-Encoding: chunked\r\n\r\n");
    }
    buffer_reset(scratch, READ_BYTES);
    buffer_text(scratch, "{\"result\":");
    message_to_json(scratch, message, record);
    buffer_add(scratch, "}\n", 2);
    if (scratch->failed)
        client_close(client);
    else
        put_chunk(client, scratch);
}

/* A stream that has begun has no status line left to change. */
static void fail_stream(struct client *client, struct status status)
{
    struct buffer *scratch = &client->server->scratch;
    unsigned http = status_http(status.code);

    buffer_reset(scratch, READ_BYTES);
    buffer_printf(scratch,
                  "{\"error\":{\"grpc_code\":%d,\"http_code\":%u,\"message\":",
                  status.code, http);
    json_quote(scratch, status.text, strlen(status.text));
    buffer_printf(scratch, ",\"http_status\":\"%s\"}}\n", reason_of(http));
    put_chunk(client, scratch);
    if (!client->bare)
        buffer_text(&client->out, "0\r\n\r\n");
    client->refused = !client->complete;
    client->last = true;
    answered(client);
}

static void fail(struct stream *stream, struct status status)
{
    struct client *client = client_of(stream);
    struct buffer *scratch = &client->server->scratch;
    struct error_response error = {bytes_text(status.text),
                                   bytes_text(status.text),
                                   (uint32_t)status.code};

    stream_handled(stream, status.code);
    stream_gone(stream);
    if (client->closing)
        return;
    if (client->chunked) {
        fail_stream(client, status);
        return;
    }
    buffer_reset(scratch, READ_BYTES);
    if (client->page != PAGE_NONE) {
        pages_fail(client, status.text);
        return;
    }
    message_to_json(scratch, &error_response_message, &error);
    if (client->rpc && client->rpc->streaming && !client->complete) {
        client->refused = true;
        client->last = true;
    }
    http_answer(client, status_http(status.code), "application/json",
                scratch->at, scratch->len);
}

static size_t queued(const struct stream *stream)
{
    return client_queued(client_of(stream));
}

static const struct transport http_transport = {reply, fail, push, queued};

void http_too_slow(struct client *client)
{
    if (client->path_len == 0)
        client_close(client);
    else
        refuse(client, 408, STATUS_DEADLINE,
               "the request did not arrive in time");
}

/* ---- requests ---- */

/* "/v3", "/v3beta" and "/v3alpha" are the same. */
static bool strip_version(struct bytes *path)
{
    static const char *const versions[] = {"/v3/", "/v3beta/", "/v3alpha/"};

    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(versions[i]);
        if (path->len >= len && memcmp(path->at, versions[i], len) == 0) {
            path->at = (const char *)path->at + len - 1;
            path->len -= len - 1;
            return true;
        }
    }
    return false;
}

static struct bytes path_of(const struct client *client, struct bytes *query)
{
    const char *mark = memchr(client->path, '?', client->path_len);
    size_t len = mark ? (size_t)(mark - client->path) : client->path_len;

    *query =
        mark ? bytes_of(mark + 1, client->path_len - len - 1) : bytes_of("", 0);
    return bytes_of(client->path, len);
}

static void start(struct client *client, const char *text, size_t len)
{
    struct server *server = client->server;

    if (len == 0) {
        text = "{}";
        len = 2;
    }
    stream_started(&client->stream, client->rpc);
    arena_reset(&server->arena);
    void *request = message_from_json(&server->arena, client->rpc->request,
                                      &server->json, text, len);
    if (request)
        client->rpc->start(&client->stream, request);
    else
        fail(&client->stream,
             (struct status){STATUS_INVALID, server->json.error});
}

static void not_there_yet(struct client *client, const struct rpc *rpc)
{
    char text[160];

    snprintf(text, sizeof text,
             "%s of %s is not there yet in this version of raftkvd",
             rpc->method, rpc->service);
    stream_started(&client->stream, rpc);
    fail(&client->stream, (struct status){STATUS_UNIMPLEMENTED, text});
}

/* The request is here. */
static void serve(struct client *client)
{
    struct bytes query;
    struct bytes path = path_of(client, &query);

    client->busy = true;
    if (client->parser.method == HTTP_OPTIONS) {
        http_answer(client, 200, "text/plain", "", 0);
        return;
    }
    if (client->rpc) {
        if (client->parser.method != HTTP_POST)
            http_answer(client, 405, "text/plain; charset=utf-8",
                        "Method Not Allowed\n", 19);
        else if (!client->rpc->start)
            not_there_yet(client, client->rpc);
        else
            start(client, client->body.at, client->body.len);
        return;
    }
    if (!pages_serve(client, path, query))
        http_answer(client, 404, "text/plain; charset=utf-8", "Not Found\n",
                    10);
}

/* Requests of a stream are served as they come; the end of the body does not
 * end the stream. */
static void serve_stream(struct client *client)
{
    struct buffer *body = &client->body;
    struct json *json = &client->server->json;
    bool told = false;

    while (client->rpc && !client->refused && !client->closing) {
        int rc = json_scan(json, &client->scan, body->at, body->len);
        if (rc == JSON_PART)
            break;
        size_t len = client->scan.at;
        client->scan = (struct json_scan){0};
        if (rc == JSON_REFUSED) {
            fail(&client->stream, (struct status){STATUS_INVALID, json->error});
            break;
        }
        told = true;
        client->since = 0;
        start(client, body->at, len);
        if (client->rpc)
            buffer_shift(body, len);
    }
    if (!client->complete || client->refused || client->closing)
        return;
    client->busy = true;
    bool blank = true;
    for (size_t i = 0; i < body->len; i++)
        if (!strchr(" \t\r\n", body->at[i]))
            blank = false;
    if (!blank || (!told && !client->chunked))
        fail(&client->stream,
             (struct status){STATUS_INVALID, "unexpected end of JSON input"});
}

/* ---- the parser's callbacks ---- */

static bool is_stream(const struct client *client)
{
    return client->rpc && client->rpc->streaming &&
           client->parser.method == HTTP_POST;
}

static int on_begin(http_parser *parser)
{
    struct client *client = parser->data;

    client->since = server_now(client->server);
    client->path_len = 0;
    client->header_bytes = 0;
    client->name_len = 0;
    client->rpc = NULL;
    client->complete = false;
    client->bare = false;
    client->stream.needs_leader = false;
    client->scan = (struct json_scan){0};
    buffer_reset(&client->body, READ_BYTES);
    return 0;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct client *client = parser->data;

    if (client->path_len + len > HTTP_PATH_MAX) {
        refuse(client, 414, STATUS_INVALID, "the path is too long");
        return 1;
    }
    memcpy(client->path + client->path_len, at, len);
    client->path_len += len;
    return 0;
}

static int count_header(struct client *client, size_t len)
{
    client->header_bytes += len + 2;
    if (client->header_bytes <= HTTP_HEADERS_MAX)
        return 0;
    refuse(client, 431, STATUS_INVALID, "the headers are too long");
    return 1;
}

/* The high bit of name_len says that a value has been seen: what comes next
 * is another name. */
enum { VALUE_SEEN = 1 << 16 };

static int on_name(http_parser *parser, const char *at, size_t len)
{
    struct client *client = parser->data;

    if (client->name_len & VALUE_SEEN)
        client->name_len = 0;
    for (size_t i = 0; i < len && client->name_len < sizeof client->name; i++)
        client->name[client->name_len++] = (char)(at[i] | 0x20);
    return count_header(client, len);
}

static bool header_is(const struct client *client, const char *name)
{
    return bytes_are(bytes_of(client->name, client->name_len), name);
}

/* curl asks before it sends a large body; a watch that would rather end than
 * be without a leader says so as in etcd, by what its gateway hands on. */
static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct client *client = parser->data;

    if (header_is(client, "expect") && !client->busy) {
        buffer_text(&client->out, "HTTP/1.1 100 Continue\r\n\r\n");
        client_touch(client);
    } else if (header_is(client, "grpc-metadata-hasleader")) {
        client->stream.needs_leader = len > 0 && at[0] == 't';
    }
    client->name_len |= VALUE_SEEN;
    return count_header(client, len);
}

static int on_headers(http_parser *parser)
{
    struct client *client = parser->data;
    struct bytes query;
    struct bytes path = path_of(client, &query);

    client->bare = parser->http_major == 1 && parser->http_minor == 0;
    if (strip_version(&path))
        client->rpc = rpc_find(path);
    if (parser->content_length != UINT64_MAX &&
        parser->content_length > HTTP_BODY_MAX) {
        refuse(client, 400, STATUS_INVALID, "etcdserver: request is too large");
        return -1;
    }
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct client *client = parser->data;

    if (client->refused)
        return 1;
    if (client->body.len + len > HTTP_BODY_MAX) {
        refuse(client, 400, STATUS_INVALID, "etcdserver: request is too large");
        return 1;
    }
    buffer_add(&client->body, at, len);
    if (client->body.failed) {
        refuse(client, 503, STATUS_UNAVAILABLE, "etcdserver: out of memory");
        return 1;
    }
    return 0;
}

static int on_complete(http_parser *parser)
{
    struct client *client = parser->data;

    client->complete = true;
    client->since = 0;
    if (!http_should_keep_alive(parser))
        client->last = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings callbacks = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

void http_begin(struct client *client)
{
    http_parser_init(&client->parser, HTTP_REQUEST);
    client->parser.data = client;
    client->stream.transport = &http_transport;
    client->stream.server = client->server;
}

int64_t http_read(struct client *client, const char *data, size_t len)
{
    http_parser *parser = &client->parser;
    size_t used = http_parser_execute(parser, &callbacks, data, len);
    enum http_errno error = HTTP_PARSER_ERRNO(parser);

    if (client->refused || client->closing)
        return -1;
    if (error != HPE_OK && error != HPE_PAUSED) {
        char text[128];
        snprintf(text, sizeof text, "not an HTTP request: %s",
                 http_errno_description(error));
        refuse(client, 400, STATUS_INVALID, text);
        return -1;
    }
    if (error == HPE_PAUSED)
        http_parser_pause(parser, 0);
    if (is_stream(client) && client->rpc->start)
        serve_stream(client);
    else if (client->complete)
        serve(client);
    return client->closing || client->refused ? -1 : (int64_t)used;
}
