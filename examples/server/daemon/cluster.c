/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/cluster.c - static bootstrap: the list on the command line becomes
 * members with ids.
 */
#include "cluster.h"

#include <stdio.h>
#include <string.h>

#include "../common/buffer.h"
#include "../common/hash.h"

enum { ERROR_BYTES = 256 };

/* The order of URLs and of members on the command line means nothing. */
static void sort_urls(struct url_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        for (size_t j = i; j > 0; j--) {
            struct url *a = &list->urls[j - 1], *b = &list->urls[j], swap;
            int order = strcmp(a->host, b->host);
            if (order < 0 || (order == 0 && a->port <= b->port))
                break;
            swap = *a;
            *a = *b;
            *b = swap;
        }
    }
}

static uint64_t member_id(const struct address *address, const char *token)
{
    char text[URL_LIST_MAX * (URL_HOST_MAX + 16)];

    url_list_format(&address->peer_urls, text, sizeof text);
    uint64_t hash = hash_text(HASH_START, address->name);
    hash = hash_text(hash, text);
    return hash_end(hash_text(hash, token));
}

static uint64_t cluster_id(struct cluster *cluster, const char *token)
{
    uint64_t hash = hash_text(HASH_START, token);

    for (size_t i = 1; i < cluster->count; i++) {
        for (size_t j = i; j > 0 && cluster->ids[j - 1] > cluster->ids[j];
             j--) {
            uint64_t id = cluster->ids[j];
            struct address address = cluster->addresses[j];
            cluster->ids[j] = cluster->ids[j - 1];
            cluster->addresses[j] = cluster->addresses[j - 1];
            cluster->ids[j - 1] = id;
            cluster->addresses[j - 1] = address;
        }
    }
    for (size_t i = 0; i < cluster->count; i++) {
        char id[32];
        snprintf(id, sizeof id, "%llx", (unsigned long long)cluster->ids[i]);
        hash = hash_text(hash, id);
    }
    return hash_end(hash);
}

/* "name=url" adds a member, or a URL to a member of that name. */
static int add_pair(struct cluster *out, const char *text, size_t len,
                    char *error)
{
    const char *equals = memchr(text, '=', len);
    struct address *address = NULL;

    if (!equals || equals == text || equals - text > 128) {
        snprintf(error, ERROR_BYTES,
                 "--initial-cluster: \"%.*s\": expected NAME=http://HOST:PORT",
                 (int)(len < 80 ? len : 80), text);
        return -1;
    }
    size_t name_len = (size_t)(equals - text);
    for (size_t i = 0; i < out->count; i++)
        if (strlen(out->addresses[i].name) == name_len &&
            memcmp(out->addresses[i].name, text, name_len) == 0)
            address = &out->addresses[i];
    if (!address) {
        if (out->count == RKV_MEMBERS_MAX) {
            snprintf(error, ERROR_BYTES,
                     "--initial-cluster: more than %d members",
                     (int)RKV_MEMBERS_MAX);
            return -1;
        }
        address = &out->addresses[out->count++];
        memset(address, 0, sizeof *address);
        memcpy(address->name, text, name_len);
    }
    if (address->peer_urls.count == URL_LIST_MAX) {
        snprintf(error, ERROR_BYTES, "--initial-cluster: too many URLs of %s",
                 address->name);
        return -1;
    }
    char why[ERROR_BYTES];
    struct url *url = &address->peer_urls.urls[address->peer_urls.count];
    if (url_parse(equals + 1, len - name_len - 1, 0, url, why) != 0) {
        snprintf(error, ERROR_BYTES, "--initial-cluster: %.200s", why);
        return -1;
    }
    address->peer_urls.count++;
    return 0;
}

static int parse_list(const char *text, struct cluster *out, char *error)
{
    for (;;) {
        size_t len = strcspn(text, ",");
        if (add_pair(out, text, len, error) != 0)
            return -1;
        text += len;
        if (*text++ == '\0')
            return 0;
    }
}

static struct address *find_name(struct cluster *cluster, const char *name)
{
    for (size_t i = 0; i < cluster->count; i++)
        if (strcmp(cluster->addresses[i].name, name) == 0)
            return &cluster->addresses[i];
    return NULL;
}

static int check_self(const struct settings *flags, struct address *self,
                      char *error)
{
    struct url_list advertised = flags->advertise_peer;
    char ours[400], theirs[400];

    if (advertised.count == 0)
        return 0;
    sort_urls(&advertised);
    sort_urls(&self->peer_urls);
    url_list_format(&advertised, ours, sizeof ours);
    url_list_format(&self->peer_urls, theirs, sizeof theirs);
    if (strcmp(ours, theirs) == 0)
        return 0;
    snprintf(error, ERROR_BYTES,
             "--initial-cluster has %.60s for %.30s, but "
             "--initial-advertise-peer-urls says %.60s; make them the same",
             theirs, self->name, ours);
    return -1;
}

int cluster_parse(const struct settings *flags, struct cluster *out,
                  char *error)
{
    memset(out, 0, sizeof *out);
    if (flags->initial_cluster) {
        if (parse_list(flags->initial_cluster, out, error) != 0)
            return -1;
    } else {
        out->count = 1;
        snprintf(out->addresses[0].name, sizeof out->addresses[0].name, "%s",
                 flags->name);
        out->addresses[0].peer_urls = flags->advertise_peer.count
                                          ? flags->advertise_peer
                                          : flags->listen_peer;
    }
    struct address *self = find_name(out, flags->name);
    if (!self) {
        snprintf(error, ERROR_BYTES,
                 "--initial-cluster does not name %.60s, which is this "
                 "member's --name",
                 flags->name);
        return -1;
    }
    if (check_self(flags, self, error) != 0)
        return -1;
    for (size_t i = 0; i < out->count; i++) {
        sort_urls(&out->addresses[i].peer_urls);
        out->ids[i] = member_id(&out->addresses[i], flags->cluster_token);
        if (strcmp(out->addresses[i].name, flags->name) == 0)
            out->self = out->ids[i];
    }
    out->id = cluster_id(out, flags->cluster_token);
    for (size_t i = 1; i < out->count; i++) {
        if (out->ids[i] != out->ids[i - 1])
            continue;
        snprintf(error, ERROR_BYTES,
                 "%.60s and %.60s have the same id; choose another "
                 "--initial-cluster-token",
                 out->addresses[i - 1].name, out->addresses[i].name);
        return -1;
    }
    return 0;
}

/* A list that would not fit is cut between two URLs. */
size_t address_encode(const struct address *address, char out[RKV_ADDRESS_MAX])
{
    const struct url_list *lists[2] = {&address->peer_urls,
                                       &address->client_urls};
    size_t len = strlen(address->name);

    memcpy(out, address->name, len);
    for (size_t i = 0; i < 2; i++) {
        out[len++] = '\n';
        for (size_t j = 0; j < lists[i]->count; j++) {
            char url[URL_HOST_MAX + 32];
            url_format(&lists[i]->urls[j], url, sizeof url);
            size_t more = strlen(url);
            if (len + more + 3 > RKV_ADDRESS_MAX)
                break;
            if (j > 0)
                out[len++] = ',';
            memcpy(out + len, url, more);
            len += more;
        }
    }
    return len;
}

static int decode_urls(const char *text, size_t len, struct url_list *out)
{
    char error[ERROR_BYTES];

    out->count = 0;
    return len == 0 ? 0 : url_list_parse(text, len, 1, out, error);
}

int address_decode(const void *data, size_t len, struct address *out)
{
    const char *text = data;

    memset(out, 0, sizeof *out);
    const char *first = len ? memchr(text, '\n', len) : NULL;
    if (!first || (size_t)(first - text) >= sizeof out->name)
        return -1;
    memcpy(out->name, text, (size_t)(first - text));
    const char *rest = first + 1;
    size_t rest_len = len - (size_t)(rest - text);
    const char *second = rest_len ? memchr(rest, '\n', rest_len) : NULL;
    if (!second)
        return -1;
    size_t peer_len = (size_t)(second - rest);
    if (decode_urls(rest, peer_len, &out->peer_urls) != 0)
        return -1;
    return decode_urls(second + 1, rest_len - peer_len - 1, &out->client_urls);
}
