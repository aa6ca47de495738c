/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The counter: every call to any store passes here.  It checks what can be
 * checked without knowing the store's contents, so that a store of yours need
 * not, and it remembers failure: after a failed write, start or snapshot the
 * handle answers RKV_EFAILED, and still says why.
 *
 *     store.c ──▶ memory.c
 *             ├─▶ sqlite.c ── sqlite_open, sqlite_log, sqlite_snapshot,
 *             │               sqlite_file, promise
 *             └─▶ yours                      check.c tries any of them out
 *     ledger.c    the rules of a write, for the two of the house
 *     tail.c      payloads in memory, on a shelf (shelf.c)
 */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/options.h"
#include "room.h"

struct rkv_store {
    struct rkv_allocator allocator;
    struct rkv_store_methods methods;
    void *ctx;
    int failed;     /* the code of the first failure, or 0 */
    bool own_words; /* trouble is newer than what the store has to say */
    struct rkv_trouble trouble;
    struct rkv_store_write *writes; /* made to today's size */
    size_t writes_cap;
};

static bool is_whole(const struct rkv_store_methods *m)
{
    return m->close != NULL && m->start != NULL && m->state != NULL &&
           m->write != NULL && m->read != NULL && m->snap_begin != NULL &&
           m->snap_write != NULL && m->snap_finish != NULL &&
           m->snap_read != NULL;
}

int rkv_store_custom(const struct rkv_store_methods *methods, void *ctx,
                     const struct rkv_allocator *allocator, rkv_store **out)
{
    struct rkv_store_methods ours;
    struct rkv_allocator chosen = rkv_alloc_choose(allocator);
    int rc = rkv_options(&ours, sizeof ours, methods);

    if (rc != RKV_OK)
        return rc;
    if (ours.flags != 0 || !is_whole(&ours) || out == NULL)
        return RKV_EINVAL;
    rkv_store *store = rkv_alloc_zeroed(&chosen, sizeof *store);
    if (store == NULL)
        return RKV_ENOMEM;
    store->allocator = chosen;
    store->methods = ours;
    store->ctx = ctx;
    *out = store;
    return RKV_OK;
}

rkv_store *rkv_store_broken(const struct rkv_allocator *allocator,
                            const struct rkv_trouble *trouble)
{
    rkv_store *store = rkv_alloc_zeroed(allocator, sizeof *store);

    if (store == NULL)
        return NULL;
    store->allocator = *allocator;
    store->failed = RKV_EFAILED;
    store->own_words = true;
    store->trouble = *trouble;
    return store;
}

void rkv_store_close(rkv_store *store)
{
    struct rkv_allocator allocator;

    if (store == NULL)
        return;
    if (store->methods.close != NULL)
        store->methods.close(store->ctx);
    rkv_release(&store->allocator, store->writes,
                store->writes_cap * sizeof *store->writes);
    allocator = store->allocator;
    rkv_release(&allocator, store, sizeof *store);
}

const char *rkv_store_errmsg(const rkv_store *store)
{
    const char *theirs = NULL;

    if (store == NULL)
        return "";
    if (!store->own_words && store->methods.errmsg != NULL)
        theirs = store->methods.errmsg(store->ctx);
    return theirs != NULL ? theirs : store->trouble.text;
}

static int refuse(rkv_store *store, int code, const char *words)
{
    store->own_words = true;
    return rkv_trouble_say(&store->trouble, code, "%s", words);
}

/* Fail-stop codes end a handle; what lies above them was a refusal. */
static int remember(rkv_store *store, int rc)
{
    store->own_words = false;
    if (rc <= RKV_ENOMEM && store->failed == 0)
        store->failed = rc;
    return rc;
}

int rkv_store_start(rkv_store *store, struct rkv_store_identity *out)
{
    struct rkv_store_identity identity = {.size = sizeof identity};

    if (store == NULL || out == NULL)
        return RKV_EINVAL;
    if (store->failed != 0)
        return RKV_EFAILED;
    int rc = remember(store, store->methods.start(store->ctx, &identity));
    if (rc == RKV_OK)
        rkv_report(out, &identity, sizeof identity);
    return rc;
}

int rkv_store_state(rkv_store *store, uint64_t group,
                    struct rkv_store_state *out)
{
    struct rkv_store_state state = {.size = sizeof state};

    if (store == NULL || out == NULL)
        return RKV_EINVAL;
    if (store->failed != 0)
        return RKV_EFAILED;
    store->own_words = false;
    int rc = store->methods.state(store->ctx, group, &state);
    if (rc == RKV_OK)
        rkv_report(out, &state, sizeof state);
    return rc;
}

bool rkv_entry_is_linked(const struct rkv_entry *entry,
                         const uint8_t previous[32])
{
    struct rkv_entry again = *entry;

    rkv_entry_chain(&again, previous);
    return memcmp(again.chain, entry->chain, sizeof again.chain) == 0;
}

/* Entries follow each other in index, term and chain; how the first joins
 * the log is for the store to say.  Of the chain only the last link is tried
 * here and the first there: whoever computes it wrongly does so at the ends
 * too, and each hash costs as much as the rest of an entry's write.  Who says
 * what the entries follow has computed their chains from it. */
static int check_entries(rkv_store *store, const struct rkv_store_write *write)
{
    const struct rkv_entry *entries = write->entries;
    uint64_t count = write->count;

    if (entries == NULL || count == 0)
        return refuse(store, RKV_EINVAL, "a write of entries has none");
    for (uint64_t i = 0; i < count; i++) {
        const struct rkv_entry *entry = &entries[i];

        if (entry->index != entries[0].index + i || entry->index == 0)
            return refuse(store, RKV_EINVAL,
                          "the indexes of the entries do not follow each "
                          "other from 1 on");
        if (entry->kind < RKV_ENTRY_COMMAND || entry->kind > RKV_ENTRY_NOOP)
            return refuse(store, RKV_EINVAL,
                          "an entry is no command, configuration or no-op");
        if (entry->data == NULL && entry->len != 0)
            return refuse(store, RKV_EINVAL, "an entry's payload is missing");
        if (i != 0 && entry->term < entries[i - 1].term)
            return refuse(store, RKV_EINVAL, "the terms of entries fall");
    }
    if (count > 1 && write->follows == NULL &&
        !rkv_entry_is_linked(&entries[count - 1], entries[count - 2].chain))
        return refuse(store, RKV_EINVAL,
                      "the chain of an entry does not follow from the entry "
                      "before it");
    return RKV_OK;
}

static int check_write(rkv_store *store, const struct rkv_store_write *write)
{
    const uint32_t all = RKV_WRITE_IDENTITY | RKV_WRITE_SNAPSHOT |
                         RKV_WRITE_STATE | RKV_WRITE_ENTRIES |
                         RKV_WRITE_COMPACT | RKV_WRITE_RECOVERED;

    if (write->flags == 0 || (write->flags & ~all) != 0)
        return refuse(store, RKV_EINVAL,
                      "a write says nothing, or has flags unknown here");
    if ((write->flags & RKV_WRITE_SNAPSHOT) && write->config == NULL &&
        write->config_len != 0)
        return refuse(store, RKV_EINVAL,
                      "a snapshot's configuration is "
                      "missing");
    if (write->flags & RKV_WRITE_ENTRIES)
        return check_entries(store, write);
    return RKV_OK;
}

/* Callers compiled against another version step through the array by the
 * size they know; the store sees today's. */
static int resize_writes(rkv_store *store, const struct rkv_store_write **io,
                         uint32_t count)
{
    const uint8_t *at = (const uint8_t *)*io;
    uint32_t size = (*io)->size;
    uint32_t tag;

    if (size == sizeof **io)
        return RKV_OK;
    int rc = rkv_grow(&store->allocator, (void **)&store->writes,
                      &store->writes_cap, count, sizeof *store->writes);
    for (uint32_t i = 0; rc == RKV_OK && i < count; i++, at += size) {
        memcpy(&tag, at, sizeof tag);
        rc = tag == size
                 ? rkv_options(&store->writes[i], sizeof *store->writes, at)
                 : RKV_EINVAL;
    }
    if (rc != RKV_OK)
        return refuse(store, rc,
                      "the size tags of the writes differ or are wrong, or a "
                      "field is used that this build lacks");
    *io = store->writes;
    return RKV_OK;
}

int rkv_store_write(rkv_store *store, const struct rkv_store_write *writes,
                    uint32_t count)
{
    if (store == NULL || (writes == NULL && count != 0))
        return RKV_EINVAL;
    if (store->failed != 0)
        return RKV_EFAILED;
    if (count == 0)
        return RKV_OK;
    int rc = resize_writes(store, &writes, count);
    for (uint32_t i = 0; rc == RKV_OK && i < count; i++) {
        if (writes[i].size != sizeof writes[i])
            rc = refuse(store, RKV_EINVAL, "the size tags of writes differ");
        else
            rc = check_write(store, &writes[i]);
    }
    if (rc != RKV_OK)
        return rc;
    return remember(store, store->methods.write(store->ctx, writes, count));
}

int rkv_store_read(rkv_store *store, uint64_t group, uint64_t first,
                   uint32_t count, uint64_t bytes_max,
                   const struct rkv_entry **out, uint32_t *out_count)
{
    if (store == NULL || out == NULL || out_count == NULL || count == 0)
        return RKV_EINVAL;
    if (store->failed != 0)
        return RKV_EFAILED;
    store->own_words = false;
    return store->methods.read(store->ctx, group, first, count, bytes_max, out,
                               out_count);
}

int rkv_store_snap_begin(rkv_store *store, uint64_t group, uint64_t index)
{
    if (store == NULL || index == 0)
        return RKV_EINVAL;
    if (store->failed != 0)
        return RKV_EFAILED;
    return remember(store, store->methods.snap_begin(store->ctx, group, index));
}

int rkv_store_snap_write(rkv_store *store, uint64_t group, uint64_t offset,
                         const void *data, size_t len)
{
    if (store == NULL || (data == NULL && len != 0))
        return RKV_EINVAL;
    if (store->failed != 0)
        return RKV_EFAILED;
    return remember(
        store, store->methods.snap_write(store->ctx, group, offset, data, len));
}

int rkv_store_snap_finish(rkv_store *store, uint64_t group, uint64_t len)
{
    if (store == NULL)
        return RKV_EINVAL;
    if (store->failed != 0)
        return RKV_EFAILED;
    return remember(store, store->methods.snap_finish(store->ctx, group, len));
}

int rkv_store_snap_read(rkv_store *store, uint64_t group, uint64_t index,
                        uint64_t offset, void *buf, size_t cap, size_t *len)
{
    if (store == NULL || len == NULL || (buf == NULL && cap != 0))
        return RKV_EINVAL;
    if (store->failed != 0)
        return RKV_EFAILED;
    store->own_words = false;
    return store->methods.snap_read(store->ctx, group, index, offset, buf, cap,
                                    len);
}

int rkv_trouble_say(struct rkv_trouble *trouble, int code, const char *format,
                    ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(trouble->text, sizeof trouble->text, format, args);
    va_end(args);
    return code;
}

void rkv_hex(char out[RKV_HEX_BYTES], const uint8_t hash[32])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < 32; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[64] = 0;
}
