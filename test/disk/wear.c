/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What happens to a disk while nobody writes: bits flip, sectors cannot be
 * read any more, and somebody puts back an older copy of some files.
 */
#include <stdlib.h>
#include <string.h>

#include "platter.h"

static bool ends_with(const char *name, const char *ending)
{
    size_t len = strlen(name), tail = strlen(ending);

    return len >= tail && strcmp(name + len - tail, ending) == 0;
}

static struct platter_file *find_ending(const struct platter *p,
                                        const char *ending)
{
    for (struct platter_file *f = p->files; f != NULL; f = f->next)
        if (f->named && f->kept_len > 0 && ends_with(f->name, ending))
            return f;
    return NULL;
}

/* Not where only zeros lie, which is the most of a log laid out ahead. */
static uint64_t spot(struct platter *p, const struct platter_file *file)
{
    uint64_t at = 0;

    for (int i = 0; i < 50; i++) {
        at = dice_below(&p->dice, file->kept_len);
        if (file->kept[at] != 0)
            break;
    }
    return at;
}

bool platter_rot(struct platter *p, const char *ending)
{
    struct platter_file *file = find_ending(p, ending);

    if (file == NULL)
        return false;
    for (uint64_t bits = 1 + dice_below(&p->dice, 3); bits > 0; bits--) {
        uint64_t at = spot(p, file);
        uint8_t flip = (uint8_t)(1u << dice_below(&p->dice, 8));

        file->kept[at] ^= flip;
        if (!p->traits.keeps_cache && file->now[at] == (file->kept[at] ^ flip))
            file->now[at] ^= flip;
    }
    return true;
}

bool platter_lose_sector(struct platter *p, const char *ending)
{
    struct platter_file *file = find_ending(p, ending);

    if (file == NULL)
        return false;
    file->unreadable = spot(p, file) / SECTOR_BYTES + 1;
    return true;
}

static struct platter_file *copy_of(const struct platter_file *file)
{
    struct platter_file *copy = calloc(1, sizeof *copy);

    if (copy == NULL)
        abort();
    memcpy(copy->name, file->name, sizeof copy->name);
    copy->kept_len = file->kept_len;
    if (copy->kept_len == 0)
        return copy;
    copy->kept = malloc(copy->kept_len);
    if (copy->kept == NULL)
        abort();
    memcpy(copy->kept, file->kept, copy->kept_len);
    return copy;
}

struct platter_file *platter_copy(const struct platter *p, const char *but)
{
    struct platter_file *copies = NULL;

    for (const struct platter_file *f = p->files; f != NULL; f = f->next) {
        struct platter_file *copy;

        if (!f->named || ends_with(f->name, but))
            continue;
        copy = copy_of(f);
        copy->next = copies;
        copies = copy;
    }
    return copies;
}

void platter_put_back(struct platter *p, struct platter_file *copies,
                      const char *but)
{
    for (struct platter_file *f = p->files; f != NULL; f = f->next)
        if (!ends_with(f->name, but))
            f->named = false;
    platter_sync_names(p);
    for (const struct platter_file *c = copies; c != NULL; c = c->next) {
        struct platter_file *file;

        if (platter_open(p, c->name, true, &file) != SQLITE_OK)
            abort();
        (void)platter_write(p, file, c->kept, c->kept_len, 0);
        (void)platter_sync(p, file);
        platter_close(p, file);
    }
    platter_sync_names(p);
}

void platter_free_copy(struct platter_file *copies)
{
    while (copies != NULL) {
        struct platter_file *next = copies->next;

        free(copies->kept);
        free(copies);
        copies = next;
    }
}
