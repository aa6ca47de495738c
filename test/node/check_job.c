/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A disk on a thread of its own: what a job holds nobody else touches, it
 * asks the node's allocator for nothing, and groups may come and go while it
 * is out.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "frail.h"
#include "meter.h"

Suite *suite_node_job(void);

/* One worker for all members: it runs what it is given, one at a time. */
struct disk {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    rkv_job *jobs[CLUSTER_MAX];
    bool given[CLUSTER_MAX];
    bool ran[CLUSTER_MAX];
    bool stop;
};

static int next_given(const struct disk *disk)
{
    for (int i = 0; i < CLUSTER_MAX; i++)
        if (disk->given[i])
            return i;
    return -1;
}

static void *work(void *arg)
{
    struct disk *disk = arg;

    (void)pthread_mutex_lock(&disk->lock);
    while (!disk->stop) {
        int at = next_given(disk);

        if (at < 0) {
            (void)pthread_cond_wait(&disk->changed, &disk->lock);
            continue;
        }
        disk->given[at] = false;
        (void)pthread_mutex_unlock(&disk->lock);
        (void)rkv_job_run(disk->jobs[at]);
        (void)pthread_mutex_lock(&disk->lock);
        disk->ran[at] = true;
    }
    (void)pthread_mutex_unlock(&disk->lock);
    return NULL;
}

static void give(struct disk *disk, struct cluster *c, uint32_t at)
{
    if (disk->jobs[at] == NULL) {
        if (rkv_node_flush_begin(c->nodes[at], c->now, &disk->jobs[at]) <= 0)
            return;
        (void)pthread_mutex_lock(&disk->lock);
        disk->given[at] = true;
        (void)pthread_cond_signal(&disk->changed);
        (void)pthread_mutex_unlock(&disk->lock);
    }
}

static void take(struct disk *disk, struct cluster *c, uint32_t at)
{
    bool ran;

    (void)pthread_mutex_lock(&disk->lock);
    ran = disk->ran[at];
    disk->ran[at] = false;
    (void)pthread_mutex_unlock(&disk->lock);
    if (!ran)
        return;
    ck_assert_int_eq(rkv_node_flush_end(c->nodes[at], c->now, disk->jobs[at]),
                     RKV_OK);
    disk->jobs[at] = NULL;
}

/* The rest of a member's turn is the cluster's, which must not flush. */
static void turn(struct cluster *c, struct disk *disk)
{
    c->now++;
    for (uint32_t i = 0; i < c->count; i++) {
        ck_assert_int_eq(rkv_node_tick(c->nodes[i], c->now), RKV_OK);
        take(disk, c, i);
        give(disk, c, i);
    }
    cluster_exchange(c);
}

static void put_some(struct cluster *c, int count)
{
    int leader = cluster_leader(c), rc;

    for (int i = 0; i < count && leader >= 0; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "k%d", i % 50);
        (void)cluster_put(c, (uint32_t)leader, key,
                          "a value that is long enough to leave memory soon",
                          &rc);
    }
}

static void begin(struct disk *disk)
{
    memset(disk, 0, sizeof *disk);
    (void)pthread_mutex_init(&disk->lock, NULL);
    (void)pthread_cond_init(&disk->changed, NULL);
    ck_assert_int_eq(pthread_create(&disk->thread, NULL, work, disk), 0);
}

static void end(struct disk *disk)
{
    (void)pthread_mutex_lock(&disk->lock);
    disk->stop = true;
    (void)pthread_cond_signal(&disk->changed);
    (void)pthread_mutex_unlock(&disk->lock);
    (void)pthread_join(disk->thread, NULL);
    (void)pthread_mutex_destroy(&disk->lock);
    (void)pthread_cond_destroy(&disk->changed);
}

static struct cluster *start(void)
{
    struct cluster *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    c->seed = 17;
    c->options.cache_bytes_max = 2000;
    c->options.snapshot_entries = 400;
    c->options.snapshot_bytes = 40000;
    c->options.snapshot_keep = 100;
    c->options.snapshot_chunk_bytes = 80 << 10;
    cluster_init(c, 3, 3);
    return c;
}

/* A member is cut off again and again, long enough to need what left memory
 * and now and then a snapshot, while the others write. */
START_TEST(a_thread_may_run_jobs_while_everything_goes_on)
{
    struct cluster *c = start();
    struct disk *disk = calloc(1, sizeof *disk);

    begin(disk);
    for (int i = 0; i < 6000; i++) {
        if (i % 500 == 0)
            cluster_isolate(c, (uint32_t)i / 500 % 3, true);
        if (i % 500 == 350)
            cluster_isolate(c, (uint32_t)i / 500 % 3, false);
        if (i > 300 && c->next_token < CLUSTER_TOKENS - 10 && i % 5 == 0)
            put_some(c, 4);
        turn(c, disk);
    }
    for (int i = 0; i < 1000; i++)
        turn(c, disk);
    end(disk);
    for (uint32_t i = 0; i < 3; i++)
        if (disk->jobs[i] != NULL && !disk->ran[i])
            (void)rkv_job_run(disk->jobs[i]);
    ck_assert_uint_eq(cluster_hash(c, 1), cluster_hash(c, 0));
    ck_assert_uint_eq(cluster_hash(c, 2), cluster_hash(c, 0));
    free(disk);
    cluster_free(c);
    free(c);
}
END_TEST

/* The allocator belongs to the thread that calls the node. */
START_TEST(a_running_job_allocates_nothing)
{
    struct meter meter = {0};
    struct rkv_allocator allocator = meter_allocator(&meter);
    struct cluster *c = calloc(1, sizeof *c);
    uint32_t jobs = 0;
    rkv_job *job;

    c->seed = 17;
    c->options.cache_bytes_max = 500;
    c->options.snapshot_entries = 200;
    c->options.snapshot_bytes = 1000;
    c->options.snapshot_keep = 50;
    c->options.snapshot_chunk_bytes = 80 << 10;
    c->allocator = &allocator;
    cluster_init(c, 3, 3);
    for (int i = 0; i < 1200; i++) {
        cluster_isolate(c, 2, i % 400 < 250);
        c->now++;
        if (i > 300)
            put_some(c, c->next_token < CLUSTER_TOKENS - 10 ? 3 : 0);
        for (uint32_t k = 0; k < 3; k++) {
            (void)rkv_node_tick(c->nodes[k], c->now);
            if (rkv_node_flush_begin(c->nodes[k], c->now, &job) <= 0)
                continue;
            meter.closed = true;
            ck_assert_int_eq(rkv_job_run(job), RKV_OK);
            meter.closed = false;
            (void)rkv_node_flush_end(c->nodes[k], c->now, job);
            jobs++;
        }
        cluster_exchange(c);
    }
    ck_assert_uint_gt(jobs, 500);
    ck_assert_uint_gt(c->restored, 0);
    cluster_free(c);
    free(c);
    ck_assert_uint_eq(meter.out, 0);
}
END_TEST

/* ---- groups ---- */

struct pair {
    struct meter meter;
    struct rkv_allocator allocator;
    struct frail frail;
    rkv_store *store;
    rkv_hub *hub;
    rkv_node *nodes[2];
};

static void open_group(struct pair *p, uint32_t at)
{
    static const struct rkv_raft_options raft = {
        .size = sizeof raft, .election_ticks = 100, .heartbeat_ticks = 10};
    struct rkv_node_options options = {
        .size = sizeof options, .group = at + 1, .raft = &raft};
    struct rkv_member self = {.id = 1, .role = RKV_VOTER};

    ck_assert_int_eq(rkv_hub_node(p->hub, &options, &p->nodes[at]), RKV_OK);
    ck_assert_int_eq(rkv_node_bootstrap(p->nodes[at], &self, 1), RKV_OK);
}

static void open_pair(struct pair *p)
{
    struct rkv_hub_options options = {.size = sizeof options,
                                      .cluster = 5,
                                      .id = 1,
                                      .allocator = &p->allocator};

    memset(p, 0, sizeof *p);
    p->allocator = meter_allocator(&p->meter);
    ck_assert_int_eq(rkv_store_memory(NULL, &p->frail.real), RKV_OK);
    p->store = frail_open(&p->frail);
    ck_assert_int_eq(rkv_hub_open(&options, p->store, &p->hub), RKV_OK);
    open_group(p, 0);
    open_group(p, 1);
}

static void close_pair(struct pair *p)
{
    rkv_hub_close(p->hub);
    rkv_store_close(p->store);
    ck_assert_uint_eq(p->meter.out, 0);
}

static rkv_job *begin_job(struct pair *p)
{
    rkv_job *job = NULL;

    for (uint64_t now = 1; job == NULL; now += 10) {
        ck_assert_int_eq(rkv_hub_tick(p->hub, now), RKV_OK);
        ck_assert_int_ge(rkv_hub_flush_begin(p->hub, now, &job), 0);
    }
    return job;
}

START_TEST(a_group_may_be_closed_while_a_job_is_out)
{
    struct pair p;
    rkv_job *job;

    open_pair(&p);
    job = begin_job(&p);
    rkv_node_close(p.nodes[0]);
    rkv_node_close(p.nodes[1]);
    ck_assert_int_eq(rkv_job_run(job), RKV_OK);
    ck_assert_int_eq(rkv_hub_flush_end(p.hub, 500, job), RKV_OK);
    open_group(&p, 0);
    job = begin_job(&p);
    rkv_node_close(p.nodes[0]);
    close_pair(&p);
}
END_TEST

START_TEST(no_group_is_opened_while_a_job_has_the_store)
{
    struct pair p;
    struct rkv_node_options options = {.size = sizeof options, .group = 9};
    rkv_node *node;
    rkv_job *job;

    open_pair(&p);
    job = begin_job(&p);
    ck_assert_int_eq(rkv_hub_node(p.hub, &options, &node), RKV_ESTATE);
    ck_assert_int_eq(rkv_job_run(job), RKV_OK);
    ck_assert_int_eq(rkv_hub_flush_end(p.hub, 500, job), RKV_OK);
    ck_assert_int_eq(rkv_hub_node(p.hub, &options, &node), RKV_OK);
    options.group = 10;
    options.cluster = 6;
    ck_assert_int_eq(rkv_hub_node(p.hub, &options, &node), RKV_EINVAL);
    close_pair(&p);
}
END_TEST

START_TEST(a_job_ends_once_and_only_after_it_ran)
{
    struct pair p;
    rkv_job *job, *other;

    open_pair(&p);
    job = begin_job(&p);
    ck_assert_int_eq(rkv_hub_flush_begin(p.hub, 1, &other), 0);
    ck_assert_int_eq(rkv_hub_flush_end(p.hub, 1, job), RKV_ESTATE);
    ck_assert_int_eq(rkv_job_run(job), RKV_OK);
    ck_assert_int_eq(rkv_job_run(job), RKV_ESTATE);
    ck_assert_int_eq(rkv_hub_flush_end(p.hub, 1, job), RKV_OK);
    ck_assert_int_eq(rkv_hub_flush_end(p.hub, 1, job), RKV_ESTATE);
    ck_assert_int_eq(rkv_job_run(NULL), RKV_ESTATE);
    close_pair(&p);
}
END_TEST

START_TEST(a_hub_whose_disk_failed_leaves_nothing_behind)
{
    struct pair p;
    rkv_job *job;

    open_pair(&p);
    job = begin_job(&p);
    p.frail.writes_fail = true;
    ck_assert_int_eq(rkv_job_run(job), RKV_EIO);
    ck_assert_int_eq(rkv_hub_flush_end(p.hub, 500, job), RKV_EIO);
    rkv_node_close(p.nodes[0]);
    close_pair(&p);
}
END_TEST

START_TEST(a_hub_closed_before_its_job_has_ended_leaves_nothing_behind)
{
    struct pair p;
    rkv_job *job;

    open_pair(&p);
    job = begin_job(&p);
    ck_assert_int_eq(rkv_job_run(job), RKV_OK);
    close_pair(&p);
}
END_TEST

/* Its disk is busy, and so many writes wait that the core hands out no other
 * one; then the log that they were to write is cut. */
START_TEST(what_a_new_leader_cut_off_before_it_was_written_is_left_out)
{
    struct cluster *c = calloc(1, sizeof *c);
    uint32_t old, leader;
    rkv_job *job;
    int rc;

    c->seed = 5;
    cluster_init(c, 3, 3);
    old = cluster_elect(c);
    cluster_run(c, 20);
    cluster_isolate(c, old, true);
    ck_assert_int_eq(rkv_node_snapshot(c->nodes[old]), RKV_OK);
    ck_assert_int_eq(rkv_node_flush_begin(c->nodes[old], c->now, &job), 1);
    c->stalled[old] = true;
    for (int i = 0; i < 100; i++) {
        (void)cluster_put(c, old, "a", "lost", &rc);
        ck_assert_int_eq(rc, RKV_OK);
        cluster_exchange(c);
    }
    cluster_run(c, 400);
    leader = cluster_elect(c);
    ck_assert_uint_ne(leader, old);
    (void)cluster_put(c, leader, "a", "kept", &rc);
    cluster_settle(c);
    cluster_isolate(c, old, false);
    cluster_run(c, 30);
    ck_assert_int_eq(rkv_job_run(job), RKV_OK);
    ck_assert_int_eq(rkv_node_flush_end(c->nodes[old], c->now, job), RKV_OK);
    c->stalled[old] = false;
    cluster_run(c, 400);
    ck_assert_str_eq(rkv_node_errmsg(c->nodes[old]), "");
    ck_assert_str_eq(cluster_get(c, old, "a"), "kept");
    ck_assert_uint_eq(cluster_hash(c, old), cluster_hash(c, leader));
    cluster_free(c);
    free(c);
}
END_TEST

Suite *suite_node_job(void)
{
    Suite *s = suite_create("node_job");
    TCase *t = tcase_create("job");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_thread_may_run_jobs_while_everything_goes_on);
    tcase_add_test(t, a_running_job_allocates_nothing);
    tcase_add_test(t, a_group_may_be_closed_while_a_job_is_out);
    tcase_add_test(t, no_group_is_opened_while_a_job_has_the_store);
    tcase_add_test(t, a_job_ends_once_and_only_after_it_ran);
    tcase_add_test(t, a_hub_whose_disk_failed_leaves_nothing_behind);
    tcase_add_test(t,
                   a_hub_closed_before_its_job_has_ended_leaves_nothing_behind);
    tcase_add_test(t,
                   what_a_new_leader_cut_off_before_it_was_written_is_left_out);
    suite_add_tcase(s, t);
    return s;
}
