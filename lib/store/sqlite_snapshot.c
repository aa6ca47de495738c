/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Snapshots in files beside the database.  One is written to the free slot,
 * synced, and only then named by a transaction; until then nothing refers to
 * it, and after a crash the next one overwrites it.  A reader is served from
 * the current one or the one before it, so a transfer that has begun may end.
 */
#include "sqlite.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 32 };

static void name_of(const struct rkv_sqlite_group *group, uint32_t slot,
                    char out[NAME_BYTES])
{
    (void)snprintf(out, NAME_BYTES, "snap-%016" PRIx64 "-%" PRIu32,
                   group->base.id, slot);
}

/* The slot that neither the current nor the previous snapshot lies in. */
static uint32_t free_slot(const struct rkv_sqlite_group *group)
{
    uint32_t slot = 0;

    while ((group->current.index != 0 && group->current.slot == slot) ||
           (group->previous.index != 0 && group->previous.slot == slot))
        slot++;
    assert(slot < RKV_SLOTS);
    return slot;
}

void rkv_sqlite_discard_snapshot(struct rkv_sqlite_group *group)
{
    rkv_file_close(&group->coming_file);
    memset(&group->coming, 0, sizeof group->coming);
    group->coming_finished = false;
}

static int len_on_disk(struct rkv_sqlite *s, const char *name, uint64_t *out)
{
    struct rkv_file file;
    int rc = rkv_file_open(&file, &s->disk, name, RKV_FILE_EXISTING);

    if (rc != RKV_OK)
        return rc;
    rc = rkv_file_len(&file, out);
    rkv_file_close(&file);
    return rc;
}

static int check_one(struct rkv_sqlite *s, const struct rkv_sqlite_group *group,
                     const struct rkv_snap_file *snapshot)
{
    char name[NAME_BYTES];
    uint64_t len = 0;
    bool there;

    /* An empty file is no file to a VFS. */
    if (snapshot->len == 0)
        return RKV_OK;
    name_of(group, snapshot->slot, name);
    int rc = rkv_disk_exists(&s->disk, name, &there);
    if (rc == RKV_OK && there)
        rc = len_on_disk(s, name, &len);
    if (rc != RKV_OK)
        return rc;
    if (!there || len != snapshot->len)
        return rkv_trouble_say(
            &s->trouble, RKV_ECORRUPT,
            "%s/%s: expected the snapshot of group %" PRIu64 " at %" PRIu64
            " with %" PRIu64 " bytes, found %s%" PRIu64
            " bytes: put the file back, or " RKV_REPLACE_MEMBER,
            s->disk.path, name, group->base.id, snapshot->index, snapshot->len,
            there ? "" : "no file and ", len);
    return RKV_OK;
}

int rkv_sqlite_check_snapshots(struct rkv_sqlite *s,
                               struct rkv_sqlite_group *group)
{
    char name[NAME_BYTES];
    bool there;
    int rc = RKV_OK;

    if (group->current.slot >= RKV_SLOTS || group->previous.slot >= RKV_SLOTS)
        return rkv_trouble_say(&s->trouble, RKV_ECORRUPT,
                               "%s: table groups, row %" PRIu64
                               ": expected snapshot slots below %d, found "
                               "%" PRIu32 " and %" PRIu32
                               ": " RKV_REPLACE_MEMBER,
                               s->path, group->base.id, RKV_SLOTS,
                               group->current.slot, group->previous.slot);
    if (group->current.index != 0)
        rc = check_one(s, group, &group->current);
    if (rc != RKV_OK)
        return rc;
    /* The previous one is a courtesy to slow readers. */
    if (group->previous.index != 0 &&
        check_one(s, group, &group->previous) != RKV_OK) {
        memset(&group->previous, 0, sizeof group->previous);
        s->trouble.text[0] = 0;
    }
    name_of(group, free_slot(group), name);
    rc = rkv_disk_exists(&s->disk, name, &there);
    return rc == RKV_OK && there ? rkv_disk_remove(&s->disk, name) : rc;
}

bool rkv_sqlite_finished(void *ctx, struct rkv_group *base, uint64_t index,
                         uint64_t len)
{
    const struct rkv_sqlite_group *group = rkv_sqlite_group(base);

    (void)ctx;
    return group->coming_finished && group->coming.index == index &&
           group->coming.len == len;
}

void rkv_sqlite_swap_snapshots(struct rkv_sqlite_group *group)
{
    assert(group->coming_finished);
    group->previous = group->current;
    group->current = group->coming;
    group->swapped = true;
    rkv_sqlite_discard_snapshot(group);
}

static bool is_reading(const struct rkv_sqlite *s,
                       const struct rkv_sqlite_group *group, uint32_t slot)
{
    return s->reading_file.disk != NULL && s->reading_group == group->base.id &&
           s->reading_slot == slot;
}

void rkv_sqlite_sweep_snapshots(struct rkv_sqlite *s,
                                struct rkv_sqlite_group *group)
{
    char name[NAME_BYTES];
    uint32_t slot = free_slot(group);

    if (!group->swapped)
        return;
    group->swapped = false;
    if (is_reading(s, group, slot))
        rkv_file_close(&s->reading_file);
    name_of(group, slot, name);
    /* A file that stays takes room and does no other harm. */
    if (rkv_disk_remove(&s->disk, name) != RKV_OK)
        s->trouble.text[0] = 0;
}

int rkv_sqlite_snap_begin(void *ctx, uint64_t id, uint64_t index)
{
    struct rkv_sqlite *s = ctx;
    struct rkv_group *base = rkv_ledger_make(&s->ledger, id);
    char name[NAME_BYTES];

    if (base == NULL)
        return rkv_trouble_say(&s->trouble, RKV_ENOMEM,
                               "no memory for a group");
    struct rkv_sqlite_group *group = rkv_sqlite_group(base);
    rkv_sqlite_discard_snapshot(group);
    if (index <= base->now.state.snapshot_index)
        return rkv_trouble_say(&s->trouble, RKV_EINVAL,
                               "group %" PRIu64 ": a snapshot at %" PRIu64
                               " cannot follow the current one at %" PRIu64,
                               id, index, base->now.state.snapshot_index);
    uint32_t slot = free_slot(group);
    name_of(group, slot, name);
    int rc = rkv_file_open(&group->coming_file, &s->disk, name, RKV_FILE_MADE);
    if (rc == RKV_OK)
        rc = rkv_file_cut(&group->coming_file, 0);
    if (rc != RKV_OK) {
        rkv_sqlite_discard_snapshot(group);
        s->failed = true;
        return rc;
    }
    group->coming.index = index;
    group->coming.slot = slot;
    return RKV_OK;
}

/* The group whose snapshot is being written, or NULL and the reason. */
static struct rkv_sqlite_group *find_coming(struct rkv_sqlite *s, uint64_t id)
{
    struct rkv_group *base = rkv_ledger_find(&s->ledger, id);

    if (base != NULL && rkv_sqlite_group(base)->coming.index != 0 &&
        !rkv_sqlite_group(base)->coming_finished)
        return rkv_sqlite_group(base);
    (void)rkv_trouble_say(&s->trouble, RKV_ESTATE,
                          "group %" PRIu64 ": no snapshot was begun", id);
    return NULL;
}

int rkv_sqlite_snap_write(void *ctx, uint64_t id, uint64_t offset,
                          const void *data, size_t len)
{
    struct rkv_sqlite *s = ctx;
    struct rkv_sqlite_group *group = find_coming(s, id);

    if (group == NULL)
        return RKV_ESTATE;
    if (offset != group->coming.len || len > (uint64_t)INT64_MAX - offset)
        return rkv_trouble_say(&s->trouble, RKV_EINVAL,
                               "group %" PRIu64 ": snapshot bytes at %" PRIu64
                               ", where %" PRIu64 " come next",
                               id, offset, group->coming.len);
    int rc = rkv_file_write(&group->coming_file, offset, data, len);
    if (rc == RKV_OK)
        group->coming.len += len;
    else
        s->failed = true;
    return rc;
}

int rkv_sqlite_snap_finish(void *ctx, uint64_t id, uint64_t len)
{
    struct rkv_sqlite *s = ctx;
    struct rkv_sqlite_group *group = find_coming(s, id);

    if (group == NULL)
        return RKV_ESTATE;
    if (len != group->coming.len)
        return rkv_trouble_say(&s->trouble, RKV_EINVAL,
                               "group %" PRIu64 ": a snapshot of %" PRIu64
                               " bytes ends after %" PRIu64,
                               id, len, group->coming.len);
    int rc = rkv_file_sync(&group->coming_file);
    if (rc == RKV_OK)
        rc = rkv_disk_sync(&s->disk);
    if (rc != RKV_OK) {
        s->failed = true;
        return rc;
    }
    rkv_file_close(&group->coming_file);
    group->coming_finished = true;
    return RKV_OK;
}

static int open_for_reading(struct rkv_sqlite *s,
                            struct rkv_sqlite_group *group, uint32_t slot)
{
    char name[NAME_BYTES];

    if (is_reading(s, group, slot))
        return RKV_OK;
    rkv_file_close(&s->reading_file);
    s->reading_group = group->base.id;
    s->reading_slot = slot;
    name_of(group, slot, name);
    return rkv_file_open(&s->reading_file, &s->disk, name, RKV_FILE_EXISTING);
}

int rkv_sqlite_snap_read(void *ctx, uint64_t id, uint64_t index,
                         uint64_t offset, void *buf, size_t cap, size_t *len)
{
    struct rkv_sqlite *s = ctx;
    struct rkv_group *base = rkv_ledger_find(&s->ledger, id);
    const struct rkv_snap_file *snapshot = NULL;

    if (base != NULL && rkv_sqlite_group(base)->current.index == index)
        snapshot = &rkv_sqlite_group(base)->current;
    else if (base != NULL && rkv_sqlite_group(base)->previous.index == index)
        snapshot = &rkv_sqlite_group(base)->previous;
    if (snapshot == NULL || index == 0)
        return rkv_trouble_say(&s->trouble, RKV_ENOTFOUND,
                               "group %" PRIu64 ": no snapshot at %" PRIu64, id,
                               index);
    struct rkv_sqlite_group *group = rkv_sqlite_group(base);
    uint64_t left = offset < snapshot->len ? snapshot->len - offset : 0;
    size_t taken = left < cap ? (size_t)left : cap;
    int rc = taken == 0 ? RKV_OK : open_for_reading(s, group, snapshot->slot);
    if (rc == RKV_OK)
        rc = rkv_file_read(&s->reading_file, offset, buf, taken);
    if (rc != RKV_OK)
        return rc;
    *len = taken;
    return RKV_OK;
}
