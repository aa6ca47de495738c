/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/json.h - JSON in and out.  jansson reads it, after json_scan() has
 * seen that what a stranger sent keeps to the limits; writing is appending to
 * a buffer.
 */
#ifndef SERVER_JSON_H
#define SERVER_JSON_H

#include <jansson.h>

#include "buffer.h"

enum { JSON_DEPTH_MAX = 64, JSON_VALUES_MAX = 65536 };

struct json {
    size_t values_max; /* 0: JSON_VALUES_MAX */
    char error[128];   /* after a failure: what and where */
};

/* How far a stream was looked through; all zero at the start of a value. */
struct json_scan {
    size_t at;
    size_t values;
    uint32_t depth;
    bool in_string;
    bool escaped;
};
enum { JSON_PART = 0, JSON_WHOLE = 1, JSON_REFUSED = -1 };
/* Looks for the end of the first object or array of text, going on where it
 * stopped when there was less of it: WHOLE, and it is the first scan->at
 * bytes; PART, and it is not all there yet; REFUSED: json->error.  It takes
 * nothing apart and need not be given JSON: what begins otherwise is WHOLE at
 * once, for the parser to judge. */
int json_scan(struct json *json, struct json_scan *scan, const char *text,
              size_t len);
/* The one value that text is.  NULL: json->error. */
json_t *json_read(struct json *json, const char *text, size_t len);
/* Whole numbers only, in a string or not.  -1: no such number. */
int json_i64(const json_t *value, int64_t *out);
int json_u64(const json_t *value, uint64_t *out);
/* Text with quotes around it. */
void json_quote(struct buffer *out, const void *text, size_t len);

#endif
