/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctl/cluster_cmd.c - status, hash and member list, and a call of whatever
 * path one likes.
 */
#include "ctl.h"

#include <unistd.h>

static void print_status(const struct url *endpoint,
                         const struct status_response *status)
{
    char url[URL_HOST_MAX + 32];
    const struct bytes *errors = status->errors.at;

    url_format(endpoint, url, sizeof url);
    printf("%s, %llx, %.*s, %lld, %s, %s, %llu, %llu, %llu, %.*s\n", url,
           (unsigned long long)status->header->member_id,
           (int)status->version.len, (const char *)status->version.at,
           (long long)status->db_size,
           status->leader == status->header->member_id ? "true" : "false",
           status->is_learner ? "true" : "false",
           (unsigned long long)status->raft_term,
           (unsigned long long)status->raft_index,
           (unsigned long long)status->raft_applied_index,
           status->errors.count ? (int)errors->len : 0,
           status->errors.count ? (const char *)errors->at : "");
}

/* All endpoints are asked, whatever the others say. */
int cmd_status(struct ctl *ctl)
{
    struct status_request request = {0};
    int worst = CTL_OK;

    if (ctl->argc != 0)
        return ctl_usage("status takes no argument");
    for (size_t i = 0; i < ctl->endpoints.count; i++) {
        struct status_response status;
        arena_reset(&ctl->arena);
        int rc =
            ctl_ask_one(ctl, &ctl->endpoints.urls[i], "/v3/maintenance/status",
                        &status_request_message, &request,
                        &status_response_message, &status, false);
        if (rc != CTL_OK)
            worst = rc;
        else if (ctl->json)
            print_answer(ctl);
        else if (status.header)
            print_status(&ctl->endpoints.urls[i], &status);
    }
    return worst;
}

int cmd_hash(struct ctl *ctl)
{
    struct hash_kv_request request = {ctl->revision};
    int worst = CTL_OK;

    if (ctl->argc != 0)
        return ctl_usage("hash takes no argument; --rev says as of when");
    for (size_t i = 0; i < ctl->endpoints.count; i++) {
        struct hash_kv_response hash;
        char url[URL_HOST_MAX + 32];
        arena_reset(&ctl->arena);
        int rc = ctl_ask_one(ctl, &ctl->endpoints.urls[i],
                             "/v3/maintenance/hashkv", &hash_kv_request_message,
                             &request, &hash_kv_response_message, &hash, false);
        url_format(&ctl->endpoints.urls[i], url, sizeof url);
        if (rc != CTL_OK)
            worst = rc;
        else if (ctl->json)
            print_answer(ctl);
        else
            printf("%s, %u, %lld\n", url, hash.hash,
                   (long long)hash.hash_revision);
    }
    return worst;
}

static void print_list(const struct list *list)
{
    const struct bytes *texts = list->at;

    for (size_t i = 0; i < list->count; i++)
        printf("%s%.*s", i ? "," : "", (int)texts[i].len,
               (const char *)texts[i].at);
}

static void print_member(const struct member *member)
{
    printf("%llx, %s, %.*s, ", (unsigned long long)member->id,
           member->client_urls.count ? "started" : "unstarted",
           (int)member->name.len, (const char *)member->name.at);
    print_list(&member->peer_urls);
    printf(", ");
    print_list(&member->client_urls);
    printf(", %s\n", member->is_learner ? "true" : "false");
}

int cmd_member(struct ctl *ctl)
{
    struct member_list_request request = {.linearizable = !ctl->serializable};
    struct member_list_response response;

    if (ctl->argc != 1 || strcmp(ctl->argv[0], "list") != 0)
        return ctl_usage("member knows one thing so far: member list");
    int rc =
        ctl_ask(ctl, "/v3/cluster/member/list", &member_list_request_message,
                &request, &member_list_response_message, &response);
    if (rc != CTL_OK)
        return rc;
    if (ctl->json) {
        print_answer(ctl);
        return CTL_OK;
    }
    const struct member *members = response.members.at;
    for (size_t i = 0; i < response.members.count; i++)
        print_member(&members[i]);
    return CTL_OK;
}

/* What comes back, whatever the status: for scripts and the curious. */
int cmd_call(struct ctl *ctl)
{
    struct buffer body = {0};
    struct http *http;
    char error[256] = "";
    int status = HTTP_FAILED_EARLY;

    if (ctl->argc < 1 || ctl->argc > 2)
        return ctl_usage("call takes a path and a JSON body (- reads it from "
                         "standard input); without one it is a GET");
    const char *method = ctl->argc == 2 ? "POST" : "GET";
    if (ctl->argc == 2 && strcmp(ctl->argv[1], "-") == 0) {
        char data[64 * 1024];
        ssize_t len;
        while ((len = read(STDIN_FILENO, data, sizeof data)) > 0)
            buffer_add(&body, data, (size_t)len);
    } else if (ctl->argc == 2) {
        buffer_text(&body, ctl->argv[1]);
    }
    if (http_open(&ctl->endpoints.urls[0], ctl->timeout_ms, &http, error) ==
        0) {
        status = http_ask(http, method, ctl->argv[0], body.at, body.len,
                          &ctl->answer, error);
        http_close(http);
    }
    buffer_free(&body);
    if (status < 0) {
        fprintf(stderr, "raftkvctl: %s\n", error);
        return CTL_UNREACHED;
    }
    printf("%d ", status);
    print_answer(ctl);
    return status == 200 ? CTL_OK : CTL_REFUSED;
}
