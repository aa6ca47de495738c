/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Writing commands about users and roles, and whose a command is.
 */
#include "room.h"
#include "txn.h"

static bool is_given(struct rkv_bytes bytes)
{
    return bytes.data != NULL || bytes.len == 0;
}

static int check_name(struct rkv_bytes bytes)
{
    if (bytes.len == 0)
        return RKV_EKEY;
    if (!is_given(bytes))
        return RKV_EINVAL;
    return bytes.len > UINT32_MAX ? RKV_ETOOBIG : RKV_OK;
}

static void write(rkv_txn *txn, struct rkv_bytes bytes)
{
    rkv_write_blob(rkv_txn_buffer(txn), bytes.data, bytes.len);
}

int rkv_txn_user(rkv_txn *txn, const void *user, size_t user_len,
                 uint64_t revision)
{
    struct rkv_bytes name = {user, user_len};
    int error = check_name(name);

    if (error != RKV_OK)
        return rkv_txn_settle(txn, error);
    if (rkv_txn_begin_head(txn, RKV_TAG_USER) == RKV_OK) {
        write(txn, name);
        rkv_write_varint(rkv_txn_buffer(txn), revision);
        rkv_txn_end_head(txn);
    }
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_auth_enable(rkv_txn *txn, int enable)
{
    if (rkv_txn_begin_alone(txn, RKV_OP_AUTH) == RKV_OK)
        rkv_write_varint(rkv_txn_buffer(txn), enable != 0);
    return rkv_txn_settle(txn, RKV_OK);
}

/* A name alone, or with something behind it. */
static int write_named(rkv_txn *txn, uint8_t kind, const struct rkv_bytes *name,
                       const struct rkv_bytes *value, bool needs_value)
{
    int error = name == NULL ? RKV_EINVAL : check_name(*name);

    if (error == RKV_OK && value != NULL && !is_given(*value))
        error = RKV_EINVAL;
    if (error == RKV_OK && needs_value)
        error = value == NULL ? RKV_EINVAL : check_name(*value);
    if (error != RKV_OK)
        return rkv_txn_settle(txn, error);
    if (rkv_txn_begin_alone(txn, kind) == RKV_OK) {
        write(txn, *name);
        if (value != NULL)
            write(txn, *value);
    }
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_user_add(rkv_txn *txn, const struct rkv_user *user)
{
    return user == NULL ? rkv_txn_settle(txn, RKV_EINVAL)
                        : write_named(txn, RKV_OP_USER_ADD, &user->name,
                                      &user->password, false);
}

int rkv_txn_user_delete(rkv_txn *txn, const struct rkv_user *user)
{
    return write_named(txn, RKV_OP_USER_DELETE,
                       user == NULL ? NULL : &user->name, NULL, false);
}

int rkv_txn_user_password(rkv_txn *txn, const struct rkv_user *user)
{
    return user == NULL ? rkv_txn_settle(txn, RKV_EINVAL)
                        : write_named(txn, RKV_OP_USER_PASSWORD, &user->name,
                                      &user->password, false);
}

int rkv_txn_user_grant(rkv_txn *txn, const struct rkv_user *user,
                       const struct rkv_role *role)
{
    return write_named(txn, RKV_OP_USER_GRANT,
                       user == NULL ? NULL : &user->name,
                       role == NULL ? NULL : &role->name, true);
}

int rkv_txn_user_revoke(rkv_txn *txn, const struct rkv_user *user,
                        const struct rkv_role *role)
{
    return write_named(txn, RKV_OP_USER_REVOKE,
                       user == NULL ? NULL : &user->name,
                       role == NULL ? NULL : &role->name, true);
}

int rkv_txn_role_add(rkv_txn *txn, const struct rkv_role *role)
{
    return write_named(txn, RKV_OP_ROLE_ADD, role == NULL ? NULL : &role->name,
                       NULL, false);
}

int rkv_txn_role_delete(rkv_txn *txn, const struct rkv_role *role)
{
    return write_named(txn, RKV_OP_ROLE_DELETE,
                       role == NULL ? NULL : &role->name, NULL, false);
}

static int write_permission(rkv_txn *txn, uint8_t kind,
                            const struct rkv_role *role,
                            const struct rkv_permission *permission)
{
    int error = role == NULL || permission == NULL ? RKV_EINVAL
                                                   : check_name(role->name);

    if (error == RKV_OK)
        error = check_name(permission->key);
    if (error == RKV_OK &&
        (!is_given(permission->end) || permission->reserved != 0 ||
         (kind == RKV_OP_ROLE_GRANT && !rkv_permission_is_valid(permission))))
        error = RKV_EINVAL;
    if (error != RKV_OK)
        return rkv_txn_settle(txn, error);
    if (rkv_txn_begin_alone(txn, kind) == RKV_OK) {
        rkv_write_varint(rkv_txn_buffer(txn), permission->access);
        write(txn, role->name);
        write(txn, permission->key);
        write(txn, permission->end);
    }
    return rkv_txn_settle(txn, RKV_OK);
}

int rkv_txn_role_grant(rkv_txn *txn, const struct rkv_role *role,
                       const struct rkv_permission *permission)
{
    return write_permission(txn, RKV_OP_ROLE_GRANT, role, permission);
}

int rkv_txn_role_revoke(rkv_txn *txn, const struct rkv_role *role,
                        const struct rkv_permission *permission)
{
    return write_permission(txn, RKV_OP_ROLE_REVOKE, role, permission);
}
