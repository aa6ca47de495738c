/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/maintenance_rpc.c - how this one member is, whatever the others do.
 */
#include "server.h"

void maintenance_status(struct stream *stream, const void *request)
{
    struct server *server = stream->server;
    struct rkv_node_status node = {.size = sizeof node};
    struct rkv_kv_status kv = {.size = sizeof kv};
    static const struct bytes no_leader = {"etcdserver: no leader", 21};

    (void)request;
    rkv_node_status(server->node, &node);
    rkv_kv_status(server->kv, &kv);
    struct header header = server_header(server, kv.revision);
    const struct rkv_member *members;
    uint32_t count = rkv_node_members(server->node, &members);
    struct status_response response = {
        .header = &header,
        .version = bytes_text(api_version),
        .db_size = (int64_t)kv.bytes,
        .db_size_in_use = (int64_t)kv.bytes,
        .leader = node.leader,
        .raft_index = node.commit,
        .raft_term = node.term,
        .raft_applied_index = node.applied,
        .state_hash = kv.hash,
    };
    if (node.leader == 0)
        response.errors = (struct list){&no_leader, 1};
    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == server->id)
            response.is_learner = (members[i].role & RKV_LEARNER) != 0;
    stream_reply(stream, &status_response_message, &response);
}

void maintenance_hash_kv(struct stream *stream, const void *request)
{
    const struct hash_kv_request *r = request;
    struct server *server = stream->server;
    uint32_t hash;
    int64_t compacted;

    int rc = rkv_kv_hash(server->kv, r->revision, &hash, &compacted);
    if (rc != RKV_OK) {
        stream->transport->fail(stream, status_of(rc));
        return;
    }
    int64_t revision = server_revision(server);
    struct header header = server_header(server, revision);
    struct hash_kv_response response = {
        .header = &header,
        .hash = hash,
        .compact_revision = compacted,
        .hash_revision = r->revision > 0 ? r->revision : revision,
    };
    stream_reply(stream, &hash_kv_response_message, &response);
}
