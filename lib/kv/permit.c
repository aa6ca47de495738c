/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Who may do what: whether the ranges that a user's roles permit, taken
 * together, cover a range of keys; and what an operation needs.
 */
#include "room.h"

static const struct rkv_bytes zero = {"", 1};

bool rkv_permission_is_valid(const struct rkv_permission *permission)
{
    struct rkv_span span;

    if (permission->access == 0 ||
        (permission->access & ~(uint32_t)(RKV_READ | RKV_WRITE)) != 0 ||
        permission->key.len == 0)
        return false;
    span = rkv_span_of(permission->key.data, permission->key.len,
                       permission->end.data, permission->end.len);
    return !rkv_span_is_empty(&span);
}

/* A place between keys: just before these bytes, or just behind them. */
struct place {
    struct rkv_bytes at;
    bool is_behind;
};

static int byte_of(struct place place, size_t i)
{
    const uint8_t *bytes = place.at.data;

    return i < place.at.len ? bytes[i] : 0;
}

/* Just behind some bytes is just before the same with a 0 behind them. */
static int order_of(struct place a, struct place b)
{
    size_t a_len = a.at.len + a.is_behind, b_len = b.at.len + b.is_behind;
    size_t shorter = a.at.len < b.at.len ? a.at.len : b.at.len;
    int order = rkv_bytes_compare(a.at.data, shorter, b.at.data, shorter);

    for (size_t i = shorter; order == 0 && i < a_len && i < b_len; i++)
        order = byte_of(a, i) - byte_of(b, i);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static struct place end_of(const struct rkv_permission *permission)
{
    if (permission->end.len == 0)
        return (struct place){permission->key, true};
    return (struct place){permission->end, false};
}

static bool is_open(struct rkv_bytes end)
{
    return rkv_bytes_equal(end, zero);
}

/* How far the permissions of this user lead from here without a gap: false
 * when no one does, *open when there is no end to it. */
static bool lead_on(const struct rkv_auth *auth, const struct rkv_user *user,
                    uint32_t access, struct place *at, bool *open)
{
    struct place furthest = *at;

    for (uint64_t i = 0; i < user->roles_count; i++) {
        const struct rkv_role *role = rkv_auth_role(auth, user->roles[i]);

        for (uint64_t k = 0; role != NULL && k < role->permissions_count; k++) {
            const struct rkv_permission *p = &role->permissions[k];
            struct place begin = {p->key, false};

            if ((p->access & access) == 0 || order_of(begin, *at) > 0)
                continue;
            *open = *open || is_open(p->end);
            if (!is_open(p->end) && order_of(end_of(p), furthest) > 0)
                furthest = end_of(p);
        }
    }
    if (*open)
        return true;
    if (order_of(furthest, *at) == 0)
        return false;
    *at = furthest;
    return true;
}

/* One kind of access.  Of a range that holds nothing its key is asked for. */
static bool covers(const struct rkv_auth *auth, const struct rkv_user *user,
                   uint32_t access, const struct rkv_span *span)
{
    struct place at = {{span->key, span->key_len}, false};
    struct place end = {{span->key, span->key_len}, true};
    bool open = false;

    if (span->kind == RKV_SPAN_UNTIL && !rkv_span_is_empty(span))
        end = (struct place){{span->end, span->end_len}, false};
    while (lead_on(auth, user, access, &at, &open)) {
        if (open)
            return true;
        if (span->kind != RKV_SPAN_FROM && order_of(at, end) >= 0)
            return true;
    }
    return false;
}

bool rkv_auth_permits(const struct rkv_auth *auth, const struct rkv_user *user,
                      uint32_t access, const struct rkv_span *span)
{
    const uint32_t kinds[] = {RKV_READ, RKV_WRITE};

    if (!auth->is_enabled)
        return true;
    if (user == NULL)
        return false;
    if (rkv_user_is_root(user))
        return true;
    for (size_t i = 0; i < 2; i++) {
        if ((access & kinds[i]) != 0 && !covers(auth, user, kinds[i], span))
            return false;
    }
    return true;
}

/* Who changes a lease changes the keys that hang on it. */
static bool permits_lease(const struct rkv_state *state,
                          const struct rkv_user *user, int64_t id)
{
    const struct rkv_lease *lease = rkv_leases_find(&state->leases, id);
    const struct rkv_record *record;
    struct rkv_lease_place place;

    if (lease == NULL)
        return true;
    place = rkv_lease_first(&lease->keys);
    while ((record = rkv_lease_next(&lease->keys, &place)) != NULL) {
        struct rkv_span span =
            rkv_span_of(record->bytes, record->key_len, NULL, 0);

        if (!rkv_auth_permits(&state->auth, user, RKV_WRITE, &span))
            return false;
    }
    return true;
}

static bool permits_op(const struct rkv_state *state,
                       const struct rkv_user *user, const struct rkv_op *op)
{
    uint32_t access = 0;

    switch (op->kind) {
    case RKV_OP_COMPARE:
    case RKV_OP_RANGE:
        access = RKV_READ;
        break;
    case RKV_OP_PUT:
        if (op->lease != 0 && !permits_lease(state, user, op->lease))
            return false;
        access = RKV_WRITE;
        if ((op->flags & RKV_PUT_PREV) != 0)
            access |= RKV_READ;
        break;
    case RKV_OP_DELETE:
        access = RKV_WRITE;
        if ((op->flags & RKV_RANGE_PREV) != 0)
            access |= RKV_READ;
        break;
    case RKV_OP_REVOKE:
    case RKV_OP_KEEP_ALIVE:
        return permits_lease(state, user, op->lease);
    default:
        /* What only frames the others, a new lease, a new session. */
        return true;
    }
    return rkv_auth_permits(&state->auth, user, access, &op->span);
}

/* Compaction, quota, users and roles. */
static bool is_for_root(const struct rkv_op *op)
{
    return op->kind >= RKV_OP_AUTH || op->kind == RKV_OP_COMPACT ||
           op->kind == RKV_OP_QUOTA;
}

/* Whether keys are asked for: by every transaction, and by who ends or renews
 * a lease that has some. */
static bool is_about_keys(const struct rkv_state *state,
                          const struct rkv_program *program)
{
    if (program->ops[1].kind < RKV_OP_COMPACT)
        return true;
    for (size_t i = 1; i < program->count; i++) {
        const struct rkv_op *op = &program->ops[i];
        const struct rkv_lease *lease = NULL;

        if (op->kind == RKV_OP_REVOKE || op->kind == RKV_OP_KEEP_ALIVE)
            lease = rkv_leases_find(&state->leases, op->lease);
        if (lease != NULL && lease->keys.count > 0)
            return true;
    }
    return false;
}

/* As in etcd, what is for root asks who is root now, however old the command's
 * knowledge of users is, or of two changes under way together the second would
 * be refused.  For keys, whose it is comes first, then how old that knowledge
 * is, then whether the user is there; and both branches count.  The clock
 * belongs to nobody: nodes move it. */
int rkv_permit_command(const struct rkv_state *state,
                       const struct rkv_program *program)
{
    const struct rkv_auth *auth = &state->auth;
    const struct rkv_op *first = &program->ops[1];
    const struct rkv_user *user;

    if (!auth->is_enabled || first->kind == RKV_OP_CLOCK)
        return RKV_OK;
    if (program->user.len == 0)
        return RKV_ENOUSER;
    user = rkv_auth_user(auth, program->user);
    if (is_for_root(first)) {
        if (user == NULL)
            return RKV_ENOUSER;
        return rkv_user_is_root(user) ? RKV_OK : RKV_EDENIED;
    }
    if (program->auth_revision < auth->revision &&
        is_about_keys(state, program))
        return RKV_EOLDAUTH;
    if (user == NULL)
        return RKV_EDENIED;
    for (size_t i = 0; i < program->count; i++) {
        if (!permits_op(state, user, &program->ops[i]))
            return RKV_EDENIED;
    }
    return RKV_OK;
}

int rkv_kv_permit(const rkv_kv *kv, const void *user, size_t user_len,
                  uint32_t access, const void *key, size_t key_len,
                  const void *end, size_t end_len)
{
    const struct rkv_auth *auth = &kv->state->auth;
    struct rkv_bytes name = {user, user_len};
    struct rkv_span span;

    if (kv->failed)
        return RKV_EFAILED;
    if ((user == NULL && user_len > 0) ||
        !rkv_span_is_given(key, key_len, end, end_len) ||
        (access & ~(uint32_t)(RKV_READ | RKV_WRITE)) != 0)
        return RKV_EINVAL;
    if (key_len == 0)
        return RKV_EKEY;
    if (key_len > UINT32_MAX || end_len > UINT32_MAX)
        return RKV_ETOOBIG;
    span = rkv_span_of(key, key_len, end, end_len);
    return rkv_auth_permits(auth, rkv_auth_user(auth, name), access, &span)
               ? RKV_OK
               : RKV_EDENIED;
}

int rkv_kv_is_root(const rkv_kv *kv, const void *user, size_t user_len)
{
    const struct rkv_auth *auth = &kv->state->auth;
    struct rkv_bytes name = {user, user_len};
    const struct rkv_user *found;

    if (kv->failed)
        return RKV_EFAILED;
    if (user == NULL && user_len > 0)
        return RKV_EINVAL;
    if (!auth->is_enabled)
        return RKV_OK;
    found = rkv_auth_user(auth, name);
    return found != NULL && rkv_user_is_root(found) ? RKV_OK : RKV_EDENIED;
}
