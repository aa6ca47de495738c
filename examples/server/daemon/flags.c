/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/flags.c - one table says everything about a flag: its name, its
 * default, what it means, and where it goes; --help is printed from it.
 */
#include "flags.h"

#include <ctype.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <raftkv/base.h>

#include "log.h"

enum kind { TEXT, NUMBER, DURATION, RETENTION, URLS, OTHER };

struct flag {
    const char *name;
    const char *value; /* what its argument is called */
    const char *fallback;
    const char *help;
    enum kind kind;
    size_t offset;
};

#define AT(member) offsetof(struct settings, member)
static const struct flag table[] = {
    {"name", "NAME", "default", "this member's name, unique in its cluster",
     TEXT, AT(name)},
    {"data-dir", "DIR", NULL, "where its data lives (NAME.raftkvd)", OTHER, 0},
    {"listen-client-urls", "URL[,URL]", "http://localhost:2379",
     "where clients are served; port 0: a free one", URLS, AT(listen_client)},
    {"advertise-client-urls", "URL[,URL]", NULL,
     "where clients are told to go (as listened)", OTHER, AT(advertise_client)},
    {"listen-peer-urls", "URL[,URL]", "http://localhost:2380",
     "where other members are heard; port 0: a free one", URLS,
     AT(listen_peer)},
    {"initial-advertise-peer-urls", "URL[,URL]", NULL,
     "where other members find this one (as in the cluster, or as listened)",
     OTHER, AT(advertise_peer)},
    {"initial-cluster", "NAME=URL[,NAME=URL]", NULL,
     "all members, the same list for each of them (this one alone)", TEXT,
     AT(initial_cluster)},
    {"initial-cluster-token", "TOKEN", "etcd-cluster",
     "keeps clusters with the same names and URLs apart", TEXT,
     AT(cluster_token)},
    {"initial-cluster-state", "new|existing", "new",
     "whether the cluster is about to begin", OTHER, 0},
    {"heartbeat-interval", "MS", "100", "time between two signs of life",
     NUMBER, AT(heartbeat_ms)},
    {"election-timeout", "MS", "1000",
     "time without a leader before a new one is elected", NUMBER,
     AT(election_ms)},
    {"snapshot-count", "N", "10000", "entries between two snapshots", NUMBER,
     AT(snapshot_count)},
    {"auto-compaction-retention", "DURATION", "1h",
     "revisions younger than this stay, and 100000 in any case; 0: all stay",
     RETENTION, AT(retention_ms)},
    {"max-connections", "N", "10000", "clients served at once", NUMBER,
     AT(connections_max)},
    {"read-timeout", "MS", "10000", "time a client has to send its request",
     NUMBER, AT(read_timeout_ms)},
    {"watch-progress-notify-interval", "DURATION", "10m",
     "time between two notes to a quiet watch that asked for them", DURATION,
     AT(progress_ms)},
    {"log-level", "debug|info|warn|error", "info", "what is worth a line",
     OTHER, 0},
};
enum { FLAGS = sizeof table / sizeof *table };

static int bad(const char *name, const char *value, const char *why)
{
    fprintf(stderr, "raftkvd: --%s=%s: %s\n", name, value, why);
    return -1;
}

static int take_number(const char *name, const char *value, uint64_t *out)
{
    char *end;

    unsigned long long number = strtoull(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end || number > UINT32_MAX)
        return bad(name, value, "expected a whole number");
    *out = number;
    return 0;
}

/* "10m", "1.5s", "200ms", after etcd's durations, as far as one unit goes. */
static int take_duration(const char *name, const char *value, uint64_t *out)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end;

    double number = strtod(value, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        double ms = number * units[i].ms;
        if (isdigit((unsigned char)value[0]) &&
            strcmp(end, units[i].name) == 0 && ms >= 1 && ms < 1e12) {
            *out = (uint64_t)ms;
            return 0;
        }
    }
    return bad(name, value, "expected a duration like 10m, 30s or 500ms");
}

static int take_urls(const char *name, const char *value, int port_0,
                     struct url_list *out)
{
    char error[256];

    if (url_list_parse(value, strlen(value), port_0, out, error) != 0) {
        fprintf(stderr, "raftkvd: --%s: %s\n", name, error);
        return -1;
    }
    return 0;
}

static int take_other(const char *name, const char *value, struct settings *out)
{
    if (strcmp(name, "data-dir") == 0) {
        if (strlen(value) >= sizeof out->data_dir - 32)
            return bad(name, value, "the path is too long");
        memcpy(out->data_dir, value, strlen(value) + 1);
        return 0;
    }
    if (strcmp(name, "advertise-client-urls") == 0)
        return take_urls(name, value, 0, &out->advertise_client);
    if (strcmp(name, "initial-advertise-peer-urls") == 0)
        return take_urls(name, value, 0, &out->advertise_peer);
    if (strcmp(name, "initial-cluster-state") == 0) {
        out->existing = strcmp(value, "existing") == 0;
        if (!out->existing && strcmp(value, "new") != 0)
            return bad(name, value, "expected new or existing");
        return 0;
    }
    out->log_level = log_level_parse(value);
    if (out->log_level < 0)
        return bad(name, value, "expected debug, info, warn or error");
    return 0;
}

static int take(const struct flag *flag, const char *value,
                struct settings *out)
{
    char *place = (char *)out + flag->offset;

    switch (flag->kind) {
    case TEXT:
        *(const char **)(void *)place = value;
        return 0;
    case NUMBER:
        return take_number(flag->name, value, (uint64_t *)(void *)place);
    case RETENTION:
        if (strcmp(value, "0") == 0) {
            *(uint64_t *)(void *)place = 0;
            return 0;
        }
        return take_duration(flag->name, value, (uint64_t *)(void *)place);
    case DURATION:
        return take_duration(flag->name, value, (uint64_t *)(void *)place);
    case URLS:
        return take_urls(flag->name, value, 1,
                         (struct url_list *)(void *)place);
    default:
        return take_other(flag->name, value, out);
    }
}

static void print_help(void)
{
    printf("raftkvd - one member of a replicated key-value store that speaks "
           "etcd's API\n\n"
           "usage: raftkvd [--FLAG=VALUE]...\n\n");
    for (size_t i = 0; i < FLAGS; i++) {
        printf("  --%s %s\n      %s", table[i].name, table[i].value,
               table[i].help);
        if (table[i].fallback)
            printf(" (%s)", table[i].fallback);
        printf("\n");
    }
    printf("  --version\n  --help\n\n"
           "A variable RAFTKVD_NAME stands for --name, and so on; a flag on "
           "the command\nline wins.  Manual: raftkvd(8).\n");
}

/* --listen-client-urls is RAFTKVD_LISTEN_CLIENT_URLS. */
static const char *from_environment(const char *name)
{
    char variable[64] = "RAFTKVD_";
    size_t at = strlen(variable);

    for (; *name && at + 1 < sizeof variable; name++)
        variable[at++] =
            (char)(*name == '-' ? '_' : toupper((unsigned char)*name));
    variable[at] = '\0';
    return getenv(variable);
}

static int set_defaults(struct settings *out)
{
    *out = (struct settings){.log_level = LOG_INFO};
    for (size_t i = 0; i < FLAGS; i++) {
        const char *value = from_environment(table[i].name);
        if (!value)
            value = table[i].fallback;
        if (value && take(&table[i], value, out) != 0)
            return -1;
    }
    return 0;
}

static int check_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > 128)
        return bad("name", name, "expected 1 to 128 characters");
    for (; *name; name++)
        if ((unsigned char)*name <= ' ' || strchr("=,\"\\", *name))
            return bad("name", name,
                       "a name has no blanks, commas, equal signs or quotes");
    return 0;
}

static int check_times(const struct settings *flags)
{
    if (flags->heartbeat_ms == 0) {
        fprintf(stderr, "raftkvd: --heartbeat-interval=0: expected at least 1 "
                        "ms; 100 suits a local network\n");
        return -1;
    }
    if (flags->election_ms < 5 * flags->heartbeat_ms) {
        fprintf(stderr,
                "raftkvd: --election-timeout=%llu: expected at least five "
                "heartbeat intervals (%llu ms); one lost heartbeat must not "
                "cost the leader its place\n",
                (unsigned long long)flags->election_ms,
                (unsigned long long)(5 * flags->heartbeat_ms));
        return -1;
    }
    if (flags->election_ms > 50000) {
        fprintf(stderr,
                "raftkvd: --election-timeout=%llu: expected at most 50000 "
                "ms\n",
                (unsigned long long)flags->election_ms);
        return -1;
    }
    return 0;
}

static int check_all(struct settings *out)
{
    if (check_name(out->name) != 0 || check_times(out) != 0)
        return -1;
    if (out->data_dir[0] == '\0')
        snprintf(out->data_dir, sizeof out->data_dir, "%s.raftkvd", out->name);
    if (out->snapshot_count == 0)
        return bad("snapshot-count", "0", "expected at least 1");
    if (out->connections_max == 0)
        return bad("max-connections", "0", "expected at least 1");
    if (out->read_timeout_ms == 0)
        return bad("read-timeout", "0", "expected at least 1 ms");
    return 0;
}

int flags_parse(int argc, char **argv, struct settings *out)
{
    struct option options[FLAGS + 3] = {{0}};
    int at = 0;

    for (size_t i = 0; i < FLAGS; i++)
        options[i] = (struct option){table[i].name, required_argument, NULL, 0};
    options[FLAGS] = (struct option){"help", no_argument, NULL, 'h'};
    options[FLAGS + 1] = (struct option){"version", no_argument, NULL, 'v'};

    if (set_defaults(out) != 0)
        return FLAGS_BAD;
    for (;;) {
        int c = getopt_long(argc, argv, "h", options, &at);
        if (c == -1)
            break;
        if (c == 'h') {
            print_help();
            return FLAGS_DONE;
        }
        if (c == 'v') {
            printf("raftkvd %s\nlibraft-kv %s\n", RKV_VERSION_STRING,
                   rkv_version());
            return FLAGS_DONE;
        }
        if (c != 0) {
            fprintf(stderr, "raftkvd: --help lists the flags\n");
            return FLAGS_BAD;
        }
        if (take(&table[at], optarg, out) != 0)
            return FLAGS_BAD;
    }
    if (optind < argc) {
        fprintf(stderr,
                "raftkvd: \"%s\": expected flags only; --help lists "
                "them\n",
                argv[optind]);
        return FLAGS_BAD;
    }
    return check_all(out) == 0 ? FLAGS_GO : FLAGS_BAD;
}
