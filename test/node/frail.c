/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A disk that works until a test says otherwise.
 */
#include "frail.h"

#include <check.h>
#include <string.h>

static int frail_start(void *ctx, struct rkv_store_identity *out)
{
    struct frail *frail = ctx;
    int rc = rkv_store_start(frail->real, out);

    memcpy(out->incarnation, frail->incarnation, sizeof out->incarnation);
    return rc;
}

static int frail_state(void *ctx, uint64_t group, struct rkv_store_state *out)
{
    return rkv_store_state(((struct frail *)ctx)->real, group, out);
}

static int frail_write(void *ctx, const struct rkv_store_write *writes,
                       uint32_t count)
{
    struct frail *frail = ctx;

    frail->writes++;
    return frail->writes_fail ? RKV_EIO
                              : rkv_store_write(frail->real, writes, count);
}

static int frail_read(void *ctx, uint64_t group, uint64_t first, uint32_t count,
                      uint64_t bytes_max, const struct rkv_entry **out,
                      uint32_t *out_count)
{
    struct frail *frail = ctx;

    return frail->reads_fail ? RKV_EIO
                             : rkv_store_read(frail->real, group, first, count,
                                              bytes_max, out, out_count);
}

static int frail_begin(void *ctx, uint64_t group, uint64_t index)
{
    return rkv_store_snap_begin(((struct frail *)ctx)->real, group, index);
}

static int frail_snap_write(void *ctx, uint64_t group, uint64_t offset,
                            const void *data, size_t len)
{
    return rkv_store_snap_write(((struct frail *)ctx)->real, group, offset,
                                data, len);
}

static int frail_finish(void *ctx, uint64_t group, uint64_t len)
{
    return rkv_store_snap_finish(((struct frail *)ctx)->real, group, len);
}

static int frail_snap_read(void *ctx, uint64_t group, uint64_t index,
                           uint64_t offset, void *buf, size_t cap, size_t *len)
{
    return rkv_store_snap_read(((struct frail *)ctx)->real, group, index,
                               offset, buf, cap, len);
}

static void frail_close(void *ctx)
{
    rkv_store_close(((struct frail *)ctx)->real);
}

static const struct rkv_store_methods frail_methods = {
    .size = sizeof frail_methods,
    .close = frail_close,
    .start = frail_start,
    .state = frail_state,
    .write = frail_write,
    .read = frail_read,
    .snap_begin = frail_begin,
    .snap_write = frail_snap_write,
    .snap_finish = frail_finish,
    .snap_read = frail_snap_read};

rkv_store *frail_open(struct frail *frail)
{
    rkv_store *store;

    ck_assert_int_eq(rkv_store_custom(&frail_methods, frail, NULL, &store),
                     RKV_OK);
    return store;
}
