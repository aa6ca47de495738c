/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as a configuration.
 */
#include "exact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    exact_run(recode_members, data, size);
    return 0;
}
