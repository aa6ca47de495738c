/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of stores share.
 */
#define _POSIX_C_SOURCE 200809L
#include "support.h"

#include <check.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

void place_make(struct place *place)
{
    /* In memory where there is such a place: a sync costs nothing there, and
     * no test here depends on what it would cost. */
    const char *root = getenv("TMPDIR");

    if (root == NULL || root[0] == 0)
        root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(place->path, sizeof place->path, "%.200s/raftkv-XXXXXX",
                   root);
    ck_assert_ptr_nonnull(mkdtemp(place->path));
}

const char *place_of(const struct place *place, const char *name)
{
    static char buffers[4][512];
    static unsigned next;
    char *buffer = buffers[next++ % 4];

    (void)snprintf(buffer, sizeof buffers[0], "%s/%s", place->path, name);
    return buffer;
}

static void each_file(const struct place *place,
                      void (*visit)(const struct place *, const char *name,
                                    void *ctx),
                      void *ctx)
{
    DIR *dir = opendir(place->path);
    const struct dirent *entry;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            visit(place, entry->d_name, ctx);
    (void)closedir(dir);
}

static void visit_remove(const struct place *place, const char *name, void *ctx)
{
    (void)ctx;
    (void)unlink(place_of(place, name));
}

static void visit_copy(const struct place *place, const char *name, void *ctx)
{
    copy_file(place_of(place, name), place_of(ctx, name));
}

void place_clear(struct place *place)
{
    each_file(place, visit_remove, NULL);
}

void place_remove(const struct place *place)
{
    each_file(place, visit_remove, NULL);
    (void)rmdir(place->path);
}

void place_copy(const struct place *from, const struct place *to)
{
    each_file(to, visit_remove, NULL);
    each_file(from, visit_copy, (void *)(uintptr_t)to);
}

struct rkv_sqlite_options small_options(const struct place *place)
{
    struct rkv_sqlite_options options = {.size = sizeof options,
                                         .path = place->path,
                                         .segment_entries = 10,
                                         .checkpoint_pages = 40};

    return options;
}

int try_open(const struct place *place, const char *vfs, rkv_store **out)
{
    struct rkv_store_identity identity = {.size = sizeof identity};
    struct rkv_sqlite_options options = {
        .size = sizeof options, .path = place->path, .vfs = vfs};
    int rc = rkv_store_sqlite(&options, out);

    return rc == RKV_OK ? rkv_store_start(*out, &identity) : rc;
}

rkv_store *open_store(const struct place *place, const char *vfs)
{
    rkv_store *store = NULL;
    int rc = try_open(place, vfs, &store);

    ck_assert_msg(rc == RKV_OK, "%s: %s", rkv_errname(rc),
                  rkv_store_errmsg(store));
    return store;
}

static void write_payload(const struct scribe *scribe, uint64_t index,
                          uint8_t *out)
{
    uint64_t word = rkv_mix64(scribe->group, index);

    for (uint32_t i = 0; i < scribe->len; i++)
        out[i] = (uint8_t)(word >> (8 * (i % 8)));
}

int scribe_write(struct scribe *scribe, rkv_store *store, uint32_t count)
{
    struct rkv_entry entries[SCRIBE_BATCH_MAX];
    struct rkv_store_write write = {.size = sizeof write,
                                    .flags = RKV_WRITE_STATE,
                                    .group = scribe->group,
                                    .term = scribe->term,
                                    .vote = scribe->vote,
                                    .commit = scribe->commit,
                                    .entries = entries,
                                    .count = count};
    const uint8_t *previous = scribe->chain;
    uint8_t *payload = malloc((size_t)count * SCRIBE_LEN_MAX + 1);

    ck_assert_ptr_nonnull(payload);
    ck_assert_uint_le(count, SCRIBE_BATCH_MAX);
    memset(entries, 0, sizeof entries);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *bytes = payload + (size_t)i * SCRIBE_LEN_MAX;

        entries[i].index = scribe->last + 1 + i;
        entries[i].term = scribe->term;
        entries[i].kind = RKV_ENTRY_COMMAND;
        entries[i].len = scribe->len;
        entries[i].data = bytes;
        write_payload(scribe, entries[i].index, bytes);
        rkv_entry_chain(&entries[i], previous);
        previous = entries[i].chain;
        write.flags |= RKV_WRITE_ENTRIES;
    }
    int rc = rkv_store_write(store, &write, 1);
    if (rc == RKV_OK && count != 0) {
        memcpy(scribe->chain, previous, 32);
        scribe->last += count;
    }
    free(payload);
    return rc;
}

int scribe_snapshot(struct scribe *scribe, rkv_store *store, uint64_t index,
                    uint64_t keep, size_t len)
{
    const struct rkv_entry *entries;
    uint32_t count;
    struct rkv_store_write write = {.size = sizeof write,
                                    .flags = RKV_WRITE_SNAPSHOT,
                                    .group = scribe->group,
                                    .snapshot_index = index,
                                    .snapshot_len = len,
                                    .config = "config",
                                    .config_len = 6};
    uint8_t *bytes = malloc(len + 1);
    int rc =
        rkv_store_read(store, scribe->group, index, 1, 1, &entries, &count);

    ck_assert_ptr_nonnull(bytes);
    memset(bytes, (int)index, len);
    if (rc == RKV_OK) {
        write.snapshot_term = entries[0].term;
        memcpy(write.snapshot_chain, entries[0].chain, 32);
        rkv_blake(write.snapshot_hash, bytes, len);
        rc = rkv_store_snap_begin(store, scribe->group, index);
    }
    if (rc == RKV_OK)
        rc = rkv_store_snap_write(store, scribe->group, 0, bytes, len);
    if (rc == RKV_OK)
        rc = rkv_store_snap_finish(store, scribe->group, len);
    if (keep != 0) {
        write.flags |= RKV_WRITE_COMPACT;
        write.compact = index > keep ? index - keep : 0;
    }
    free(bytes);
    return rc == RKV_OK ? rkv_store_write(store, &write, 1) : rc;
}

uint64_t scribe_count(const struct scribe *scribe, rkv_store *store,
                      uint64_t first)
{
    uint8_t expected[SCRIBE_LEN_MAX];
    const struct rkv_entry *entries;
    uint64_t good = 0;
    uint32_t count;

    while (rkv_store_read(store, scribe->group, first + good, 100, UINT64_MAX,
                          &entries, &count) == RKV_OK) {
        for (uint32_t i = 0; i < count; i++) {
            write_payload(scribe, first + good, expected);
            if (entries[i].index != first + good ||
                entries[i].len != scribe->len ||
                memcmp(entries[i].data, expected, scribe->len) != 0)
                return good;
            good++;
        }
    }
    return good;
}

struct rkv_store_state state_of(rkv_store *store, uint64_t group)
{
    struct rkv_store_state state = {.size = sizeof state};
    int rc = rkv_store_state(store, group, &state);

    ck_assert_msg(rc == RKV_OK, "%s: %s", rkv_errname(rc),
                  rkv_store_errmsg(store));
    return state;
}

struct rkv_store_identity start(rkv_store *store)
{
    struct rkv_store_identity identity = {.size = sizeof identity};
    int rc = rkv_store_start(store, &identity);

    ck_assert_msg(rc == RKV_OK, "%s: %s", rkv_errname(rc),
                  rkv_store_errmsg(store));
    return identity;
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);

    ck_assert_msg(file != NULL, "%s cannot be opened", path);
    return file;
}

size_t file_len(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return 0;
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    size_t len = (size_t)ftell(file);
    (void)fclose(file);
    return len;
}

void flip_bit(const char *path, size_t offset)
{
    FILE *file = open_file(path, "r+b");

    ck_assert_int_eq(fseek(file, (long)offset, SEEK_SET), 0);
    int byte = fgetc(file);
    ck_assert_int_ne(byte, EOF);
    ck_assert_int_eq(fseek(file, (long)offset, SEEK_SET), 0);
    ck_assert_int_ne(fputc(byte ^ 4, file), EOF);
    ck_assert_int_eq(fclose(file), 0);
}

void zero_bytes(const char *path, size_t offset, size_t len)
{
    FILE *file = open_file(path, "r+b");

    ck_assert_int_eq(fseek(file, (long)offset, SEEK_SET), 0);
    for (size_t i = 0; i < len; i++)
        ck_assert_int_ne(fputc(0, file), EOF);
    ck_assert_int_eq(fclose(file), 0);
}

void copy_bytes(const char *path, size_t from, size_t to, size_t len)
{
    FILE *file = open_file(path, "r+b");
    uint8_t bytes[4096];

    ck_assert_uint_le(len, sizeof bytes);
    ck_assert_int_eq(fseek(file, (long)from, SEEK_SET), 0);
    ck_assert_uint_eq(fread(bytes, 1, len, file), len);
    ck_assert_int_eq(fseek(file, (long)to, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

void remove_file(const char *path)
{
    (void)unlink(path);
}

void copy_file(const char *from, const char *to)
{
    char buffer[65536];
    FILE *in = open_file(from, "rb");
    FILE *out = open_file(to, "wb");
    size_t len;

    while ((len = fread(buffer, 1, sizeof buffer, in)) != 0)
        ck_assert_uint_eq(fwrite(buffer, 1, len, out), len);
    (void)fclose(in);
    ck_assert_int_eq(fclose(out), 0);
}

void run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    ck_assert_msg(rc == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    (void)sqlite3_close(db);
}

int64_t ask_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *select = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &select, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(select), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(select, 0);
    (void)sqlite3_finalize(select);
    (void)sqlite3_close(db);
    return answer;
}
