/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/import_cmd.c - a file becomes keys, and is compared with them.  A line
 * of /etc/services, "name port/protocol ...", becomes /services/PROTOCOL/NAME;
 * any other line /lines/NUMBER; the value is the line.  Puts are idempotent,
 * so one that was not answered is simply put again, elsewhere.
 */
#include "lanes.h"

#include <errno.h>
#include <stdlib.h>

enum { CLIENTS = 16, REQUEST_MS = 2000, STALL_MS = 30000 };

struct item {
    char *key;
    char *value;
    bool acknowledged;
};

struct import {
    struct item *items;
    size_t count;
    size_t next;
    size_t *again; /* items to be tried once more */
    size_t again_count;
    size_t acknowledged;
    size_t shown; /* tenths */
    size_t retried;
    size_t wrong;
    uint64_t last; /* when something was last acknowledged */
    bool stalled;
    struct buffer scratch;
};

/* ---- the file ---- */

static char *service_key(const char *line)
{
    char name[256], protocol[64], *key;
    unsigned port;

    if (sscanf(line, "%255s %u/%63[a-z0-9]", name, &port, protocol) != 3 ||
        asprintf(&key, "/services/%s/%s", protocol, name) < 0)
        return NULL;
    return key;
}

static char *line_key(size_t number)
{
    char *key;
    return asprintf(&key, "/lines/%07zu", number) < 0 ? NULL : key;
}

static int add_line(struct import *import, const char *line, size_t number)
{
    struct item *items =
        realloc(import->items, (import->count + 1) * sizeof *items);

    if (!items)
        return -1;
    import->items = items;
    struct item *item = &items[import->count];
    item->key = service_key(line);
    if (!item->key)
        item->key = line_key(number);
    item->value = strdup(line);
    item->acknowledged = false;
    if (!item->key || !item->value)
        return -1;
    import->count++;
    return 0;
}

static int order(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->key, ((const struct item *)b)->key);
}

/* Two lines with one key would overwrite each other in no certain order: the
 * later ones get a number. */
static int make_unique(struct import *import)
{
    size_t same = 0;

    if (import->count == 0)
        return 0;
    qsort(import->items, import->count, sizeof *import->items, order);
    for (size_t i = 1; i < import->count; i++) {
        char *first = import->items[i - 1 - same].key, *key;
        if (strcmp(first, import->items[i].key) != 0) {
            same = 0;
            continue;
        }
        same++;
        if (asprintf(&key, "%s#%zu", first, same + 1) < 0)
            return -1;
        free(import->items[i].key);
        import->items[i].key = key;
    }
    return 0;
}

static int read_items(struct import *import, const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0, number = 0;
    ssize_t len;
    int rc = 0;

    if (!file) {
        fprintf(stderr, "raftkvctl: %s: %s\n", path, strerror(errno));
        return CTL_USAGE;
    }
    while (rc == 0 && (len = getline(&line, &cap, file)) > 0) {
        number++;
        while (len > 0 && strchr("\r\n", line[len - 1]))
            line[--len] = '\0';
        size_t blank = strspn(line, " \t");
        if (line[blank] != '\0' && line[blank] != '#')
            rc = add_line(import, line, number);
    }
    free(line);
    fclose(file);
    if (rc == 0)
        rc = make_unique(import);
    if (rc != 0) {
        fprintf(stderr, "raftkvctl: out of memory\n");
        return CTL_REFUSED;
    }
    if (import->count == 0) {
        fprintf(stderr, "raftkvctl: %s: no lines to import\n", path);
        return CTL_USAGE;
    }
    import->again = calloc(import->count + 1024, sizeof *import->again);
    return import->again ? CTL_OK : CTL_REFUSED;
}

static void free_items(struct import *import)
{
    for (size_t i = 0; i < import->count; i++) {
        free(import->items[i].key);
        free(import->items[i].value);
    }
    free(import->items);
    free(import->again);
    buffer_free(&import->scratch);
}

/* ---- import ---- */

static bool choose(struct import *import, struct lane *lane)
{
    if (import->again_count > 0)
        lane->item = import->again[--import->again_count];
    else if (import->next < import->count)
        lane->item = import->next++;
    else
        return false;
    return true;
}

static void retry(struct lanes *lanes, struct lane *lane)
{
    struct import *import = lanes->ctx;

    import->retried++;
    import->again[import->again_count++] = lane->item;
}

static bool next_put(struct lanes *lanes, struct lane *lane)
{
    struct import *import = lanes->ctx;

    if (!choose(import, lane))
        return false;
    const struct item *item = &import->items[lane->item];
    struct put_request request = {.key = bytes_text(item->key),
                                  .value = bytes_text(item->value)};
    lanes_post(lane, "/v3/kv/put", &put_request_message, &request,
               &import->scratch);
    return true;
}

static void show(struct import *import)
{
    size_t tenths = import->acknowledged * 10 / import->count;

    if (tenths == import->shown)
        return;
    import->shown = tenths;
    printf(" %zu%%", tenths * 10);
    fflush(stdout);
}

static void run_at_half(struct lanes *lanes, const struct import *import)
{
    printf(" [%zu of %zu acknowledged: %s]", import->acknowledged,
           import->count, lanes->ctl->at_half);
    fflush(stdout);
    int rc = system(lanes->ctl->at_half);
    if (rc != 0)
        fprintf(stderr, "raftkvctl: that command failed: %d\n", rc);
}

static void put_answered(struct lanes *lanes, struct lane *lane, int status,
                         char *body, size_t len)
{
    struct import *import = lanes->ctx;
    struct item *item = &import->items[lane->item];

    if (status != 200) {
        if (status < 500 && status != 429) {
            fprintf(stderr, "raftkvctl: %s: refused: %.*s\n", item->key,
                    (int)len, body);
            import->wrong++;
            lanes->over = true;
        }
        retry(lanes, lane);
        return;
    }
    item->acknowledged = true;
    import->last = lanes_now();
    import->acknowledged++;
    show(import);
    if (import->acknowledged == import->count)
        lanes->over = true;
    if (import->acknowledged == import->count / 2 && lanes->ctl->at_half)
        run_at_half(lanes, import);
}

static void check_stall(struct lanes *lanes, uint64_t now)
{
    struct import *import = lanes->ctx;

    if (now > import->last &&
        now - import->last > (uint64_t)STALL_MS * 1000000) {
        import->stalled = true;
        lanes->over = true;
    }
}

static struct lanes lanes_of(struct ctl *ctl, struct import *import)
{
    size_t count = ctl->clients > 0 ? (size_t)ctl->clients : CLIENTS;

    return (struct lanes){
        .ctl = ctl,
        .ctx = import,
        .count = count < 1000 ? count : 1000,
        .timeout_ns = (uint64_t)REQUEST_MS * 1000000,
        .lost = retry,
        .tick = check_stall,
    };
}

int cmd_import(struct ctl *ctl)
{
    struct import import = {.last = lanes_now()};
    struct lanes lanes = lanes_of(ctl, &import);

    if (ctl->argc != 1)
        return ctl_usage("import takes a file");
    int rc = read_items(&import, ctl->argv[0]);
    if (rc == CTL_OK) {
        uint64_t from = lanes_now();
        lanes.next = next_put;
        lanes.answered = put_answered;
        printf("import:");
        rc = lanes_run(&lanes);
        double seconds = (double)(lanes_now() - from) / 1e9;
        printf("\n");
        if (rc == CTL_OK && import.wrong)
            rc = CTL_REFUSED;
        if (rc == CTL_OK && import.stalled) {
            fprintf(stderr,
                    "raftkvctl: nothing was acknowledged for %d s: %zu of %zu "
                    "are; is there a quorum?\n",
                    STALL_MS / 1000, import.acknowledged, import.count);
            rc = CTL_UNREACHED;
        }
        if (rc == CTL_OK)
            printf("import: %zu keys acknowledged in %.1f s, %zu put again\n",
                   import.acknowledged, seconds, import.retried);
    }
    free_items(&import);
    return rc;
}

/* ---- verify ---- */

static bool next_get(struct lanes *lanes, struct lane *lane)
{
    struct import *import = lanes->ctx;

    if (!choose(import, lane))
        return false;
    struct range_request request = {
        .key = bytes_text(import->items[lane->item].key), .serializable = true};
    lanes_post(lane, "/v3/kv/range", &range_request_message, &request,
               &import->scratch);
    return true;
}

static bool same_value(struct ctl *ctl, const struct item *item, char *body,
                       size_t len)
{
    arena_reset(&ctl->arena);
    const struct range_response *response = message_from_json(
        &ctl->arena, &range_response_message, &ctl->answer_json, body, len);
    if (!response || response->kvs.count != 1)
        return false;
    const struct rkv_item *found = response->kvs.at;
    return bytes_are(bytes_of(found->value, found->value_len), item->value);
}

static void get_answered(struct lanes *lanes, struct lane *lane, int status,
                         char *body, size_t len)
{
    struct import *import = lanes->ctx;
    const struct item *item = &import->items[lane->item];

    import->last = lanes_now();
    if (status != 200 || !same_value(lanes->ctl, item, body, len)) {
        if (import->wrong++ == 0)
            fprintf(stderr,
                    "raftkvctl: %s: expected \"%s\", found HTTP %d "
                    "%.*s\n",
                    item->key, item->value, status, (int)len, body);
    }
    if (++import->acknowledged == import->count)
        lanes->over = true;
}

static int verify_one(struct ctl *ctl, struct import *import,
                      const struct url *endpoint)
{
    struct lanes lanes = lanes_of(ctl, import);
    char url[URL_HOST_MAX + 32];

    url_format(endpoint, url, sizeof url);
    import->next = import->again_count = import->acknowledged = 0;
    import->wrong = 0;
    import->last = lanes_now();
    lanes.next = next_get;
    lanes.answered = get_answered;
    int rc = lanes_run(&lanes);
    if (rc != CTL_OK)
        return rc;
    if (import->stalled) {
        fprintf(stderr, "raftkvctl: %s: no answers\n", url);
        return CTL_UNREACHED;
    }
    printf("verify: %s holds %zu of %zu\n", url, import->count - import->wrong,
           import->count);
    return import->wrong ? CTL_REFUSED : CTL_OK;
}

int cmd_verify(struct ctl *ctl)
{
    struct import import = {0};
    struct url_list all = ctl->endpoints;

    if (ctl->argc != 1)
        return ctl_usage("verify takes the file that was imported");
    int rc = read_items(&import, ctl->argv[0]);
    for (size_t i = 0; rc == CTL_OK && i < all.count; i++) {
        ctl->endpoints.count = 1;
        ctl->endpoints.urls[0] = all.urls[i];
        rc = verify_one(ctl, &import, &all.urls[i]);
    }
    free_items(&import);
    return rc;
}
