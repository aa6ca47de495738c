/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/base64.h - how JSON carries bytes.  Written with the standard
 * alphabet and padding; read also url-safe and unpadded.
 */
#ifndef SERVER_BASE64_H
#define SERVER_BASE64_H

#include "buffer.h"

void base64_encode(struct buffer *out, const void *data, size_t len);
/* Decodes in place: the result is never longer than the text.  -1: *bad is
 * the position of the first byte that does not belong. */
int base64_decode(char *text, size_t len, size_t *out_len, size_t *bad);

#endif
