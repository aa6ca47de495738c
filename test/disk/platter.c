/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Files in two images, and what is left of them after a crash.  A cut is a
 * fact of its own: until it is durable the file has its old bytes and length,
 * whatever was written behind the cut since, as with any file system that
 * keeps a journal of such things.
 */
#include "platter.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_BITS = 64 };

/* ---- faults ---- */

static int fail(struct platter *p, int result, int reason)
{
    p->reason = reason;
    return result;
}

/* SQLITE_OK, or what this operation is to fail with. */
static int strike(struct platter *p, enum platter_op op)
{
    static const int results[OPS_COUNT] = {
        SQLITE_IOERR_READ, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC,
        SQLITE_CANTOPEN, SQLITE_IOERR_DELETE};

    p->ops++;
    if (op != OP_READ && op != OP_OPEN && p->power >= 0 && p->power-- == 0)
        p->off = true;
    if (p->off)
        return fail(p, results[op], EIO);
    if (!fuse_blows(&p->faults[op]))
        return SQLITE_OK;
    p->struck++;
    return fail(p, results[op], EIO);
}

void platter_fail(struct platter *p, enum platter_op op, uint64_t after,
                  bool for_ever)
{
    p->faults[op] = (struct fuse){(int64_t)after, for_ever};
}

void platter_cut_power(struct platter *p, uint64_t after)
{
    p->power = (int64_t)after;
}

void platter_fill(struct platter *p, uint64_t room)
{
    p->capacity = platter_used(p) + room + 1;
}

void platter_heal(struct platter *p)
{
    for (int op = 0; op < OPS_COUNT; op++)
        p->faults[op].left = -1;
    p->power = -1;
    p->capacity = 0;
    p->misdirects = false;
}

/* ---- a disk ---- */

void platter_init(struct platter *p, const char *vfs_name, struct dice dice)
{
    memset(p, 0, sizeof *p);
    p->dice = dice;
    p->traits.sector = SECTOR_BYTES;
    p->traits.shares_memory = true;
    (void)strncpy(p->vfs_name, vfs_name, sizeof p->vfs_name - 1);
    platter_heal(p);
}

void platter_draw_traits(struct platter *p)
{
    struct dice *dice = &p->dice;
    struct platter_traits *traits = &p->traits;

    traits->strict_names = dice_below(dice, 2) == 0;
    traits->tears_around = dice_below(dice, 3) == 0;
    traits->shares_memory = dice_below(dice, 3) != 0;
    traits->full_late = dice_below(dice, 3) == 0;
    traits->keeps_cache = dice_below(dice, 2) == 0;
    traits->sync_failure = (enum sync_failure)dice_below(dice, SYNC_FAILURES);
    traits->sector = dice_below(dice, 2) == 0 ? SECTOR_BYTES : 4096;
}

static void free_file(struct platter_file *file)
{
    for (int i = 0; i < SHARED_REGIONS; i++)
        free(file->shared[i]);
    free(file->now);
    free(file->kept);
    free(file->dirty);
    free(file);
}

/* Files that nothing refers to any more leave. */
static void sweep(struct platter *p)
{
    struct platter_file **at = &p->files;

    while (*at != NULL) {
        struct platter_file *file = *at;

        if (file->named || file->anchored || file->handles > 0) {
            at = &file->next;
            continue;
        }
        *at = file->next;
        free_file(file);
    }
}

void platter_free(struct platter *p)
{
    while (p->files != NULL) {
        struct platter_file *file = p->files;

        p->files = file->next;
        free_file(file);
    }
}

uint64_t platter_used(const struct platter *p)
{
    uint64_t used = 0;

    for (const struct platter_file *f = p->files; f != NULL; f = f->next)
        used += f->now_len;
    return used;
}

/* ---- names ---- */

struct platter_file *platter_find(const struct platter *p, const char *name)
{
    for (struct platter_file *f = p->files; f != NULL; f = f->next)
        if (f->named && strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

static struct platter_file *make_file(struct platter *p, const char *name)
{
    struct platter_file *file = calloc(1, sizeof *file);

    if (file == NULL)
        abort();
    assert(strlen(name) < sizeof file->name);
    (void)strcpy(file->name, name);
    file->named = name[0] != '\0';
    file->cut = UINT64_MAX;
    file->next = p->files;
    p->files = file;
    return file;
}

int platter_open(struct platter *p, const char *name, bool create,
                 struct platter_file **out)
{
    struct platter_file *file;
    int rc = strike(p, OP_OPEN);

    if (rc != SQLITE_OK)
        return rc;
    file = name[0] == '\0' ? NULL : platter_find(p, name);
    if (file == NULL && !create)
        return fail(p, SQLITE_CANTOPEN, ENOENT);
    if (file == NULL)
        file = make_file(p, name);
    file->handles++;
    *out = file;
    return SQLITE_OK;
}

void platter_close(struct platter *p, struct platter_file *file)
{
    assert(file->handles > 0);
    if (--file->handles == 0)
        sweep(p);
}

int platter_remove(struct platter *p, const char *name)
{
    struct platter_file *file = platter_find(p, name);
    int rc = strike(p, OP_REMOVE);

    if (rc != SQLITE_OK)
        return rc;
    if (file == NULL)
        return fail(p, SQLITE_IOERR_DELETE_NOENT, ENOENT);
    file->named = false;
    sweep(p);
    return SQLITE_OK;
}

void platter_sync_names(struct platter *p)
{
    for (struct platter_file *f = p->files; f != NULL; f = f->next)
        f->anchored = f->named;
    sweep(p);
}

/* ---- bytes ---- */

static void *grown(void *old, uint64_t from, uint64_t to)
{
    char *bytes = realloc(old, to);

    if (bytes == NULL)
        abort();
    memset(bytes + from, 0, to - from);
    return bytes;
}

static void reserve(struct platter_file *file, uint64_t len)
{
    uint64_t cap = file->cap != 0 ? file->cap : WORD_BITS * SECTOR_BYTES;

    while (cap < len)
        cap *= 2;
    if (cap == file->cap)
        return;
    file->now = grown(file->now, file->cap, cap);
    file->kept = grown(file->kept, file->cap, cap);
    file->dirty = grown(file->dirty, file->cap / SECTOR_BYTES / 8,
                        cap / SECTOR_BYTES / 8);
    file->cap = cap;
}

static void make_dirty(struct platter_file *file, uint64_t offset, uint64_t len)
{
    uint64_t first = offset / SECTOR_BYTES;
    uint64_t last = (offset + len - 1) / SECTOR_BYTES;

    for (uint64_t s = first; s <= last; s++)
        file->dirty[s / WORD_BITS] |= UINT64_C(1) << s % WORD_BITS;
    if (file->dirty_from == file->dirty_to)
        file->dirty_from = file->dirty_to = first / WORD_BITS;
    if (file->dirty_from > first / WORD_BITS)
        file->dirty_from = first / WORD_BITS;
    if (file->dirty_to < last / WORD_BITS + 1)
        file->dirty_to = last / WORD_BITS + 1;
}

/* The first dirty sector, which is clean then; false: there is none. */
static bool take_dirty(struct platter_file *file, uint64_t *sector)
{
    while (file->dirty_from < file->dirty_to) {
        uint64_t *word = &file->dirty[file->dirty_from];

        if (*word == 0) {
            file->dirty_from++;
            continue;
        }
        *sector =
            file->dirty_from * WORD_BITS + (uint64_t)__builtin_ctzll(*word);
        *word &= *word - 1;
        return true;
    }
    return false;
}

int platter_read(struct platter *p, struct platter_file *file, void *buf,
                 uint64_t len, uint64_t offset)
{
    uint64_t there = offset < file->now_len ? file->now_len - offset : 0;
    uint64_t lost = (file->unreadable - 1) * SECTOR_BYTES;
    int rc = strike(p, OP_READ);

    if (rc != SQLITE_OK)
        return rc;
    if (there > len)
        there = len;
    if (file->unreadable != 0 && offset < lost + SECTOR_BYTES &&
        offset + there > lost)
        return fail(p, SQLITE_IOERR_READ, EIO);
    if (there > 0)
        memcpy(buf, file->now + offset, there);
    if (there == len)
        return SQLITE_OK;
    memset((uint8_t *)buf + there, 0, len - there);
    return fail(p, SQLITE_IOERR_SHORT_READ, 0);
}

static void put(struct platter_file *file, const void *data, uint64_t len,
                uint64_t offset)
{
    if (len == 0)
        return;
    reserve(file, offset + len);
    memcpy(file->now + offset, data, len);
    make_dirty(file, offset, len);
    if (file->now_len < offset + len)
        file->now_len = offset + len;
    if (file->unreadable != 0 &&
        offset <= (file->unreadable - 1) * SECTOR_BYTES &&
        offset + len >= file->unreadable * SECTOR_BYTES)
        file->unreadable = 0; /* the disk has others to put in its place */
}

static bool is_database(const struct platter_file *file)
{
    return strstr(file->name, ".db") != NULL;
}

/* Elsewhere in the file, as far from its place as fits. */
static uint64_t misdirected(struct platter *p, const struct platter_file *file,
                            uint64_t len, uint64_t offset)
{
    uint64_t places = file->now_len / len;

    p->misdirects = false;
    p->struck++;
    return places < 2 ? offset + len
                      : offset % len + dice_below(&p->dice, places) * len;
}

int platter_write(struct platter *p, struct platter_file *file,
                  const void *data, uint64_t len, uint64_t offset)
{
    bool was_off = p->off;
    int rc = strike(p, OP_WRITE);
    uint64_t more =
        offset + len > file->now_len ? offset + len - file->now_len : 0;

    if (rc == SQLITE_OK && more > 0 && p->capacity != 0 &&
        !p->traits.full_late && platter_used(p) + more > p->capacity) {
        p->struck++;
        rc = fail(p, SQLITE_FULL, ENOSPC);
    }
    if (rc == SQLITE_OK && p->misdirects && is_database(file))
        offset = misdirected(p, file, len, offset);
    if (rc == SQLITE_OK)
        put(file, data, len, offset);
    else if (!was_off) /* it had begun */
        put(file, data, dice_below(&p->dice, len), offset);
    return rc;
}

int platter_cut(struct platter *p, struct platter_file *file, uint64_t len)
{
    int rc = strike(p, OP_WRITE);

    if (rc != SQLITE_OK || len >= file->now_len)
        return rc;
    memset(file->now + len, 0, file->now_len - len);
    make_dirty(file, len, file->now_len - len);
    file->now_len = len;
    if (len < file->kept_len && len < file->cut)
        file->cut = len;
    return SQLITE_OK;
}

/* ---- syncs ---- */

static void keep_sector(struct platter_file *file, uint64_t sector)
{
    memcpy(file->kept + sector * SECTOR_BYTES,
           file->now + sector * SECTOR_BYTES, SECTOR_BYTES);
}

static void keep_cut(struct platter_file *file)
{
    if (file->cut < file->kept_len) {
        memset(file->kept + file->cut, 0, file->kept_len - file->cut);
        file->kept_len = file->cut;
    }
    file->cut = UINT64_MAX;
}

static void revert(struct platter_file *file)
{
    uint64_t sector;

    while (take_dirty(file, &sector))
        continue;
    if (file->cap > 0)
        memcpy(file->now, file->kept, file->cap);
    file->now_len = file->kept_len;
    file->cut = UINT64_MAX;
}

/* Nobody may try again and find it done. */
static void fail_sync(struct platter *p, struct platter_file *file)
{
    uint64_t sector;

    if (p->traits.sync_failure == SYNC_REVERTS) {
        revert(file);
        return;
    }
    while (take_dirty(file, &sector))
        if (p->traits.sync_failure == SYNC_TELLS_LATE &&
            file->cut >= file->kept_len &&
            (sector + 1) * SECTOR_BYTES <= file->kept_len &&
            dice_below(&p->dice, 2) == 0)
            keep_sector(file, sector);
}

int platter_sync(struct platter *p, struct platter_file *file)
{
    uint64_t sector;
    int rc = strike(p, OP_SYNC);

    if (p->off)
        return rc;
    if (rc == SQLITE_OK && p->capacity != 0 && p->traits.full_late &&
        platter_used(p) > p->capacity) {
        p->struck++;
        rc = fail(p, SQLITE_IOERR_FSYNC, ENOSPC);
    }
    if (rc != SQLITE_OK) {
        fail_sync(p, file);
        return rc;
    }
    p->syncs++;
    keep_cut(file);
    while (take_dirty(file, &sector))
        keep_sector(file, sector);
    file->kept_len = file->now_len;
    if (!p->traits.strict_names && file->named)
        file->anchored = true;
    return SQLITE_OK;
}

/* ---- the end of a process, or of the power ---- */

void platter_kill(struct platter *p)
{
    p->power = -1;
    p->off = false;
    for (struct platter_file *f = p->files; f != NULL; f = f->next) {
        assert(f->handles == 0);
        f->readers = 0;
        f->reserved = f->pending = NULL;
        memset(f->shared_readers, 0, sizeof f->shared_readers);
        memset(f->shared_writer, 0, sizeof f->shared_writer);
        for (int i = 0; i < SHARED_REGIONS; i++) {
            free(f->shared[i]);
            f->shared[i] = NULL;
        }
    }
    sweep(p);
}

/* Bytes from anywhere: of what was being written, or of all around it. */
static void garble(struct platter *p, struct platter_file *file,
                   uint64_t sector)
{
    uint64_t block = p->traits.tears_around ? p->traits.sector : SECTOR_BYTES;
    uint64_t from = sector * SECTOR_BYTES / block * block;

    for (uint64_t i = from; i < from + block && i < file->kept_len; i++)
        if (p->traits.tears_around || file->now[i] != file->kept[i])
            file->kept[i] = (uint8_t)dice_next(&p->dice);
}

/* What became of one sector that was not synced: it is the old one, the new
 * one, torn, or garbage. */
static void land(struct platter *p, struct platter_file *file, uint64_t sector,
                 uint32_t keep)
{
    uint64_t at = sector * SECTOR_BYTES;
    uint64_t torn = dice_below(&p->dice, SECTOR_BYTES);

    if (!dice_permille(&p->dice, keep))
        return;
    switch (dice_below(&p->dice, 16)) {
    case 0:
        memcpy(file->kept + at, file->now + at, torn);
        break;
    case 1:
        memcpy(file->kept + at + torn, file->now + at + torn,
               SECTOR_BYTES - torn);
        break;
    case 2:
        garble(p, file, sector);
        break;
    default:
        keep_sector(file, sector);
    }
}

static uint64_t settled_len(struct platter *p, const struct platter_file *file,
                            uint32_t keep)
{
    if (file->now_len <= file->kept_len || !dice_permille(&p->dice, keep))
        return file->kept_len;
    if (dice_below(&p->dice, 3) != 0)
        return file->now_len;
    return file->kept_len +
           dice_below(&p->dice, file->now_len - file->kept_len);
}

static void settle(struct platter *p, struct platter_file *file, uint32_t keep)
{
    uint64_t end, sector;

    if (file->cut < file->kept_len && dice_permille(&p->dice, keep))
        keep_cut(file);
    if (file->cut < file->kept_len) {
        end = file->cut;
    } else {
        uint64_t len = settled_len(p, file, keep);

        /* What no sector brings is zeros. */
        file->kept_len = len;
        end = len;
    }
    while (take_dirty(file, &sector))
        if (sector * SECTOR_BYTES < end &&
            (end == file->kept_len || (sector + 1) * SECTOR_BYTES <= end))
            land(p, file, sector, keep);
    if (file->cap > file->kept_len)
        memset(file->kept + file->kept_len, 0, file->cap - file->kept_len);
    revert(file);
}

static bool is_replaced(const struct platter *p, const struct platter_file *old)
{
    const struct platter_file *new = platter_find(p, old->name);

    return new != NULL &&new != old;
}

static void settle_names(struct platter *p, uint32_t keep)
{
    for (struct platter_file *f = p->files; f != NULL; f = f->next)
        if (f->named && !f->anchored && !dice_permille(&p->dice, keep))
            f->named = false;
    /* A removal that was not synced may not have been. */
    for (struct platter_file *f = p->files; f != NULL; f = f->next)
        if (!f->named && f->anchored)
            f->named = !is_replaced(p, f) && !dice_permille(&p->dice, keep);
    platter_sync_names(p);
}

void platter_crash(struct platter *p)
{
    static const uint32_t chances[] = {0, 200, 500, 800, 1000};
    uint32_t keep = chances[dice_below(&p->dice, 5)];

    platter_kill(p);
    settle_names(p, keep);
    for (struct platter_file *f = p->files; f != NULL; f = f->next)
        settle(p, f, keep);
}
