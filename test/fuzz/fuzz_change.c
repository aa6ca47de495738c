/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as the payload of an entry that changes the membership.
 */
#include "exact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    exact_run(recode_change, data, size);
    return 0;
}
