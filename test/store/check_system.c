/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the SQLite store makes of the system under it: a full disk, places
 * where it may not write, directories that cannot be synced, other users.
 */
#define _GNU_SOURCE
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

Suite *suite_store_system(void);

static struct place place;

/* Directories synced so far, and after how many of them one fails. */
static struct {
    ino_t inodes[32];
    int count;
    int left; /* negative: none fails */
} synced = {.left = -1};

/* Takes the place of libc's: the store syncs directories with it, SQLite
 * syncs files with fdatasync(). */
int fsync(int fd)
{
    struct stat stat;

    if (fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode)) {
        if (synced.left == 0) {
            errno = EIO;
            return -1;
        }
        synced.left -= synced.left > 0;
        if (synced.count < 32)
            synced.inodes[synced.count++] = stat.st_ino;
    }
    return (int)syscall(SYS_fsync, fd);
}

static void set_up(void)
{
    place_make(&place);
    synced.count = 0;
    synced.left = -1;
}

static void tear_down(void)
{
    place_remove(&place);
}

static bool was_synced(const char *path)
{
    struct stat found;

    ck_assert_int_eq(stat(path, &found), 0);
    for (int i = 0; i < synced.count; i++)
        if (synced.inodes[i] == found.st_ino)
            return true;
    return false;
}

static bool says(const rkv_store *store, const char *words)
{
    return strstr(rkv_store_errmsg(store), words) != NULL;
}

START_TEST(a_new_store_has_durable_names)
{
    char parent[sizeof place.path];

    (void)snprintf(parent, sizeof parent, "%s", place.path);
    *strrchr(parent, '/') = 0;
    rkv_store_close(open_store(&place, NULL));
    /* Whoever made the directory: a member whose directory is gone is new
     * again, and votes again. */
    ck_assert(was_synced(place.path));
    ck_assert(was_synced(parent));
    synced.count = 0;
    /* The log of the database is made again after every life. */
    rkv_store_close(open_store(&place, NULL));
    ck_assert(was_synced(place.path));
}
END_TEST

START_TEST(a_snapshot_has_a_durable_name_before_it_counts)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    rkv_store *store = open_store(&place, NULL);

    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    synced.count = 0;
    ck_assert_int_eq(rkv_store_snap_begin(store, 1, 3), RKV_OK);
    ck_assert_int_eq(rkv_store_snap_write(store, 1, 0, "bytes", 5), RKV_OK);
    ck_assert_int_eq(rkv_store_snap_finish(store, 1, 5), RKV_OK);
    ck_assert(was_synced(place.path));
    rkv_store_close(store);
}
END_TEST

/* SQLite syncs directories too, and does not look whether that worked. */
START_TEST(a_directory_that_cannot_be_synced_is_no_place_to_be)
{
    rkv_store *store = NULL;
    int k = 0;

    for (;; k++) {
        struct scribe scribe = {.group = 1, .term = 1, .len = 10};
        uint64_t acked = 0;

        place_clear(&place);
        synced.left = k;
        int rc = try_open(&place, NULL, &store);
        if (rc == RKV_OK)
            rc = scribe_write(&scribe, store, 5);
        if (rc == RKV_OK)
            acked = scribe.last;
        if (rc == RKV_OK)
            rc = scribe_snapshot(&scribe, store, 3, 0, 100);
        if (rc == RKV_OK)
            break;
        ck_assert_int_eq(rc, RKV_EIO);
        ck_assert(says(store, "syncing this directory failed"));
        synced.left = -1;
        ck_assert_int_eq(scribe_write(&scribe, store, 1), RKV_EFAILED);
        rkv_store_close(store);
        store = open_store(&place, NULL);
        ck_assert_uint_eq(state_of(store, 1).last, acked);
        ck_assert_uint_eq(state_of(store, 1).recovering, 0);
        rkv_store_close(store);
    }
    ck_assert_int_ge(k, 4);
    rkv_store_close(store);
}
END_TEST

START_TEST(files_are_for_their_owner_alone)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    mode_t mask = umask(0);
    rkv_store *store = open_store(&place, NULL);
    const struct dirent *entry;
    int files = 0;

    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    ck_assert_int_eq(scribe_snapshot(&scribe, store, 3, 0, 100), RKV_OK);
    DIR *dir = opendir(place.path);
    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct stat found;

        if (entry->d_name[0] == '.')
            continue;
        ck_assert_int_eq(stat(place_of(&place, entry->d_name), &found), 0);
        ck_assert_msg((found.st_mode & 0777) == 0600, "%s has mode %o",
                      entry->d_name, (unsigned)found.st_mode);
        files++;
    }
    ck_assert_int_eq(files, 5);
    (void)closedir(dir);
    (void)umask(mask);
    rkv_store_close(store);
}
END_TEST

/* In a child, as a user whom permissions bind: what does opening say? */
static void refused_as_nobody(const char *words)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        struct rkv_store *store = NULL;

        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(1);
        int rc = try_open(&place, NULL, &store);
        if (rc != RKV_EIO)
            (void)fprintf(stderr, "found %s\n", rkv_errname(rc));
        if (rc != RKV_EIO || !says(store, words) || !says(store, place.path))
            (void)fprintf(stderr, "%s\n", rkv_store_errmsg(store));
        _exit(rc == RKV_EIO && says(store, words) && says(store, place.path)
                  ? 0
                  : 2);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

static void give_away(const char *path, mode_t mode)
{
    ck_assert_int_eq(chmod(path, mode), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(path, 65534, 65534), 0);
}

START_TEST(a_directory_that_may_not_be_written_says_so)
{
    give_away(place.path, 0500);
    refused_as_nobody("Permission denied");
    give_away(place.path, 0700);
}
END_TEST

START_TEST(a_store_that_may_not_be_written_says_so)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 10};
    static const char *const names[] = {"promise", "log.db"};
    rkv_store *store = open_store(&place, NULL);

    ck_assert_int_eq(scribe_write(&scribe, store, 5), RKV_OK);
    rkv_store_close(store);
    for (int i = 0; i < 2; i++)
        give_away(place_of(&place, names[i]), 0600);
    for (int i = 0; i < 2; i++) {
        give_away(place.path, 0700);
        give_away(place_of(&place, names[i]), 0400);
        refused_as_nobody("may write");
        give_away(place_of(&place, names[i]), 0600);
        give_away(place.path, 0500);
        refused_as_nobody("may write");
    }
    give_away(place.path, 0700);
    store = open_store(&place, NULL);
    ck_assert_uint_eq(scribe_count(&scribe, store, 1), 5);
    rkv_store_close(store);
}
END_TEST

static bool is_locked(void)
{
    struct rkv_store *store = NULL;
    int rc = try_open(&place, NULL, &store);

    rkv_store_close(store);
    return rc == RKV_ELOCKED;
}

/* A record lock goes when anybody in its process closes the file: a backup
 * made by the host itself is enough. */
START_TEST(a_lock_outlives_a_look_at_the_files)
{
    rkv_store *store = open_store(&place, NULL);
    int status = 0;

    copy_file(place_of(&place, "promise"), place_of(&place, "copy"));
    pid_t child = fork();
    if (child == 0)
        _exit(is_locked() ? 0 : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    rkv_store_close(store);
}
END_TEST

/* A program that goes into the background lives on in its child. */
START_TEST(a_lock_is_kept_by_a_child_and_let_go_by_a_close)
{
    int status = 0;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0) {
        (void)open_store(&place, NULL);
        char byte;
        if (fork() == 0 && close(ends[1]) == 0 && read(ends[0], &byte, 1) > 0)
            _exit(1);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(parent, &status, 0), parent);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(close(ends[0]), 0);
    ck_assert(is_locked());
    /* Its child ends with the pipe. */
    ck_assert_int_eq(close(ends[1]), 0);
    for (int i = 0; i < 1000 && is_locked(); i++)
        (void)usleep(10000);
    rkv_store *store = open_store(&place, NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    rkv_store_close(store);
    ck_assert(!is_locked());
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
}
END_TEST

/* A member of very many groups reads a snapshot of each when it starts. */
START_TEST(snapshots_of_many_groups_are_read_with_few_descriptors)
{
    enum { GROUPS = 60 };
    struct rlimit usual;
    rkv_store *store = open_store(&place, NULL);
    char byte = 0;
    size_t len;

    for (uint64_t group = 0; group < GROUPS; group++) {
        struct scribe scribe = {.group = group, .term = 1, .len = 10};

        ck_assert_int_eq(scribe_write(&scribe, store, 2), RKV_OK);
        ck_assert_int_eq(scribe_snapshot(&scribe, store, 2, 0, 100), RKV_OK);
    }
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &usual), 0);
    struct rlimit few = {.rlim_cur = 40, .rlim_max = usual.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (uint64_t group = 0; group < 2 * GROUPS; group++) {
        int rc = rkv_store_snap_read(store, group % GROUPS, 2, group % 100,
                                     &byte, 1, &len);

        ck_assert_msg(rc == RKV_OK, "%s", rkv_store_errmsg(store));
        ck_assert_int_eq(byte, 2);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &usual), 0);
    rkv_store_close(store);
}
END_TEST

static bool say_to(const char *path, const char *words)
{
    FILE *file = fopen(path, "w");

    return file != NULL && fputs(words, file) >= 0 && fclose(file) == 0;
}

/* In a world of our own, where we may mount what we like: false where not even
 * that is allowed. */
static bool leave_the_world(void)
{
    char user[40];
    char group[40];

    (void)snprintf(user, sizeof user, "0 %u 1", (unsigned)geteuid());
    (void)snprintf(group, sizeof group, "0 %u 1", (unsigned)getegid());
    if (geteuid() != 0 &&
        (unshare(CLONE_NEWUSER) != 0 || !say_to("/proc/self/uid_map", user) ||
         !say_to("/proc/self/setgroups", "deny") ||
         !say_to("/proc/self/gid_map", group)))
        return false;
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0;
}

/* A small disk of our own at place. */
static bool mount_disk(const char *options, unsigned long flags)
{
    return mount("tmpfs", place.path, "tmpfs", flags, options) == 0;
}

static int live_until_full(rkv_store *store, struct scribe *scribe)
{
    int rc = RKV_OK;

    for (int i = 1; rc == RKV_OK && i < 400; i++) {
        rc = scribe_write(scribe, store, 3);
        if (rc == RKV_OK && i % 10 == 0)
            rc = scribe_snapshot(scribe, store, scribe->last, 50, 20000);
    }
    return rc;
}

/* Runs out of room, again on opening, and has all when there is room. */
static void fill_disk(int kilobytes)
{
    struct scribe scribe = {.group = 1, .term = 1, .len = 900};
    struct rkv_sqlite_options options = small_options(&place);
    struct rkv_store_identity identity = {.size = sizeof identity};
    rkv_store *store = NULL;
    char size[32];

    (void)snprintf(size, sizeof size, "size=%dk", kilobytes);
    if (!leave_the_world() || !mount_disk(size, 0))
        _exit(77);
    int rc = rkv_store_sqlite(&options, &store);
    if (rc == RKV_OK)
        rc = rkv_store_start(store, &identity);
    if (rc == RKV_OK)
        rc = live_until_full(store, &scribe);
    ck_assert_msg(rc == RKV_ENOSPC, "with %s: expected %s, found %s: %s", size,
                  "RKV_ENOSPC", rkv_errname(rc), rkv_store_errmsg(store));
    ck_assert(says(store, "make room"));
    rkv_store_close(store);
    /* The disk is still full: opening may succeed, or say why not. */
    rc = rkv_store_sqlite(&options, &store);
    ck_assert_msg(rc == RKV_OK || rc == RKV_ENOSPC, "with %s: %s: %s", size,
                  rkv_errname(rc), rkv_store_errmsg(store));
    if (rc != RKV_OK)
        ck_assert(says(store, "make room"));
    rkv_store_close(store);
    ck_assert(mount_disk("size=16m", MS_REMOUNT));
    rc = rkv_store_sqlite(&options, &store);
    ck_assert_msg(rc == RKV_OK, "%s", rkv_store_errmsg(store));
    ck_assert_uint_eq(start(store).recovering, 0);
    struct rkv_store_state state = state_of(store, 1);
    ck_assert_uint_ge(state.last, scribe.last);
    ck_assert_uint_eq(scribe_count(&scribe, store, state.first),
                      state.last - state.first + 1);
    rkv_store_close(store);
}

/* A real one, so that what SQLite itself does about it is seen: its index of
 * the WAL wants room as well. */
START_TEST(a_full_disk_is_called_so_and_forgets_nothing)
{
    for (int kilobytes = 4 * _i; kilobytes < 4 * _i + 420; kilobytes += 28) {
        int status = 0;
        pid_t child = fork();

        if (child == 0) {
            fill_disk(kilobytes == 0 ? 4 : kilobytes);
            _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        /* 77: no mounts are allowed here. */
        ck_assert(status == 0 || WEXITSTATUS(status) == 77);
    }
}
END_TEST

Suite *suite_store_system(void)
{
    Suite *suite = suite_create("store/system");
    TCase *names = tcase_create("names");
    TCase *rights = tcase_create("rights");
    TCase *space = tcase_create("space");
    TCase *all[] = {names, rights, space};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        tcase_add_checked_fixture(all[i], set_up, tear_down);
        tcase_set_timeout(all[i], 60);
        suite_add_tcase(suite, all[i]);
    }
    tcase_add_test(names, a_new_store_has_durable_names);
    tcase_add_test(names, a_snapshot_has_a_durable_name_before_it_counts);
    tcase_add_test(names, a_directory_that_cannot_be_synced_is_no_place_to_be);
    tcase_add_test(rights, files_are_for_their_owner_alone);
    tcase_add_test(rights, a_directory_that_may_not_be_written_says_so);
    tcase_add_test(rights, a_store_that_may_not_be_written_says_so);
    tcase_add_test(rights, a_lock_outlives_a_look_at_the_files);
    tcase_add_test(rights, a_lock_is_kept_by_a_child_and_let_go_by_a_close);
    tcase_add_test(space,
                   snapshots_of_many_groups_are_read_with_few_descriptors);
    tcase_add_loop_test(space, a_full_disk_is_called_so_and_forgets_nothing, 0,
                        4);
    return suite;
}
