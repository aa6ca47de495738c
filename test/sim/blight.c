/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What strikes disks.  Operations fail once or for ever, or there is no more
 * room: then a member must halt by name, and come back whole once the disk is
 * sound.  In rotten worlds what a disk holds is spoilt as well: bits flip,
 * sectors are lost, writes land elsewhere, or the database is put back as an
 * older copy.  There a member may be refused, by name, and nobody may be told
 * a lie; but of one machine either the database is spoilt or the promise file:
 * who loses both has no way to know.
 */
#include "world.h"

static const char promise[] = "promise";

static struct disk *draw_disk(struct world *w, struct dice *dice, uint32_t *at)
{
    struct disk *disk;

    *at = (uint32_t)dice_below(dice, w->count);
    disk = &w->machines[*at].disk;
    return disk->on_platter ? disk : NULL;
}

/* ---- what a disk gets over ---- */

static void fail_some(struct world *w, struct dice *dice, enum platter_op op,
                      uint64_t bound)
{
    uint32_t at;
    struct disk *disk = draw_disk(w, dice, &at);
    uint64_t after = dice_below(dice, bound);
    bool for_ever = dice_below(dice, 4) == 0;

    if (disk == NULL)
        return;
    platter_fail(&disk->platter, op, after, for_ever);
    world_note(w, "ail", at, (uint64_t)op);
}

void blight_read(struct world *w, struct dice *dice)
{
    fail_some(w, dice, OP_READ, 30);
}

void blight_write(struct world *w, struct dice *dice)
{
    fail_some(w, dice, OP_WRITE, 60);
}

void blight_sync(struct world *w, struct dice *dice)
{
    fail_some(w, dice, OP_SYNC, 20);
}

void blight_fill(struct world *w, struct dice *dice)
{
    uint32_t at;
    struct disk *disk = draw_disk(w, dice, &at);

    if (disk == NULL)
        return;
    platter_fill(&disk->platter, dice_below(dice, 30000));
    world_note(w, "fill", at, 0);
}

/* ---- what it does not ---- */

static const char *draw_ending(const struct disk *disk, struct dice *dice)
{
    static const char *const endings[] = {"log.db", "log.db-wal", "-0", "-1",
                                          "-2"};

    return disk->spoils_promise ? promise : endings[dice_below(dice, 5)];
}

void blight_rot(struct world *w, struct dice *dice)
{
    uint32_t at;
    struct disk *disk = draw_disk(w, dice, &at);

    if (disk == NULL)
        return;
    disk->damaged |= platter_rot(&disk->platter, draw_ending(disk, dice));
    world_note(w, "rot", at, 0);
}

void blight_sector(struct world *w, struct dice *dice)
{
    uint32_t at;
    struct disk *disk = draw_disk(w, dice, &at);

    if (disk == NULL)
        return;
    disk->damaged |=
        platter_lose_sector(&disk->platter, draw_ending(disk, dice));
    world_note(w, "sector", at, 0);
}

void blight_misdirect(struct world *w, struct dice *dice)
{
    uint32_t at;
    struct disk *disk = draw_disk(w, dice, &at);

    if (disk == NULL || disk->spoils_promise)
        return;
    disk->platter.misdirects = true;
    disk->damaged = true;
    world_note(w, "astray", at, 0);
}

/* The first time somebody makes a copy, the next time he puts it back. */
void blight_older(struct world *w, struct dice *dice)
{
    uint32_t at;
    struct disk *disk = draw_disk(w, dice, &at);
    uint64_t rest = dice_below(dice, w->rest);

    if (disk == NULL || disk->spoils_promise)
        return;
    world_note(w, "older", at, disk->copy != NULL);
    if (disk->copy == NULL) {
        disk->copy = platter_copy(&disk->platter, promise);
        return;
    }
    machine_crash(w, at);
    w->machines[at].wakes = w->now + rest;
    platter_heal(&disk->platter);
    platter_put_back(&disk->platter, disk->copy, promise);
    platter_free_copy(disk->copy);
    disk->copy = NULL;
    disk->damaged = true;
}
