/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/script.h - files in the datadriven manner.  A directive, its
 * arguments and its input lines; a line ----; what is expected, up to an
 * empty line, or between two lines ---- where it holds empty lines itself.
 * Outside of that, # begins a comment.
 */
#ifndef RKV_TEST_SCRIPT_H
#define RKV_TEST_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { SCRIPT_ARGS_MAX = 32, SCRIPT_VALUES_MAX = 64 };

/* key, key=value or key=(value, value). */
struct script_arg {
    const char *key;
    const char *values[SCRIPT_VALUES_MAX];
    size_t count;
};

/* Lines are ranges of the file's. */
struct script_case {
    const char *directive;
    struct script_arg args[SCRIPT_ARGS_MAX];
    size_t args_count;
    size_t input_first;
    size_t input_end;
    size_t expected_first;
    size_t expected_end;
    size_t line; /* of the directive, counted from 1 */
    bool is_fenced;
};

struct script {
    const char *path;
    const char **lines;
    size_t lines_count;
    struct script_case *cases;
    size_t cases_count;
    char *text;
    char *words;
};

/* False: said on stderr why. */
bool script_read(struct script *s, const char *path);
void script_free(struct script *s);

/* NULL when there is no such argument. */
const struct script_arg *script_find(const struct script_case *c,
                                     const char *key);
/* The one value of key, or what to take in its absence. */
const char *script_value(const struct script_case *c, const char *key,
                         const char *otherwise);
uint64_t script_number(const struct script_case *c, const char *key,
                       uint64_t otherwise);
bool script_flag(const struct script_case *c, const char *key);
/* The nth argument without a value, as a number; 0: none. */
uint64_t script_id(const struct script_case *c, size_t nth);

/* Is this one of the ids, or are there none at all? */
bool script_names(const struct script_case *c, uint64_t id);

/* Every *.txt below a folder, or the file itself, in the order of names. */
void script_walk(const char *path, void (*each)(const char *, void *),
                 void *ctx);

#endif
