/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A store of your own, on trial: changes are played on the library's memory
 * store, which knows the rules, and appended to a file; opening plays it back.
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <raftkv/raftkv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
enum { START = 1, WRITE, BEGIN, BYTES, FINISH };
struct journal {
    int fd;
    rkv_store *ram;
    struct rkv_store_identity identity;
    uint8_t chain[32]; /* of the last record: one that is torn breaks it */
};

/* Writes, their entries, payloads, configurations: all but the pointers. */
static int play_writes(struct journal *j, void *bytes, uint64_t count)
{
    struct rkv_store_write *w = bytes;
    struct rkv_entry *e = (void *)(w + count);
    uint64_t entries = 0;
    for (uint64_t i = 0; i < count; entries += w[i++].count)
        w[i].entries = e + entries;
    const uint8_t *at = (const uint8_t *)(e + entries);
    for (uint64_t k = 0; k < entries; at += e[k++].len)
        e[k].data = at;
    for (uint64_t i = 0; i < count; at += w[i++].config_len)
        w[i].config = at;
    return rkv_store_write(j->ram, w, (uint32_t)count);
}

static int play(struct journal *j, const struct rkv_entry *r)
{
    switch (r->kind) {
    case START:
        j->identity.size = sizeof j->identity;
        return rkv_store_start(j->ram, &j->identity);
    case WRITE:
        return play_writes(j, (void *)(uintptr_t)r->data, r->index);
    case BEGIN:
        return rkv_store_snap_begin(j->ram, r->term, r->index);
    case BYTES:
        return rkv_store_snap_write(j->ram, r->term, r->index, r->data, r->len);
    default:
        return rkv_store_snap_finish(j->ram, r->term, r->index);
    }
}

/* Played first, as that may refuse it.  A record is chained like an entry. */
static int record(struct journal *j, uint32_t kind, uint64_t group, uint64_t n,
                  const void *bytes, size_t len)
{
    struct rkv_entry r = {n, group, bytes, (uint32_t)len, kind, {0}};
    int rc = len > UINT32_MAX ? RKV_ETOOBIG : play(j, &r);
    if (rc != RKV_OK)
        return rc;
    rkv_entry_chain(&r, j->chain);
    memcpy(j->chain, r.chain, sizeof j->chain);
    /* RKV_EIO is a fail-stop code: the handle is dead then. */
    return write(j->fd, &r, sizeof r) == (ssize_t)sizeof r &&
                   write(j->fd, bytes, len) == (ssize_t)len && fsync(j->fd) == 0
               ? RKV_OK
               : RKV_EIO;
}

static int on_start(void *ctx, struct rkv_store_identity *out)
{
    int rc = record(ctx, START, 0, 0, "", 0);
    *out = ((struct journal *)ctx)->identity;
    return rc;
}

static int on_write(void *ctx, const struct rkv_store_write *w, uint32_t count)
{
    char *bytes = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&bytes, &len);
    if (to == NULL)
        return RKV_ENOMEM;
    fwrite(w, sizeof *w, count, to);
    for (uint32_t i = 0; i < count; i++)
        for (uint64_t k = 0; k < w[i].count; k++)
            fwrite(&w[i].entries[k], sizeof *w->entries, 1, to);
    for (uint32_t i = 0; i < count; i++)
        for (uint64_t k = 0; k < w[i].count; k++)
            if (w[i].entries[k].len > 0)
                fwrite(w[i].entries[k].data, 1, w[i].entries[k].len, to);
    for (uint32_t i = 0; i < count; i++)
        fwrite(w[i].config_len ? w[i].config : "", 1, w[i].config_len, to);
    int rc = fclose(to) ? RKV_ENOMEM : record(ctx, WRITE, 0, count, bytes, len);
    free(bytes);
    return rc;
}

static int on_begin(void *ctx, uint64_t group, uint64_t index)
{
    return record(ctx, BEGIN, group, index, "", 0);
}

static int on_bytes(void *ctx, uint64_t group, uint64_t offset,
                    const void *data, size_t len)
{
    return record(ctx, BYTES, group, offset, data, len);
}

static int on_finish(void *ctx, uint64_t group, uint64_t len)
{
    return record(ctx, FINISH, group, len, "", 0);
}

/* What only looks goes straight to the memory. */
static int on_state(void *ctx, uint64_t group, struct rkv_store_state *out)
{
    return rkv_store_state(((struct journal *)ctx)->ram, group, out);
}

static int on_read(void *ctx, uint64_t group, uint64_t first, uint32_t count,
                   uint64_t bytes, const struct rkv_entry **out, uint32_t *n)
{
    return rkv_store_read(((struct journal *)ctx)->ram, group, first, count,
                          bytes, out, n);
}

static int on_look(void *ctx, uint64_t group, uint64_t index, uint64_t offset,
                   void *buf, size_t cap, size_t *len)
{
    return rkv_store_snap_read(((struct journal *)ctx)->ram, group, index,
                               offset, buf, cap, len);
}

static void on_close(void *ctx)
{
    rkv_store_close(((struct journal *)ctx)->ram);
    (void)close(((struct journal *)ctx)->fd);
    free(ctx);
}

/* Plays back what is whole; a torn end was never acknowledged. */
static int play_back(struct journal *j)
{
    struct rkv_entry r, again;
    off_t good = 0;
    int rc = RKV_OK, is_whole = 1;
    while (rc == RKV_OK && is_whole && read(j->fd, &r, sizeof r) == sizeof r) {
        void *bytes = calloc(1, (size_t)r.len + 1);
        again = r;
        again.data = bytes;
        if (bytes == NULL)
            return RKV_ENOMEM;
        is_whole = read(j->fd, bytes, r.len) == (ssize_t)r.len;
        rkv_entry_chain(&again, j->chain);
        is_whole = is_whole && memcmp(again.chain, r.chain, 32) == 0;
        if (is_whole && (rc = play(j, &again)) == RKV_OK) {
            memcpy(j->chain, r.chain, sizeof j->chain);
            good += (off_t)(sizeof r + r.len);
        }
        free(bytes);
    }
    return rc != RKV_OK || lseek(j->fd, good, SEEK_SET) == good ? rc : RKV_EIO;
}

static int open_journal(void *path, rkv_store **store)
{
    static const struct rkv_store_methods methods = {
        sizeof methods, 0,        on_close, on_start,  on_state, on_write,
        on_read,        on_begin, on_bytes, on_finish, on_look,  NULL};
    struct journal *j = calloc(1, sizeof *j);
    rkv_store_close(*store);
    *store = NULL;
    if (!j)
        return RKV_ENOMEM;
    j->fd = open(path, O_RDWR | O_CREAT, 0600);
    int d = open(".", O_RDONLY); /* a new name is to be durable, too */
    int rc = j->fd < 0 || fsync(d) ? RKV_EIO : rkv_store_memory(NULL, &j->ram);
    (void)close(d);
    if (rc == RKV_OK && (rc = play_back(j)) == RKV_OK)
        rc = rkv_store_custom(&methods, j, NULL, store);
    if (rc != RKV_OK)
        on_close(j);
    return rc;
}

int main(void)
{
    static char path[] = "4-store.journal", report[8192];
    rkv_store *store = NULL;
    (void)unlink(path);
    int rc = open_journal(path, &store);
    if (rc == RKV_OK)
        rc = rkv_store_check(&store, open_journal, path, 1, report, 8192);
    printf("%s%s: %s\n", report, path, rkv_strerror(rc));
    rkv_store_close(store);
    return rc == RKV_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
