/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/lives.c - a short list, and its text.
 */
#include "lives.h"

#include <stdio.h>

#include "../common/hash.h"

enum { ERROR_BYTES = 128 };

static const char title[] = "raftkvd peers 1\n";

static size_t place_of(const struct lives *lives, uint64_t id)
{
    size_t at = 0;

    while (at < lives->count && lives->list[at].id != id)
        at++;
    return at;
}

struct life lives_of(const struct lives *lives, uint64_t id)
{
    size_t at = place_of(lives, id);

    return at < lives->count ? lives->list[at] : (struct life){.id = id};
}

bool lives_forget(struct lives *lives, uint64_t id)
{
    size_t at = place_of(lives, id);

    if (at == lives->count)
        return false;
    lives->count--;
    memmove(&lives->list[at], &lives->list[at + 1],
            (lives->count - at) * sizeof *lives->list);
    return true;
}

bool lives_meet(struct lives *lives, const struct life *life)
{
    struct life known = lives_of(lives, life->id);
    bool news =
        known.boot != life->boot ||
        memcmp(known.incarnation, life->incarnation, INCARNATION_BYTES) != 0;

    if (!lives_forget(lives, life->id) && lives->count == RKV_MEMBERS_MAX)
        lives_forget(lives, lives->list[0].id);
    lives->list[lives->count++] = *life;
    return news;
}

enum life_verdict life_judge(const struct life *known, const struct life *said)
{
    if (known->boot == 0)
        return LIFE_FITS;
    if (memcmp(known->incarnation, said->incarnation, INCARNATION_BYTES) != 0)
        return LIFE_WIPED;
    return said->boot < known->boot ? LIFE_OLDER : LIFE_FITS;
}

/* ---- as text ---- */

void incarnation_text(const uint8_t incarnation[INCARNATION_BYTES],
                      char out[INCARNATION_TEXT])
{
    for (size_t i = 0; i < INCARNATION_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", incarnation[i]);
}

static bool incarnation_read(const char *text, uint8_t out[INCARNATION_BYTES])
{
    for (size_t i = 0; i < INCARNATION_BYTES; i++) {
        unsigned byte;

        if (sscanf(text + 2 * i, "%2x", &byte) != 1)
            return false;
        out[i] = (uint8_t)byte;
    }
    return true;
}

void lives_write(const struct lives *lives, uint64_t cluster,
                 struct buffer *out)
{
    size_t from = out->len;
    char incarnation[INCARNATION_TEXT];

    buffer_printf(out, "%scluster %llx\n", title, (unsigned long long)cluster);
    for (size_t i = 0; i < lives->count; i++) {
        const struct life *life = &lives->list[i];

        incarnation_text(life->incarnation, incarnation);
        buffer_printf(out, "%llx %llu %s\n", (unsigned long long)life->id,
                      (unsigned long long)life->boot, incarnation);
    }
    if (out->failed)
        return;
    uint64_t sum = hash_bytes(HASH_START, out->at + from, out->len - from);
    buffer_printf(out, "sum %016llx\n", (unsigned long long)hash_end(sum));
}

/* Reads what looks like lives; whether they are is for the sum to say. */
static void read_lines(struct lives *lives, const char *text)
{
    unsigned long long id, boot;
    char incarnation[INCARNATION_TEXT];
    int len = 0;

    for (size_t lines = 0; lines < RKV_MEMBERS_MAX; lines++, text += len) {
        struct life life;

        if (sscanf(text, "%16llx %20llu %32[0-9a-f]%n", &id, &boot, incarnation,
                   &len) != 3 ||
            strlen(incarnation) != INCARNATION_TEXT - 1 || text[len] != '\n' ||
            !incarnation_read(incarnation, life.incarnation))
            return;
        len++;
        life.id = id;
        life.boot = boot;
        lives_meet(lives, &life);
    }
}

/* A text is sound if what was read from it gives that very text again, sum and
 * all. */
static bool is_sound(struct lives *lives, const char *text, size_t len,
                     uint64_t *cluster)
{
    struct buffer again = {0};
    unsigned long long found;
    int at = 0;

    if (len >= LIVES_TEXT_MAX || strncmp(text, title, sizeof title - 1) != 0 ||
        sscanf(text + sizeof title - 1, "cluster %16llx%n", &found, &at) != 1)
        return false;
    text += sizeof title - 1 + (size_t)at;
    if (*text != '\n')
        return false;
    *cluster = found;
    read_lines(lives, text + 1);
    text -= sizeof title - 1 + (size_t)at;
    lives_write(lives, *cluster, &again);
    bool same =
        !again.failed && again.len == len && memcmp(again.at, text, len) == 0;
    buffer_free(&again);
    return same;
}

int lives_read(struct lives *lives, uint64_t cluster, const char *text,
               size_t len, char *error)
{
    uint64_t found = cluster;

    lives->count = 0;
    if (!is_sound(lives, text, len, &found))
        snprintf(error, ERROR_BYTES,
                 "expected \"raftkvd peers 1\", a list and its sum, found "
                 "%zu bytes that are none",
                 len);
    else if (found != cluster)
        snprintf(error, ERROR_BYTES, "expected cluster %llx, found %llx",
                 (unsigned long long)cluster, (unsigned long long)found);
    else
        return 0;
    lives->count = 0;
    return -1;
}
