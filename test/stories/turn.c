/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/turn.c - a member's turn: what its core has to say is taken,
 * written, sent and applied.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backstage.h"

/* ---- what the core has to say ---- */

static void collect_write(struct stage *s, struct stage_member *m,
                          const struct rkv_raft_out *out)
{
    struct stage_write *write = PUSH(m->ready.writes, m->ready.writes_count);

    memset(write, 0, sizeof *write);
    write->token = out->token;
    write->term = out->term;
    write->vote = out->vote;
    write->commit = out->commit;
    write->count = out->append_count;
    write->entries = backstage_copy(out->append, out->append_count);
    backstage_replace(s, m, &m->log, out->append, out->append_count);
}

static void collect_restore(struct stage *s, struct stage_member *m,
                            const struct rkv_raft_out *out)
{
    struct stage_write *write;

    if (m->incoming.index < out->restore_index) {
        backstage_fault(s, m, "wants a snapshot that nobody sent it");
        return;
    }
    write = PUSH(m->ready.writes, m->ready.writes_count);
    memset(write, 0, sizeof *write);
    write->is_restore = true;
    write->state = m->incoming;
    write->entries = backstage_copy(NULL, 0);
}

static void collect_messages(struct stage_member *m,
                             const struct rkv_raft_out *out)
{
    for (uint32_t i = 0; i < out->msgs_count; i++) {
        struct stage_packet *packet =
            PUSH(m->ready.packets, m->ready.packets_count);

        memset(packet, 0, sizeof *packet);
        packet->msg = out->msgs[i];
        packet->msg.entries =
            backstage_copy(out->msgs[i].entries, out->msgs[i].count);
        if (packet->msg.kind == RKV_MSG_SNAPSHOT)
            packet->state = m->state;
    }
}

void backstage_collect(struct stage *s, struct stage_member *m)
{
    const struct rkv_raft_out *out;
    struct stage_ready *ready = &m->ready;

    do {
        (void)rkv_raft_drain(m->core, &out);
        if ((out->flags & RKV_OUT_RESTORE) != 0)
            collect_restore(s, m, out);
        if ((out->flags & RKV_OUT_PERSIST) != 0)
            collect_write(s, m, out);
        collect_messages(m, out);
        for (uint32_t i = 0; i < out->reads_count; i++)
            tell_read(s, m, &out->reads[i]);
        for (uint32_t i = 0; i < out->committed_count; i++)
            *PUSH(ready->committed, ready->committed_count) = out->committed[i];
        if ((out->flags & RKV_OUT_STATE) != 0)
            ready->is_news = true;
        ready->role = out->role;
        ready->leader = out->leader;
        ready->term = out->term;
        ready->vote = out->vote;
        ready->commit = out->commit;
    } while ((out->flags & RKV_OUT_MORE) != 0);
}

bool stage_is_ready(struct stage *s, struct stage_member *m)
{
    backstage_collect(s, m);
    return m->ready.is_news || m->ready.writes_count > 0 ||
           m->ready.packets_count > 0 || m->ready.committed_count > 0;
}

static bool is_down(struct stage *s, uint64_t id)
{
    const struct stage_member *m = stage_member(s, id);

    return m != NULL && m->core == NULL;
}

static void send(struct stage *s, struct stage_packet *packet)
{
    const struct rkv_raft_msg *m = &packet->msg;

    if (m->to <= STAGE_MEMBERS_MAX &&
        (s->is_cut[m->from][m->to] || is_down(s, m->to))) {
        tell_packet(s, packet, " is lost");
        backstage_free(packet);
        return;
    }
    tell_packet(s, packet, "");
    *PUSH(s->packets, s->packets_count) = *packet;
}

/* What is owed to others once a write is durable leaves at once; the rest of
 * what the write brought about waits for the next turn. */
static void send_replies(struct stage *s, struct stage_member *m)
{
    struct stage_ready *ready = &m->ready;
    size_t kept = 0;

    for (size_t i = 0; i < ready->packets_count; i++) {
        struct stage_packet *packet = &ready->packets[i];
        uint32_t kind = packet->msg.kind;

        if (kind == RKV_MSG_VOTE_REPLY || kind == RKV_MSG_APPEND_REPLY ||
            kind == RKV_MSG_PREVOTE_REPLY || kind == RKV_MSG_HEARTBEAT_REPLY)
            send(s, packet);
        else
            ready->packets[kept++] = *packet;
    }
    ready->packets_count = kept;
}

/* ---- the disk ---- */

static void write_down(struct stage *s, struct stage_member *m,
                       struct stage_write *write)
{
    struct rkv_raft_in in = {.kind = RKV_IN_PERSISTED, .token = write->token};

    tell_write(s, m, write);
    if (write->is_restore) {
        in = (struct rkv_raft_in){.kind = RKV_IN_RESTORED,
                                  .index = write->state.index,
                                  .term = write->state.term,
                                  .members = write->state.members,
                                  .count = write->state.members_count};
        if (stage_entry(&m->disk, write->state.index) == NULL) {
            backstage_restart(&m->disk, write->state.index, write->state.term);
            backstage_restart(&m->log, write->state.index, write->state.term);
        }
        m->state = m->snapshot = write->state;
        m->disk_commit = write->state.index;
        backstage_must(s, m, in, "was refused a snapshot");
    } else {
        backstage_replace(s, m, &m->disk, write->entries, write->count);
        m->disk_term = write->term;
        m->disk_vote = write->vote;
        m->disk_commit = write->commit;
        backstage_must(s, m, in, "was refused a write");
    }
    free(write->entries);
}

/* ---- the state machine ---- */

static void watch_over(struct stage *s, const struct stage_member *m,
                       const struct rkv_raft_entry *entry)
{
    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; k < s->members[i].applied_count; k++) {
            const struct rkv_raft_entry *other = &s->members[i].applied[k];

            if (other->index == entry->index && other->term != entry->term)
                backstage_fault(s, m,
                                "applied another entry than its peers did");
        }
}

static void keep_members(struct stage_member *m)
{
    const struct rkv_raft_member *members;

    m->state.members_count = rkv_raft_members(m->core, &members);
    memcpy(m->state.members, members,
           m->state.members_count * sizeof members[0]);
}

static void configure(struct stage *s, struct stage_member *m,
                      const struct rkv_raft_entry *entry,
                      const struct stage_item *item)
{
    struct rkv_raft_in in = {.kind = RKV_IN_APPLIED, .index = entry->index - 1};

    if (m->core->applied < in.index)
        backstage_must(s, m, in, "was refused what it applied");
    if (stage_configure(m, entry->index, item) < 0) {
        in = (struct rkv_raft_in){.kind = RKV_IN_REJECTED,
                                  .index = entry->index};
        backstage_must(s, m, in, "could not do without a change");
    }
    keep_members(m);
}

static void apply(struct stage *s, struct stage_member *m,
                  const struct rkv_raft_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct rkv_raft_entry *entry = &entries[i];
        const struct stage_item *item =
            stage_item(s, entry->index, entry->term);
        struct rkv_raft_in in = {.kind = RKV_IN_APPLIED, .index = entry->index};
        size_t len = strlen(m->state.content);

        watch_over(s, m, entry);
        tell_applied(s, m, entry);
        m->state.index = entry->index;
        m->state.term = entry->term;
        if (entry->kind == RKV_ENTRY_COMMAND && item != NULL)
            snprintf(m->state.content + len, sizeof m->state.content - len,
                     "%s", item->text);
        if (entry->kind == RKV_ENTRY_CONFIG)
            configure(s, m, entry, item);
        else if (i + 1 == count || entries[i + 1].kind == RKV_ENTRY_CONFIG)
            backstage_must(s, m, in, "was refused what it applied");
        if (item != NULL && item->proposer == m->id)
            tell(s, "%llu confirms %llu/%llu to its client",
                 (unsigned long long)m->id, (unsigned long long)entry->term,
                 (unsigned long long)entry->index);
    }
}

/* As many entries as one turn may apply, but one at least. */
static size_t apply_now(const struct stage_member *m,
                        const struct stage_ready *ready)
{
    uint64_t bytes = 0;
    size_t count = 0;

    if (m->options.apply_bytes == 0)
        return ready->committed_count;
    while (count < ready->committed_count) {
        bytes += ready->committed[count].len;
        if (count > 0 && bytes > m->options.apply_bytes)
            break;
        count++;
    }
    return count;
}

/* ---- turns ---- */

static void take_turn(struct stage *s, struct stage_member *m,
                      const struct stage_ready *ready)
{
    tell_turn(s, m, ready);
    m->role = ready->role;
    m->leader = ready->leader;
    m->term = ready->term;
    m->vote = ready->vote;
    m->commit = ready->commit;
}

void stage_turn(struct stage *s, struct stage_member *m)
{
    struct stage_ready ready;
    bool is_restored = false;
    size_t now;

    backstage_collect(s, m);
    ready = m->ready;
    memset(&m->ready, 0, sizeof m->ready);
    take_turn(s, m, &ready);
    for (size_t i = 0; i < ready.packets_count; i++)
        send(s, &ready.packets[i]);
    for (size_t i = 0; i < ready.writes_count; i++) {
        if (m->options.is_async)
            *PUSH(m->writes, m->writes_count) = ready.writes[i];
        else
            write_down(s, m, &ready.writes[i]);
        is_restored |= !m->options.is_async && ready.writes[i].is_restore;
    }
    now = apply_now(m, &ready);
    for (size_t i = 0; i < now; i++)
        *PUSH(m->applied, m->applied_count) = ready.committed[i];
    if (m->options.is_async && now > 0)
        *PUSH(m->applies, m->applies_count) =
            (struct stage_batch){backstage_copy(ready.committed, now), now};
    else
        apply(s, m, ready.committed, now);
    for (size_t i = now; i < ready.committed_count; i++)
        *PUSH(m->ready.committed, m->ready.committed_count) =
            ready.committed[i];
    free(ready.writes);
    free(ready.committed);
    free(ready.packets);
    backstage_collect(s, m);
    if (is_restored)
        take_turn(s, m, &m->ready);
    send_replies(s, m);
}

bool stage_write_one(struct stage *s, struct stage_member *m)
{
    if (m->writes_count == 0)
        return false;
    write_down(s, m, &m->writes[0]);
    memmove(m->writes, m->writes + 1, --m->writes_count * sizeof *m->writes);
    backstage_collect(s, m);
    send_replies(s, m);
    return true;
}

bool stage_apply_one(struct stage *s, struct stage_member *m)
{
    if (m->applies_count == 0)
        return false;
    apply(s, m, m->applies[0].entries, m->applies[0].count);
    free(m->applies[0].entries);
    memmove(m->applies, m->applies + 1,
            --m->applies_count * sizeof *m->applies);
    return true;
}
