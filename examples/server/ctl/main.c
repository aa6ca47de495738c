/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/main.c - raftkvctl: the command line, and the table of commands.
 */
#include "ctl.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>

struct command {
    const char *name;
    const char *takes;
    const char *help;
    const char *flags; /* those it knows, besides the common ones */
    int (*run)(struct ctl *ctl);
};

static const struct command commands[] = {
    {"put", "KEY [VALUE|-]", "sets a key; - or nothing reads standard input",
     "prev-kv ignore-value", cmd_put},
    {"get", "KEY [END]", "prints keys and values",
     "prefix from-key keys-only count-only limit rev order sort-by "
     "serializable print-value-only",
     cmd_get},
    {"del", "KEY [END]", "removes keys", "prefix from-key prev-kv", cmd_del},
    {"txn", "", "reads comparisons and operations from standard input", "",
     cmd_txn},
    {"watch", "KEY [END]", "prints changes until it is stopped",
     "prefix from-key rev prev-kv limit progress", cmd_watch},
    {"compaction", "REVISION", "drops history up to a revision", "",
     cmd_compaction},
    {"status", "",
     "endpoint, id, version, bytes, leader?, learner?, term, "
     "index, applied, errors",
     "", cmd_status},
    {"hash", "", "a hash of the store at a revision, of each endpoint", "rev",
     cmd_hash},
    {"member", "list", "id, state, name, peer URLs, client URLs, learner?",
     "serializable", cmd_member},
    {"call", "PATH [JSON|-]",
     "sends what you wrote and prints status and "
     "answer",
     "", cmd_call},
    {"import", "FILE",
     "a key for each line of a file; retries until it is "
     "acknowledged",
     "clients at-half", cmd_import},
    {"verify", "FILE", "compares what import wrote with each endpoint",
     "clients", cmd_verify},
    {"load", "",
     "writes or reads as fast as it goes and prints how fast that "
     "was",
     "clients seconds requests value-size keys op", cmd_load},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

enum { BOOL, NUMBER, TEXT };
static const struct option_row {
    const char *name;
    const char *takes;
    const char *help;
    int kind;
    size_t offset;
} rows[] = {
#define AT(member) offsetof(struct ctl, member)
    {"prefix", NULL, "all keys that begin like KEY", BOOL, AT(prefix)},
    {"from-key", NULL, "all keys from KEY on", BOOL, AT(from_key)},
    {"keys-only", NULL, "no values", BOOL, AT(keys_only)},
    {"print-value-only", NULL, "no keys", BOOL, AT(print_value_only)},
    {"count-only", NULL, "how many", BOOL, AT(count_only)},
    {"prev-kv", NULL, "also what was there before", BOOL, AT(prev_kv)},
    {"ignore-value", NULL, "keep the value", BOOL, AT(ignore_value)},
    {"serializable", NULL, "what this endpoint has, fresh or not", BOOL,
     AT(serializable)},
    {"progress", NULL, "a sign of life every ten minutes", BOOL, AT(progress)},
    {"limit", "N", "at most so many; watch: then stop", NUMBER, AT(limit)},
    {"rev", "N", "as of this revision; watch: from it on", NUMBER,
     AT(revision)},
    {"order", "ascend|descend", "of the keys, or of --sort-by", TEXT,
     AT(order)},
    {"sort-by", "key|version|create|modify|value", "what goes first", TEXT,
     AT(sort_by)},
    {"clients", "N", "connections used at once", NUMBER, AT(clients)},
    {"seconds", "N", "how long", NUMBER, AT(seconds)},
    {"requests", "N", "how many, instead of how long", NUMBER, AT(requests)},
    {"value-size", "BYTES", "of each put", NUMBER, AT(value_size)},
    {"keys", "N", "different keys", NUMBER, AT(keys)},
    {"op", "put|get|serializable", "what to do all the time", TEXT,
     AT(operation)},
    {"at-half", "COMMAND", "run when exactly half is acknowledged", TEXT,
     AT(at_half)},
};
enum { ROWS = sizeof rows / sizeof *rows };
enum { ENDPOINTS = ROWS, TIMEOUT, HEX, WRITE_OUT, HELP, VERSION, OPTIONS };

static void print_help(void)
{
    printf("raftkvctl - asks and tells raftkvd\n\n"
           "usage: raftkvctl [--endpoints=URL,URL] COMMAND [ARGUMENTS] "
           "[FLAGS]\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %s%s%s\n      %s\n", commands[i].name,
               *commands[i].takes ? " " : "", commands[i].takes,
               commands[i].help);
    printf("\nflags:\n"
           "  --endpoints URL[,URL]  whom to ask, in this order "
           "(http://127.0.0.1:2379;\n      RAFTKVCTL_ENDPOINTS)\n"
           "  --command-timeout SECONDS  patience with one endpoint (10)\n"
           "  -w, --write-out simple|json  what answers look like (simple)\n"
           "  --hex  keys and values in hexadecimal\n"
           "  --version, --help\n");
    for (size_t i = 0; i < ROWS; i++) {
        printf("  --%s%s%s  %s:", rows[i].name, rows[i].takes ? " " : "",
               rows[i].takes ? rows[i].takes : "", rows[i].help);
        for (size_t j = 0; j < COMMANDS; j++) {
            const char *found = strstr(commands[j].flags, rows[i].name);
            size_t len = strlen(rows[i].name);
            if (found && (found[len] == ' ' || found[len] == '\0'))
                printf(" %s", commands[j].name);
        }
        printf("\n");
    }
    printf("\nexit codes: 0 done, 1 refused, 2 not understood, 3 no answer\n");
}

static bool knows(const struct command *command, const char *flag)
{
    size_t len = strlen(flag);

    for (const char *at = command->flags; (at = strstr(at, flag)); at += len)
        if ((at == command->flags || at[-1] == ' ') &&
            (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

static int take_number(const char *name, const char *value, int64_t *out)
{
    char *end;

    *out = strtoll(value, &end, 10);
    if (*value == '\0' || *end != '\0')
        return ctl_usage("--%s=%s: expected a whole number", name, value);
    return CTL_OK;
}

static int take_row(struct ctl *ctl, const struct option_row *row,
                    const char *value)
{
    char *place = (char *)ctl + row->offset;

    if (row->kind == NUMBER)
        return take_number(row->name, value, (int64_t *)(void *)place);
    if (row->kind == TEXT)
        *(const char **)(void *)place = value;
    else
        *(bool *)(void *)place = true;
    return CTL_OK;
}

/* "host:port" is as good as a URL. */
static int take_endpoints(struct ctl *ctl, const char *value)
{
    struct buffer text = {0};
    char error[256];

    for (const char *at = value; *at;) {
        size_t len = strcspn(at, ",");
        if (len > 0 && !memmem(at, len, "://", 3))
            buffer_text(&text, "http://");
        buffer_add(&text, at, len);
        at += len;
        if (*at)
            buffer_byte(&text, *at++);
    }
    int rc = url_list_parse(text.at ? text.at : "", text.len, 0,
                            &ctl->endpoints, error);
    buffer_free(&text);
    return rc == 0 ? CTL_OK : ctl_usage("--endpoints: %s", error);
}

static int take_common(struct ctl *ctl, int option, const char *value)
{
    char *end;

    switch (option) {
    case ENDPOINTS:
        return take_endpoints(ctl, value);
    case TIMEOUT: {
        double seconds = strtod(value, &end);
        if (end == value || (*end && strcmp(end, "s") != 0) ||
            !(seconds > 0 && seconds < 86400))
            return ctl_usage("--command-timeout=%s: expected seconds", value);
        ctl->timeout_ms = (int)(seconds * 1000) + 1;
        return CTL_OK;
    }
    case HEX:
        ctl->hex = true;
        return CTL_OK;
    case WRITE_OUT:
        ctl->json = strcmp(value, "json") == 0;
        if (!ctl->json && strcmp(value, "simple") != 0)
            return ctl_usage("--write-out=%s: expected simple or json", value);
        return CTL_OK;
    case HELP:
        print_help();
        return -1;
    default:
        printf("raftkvctl %s\n", RKV_VERSION_STRING);
        return -1;
    }
}

static void fill_options(struct option options[OPTIONS + 1])
{
    for (int i = 0; i < ROWS; i++)
        options[i] = (struct option){
            rows[i].name, rows[i].takes ? required_argument : no_argument, NULL,
            0x100 + i};
    options[ENDPOINTS] = (struct option){"endpoints", required_argument, NULL,
                                         0x100 + ENDPOINTS};
    options[TIMEOUT] = (struct option){"command-timeout", required_argument,
                                       NULL, 0x100 + TIMEOUT};
    options[HEX] = (struct option){"hex", no_argument, NULL, 0x100 + HEX};
    options[WRITE_OUT] = (struct option){"write-out", required_argument, NULL,
                                         0x100 + WRITE_OUT};
    options[HELP] = (struct option){"help", no_argument, NULL, 0x100 + HELP};
    options[VERSION] =
        (struct option){"version", no_argument, NULL, 0x100 + VERSION};
}

/* -1: asked for help or version, and got it. */
static int parse(struct ctl *ctl, int argc, char **argv,
                 bool given[static ROWS])
{
    struct option options[OPTIONS + 1] = {{0}};
    const char *endpoints = getenv("RAFTKVCTL_ENDPOINTS");

    fill_options(options);
    int rc = take_endpoints(
        ctl, endpoints && *endpoints ? endpoints : "http://127.0.0.1:2379");
    while (rc == CTL_OK) {
        int c = getopt_long(argc, argv, "w:h", options, NULL);
        if (c == -1)
            break;
        if (c == 'w' || c == 'h')
            c = 0x100 + (c == 'w' ? WRITE_OUT : HELP);
        /* getopt has said what it did not understand. */
        if (c < 0x100)
            return ctl_usage("nothing was asked");
        c -= 0x100;
        if (c >= ROWS) {
            rc = take_common(ctl, c, optarg);
        } else {
            given[c] = true;
            rc = take_row(ctl, &rows[c], optarg);
        }
    }
    return rc;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    bool given[ROWS] = {false};
    const struct command *command = NULL;

    int rc = parse(ctl, argc, argv, given);
    if (rc != CTL_OK)
        return rc;
    if (optind >= argc)
        return ctl_usage("expected a command");
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[optind], commands[i].name) == 0)
            command = &commands[i];
    if (!command)
        return ctl_usage("\"%s\" is no command", argv[optind]);
    for (size_t i = 0; i < ROWS; i++)
        if (given[i] && !knows(command, rows[i].name))
            return ctl_usage("%s does not know --%s", command->name,
                             rows[i].name);
    ctl->argc = argc - optind - 1;
    ctl->argv = argv + optind + 1;
    return command->run(ctl);
}

int main(int argc, char **argv)
{
    struct ctl ctl = {
        .timeout_ms = 10000,
        .answer_json = {.values_max = 64 * 1024 * 1024},
    };

    signal(SIGPIPE, SIG_IGN);
    int rc = run(&ctl, argc, argv);
    buffer_free(&ctl.answer);
    arena_free(&ctl.arena);
    if (fflush(stdout) != 0 && rc == CTL_OK)
        rc = CTL_REFUSED;
    return rc < 0 ? CTL_OK : rc;
}
