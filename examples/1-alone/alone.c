/* SPDX-License-Identifier: BSD-2-Clause
 *
 * One member, alone, with its log in SQLite: writes a key, reads it back,
 * closes everything, opens it again and finds the key still there.
 *
 *     alone [DIRECTORY]
 *
 * Without a directory it uses a new one and removes it at the end.  There are
 * no peers, so no network; and since time is whatever the host says it is,
 * nothing here sleeps: when nothing is due, the clock jumps to the deadline.
 */
#define _XOPEN_SOURCE 700

#include <ftw.h>
#include <raftkv/raftkv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PUT_TOKEN = 1, READ_TOKEN = 2 };

struct host {
    rkv_store *store;
    rkv_node *node;
    uint64_t now; /* ticks, ever rising; a real host asks its clock */
};

/* A result below zero ends the program, with what the library says of it. */
static int must(const struct host *host, int result, const char *what)
{
    const char *more = "";

    if (result >= 0)
        return result;
    if (host->node)
        more = rkv_node_errmsg(host->node);
    else if (host->store)
        more = rkv_store_errmsg(host->store);
    fprintf(stderr, "%s: %s: %s. %s\n", what, rkv_errname(result),
            rkv_strerror(result), more);
    exit(1);
}

static void open_member(struct host *host, const char *directory)
{
    struct rkv_sqlite_options on_disk = {.size = sizeof on_disk,
                                         .path = directory};
    struct rkv_node_options options = {
        .size = sizeof options, .cluster = 7, .id = 1, .seed = 1};
    struct rkv_member myself = {.id = 1, .role = RKV_VOTER};

    must(host, rkv_store_sqlite(&on_disk, &host->store), "store");
    must(host, rkv_node_open(&options, host->store, &host->node), "open");
    /* On the second start this finds the same members and does nothing. */
    must(host, rkv_node_bootstrap(host->node, &myself, 1), "bootstrap");
}

static void close_member(struct host *host)
{
    rkv_node_close(host->node);
    rkv_store_close(host->store);
    host->node = NULL;
    host->store = NULL;
}

/* Turns the loop of every host until there is news. */
static const struct rkv_event *next_event(struct host *host)
{
    const struct rkv_event *event;

    while (!must(host, rkv_node_next_event(host->node, &event), "event")) {
        uint64_t deadline = rkv_node_deadline(host->node);

        if (deadline > host->now)
            host->now = deadline; /* a real host sleeps until then */
        must(host, rkv_node_tick(host->node, host->now), "tick");
        must(host, rkv_node_flush(host->node, host->now), "flush");
    }
    return event;
}

static void wait_to_lead(struct host *host)
{
    const struct rkv_event *event;

    do {
        event = next_event(host);
    } while (event->kind != RKV_EVENT_ROLE || event->role != RKV_LEADER);
    printf("leading term %llu\n", (unsigned long long)event->term);
}

static const struct rkv_event *answer_to(struct host *host, uint64_t token)
{
    const struct rkv_event *event;

    do {
        event = next_event(host);
    } while (event->kind != RKV_EVENT_DONE || event->token != token);
    return event;
}

static void put(struct host *host, const char *key, const char *value)
{
    struct rkv_put put = {.size = sizeof put,
                          .key = key,
                          .key_len = strlen(key),
                          .value = value,
                          .value_len = strlen(value)};
    const struct rkv_event *event;
    const void *command;
    size_t len;
    rkv_txn *txn;

    must(host, rkv_txn_new(NULL, &txn), "txn");
    rkv_txn_put(txn, &put); /* an error stays until encode tells it */
    must(host, rkv_txn_encode(txn, &command, &len), "encode");
    must(host, rkv_node_propose(host->node, PUT_TOKEN, command, len),
         "propose");
    rkv_txn_free(txn);

    event = answer_to(host, PUT_TOKEN);
    must(host,
         event->outcome == RKV_DONE ? event->result->status : event->status,
         "put");
    printf("put %s=%s at revision %lld\n", key, value,
           (long long)event->result->revision);
}

/* Prints the key's value, and says whether it is the one expected. */
static int get(struct host *host, const char *key, const char *expected)
{
    struct rkv_range range = {
        .size = sizeof range, .key = key, .key_len = strlen(key)};
    const struct rkv_result *result;
    const struct rkv_item *item;

    /* First a read point: after it the range misses no finished write. */
    must(host, rkv_node_read(host->node, READ_TOKEN), "read");
    must(host, answer_to(host, READ_TOKEN)->status, "read");
    must(host, rkv_kv_range(rkv_node_kv(host->node), &range, &result), "range");
    must(host, result->status, "range");
    if (result->responses[0].items_count == 0) {
        printf("get %s: not there\n", key);
        return 0;
    }
    item = &result->responses[0].items[0];
    printf("get %s=%.*s (version %lld)\n", key, (int)item->value_len,
           (const char *)item->value, (long long)item->version);
    return item->value_len == strlen(expected) &&
           memcmp(item->value, expected, item->value_len) == 0;
}

static int remove_one(const char *path, const struct stat *info, int kind,
                      struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/raftkv-alone-XXXXXX";
    const char *directory = argc > 1 ? argv[1] : mkdtemp(made);
    struct host host = {0};
    int right;

    if (!directory) {
        perror(made);
        return 1;
    }
    open_member(&host, directory);
    wait_to_lead(&host);
    put(&host, "colour", "green");
    right = get(&host, "colour", "green");
    close_member(&host);

    printf("closed; once more from %s\n", directory);
    open_member(&host, directory);
    wait_to_lead(&host);
    right = get(&host, "colour", "green") && right;
    close_member(&host);

    if (argc < 2 && nftw(made, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0) {
        perror(made);
        return 1;
    }
    puts(right ? "the key was there both times" : "the key was lost");
    return right ? 0 : 1;
}
