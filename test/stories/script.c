/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/script.c - reads a file of directives.  The file is one piece
 * of memory, cut into lines; directives are cut into words in a copy of it.
 */
#define _POSIX_C_SOURCE 200809L

#include "script.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void *take(void *memory, size_t bytes)
{
    void *more = realloc(memory, bytes == 0 ? 1 : bytes);

    if (more == NULL) {
        fputs("no memory\n", stderr);
        exit(2);
    }
    return more;
}

static bool complain(const struct script *s, size_t line, const char *what)
{
    fprintf(stderr, "%s:%zu: %s\n", s->path, line + 1, what);
    return false;
}

static char *slurp(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t len = 0, got;

    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return NULL;
    }
    do {
        text = take(text, len + 65536 + 1);
        got = fread(text + len, 1, 65536, file);
        len += got;
    } while (got > 0);
    text[len] = '\0';
    fclose(file);
    return text;
}

static void cut_lines(struct script *s)
{
    char *at = s->text;

    while (*at != '\0') {
        char *end = strchr(at, '\n');

        s->lines = take(s->lines, (s->lines_count + 1) * sizeof s->lines[0]);
        s->lines[s->lines_count++] = at;
        if (end == NULL)
            return;
        *end = '\0';
        if (end > at && end[-1] == '\r')
            end[-1] = '\0';
        at = end + 1;
    }
}

static bool is_blank(const char *line)
{
    return line[strspn(line, " \t")] == '\0';
}

static bool is_rule(const char *line)
{
    return strcmp(line, "----") == 0;
}

/* A directive goes on behind a backslash at the end of its line. */
static size_t join_lines(const struct script *s, size_t at)
{
    size_t len = strlen(s->lines[at]);

    while (len > 0 && s->lines[at][len - 1] == '\\' &&
           at + 1 < s->lines_count) {
        char *seam = s->words + (s->lines[at] - s->text) + len - 1;

        memset(seam, ' ', (size_t)(s->lines[at + 1] - s->lines[at]) - len + 1);
        len = strlen(s->lines[++at]);
    }
    return at;
}

/* "a, b ,c" becomes three values. */
static bool cut_values(struct script_arg *arg, char *list)
{
    arg->count = 0;
    while (list != NULL) {
        char *comma = strchr(list, ',');
        char *end = comma != NULL ? comma : list + strlen(list);

        list += strspn(list, " \t");
        while (end > list && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        if (comma != NULL)
            *comma = '\0';
        *end = '\0';
        if (arg->count == SCRIPT_VALUES_MAX)
            return false;
        if (*list != '\0' || comma != NULL || arg->count > 0)
            arg->values[arg->count++] = list;
        list = comma != NULL ? comma + 1 : NULL;
    }
    return true;
}

/* One word, a list in parentheses included, is taken off the line. */
static char *next_word(char **line)
{
    char *word = *line + strspn(*line, " \t");
    char *end = word;
    int depth = 0;

    if (*word == '\0')
        return NULL;
    for (; *end != '\0' && (depth > 0 || (*end != ' ' && *end != '\t')); end++)
        depth += (*end == '(') - (*end == ')');
    *line = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

static bool cut_arg(struct script_arg *arg, char *word)
{
    char *value = strchr(word, '=');

    arg->key = word;
    if (value == NULL)
        return true;
    *value++ = '\0';
    if (*value == '(') {
        size_t len = strlen(value);

        if (value[len - 1] != ')')
            return false;
        value[len - 1] = '\0';
        return cut_values(arg, value + 1);
    }
    arg->values[arg->count++] = value;
    return true;
}

static bool cut_directive(struct script *s, struct script_case *c, char *line)
{
    char *word = next_word(&line);

    c->directive = word;
    while ((word = next_word(&line)) != NULL) {
        if (c->args_count == SCRIPT_ARGS_MAX)
            return complain(s, c->line - 1, "too many arguments");
        if (!cut_arg(&c->args[c->args_count++], word))
            return complain(s, c->line - 1, "this list does not end");
    }
    return true;
}

/* From the line after the first ---- on; the first line behind it all. */
static size_t find_expected(const struct script *s, struct script_case *c,
                            size_t at)
{
    c->is_fenced = at < s->lines_count && is_rule(s->lines[at]);
    c->expected_first = at += c->is_fenced;
    if (c->is_fenced)
        while (at + 1 < s->lines_count &&
               !(is_rule(s->lines[at]) && is_rule(s->lines[at + 1])))
            at++;
    else
        while (at < s->lines_count && !is_blank(s->lines[at]))
            at++;
    c->expected_end = at;
    return c->is_fenced ? at + 2 : at;
}

static bool cut_cases(struct script *s)
{
    size_t at = 0;

    while (at < s->lines_count) {
        const char *line = s->lines[at];
        struct script_case *c;

        if (is_blank(line) || line[strspn(line, " \t")] == '#') {
            at++;
            continue;
        }
        s->cases = take(s->cases, (s->cases_count + 1) * sizeof s->cases[0]);
        c = &s->cases[s->cases_count++];
        memset(c, 0, sizeof *c);
        c->line = at + 1;
        at = join_lines(s, at);
        if (!cut_directive(s, c, s->words + (line - s->text)))
            return false;
        c->input_first = ++at;
        while (at < s->lines_count && !is_rule(s->lines[at]))
            at++;
        if (at == s->lines_count)
            return complain(s, c->line - 1, "no line ---- follows");
        c->input_end = at;
        at = find_expected(s, c, at + 1);
    }
    return true;
}

bool script_read(struct script *s, const char *path)
{
    size_t len;

    memset(s, 0, sizeof *s);
    s->path = path;
    s->text = slurp(path);
    if (s->text == NULL)
        return false;
    len = strlen(s->text) + 1;
    cut_lines(s);
    s->words = take(NULL, len);
    memcpy(s->words, s->text, len);
    return cut_cases(s);
}

void script_free(struct script *s)
{
    free(s->lines);
    free(s->cases);
    free(s->text);
    free(s->words);
}

const struct script_arg *script_find(const struct script_case *c,
                                     const char *key)
{
    for (size_t i = 0; i < c->args_count; i++)
        if (strcmp(c->args[i].key, key) == 0)
            return &c->args[i];
    return NULL;
}

const char *script_value(const struct script_case *c, const char *key,
                         const char *otherwise)
{
    const struct script_arg *arg = script_find(c, key);

    return arg == NULL || arg->count == 0 ? otherwise : arg->values[0];
}

uint64_t script_number(const struct script_case *c, const char *key,
                       uint64_t otherwise)
{
    const char *value = script_value(c, key, NULL);

    return value == NULL ? otherwise : strtoull(value, NULL, 10);
}

bool script_flag(const struct script_case *c, const char *key)
{
    return strcmp(script_value(c, key, "false"), "true") == 0;
}

uint64_t script_id(const struct script_case *c, size_t nth)
{
    for (size_t i = 0; i < c->args_count; i++)
        if (c->args[i].count == 0 && nth-- == 0)
            return strtoull(c->args[i].key, NULL, 10);
    return 0;
}

bool script_names(const struct script_case *c, uint64_t id)
{
    if (script_id(c, 0) == 0)
        return true;
    for (size_t i = 0; script_id(c, i) != 0; i++)
        if (script_id(c, i) == id)
            return true;
    return false;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In a folder, what is no folder is a script when it is called so. */
static bool is_script(const char *path)
{
    size_t len = strlen(path);
    struct stat what;

    return (stat(path, &what) == 0 && S_ISDIR(what.st_mode)) ||
           (len > 4 && strcmp(path + len - 4, ".txt") == 0);
}

void script_walk(const char *path, void (*each)(const char *, void *),
                 void *ctx)
{
    struct dirent **entries;
    struct stat what;
    int count;

    if (stat(path, &what) == 0 && !S_ISDIR(what.st_mode)) {
        each(path, ctx);
        return;
    }
    count = scandir(path, &entries, is_visible, alphasort);
    if (count < 0) {
        each(path, ctx);
        return;
    }
    for (int i = 0; i < count; i++) {
        size_t len = strlen(path) + strlen(entries[i]->d_name) + 2;
        char *below = take(NULL, len);

        snprintf(below, len, "%s/%s", path, entries[i]->d_name);
        if (is_script(below))
            script_walk(below, each, ctx);
        free(below);
        free(entries[i]);
    }
    free(entries);
}
