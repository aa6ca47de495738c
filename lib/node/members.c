/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The members as last applied, with their addresses: what the core does not
 * need to know.  The configuration is written before every snapshot, together
 * with the digest of the members the cluster began with.
 */
#include <string.h>

#include "room.h"

enum { CONFIG_VERSION = 1, GENESIS_BYTES = 32 };

static void address_free(rkv_node *node, struct rkv_member *member)
{
    rkv_release(&node->hub->allocator, (void *)(uintptr_t)member->address,
                member->address_len);
    member->address = NULL;
    member->address_len = 0;
}

static int address_set(rkv_node *node, struct rkv_member *member,
                       const void *address, size_t len)
{
    void *copy = NULL;

    if (len > 0) {
        copy = rkv_alloc(&node->hub->allocator, len);
        if (copy == NULL)
            return RKV_ENOMEM;
        memcpy(copy, address, len);
    }
    address_free(node, member);
    member->address = copy;
    member->address_len = (uint32_t)len;
    return RKV_OK;
}

static uint32_t position(const rkv_node *node, uint64_t id)
{
    uint32_t at = 0;

    while (at < node->members_count && node->members[at].id < id)
        at++;
    return at;
}

const struct rkv_member *rkv_members_find(const rkv_node *node, uint64_t id)
{
    uint32_t at = position(node, id);

    return at < node->members_count && node->members[at].id == id
               ? &node->members[at]
               : NULL;
}

static int insert(rkv_node *node, uint64_t id)
{
    uint32_t at = position(node, id);
    void *members = node->members;

    if (at < node->members_count && node->members[at].id == id)
        return RKV_OK;
    if (rkv_grow(&node->hub->allocator, &members, &node->members_cap,
                 (size_t)node->members_count + 1,
                 sizeof *node->members) != RKV_OK)
        return RKV_ENOMEM;
    node->members = members;
    memmove(&node->members[at + 1], &node->members[at],
            (node->members_count - at) * sizeof *node->members);
    memset(&node->members[at], 0, sizeof node->members[at]);
    node->members[at].id = id;
    node->members_count++;
    return RKV_OK;
}

static void erase(rkv_node *node, uint32_t at)
{
    address_free(node, &node->members[at]);
    node->members_count--;
    memmove(&node->members[at], &node->members[at + 1],
            (node->members_count - at) * sizeof *node->members);
}

/* Who is there in which role the core has worked out; addresses come with the
 * changes.  A promotion may leave the address as it is. */
int rkv_members_change(rkv_node *node, const struct rkv_changes *changes)
{
    const struct rkv_raft_member *flat;
    uint32_t count = rkv_raft_members(node->raft, &flat);

    for (uint32_t i = 0, at = 0; i < node->members_count;) {
        while (at < count && flat[at].id < node->members[i].id)
            at++;
        if (at < count && flat[at].id == node->members[i].id)
            i++;
        else
            erase(node, i);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (insert(node, flat[i].id) != RKV_OK)
            return RKV_ENOMEM;
        node->members[i].role = flat[i].role;
    }
    for (uint32_t i = 0; i < changes->count; i++) {
        const struct rkv_change *change = &changes->list[i];
        uint32_t at = position(node, change->id);

        if (at == node->members_count || node->members[at].id != change->id)
            continue;
        if (change->address_len == 0 && change->op != RKV_CHANGE_UPDATE)
            continue;
        if (address_set(node, &node->members[at], change->address,
                        change->address_len) != RKV_OK)
            return RKV_ENOMEM;
    }
    return RKV_OK;
}

int rkv_members_set(rkv_node *node, const struct rkv_member *members,
                    uint32_t count)
{
    while (node->members_count > 0)
        address_free(node, &node->members[--node->members_count]);
    for (uint32_t i = 0; i < count; i++) {
        struct rkv_member *member;

        if (insert(node, members[i].id) != RKV_OK)
            return RKV_ENOMEM;
        member = &node->members[position(node, members[i].id)];
        member->role = members[i].role;
        if (address_set(node, member, members[i].address,
                        members[i].address_len) != RKV_OK)
            return RKV_ENOMEM;
    }
    return RKV_OK;
}

void rkv_changes_flat(const struct rkv_changes *changes,
                      struct rkv_raft_changes *out,
                      struct rkv_raft_change list[RKV_CHANGES_MAX])
{
    memset(list, 0, changes->count * sizeof *list);
    for (uint32_t i = 0; i < changes->count; i++) {
        list[i].op = changes->list[i].op;
        list[i].id = changes->list[i].id;
    }
    out->list = list;
    out->count = changes->count;
    out->transition = changes->transition;
}

uint32_t rkv_members_flat(const rkv_node *node, struct rkv_raft_member *out)
{
    for (uint32_t i = 0; i < node->members_count; i++) {
        memset(&out[i], 0, sizeof out[i]);
        out[i].id = node->members[i].id;
        out[i].role = node->members[i].role;
    }
    return node->members_count;
}

uint32_t rkv_node_members(const rkv_node *node, const struct rkv_member **out)
{
    if (node == NULL || out == NULL)
        return 0;
    *out = node->members;
    return node->members_count;
}

/* ---- as bytes: version, genesis digest, members ---- */

int rkv_config_write(rkv_node *node, struct rkv_buffer *out)
{
    rkv_buffer_clear(out);
    rkv_write_u8(out, CONFIG_VERSION);
    rkv_write_bytes(out, node->genesis, sizeof node->genesis);
    rkv_members_encode(out, node->members, node->members_count);
    return out->failed ? RKV_ENOMEM : RKV_OK;
}

int rkv_config_read(const void *data, size_t len, const uint8_t **genesis,
                    struct rkv_member *members, uint32_t *count)
{
    struct rkv_reader in;
    const uint8_t *found;
    int rc;

    rkv_reader_init(&in, data, len);
    if (rkv_read_u8(&in) != CONFIG_VERSION)
        return in.failed ? RKV_EMALFORMED : RKV_EVERSION;
    found = rkv_read_bytes(&in, GENESIS_BYTES);
    if (found == NULL)
        return RKV_EMALFORMED;
    rc = rkv_members_decode(&in, members, RKV_MEMBERS_MAX, count);
    if (rc != RKV_OK)
        return rc;
    if (genesis != NULL)
        *genesis = found;
    return rkv_reader_done(&in) ? RKV_OK : RKV_EMALFORMED;
}

int rkv_config_take(rkv_node *node, const void *data, size_t len)
{
    struct rkv_member members[RKV_MEMBERS_MAX];
    const uint8_t *genesis;
    uint32_t count = 0;
    int rc = rkv_config_read(data, len, &genesis, members, &count);

    if (rc != RKV_OK)
        return rc;
    memcpy(node->genesis, genesis, sizeof node->genesis);
    return rkv_members_set(node, members, count);
}
