/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/cluster.h - who belongs together.  A member's id comes from its
 * name, its peer URLs and the token; the cluster's id from all of them.  So
 * every member can compute them alone, and one typo anywhere shows as another
 * cluster id, which members tell each other when they meet.
 */
#ifndef SERVER_CLUSTER_H
#define SERVER_CLUSTER_H

#include <raftkv/base.h>

#include "flags.h"

/* What the configuration says of a member, besides its id and role. */
struct address {
    char name[129];
    struct url_list peer_urls;
    struct url_list client_urls;
};

struct cluster {
    uint64_t id;
    uint64_t self;
    size_t count;
    uint64_t ids[RKV_MEMBERS_MAX];
    struct address addresses[RKV_MEMBERS_MAX];
};

/* From --initial-*; 0, or -1 and a sentence in error (256 bytes). */
int cluster_parse(const struct settings *flags, struct cluster *out,
                  char *error);

/* The opaque bytes of a member's address: three lines of text. */
size_t address_encode(const struct address *address, char out[RKV_ADDRESS_MAX]);
int address_decode(const void *data, size_t len, struct address *out);

#endif
