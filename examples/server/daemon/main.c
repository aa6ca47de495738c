/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/main.c - raftkvd: one member of a replicated key-value store, with
 * etcd's API for clients.
 */
#include "server.h"

#include <stdlib.h>

enum { EXIT_USAGE = 2 };

int main(int argc, char **argv)
{
    struct server *server = calloc(1, sizeof *server);

    if (!server)
        return EXIT_FAILURE;
    int rc = flags_parse(argc, argv, &server->flags);
    if (rc != FLAGS_GO) {
        free(server);
        return rc == FLAGS_DONE ? EXIT_SUCCESS : EXIT_USAGE;
    }
    server->log.level = server->flags.log_level;
    server->log.name = server->flags.name;
    rc = server_start(server) == 0 ? server_run(server) : EXIT_FAILURE;
    server_end(server);
    log_line(&server->log, LOG_INFO, "stopped", "exit_code=%d", rc);
    free(server);
    return rc;
}
