/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The version as functions, so that a program can see what it runs with and
 * not only what it was compiled against.  The numbers are version.h's.
 */
#include <raftkv/base.h>

uint32_t rkv_version_number(void)
{
    return RKV_VERSION_NUMBER;
}

const char *rkv_version(void)
{
    return RKV_VERSION_STRING;
}
