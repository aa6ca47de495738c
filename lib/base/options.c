/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The size-tag rule, in both directions.
 */
#include "options.h"

#include <string.h>

/* No later version adds more than this to a struct: a larger tag is not one,
 * but what lay in memory before. */
enum { SURPLUS_MAX = 4096 };

int rkv_options(void *ours, size_t ours_size, const void *theirs)
{
    const uint8_t *bytes = theirs;
    uint32_t tag = (uint32_t)ours_size;
    uint32_t size = 0;

    if (theirs != NULL) {
        memcpy(&size, theirs, sizeof size);
        if (size < sizeof size || size > ours_size + SURPLUS_MAX)
            return RKV_EINVAL;
        for (size_t i = ours_size; i < size; i++)
            if (bytes[i] != 0)
                return RKV_EVERSION;
    }
    memset(ours, 0, ours_size);
    if (theirs != NULL)
        memcpy(ours, theirs, size < ours_size ? size : ours_size);
    memcpy(ours, &tag, sizeof tag);
    return RKV_OK;
}

void rkv_report(void *theirs, const void *ours, size_t ours_size)
{
    uint32_t size;

    memcpy(&size, theirs, sizeof size);
    if (size < sizeof size || size > ours_size + SURPLUS_MAX)
        return;
    memset(theirs, 0, size);
    memcpy(theirs, ours, size < ours_size ? size : ours_size);
    memcpy(theirs, &size, sizeof size);
}
