/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A machine's disk.  In memory it is a store that can be lost with all that
 * was acknowledged, but for what a promise file holds: that there was
 * something, how often it was opened, and the highest term in it.  On a
 * platter nothing is put back by hand: a member that comes back comes back
 * through what it finds there.
 */
#include "disk.h"

#include <stdlib.h>
#include <string.h>

enum { WRITES_AT_ONCE = 8 };

/* ---- in memory ---- */

static int disk_start(void *ctx, struct rkv_store_identity *out)
{
    struct disk *disk = ctx;
    int rc = rkv_store_start(disk->memory, out);

    out->boot = ++disk->boots;
    out->promised = disk->promised;
    out->recovering = disk->recovering;
    return rc;
}

static int disk_state(void *ctx, uint64_t group, struct rkv_store_state *out)
{
    struct disk *disk = ctx;
    int rc = rkv_store_state(disk->memory, group, out);

    out->recovering = disk->lost >> group & 1;
    return rc;
}

static int disk_write(void *ctx, const struct rkv_store_write *writes,
                      uint32_t count)
{
    struct disk *disk = ctx;
    struct rkv_store_write ours[WRITES_AT_ONCE];
    int rc;

    if (count > WRITES_AT_ONCE)
        return RKV_EINVAL;
    memcpy(ours, writes, count * sizeof *ours);
    /* The one below never knew that anything was missing. */
    for (uint32_t i = 0; i < count; i++)
        ours[i].flags &= ~(uint32_t)RKV_WRITE_RECOVERED;
    rc = rkv_store_write(disk->memory, ours, count);
    for (uint32_t i = 0; rc == RKV_OK && i < count; i++) {
        if (writes[i].term > disk->promised)
            disk->promised = writes[i].term;
        if (writes[i].flags & RKV_WRITE_RECOVERED)
            disk->lost &= ~(1u << writes[i].group);
    }
    disk->recovering = disk->lost != 0;
    return rc;
}

static int disk_read(void *ctx, uint64_t group, uint64_t first, uint32_t count,
                     uint64_t bytes_max, const struct rkv_entry **out,
                     uint32_t *out_count)
{
    return rkv_store_read(((struct disk *)ctx)->memory, group, first, count,
                          bytes_max, out, out_count);
}

static int disk_begin(void *ctx, uint64_t group, uint64_t index)
{
    return rkv_store_snap_begin(((struct disk *)ctx)->memory, group, index);
}

static int disk_piece(void *ctx, uint64_t group, uint64_t offset,
                      const void *data, size_t len)
{
    return rkv_store_snap_write(((struct disk *)ctx)->memory, group, offset,
                                data, len);
}

static int disk_finish(void *ctx, uint64_t group, uint64_t len)
{
    return rkv_store_snap_finish(((struct disk *)ctx)->memory, group, len);
}

static int disk_snap_read(void *ctx, uint64_t group, uint64_t index,
                          uint64_t offset, void *buf, size_t cap, size_t *len)
{
    return rkv_store_snap_read(((struct disk *)ctx)->memory, group, index,
                               offset, buf, cap, len);
}

/* It goes on, for the next member on this machine. */
static void disk_leave(void *ctx)
{
    (void)ctx;
}

static const char *disk_errmsg(void *ctx)
{
    return rkv_store_errmsg(((struct disk *)ctx)->memory);
}

void disk_make_memory(struct disk *disk, uint32_t groups)
{
    memset(disk, 0, sizeof *disk);
    disk->groups = (1u << groups) - 1;
    if (rkv_store_memory(NULL, &disk->memory) != RKV_OK)
        abort();
}

static int open_memory(struct disk *disk, rkv_store **out)
{
    static const struct rkv_store_methods methods = {.size = sizeof methods,
                                                     .close = disk_leave,
                                                     .start = disk_start,
                                                     .state = disk_state,
                                                     .write = disk_write,
                                                     .read = disk_read,
                                                     .snap_begin = disk_begin,
                                                     .snap_write = disk_piece,
                                                     .snap_finish = disk_finish,
                                                     .snap_read =
                                                         disk_snap_read,
                                                     .errmsg = disk_errmsg};

    return rkv_store_custom(&methods, disk, NULL, out);
}

/* ---- on a platter ---- */

/* Small segments and checkpoints, so that all paths are taken. */
static void draw_options(struct disk *disk)
{
    static const uint32_t checkpoints[] = {4, 20, 100, 1000};
    static const uint32_t segments[] = {3, 20, 200, 16384};
    struct dice *dice = &disk->platter.dice;

    disk->options = (struct rkv_sqlite_options){
        .size = sizeof disk->options,
        .path = "/member",
        .vfs = disk->platter.vfs_name,
        .checkpoint_pages = checkpoints[dice_below(dice, 4)],
        .segment_entries = segments[dice_below(dice, 4)],
        .segment_bytes = 20000};
}

void disk_make_platter(struct disk *disk, const char *name, struct dice dice,
                       bool is_first)
{
    memset(disk, 0, sizeof *disk);
    disk->on_platter = true;
    platter_init(&disk->platter, name, dice);
    platter_draw_traits(&disk->platter);
    platter_mount(&disk->platter, is_first);
    draw_options(disk);
    disk->spoils_promise = dice_below(&disk->platter.dice, 3) == 0;
}

/* ---- both ---- */

int disk_open(struct disk *disk, rkv_store **out)
{
    int rc = disk->on_platter ? rkv_store_sqlite(&disk->options, &disk->open)
                              : open_memory(disk, &disk->open);

    *out = disk->open;
    return rc;
}

/* A process that is killed does nothing more to its disk. */
void disk_close(struct disk *disk, enum disk_end end)
{
    if (disk->on_platter && end != END_ORDERLY)
        disk->platter.off = true;
    rkv_store_close(disk->open);
    disk->open = NULL;
    if (!disk->on_platter)
        return;
    if (end == END_POWER) {
        platter_crash(&disk->platter);
        return;
    }
    platter_kill(&disk->platter);
}

void disk_lose(struct disk *disk)
{
    disk->recovering = true;
    if (disk->on_platter) {
        platter_heal(&disk->platter);
        platter_put_back(&disk->platter, NULL, "promise");
        return;
    }
    disk->lost = disk->groups;
    rkv_store_close(disk->memory);
    if (rkv_store_memory(NULL, &disk->memory) != RKV_OK)
        abort();
}

bool disk_has_power(const struct disk *disk)
{
    return !disk->on_platter || !disk->platter.off;
}

void disk_free(struct disk *disk)
{
    disk_close(disk, END_ORDERLY);
    rkv_store_close(disk->memory);
    if (!disk->on_platter)
        return;
    platter_free_copy(disk->copy);
    platter_unmount(&disk->platter);
    platter_free(&disk->platter);
}
