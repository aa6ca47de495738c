/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/cluster_rpc.c - who the members are.
 */
#include "server.h"

/* The URLs of a list as texts in the arena. */
static struct list url_texts(struct arena *arena, const struct url_list *urls)
{
    enum { TEXT_BYTES = URL_HOST_MAX + 32 };
    struct bytes *texts = arena_array(arena, urls->count, sizeof *texts);

    if (!texts)
        return (struct list){NULL, 0};
    for (size_t i = 0; i < urls->count; i++) {
        char *text = arena_take(arena, TEXT_BYTES);
        if (!text)
            return (struct list){texts, i};
        url_format(&urls->urls[i], text, TEXT_BYTES);
        texts[i] = bytes_text(text);
    }
    return (struct list){texts, urls->count};
}

static bool fill_member(struct arena *arena, const struct rkv_member *from,
                        struct member *out)
{
    struct address *address = arena_take(arena, sizeof *address);

    if (!address)
        return false;
    out->id = from->id;
    out->is_learner = (from->role & RKV_LEARNER) != 0;
    if (address_decode(from->address, from->address_len, address) != 0)
        return true;
    out->name = bytes_text(address->name);
    out->peer_urls = url_texts(arena, &address->peer_urls);
    out->client_urls = url_texts(arena, &address->client_urls);
    return true;
}

static void member_list(struct stream *stream)
{
    struct server *server = stream->server;
    const struct rkv_member *members;
    uint32_t count = rkv_node_members(server->node, &members);
    struct header header = server_header(server, 0);
    struct member_list_response response = {.header = &header};

    struct member *out = arena_array(&server->arena, count, sizeof *out);
    bool filled = out != NULL;
    for (uint32_t i = 0; filled && i < count; i++)
        filled = fill_member(&server->arena, &members[i], &out[i]);
    if (!filled) {
        stream_fail(stream, STATUS_EXHAUSTED, "etcdserver: out of memory");
        return;
    }
    response.members = (struct list){out, count};
    stream_reply(stream, &member_list_response_message, &response);
}

static void member_list_done(struct call *call, const struct rkv_result *result)
{
    (void)result;
    member_list(call->stream);
}

void cluster_member_list(struct stream *stream, const void *request)
{
    const struct member_list_request *r = request;

    if (r->linearizable)
        calls_read(stream, member_list_done);
    else
        member_list(stream);
}
