/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/raft/image.h - a core as bytes, from which a core of the same build is
 * made again that goes on as this one would.  For recordings: no promise is
 * kept by an image, and none is given from one.
 */
#ifndef RKV_RAFT_IMAGE_H
#define RKV_RAFT_IMAGE_H

#include <raftkv/raft.h>
#include <stddef.h>

/* Equal in builds whose images mean the same. */
uint64_t rkv_image_build(void);
size_t rkv_image_size(const rkv_raft *r);
/* Room for rkv_image_size() is there. */
void rkv_image_save(const rkv_raft *r, void *to);
/* RKV_EMALFORMED: it is no image, or not of such a core. */
int rkv_image_load(const void *image, size_t len,
                   const struct rkv_allocator *allocator, rkv_raft **out);

#endif
