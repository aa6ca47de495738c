/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/auth.h - users and roles.  There are few and they change rarely:
 * rows in the order of their names, each with its own bytes.
 */
#ifndef RKV_KV_AUTH_H
#define RKV_KV_AUTH_H

#include <raftkv/auth.h>
#include <stdbool.h>

#include "../base/bytes.h"
#include "record.h"

/* A row that grows; the pointers in what is public lead into these. */
struct rkv_row {
    void *at;
    size_t cap;
    size_t count;
};

struct rkv_auth {
    const struct rkv_allocator *allocator;
    bool is_enabled;
    uint64_t revision;
    struct rkv_row users; /* struct rkv_user */
    struct rkv_row roles; /* struct rkv_role */
    uint64_t hash;
};

void rkv_auth_init(struct rkv_auth *auth, const struct rkv_allocator *a);
void rkv_auth_free(struct rkv_auth *auth);
struct rkv_user *rkv_auth_user(const struct rkv_auth *auth,
                               struct rkv_bytes name);
struct rkv_role *rkv_auth_role(const struct rkv_auth *auth,
                               struct rkv_bytes name);
bool rkv_user_has(const struct rkv_user *user, struct rkv_bytes role);
bool rkv_user_is_root(const struct rkv_user *user);
/* Whether a permission can be granted on these keys. */
bool rkv_permission_is_valid(const struct rkv_permission *permission);
bool rkv_bytes_equal(struct rkv_bytes a, struct rkv_bytes b);

/* Changes; what is new is not there, what changes is.  All: RKV_OK or
 * RKV_ENOMEM, after which the state is good for nothing but to be freed. */
int rkv_auth_add_user(struct rkv_auth *auth, struct rkv_bytes name,
                      struct rkv_bytes password);
void rkv_auth_remove_user(struct rkv_auth *auth, struct rkv_user *user);
int rkv_auth_set_password(struct rkv_auth *auth, struct rkv_user *user,
                          struct rkv_bytes password);
int rkv_user_add_role(const struct rkv_auth *auth, struct rkv_user *user,
                      struct rkv_bytes role);
int rkv_user_remove_role(const struct rkv_auth *auth, struct rkv_user *user,
                         struct rkv_bytes role);
int rkv_auth_add_role(struct rkv_auth *auth, struct rkv_bytes name);
int rkv_auth_remove_role(struct rkv_auth *auth, struct rkv_role *role);
/* Takes the place of one on the same keys. */
int rkv_role_add(const struct rkv_auth *auth, struct rkv_role *role,
                 const struct rkv_permission *permission);
/* RKV_ENOTFOUND: there is none on these keys. */
int rkv_role_remove(const struct rkv_auth *auth, struct rkv_role *role,
                    const struct rkv_permission *permission);
/* Something has changed: RKV_OK or RKV_ENOMEM. */
int rkv_auth_settle(struct rkv_auth *auth);

/* May this user, who may be NULL, do that with these keys? */
bool rkv_auth_permits(const struct rkv_auth *auth, const struct rkv_user *user,
                      uint32_t access, const struct rkv_span *span);

/* Users, then roles, as pieces of a snapshot; and one piece read: RKV_OK,
 * RKV_ENOMEM, RKV_EMALFORMED. */
void rkv_auth_write(const struct rkv_auth *auth, struct rkv_buffer *out);
int rkv_auth_read_user(struct rkv_auth *auth, const void *data, size_t len);
int rkv_auth_read_role(struct rkv_auth *auth, const void *data, size_t len);
/* RKV_OK, RKV_ENOMEM, RKV_EMALFORMED: what was read cannot be. */
int rkv_auth_finish(struct rkv_auth *auth);
/* Counted anew; without memory it is that of nothing. */
uint64_t rkv_auth_rehash(const struct rkv_auth *auth);

#endif
