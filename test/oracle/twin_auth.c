/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The twin keeps users and roles.  Whether permissions cover a range is found
 * by trying it: between two neighbouring ends of anything nothing changes, so
 * it is enough to ask about each of them.
 */
#include <stdlib.h>
#include <string.h>

#include "twin_room.h"

static const struct text root = {(const uint8_t *)"root", 4};

static bool same(struct text a, struct text b)
{
    return text_order(a, b) == 0;
}

static struct twin_user *find_user(const struct twin *twin, struct text name)
{
    for (size_t i = 0; i < twin->users_count; i++)
        if (same(twin->users[i].name, name))
            return &twin->users[i];
    return NULL;
}

static struct twin_role *find_role(const struct twin *twin, struct text name)
{
    for (size_t i = 0; i < twin->roles_count; i++)
        if (same(twin->roles[i].name, name))
            return &twin->roles[i];
    return NULL;
}

static size_t role_of(const struct twin_user *user, struct text role)
{
    size_t at = 0;

    while (at < user->count && !same(user->roles[at], role))
        at++;
    return at;
}

static bool is_root(const struct twin_user *user)
{
    return role_of(user, root) < user->count;
}

/* ---- may it? ---- */

static bool some_permission_holds(const struct twin *twin,
                                  const struct twin_user *user, uint32_t access,
                                  struct text key)
{
    for (size_t i = 0; i < user->count; i++) {
        const struct twin_role *role = find_role(twin, user->roles[i]);

        for (size_t k = 0; role != NULL && k < role->count; k++)
            if ((role->permissions[k].access & access) != 0 &&
                span_holds(&role->permissions[k].span, key))
                return true;
    }
    return false;
}

/* The keys from which on something may be different. */
static size_t turning_points(const struct twin *twin, struct arena *arena,
                             struct text **out)
{
    size_t count = 0, most = 0;
    struct text *points;

    for (size_t i = 0; i < twin->roles_count; i++)
        most += 2 * twin->roles[i].count;
    points = arena_take(arena, (most + 1) * sizeof *points);
    for (size_t i = 0; i < twin->roles_count; i++)
        for (size_t k = 0; k < twin->roles[i].count; k++) {
            const struct span *span = &twin->roles[i].permissions[k].span;
            struct text end = span->end;

            /* Behind one key comes the same with a byte 0. */
            if (end.len == 0) {
                end.bytes = arena_copy(arena, span->key.bytes, span->key.len);
                end.len = span->key.len + 1;
            }
            points[count++] = span->key;
            points[count++] = end;
        }
    *out = points;
    return count;
}

static bool covers(const struct twin *twin, const struct twin_user *user,
                   uint32_t access, const struct span *span)
{
    struct arena arena = {NULL};
    struct text *points;
    size_t count = turning_points(twin, &arena, &points);
    bool all = some_permission_holds(twin, user, access, span->key);

    for (size_t i = 0; i < count && all; i++)
        if (span_holds(span, points[i]))
            all = some_permission_holds(twin, user, access, points[i]);
    arena_free(&arena);
    return all;
}

bool twin_permits(const struct twin *twin, struct text name, uint32_t access,
                  const struct span *span)
{
    const struct twin_user *user = find_user(twin, name);

    if (!twin->auth_enabled)
        return true;
    if (user == NULL)
        return false;
    if (is_root(user))
        return true;
    for (uint32_t kind = RKV_READ; kind <= RKV_WRITE; kind <<= 1)
        if ((access & kind) != 0 && !covers(twin, user, kind, span))
            return false;
    return true;
}

static bool permits_lease(const struct twin *twin, struct text user, int64_t id)
{
    if (twin_lease(twin, id) == NULL)
        return true;
    for (size_t i = 0; i < twin->keys_count; i++) {
        const struct span span = {.key = twin->keys[i]->name};
        const struct twin_version *version = twin_at(twin->keys[i], INT64_MAX);

        if (is_live(version) && version->lease == id &&
            !twin_permits(twin, user, RKV_WRITE, &span))
            return false;
    }
    return true;
}

static bool permits_op(const struct twin *twin, struct text user,
                       const struct operation *op)
{
    uint32_t access = RKV_READ;

    switch (op->deed) {
    case DEED_GRANT:
    case DEED_OPEN:
        return true;
    case DEED_REVOKE:
    case DEED_KEEP:
        return permits_lease(twin, user, op->lease);
    case DEED_COMPARE:
    case DEED_RANGE:
        break;
    case DEED_PUT:
        if (op->lease != 0 && !permits_lease(twin, user, op->lease))
            return false;
        access = RKV_WRITE | (op->flags & RKV_PUT_PREV ? RKV_READ : 0);
        break;
    case DEED_DELETE:
        access = RKV_WRITE | (op->flags & RKV_RANGE_PREV ? RKV_READ : 0);
        break;
    default:
        return false;
    }
    return twin_permits(twin, user, access, &op->span);
}

static bool permits_list(const struct twin *twin, struct text user,
                         const struct list *list);

static bool permits_txn(const struct twin *twin, struct text user,
                        const struct transaction *txn)
{
    return permits_list(twin, user, &txn->compares) &&
           permits_list(twin, user, &txn->sides[0]) &&
           permits_list(twin, user, &txn->sides[1]);
}

static bool permits_list(const struct twin *twin, struct text user,
                         const struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->ops[i].deed == DEED_TXN
                ? !permits_txn(twin, user, list->ops[i].txn)
                : !permits_op(twin, user, &list->ops[i]))
            return false;
    return true;
}

static bool needs_root(const struct operation *op)
{
    return op->deed == DEED_COMPACT || op->deed == DEED_QUOTA ||
           (op->deed >= DEED_AUTH && op->deed <= DEED_ROLE_REVOKE);
}

/* A transaction is about keys, and so is a lease that has some. */
static bool concerns_keys(const struct twin *twin,
                          const struct command *command)
{
    for (size_t i = 0; i < command->alone_count; i++) {
        const struct operation *op = &command->alone[i];

        if ((op->deed == DEED_REVOKE || op->deed == DEED_KEEP) &&
            twin_lease(twin, op->lease) != NULL &&
            lease_keys(twin, op->lease) > 0)
            return true;
    }
    return command->alone_count == 0;
}

/* What needs root asks who is that now; the rest must have been written in
 * knowledge of today's users, if it is about keys.  Both sides count, also the
 * one that does not run. */
int32_t auth_permits(const struct twin *twin, const struct command *command)
{
    if (!twin->auth_enabled ||
        (command->alone_count > 0 && command->alone[0].deed == DEED_CLOCK))
        return RKV_OK;
    if (command->user.len == 0)
        return RKV_ENOUSER;
    if (command->alone_count > 0 && needs_root(&command->alone[0])) {
        if (find_user(twin, command->user) == NULL)
            return RKV_ENOUSER;
        return is_root(find_user(twin, command->user)) ? RKV_OK : RKV_EDENIED;
    }
    if (command->auth_revision < twin->auth_revision &&
        concerns_keys(twin, command))
        return RKV_EOLDAUTH;
    if (find_user(twin, command->user) == NULL)
        return RKV_EDENIED;
    for (size_t i = 0; i < command->alone_count; i++)
        if (!permits_op(twin, command->user, &command->alone[i]))
            return RKV_EDENIED;
    return permits_txn(twin, command->user, &command->txn) ? RKV_OK
                                                           : RKV_EDENIED;
}

/* ---- changing them ---- */

static void add_user(struct twin *twin, const struct operation *op)
{
    twin->users = row_grow(twin->users, &twin->users_cap, twin->users_count,
                           sizeof(twin->users[0]));
    twin->users[twin->users_count++] =
        (struct twin_user){.name = op->span.key, .password = op->value};
}

static void add_role(struct twin *twin, const struct operation *op)
{
    twin->roles = row_grow(twin->roles, &twin->roles_cap, twin->roles_count,
                           sizeof(twin->roles[0]));
    twin->roles[twin->roles_count++] = (struct twin_role){.name = op->span.key};
}

static void remove_from_row(void *row, size_t *count, size_t at, size_t size)
{
    uint8_t *bytes = row;

    --*count;
    memmove(bytes + at * size, bytes + (at + 1) * size, (*count - at) * size);
}

/* 1: there was nothing to do. */
static int32_t grant_role(struct twin *twin, struct twin_user *user,
                          struct text role)
{
    if (!same(role, root) && find_role(twin, role) == NULL)
        return RKV_ENOROLE;
    if (role_of(user, role) < user->count)
        return 1;
    user->roles =
        row_grow(user->roles, &user->cap, user->count, sizeof(user->roles[0]));
    user->roles[user->count++] = role;
    return RKV_OK;
}

static int32_t revoke_role(struct twin_user *user, struct text role)
{
    size_t at = role_of(user, role);

    if (at == user->count)
        return RKV_ENOTFOUND;
    remove_from_row(user->roles, &user->count, at, sizeof(user->roles[0]));
    return RKV_OK;
}

static int32_t change_user(struct twin *twin, const struct operation *op)
{
    struct twin_user *user = find_user(twin, op->span.key);
    bool guarded = twin->auth_enabled && same(op->span.key, root);

    if (op->deed == DEED_USER_ADD && user != NULL)
        return RKV_EEXIST;
    if (op->deed == DEED_USER_ADD) {
        add_user(twin, op);
        return RKV_OK;
    }
    if (guarded && (op->deed == DEED_USER_DELETE ||
                    (op->deed == DEED_USER_REVOKE && same(op->value, root))))
        return RKV_EROOT;
    if (user == NULL)
        return RKV_ENOUSER;
    if (op->deed == DEED_USER_GRANT)
        return grant_role(twin, user, op->value);
    if (op->deed == DEED_USER_REVOKE)
        return revoke_role(user, op->value);
    if (op->deed == DEED_USER_PASSWORD) {
        user->password = op->value;
        return RKV_OK;
    }
    free(user->roles);
    remove_from_row(twin->users, &twin->users_count,
                    (size_t)(user - twin->users), sizeof *user);
    return RKV_OK;
}

static int32_t change_permission(struct twin_role *role,
                                 const struct operation *op)
{
    size_t at = 0;

    while (at < role->count &&
           !(same(role->permissions[at].span.key, op->span.key) &&
             same(role->permissions[at].span.end, op->span.end)))
        at++;
    if (op->deed == DEED_ROLE_REVOKE && at == role->count)
        return RKV_ENOTFOUND;
    if (op->deed == DEED_ROLE_REVOKE) {
        remove_from_row(role->permissions, &role->count, at,
                        sizeof(role->permissions[0]));
        return RKV_OK;
    }
    role->permissions = row_grow(role->permissions, &role->cap, role->count,
                                 sizeof(role->permissions[0]));
    role->permissions[at].access = op->access;
    role->permissions[at].span = op->span;
    role->count += at == role->count;
    return RKV_OK;
}

/* With a role go the places where users have it. */
static void remove_role(struct twin *twin, struct twin_role *role)
{
    for (size_t i = 0; i < twin->users_count; i++)
        (void)revoke_role(&twin->users[i], role->name);
    free(role->permissions);
    remove_from_row(twin->roles, &twin->roles_count,
                    (size_t)(role - twin->roles), sizeof *role);
}

static int32_t change_role(struct twin *twin, const struct operation *op)
{
    bool on_keys = op->deed == DEED_ROLE_GRANT || op->deed == DEED_ROLE_REVOKE;
    struct twin_role *role =
        find_role(twin, on_keys ? op->value : op->span.key);

    if (on_keys)
        return role != NULL ? change_permission(role, op) : RKV_ENOROLE;
    if (op->deed == DEED_ROLE_ADD && role != NULL)
        return RKV_EEXIST;
    if (op->deed == DEED_ROLE_ADD) {
        add_role(twin, op);
        return RKV_OK;
    }
    if (twin->auth_enabled && same(op->span.key, root))
        return RKV_EROOT;
    if (role == NULL)
        return RKV_ENOROLE;
    remove_role(twin, role);
    return RKV_OK;
}

static int32_t enable(struct twin *twin, bool enabled)
{
    const struct twin_user *user = find_user(twin, root);

    if (twin->auth_enabled == enabled)
        return 1;
    if (enabled && user == NULL)
        return RKV_ENOUSER;
    if (enabled && !is_root(user))
        return RKV_EROOT;
    twin->auth_enabled = enabled;
    /* Nobody's rights have changed by it. */
    return enabled ? 1 : RKV_OK;
}

int32_t auth_run(struct twin *twin, const struct operation *op)
{
    int32_t status;

    if (op->deed == DEED_AUTH)
        status = enable(twin, op->number != 0);
    else if (op->deed <= DEED_USER_REVOKE)
        status = change_user(twin, op);
    else
        status = change_role(twin, op);
    twin->auth_revision += status == RKV_OK;
    return status < 0 ? status : RKV_OK;
}
