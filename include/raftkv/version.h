/* SPDX-License-Identifier: BSD-2-Clause
 *
 * raftkv/version.h - what a program is compiled against.  What it runs with
 * is said by rkv_version() and rkv_version_number().  This is the one place
 * where the version is written down: the build reads it from here.
 */
#ifndef RAFTKV_VERSION_H
#define RAFTKV_VERSION_H

#define RKV_VERSION_MAJOR 0
#define RKV_VERSION_MINOR 1
#define RKV_VERSION_PATCH 0
#define RKV_VERSION_STRING "0.1.0"

/* One number to compare: major * 1,000,000 + minor * 1,000 + patch. */
#define RKV_VERSION_NUMBER                                                     \
    (RKV_VERSION_MAJOR * 1000000u + RKV_VERSION_MINOR * 1000u +                \
     RKV_VERSION_PATCH)

#endif
