/* SPDX-License-Identifier: BSD-2-Clause
 *
 * common/url.h - the addresses people type: http://HOST:PORT, and lists of
 * them.
 */
#ifndef SERVER_URL_H
#define SERVER_URL_H

#include <stddef.h>
#include <stdint.h>

enum { URL_HOST_MAX = 255, URL_LIST_MAX = 8 };

struct url {
    char host[URL_HOST_MAX + 1]; /* without the brackets of IPv6 */
    uint16_t port;
};

struct url_list {
    struct url urls[URL_LIST_MAX];
    size_t count;
};

/* 0, or -1 and a sentence in error (of at least 256 bytes).  A port of 0
 * stands for one yet to be chosen and is accepted only when allowed. */
int url_parse(const char *text, size_t len, int port_0, struct url *out,
              char *error);
/* "url,url" */
int url_list_parse(const char *text, size_t len, int port_0,
                   struct url_list *out, char *error);
/* "http://HOST:PORT", brackets where they belong; cut to cap. */
void url_format(const struct url *url, char *out, size_t cap);
void url_list_format(const struct url_list *list, char *out, size_t cap);
/* One of the addresses that a host was found to have: each in its turn, IPv4
 * first, as others who listen on "localhost" have it. */
struct addrinfo;
const struct addrinfo *url_address(const struct addrinfo *found, size_t turn);

#endif
