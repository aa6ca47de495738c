/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/tell.c - what happens on the stage, in words.  An entry is
 * written term/index, as in the drawings of the thesis.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "stage.h"

static void add(struct stage *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct stage *s, const char *format, ...)
{
    size_t len = strlen(s->told);
    va_list args;

    if (!s->is_telling)
        return;
    va_start(args, format);
    vsnprintf(s->told + len, sizeof s->told - len, format, args);
    va_end(args);
}

void tell(struct stage *s, const char *format, ...)
{
    char line[STAGE_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    add(s, "%s\n", line);
}

const char *tell_role(uint32_t role)
{
    static const char *const names[] = {[RKV_FOLLOWER] = "follower",
                                        [RKV_PRECANDIDATE] = "pre-candidate",
                                        [RKV_CANDIDATE] = "candidate",
                                        [RKV_LEADER] = "leader"};

    return names[role];
}

static void add_entry(struct stage *s, const struct rkv_raft_entry *entry)
{
    const struct stage_item *item = stage_item(s, entry->index, entry->term);
    const char *text = item == NULL ? "" : item->text;

    add(s, " %" PRIu64 "/%" PRIu64, entry->term, entry->index);
    if (entry->kind == RKV_ENTRY_NOOP)
        add(s, " no-op");
    else if (entry->kind == RKV_ENTRY_CONFIG)
        add(s, " change(%s)", text);
    else
        add(s, " \"%s\"", text);
}

static void add_entries(struct stage *s, const struct rkv_raft_entry *entries,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        add(s, i == 0 ? "" : ",");
        add_entry(s, &entries[i]);
    }
}

static const char *message_name(uint32_t kind)
{
    static const char *const names[] = {
        [RKV_MSG_PREVOTE] = "would you vote for me",
        [RKV_MSG_PREVOTE_REPLY] = "would",
        [RKV_MSG_VOTE] = "vote for me",
        [RKV_MSG_VOTE_REPLY] = "vote",
        [RKV_MSG_APPEND] = "append",
        [RKV_MSG_APPEND_REPLY] = "appended",
        [RKV_MSG_HEARTBEAT] = "heartbeat",
        [RKV_MSG_HEARTBEAT_REPLY] = "heartbeat answered",
        [RKV_MSG_SNAPSHOT] = "snapshot",
        [RKV_MSG_TIMEOUT_NOW] = "campaign now",
        [RKV_MSG_READ] = "where may I read",
        [RKV_MSG_READ_REPLY] = "read",
        [RKV_MSG_TRANSFER] = "hand over"};

    if (kind == STAGE_KIND_PROPOSAL)
        return "proposal";
    return kind < sizeof names / sizeof names[0] && names[kind] != NULL
               ? names[kind]
               : "message";
}

static void add_reply(struct stage *s, const struct rkv_raft_msg *m)
{
    if ((m->flags & RKV_MSG_REJECT) == 0) {
        add(s, " up to %" PRIu64, m->index);
        return;
    }
    add(s, ": not after %" PRIu64 ", perhaps after %" PRIu64 "/%" PRIu64,
        m->index, m->hint_term, m->hint);
}

static void add_details(struct stage *s, const struct stage_packet *packet)
{
    const struct rkv_raft_msg *m = &packet->msg;

    switch (m->kind) {
    case RKV_MSG_PREVOTE:
    case RKV_MSG_VOTE:
        add(s, ", my log ends at %" PRIu64 "/%" PRIu64, m->log_term, m->index);
        break;
    case RKV_MSG_PREVOTE_REPLY:
    case RKV_MSG_VOTE_REPLY:
        add(s, (m->flags & RKV_MSG_REJECT) != 0 ? ": no" : ": yes");
        break;
    case RKV_MSG_APPEND:
        add(s, " after %" PRIu64 "/%" PRIu64 ", commit %" PRIu64, m->log_term,
            m->index, m->commit);
        add(s, m->count > 0 ? ":" : "");
        add_entries(s, m->entries, m->count);
        break;
    case RKV_MSG_APPEND_REPLY:
        add_reply(s, m);
        break;
    case RKV_MSG_HEARTBEAT:
        add(s, ", commit %" PRIu64, m->commit);
        add(s, (m->flags & RKV_MSG_QUIET) != 0 ? ", shall we sleep" : "");
        break;
    case RKV_MSG_HEARTBEAT_REPLY:
        add(s, (m->flags & RKV_MSG_QUIET) != 0 ? ", let us sleep" : "");
        break;
    case RKV_MSG_SNAPSHOT:
        add(s, " at %" PRIu64 "/%" PRIu64, packet->state.term,
            packet->state.index);
        break;
    case RKV_MSG_READ_REPLY:
        if ((m->flags & RKV_MSG_REJECT) != 0)
            add(s, ": not now");
        else
            add(s, " at %" PRIu64, m->index);
        break;
    case STAGE_KIND_PROPOSAL:
        add(s, " \"%s\"", packet->item.text);
        break;
    default:
        break;
    }
}

void tell_packet(struct stage *s, const struct stage_packet *packet,
                 const char *fate)
{
    const struct rkv_raft_msg *m = &packet->msg;

    add(s, "%" PRIu64 " to %" PRIu64 ": ", m->from, m->to);
    if (m->kind != STAGE_KIND_PROPOSAL)
        add(s, "(term %" PRIu64 ") ", m->term);
    add(s, "%s", message_name(m->kind));
    add_details(s, packet);
    add(s, "%s\n", fate);
}

void tell_write(struct stage *s, const struct stage_member *m,
                const struct stage_write *write)
{
    add(s, "%" PRIu64 " writes", m->id);
    if (write->is_restore) {
        add(s, " a snapshot at %" PRIu64 "/%" PRIu64 "\n", write->state.term,
            write->state.index);
        return;
    }
    add(s, " term %" PRIu64, write->term);
    if (write->vote != 0)
        add(s, ", vote for %" PRIu64, write->vote);
    add(s, ", commit %" PRIu64, write->commit);
    add(s, write->count > 0 ? ":" : "");
    add_entries(s, write->entries, write->count);
    add(s, "\n");
}

void tell_turn(struct stage *s, const struct stage_member *m,
               const struct stage_ready *ready)
{
    if (ready->role == m->role && ready->leader == m->leader &&
        ready->term == m->term)
        return;
    add(s, "%" PRIu64 " is %s in term %" PRIu64, m->id, tell_role(ready->role),
        ready->term);
    if (ready->leader != 0 && ready->leader != m->id)
        add(s, " of %" PRIu64, ready->leader);
    add(s, "\n");
}

void tell_applied(struct stage *s, const struct stage_member *m,
                  const struct rkv_raft_entry *entry)
{
    add(s, "%" PRIu64 " applies", m->id);
    add_entry(s, entry);
    add(s, "\n");
}

void tell_read(struct stage *s, const struct stage_member *m,
               const struct rkv_raft_read *read)
{
    if (read->status == RKV_OK)
        tell(s,
             "%" PRIu64 " may answer read %" PRIu64
             " when it has applied %" PRIu64,
             m->id, read->token, read->index);
    else
        tell(s, "%" PRIu64 " gets no answer for read %" PRIu64 ": %s", m->id,
             read->token, rkv_strerror(read->status));
}

void tell_log(struct stage *s, const struct stage_member *m)
{
    add(s, "%" PRIu64 " after %" PRIu64 "/%" PRIu64 "%s", m->id,
        m->log.base_term, m->log.base, m->log.last > m->log.base ? ":" : "");
    add_entries(s, m->log.entries, (uint32_t)(m->log.last - m->log.base));
    add(s, "\n");
}
