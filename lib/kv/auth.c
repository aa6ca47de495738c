/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Users and roles, kept in order.
 */
#include "auth.h"

#include <string.h>

#include "../base/hash.h"

static const struct rkv_bytes root = {"root", 4};

static int copy(const struct rkv_allocator *a, struct rkv_bytes from,
                struct rkv_bytes *to);
static void release(const struct rkv_allocator *a, struct rkv_bytes bytes);
static void *open_row(const struct rkv_allocator *a, struct rkv_row *row,
                      size_t at, size_t size);
static void close_row(struct rkv_row *row, size_t at, size_t size);
static void free_user(const struct rkv_allocator *a, struct rkv_user *user);
static void free_role(const struct rkv_allocator *a, struct rkv_role *role);

void rkv_auth_init(struct rkv_auth *auth, const struct rkv_allocator *a)
{
    *auth = (struct rkv_auth){.allocator = a, .revision = 1};
}

void rkv_auth_free(struct rkv_auth *auth)
{
    struct rkv_user *users = auth->users.at;
    struct rkv_role *roles = auth->roles.at;

    for (size_t i = 0; i < auth->users.count; i++)
        free_user(auth->allocator, &users[i]);
    for (size_t i = 0; i < auth->roles.count; i++)
        free_role(auth->allocator, &roles[i]);
    rkv_release(auth->allocator, users, auth->users.cap * sizeof(*users));
    rkv_release(auth->allocator, roles, auth->roles.cap * sizeof(*roles));
    rkv_auth_init(auth, auth->allocator);
}

static int order(struct rkv_bytes a, struct rkv_bytes b)
{
    return rkv_bytes_compare(a.data, a.len, b.data, b.len);
}

bool rkv_bytes_equal(struct rkv_bytes a, struct rkv_bytes b)
{
    return order(a, b) == 0;
}

/* Where in a row of `size`-byte elements, which begin with their name, this
 * one is or would be. */
static size_t place_of(const struct rkv_row *row, size_t size,
                       struct rkv_bytes name, bool *is_there)
{
    const uint8_t *rows = row->at;
    size_t low = 0, high = row->count;

    *is_there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct rkv_bytes other;
        int way;

        memcpy(&other, rows + middle * size, sizeof(other));
        way = order(other, name);
        if (way == 0) {
            *is_there = true;
            return middle;
        }
        if (way < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct rkv_user *rkv_auth_user(const struct rkv_auth *auth,
                               struct rkv_bytes name)
{
    struct rkv_user *users = auth->users.at;
    bool is_there;
    size_t at = place_of(&auth->users, sizeof(*users), name, &is_there);

    return is_there ? &users[at] : NULL;
}

struct rkv_role *rkv_auth_role(const struct rkv_auth *auth,
                               struct rkv_bytes name)
{
    struct rkv_role *roles = auth->roles.at;
    bool is_there;
    size_t at = place_of(&auth->roles, sizeof(*roles), name, &is_there);

    return is_there ? &roles[at] : NULL;
}

/* The lists inside a user and a role are rows without room to spare. */
static struct rkv_row row_of_roles(const struct rkv_user *user)
{
    return (struct rkv_row){(void *)(uintptr_t)user->roles,
                            (size_t)user->roles_count,
                            (size_t)user->roles_count};
}

bool rkv_user_has(const struct rkv_user *user, struct rkv_bytes role)
{
    struct rkv_row row = row_of_roles(user);
    bool is_there;

    (void)place_of(&row, sizeof(role), role, &is_there);
    return is_there;
}

bool rkv_user_is_root(const struct rkv_user *user)
{
    return rkv_user_has(user, root);
}

int rkv_auth_add_user(struct rkv_auth *auth, struct rkv_bytes name,
                      struct rkv_bytes password)
{
    const struct rkv_allocator *a = auth->allocator;
    struct rkv_user user = {.roles = NULL}, *slot;
    bool is_there;
    size_t at = place_of(&auth->users, sizeof(user), name, &is_there);

    if (copy(a, name, &user.name) < 0 ||
        copy(a, password, &user.password) < 0 ||
        (slot = open_row(a, &auth->users, at, sizeof(user))) == NULL) {
        free_user(a, &user);
        return RKV_ENOMEM;
    }
    *slot = user;
    return RKV_OK;
}

void rkv_auth_remove_user(struct rkv_auth *auth, struct rkv_user *user)
{
    free_user(auth->allocator, user);
    close_row(&auth->users, (size_t)(user - (struct rkv_user *)auth->users.at),
              sizeof(*user));
}

int rkv_auth_set_password(struct rkv_auth *auth, struct rkv_user *user,
                          struct rkv_bytes password)
{
    struct rkv_bytes fresh = {NULL, 0};

    if (copy(auth->allocator, password, &fresh) < 0)
        return RKV_ENOMEM;
    release(auth->allocator, user->password);
    user->password = fresh;
    return RKV_OK;
}

/* Another list in the place of the old one, with a gap at `at` or without what
 * was there.  NULL: no memory, and nothing has changed; or nothing is left. */
static void *relist(const struct rkv_allocator *a, const void *old,
                    size_t count, size_t at, size_t size, bool grows)
{
    size_t fresh_count = grows ? count + 1 : count - 1;
    uint8_t *fresh = NULL;
    const uint8_t *from = old;

    if (fresh_count > 0) {
        fresh = rkv_alloc(a, fresh_count * size);
        if (fresh == NULL)
            return NULL;
        if (at > 0)
            memcpy(fresh, from, at * size);
        if (grows && count > at)
            memcpy(fresh + (at + 1) * size, from + at * size,
                   (count - at) * size);
        if (!grows && count - 1 > at)
            memcpy(fresh + at * size, from + (at + 1) * size,
                   (count - 1 - at) * size);
    }
    rkv_release(a, (void *)(uintptr_t)old, count * size);
    return fresh;
}

int rkv_user_add_role(const struct rkv_auth *auth, struct rkv_user *user,
                      struct rkv_bytes role)
{
    const struct rkv_allocator *a = auth->allocator;
    struct rkv_row row = row_of_roles(user);
    struct rkv_bytes name = {NULL, 0}, *fresh;
    bool is_there;
    size_t at = place_of(&row, sizeof(role), role, &is_there);

    if (copy(a, role, &name) < 0)
        return RKV_ENOMEM;
    fresh = relist(a, user->roles, row.count, at, sizeof(role), true);
    if (fresh == NULL) {
        release(a, name);
        return RKV_ENOMEM;
    }
    fresh[at] = name;
    user->roles = fresh;
    user->roles_count++;
    return RKV_OK;
}

int rkv_user_remove_role(const struct rkv_auth *auth, struct rkv_user *user,
                         struct rkv_bytes role)
{
    const struct rkv_allocator *a = auth->allocator;
    struct rkv_row row = row_of_roles(user);
    struct rkv_bytes gone;
    void *fresh;
    bool is_there;
    size_t at = place_of(&row, sizeof(role), role, &is_there);

    if (!is_there)
        return RKV_OK;
    gone = user->roles[at];
    fresh = relist(a, user->roles, row.count, at, sizeof(role), false);
    if (fresh == NULL && row.count > 1)
        return RKV_ENOMEM;
    release(a, gone);
    user->roles = fresh;
    user->roles_count--;
    return RKV_OK;
}

int rkv_auth_add_role(struct rkv_auth *auth, struct rkv_bytes name)
{
    const struct rkv_allocator *a = auth->allocator;
    struct rkv_role role = {.permissions = NULL}, *slot;
    bool is_there;
    size_t at = place_of(&auth->roles, sizeof(role), name, &is_there);

    if (copy(a, name, &role.name) < 0 ||
        (slot = open_row(a, &auth->roles, at, sizeof(role))) == NULL) {
        free_role(a, &role);
        return RKV_ENOMEM;
    }
    *slot = role;
    return RKV_OK;
}

/* It is taken from everybody. */
int rkv_auth_remove_role(struct rkv_auth *auth, struct rkv_role *role)
{
    struct rkv_user *users = auth->users.at;

    for (size_t i = 0; i < auth->users.count; i++) {
        if (rkv_user_remove_role(auth, &users[i], role->name) < 0)
            return RKV_ENOMEM;
    }
    free_role(auth->allocator, role);
    close_row(&auth->roles, (size_t)(role - (struct rkv_role *)auth->roles.at),
              sizeof(*role));
    return RKV_OK;
}

static size_t place_in_role(const struct rkv_role *role,
                            const struct rkv_permission *permission,
                            bool *is_there)
{
    size_t at = 0;

    *is_there = false;
    for (; at < role->permissions_count; at++) {
        const struct rkv_permission *other = &role->permissions[at];
        int way = order(other->key, permission->key);

        if (way == 0)
            way = order(other->end, permission->end);
        *is_there = way == 0;
        if (way >= 0)
            break;
    }
    return at;
}

int rkv_role_add(const struct rkv_auth *auth, struct rkv_role *role,
                 const struct rkv_permission *permission)
{
    const struct rkv_allocator *a = auth->allocator;
    struct rkv_permission ours = {.access = permission->access}, *fresh;
    bool is_there;
    size_t at = place_in_role(role, permission, &is_there);

    if (is_there) {
        fresh = (struct rkv_permission *)(uintptr_t)role->permissions;
        fresh[at].access = permission->access;
        return RKV_OK;
    }
    if (copy(a, permission->key, &ours.key) < 0)
        return RKV_ENOMEM;
    if (copy(a, permission->end, &ours.end) < 0 ||
        (fresh = relist(a, role->permissions, (size_t)role->permissions_count,
                        at, sizeof(ours), true)) == NULL) {
        release(a, ours.key);
        release(a, ours.end);
        return RKV_ENOMEM;
    }
    fresh[at] = ours;
    role->permissions = fresh;
    role->permissions_count++;
    return RKV_OK;
}

int rkv_role_remove(const struct rkv_auth *auth, struct rkv_role *role,
                    const struct rkv_permission *permission)
{
    const struct rkv_allocator *a = auth->allocator;
    struct rkv_permission gone;
    void *fresh;
    bool is_there;
    size_t at = place_in_role(role, permission, &is_there);

    if (!is_there)
        return RKV_ENOTFOUND;
    gone = role->permissions[at];
    fresh = relist(a, role->permissions, (size_t)role->permissions_count, at,
                   sizeof(gone), false);
    if (fresh == NULL && role->permissions_count > 1)
        return RKV_ENOMEM;
    release(a, gone.key);
    release(a, gone.end);
    role->permissions = fresh;
    role->permissions_count--;
    return RKV_OK;
}

static int copy(const struct rkv_allocator *a, struct rkv_bytes from,
                struct rkv_bytes *to)
{
    void *bytes;

    if (from.len == 0)
        return RKV_OK;
    bytes = rkv_alloc(a, from.len);
    if (bytes == NULL)
        return RKV_ENOMEM;
    memcpy(bytes, from.data, from.len);
    *to = (struct rkv_bytes){bytes, from.len};
    return RKV_OK;
}

static void release(const struct rkv_allocator *a, struct rkv_bytes bytes)
{
    rkv_release(a, (void *)(uintptr_t)bytes.data, bytes.len);
}

static void *open_row(const struct rkv_allocator *a, struct rkv_row *row,
                      size_t at, size_t size)
{
    uint8_t *slot;

    if (rkv_grow(a, &row->at, &row->cap, row->count + 1, size) < 0)
        return NULL;
    slot = (uint8_t *)row->at + at * size;
    memmove(slot + size, slot, (row->count - at) * size);
    row->count++;
    return slot;
}

static void close_row(struct rkv_row *row, size_t at, size_t size)
{
    uint8_t *slot = (uint8_t *)row->at + at * size;

    row->count--;
    memmove(slot, slot + size, (row->count - at) * size);
}

static void free_user(const struct rkv_allocator *a, struct rkv_user *user)
{
    release(a, user->name);
    release(a, user->password);
    for (uint64_t i = 0; i < user->roles_count; i++)
        release(a, user->roles[i]);
    rkv_release(a, (void *)(uintptr_t)user->roles,
                (size_t)user->roles_count * sizeof(user->roles[0]));
}

static void free_role(const struct rkv_allocator *a, struct rkv_role *role)
{
    release(a, role->name);
    for (uint64_t i = 0; i < role->permissions_count; i++) {
        release(a, role->permissions[i].key);
        release(a, role->permissions[i].end);
    }
    rkv_release(a, (void *)(uintptr_t)role->permissions,
                (size_t)role->permissions_count * sizeof(role->permissions[0]));
}
