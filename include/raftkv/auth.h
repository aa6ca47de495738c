/* SPDX-License-Identifier: BSD-2-Clause
 *
 * raftkv/auth.h - users, roles and permissions of the key-value state, after
 * etcd's: who may read and write which keys.  The state keeps them and checks
 * every command that says whose it is; a host checks what it reads itself.
 * Passwords never come here: the proposer hashes them.
 */
#ifndef RAFTKV_AUTH_H
#define RAFTKV_AUTH_H

#include "kv.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RKV_READ = 1u << 0, RKV_WRITE = 1u << 1 };

/* What the state holds; all of these frozen, names in order. */
struct rkv_bytes {
    const void *data;
    size_t len;
};
struct rkv_permission {
    uint32_t access; /* RKV_READ, RKV_WRITE or both */
    uint32_t reserved;
    struct rkv_bytes key;
    struct rkv_bytes end; /* as in a range */
};
struct rkv_role {
    struct rkv_bytes name;
    const struct rkv_permission *permissions;
    uint64_t permissions_count;
};
struct rkv_user {
    struct rkv_bytes name;
    struct rkv_bytes password; /* its hash; empty: none */
    const struct rkv_bytes *roles;
    uint64_t roles_count;
};
struct rkv_auth_status {
    uint32_t size;
    uint32_t enabled;
    uint64_t revision; /* 1, and one more with each change */
};
RKV_API void rkv_kv_auth(const rkv_kv *kv, struct rkv_auth_status *out);
/* They last until the next call that takes a non-const rkv_kv. */
RKV_API size_t rkv_kv_users(const rkv_kv *kv, const struct rkv_user **out);
RKV_API size_t rkv_kv_roles(const rkv_kv *kv, const struct rkv_role **out);
/* RKV_EDENIED: this user may not do this with these keys.  While auth is not
 * enabled everybody may do everything. */
RKV_API int rkv_kv_permit(const rkv_kv *kv, const void *user, size_t user_len,
                          uint32_t access, const void *key, size_t key_len,
                          const void *end, size_t end_len);
/* Whether it has the role root; access to all there is, and to all of this. */
RKV_API int rkv_kv_is_root(const rkv_kv *kv, const void *user, size_t user_len);

/* First in a command: whose it is, and the auth revision when that was found
 * out. */
RKV_API int rkv_txn_user(rkv_txn *txn, const void *user, size_t user_len,
                         uint64_t revision);
/* Commands of their own.  Enabling needs a user root with the role root. */
RKV_API int rkv_txn_auth_enable(rkv_txn *txn, int enable);
RKV_API int rkv_txn_user_add(rkv_txn *txn, const struct rkv_user *user);
RKV_API int rkv_txn_user_delete(rkv_txn *txn, const struct rkv_user *user);
RKV_API int rkv_txn_user_password(rkv_txn *txn, const struct rkv_user *user);
RKV_API int rkv_txn_user_grant(rkv_txn *txn, const struct rkv_user *user,
                               const struct rkv_role *role);
RKV_API int rkv_txn_user_revoke(rkv_txn *txn, const struct rkv_user *user,
                                const struct rkv_role *role);
RKV_API int rkv_txn_role_add(rkv_txn *txn, const struct rkv_role *role);
RKV_API int rkv_txn_role_delete(rkv_txn *txn, const struct rkv_role *role);
RKV_API int rkv_txn_role_grant(rkv_txn *txn, const struct rkv_role *role,
                               const struct rkv_permission *permission);
RKV_API int rkv_txn_role_revoke(rkv_txn *txn, const struct rkv_role *role,
                                const struct rkv_permission *permission);

/* Argon2id, for the proposer: slow on purpose, so on a thread of its own.
 * The hash is a string of at most 127 bytes.  check: RKV_OK or RKV_EDENIED. */
enum { RKV_PASSWORD_BYTES = 128 };
RKV_API int rkv_password_hash(const void *password, size_t len, char out[128]);
RKV_API int rkv_password_check(const char *hash, size_t hash_len,
                               const void *password, size_t len);

#ifdef __cplusplus
}
#endif
#endif
