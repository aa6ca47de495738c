/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as a frame; and, since no fuzzer guesses the check, as the parts
 * of one that was sealed for them.
 */
#include "exact.h"

#include "wire/code.h"

static const uint64_t limit = 1 << 20;

/* Every part the frame gives, laid down again; as many as there are. */
static int parts_again(struct rkv_reader *parts, struct rkv_buffer *out)
{
    struct rkv_part part;
    int rc;

    while ((rc = rkv_part_next(parts, &part)) == 1) {
        size_t len = rkv_reader_left(&part.body);
        if (part.kind == 0)
            return RKV_EVERSION;
        uint8_t *p = rkv_part_begin(out, part.group, part.kind, len);
        exact_require(p != NULL);
        rkv_put_bytes(p, part.body.at, len);
    }
    return rc;
}

static int frame_again(const uint8_t *data, size_t size, struct rkv_buffer *out)
{
    struct rkv_frame_header header;
    struct rkv_reader parts;

    int64_t len = rkv_frame_len(data, size, limit);
    int rc = rkv_frame_open(data, size, limit, &header, &parts);
    if (rc < 0)
        return rc;
    exact_require(len == (int64_t)size);
    rkv_frame_begin(out, header.cluster, header.from, header.to);
    rc = parts_again(&parts, out);
    if (rc < 0)
        return rc;
    rkv_frame_end(out);
    return RKV_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rkv_allocator allocator = rkv_alloc_choose(NULL);
    struct rkv_buffer frame;

    exact_run(frame_again, data, size);
    rkv_buffer_init(&frame, &allocator);
    rkv_frame_begin(&frame, 1, 2, 3);
    rkv_write_bytes(&frame, data, size);
    rkv_frame_end(&frame);
    exact_require(!frame.failed);
    exact_run(frame_again, frame.data, frame.len);
    rkv_buffer_free(&frame);
    return 0;
}
