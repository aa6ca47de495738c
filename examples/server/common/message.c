/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/message.c - messages to JSON and back, by their tables.
 */
#include "message.h"

#include <stdarg.h>
#include <stdio.h>

#include "base64.h"

/* What reading needs at every level. */
struct reader {
    struct arena *arena;
    char *error;
    size_t cap;
};

static void *read_message(struct reader *r, const struct message *message,
                          const json_t *value);

static const struct enumeration *enumeration_of(const struct field *field)
{
    return field->type;
}

static const struct message *message_of(const struct field *field)
{
    return field->type;
}

/* Writing. */

static void put_quoted_u64(struct buffer *out, uint64_t number)
{
    buffer_byte(out, '"');
    buffer_u64(out, number);
    buffer_byte(out, '"');
}

static void put_enum(struct buffer *out, const struct enumeration *names,
                     int32_t value)
{
    if (value >= 0 && (size_t)value < names->count) {
        buffer_byte(out, '"');
        buffer_text(out, names->values[value]);
        buffer_byte(out, '"');
    } else {
        buffer_i64(out, value);
    }
}

static void put_base64(struct buffer *out, const struct bytes *bytes)
{
    buffer_byte(out, '"');
    base64_encode(out, bytes->at, bytes->len);
    buffer_byte(out, '"');
}

static void put_list(struct buffer *out, const struct field *field,
                     const struct list *list)
{
    const char *at = list->at;

    buffer_byte(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buffer_byte(out, ',');
        if (field->kind == FIELD_MESSAGES) {
            message_to_json(out, message_of(field),
                            at + i * message_of(field)->size);
        } else if (field->kind == FIELD_STRINGS) {
            const struct bytes *text = (const struct bytes *)list->at + i;
            json_quote(out, text->at, text->len);
        } else {
            put_enum(out, enumeration_of(field),
                     ((const int32_t *)list->at)[i]);
        }
    }
    buffer_byte(out, ']');
}

static bool is_default(const struct field *field, const void *at)
{
    switch (field->kind) {
    case FIELD_BOOL:
        return !*(const bool *)at;
    case FIELD_INT64:
        return *(const int64_t *)at == 0;
    case FIELD_UINT64:
        return *(const uint64_t *)at == 0;
    case FIELD_UINT32:
        return *(const uint32_t *)at == 0;
    case FIELD_ENUM:
        return *(const int32_t *)at == 0;
    case FIELD_BYTES:
    case FIELD_STRING:
        return ((const struct bytes *)at)->len == 0;
    case FIELD_MESSAGE:
        return *(const void *const *)at == NULL;
    default:
        return ((const struct list *)at)->count == 0;
    }
}

static void put_value(struct buffer *out, const struct field *field,
                      const void *at)
{
    switch (field->kind) {
    case FIELD_BOOL:
        buffer_add(out, "true", 4);
        break;
    case FIELD_INT64:
        buffer_byte(out, '"');
        buffer_i64(out, *(const int64_t *)at);
        buffer_byte(out, '"');
        break;
    case FIELD_UINT64:
        put_quoted_u64(out, *(const uint64_t *)at);
        break;
    case FIELD_UINT32:
        buffer_u64(out, *(const uint32_t *)at);
        break;
    case FIELD_ENUM:
        put_enum(out, enumeration_of(field), *(const int32_t *)at);
        break;
    case FIELD_BYTES:
        put_base64(out, at);
        break;
    case FIELD_STRING:
        json_quote(out, ((const struct bytes *)at)->at,
                   ((const struct bytes *)at)->len);
        break;
    case FIELD_MESSAGE:
        message_to_json(out, message_of(field), *(const void *const *)at);
        break;
    default:
        put_list(out, field, at);
    }
}

void message_to_json(struct buffer *out, const struct message *message,
                     const void *record)
{
    bool first = true;

    buffer_byte(out, '{');
    for (size_t i = 0; i < message->count; i++) {
        const struct field *field = &message->fields[i];
        const void *at = (const char *)record + field->offset;
        if (is_default(field, at))
            continue;
        if (!first)
            buffer_byte(out, ',');
        first = false;
        buffer_byte(out, '"');
        buffer_text(out, field->name);
        buffer_add(out, "\":", 2);
        put_value(out, field, at);
    }
    buffer_byte(out, '}');
}

/* Reading. */

static int refuse(struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int refuse(struct reader *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->error, r->cap, format, args);
    va_end(args);
    return -1;
}

/* snake_case as it is, or with each _x become X. */
static bool name_fits(const char *name, const char *given)
{
    if (strcmp(name, given) == 0)
        return true;
    for (; *name; name++, given++) {
        char want = *name;
        if (want == '_' && name[1] >= 'a' && name[1] <= 'z')
            want = (char)(*++name - 'a' + 'A');
        if (*given != want)
            return false;
    }
    return *given == '\0';
}

static const struct field *find_field(const struct message *message,
                                      const char *given)
{
    for (size_t i = 0; i < message->count; i++)
        if (name_fits(message->fields[i].name, given))
            return &message->fields[i];
    return NULL;
}

static int read_enum(struct reader *r, const struct enumeration *names,
                     const json_t *value, int32_t *out)
{
    const char *given = json_string_value(value);
    int64_t number;

    for (size_t i = 0; given && i < names->count; i++) {
        if (strcmp(given, names->values[i]) == 0) {
            *out = (int32_t)i;
            return 0;
        }
    }
    if (json_i64(value, &number) == 0 && number >= INT32_MIN &&
        number <= INT32_MAX) {
        *out = (int32_t)number;
        return 0;
    }
    return refuse(r, "unknown value \"%.31s\" for enum %s", given ? given : "",
                  names->name);
}

/* A copy, since the tree goes when the message is read. */
static int read_text(struct reader *r, const struct field *field,
                     const json_t *value, struct bytes *out)
{
    size_t len = json_string_length(value), bad;

    if (!json_is_string(value))
        return refuse(r, "%s wants a string", field->name);
    char *copy = arena_take(r->arena, len + 1);
    if (!copy)
        return refuse(r, "out of memory");
    memcpy(copy, json_string_value(value), len);
    if (field->kind == FIELD_BYTES && base64_decode(copy, len, &len, &bad) != 0)
        return refuse(r, "illegal base64 data at input byte %zu", bad);
    *out = bytes_of(copy, len);
    return 0;
}

static int read_number(struct reader *r, const struct field *field,
                       const json_t *value, void *at)
{
    uint64_t number = 0;
    int rc;

    if (field->kind == FIELD_INT64) {
        rc = json_i64(value, at);
    } else {
        rc = json_u64(value, &number);
        if (rc == 0 && field->kind == FIELD_UINT64)
            *(uint64_t *)at = number;
        else if (rc == 0 && number <= UINT32_MAX)
            *(uint32_t *)at = (uint32_t)number;
        else
            rc = -1;
    }
    if (rc != 0)
        return refuse(r, "%s wants a whole number in its range", field->name);
    return 0;
}

static int read_one(struct reader *r, const struct field *field,
                    const json_t *value, void *at)
{
    switch (field->kind) {
    case FIELD_BOOL:
        if (!json_is_boolean(value))
            return refuse(r, "%s wants true or false", field->name);
        *(bool *)at = json_is_true(value);
        return 0;
    case FIELD_ENUM:
    case FIELD_ENUMS:
        return read_enum(r, enumeration_of(field), value, at);
    case FIELD_BYTES:
    case FIELD_STRING:
    case FIELD_STRINGS:
        return read_text(r, field, value, at);
    case FIELD_MESSAGE:
        *(void **)at = read_message(r, message_of(field), value);
        return *(void **)at ? 0 : -1;
    case FIELD_MESSAGES: {
        const void *record = read_message(r, message_of(field), value);
        if (record)
            memcpy(at, record, message_of(field)->size);
        return record ? 0 : -1;
    }
    default:
        return read_number(r, field, value, at);
    }
}

static size_t element_size(const struct field *field)
{
    if (field->kind == FIELD_MESSAGES)
        return message_of(field)->size;
    return field->kind == FIELD_ENUMS ? sizeof(int32_t) : sizeof(struct bytes);
}

static int read_list(struct reader *r, const struct field *field,
                     const json_t *value, struct list *out)
{
    size_t count = json_array_size(value), size = element_size(field);

    if (!json_is_array(value))
        return refuse(r, "%s wants an array", field->name);
    char *elements = arena_array(r->arena, count, size);
    if (!elements)
        return refuse(r, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (read_one(r, field, json_array_get(value, i), elements + i * size) !=
            0)
            return -1;
    *out = (struct list){elements, count};
    return 0;
}

static void *read_message(struct reader *r, const struct message *message,
                          const json_t *value)
{
    char *record = arena_take(r->arena, message->size);

    if (!record) {
        refuse(r, "out of memory");
        return NULL;
    }
    if (json_is_null(value))
        return record;
    if (!json_is_object(value)) {
        refuse(r, "%s wants an object", message->name);
        return NULL;
    }
    /* jansson's iterator is not for const objects, though it only looks. */
    json_t *object = (json_t *)(uintptr_t)value;
    for (void *i = json_object_iter(object); i;
         i = json_object_iter_next(object, i)) {
        const json_t *given = json_object_iter_value(i);
        const struct field *field =
            find_field(message, json_object_iter_key(i));
        if (!field || json_is_null(given))
            continue;
        void *at = record + field->offset;
        int rc = field->kind < FIELD_ENUMS ? read_one(r, field, given, at)
                                           : read_list(r, field, given, at);
        if (rc != 0)
            return NULL;
    }
    return record;
}

void *message_from_json(struct arena *arena, const struct message *message,
                        struct json *json, const char *text, size_t len)
{
    struct reader r = {arena, json->error, sizeof json->error};
    json_t *root = json_read(json, text, len);

    if (!root)
        return NULL;
    void *record = read_message(&r, message, root);
    json_decref(root);
    return record;
}
