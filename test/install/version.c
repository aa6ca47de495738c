/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The smallest program there is: what it was compiled against is what it runs
 * with, and an error has a name.
 */
#include <raftkv/base.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    printf("libraft-kv %s\n", rkv_version());
    return strcmp(rkv_version(), RKV_VERSION_STRING) != 0 ||
           rkv_version_number() != RKV_VERSION_NUMBER ||
           strcmp(rkv_errname(RKV_ENOTLEADER), "RKV_ENOTLEADER") != 0;
}
