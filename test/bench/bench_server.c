/* SPDX-License-Identifier: BSD-2-Clause
 *
 * build/bench-server: three raftkvd on this machine, on disk, and 1, 100 and
 * 1000 clients that put 256 bytes over 10,000 keys through the JSON API, each
 * waiting for its answer; clients are spread over the members.  RAFTKVD names
 * the server, O a folder on the disk to be measured; raftkvctl, which makes
 * the load, lies beside the server.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"

enum { MEMBERS = 3, ROUND_SECONDS = 2, PATH = 4096, LINE = 4 * PATH };

struct cluster {
    char server[PATH];
    char ctl[PATH];
    char place[PATH];
    char members[256];
    char endpoints[256];
    int base;
    pid_t pids[MEMBERS];
};

struct figures {
    double rate;
    double p50;
    double p99;
    double cpu_us;
};

static void start_member(struct cluster *c, int i)
{
    char name[16], data[PATH + 16], client[64], peer[64];

    snprintf(name, sizeof name, "n%d", i);
    snprintf(data, sizeof data, "%s/n%d", c->place, i);
    snprintf(client, sizeof client, "http://127.0.0.1:%d", c->base + i);
    snprintf(peer, sizeof peer, "http://127.0.0.1:%d", c->base + 10 + i);
    c->pids[i] = fork();
    bench_must(c->pids[i] >= 0, "a fork");
    if (c->pids[i] > 0)
        return;
    /* A bench that fails leaves no servers behind. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int log = open("/dev/null", O_WRONLY);
    dup2(log, STDERR_FILENO);
    execl(c->server, c->server, "--name", name, "--data-dir", data,
          "--listen-client-urls", client, "--listen-peer-urls", peer,
          "--initial-cluster", c->members, (char *)NULL);
    _exit(127);
}

/* Ports below those the system hands out itself. */
static void start(struct cluster *c)
{
    size_t members = 0, endpoints = 0;

    c->base = 20000 + (int)(getpid() * 61 % 12000);
    for (int i = 0; i < MEMBERS; i++) {
        members += (size_t)snprintf(
            c->members + members, sizeof c->members - members,
            "%sn%d=http://127.0.0.1:%d", i ? "," : "", i, c->base + 10 + i);
        endpoints += (size_t)snprintf(
            c->endpoints + endpoints, sizeof c->endpoints - endpoints,
            "%shttp://127.0.0.1:%d", i ? "," : "", c->base + i);
    }
    for (int i = 0; i < MEMBERS; i++)
        start_member(c, i);
}

static void stop(struct cluster *c)
{
    char command[PATH + 16];

    for (int i = 0; i < MEMBERS; i++)
        if (c->pids[i] > 0)
            kill(c->pids[i], SIGTERM);
    for (int i = 0; i < MEMBERS; i++)
        if (c->pids[i] > 0)
            waitpid(c->pids[i], NULL, 0);
    snprintf(command, sizeof command, "rm -rf '%s'", c->place);
    if (system(command) != 0)
        fprintf(stderr, "could not remove %s\n", c->place);
}

/* CPU seconds of all servers so far. */
static double cpu(const struct cluster *c)
{
    double ticks = 0;

    for (int i = 0; i < MEMBERS; i++) {
        char path[64];
        unsigned long long user = 0, system = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", (int)c->pids[i]);
        FILE *file = fopen(path, "r");
        if (!file)
            return 0;
        if (fscanf(file,
                   "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
                   "%llu %llu",
                   &user, &system) == 2)
            ticks += (double)(user + system);
        fclose(file);
    }
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

/* The largest server's resident memory. */
static double rss_mb(const struct cluster *c)
{
    double largest = 0;

    for (int i = 0; i < MEMBERS; i++) {
        char path[64];
        unsigned long long total = 0, resident = 0;
        snprintf(path, sizeof path, "/proc/%d/statm", (int)c->pids[i]);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        if (fscanf(file, "%llu %llu", &total, &resident) == 2) {
            double mb = (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
            largest = mb > largest ? mb : largest;
        }
        fclose(file);
    }
    return largest;
}

static double field(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    return found ? strtod(found + strlen(name), NULL) : 0;
}

static struct figures load(const struct cluster *c, int clients, int seconds)
{
    char command[LINE], answer[1024] = "";
    double before = cpu(c);

    snprintf(command, sizeof command,
             "'%s' --endpoints '%s' -w json load --clients %d --seconds %d",
             c->ctl, c->endpoints, clients, seconds);
    FILE *pipe = popen(command, "r");
    bench_must(pipe != NULL, "starting the load");
    if (!fgets(answer, sizeof answer, pipe))
        answer[0] = '\0';
    int status = pclose(pipe);
    double requests = field(answer, "\"requests\":");
    bench_must(status == 0 && requests > 0, "the load");
    return (struct figures){
        .rate = field(answer, "\"req_per_s\":"),
        .p50 = field(answer, "\"p50_us\":"),
        .p99 = field(answer, "\"p99_us\":"),
        .cpu_us = (cpu(c) - before) * 1e6 / requests,
    };
}

/* A put succeeds: there is a leader. */
static void wait_for_leader(const struct cluster *c)
{
    char command[LINE];

    snprintf(command, sizeof command,
             "'%s' --endpoints '%s' --command-timeout 20 put ready yes "
             ">/dev/null 2>&1",
             c->ctl, c->endpoints);
    for (int i = 0; i < 100; i++) {
        if (system(command) == 0)
            return;
        usleep(100000);
    }
    bench_must(false, "waiting for a leader");
}

static int order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void figure(int clients, const char *what, const char *unit,
                   const double rounds[BENCH_ROUNDS], bool larger_is_better)
{
    double sorted[BENCH_ROUNDS];
    char name[96];

    memcpy(sorted, rounds, sizeof sorted);
    qsort(sorted, BENCH_ROUNDS, sizeof *sorted, order);
    snprintf(name, sizeof name, "server.put.c%d.%s", clients, what);
    bench_line(name, sorted[larger_is_better ? BENCH_ROUNDS - 1 : 0], unit);
    snprintf(name, sizeof name, "server.put.c%d.%s.median", clients, what);
    bench_line(name, sorted[BENCH_ROUNDS / 2], unit);
}

static void measure(const struct cluster *c, int clients)
{
    double rate[BENCH_ROUNDS], p50[BENCH_ROUNDS], p99[BENCH_ROUNDS];
    double cpu_us[BENCH_ROUNDS];
    char name[96];

    load(c, clients, 1);
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        struct figures f = load(c, clients, ROUND_SECONDS);
        rate[i] = f.rate;
        p50[i] = f.p50;
        p99[i] = f.p99;
        cpu_us[i] = f.cpu_us;
    }
    figure(clients, "req_per_s", "1/s", rate, true);
    figure(clients, "p50_us", "us", p50, false);
    figure(clients, "p99_us", "us", p99, false);
    figure(clients, "cpu_us_per_req", "us", cpu_us, false);
    snprintf(name, sizeof name, "server.put.c%d.rss_mb", clients);
    bench_line(name, rss_mb(c), "MB");
}

static bool find_programs(struct cluster *c)
{
    const char *server = getenv("RAFTKVD"), *folder = getenv("O");

    if (!server || strlen(server) > PATH - 32 || access(server, X_OK) != 0)
        return false;
    snprintf(c->server, sizeof c->server, "%s", server);
    const char *slash = strrchr(server, '/');
    snprintf(c->ctl, sizeof c->ctl, "%.*sraftkvctl",
             slash ? (int)(slash - server) + 1 : 0, server);
    snprintf(c->place, sizeof c->place, "%.*s/bench-server.XXXXXX", PATH - 64,
             folder ? folder : "/tmp");
    return access(c->ctl, X_OK) == 0;
}

int main(void)
{
    static struct cluster c;

    if (!find_programs(&c)) {
        bench_skip("server.put", "RAFTKVD names no raftkvd with a raftkvctl "
                                 "beside it");
        return 0;
    }
    bench_must(mkdtemp(c.place) != NULL, "a folder for the members");
    start(&c);
    wait_for_leader(&c);
    measure(&c, 1);
    measure(&c, 100);
    measure(&c, 1000);
    stop(&c);
    return 0;
}
