/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/conformance.c - conformance PATH...: plays etcd's datadriven
 * files, or others of their form, on our core.  Files of quorums and of
 * configuration changes are pure functions and must give the same answers;
 * interactions must agree in what they come to, since our messages are
 * batched and our promises wait.
 */
#include "conformance.h"

#include <string.h>

#include "heard.h"

const char *conform_where(const struct script *s, const struct script_case *c,
                          char *text, size_t size)
{
    snprintf(text, size, "%s:%zu: %s", s->path, c->line, c->directive);
    return text;
}

/* The next line that counts of what was expected, or NULL. */
static const char *next_expected(const struct script *s,
                                 const struct script_case *c, size_t *at)
{
    while (*at < c->expected_end) {
        const char *line = s->lines[(*at)++];

        if (!heard_is_log(line) && strcmp(line, "ok") != 0)
            return line;
    }
    return NULL;
}

bool conform_lines(const struct script *s, const struct script_case *c,
                   const char *found)
{
    size_t at = c->expected_first;
    const char *expected;
    char where[512];

    while ((expected = next_expected(s, c, &at)) != NULL) {
        size_t len = strcspn(found, "\n");

        if (strlen(expected) != len || memcmp(expected, found, len) != 0) {
            printf("%s: expected \"%s\", found \"%.*s\"\n",
                   conform_where(s, c, where, sizeof where), expected, (int)len,
                   found);
            return false;
        }
        found += len + (found[len] == '\n');
    }
    if (*found == '\0')
        return true;
    printf("%s: expected nothing more, found \"%.*s\"\n",
           conform_where(s, c, where, sizeof where), (int)strcspn(found, "\n"),
           found);
    return false;
}

static bool is_one_of(const char *directive, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(directive, *names) == 0)
            return true;
    return false;
}

/* The kind of a file shows in its first directive. */
static void play_file(const char *path, void *ctx)
{
    static const char *const quorum[] = {"committed", "vote", NULL};
    static const char *const change[] = {"simple", "enter-joint", "leave-joint",
                                         NULL};
    struct score *score = ctx;
    struct script s;

    if (!script_read(&s, path)) {
        score->failed++;
    } else if (s.cases_count == 0) {
        printf("%s: holds no directive\n", path);
        score->failed++;
    } else if (is_one_of(s.cases[0].directive, quorum)) {
        conform_quorum(&s, score);
    } else if (is_one_of(s.cases[0].directive, change)) {
        conform_confchange(&s, score);
    } else {
        conform_interaction(&s, score);
    }
    script_free(&s);
}

int main(int argc, char **argv)
{
    struct score score = {0};

    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE-OR-FOLDER...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        script_walk(argv[i], play_file, &score);
    printf("%zu passed, %zu failed\n", score.passed, score.failed);
    return score.failed == 0 && score.passed > 0 ? 0 : 1;
}
