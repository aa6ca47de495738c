/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/base/options.h - the size-tag rule of all options structs: shorter ones
 * are padded with zeros, longer ones accepted while the surplus is zero.
 */
#ifndef RKV_BASE_OPTIONS_H
#define RKV_BASE_OPTIONS_H

#include <raftkv/base.h>

/* Copies *theirs into *ours (ours_size bytes, size first).  NULL: all zero.
 * RKV_EINVAL: size too small or too large to be one; RKV_EVERSION: uses a
 * field this build does not know.  On RKV_OK ours->size is ours_size. */
int rkv_options(void *ours, size_t ours_size, const void *theirs);

/* The other way, for results the caller owns: copies at most the size the
 * caller tagged, and leaves that tag as it was; with a tag that is none,
 * nothing. */
void rkv_report(void *theirs, const void *ours, size_t ours_size);

#endif
