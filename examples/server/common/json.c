/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/json.c - what jansson leaves to us: limits before it takes memory,
 * the words clients of etcd's gateway know, numbers of 64 bits in strings,
 * and quoting.
 */
#include "json.h"

#include <stdio.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static int refused(struct json *json, const char *why, size_t at)
{
    snprintf(json->error, sizeof json->error, "%s at byte %zu", why, at);
    return JSON_REFUSED;
}

/* A value costs jansson up to a hundred times its text, so they are counted
 * first: each comma and each bracket may begin one. */
static int scan_byte(struct json *json, struct json_scan *scan, char c)
{
    size_t max = json->values_max ? json->values_max : JSON_VALUES_MAX;

    if (scan->in_string) {
        if (scan->escaped)
            scan->escaped = false;
        else if (c == '\\')
            scan->escaped = true;
        else if (c == '"')
            scan->in_string = false;
        return JSON_PART;
    }
    if (c == '"') {
        scan->in_string = true;
    } else if (c == '{' || c == '[') {
        if (scan->depth == JSON_DEPTH_MAX)
            return refused(json, "values are nested too deeply", scan->at);
        scan->depth++;
    } else if (c == '}' || c == ']') {
        return --scan->depth == 0 ? JSON_WHOLE : JSON_PART;
    } else if (c != ',') {
        return JSON_PART;
    }
    if (c != '"' && ++scan->values > max)
        return refused(json, "too many values", scan->at);
    return JSON_PART;
}

int json_scan(struct json *json, struct json_scan *scan, const char *text,
              size_t len)
{
    for (; scan->at < len; scan->at++) {
        char c = text[scan->at];
        if (scan->depth == 0 && is_blank(c))
            continue;
        if (scan->depth == 0 && c != '{' && c != '[') {
            scan->at = len;
            return JSON_WHOLE;
        }
        int rc = scan_byte(json, scan, c);
        if (rc == JSON_WHOLE)
            scan->at++;
        if (rc != JSON_PART)
            return rc;
    }
    return JSON_PART;
}

/* The first byte that is not blank, if no value begins with it. */
static bool begins_no_value(const char *text, size_t len, char *out)
{
    size_t i = 0;

    while (i < len && is_blank(text[i]))
        i++;
    if (i == len)
        return false;
    *out = text[i];
    return text[i] == '\0' || !strchr("{[\"-0123456789tfn", text[i]);
}

static void explain(struct json *json, const json_error_t *error,
                    const char *text, size_t len)
{
    char c;

    if (begins_no_value(text, len, &c)) {
        snprintf(json->error, sizeof json->error,
                 c > 0x20 && c < 0x7f
                     ? "invalid character '%c' looking for beginning of value"
                     : "invalid character '\\x%02x' looking for beginning of "
                       "value",
                 (unsigned char)c);
        return;
    }
    switch (json_error_code(error)) {
    case json_error_premature_end_of_input:
        snprintf(json->error, sizeof json->error,
                 "unexpected end of JSON input");
        break;
    case json_error_end_of_input_expected:
        snprintf(json->error, sizeof json->error,
                 "invalid character after top-level value");
        break;
    default:
        snprintf(json->error, sizeof json->error, "%.80s at byte %d",
                 error->text, error->position);
    }
}

json_t *json_read(struct json *json, const char *text, size_t len)
{
    struct json_scan scan = {0};
    json_error_t error;

    json->error[0] = '\0';
    if (json_scan(json, &scan, text, len) == JSON_REFUSED)
        return NULL;
    json_t *value =
        json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!value)
        explain(json, &error, text, len);
    return value;
}

/* ---- numbers ---- */

static int read_digits(const char *at, size_t len, uint64_t *out)
{
    uint64_t value = 0;

    if (len == 0)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9')
            return -1;
        uint64_t digit = (uint64_t)(at[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return -1;
        value = value * 10 + digit;
    }
    *out = value;
    return 0;
}

int json_i64(const json_t *value, int64_t *out)
{
    uint64_t digits;

    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return 0;
    }
    if (!json_is_string(value))
        return -1;
    const char *at = json_string_value(value);
    size_t len = json_string_length(value);
    bool negative = len > 0 && at[0] == '-';
    if (read_digits(at + negative, len - negative, &digits) != 0 ||
        digits > (uint64_t)INT64_MAX + negative)
        return -1;
    if (negative && digits > 0)
        *out = -(int64_t)(digits - 1) - 1;
    else
        *out = (int64_t)digits;
    return 0;
}

int json_u64(const json_t *value, uint64_t *out)
{
    int64_t number;

    if (json_is_string(value) &&
        read_digits(json_string_value(value), json_string_length(value), out) ==
            0)
        return 0;
    if (json_i64(value, &number) != 0 || number < 0)
        return -1;
    *out = (uint64_t)number;
    return 0;
}

/* ---- writing ---- */

/* How many bytes the character at at has; 0: it is none of UTF-8 (RFC 3629). */
static size_t utf8_len(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char first, last, low, high;
        size_t len;
    } forms[] = {{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2},
                 {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
                 {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
                 {0xf4, 0xf4, 0x80, 0x8f, 4}};

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        size_t len = forms[i].len;
        if (len > left ||
            (len > 1 && (at[1] < forms[i].low || at[1] > forms[i].high)))
            return 0;
        for (size_t j = 2; j < len; j++)
            if ((at[j] & 0xc0) != 0x80)
                return 0;
        return len;
    }
    return 0;
}

/* What is no text, a name cut in the middle of a character for one, must not
 * make the whole answer no JSON. */
void json_quote(struct buffer *out, const void *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const char *at = text;
    size_t from = 0;

    buffer_byte(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)at[i];
        if (c >= 0x80) {
            size_t known = utf8_len((const unsigned char *)at + i, len - i);
            if (known == 0) {
                buffer_add(out, at + from, i - from);
                buffer_add(out, "\\ufffd", 6);
                from = i + 1;
            } else {
                i += known - 1;
            }
            continue;
        }
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buffer_add(out, at + from, i - from);
        from = i + 1;
        char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        if (c == '"' || c == '\\') {
            escape[1] = (char)c;
            buffer_add(out, escape, 2);
        } else if (c == '\n') {
            buffer_add(out, "\\n", 2);
        } else {
            buffer_add(out, escape, 6);
        }
    }
    buffer_add(out, at + from, len - from);
    buffer_byte(out, '"');
}
