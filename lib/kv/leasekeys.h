/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/kv/leasekeys.h - changing the keys of a lease, known to lease.c and
 * leasekeys.c alone.
 */
#ifndef RKV_KV_LEASEKEYS_H
#define RKV_KV_LEASEKEYS_H

#include "lease.h"

/* RKV_OK or RKV_ENOMEM. */
int rkv_lease_keys_add(const struct rkv_allocator *a,
                       struct rkv_lease_keys *keys, struct rkv_record *record);
/* Another record of the same key. */
void rkv_lease_keys_replace(struct rkv_lease_keys *keys,
                            const struct rkv_record *old,
                            struct rkv_record *record);
void rkv_lease_keys_remove(struct rkv_lease_keys *keys,
                           const struct rkv_record *record);
bool rkv_lease_keys_have(const struct rkv_lease_keys *keys,
                         const struct rkv_record *record);

#endif
