/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/kv_cmd.c - put, get, del, compaction.
 */
#include "ctl.h"

#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

static int read_stdin(struct buffer *out)
{
    char data[64 * 1024];
    ssize_t len;

    while ((len = read(STDIN_FILENO, data, sizeof data)) > 0)
        buffer_add(out, data, (size_t)len);
    return len < 0 || out->failed ? -1 : 0;
}

int cmd_put(struct ctl *ctl)
{
    struct put_request request = {.prev_kv = ctl->prev_kv,
                                  .ignore_value = ctl->ignore_value};
    struct put_response response;
    struct buffer value = {0};

    if (ctl->argc < 1 || ctl->argc > 2)
        return ctl_usage("put takes a key and a value; - or no value reads it "
                         "from standard input");
    request.key = bytes_text(ctl->argv[0]);
    if (ctl->argc == 2 && strcmp(ctl->argv[1], "-") != 0) {
        request.value = bytes_text(ctl->argv[1]);
    } else if (!ctl->ignore_value) {
        if (read_stdin(&value) != 0) {
            perror("raftkvctl: standard input");
            buffer_free(&value);
            return CTL_REFUSED;
        }
        request.value = bytes_of(value.at, value.len);
    }
    int rc = ctl_ask(ctl, "/v3/kv/put", &put_request_message, &request,
                     &put_response_message, &response);
    buffer_free(&value);
    if (rc != CTL_OK)
        return rc;
    if (ctl->json) {
        print_answer(ctl);
        return CTL_OK;
    }
    puts("OK");
    if (response.prev_kv)
        print_item(ctl, response.prev_kv);
    return CTL_OK;
}

/* KEY, KEY END, or KEY with --prefix or --from-key. */
static int take_range(struct ctl *ctl, struct bytes *key, struct bytes *end)
{
    if (ctl->argc < 1 || ctl->argc > 2)
        return ctl_usage("expected a key, or a key and the end of a range");
    if (ctl->prefix + ctl->from_key + (ctl->argc == 2) > 1)
        return ctl_usage("--prefix, --from-key and the end of a range exclude "
                         "each other");
    *key = bytes_text(ctl->argv[0]);
    if (ctl->argc == 2)
        *end = bytes_text(ctl->argv[1]);
    else if (ctl->prefix)
        *end = ctl_prefix_end(ctl, *key);
    else if (ctl->from_key)
        *end = bytes_of("", 1);
    if (key->len == 0 && (ctl->prefix || ctl->from_key))
        *key = bytes_of("", 1);
    return CTL_OK;
}

static int take_order(struct ctl *ctl, struct range_request *request)
{
    static const char *const orders[] = {"none", "ascend", "descend"};
    static const char *const targets[] = {"key", "version", "create", "modify",
                                          "value"};

    for (int32_t i = 0; ctl->order && i < 3; i++)
        if (strcasecmp(ctl->order, orders[i]) == 0)
            request->sort_order = i;
    for (int32_t i = 0; ctl->sort_by && i < 5; i++)
        if (strcasecmp(ctl->sort_by, targets[i]) == 0)
            request->sort_target = i;
    if (ctl->order && strcasecmp(ctl->order, orders[request->sort_order]) != 0)
        return ctl_usage("--order is ascend or descend");
    if (ctl->sort_by &&
        strcasecmp(ctl->sort_by, targets[request->sort_target]) != 0)
        return ctl_usage("--sort-by is key, version, create, modify or value");
    return CTL_OK;
}

int cmd_get(struct ctl *ctl)
{
    struct range_request request = {
        .limit = ctl->limit,
        .revision = ctl->revision,
        .serializable = ctl->serializable,
        .keys_only = ctl->keys_only,
        .count_only = ctl->count_only,
    };
    struct range_response response;

    int rc = take_range(ctl, &request.key, &request.range_end);
    if (rc == CTL_OK)
        rc = take_order(ctl, &request);
    if (rc == CTL_OK)
        rc = ctl_ask(ctl, "/v3/kv/range", &range_request_message, &request,
                     &range_response_message, &response);
    if (rc != CTL_OK)
        return rc;
    if (ctl->json) {
        print_answer(ctl);
    } else if (ctl->count_only) {
        printf("%lld\n", (long long)response.count);
    } else {
        const struct rkv_item *items = response.kvs.at;
        for (size_t i = 0; i < response.kvs.count; i++)
            print_item(ctl, &items[i]);
    }
    return CTL_OK;
}

int cmd_del(struct ctl *ctl)
{
    struct delete_request request = {.prev_kv = ctl->prev_kv};
    struct delete_response response;

    int rc = take_range(ctl, &request.key, &request.range_end);
    if (rc == CTL_OK)
        rc = ctl_ask(ctl, "/v3/kv/deleterange", &delete_request_message,
                     &request, &delete_response_message, &response);
    if (rc != CTL_OK)
        return rc;
    if (ctl->json) {
        print_answer(ctl);
        return CTL_OK;
    }
    printf("%lld\n", (long long)response.deleted);
    const struct rkv_item *items = response.prev_kvs.at;
    for (size_t i = 0; i < response.prev_kvs.count; i++)
        print_item(ctl, &items[i]);
    return CTL_OK;
}

int cmd_compaction(struct ctl *ctl)
{
    struct compaction_request request = {.physical = true};
    struct header_response response;
    char *end = NULL;

    if (ctl->argc == 1)
        request.revision = strtoll(ctl->argv[0], &end, 10);
    if (!end || *end || end == ctl->argv[0])
        return ctl_usage("compaction takes a revision");
    int rc = ctl_ask(ctl, "/v3/kv/compaction", &compaction_request_message,
                     &request, &header_response_message, &response);
    if (rc != CTL_OK)
        return rc;
    if (ctl->json)
        print_answer(ctl);
    else
        printf("compacted revision %lld\n", (long long)request.revision);
    return CTL_OK;
}
