/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The promise file.  Its two slots are written in turn, so that a torn write
 * spoils only what was not yet promised.  The file never grows after it was
 * made, so a full disk cannot stop a promise, and a sync has one block to
 * write.
 */
#include "promise.h"

#include <inttypes.h>
#include <string.h>

#include "../base/bytes.h"
#include "../base/hash.h"

#define PROMISE_NAME "promise"

enum {
    SLOT_BYTES = 4096,
    BODY_BYTES = 80,
    RECORD_BYTES = BODY_BYTES + 32,
    WRITE_BYTES = 512,
    VERSION = 1
};

static const uint8_t magic[8] = {'r', 'k', 'v', 'p', 'r', 'o', 'm', '\n'};

static void encode(uint8_t out[WRITE_BYTES], uint64_t generation,
                   const struct rkv_promise_record *record)
{
    memset(out, 0, WRITE_BYTES);
    memcpy(out, magic, sizeof magic);
    rkv_put_u32(out + 8, VERSION);
    rkv_put_u32(out + 12, RECORD_BYTES);
    rkv_put_u64(out + 16, generation);
    rkv_put_u64(out + 24, record->cluster);
    rkv_put_u64(out + 32, record->member);
    rkv_put_u64(out + 40, record->boot);
    rkv_put_u64(out + 48, record->sequence);
    rkv_put_u64(out + 56, record->term);
    memcpy(out + 64, record->incarnation, RKV_INCARNATION_BYTES);
    rkv_blake(out + BODY_BYTES, out, BODY_BYTES);
}

/* In every version a record begins with magic, version and length and ends
 * with the hash of all before: so a later one is told from a damaged one. */
static bool is_whole(const uint8_t in[WRITE_BYTES])
{
    uint8_t hash[32];
    uint32_t len = rkv_get_u32(in + 12);

    if (memcmp(in, magic, sizeof magic) != 0 || len < 16 + sizeof hash ||
        len > WRITE_BYTES)
        return false;
    rkv_blake(hash, in, len - sizeof hash);
    return memcmp(in + len - sizeof hash, hash, sizeof hash) == 0;
}

static bool is_of_another_version(const uint8_t in[WRITE_BYTES])
{
    return is_whole(in) && rkv_get_u32(in + 8) != VERSION;
}

static bool decode(const uint8_t in[WRITE_BYTES], uint64_t *generation,
                   struct rkv_promise_record *record)
{
    if (!is_whole(in) || rkv_get_u32(in + 8) != VERSION ||
        rkv_get_u32(in + 12) != RECORD_BYTES)
        return false;
    *generation = rkv_get_u64(in + 16);
    record->cluster = rkv_get_u64(in + 24);
    record->member = rkv_get_u64(in + 32);
    record->boot = rkv_get_u64(in + 40);
    record->sequence = rkv_get_u64(in + 48);
    record->term = rkv_get_u64(in + 56);
    memcpy(record->incarnation, in + 64, RKV_INCARNATION_BYTES);
    return true;
}

/* An empty file first, its name durable, and that of the directory too, or a
 * member would find itself new again.  A handle that is closed again takes
 * this process's locks on the file with it, so the one that is kept and
 * locked is opened only after this. */
static int make_file(struct rkv_disk *disk)
{
    struct rkv_file file;
    int rc = rkv_file_open(&file, disk, PROMISE_NAME, RKV_FILE_MADE);

    if (rc != RKV_OK)
        return rc;
    rc = rkv_file_sync(&file);
    rkv_file_close(&file);
    if (rc == RKV_OK)
        rc = rkv_disk_sync(disk);
    return rc == RKV_OK ? rkv_disk_sync_parent(disk) : rc;
}

/* Both slots say that nothing was promised, under a name never used before:
 * the only chance in the library that is not given by a seed. */
static int fill_file(struct rkv_promise *promise)
{
    static const uint8_t zeros[2 * SLOT_BYTES] = {0};
    struct rkv_promise_record record;
    uint8_t slot[WRITE_BYTES];

    memset(&record, 0, sizeof record);
    sqlite3_vfs *vfs = promise->file.disk->vfs;
    if (vfs->xRandomness(vfs, sizeof record.incarnation,
                         (char *)record.incarnation) <
        (int)sizeof record.incarnation)
        return rkv_trouble_say(promise->file.disk->trouble, RKV_EIO,
                               "the system gives no random numbers");
    int rc = rkv_file_write(&promise->file, 0, zeros, sizeof zeros);
    for (uint64_t i = 0; rc == RKV_OK && i < 2; i++) {
        encode(slot, i, &record);
        rc = rkv_file_write(&promise->file, i * SLOT_BYTES, slot, sizeof slot);
    }
    if (rc == RKV_OK)
        rc = rkv_file_sync(&promise->file);
    if (rc == RKV_OK) {
        promise->said = record;
        promise->generation = RKV_PROMISE_NEW;
        promise->fresh = true;
    }
    return rc;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* Reads what the file has of its two slots; the rest is zeros. */
static int read_slots(struct rkv_promise *promise,
                      uint8_t slots[2][WRITE_BYTES], bool *blank)
{
    uint64_t len;
    int rc = rkv_file_len(&promise->file, &len);

    memset(slots, 0, 2 * WRITE_BYTES);
    for (uint64_t i = 0; rc == RKV_OK && i < 2; i++)
        if (len >= i * SLOT_BYTES + WRITE_BYTES)
            rc = rkv_file_read(&promise->file, i * SLOT_BYTES, slots[i],
                               WRITE_BYTES);
    *blank = is_zero(&slots[0][0], 2 * WRITE_BYTES);
    return rc;
}

static int check_version(struct rkv_promise *promise,
                         const uint8_t slot[WRITE_BYTES])
{
    if (!is_of_another_version(slot))
        return RKV_OK;
    return rkv_trouble_say(promise->file.disk->trouble, RKV_EVERSION,
                           "%s: has version %" PRIu32
                           ", this build knows %d: use a newer one",
                           promise->file.path, rkv_get_u32(slot + 8), VERSION);
}

static int load(struct rkv_promise *promise, const char *database)
{
    struct rkv_promise_record records[2];
    uint8_t slots[2][WRITE_BYTES];
    uint64_t generations[2] = {0, 0};
    bool blank;
    bool has_database;
    struct rkv_disk *disk = promise->file.disk;
    int rc = read_slots(promise, slots, &blank);

    if (rc == RKV_OK)
        rc = rkv_disk_exists(disk, database, &has_database);
    if (rc != RKV_OK)
        return rc;
    if (blank && !has_database)
        return fill_file(promise);
    for (size_t i = 0; rc == RKV_OK && i < 2; i++)
        rc = check_version(promise, slots[i]);
    if (rc != RKV_OK)
        return rc;
    bool first = decode(slots[0], &generations[0], &records[0]);
    bool second = decode(slots[1], &generations[1], &records[1]);
    if (!first && !second)
        return rkv_trouble_say(
            disk->trouble, RKV_ECORRUPT,
            "%s: neither of its two slots is valid (found %s, expected a "
            "checksummed record): what this member promised is unknown, so it "
            "must not vote; " RKV_REPLACE_MEMBER,
            promise->file.path, blank ? "zeros" : "damaged records");
    size_t best = !first || (second && generations[1] > generations[0]);
    promise->said = records[best];
    promise->generation = generations[best];
    promise->damaged = !first || !second;
    return RKV_OK;
}

int rkv_promise_open(struct rkv_promise *promise, struct rkv_disk *disk,
                     const char *database)
{
    bool has_database;
    bool has_promise;
    char path[RKV_PATH_BYTES];

    memset(promise, 0, sizeof *promise);
    int rc = rkv_disk_lock(disk);
    /* In this order: whoever makes a store now makes the promise first. */
    if (rc == RKV_OK)
        rc = rkv_disk_exists(disk, database, &has_database);
    if (rc == RKV_OK)
        rc = rkv_disk_exists(disk, PROMISE_NAME, &has_promise);
    if (rc != RKV_OK)
        return rc;
    rkv_disk_path(disk, PROMISE_NAME, path);
    if (has_database && !has_promise)
        return rkv_trouble_say(
            disk->trouble, RKV_EROLLBACK,
            "%s: missing beside a database that is there, so what this member "
            "promised is unknown and it must not vote: put the file back, "
            "or " RKV_REPLACE_MEMBER,
            path);
    if (!has_promise)
        rc = make_file(disk);
    if (rc == RKV_OK)
        rc = rkv_file_open(&promise->file, disk, PROMISE_NAME,
                           RKV_FILE_LOCKABLE);
    if (rc == RKV_OK)
        rc = rkv_file_lock(&promise->file);
    if (rc == RKV_OK)
        rc = load(promise, database);
    if (rc != RKV_OK)
        rkv_promise_close(promise);
    return rc;
}

void rkv_promise_close(struct rkv_promise *promise)
{
    if (promise->file.disk == NULL)
        return;
    (void)promise->file.handle->pMethods->xUnlock(promise->file.handle,
                                                  SQLITE_LOCK_NONE);
    rkv_file_close(&promise->file);
}

int rkv_promise_say(struct rkv_promise *promise,
                    const struct rkv_promise_record *next)
{
    uint8_t slot[WRITE_BYTES];
    uint64_t generation = promise->generation + 1;

    encode(slot, generation, next);
    int rc = rkv_file_write(&promise->file, generation % 2 * SLOT_BYTES, slot,
                            sizeof slot);
    if (rc == RKV_OK)
        rc = rkv_file_sync(&promise->file);
    if (rc != RKV_OK)
        return rc;
    promise->said = *next;
    promise->generation = generation;
    return RKV_OK;
}
