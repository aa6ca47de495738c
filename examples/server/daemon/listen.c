/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/listen.c - sockets that listen, for clients and for peers.
 */
#include "server.h"

#include <netdb.h>

static int refuse(struct server *server, const struct url *url,
                  const char *flag, const char *why, const char *remedy)
{
    char text[URL_HOST_MAX + 32];

    url_format(url, text, sizeof text);
    log_line(&server->log, LOG_ERROR, "cannot listen",
             "flag=%s url=%s error=\"%s\" do=\"%s\"", flag, text, why, remedy);
    return -1;
}

static uint16_t port_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6)
        return ntohs(
            ((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static int listen_at(struct server *server, const struct addrinfo *info,
                     struct url *url, uv_connection_cb arrived,
                     uv_tcp_t *socket)
{
    struct sockaddr_storage bound;
    int len = sizeof bound;

    uv_tcp_init(&server->uv, socket);
    socket->data = server;
    int rc = uv_tcp_bind(socket, info->ai_addr, 0);
    if (rc == 0)
        rc = uv_listen((uv_stream_t *)socket, 4096, arrived);
    if (rc == 0)
        rc = uv_tcp_getsockname(socket, (struct sockaddr *)&bound, &len);
    if (rc == 0)
        url->port = port_of((struct sockaddr *)&bound);
    return rc;
}

static int listen_one(struct server *server, struct url *url, const char *flag,
                      uv_connection_cb arrived, uv_tcp_t *socket)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE};
    struct addrinfo *found;
    char port[8];

    snprintf(port, sizeof port, "%u", (unsigned)url->port);
    int rc = getaddrinfo(url->host, port, &hints, &found);
    if (rc != 0)
        return refuse(server, url, flag, gai_strerror(rc),
                      "give an address of this machine");
    rc = listen_at(server, url_address(found, 0), url, arrived, socket);
    freeaddrinfo(found);
    if (rc == UV_EADDRINUSE)
        return refuse(server, url, flag, uv_strerror(rc),
                      "stop what listens there, or choose another port");
    if (rc != 0)
        return refuse(server, url, flag, uv_strerror(rc),
                      "give an address of this machine and a port above 1023");
    return 0;
}

int listen_on(struct server *server, struct url_list *urls, const char *flag,
              uv_connection_cb arrived, uv_tcp_t *sockets)
{
    for (size_t i = 0; i < urls->count; i++)
        if (listen_one(server, &urls->urls[i], flag, arrived, &sockets[i]) != 0)
            return -1;
    return 0;
}
