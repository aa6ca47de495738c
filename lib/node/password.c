/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Passwords, hashed by who proposes them and never where commands are applied.
 */
#include <raftkv/auth.h>
#include <sodium.h>
#include <string.h>

_Static_assert(crypto_pwhash_STRBYTES == RKV_PASSWORD_BYTES, "one string");

int rkv_password_hash(const void *password, size_t len, char out[128])
{
    if ((password == NULL && len > 0) || out == NULL)
        return RKV_EINVAL;
    if (sodium_init() < 0)
        return RKV_EIO;
    return crypto_pwhash_str(out, len > 0 ? password : "", len,
                             crypto_pwhash_OPSLIMIT_INTERACTIVE,
                             crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0
               ? RKV_OK
               : RKV_ENOMEM;
}

int rkv_password_check(const char *hash, size_t hash_len, const void *password,
                       size_t len)
{
    char copy[RKV_PASSWORD_BYTES] = "";

    if ((hash == NULL && hash_len > 0) || (password == NULL && len > 0))
        return RKV_EINVAL;
    /* Of a user without a password none is right. */
    if (hash_len == 0 || hash_len >= sizeof copy)
        return RKV_EDENIED;
    if (sodium_init() < 0)
        return RKV_EIO;
    memcpy(copy, hash, hash_len);
    return crypto_pwhash_str_verify(copy, len > 0 ? password : "", len) == 0
               ? RKV_OK
               : RKV_EDENIED;
}
