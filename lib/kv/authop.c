/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Commands about users and roles.  The rules, and what is refused with which
 * word, are etcd's.
 */
#include "room.h"

static const struct rkv_bytes root = {"root", 4};

static int run_user(struct rkv_auth *auth, const struct rkv_op *op);
static int run_role(struct rkv_auth *auth, const struct rkv_op *op);
static int enable(struct rkv_auth *auth, bool enabled);

/* Not an error: there was nothing to change. */
enum { UNCHANGED = 1 };

int rkv_auth_run(rkv_kv *kv)
{
    struct rkv_auth *auth = &kv->state->auth;
    const struct rkv_op *op = &kv->program->ops[1];
    bool was_enabled = auth->is_enabled;
    int status;

    if (op->kind == RKV_OP_AUTH)
        status = enable(auth, op->number != 0);
    else if (op->kind <= RKV_OP_USER_REVOKE)
        status = run_user(auth, op);
    else
        status = run_role(auth, op);
    if (status < 0)
        return status;
    *kv->scratch.results = (struct rkv_result){.succeeded = 1};
    if (status == UNCHANGED)
        return RKV_OK;
    /* Enabling changes nobody's rights. */
    auth->revision += was_enabled || !auth->is_enabled;
    return rkv_auth_settle(auth);
}

static struct rkv_bytes name_of(const struct rkv_op *op)
{
    return (struct rkv_bytes){op->span.key, op->span.key_len};
}

static struct rkv_bytes value_of(const struct rkv_op *op)
{
    return (struct rkv_bytes){op->value, op->value_len};
}

static int enable(struct rkv_auth *auth, bool enabled)
{
    const struct rkv_user *user = rkv_auth_user(auth, root);

    if (auth->is_enabled == enabled)
        return UNCHANGED;
    if (enabled && user == NULL)
        return RKV_ENOUSER;
    if (enabled && !rkv_user_is_root(user))
        return RKV_EROOT;
    auth->is_enabled = enabled;
    return RKV_OK;
}

static int grant_role(struct rkv_auth *auth, struct rkv_user *user,
                      struct rkv_bytes role)
{
    /* The role root needs no record of its own. */
    if (!rkv_bytes_equal(role, root) && rkv_auth_role(auth, role) == NULL)
        return RKV_ENOROLE;
    if (rkv_user_has(user, role))
        return UNCHANGED;
    return rkv_user_add_role(auth, user, role);
}

static int revoke_role(struct rkv_auth *auth, struct rkv_user *user,
                       struct rkv_bytes role)
{
    return rkv_user_has(user, role) ? rkv_user_remove_role(auth, user, role)
                                    : RKV_ENOTFOUND;
}

static int run_user(struct rkv_auth *auth, const struct rkv_op *op)
{
    struct rkv_bytes name = name_of(op), value = value_of(op);
    struct rkv_user *user = rkv_auth_user(auth, name);
    bool is_root = auth->is_enabled && rkv_bytes_equal(name, root);

    if (op->kind == RKV_OP_USER_ADD)
        return user != NULL ? RKV_EEXIST : rkv_auth_add_user(auth, name, value);
    /* Who is root stays root while that matters. */
    if (is_root &&
        (op->kind == RKV_OP_USER_DELETE ||
         (op->kind == RKV_OP_USER_REVOKE && rkv_bytes_equal(value, root))))
        return RKV_EROOT;
    if (user == NULL)
        return RKV_ENOUSER;
    if (op->kind == RKV_OP_USER_PASSWORD)
        return rkv_auth_set_password(auth, user, value);
    if (op->kind == RKV_OP_USER_GRANT)
        return grant_role(auth, user, value);
    if (op->kind == RKV_OP_USER_REVOKE)
        return revoke_role(auth, user, value);
    rkv_auth_remove_user(auth, user);
    return RKV_OK;
}

static struct rkv_permission permission_of(const struct rkv_op *op)
{
    return (struct rkv_permission){
        .access = (uint32_t)op->number,
        .key = name_of(op),
        .end = {op->span.end, op->span.end_len},
    };
}

static int run_permission(struct rkv_auth *auth, const struct rkv_op *op)
{
    struct rkv_permission permission = permission_of(op);
    struct rkv_role *role = rkv_auth_role(auth, value_of(op));

    if (role == NULL)
        return RKV_ENOROLE;
    return op->kind == RKV_OP_ROLE_GRANT
               ? rkv_role_add(auth, role, &permission)
               : rkv_role_remove(auth, role, &permission);
}

static int run_role(struct rkv_auth *auth, const struct rkv_op *op)
{
    struct rkv_bytes name = name_of(op);
    struct rkv_role *role;

    if (op->kind == RKV_OP_ROLE_GRANT || op->kind == RKV_OP_ROLE_REVOKE)
        return run_permission(auth, op);
    role = rkv_auth_role(auth, name);
    if (op->kind == RKV_OP_ROLE_ADD)
        return role != NULL ? RKV_EEXIST : rkv_auth_add_role(auth, name);
    if (auth->is_enabled && rkv_bytes_equal(name, root))
        return RKV_EROOT;
    return role == NULL ? RKV_ENOROLE : rkv_auth_remove_role(auth, role);
}

/* The status that no state changes. */
int rkv_auth_check_op(const struct rkv_op *op)
{
    struct rkv_permission permission;

    switch (op->kind) {
    case RKV_OP_AUTH:
        return op->number == 0 || op->number == 1 ? RKV_OK : RKV_EINVAL;
    case RKV_OP_ROLE_GRANT:
        permission = permission_of(op);
        if (op->value_len == 0)
            return RKV_EKEY;
        return rkv_permission_is_valid(&permission) ? RKV_OK : RKV_EINVAL;
    case RKV_OP_ROLE_REVOKE:
    case RKV_OP_USER_GRANT:
    case RKV_OP_USER_REVOKE:
        return op->value_len == 0 || op->span.key_len == 0 ? RKV_EKEY : RKV_OK;
    default:
        return op->span.key_len == 0 ? RKV_EKEY : RKV_OK;
    }
}

void rkv_kv_auth(const rkv_kv *kv, struct rkv_auth_status *out)
{
    struct rkv_auth_status status = {
        .enabled = kv->state->auth.is_enabled,
        .revision = kv->state->auth.revision,
    };

    rkv_report(out, &status, sizeof(status));
}

size_t rkv_kv_users(const rkv_kv *kv, const struct rkv_user **out)
{
    *out = kv->state->auth.users.at;
    return kv->state->auth.users.count;
}

size_t rkv_kv_roles(const rkv_kv *kv, const struct rkv_role **out)
{
    *out = kv->state->auth.roles.at;
    return kv->state->auth.roles.count;
}
