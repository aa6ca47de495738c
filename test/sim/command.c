/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What clients ask to be done: few keys, so that they meet, and every kind of
 * command there is, each as often as this seed will have it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "oracle.h"

struct pen {
    struct world *w;
    struct client *client;
    rkv_txn *txn;
    uint32_t at;
    uint64_t number; /* of the request */
};

static uint64_t below(const struct pen *pen, uint64_t bound)
{
    return load_below(pen->w, bound);
}

int encode_put(const char *key, const char *value, rkv_txn **txn,
               const void **command, size_t *len)
{
    const struct rkv_put put = {.size = sizeof put,
                                .key = key,
                                .key_len = strlen(key),
                                .value = value,
                                .value_len = strlen(value)};

    *txn = NULL;
    if (rkv_txn_new(NULL, txn) != RKV_OK)
        return RKV_ENOMEM;
    (void)rkv_txn_put(*txn, &put);
    return rkv_txn_encode(*txn, command, len);
}

/* The lower ones more often. */
static uint64_t pick_key(const struct pen *pen)
{
    return below(pen, 1 + below(pen, KEYS));
}

static size_t name_key(char out[8], uint64_t number)
{
    return (size_t)snprintf(out, 8, "k%02u", (unsigned)(number % 100));
}

/* ---- operations ---- */

static int64_t pick_lease(const struct pen *pen)
{
    const struct load *load = pen->w->clients;

    if (load->leases_count == 0 || below(pen, 8) == 0)
        return (int64_t)below(pen, 50);
    return load->leases[below(pen, load->leases_count < LEASES_KNOWN
                                       ? load->leases_count
                                       : LEASES_KNOWN)];
}

/* No value comes twice. */
static size_t write_value(const struct pen *pen)
{
    struct load *load = pen->w->clients;
    size_t len = (size_t)snprintf(load->value, sizeof load->value, "%llu.%llu",
                                  (unsigned long long)pen->number,
                                  (unsigned long long)below(pen, 1000));

    return len < pen->w->value ? pen->w->value : len;
}

static void put_key(const struct pen *pen, uint64_t key, uint32_t flags,
                    int64_t lease, int64_t ttl)
{
    char name[8];
    struct rkv_put put = {.size = sizeof put,
                          .flags = flags,
                          .key = name,
                          .key_len = name_key(name, key),
                          .value = pen->w->clients->value,
                          .lease = lease,
                          .ttl = ttl};

    if ((flags & RKV_PUT_IGNORE_VALUE) == 0)
        put.value_len = write_value(pen);
    (void)rkv_txn_put(pen->txn, &put);
}

static void delete_keys(const struct pen *pen, uint64_t key, uint64_t count)
{
    char name[8], end[8];
    struct rkv_range range = {.size = sizeof range,
                              .flags = RKV_RANGE_PREV,
                              .key = name,
                              .key_len = name_key(name, key),
                              .end = end};

    if (count > 1)
        range.end_len = name_key(end, key + count);
    (void)rkv_txn_delete(pen->txn, &range);
}

static void read_keys(const struct pen *pen, uint64_t key, uint64_t count)
{
    char name[8], end[8];
    struct rkv_range range = {.size = sizeof range,
                              .key = name,
                              .key_len = name_key(name, key),
                              .end = end,
                              .limit = (int64_t)below(pen, 5),
                              .sort = (uint32_t)below(pen, 5),
                              .order = (uint32_t)below(pen, 3)};

    if (count > 1)
        range.end_len = name_key(end, key + count);
    (void)rkv_txn_range(pen->txn, &range);
}

static void compare_key(const struct pen *pen, uint64_t key, uint32_t target,
                        uint32_t relation, int64_t number)
{
    char name[8];
    struct rkv_compare compare = {.size = sizeof compare,
                                  .target = target,
                                  .relation = relation,
                                  .key = name,
                                  .key_len = name_key(name, key),
                                  .number = number};

    (void)rkv_txn_compare(pen->txn, &compare);
}

/* ---- commands ---- */

static void write_put(const struct pen *pen)
{
    uint32_t flags = below(pen, 3) == 0 ? RKV_PUT_PREV : 0;

    if (below(pen, 12) == 0)
        flags |= RKV_PUT_IGNORE_VALUE;
    else if (below(pen, 12) == 0)
        flags |= RKV_PUT_IGNORE_LEASE;
    put_key(pen, pick_key(pen), flags, 0, 0);
}

static void write_delete(const struct pen *pen)
{
    delete_keys(pen, pick_key(pen), 1 + below(pen, 4));
}

/* Only if it is as the client saw it last. */
static void write_swap(const struct pen *pen)
{
    uint64_t key = pick_key(pen);

    compare_key(pen, key, RKV_COMPARE_MOD, RKV_EQUAL, pen->client->seen[key]);
    put_key(pen, key, 0, 0, 0);
    (void)rkv_txn_else(pen->txn);
    read_keys(pen, key, 1);
}

/* From one account to the other: both change, or none. */
static void write_transfer(const struct pen *pen)
{
    uint64_t from = below(pen, KEYS), to = (from + 1 + below(pen, 5)) % KEYS;

    compare_key(pen, from, RKV_COMPARE_VERSION, RKV_GREATER, 0);
    compare_key(pen, to, RKV_COMPARE_VERSION, RKV_LESS,
                1 + (int64_t)below(pen, 30));
    delete_keys(pen, from, 1);
    put_key(pen, to, RKV_PUT_PREV, 0, 0);
    read_keys(pen, 0, KEYS);
    (void)rkv_txn_else(pen->txn);
    put_key(pen, from, 0, 0, 0);
}

static void write_nested(const struct pen *pen)
{
    uint64_t key = pick_key(pen);

    compare_key(pen, key, RKV_COMPARE_CREATE, RKV_NOT_EQUAL,
                pen->client->seen[key]);
    put_key(pen, key, 0, 0, 0);
    (void)rkv_txn_begin(pen->txn);
    compare_key(pen, key + 1, RKV_COMPARE_LEASE, RKV_EQUAL, 0);
    put_key(pen, key + KEYS, 0, 0, 0);
    (void)rkv_txn_else(pen->txn);
    delete_keys(pen, key + KEYS, 2);
    (void)rkv_txn_end(pen->txn);
    read_keys(pen, key, 3);
    (void)rkv_txn_else(pen->txn);
    (void)rkv_txn_begin(pen->txn);
    delete_keys(pen, key, 1);
    (void)rkv_txn_end(pen->txn);
}

static void write_range(const struct pen *pen)
{
    read_keys(pen, pick_key(pen), 1 + below(pen, KEYS));
}

static void write_compact(const struct pen *pen)
{
    struct rkv_kv_status kv = {.size = sizeof kv};
    int64_t back = (int64_t)below(pen, 60);

    rkv_kv_status(rkv_node_kv(pen->w->machines[pen->at].node), &kv);
    (void)rkv_txn_compact(pen->txn, back == 0            ? kv.revision + 5
                                    : kv.revision > back ? kv.revision - back
                                                         : 1);
}

static void write_grant(const struct pen *pen)
{
    int64_t id = below(pen, 2) == 0 ? 0 : (int64_t)(1000 + pen->number);

    if (below(pen, 10) == 0)
        id = pick_lease(pen);
    (void)rkv_txn_grant(pen->txn, id, 50 + (int64_t)below(pen, 4000));
}

static void write_revoke(const struct pen *pen)
{
    (void)rkv_txn_revoke(pen->txn, pick_lease(pen));
}

static void write_keep(const struct pen *pen)
{
    (void)rkv_txn_keep_alive(pen->txn, pick_lease(pen));
    for (uint64_t more = below(pen, 3); more > 0; more--)
        (void)rkv_txn_keep_alive(pen->txn, pick_lease(pen));
}

static void write_leased(const struct pen *pen)
{
    put_key(pen, pick_key(pen), 0, pick_lease(pen), 0);
}

static void write_mortal(const struct pen *pen)
{
    put_key(pen, pick_key(pen), 0, 0, 50 + (int64_t)below(pen, 3000));
}

/* Mostly without end again. */
static void write_quota(const struct pen *pen)
{
    (void)rkv_txn_quota(
        pen->txn, below(pen, 3) == 0 ? 20000 + (int64_t)below(pen, 200000) : 0);
}

/* ---- users and roles, by a script that is then played on at random ---- */

static struct rkv_bytes bytes_of(const char *text)
{
    return (struct rkv_bytes){text, strlen(text)};
}

static void write_permission(const struct pen *pen)
{
    const struct rkv_role role = {
        .name = bytes_of(below(pen, 2) == 0 ? "low" : "high")};
    char key[8], end[8];
    struct rkv_permission permission = {
        .access = 1 + (uint32_t)below(pen, 3),
        .key = {key, name_key(key, below(pen, KEYS))}};

    if (below(pen, 3) > 0) {
        permission.end.data = end;
        permission.end.len = name_key(end, 99);
    }
    if (below(pen, 3) > 0)
        (void)rkv_txn_role_grant(pen->txn, &role, &permission);
    else
        (void)rkv_txn_role_revoke(pen->txn, &role, &permission);
}

static void write_admin(const struct pen *pen)
{
    static const struct {
        const char *user, *role;
    } cast[] = {{"root", "root"}, {"alice", "low"}, {"bob", "high"}};
    struct load *load = pen->w->clients;
    uint32_t step = load->users_step++;
    const struct rkv_user user = {.name = bytes_of(cast[step % 3].user)};
    const struct rkv_role role = {.name = bytes_of(cast[step % 3].role)};

    if (step < 3)
        (void)rkv_txn_user_add(pen->txn, &user);
    else if (step < 6)
        (void)rkv_txn_role_add(pen->txn, &role);
    else if (step < 9)
        (void)rkv_txn_user_grant(pen->txn, &user, &role);
    else if (step < 16 || below(pen, 3) == 0)
        write_permission(pen);
    else if (below(pen, 3) == 0)
        load->users_step = 0; /* what was refused may be done now */
    else if (below(pen, 6) == 0)
        (void)rkv_txn_user_delete(pen->txn, &user);
    else
        (void)rkv_txn_auth_enable(pen->txn, below(pen, 3) > 0);
}

/* Whose it is, as far as the member knows that it matters. */
static void write_user(const struct pen *pen, bool is_admin)
{
    static const char *const names[] = {"root", "alice", "bob", "nobody"};
    const char *name = names[is_admin ? 0 : below(pen, 20) % 4];
    struct rkv_auth_status auth = {.size = sizeof auth};

    rkv_kv_auth(rkv_node_kv(pen->w->machines[pen->at].node), &auth);
    if (auth.enabled)
        (void)rkv_txn_user(pen->txn, name, strlen(name), auth.revision);
}

/* ---- which of them ---- */

static const struct {
    void (*write)(const struct pen *pen);
    uint32_t most; /* the weight it may have */
    bool may_rest; /* some seeds know nothing of it */
} kinds[] = {
    {write_put, 12, false},    {write_delete, 4, true}, {write_swap, 8, true},
    {write_transfer, 4, true}, {write_nested, 4, true}, {write_range, 3, true},
    {write_compact, 2, true},  {write_grant, 3, true},  {write_revoke, 2, true},
    {write_keep, 3, true},     {write_leased, 5, true}, {write_mortal, 4, true},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

void commands_draw(struct world *w)
{
    struct load *load = w->clients;

    for (uint32_t i = 0; i < KINDS; i++) {
        load->weights[i] = 1 + (uint32_t)load_below(w, kinds[i].most);
        if (kinds[i].may_rest && load_below(w, 3) == 0)
            load->weights[i] = 0;
        load->weights_sum += load->weights[i];
    }
    load->has_users = load_below(w, 5) == 0;
    w->quota = load_below(w, 6) == 0;
}

static void write_any(const struct pen *pen)
{
    const struct load *load = pen->w->clients;
    uint64_t choice = below(pen, load->weights_sum);
    uint32_t kind = 0;

    while (choice >= load->weights[kind])
        choice -= load->weights[kind++];
    kinds[kind].write(pen);
}

static void write_session(const struct pen *pen)
{
    struct client *c = pen->client;
    uint64_t session = c->session, sequence = c->sequence;

    /* Nobody's, or too late: both come to nothing. */
    if (below(pen, 40) == 0)
        session = 1;
    if (sequence > 2 && below(pen, 20) == 0)
        sequence -= 1 + below(pen, 2);
    (void)rkv_txn_session(pen->txn, session, sequence);
}

static bool is_admin_now(const struct pen *pen)
{
    return pen->w->clients->has_users && below(pen, 12) == 0;
}

static void write_command(const struct pen *pen)
{
    struct client *c = pen->client;
    bool is_admin = is_admin_now(pen);

    rkv_txn_reset(pen->txn);
    write_user(pen, is_admin);
    if (c->in_session && c->session == 0) {
        (void)rkv_txn_open_session(pen->txn);
        return;
    }
    if (c->in_session) {
        c->sequence++;
        write_session(pen);
    }
    if (is_admin)
        write_admin(pen);
    else if (pen->w->quota && below(pen, 60) == 0)
        write_quota(pen);
    else
        write_any(pen);
}

/* Cut short, it must be refused before anything comes of it. */
static void offer_malformed(struct world *w, uint32_t at,
                            const struct client *c)
{
    int rc = rkv_node_propose(w->machines[at].node, UINT64_MAX, c->command,
                              c->len / 2);

    /* Half of it can be a command, too. */
    if (rc == RKV_OK)
        claims_asked(&w->oracle->claims, twin_digest(c->command, c->len / 2));
    else
        mark(w, MARK_MALFORMED);
}

void command_ask(struct world *w, uint32_t client, uint32_t at)
{
    struct load *load = w->clients;
    struct client *c = &load->clients[client];
    const struct pen pen = {w, c, load->txn, at, load->asks_count};
    const void *command;
    size_t len;

    if (c->in_session && c->is_owed) {
        (void)load_propose(w, client, at);
        return;
    }
    write_command(&pen);
    if (rkv_txn_encode(load->txn, &command, &len) != RKV_OK ||
        len > COMMAND_BYTES)
        return;
    memcpy(c->command, command, len);
    c->len = len;
    if (load_below(w, 200) == 0)
        offer_malformed(w, at, c);
    c->is_owed = c->in_session;
    (void)load_propose(w, client, at);
}

/* ---- what an answer teaches ---- */

static void learn_item(struct client *c, const struct rkv_item *item)
{
    const char *name = item->key;
    uint64_t key;

    if (item->key_len != 3)
        return;
    key = (uint64_t)(name[1] - '0') * 10 + (uint64_t)(name[2] - '0');
    if (key < KEYS)
        c->seen[key] = item->mod_revision;
}

static void learn_lease(struct load *load, const struct rkv_response *response)
{
    if (response->lease != 0 && response->ttl != 0)
        load->leases[load->leases_count++ % LEASES_KNOWN] = response->lease;
}

void command_learn(struct world *w, uint32_t client,
                   const struct rkv_result *result)
{
    struct client *c = &w->clients->clients[client];

    c->is_owed = false;
    for (uint64_t i = 0; i < result->responses_count; i++) {
        const struct rkv_response *response = &result->responses[i];

        for (uint64_t k = 0; k < response->items_count; k++)
            learn_item(c, &response->items[k]);
        learn_lease(w->clients, response);
        if (response->kind == RKV_RESPONSE_SESSION && c->in_session)
            c->session = response->session;
    }
}
