/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/member.c - the library's part of the server: the store is opened,
 * the node on top of it, and a new cluster begun.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PUBLISH_AGAIN_MS = 100 };

static int open_store(struct server *server,
                      struct rkv_store_identity *identity)
{
    char path[sizeof server->flags.data_dir + 16];
    struct rkv_sqlite_options options = {.size = sizeof options, .path = path};
    const char *dir = server->flags.data_dir;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        log_line(&server->log, LOG_ERROR, "cannot make the data directory",
                 "path=\"%s\" error=\"%s\" do=\"make it, or give another "
                 "--data-dir\"",
                 dir, strerror(errno));
        return -1;
    }
    snprintf(path, sizeof path, "%s/member", dir);
    int rc = rkv_store_sqlite(&options, &server->store);
    if (rc == RKV_OK)
        rc = rkv_store_start(server->store, identity);
    if (rc == RKV_OK)
        return 0;
    log_line(&server->log, LOG_ERROR, "cannot open the store",
             "path=\"%s\" code=%s error=\"%s\" detail=\"%s\"", path,
             rkv_errname(rc), rkv_strerror(rc),
             server->store ? rkv_store_errmsg(server->store) : "");
    return -1;
}

static int open_node(struct server *server)
{
    const struct settings *flags = &server->flags;
    struct rkv_raft_options raft = {
        .size = sizeof raft,
        .election_ticks = (uint32_t)flags->election_ms,
        .heartbeat_ticks = (uint32_t)flags->heartbeat_ms,
        .members_max = RKV_MEMBERS_MAX,
        .reads_max = 4096,
    };
    struct rkv_node_options options = {
        .size = sizeof options,
        .flags = flags->retention_ms == 0 ? RKV_NODE_KEEP_HISTORY : 0,
        .history_ms = flags->retention_ms,
        .cluster = server->cluster,
        .id = server->id,
        .seed = uv_hrtime() ^ server->id,
        .raft = &raft,
        .request_ticks = (uint32_t)(5000 + 2 * flags->election_ms),
        .snapshot_entries = flags->snapshot_count,
        .snapshot_chunk_bytes = 96 * 1024,
    };

    int rc = rkv_node_open(&options, server->store, &server->node);
    if (rc == RKV_OK)
        return 0;
    log_line(&server->log, LOG_ERROR, "cannot open the member",
             "code=%s error=\"%s\" detail=\"%s\"", rkv_errname(rc),
             rkv_strerror(rc),
             server->node ? rkv_node_errmsg(server->node) : "");
    return -1;
}

static int bootstrap(struct server *server, const struct cluster *cluster)
{
    struct rkv_member members[RKV_MEMBERS_MAX];
    char(*addresses)[RKV_ADDRESS_MAX] =
        calloc(cluster->count, sizeof *addresses);

    if (!addresses)
        return -1;
    for (size_t i = 0; i < cluster->count; i++)
        members[i] = (struct rkv_member){
            .id = cluster->ids[i],
            .role = RKV_VOTER,
            .address = addresses[i],
            .address_len =
                (uint32_t)address_encode(&cluster->addresses[i], addresses[i]),
        };
    int rc =
        rkv_node_bootstrap(server->node, members, (uint32_t)cluster->count);
    free(addresses);
    if (rc == RKV_OK) {
        log_line(&server->log, LOG_INFO, "a new cluster begins",
                 "cluster=%llx id=%llx members=%zu",
                 (unsigned long long)server->cluster,
                 (unsigned long long)server->id, cluster->count);
        return 0;
    }
    log_line(&server->log, LOG_ERROR, "cannot begin the cluster",
             "code=%s error=\"%s\" detail=\"%s\"", rkv_errname(rc),
             rkv_strerror(rc), rkv_node_errmsg(server->node));
    return -1;
}

/* Does the directory belong to whom the flags say?  Another cluster may be the
 * same one, grown since; another member of this one is a mistake, and would
 * answer at the wrong address. */
static int check_owner(struct server *server)
{
    char error[256];
    struct cluster *cluster;
    int rc = 0;

    if (!server->flags.initial_cluster ||
        !(cluster = calloc(1, sizeof *cluster)))
        return 0;
    if (cluster_parse(&server->flags, cluster, error) != 0) {
        log_line(&server->log, LOG_WARN, "the flags describe no cluster",
                 "error=\"%s\"", error);
    } else if (cluster->id != server->cluster) {
        log_line(&server->log, LOG_WARN,
                 "the data directory belongs to another cluster than the "
                 "flags describe",
                 "directory=%llx flags=%llx do=\"if this is not the directory "
                 "you meant, stop and correct --data-dir\"",
                 (unsigned long long)server->cluster,
                 (unsigned long long)cluster->id);
    } else if (cluster->self != server->id) {
        const char *owner = "?";
        for (size_t i = 0; i < cluster->count; i++)
            if (cluster->ids[i] == server->id)
                owner = cluster->addresses[i].name;
        log_line(&server->log, LOG_ERROR,
                 "the data directory belongs to another member of the cluster",
                 "directory=%s flags=%s do=\"correct --data-dir or --name\"",
                 owner, server->flags.name);
        rc = -1;
    }
    free(cluster);
    return rc;
}

/* A directory that was used knows better than the command line. */
static int open_used(struct server *server,
                     const struct rkv_store_identity *identity)
{
    server->was_here = true;
    server->cluster = identity->cluster;
    server->id = identity->member;
    if (check_owner(server) != 0 || open_node(server) != 0)
        return -1;
    log_line(&server->log, LOG_INFO, "the member is back",
             "cluster=%llx id=%llx note=\"--initial-* flags are not used: the "
             "data directory has a cluster\"",
             (unsigned long long)server->cluster,
             (unsigned long long)server->id);
    return 0;
}

static int open_new(struct server *server)
{
    char error[256];
    struct cluster *cluster = calloc(1, sizeof *cluster);

    if (!cluster)
        return -1;
    int rc = -1;
    if (server->flags.existing) {
        log_line(&server->log, LOG_ERROR,
                 "joining a running cluster is not there yet",
                 "flag=--initial-cluster-state=existing do=\"start all members "
                 "of a new cluster with --initial-cluster-state=new\"");
    } else if (cluster_parse(&server->flags, cluster, error) != 0) {
        log_line(&server->log, LOG_ERROR, "the cluster cannot be made",
                 "error=\"%s\"", error);
    } else {
        server->cluster = cluster->id;
        server->id = cluster->self;
        rc = open_node(server);
        if (rc == 0)
            rc = bootstrap(server, cluster);
    }
    free(cluster);
    return rc;
}

int member_open(struct server *server)
{
    struct rkv_store_identity identity = {.size = sizeof identity};

    if (open_store(server, &identity) != 0)
        return -1;
    if (identity.recovering)
        log_line(&server->log, LOG_WARN,
                 "the store lost commits; this member recovers from the "
                 "others before it votes",
                 "do=\"start the others; if there are none, put back the "
                 "files of %s/member\"",
                 server->flags.data_dir);
    if (rkv_txn_new(NULL, &server->txn) != RKV_OK)
        return -1;
    if ((identity.cluster != 0 ? open_used(server, &identity)
                               : open_new(server)) != 0)
        return -1;
    /* Not before: a bootstrap makes the node anew. */
    server->kv = rkv_node_kv(server->node);
    return 0;
}

void member_close(struct server *server)
{
    rkv_txn_free(server->txn);
    rkv_node_close(server->node);
    rkv_store_close(server->store);
    server->txn = NULL;
    server->node = NULL;
    server->store = NULL;
}

static const struct rkv_member *self_in(struct server *server)
{
    const struct rkv_member *members;
    uint32_t count = rkv_node_members(server->node, &members);

    for (uint32_t i = 0; i < count; i++)
        if (members[i].id == server->id)
            return &members[i];
    return NULL;
}

void member_publish(struct server *server, uint64_t now)
{
    struct address address;
    char bytes[RKV_ADDRESS_MAX];

    if (server->published || server->publishing || server->leader == 0 ||
        now < server->publish_at)
        return;
    const struct rkv_member *self = self_in(server);
    if (!self)
        return;
    if (address_decode(self->address, self->address_len, &address) != 0) {
        memset(&address, 0, sizeof address);
        snprintf(address.name, sizeof address.name, "%s", server->flags.name);
    }
    address.client_urls = server->flags.advertise_client.count
                              ? server->flags.advertise_client
                              : server->flags.listen_client;
    size_t len = address_encode(&address, bytes);
    if (len == self->address_len && memcmp(bytes, self->address, len) == 0) {
        server->published = true;
        return;
    }
    struct rkv_change change = {
        .size = sizeof change,
        .op = RKV_CHANGE_UPDATE,
        .id = server->id,
        .address = bytes,
        .address_len = len,
    };
    server->publish_at =
        now + PUBLISH_AGAIN_MS + uv_hrtime() % PUBLISH_AGAIN_MS;
    server->publishing = true;
    int rc = calls_change(&server->calls, &change);
    if (rc != RKV_OK)
        member_published(server, RKV_NOT_DONE, rc);
}

/* Another member may publish at the same moment; then this one tries again. */
void member_published(struct server *server, uint32_t outcome, int32_t status)
{
    server->publishing = false;
    if (outcome == RKV_DONE)
        server->published = true;
    else
        log_line(&server->log, LOG_DEBUG, "client URLs not published yet",
                 "error=\"%s\"", rkv_strerror(status));
}
