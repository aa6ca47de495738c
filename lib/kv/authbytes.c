/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Users and roles as bytes: in snapshots, and to be hashed.
 */
#include "../base/hash.h"
#include "auth.h"

static void write_blob(struct rkv_buffer *out, struct rkv_bytes bytes)
{
    rkv_write_blob(out, bytes.data, bytes.len);
}

/* A piece: length of the rest 4, then name, password and the roles; or name
 * and of each permission access, key and end. */
static void write_user(const struct rkv_user *user, struct rkv_buffer *out)
{
    size_t at = out->len;

    rkv_write_u32(out, 0);
    write_blob(out, user->name);
    write_blob(out, user->password);
    for (uint64_t i = 0; i < user->roles_count; i++)
        write_blob(out, user->roles[i]);
    if (!out->failed)
        rkv_put_u32(out->data + at, (uint32_t)(out->len - at - 4));
}

static void write_role(const struct rkv_role *role, struct rkv_buffer *out)
{
    size_t at = out->len;

    rkv_write_u32(out, 0);
    write_blob(out, role->name);
    for (uint64_t i = 0; i < role->permissions_count; i++) {
        rkv_write_varint(out, role->permissions[i].access);
        write_blob(out, role->permissions[i].key);
        write_blob(out, role->permissions[i].end);
    }
    if (!out->failed)
        rkv_put_u32(out->data + at, (uint32_t)(out->len - at - 4));
}

void rkv_auth_write(const struct rkv_auth *auth, struct rkv_buffer *out)
{
    const struct rkv_user *users = auth->users.at;
    const struct rkv_role *roles = auth->roles.at;

    for (size_t i = 0; i < auth->users.count; i++)
        write_user(&users[i], out);
    for (size_t i = 0; i < auth->roles.count; i++)
        write_role(&roles[i], out);
}

static int count_hash(const struct rkv_auth *auth, uint64_t *hash)
{
    struct rkv_buffer all;
    int error;

    rkv_buffer_init(&all, auth->allocator);
    rkv_write_u8(&all, auth->is_enabled);
    rkv_write_u64(&all, auth->revision);
    rkv_write_u64(&all, auth->users.count);
    rkv_auth_write(auth, &all);
    error = all.failed ? RKV_ENOMEM : RKV_OK;
    if (error == RKV_OK)
        *hash = rkv_hash64(0, all.data, all.len);
    rkv_buffer_free(&all);
    return error;
}

/* A state that never had to do with it hashes nothing. */
static bool is_fresh(const struct rkv_auth *auth)
{
    return !auth->is_enabled && auth->revision == 1;
}

int rkv_auth_settle(struct rkv_auth *auth)
{
    return count_hash(auth, &auth->hash);
}

uint64_t rkv_auth_rehash(const struct rkv_auth *auth)
{
    uint64_t hash = 0;

    if (!is_fresh(auth))
        (void)count_hash(auth, &hash);
    return hash;
}

static struct rkv_bytes read_blob(struct rkv_reader *r)
{
    struct rkv_bytes bytes;

    bytes.data = rkv_read_blob(r, &bytes.len);
    return bytes;
}

static bool is_before(struct rkv_bytes a, struct rkv_bytes b)
{
    return rkv_bytes_compare(a.data, a.len, b.data, b.len) < 0;
}

int rkv_auth_read_user(struct rkv_auth *auth, const void *data, size_t len)
{
    struct rkv_user *users = auth->users.at, *user;
    struct rkv_bytes name, password, role;
    struct rkv_reader r;

    rkv_reader_init(&r, data, len);
    name = read_blob(&r);
    password = read_blob(&r);
    if (r.failed || name.len == 0 ||
        (auth->users.count > 0 &&
         !is_before(users[auth->users.count - 1].name, name)))
        return RKV_EMALFORMED;
    if (rkv_auth_add_user(auth, name, password) < 0)
        return RKV_ENOMEM;
    user = rkv_auth_user(auth, name);
    while (rkv_reader_left(&r) > 0) {
        role = read_blob(&r);
        if (r.failed || role.len == 0 ||
            (user->roles_count > 0 &&
             !is_before(user->roles[user->roles_count - 1], role)))
            return RKV_EMALFORMED;
        if (rkv_user_add_role(auth, user, role) < 0)
            return RKV_ENOMEM;
    }
    return RKV_OK;
}

static bool comes_behind(const struct rkv_role *role,
                         const struct rkv_permission *permission)
{
    const struct rkv_permission *last;

    if (role->permissions_count == 0)
        return true;
    last = &role->permissions[role->permissions_count - 1];
    if (rkv_bytes_equal(last->key, permission->key))
        return is_before(last->end, permission->end);
    return is_before(last->key, permission->key);
}

int rkv_auth_read_role(struct rkv_auth *auth, const void *data, size_t len)
{
    struct rkv_role *roles = auth->roles.at, *role;
    struct rkv_reader r;
    struct rkv_bytes name;

    rkv_reader_init(&r, data, len);
    name = read_blob(&r);
    if (r.failed || name.len == 0 ||
        (auth->roles.count > 0 &&
         !is_before(roles[auth->roles.count - 1].name, name)))
        return RKV_EMALFORMED;
    if (rkv_auth_add_role(auth, name) < 0)
        return RKV_ENOMEM;
    role = rkv_auth_role(auth, name);
    while (rkv_reader_left(&r) > 0) {
        struct rkv_permission permission = {.access = rkv_read_varint32(&r)};

        permission.key = read_blob(&r);
        permission.end = read_blob(&r);
        if (r.failed || !rkv_permission_is_valid(&permission) ||
            !comes_behind(role, &permission))
            return RKV_EMALFORMED;
        if (rkv_role_add(auth, role, &permission) < 0)
            return RKV_ENOMEM;
    }
    return RKV_OK;
}

int rkv_auth_finish(struct rkv_auth *auth)
{
    const struct rkv_bytes root = {"root", 4};
    const struct rkv_user *users = auth->users.at, *first;

    if (auth->revision < 1 ||
        (is_fresh(auth) && auth->users.count + auth->roles.count > 0))
        return RKV_EMALFORMED;
    for (size_t i = 0; i < auth->users.count; i++) {
        for (uint64_t k = 0; k < users[i].roles_count; k++) {
            if (!rkv_bytes_equal(users[i].roles[k], root) &&
                rkv_auth_role(auth, users[i].roles[k]) == NULL)
                return RKV_EMALFORMED;
        }
    }
    first = rkv_auth_user(auth, root);
    if (auth->is_enabled && (first == NULL || !rkv_user_is_root(first)))
        return RKV_EMALFORMED;
    return is_fresh(auth) ? RKV_OK : rkv_auth_settle(auth);
}
