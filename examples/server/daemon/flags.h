/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/flags.h - what raftkvd is told on its command line, or by
 * RAFTKVD_* variables of the same names.  Names and meanings are etcd's.
 */
#ifndef SERVER_FLAGS_H
#define SERVER_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/url.h"

struct settings {
    const char *name;
    char data_dir[4096];
    struct url_list listen_client;
    struct url_list advertise_client; /* count 0: as listened */
    struct url_list listen_peer;
    struct url_list advertise_peer;
    const char *initial_cluster; /* NULL: this member alone */
    const char *cluster_token;
    bool existing;
    uint64_t heartbeat_ms;
    uint64_t election_ms;
    uint64_t snapshot_count;
    uint64_t retention_ms; /* 0: the past is never compacted unasked */
    uint64_t connections_max;
    uint64_t read_timeout_ms;
    uint64_t progress_ms; /* between two notes of progress to a watch */
    int log_level;
};

enum { FLAGS_GO = 0, FLAGS_DONE = 1, FLAGS_BAD = 2 };
/* FLAGS_DONE: help or version was asked for and printed.  FLAGS_BAD: what is
 * wrong was printed. */
int flags_parse(int argc, char **argv, struct settings *out);

#endif
