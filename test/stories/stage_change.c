/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/stage_change.c - changes of the configuration, as text and as
 * the core takes them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/core.h"
#include "stage.h"

uint32_t stage_transition(const char *name)
{
    if (strcmp(name, "explicit") == 0)
        return RKV_CHANGE_EXPLICIT;
    return strcmp(name, "implicit") == 0 ? RKV_CHANGE_IMPLICIT
                                         : RKV_CHANGE_AUTO;
}

/* One word, "v2" or "leases-on"; false: it means nothing. */
static bool parse_word(const char *word, struct rkv_raft_change *change)
{
    static const char ops[] = {[RKV_CHANGE_ADD_LEARNER] = 'l',
                               [RKV_CHANGE_ADD_VOTER] = 'v',
                               [RKV_CHANGE_REMOVE] = 'r',
                               [RKV_CHANGE_UPDATE] = 'u'};

    *change = (struct rkv_raft_change){0};
    if (strcmp(word, "leases-on") == 0)
        change->op = RKV_CHANGE_LEASES_ON;
    else if (strcmp(word, "leases-off") == 0)
        change->op = RKV_CHANGE_LEASES_OFF;
    for (uint32_t op = 1; change->op == 0 && op < sizeof ops; op++)
        if (ops[op] == word[0])
            change->op = op;
    if (change->op != 0 && change->op < sizeof ops)
        change->id = strtoull(word + 1, NULL, 10);
    return change->op != 0;
}

void stage_parse_changes(const char *text, struct stage_changes *changes)
{
    char word[32];
    int len;

    while (changes->count < RKV_CHANGES_MAX &&
           sscanf(text, " %31s%n", word, &len) == 1) {
        changes->count += parse_word(word, &changes->list[changes->count]);
        text += len;
    }
}

/* Without an item: the end of a joint configuration, by the core itself. */
static struct rkv_raft_changes changes_of(const struct stage_item *item,
                                          struct stage_changes *parsed)
{
    parsed->count = 0;
    if (item != NULL)
        stage_parse_changes(item->text, parsed);
    return (struct rkv_raft_changes){
        .list = parsed->list,
        .count = parsed->count,
        .transition = item == NULL ? RKV_CHANGE_AUTO : item->transition};
}

/* Ours waits for an entry of its own term before it takes a change; etcd's
 * members wait until they have applied all they inherited.  On request the
 * weaker rule is played. */
static bool is_taken_by_others(const struct stage_member *m, int rc)
{
    return rc == RKV_ENOTYET && m->options.is_etcd &&
           m->core->applied + 1 >= m->core->term_start;
}

int stage_propose_change(struct stage_member *m, const struct stage_item *item,
                         struct rkv_raft_in in)
{
    struct stage_changes parsed;
    struct rkv_raft_changes changes = changes_of(item, &parsed);
    uint32_t flags = m->core->options.flags;
    int rc;

    in.changes = &changes;
    rc = stage_input(m, in);
    if (!is_taken_by_others(m, rc))
        return rc;
    m->core->options.flags |= RKV_RAFT_NO_CHANGE_CHECK;
    rc = stage_input(m, in);
    m->core->options.flags = flags;
    return rc;
}

int stage_configure(struct stage_member *m, uint64_t index,
                    const struct stage_item *item)
{
    struct stage_changes parsed;
    struct rkv_raft_changes changes = changes_of(item, &parsed);

    return stage_input(m, (struct rkv_raft_in){.kind = RKV_IN_CONFIGURED,
                                               .index = index,
                                               .changes = &changes});
}

void stage_forget_leader(struct stage_member *m)
{
    (void)stage_input(m, (struct rkv_raft_in){.kind = RKV_IN_FORGET_LEADER});
}

bool stage_is_voter(const struct stage_member *m)
{
    return (voter_bits(m->core) & self_bit(m->core)) != 0;
}

enum which { VOTERS, OUTGOING, LEARNERS, NEXT };

static bool is_which(const struct rkv_raft_member *m, enum which which)
{
    switch (which) {
    case VOTERS:
        return (m->role & RKV_VOTER) != 0;
    case OUTGOING:
        return (m->role & RKV_OUTGOING) != 0;
    case LEARNERS:
        return m->role == RKV_LEARNER;
    case NEXT:
        return (m->role & RKV_LEARNER_NEXT) != 0;
    }
    return false;
}

/* "(1 2)" behind the name; nothing when there are none and none need be. */
static void list(const struct stage_member *m, enum which which,
                 const char *name, char *text, size_t size)
{
    const struct rkv_raft_member *members;
    uint32_t count = rkv_raft_members(m->core, &members), found = 0;
    size_t len = strlen(text);

    for (uint32_t i = 0; i < count; i++) {
        if (!is_which(&members[i], which))
            continue;
        len += (size_t)snprintf(text + len, size - len, "%s%" PRIu64,
                                found++ == 0 ? name : " ", members[i].id);
    }
    if (found > 0)
        snprintf(text + len, size - len, ")");
    else if (which == VOTERS)
        snprintf(text + len, size - len, "%s)", name);
}

void stage_config(const struct stage_member *m, char *text, size_t size)
{
    text[0] = '\0';
    list(m, VOTERS, "voters=(", text, size);
    list(m, OUTGOING, "&&(", text, size);
    list(m, LEARNERS, " learners=(", text, size);
    list(m, NEXT, " learners_next=(", text, size);
    for (uint32_t i = 0; i < m->core->count; i++)
        if ((m->core->members[i].role & RKV_AUTO_LEAVE) != 0) {
            strncat(text, " autoleave", size - strlen(text) - 1);
            break;
        }
}
