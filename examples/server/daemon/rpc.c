/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/rpc.c - the table.  What etcd has and this server has not yet
 * stands in it too, so that a client is told so rather than that it mistyped.
 */
#include "server.h"

static const struct rpc table[] = {
    {"etcdserverpb.KV", "Range", "/kv/range", &range_request_message, kv_range,
     false},
    {"etcdserverpb.KV", "Put", "/kv/put", &put_request_message, kv_put, false},
    {"etcdserverpb.KV", "DeleteRange", "/kv/deleterange",
     &delete_request_message, kv_delete, false},
    {"etcdserverpb.KV", "Txn", "/kv/txn", &txn_request_message, kv_txn, false},
    {"etcdserverpb.KV", "Compact", "/kv/compaction",
     &compaction_request_message, kv_compact, false},
    {"etcdserverpb.Watch", "Watch", "/watch", &watch_request_message,
     watch_request, true},
    {"etcdserverpb.Cluster", "MemberList", "/cluster/member/list",
     &member_list_request_message, cluster_member_list, false},
    {"etcdserverpb.Maintenance", "Status", "/maintenance/status",
     &status_request_message, maintenance_status, false},
    {"etcdserverpb.Maintenance", "HashKV", "/maintenance/hashkv",
     &hash_kv_request_message, maintenance_hash_kv, false},

    {"etcdserverpb.Lease", "LeaseGrant", "/lease/grant", NULL, NULL, false},
    {"etcdserverpb.Lease", "LeaseRevoke", "/lease/revoke", NULL, NULL, false},
    {"etcdserverpb.Lease", "LeaseRevoke", "/kv/lease/revoke", NULL, NULL,
     false},
    {"etcdserverpb.Lease", "LeaseKeepAlive", "/lease/keepalive", NULL, NULL,
     false},
    {"etcdserverpb.Lease", "LeaseTimeToLive", "/lease/timetolive", NULL, NULL,
     false},
    {"etcdserverpb.Lease", "LeaseTimeToLive", "/kv/lease/timetolive", NULL,
     NULL, false},
    {"etcdserverpb.Lease", "LeaseLeases", "/lease/leases", NULL, NULL, false},
    {"etcdserverpb.Lease", "LeaseLeases", "/kv/lease/leases", NULL, NULL,
     false},
    {"etcdserverpb.Cluster", "MemberAdd", "/cluster/member/add", NULL, NULL,
     false},
    {"etcdserverpb.Cluster", "MemberRemove", "/cluster/member/remove", NULL,
     NULL, false},
    {"etcdserverpb.Cluster", "MemberUpdate", "/cluster/member/update", NULL,
     NULL, false},
    {"etcdserverpb.Cluster", "MemberPromote", "/cluster/member/promote", NULL,
     NULL, false},
    {"etcdserverpb.Maintenance", "Alarm", "/maintenance/alarm", NULL, NULL,
     false},
    {"etcdserverpb.Maintenance", "Defragment", "/maintenance/defragment", NULL,
     NULL, false},
    {"etcdserverpb.Maintenance", "Hash", "/maintenance/hash", NULL, NULL,
     false},
    {"etcdserverpb.Maintenance", "Snapshot", "/maintenance/snapshot", NULL,
     NULL, false},
    {"etcdserverpb.Maintenance", "MoveLeader",
     "/maintenance/transfer-leadership", NULL, NULL, false},
    {"etcdserverpb.Auth", "AuthEnable", "/auth/enable", NULL, NULL, false},
    {"etcdserverpb.Auth", "AuthStatus", "/auth/status", NULL, NULL, false},
    {"etcdserverpb.Auth", "Authenticate", "/auth/authenticate", NULL, NULL,
     false},
};

enum { RPCS = sizeof table / sizeof *table };
_Static_assert((int)RPCS <= (int)RPCS_MAX, "there is a count for each");

const char api_version[] = "3.5.30";

const struct rpc *rpc_at(size_t position)
{
    return position < RPCS ? &table[position] : NULL;
}

const struct rpc *rpc_find(struct bytes path)
{
    for (size_t i = 0; i < RPCS; i++)
        if (bytes_are(path, table[i].path))
            return &table[i];
    return NULL;
}

void stream_started(struct stream *stream, const struct rpc *rpc)
{
    if (stream->rpc)
        return;
    stream->rpc = rpc;
    stream->server->metrics.rpcs[rpc - table].started++;
}

void stream_handled(struct stream *stream, int code)
{
    if (stream->rpc)
        stream->server->metrics.rpcs[stream->rpc - table].handled[code]++;
    stream->rpc = NULL;
}

void stream_fail(struct stream *stream, int code, const char *text)
{
    stream->transport->fail(stream, (struct status){code, text});
}

void stream_reply(struct stream *stream, const struct message *message,
                  const void *record)
{
    stream->transport->reply(stream, message, record);
}

void stream_gone(struct stream *stream)
{
    stream_handled(stream, STATUS_CANCELED);
    if (stream->call)
        stream->call->stream = NULL;
    stream->call = NULL;
    if (stream->watcher)
        watcher_free(stream->watcher);
    stream->watcher = NULL;
}
