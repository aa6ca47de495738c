/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/message.h - what a message looks like, as a table: each field's
 * name, number, kind and place in a C struct.  One table serves every
 * encoding of the message, in both directions; here is JSON, after the rules
 * of protocol buffers as etcd's gateway has them: 64-bit numbers are strings,
 * bytes are base64, defaults are left out, unknown fields are ignored, names
 * may be given as they are or in lowerCamelCase.
 */
#ifndef SERVER_MESSAGE_H
#define SERVER_MESSAGE_H

#include "arena.h"
#include "buffer.h"
#include "json.h"

enum field_kind {
    FIELD_BOOL,    /* bool */
    FIELD_INT64,   /* int64_t */
    FIELD_UINT64,  /* uint64_t */
    FIELD_UINT32,  /* uint32_t */
    FIELD_ENUM,    /* int32_t; type: struct enumeration */
    FIELD_BYTES,   /* struct bytes */
    FIELD_STRING,  /* struct bytes */
    FIELD_MESSAGE, /* pointer, NULL when absent; type: struct message */
    FIELD_ENUMS,   /* struct list of int32_t */
    FIELD_STRINGS, /* struct list of struct bytes */
    FIELD_MESSAGES /* struct list of structs */
};

struct enumeration {
    const char *name;
    const char *const *values; /* their names, from 0 on */
    size_t count;
};

struct field {
    const char *name;
    uint32_t number;
    uint32_t kind;
    size_t offset;
    const void *type;
};

struct message {
    const char *name;
    size_t size;
    const struct field *fields;
    size_t count;
};

/* Writes record, a struct that message describes. */
void message_to_json(struct buffer *out, const struct message *message,
                     const void *record);
/* Reads text, one object (or null, the same as an empty one).  Whatever the
 * record points to is taken from the arena.  NULL: json->error says why. */
void *message_from_json(struct arena *arena, const struct message *message,
                        struct json *json, const char *text, size_t len);

#endif
