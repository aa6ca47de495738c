/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Committed entries become state.  They are applied one by one as the host
 * takes events, so that a result can be handed out in place, without a copy.
 */
#include <string.h>

#include "../store/held.h"
#include "room.h"

static void answer(rkv_node *node, struct rkv_event *event,
                   struct rkv_request *request, const struct rkv_entry *entry)
{
    event->kind = RKV_EVENT_DONE;
    event->outcome = RKV_DONE;
    event->token = request->token;
    event->index = entry->index;
    event->term = entry->term;
    event->leader = node->leader;
    rkv_request_release(node, request);
}

static int fetch(rkv_node *node, uint64_t index, const struct rkv_entry **out)
{
    struct rkv_raft_entry listed = {.index = index};
    int rc = rkv_raft_term_at(node->raft, index, &listed.term);

    if (rc == RKV_OK)
        rc = rkv_tail_get(node->tail, &listed, 1, out);
    if (rc == RKV_OK)
        return RKV_OK;
    return rkv_hub_fail(node->hub, RKV_EFAILED,
                        "group %llu: entry %llu is committed but its bytes are "
                        "not held (%s); this is a defect of the library",
                        (unsigned long long)node->group,
                        (unsigned long long)index, rkv_errname(rc));
}

static int apply_command(rkv_node *node, const struct rkv_entry *entry,
                         const struct rkv_envelope *envelope,
                         const struct rkv_result **result)
{
    int rc = rkv_kv_apply(node->kv, entry->index, envelope->data, envelope->len,
                          result);

    if (rc == RKV_OK)
        return RKV_OK;
    return rkv_hub_fail(node->hub, rc,
                        "group %llu: entry %llu could not be applied (%s); "
                        "close the node and open it again",
                        (unsigned long long)node->group,
                        (unsigned long long)entry->index, rkv_strerror(rc));
}

/* An entry of the core's own has no bytes, and ends a joint configuration. */
static int changes_of(const struct rkv_entry *entry,
                      const struct rkv_envelope *envelope,
                      struct rkv_changes *out)
{
    out->count = 0;
    out->transition = RKV_CHANGE_AUTO;
    return entry->len == 0
               ? RKV_OK
               : rkv_changes_decode(envelope->data, envelope->len, out);
}

/* Every member judges a change by the same configuration, so all of them
 * apply it or all reject it (thesis 4.1). */
static int apply_config(rkv_node *node, const struct rkv_entry *entry,
                        const struct rkv_envelope *envelope)
{
    struct rkv_raft_in in = {.kind = RKV_IN_REJECTED, .index = entry->index};
    struct rkv_raft_change flat[RKV_CHANGES_MAX];
    struct rkv_raft_changes flats = {.list = flat};
    struct rkv_event event = {
        .kind = RKV_EVENT_MEMBERS, .index = entry->index, .term = entry->term};
    struct rkv_changes changes;
    int rc = changes_of(entry, envelope, &changes);

    if (rc == RKV_OK) {
        rkv_changes_flat(&changes, &flats, flat);
        rc = rkv_raft_check_change(node->raft, &flats);
    }
    if (rc == RKV_OK) {
        in.kind = RKV_IN_CONFIGURED;
        in.changes = &flats;
        rkv_event_push(node, &event);
    }
    (void)rkv_node_step(node, &in);
    if (rc == RKV_OK && rkv_members_change(node, &changes) != RKV_OK)
        return rkv_hub_fail(node->hub, RKV_ENOMEM,
                            "group %llu: no memory for the membership change "
                            "at %llu",
                            (unsigned long long)node->group,
                            (unsigned long long)entry->index);
    return rc;
}

/* *status is what its proposer is told. */
static int apply(rkv_node *node, const struct rkv_entry *entry,
                 const struct rkv_envelope *envelope,
                 const struct rkv_result **result, int32_t *status)
{
    int rc = RKV_OK;

    *result = NULL;
    *status = RKV_OK;
    if (entry->kind == RKV_ENTRY_COMMAND)
        return apply_command(node, entry, envelope, result);
    if (entry->kind == RKV_ENTRY_CONFIG) {
        *status = apply_config(node, entry, envelope);
        if (node->hub->failed)
            return node->hub->failed;
    }
    rc = rkv_kv_skip(node->kv, entry->index);
    return rc == RKV_OK ? RKV_OK
                        : rkv_hub_fail(node->hub, rc,
                                       "group %llu: index %llu was not next",
                                       (unsigned long long)node->group,
                                       (unsigned long long)entry->index);
}

/* The request it answers, if it is one of ours. */
static struct rkv_request *request_of(rkv_node *node,
                                      const struct rkv_entry *entry,
                                      const struct rkv_envelope *envelope)
{
    bool is_ours = envelope->origin == node->options.id &&
                   envelope->boot == node->hub->identity.boot;

    return rkv_requests_take(node, entry->index, entry->term,
                             is_ours ? envelope->id : 0);
}

int rkv_apply_one(rkv_node *node, struct rkv_event *event)
{
    const struct rkv_entry *entry;
    const struct rkv_result *result;
    struct rkv_envelope envelope = {0};
    struct rkv_request *request;
    int32_t status;

    if (fetch(node, node->applied + 1, &entry) != RKV_OK)
        return node->hub->failed;
    /* A malformed envelope is an empty command: refused by the state, alike on
     * every member. */
    if (entry->kind != RKV_ENTRY_NOOP)
        (void)rkv_envelope_open(entry->data, entry->len, &envelope);
    if (apply(node, entry, &envelope, &result, &status) != RKV_OK)
        return node->hub->failed;
    node->applied = entry->index;
    rkv_node_touch(node);
    request = request_of(node, entry, &envelope);
    if (request == NULL)
        return 0;
    answer(node, event, request, entry);
    event->result = result;
    if (status != RKV_OK) {
        event->outcome = RKV_NOT_DONE;
        event->status = status;
    }
    return 1;
}

bool rkv_node_lags(const rkv_node *node)
{
    uint64_t last, term;

    if (rkv_tail_held(node->tail) <=
        node->options.cache_bytes_max +
            node->raft_options.uncommitted_bytes_max)
        return false;
    rkv_raft_last(node->raft, &last, &term);
    return node->applied < node->commit || node->durable < last;
}

int rkv_apply_next(rkv_node *node, struct rkv_event *event)
{
    int rc = 0;

    /* News of what was applied comes before what follows it. */
    while (rc == 0 && node->applied < node->commit && node->events_count == 0)
        rc = rkv_apply_one(node, event);
    return rc > 0;
}
