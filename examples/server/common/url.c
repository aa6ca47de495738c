/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/url.c - only what raftkvd speaks: plain http, host and port, no
 * path.  What it does not speak is refused by name.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "url.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

enum { ERROR_BYTES = 256 };

static int refuse(char *error, const char *text, size_t len, const char *why)
{
    snprintf(error, ERROR_BYTES, "\"%.*s\": %s", (int)(len < 100 ? len : 100),
             text, why);
    return -1;
}

static int starts_with(const char *text, size_t len, const char *prefix)
{
    size_t prefix_len = strlen(prefix);
    return len >= prefix_len && memcmp(text, prefix, prefix_len) == 0;
}

static int parse_port(const char *text, size_t len, uint16_t *out)
{
    uint32_t port = 0;

    if (len == 0 || len > 5)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    if (port > 65535)
        return -1;
    *out = (uint16_t)port;
    return 0;
}

/* The colon before the port: the last one, and after any bracket. */
static const char *find_colon(const char *text, size_t len)
{
    for (size_t i = len; i > 0; i--) {
        if (text[i - 1] == ':')
            return text + i - 1;
        if (text[i - 1] == ']')
            return NULL;
    }
    return NULL;
}

static int host_is_plain(const char *host, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];
        if (c <= ' ' || c >= 0x7f || strchr("/?#@\"'\\<>", c))
            return 0;
    }
    return len > 0 && len <= URL_HOST_MAX;
}

int url_parse(const char *text, size_t len, int port_0, struct url *out,
              char *error)
{
    if (starts_with(text, len, "https://"))
        return refuse(error, text, len,
                      "https is not there yet; use http:// and a network that "
                      "is yours alone");
    if (starts_with(text, len, "unix://") || starts_with(text, len, "unixs://"))
        return refuse(error, text, len,
                      "unix sockets are not there yet; use http://HOST:PORT");
    if (!starts_with(text, len, "http://"))
        return refuse(error, text, len, "expected http://HOST:PORT");
    const char *host = text + 7;
    size_t rest = len - 7;
    if (rest > 0 && host[rest - 1] == '/')
        rest--;
    const char *colon = find_colon(host, rest);
    if (!colon)
        return refuse(error, text, len, "the port is missing");
    size_t host_len = (size_t)(colon - host);
    if (parse_port(colon + 1, rest - host_len - 1, &out->port) != 0 ||
        (out->port == 0 && !port_0))
        return refuse(error, text, len,
                      "the port is no number from 1 to 65535");
    if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host++;
        host_len -= 2;
    } else if (memchr(host, ':', host_len)) {
        return refuse(error, text, len,
                      "an IPv6 address goes in brackets: http://[::1]:2379");
    }
    if (!host_is_plain(host, host_len))
        return refuse(error, text, len, "the host is missing or no host name");
    memcpy(out->host, host, host_len);
    out->host[host_len] = '\0';
    return 0;
}

int url_list_parse(const char *text, size_t len, int port_0,
                   struct url_list *out, char *error)
{
    const char *end = text + len;

    out->count = 0;
    for (;;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        size_t part = (size_t)((comma ? comma : end) - text);
        if (out->count == URL_LIST_MAX)
            return refuse(error, text, part, "too many URLs in one list");
        if (url_parse(text, part, port_0, &out->urls[out->count], error) != 0)
            return -1;
        out->count++;
        if (!comma)
            return 0;
        text = comma + 1;
    }
}

void url_format(const struct url *url, char *out, size_t cap)
{
    int is_v6 = strchr(url->host, ':') != NULL;
    snprintf(out, cap, "http://%s%s%s:%u", is_v6 ? "[" : "", url->host,
             is_v6 ? "]" : "", (unsigned)url->port);
}

void url_list_format(const struct url_list *list, char *out, size_t cap)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < list->count && used + 1 < cap; i++) {
        if (i > 0)
            out[used++] = ',';
        url_format(&list->urls[i], out + used, cap - used);
        used += strlen(out + used);
    }
}

const struct addrinfo *url_address(const struct addrinfo *found, size_t turn)
{
    size_t count = 1;

    for (const struct addrinfo *info = found; info->ai_next;
         info = info->ai_next)
        count++;
    size_t at = turn % count;
    for (int others = 0; others < 2; others++)
        for (const struct addrinfo *info = found; info; info = info->ai_next)
            if ((info->ai_family != AF_INET) == others && at-- == 0)
                return info;
    return found;
}
