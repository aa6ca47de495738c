/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/disk/fuse.h - a failure that is to come, after so many things that go
 * well.
 */
#ifndef TEST_DISK_FUSE_H
#define TEST_DISK_FUSE_H

#include <stdbool.h>
#include <stdint.h>

struct fuse {
    int64_t left; /* things until one fails; negative: none does */
    bool for_ever;
};

/* Asked by each thing: does it fail? */
static inline bool fuse_blows(struct fuse *fuse)
{
    if (fuse->left != 0) {
        fuse->left -= fuse->left > 0;
        return false;
    }
    if (!fuse->for_ever)
        fuse->left = -1;
    return true;
}

#endif
