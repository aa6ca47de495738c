/* SPDX-License-Identifier: BSD-2-Clause
 *
 * build/sim: runs seeds, each a world of its own.
 *
 *     sim --seed N [--trace]               one run, told in full
 *     sim --start S --seeds N --jobs J     many, one summary line
 *     sim --minutes M ...                  so many as M minutes are enough for
 *     sim --until-broken ...               none after the first that is broken
 *     sim --marks ...                      and how often what was reached
 *     sim --disks ...                      the same for a store alone on a disk
 *     sim --pace                           how fast such a disk is
 *
 *     sim --seed N --shrink                the least of it that is still broken
 *
 * With --without CHANCE nothing of that name happens, and all the rest as it
 * would; with --only CHANCE=2,7:9 no other of it.  sim tells the names as it
 * ends; what clients ask goes by the name of ask.
 *
 * Exits 0 only when nothing was broken.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lives.h"
#include "world.h"

struct total {
    uint64_t seeds, failed, events, changes, crashes, cuts, elections, restores,
        writes, done, reads, losses, failures, cores;
    uint64_t struck[CHANCES_COUNT];
    uint64_t marks[MARKS_COUNT];
    struct lives_total lives;
};

/* So many seeds must come to every mark. */
enum { MARKED_SEEDS = 1000 };

static bool disks_only, show_marks, until_broken;
static time_t ends; /* no seed begins then or later; 0: never */
/* All workers share it. */
static volatile bool *enough;

static void add(struct total *total, const struct world *w)
{
    total->seeds++;
    total->failed += w->broken != NULL;
    total->events += w->events;
    total->changes += w->changes;
    total->crashes += w->crashes;
    total->cuts += w->cuts;
    total->elections += w->elections;
    total->restores += w->restores;
    total->writes += w->asked;
    total->done += w->done;
    total->reads += w->reads;
    total->losses += w->losses;
    total->failures += w->failures;
    total->cores += w->cores;
    for (int i = 0; i < CHANCES_COUNT; i++)
        total->struck[i] += w->swarm.struck[i];
    for (int i = 0; i < MARKS_COUNT; i++)
        total->marks[i] += w->marks[i];
}

static bool run_seed(uint64_t seed, bool alone, bool trace, struct total *total)
{
    struct world *w = malloc(sizeof *w);
    bool good;

    if (w == NULL)
        abort();
    good = world_run(w, seed, trace ? TELL_ALL : TELL_NOTHING);
    add(total, w);
    if (!good)
        printf("seed %llu: broken at %llu: %s: %s\n", (unsigned long long)seed,
               (unsigned long long)w->now, w->broken, w->detail);
    if (alone)
        printf("trace hash %016llx\n", (unsigned long long)w->hash);
    world_free(w);
    free(w);
    return good;
}

/* CHANCE=2,7:9 and so on. */
static bool choose(const char *text)
{
    const char *equals = strchr(text, '=');
    struct strikes *strikes;
    char name[32] = "", *at;

    if (equals == NULL || equals - text >= (long)sizeof name)
        return false;
    memcpy(name, text, (size_t)(equals - text));
    strikes = swarm_named(name);
    if (strikes == NULL)
        return false;
    memset(strikes, true, sizeof *strikes);
    at = (char *)equals;
    do {
        uint64_t from = strtoull(at + 1, &at, 10), end = from + 1;

        if (*at == ':')
            end = strtoull(at + 1, &at, 10);
        for (uint64_t i = from; i < end && i < STRIKES_MAX; i++)
            strikes->are_gone[i] = false;
    } while (*at == ',');
    return *at == '\0';
}

static bool leave_out(const char *name)
{
    struct strikes *strikes = swarm_named(name);

    if (strikes != NULL)
        memset(strikes, true, sizeof *strikes);
    return strikes != NULL;
}

static void run_disk(uint64_t seed, struct total *total)
{
    char broken[LIVES_DETAIL];

    total->seeds++;
    if (lives_run(seed, &total->lives, broken))
        return;
    total->failed++;
    printf("disk %llu: %s\n", (unsigned long long)seed, broken);
}

static void report_disks(const struct total *t)
{
    printf("sim: %llu disks, %llu failed: %llu lives, %llu commits, %llu "
           "operations struck\n",
           (unsigned long long)t->seeds, (unsigned long long)t->failed,
           (unsigned long long)t->lives.lives,
           (unsigned long long)t->lives.commits,
           (unsigned long long)t->lives.struck);
}

static void report_chances(const struct total *t)
{
    printf("sim: struck by");
    for (int i = 0; i < CHANCES_COUNT; i++)
        printf(" %s %llu%s", swarm_name((enum chance)i),
               (unsigned long long)t->struck[i],
               i + 1 < CHANCES_COUNT ? "," : "\n");
}

static void report(const struct total *t)
{
    if (t->lives.seeds > 0) {
        report_disks(t);
        return;
    }
    report_chances(t);
    printf("sim: %llu seeds, %llu failed: %llu events, %llu writes (%llu "
           "done), %llu reads, %llu changes, %llu crashes, %llu cuts, %llu "
           "leaders, %llu snapshots received, %llu disks lost, %llu members "
           "failed, %llu cores\n",
           (unsigned long long)t->seeds, (unsigned long long)t->failed,
           (unsigned long long)t->events, (unsigned long long)t->writes,
           (unsigned long long)t->done, (unsigned long long)t->reads,
           (unsigned long long)t->changes, (unsigned long long)t->crashes,
           (unsigned long long)t->cuts, (unsigned long long)t->elections,
           (unsigned long long)t->restores, (unsigned long long)t->losses,
           (unsigned long long)t->failures, (unsigned long long)t->cores);
}

/* Whether all were reached, by as many seeds as that takes. */
static bool check_marks(const struct total *t)
{
    bool must = t->seeds >= MARKED_SEEDS && !disks_only;
    int missing = must || show_marks ? marks_report(t->marks, show_marks) : 0;

    if (must && missing > 0)
        printf("sim: %d of %d situations were never reached\n", missing,
               MARKS_COUNT);
    return !must || missing == 0;
}

/* The seeds that follow are not run. */
static bool is_enough(const struct total *total)
{
    if ((until_broken && total->failed > 0) ||
        (ends != 0 && time(NULL) >= ends))
        *enough = true;
    return *enough;
}

/* Each worker takes every jobs-th seed and writes its totals to a pipe. */
static void work(uint64_t start, uint64_t seeds, uint64_t jobs, uint64_t mine,
                 int out)
{
    struct total total = {0};

    for (uint64_t i = mine; i < seeds && !is_enough(&total); i += jobs) {
        if (disks_only)
            run_disk(start + i, &total);
        else
            (void)run_seed(start + i, false, false, &total);
        fflush(stdout);
    }
    if (write(out, &total, sizeof total) != (ssize_t)sizeof total)
        exit(2);
    exit(0);
}

static void sum(struct total *all, const struct total *part)
{
    const uint64_t *from = (const uint64_t *)part;
    uint64_t *to = (uint64_t *)all;

    for (size_t i = 0; i < sizeof *all / sizeof *to; i++)
        to[i] += from[i];
}

static int run_many(uint64_t start, uint64_t seeds, uint64_t jobs)
{
    struct total all = {0}, part;
    int pipes[2], status, failed = 0;

    enough = mmap(NULL, sizeof *enough, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (enough == MAP_FAILED || pipe(pipes) != 0)
        return 2;
    for (uint64_t i = 0; i < jobs; i++)
        if (fork() == 0)
            work(start, seeds, jobs, i, pipes[1]);
    close(pipes[1]);
    while (read(pipes[0], &part, sizeof part) == (ssize_t)sizeof part)
        sum(&all, &part);
    while (wait(&status) > 0)
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            printf("sim: a worker was ended by %s %d\n",
                   WIFSIGNALED(status) ? "signal" : "exit code",
                   WIFSIGNALED(status) ? WTERMSIG(status)
                                       : WEXITSTATUS(status));
            failed = 1;
        }
    report(&all);
    if (!check_marks(&all))
        failed = 1;
    if (all.seeds != seeds && !*enough) {
        printf("sim: a worker died; %llu of %llu seeds were run\n",
               (unsigned long long)all.seeds, (unsigned long long)seeds);
        failed = 1;
    }
    return failed || all.failed > 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"trace", no_argument, NULL, 't'},
        {"start", required_argument, NULL, 'S'},
        {"seeds", required_argument, NULL, 'n'},
        {"jobs", required_argument, NULL, 'j'},
        {"marks", no_argument, NULL, 'm'},
        {"disks", no_argument, NULL, 'd'},
        {"pace", no_argument, NULL, 'p'},
        {"without", required_argument, NULL, 'w'},
        {"only", required_argument, NULL, 'o'},
        {"shrink", no_argument, NULL, 'k'},
        {"minutes", required_argument, NULL, 'M'},
        {"until-broken", no_argument, NULL, 'u'},
        {NULL, 0, NULL, 0}};
    uint64_t seed = 0, start = 1, seeds = 300, jobs = 2;
    bool one = false, trace = false, shrinks = false;
    struct total total = {0};
    int c;

    setvbuf(stdout, NULL, _IOLBF, 0);
    memory_begin();
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint64_t number = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;

        if (c == 's') {
            seed = number;
            one = true;
        } else if (c == 't') {
            trace = true;
        } else if (c == 'm') {
            show_marks = true;
        } else if (c == 'd') {
            disks_only = true;
        } else if ((c == 'w' && leave_out(optarg)) ||
                   (c == 'o' && choose(optarg))) {
            continue;
        } else if (c == 'k') {
            shrinks = true;
        } else if (c == 'p') {
            lives_pace(20000, 4000);
            return 0;
        } else if (c == 'u') {
            until_broken = true;
        } else if (c == 'M' && number > 0) {
            ends = time(NULL) + (time_t)(60 * number);
            seeds = UINT64_MAX - start;
        } else if (c == 'S') {
            start = number;
        } else if (c == 'n') {
            seeds = number;
        } else if (c == 'j' && number > 0 && number <= 64) {
            jobs = number;
        } else {
            fprintf(stderr, "usage: sim [--disks] --seed N [--trace] "
                            "[--shrink] | sim [--disks] [--start S] [--seeds "
                            "N] [--jobs J] [--minutes M] [--until-broken] "
                            "[--marks] | sim --pace; with [--without CHANCE] "
                            "[--only CHANCE=2,7:9]...\n");
            return 2;
        }
    }
    if (one && shrinks)
        return shrink(seed) ? 0 : 1;
    if (!one)
        return run_many(start, seeds, jobs);
    if (disks_only)
        run_disk(seed, &total);
    else
        (void)run_seed(seed, true, trace, &total);
    report(&total);
    (void)check_marks(&total);
    return total.failed > 0;
}
