/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Any bytes as a forwarded request, and as the reply to one.
 */
#include "exact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    exact_run(recode_forward, data, size);
    exact_run(recode_forward_reply, data, size);
    return 0;
}
