/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as the body of a message of the core.
 */
#include "exact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    exact_run(recode_message, data, size);
    return 0;
}
