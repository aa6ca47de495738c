/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/base64.c - RFC 4648, both alphabets in, one out.
 */
#include "base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

void base64_encode(struct buffer *out, const void *data, size_t len)
{
    const unsigned char *in = data;

    if (len > SIZE_MAX / 8 || !buffer_reserve(out, (len + 2) / 3 * 4)) {
        out->failed = true;
        return;
    }
    char *to = out->at + out->len;
    size_t i = 0;
    for (; i + 3 <= len; i += 3) {
        uint32_t word = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 |
                        (uint32_t)in[i + 2];
        *to++ = alphabet[word >> 18];
        *to++ = alphabet[word >> 12 & 63];
        *to++ = alphabet[word >> 6 & 63];
        *to++ = alphabet[word & 63];
    }
    if (i < len) {
        bool two = len - i == 2;
        uint32_t word = (uint32_t)in[i] << 16;
        if (two)
            word |= (uint32_t)in[i + 1] << 8;
        *to++ = alphabet[word >> 18];
        *to++ = alphabet[word >> 12 & 63];
        *to++ = two ? alphabet[word >> 6 & 63] : '=';
        *to++ = '=';
    }
    out->len = (size_t)(to - out->at);
}

int base64_decode(char *text, size_t len, size_t *out_len, size_t *bad)
{
    size_t end = len;
    char *to = text;
    uint32_t word = 0;
    unsigned bits = 0;

    /* Padding, if there is any, must fill the last group of four. */
    if (len > 0 && len % 4 == 0 && text[len - 1] == '=')
        end = len - (text[len - 2] == '=' ? 2 : 1);
    for (size_t i = 0; i < end; i++) {
        int value = value_of(text[i]);
        if (value < 0) {
            *bad = i;
            return -1;
        }
        word = word << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *to++ = (char)(word >> bits & 255);
        }
    }
    if (end % 4 == 1) {
        *bad = end;
        return -1;
    }
    *out_len = (size_t)(to - text);
    return 0;
}
