/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/txn_cmd.c - a transaction, read from standard input in etcdctl's form:
 * comparisons, an empty line, what to do if all hold, an empty line, what to
 * do otherwise.
 *
 *     mod("key") > "0"
 *
 *     put key "the new value"
 *
 *     get key
 */
#include "ctl.h"

#include <stdlib.h>

enum { WORDS_MAX = 4, LINES_MAX = 256 };

static int bad_line(const char *line, const char *why)
{
    fprintf(stderr, "raftkvctl: \"%s\": %s\n", line, why);
    return CTL_USAGE;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c ? strchr(digits, c | 0x20) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* What follows a backslash: n, t, r, xHH, or any character as it is.  Returns
 * its last character. */
static char *unescape(char *at, char *out)
{
    if (*at == 'x' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
        *out = (char)(hex_digit(at[1]) << 4 | hex_digit(at[2]));
        return at + 2;
    }
    *out = *at == 'n' ? '\n' : *at == 't' ? '\t' : *at == 'r' ? '\r' : *at;
    return at;
}

/* A word is bare, or in double quotes with backslash escapes; it is taken in
 * place.  Returns where to go on, or NULL. */
static char *take_word(char *line, const char *ends, struct bytes *out)
{
    if (*line != '"') {
        size_t len = strcspn(line, ends);
        *out = bytes_of(line, len);
        return line + len;
    }
    char *to = ++line, *first = line;
    for (; *line && *line != '"'; line++) {
        if (*line == '\\' && line[1])
            line = unescape(line + 1, to++);
        else
            *to++ = *line;
    }
    if (*line != '"')
        return NULL;
    *out = bytes_of(first, (size_t)(to - first));
    return line + 1;
}

static char *skip(char *line)
{
    return line + strspn(line, " \t\r");
}

static bool take_number(struct bytes word, int64_t *out)
{
    char text[32], *end;

    if (word.len == 0 || word.len >= sizeof text)
        return false;
    memcpy(text, word.at, word.len);
    text[word.len] = '\0';
    *out = strtoll(text, &end, 10);
    return *end == '\0';
}

static int take_relation(char **line, int32_t *out)
{
    static const struct {
        const char *sign;
        int32_t relation;
    } signs[] = {{"!=", RKV_NOT_EQUAL},
                 {"==", RKV_EQUAL},
                 {"=", RKV_EQUAL},
                 {">", RKV_GREATER},
                 {"<", RKV_LESS}};

    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t len = strlen(signs[i].sign);
        if (strncmp(*line, signs[i].sign, len) == 0) {
            *out = signs[i].relation;
            *line += len;
            return 0;
        }
    }
    return -1;
}

static int set_operand(struct compare *compare, struct bytes operand)
{
    int64_t *numbers[] = {&compare->version, &compare->create_revision,
                          &compare->mod_revision, NULL, &compare->lease};

    if (compare->target == RKV_COMPARE_VALUE) {
        compare->value = operand;
        return 0;
    }
    return take_number(operand, numbers[compare->target]) ? 0 : -1;
}

/* target("key") RELATION "operand" */
static int take_compare(char *text, struct compare *out)
{
    static const char *const targets[][3] = {{"version", "ver", "ver"},
                                             {"create", "c", "c"},
                                             {"mod", "m", "m"},
                                             {"value", "val", "val"},
                                             {"lease", "lease", "lease"}};
    const char *form = "expected version|create|mod|value|lease(\"KEY\") "
                       "=|!=|<|> \"OPERAND\"";
    struct bytes operand;
    char *line = skip(text), *shown = text;
    size_t len = strcspn(line, "(");

    *out = (struct compare){.target = -1};
    for (int32_t i = 0; i < 15; i++)
        if (strlen(targets[i / 3][i % 3]) == len &&
            strncmp(line, targets[i / 3][i % 3], len) == 0)
            out->target = i / 3;
    if (out->target < 0 || line[len] != '(')
        return bad_line(shown, form);
    line = take_word(skip(line + len + 1), " \t)", &out->key);
    if (line)
        line = skip(line);
    if (!line || *line != ')')
        return bad_line(shown, form);
    line = skip(line + 1);
    if (take_relation(&line, &out->result) != 0)
        return bad_line(shown, form);
    line = take_word(skip(line), " \t\r", &operand);
    if (!line || *skip(line) || set_operand(out, operand) != 0)
        return bad_line(shown, form);
    return CTL_OK;
}

/* The flags of an operation, after etcdctl's. */
struct op {
    struct bytes words[WORDS_MAX];
    size_t count;
    bool prefix, from_key, prev_kv, keys_only, count_only, ignore_value;
    int64_t limit, revision;
};
static const struct op_flag {
    const char *name;
    const char *ops;
    size_t offset;
} op_flags[] = {
    {"--prefix", "get del", offsetof(struct op, prefix)},
    {"--from-key", "get del", offsetof(struct op, from_key)},
    {"--prev-kv", "put del", offsetof(struct op, prev_kv)},
    {"--keys-only", "get", offsetof(struct op, keys_only)},
    {"--count-only", "get", offsetof(struct op, count_only)},
    {"--ignore-value", "put", offsetof(struct op, ignore_value)},
};

static bool take_op_flag(struct op *op, struct bytes word)
{
    char verb[4] = "";

    if (op->count > 0 && op->words[0].len == 3)
        memcpy(verb, op->words[0].at, 3);
    for (size_t i = 0; i < sizeof op_flags / sizeof *op_flags; i++) {
        if (!bytes_are(word, op_flags[i].name) || !*verb ||
            !strstr(op_flags[i].ops, verb))
            continue;
        *(bool *)(void *)((char *)op + op_flags[i].offset) = true;
        return true;
    }
    if (strcmp(verb, "get") != 0)
        return false;
    if (bytes_start(word, "--limit="))
        return take_number(bytes_of((const char *)word.at + 8, word.len - 8),
                           &op->limit);
    if (bytes_start(word, "--rev="))
        return take_number(bytes_of((const char *)word.at + 6, word.len - 6),
                           &op->revision);
    return false;
}

static int take_words(char *text, struct op *op)
{
    bool flags = true;

    for (char *line = skip(text); *line; line = skip(line)) {
        bool bare = *line != '"';
        struct bytes word;
        line = take_word(line, " \t\r", &word);
        if (!line)
            return bad_line(text, "a quote is not closed");
        if (bare && flags && bytes_are(word, "--")) {
            flags = false;
        } else if (bare && flags && bytes_start(word, "--")) {
            if (!take_op_flag(op, word))
                return bad_line(text, "a flag that this operation does not "
                                      "know; a key like it goes in quotes");
        } else if (op->count == WORDS_MAX) {
            return bad_line(text, "too many words");
        } else {
            op->words[op->count++] = word;
        }
    }
    return CTL_OK;
}

static struct bytes end_of(struct ctl *ctl, const struct op *op)
{
    if (op->count == 3)
        return op->words[2];
    if (op->from_key)
        return bytes_of("", 1);
    return op->prefix ? ctl_prefix_end(ctl, op->words[1]) : bytes_of("", 0);
}

/* put KEY VALUE, get KEY [END], del KEY [END], and flags. */
static int take_op(struct ctl *ctl, char *text, struct request_op *out)
{
    const char *form = "expected put KEY VALUE, get KEY [END] or del KEY "
                       "[END]";
    struct op op = {.count = 0};

    int rc = take_words(text, &op);
    if (rc != CTL_OK)
        return rc;
    bool put = bytes_are(op.words[0], "put");
    if (op.prefix + op.from_key + (!put && op.count == 3) > 1)
        return bad_line(text, "--prefix, --from-key and the end of a range "
                              "exclude each other");
    if (op.count < 2 || op.count > 3 ||
        (put && op.count != (op.ignore_value ? 2 : 3)))
        return bad_line(text, form);
    if (put) {
        struct put_request *r = arena_take(&ctl->arena, sizeof *r);
        *r = (struct put_request){.key = op.words[1],
                                  .value = op.words[2],
                                  .prev_kv = op.prev_kv,
                                  .ignore_value = op.ignore_value};
        out->put = r;
    } else if (bytes_are(op.words[0], "get")) {
        struct range_request *r = arena_take(&ctl->arena, sizeof *r);
        *r = (struct range_request){.key = op.words[1],
                                    .range_end = end_of(ctl, &op),
                                    .limit = op.limit,
                                    .revision = op.revision,
                                    .keys_only = op.keys_only,
                                    .count_only = op.count_only};
        out->range = r;
    } else if (bytes_are(op.words[0], "del")) {
        struct delete_request *r = arena_take(&ctl->arena, sizeof *r);
        *r = (struct delete_request){.key = op.words[1],
                                     .range_end = end_of(ctl, &op),
                                     .prev_kv = op.prev_kv};
        out->delete_range = r;
    } else {
        return bad_line(text, form);
    }
    return CTL_OK;
}

/* The next line, without its end; NULL: the section is over. */
static char *next_line(struct ctl *ctl, size_t *cap, char **line)
{
    ssize_t len = getline(line, cap, stdin);

    while (len > 0 && strchr("\r\n", (*line)[len - 1]))
        (*line)[--len] = '\0';
    if (len <= 0 || *skip(*line) == '\0')
        return NULL;
    char *kept = arena_take(&ctl->arena, (size_t)len + 1);
    return kept ? memcpy(kept, *line, (size_t)len + 1) : NULL;
}

static int read_request(struct ctl *ctl, struct txn_request *out)
{
    struct compare *compares =
        arena_array(&ctl->arena, LINES_MAX, sizeof *compares);
    char *line = NULL, *text;
    size_t cap = 0;
    int rc = CTL_OK;

    out->compare.at = compares;
    while (rc == CTL_OK && (text = next_line(ctl, &cap, &line))) {
        if (out->compare.count == LINES_MAX)
            rc = bad_line(text, "too many comparisons");
        else
            rc = take_compare(text, &compares[out->compare.count++]);
    }
    struct list *branches[] = {&out->success, &out->failure};
    for (size_t i = 0; i < 2; i++) {
        struct request_op *ops =
            arena_array(&ctl->arena, LINES_MAX, sizeof *ops);
        branches[i]->at = ops;
        while (rc == CTL_OK && (text = next_line(ctl, &cap, &line))) {
            if (branches[i]->count == LINES_MAX)
                rc = bad_line(text, "too many operations");
            else
                rc = take_op(ctl, text, &ops[branches[i]->count++]);
        }
    }
    free(line);
    return rc;
}

static void print_response(const struct ctl *ctl, const struct response_op *op)
{
    const struct rkv_item *items;

    putchar('\n');
    if (op->put) {
        puts("OK");
        if (op->put->prev_kv)
            print_item(ctl, op->put->prev_kv);
    } else if (op->range) {
        items = op->range->kvs.at;
        if (op->range->kvs.count == 0 && op->range->count > 0)
            printf("%lld\n", (long long)op->range->count);
        for (size_t i = 0; i < op->range->kvs.count; i++)
            print_item(ctl, &items[i]);
    } else if (op->delete_range) {
        printf("%lld\n", (long long)op->delete_range->deleted);
        items = op->delete_range->prev_kvs.at;
        for (size_t i = 0; i < op->delete_range->prev_kvs.count; i++)
            print_item(ctl, &items[i]);
    }
}

int cmd_txn(struct ctl *ctl)
{
    struct txn_request request = {0};
    struct txn_response response;

    if (ctl->argc != 0)
        return ctl_usage("txn reads the transaction from standard input");
    int rc = read_request(ctl, &request);
    if (rc == CTL_OK)
        rc = ctl_ask(ctl, "/v3/kv/txn", &txn_request_message, &request,
                     &txn_response_message, &response);
    if (rc != CTL_OK)
        return rc;
    if (ctl->json) {
        print_answer(ctl);
        return CTL_OK;
    }
    puts(response.succeeded ? "SUCCESS" : "FAILURE");
    const struct response_op *ops = response.responses.at;
    for (size_t i = 0; i < response.responses.count; i++)
        print_response(ctl, &ops[i]);
    return CTL_OK;
}
