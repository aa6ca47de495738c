/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a member says that has come as far as the twin.
 */
#include <inttypes.h>
#include <string.h>

#include "twin_room.h"

enum { SPACE_EACH = 128 };

static const char *rule = "a member is as the model says";

static void same(const struct twin *twin, const char *what, int64_t ours,
                 int64_t theirs)
{
    if (ours != theirs)
        verdict_break(twin->verdict, rule,
                      "index %" PRIu64 ": %s is %" PRId64
                      ", the model says %" PRId64,
                      twin->applied, what, theirs, ours);
}

static void check_leases(const struct twin *twin,
                         const struct rkv_kv_status *status)
{
    int64_t next = 0, fresh = 0;

    for (size_t i = 0; i < twin->leases_count; i++) {
        int64_t deadline = twin->leases[i].deadline;

        fresh += deadline == 0;
        if (deadline != 0 && (next == 0 || deadline < next))
            next = deadline;
    }
    same(twin, "leases", (int64_t)twin->leases_count, (int64_t)status->leases);
    same(twin, "leases_fresh", fresh, (int64_t)status->leases_fresh);
    same(twin, "next_end", next, status->next_end);
}

void twin_check_status(struct twin *twin, const struct rkv_kv_status *status)
{
    uint64_t space =
        twin->bytes + SPACE_EACH * (twin->records + twin->leases_count);

    same(twin, "applied", (int64_t)twin->applied, (int64_t)status->applied);
    same(twin, "revision", twin->revision, status->revision);
    same(twin, "compacted", twin->compacted, status->compacted);
    same(twin, "keys", (int64_t)twin->live, (int64_t)status->keys);
    same(twin, "revisions", (int64_t)twin->records, (int64_t)status->revisions);
    same(twin, "bytes", (int64_t)twin->bytes, (int64_t)status->bytes);
    same(twin, "clock", twin->clock, status->clock);
    same(twin, "clock_term", (int64_t)twin->clock_term,
         (int64_t)status->clock_term);
    same(twin, "space", (int64_t)space, (int64_t)status->space);
    same(twin, "quota", twin->quota, (int64_t)status->quota);
    same(twin, "full", twin_is_full(twin), status->full);
    same(twin, "sessions", (int64_t)twin->sessions_count,
         (int64_t)status->sessions);
    check_leases(twin, status);
}

static void check_range(struct twin *twin, rkv_kv *kv, int64_t revision)
{
    const struct rkv_range all = {.size = sizeof all,
                                  .key = "\0",
                                  .key_len = 1,
                                  .end = "\0",
                                  .end_len = 1,
                                  .revision = revision};
    const struct rkv_result *result;

    if (rkv_kv_range(kv, &all, &result) == RKV_OK)
        twin_check_range(twin, twin->revision, twin->compacted, &all, result);
}

static void check_lease(struct twin *twin, const struct twin_lease *lease,
                        rkv_kv *kv)
{
    struct rkv_lease_status status = {.size = sizeof status};

    same(twin, "asking for a lease", RKV_OK,
         rkv_kv_lease(kv, lease->id, &status));
    same(twin, "a lease's ttl", lease->ttl, status.ttl);
    same(twin, "what a lease has left",
         lease->deadline == 0 ? lease->ttl : lease->deadline - twin->clock,
         status.left);
    same(twin, "a lease's keys", (int64_t)lease_keys(twin, lease->id),
         (int64_t)status.keys);
}

static const struct twin_user *named(const struct twin *twin,
                                     struct rkv_bytes name)
{
    const struct text text = {name.data, name.len};

    for (size_t i = 0; i < twin->users_count; i++)
        if (text_order(twin->users[i].name, text) == 0)
            return &twin->users[i];
    return NULL;
}

static const struct twin_role *role_named(const struct twin *twin,
                                          struct rkv_bytes name)
{
    const struct text text = {name.data, name.len};

    for (size_t i = 0; i < twin->roles_count; i++)
        if (text_order(twin->roles[i].name, text) == 0)
            return &twin->roles[i];
    return NULL;
}

static void check_auth(struct twin *twin, const rkv_kv *kv)
{
    struct rkv_auth_status auth = {.size = sizeof auth};
    const struct rkv_user *users;
    const struct rkv_role *roles;
    size_t count;

    rkv_kv_auth(kv, &auth);
    same(twin, "auth being enabled", twin->auth_enabled, auth.enabled);
    same(twin, "the auth revision", (int64_t)twin->auth_revision,
         (int64_t)auth.revision);
    count = rkv_kv_users(kv, &users);
    same(twin, "users", (int64_t)twin->users_count, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct twin_user *user = named(twin, users[i].name);

        same(twin, "the roles of a user",
             user != NULL ? (int64_t)user->count : -1,
             (int64_t)users[i].roles_count);
    }
    count = rkv_kv_roles(kv, &roles);
    same(twin, "roles", (int64_t)twin->roles_count, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct twin_role *role = role_named(twin, roles[i].name);

        same(twin, "the permissions of a role",
             role != NULL ? (int64_t)role->count : -1,
             (int64_t)roles[i].permissions_count);
    }
}

void twin_check_all(struct twin *twin, rkv_kv *kv)
{
    struct rkv_kv_status status = {.size = sizeof status};
    int64_t oldest = twin->compacted > 0 ? twin->compacted : 1;
    int64_t step = (twin->revision - oldest) / 16 + 1;

    rkv_kv_status(kv, &status);
    twin_check_status(twin, &status);
    for (int64_t at = oldest; at < twin->revision; at += step)
        check_range(twin, kv, at);
    check_range(twin, kv, 0);
    for (size_t i = 0; i < twin->leases_count; i++)
        check_lease(twin, &twin->leases[i], kv);
    check_auth(twin, kv);
}
