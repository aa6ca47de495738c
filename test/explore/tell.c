/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/explore/tell.c - what happens, in words.
 */
#include "explore.h"

#include <stdio.h>

#define LL(number) ((unsigned long long)(number))

static void tell_entry(const struct rkv_raft_entry *e)
{
    printf(" %llu/%llu", LL(e->index), LL(e->term));
    if (e->kind == RKV_ENTRY_NOOP)
        printf(" begin");
    else if (e->kind == RKV_ENTRY_COMMAND)
        printf(" command %u", e->len);
    else if (e->len == 0)
        printf(" leave joint");
    else if ((e->len & CODE_SWAP) != 0)
        printf(" +%u -%u", e->len >> 4 & 15, e->len & 15);
    else
        printf(" %s%u",
               e->len >> 4 == RKV_CHANGE_REMOVE        ? "-"
               : e->len >> 4 == RKV_CHANGE_ADD_LEARNER ? "learner "
                                                       : "+",
               e->len & 15);
}

static void tell_letter(const struct letter *l)
{
    static const char *const kinds[] = {
        [RKV_MSG_PREVOTE] = "pre-vote",
        [RKV_MSG_PREVOTE_REPLY] = "pre-vote's answer",
        [RKV_MSG_VOTE] = "vote",
        [RKV_MSG_VOTE_REPLY] = "vote's answer",
        [RKV_MSG_APPEND] = "append",
        [RKV_MSG_APPEND_REPLY] = "append's answer",
        [RKV_MSG_HEARTBEAT] = "heartbeat",
        [RKV_MSG_HEARTBEAT_REPLY] = "heartbeat's answer",
        [RKV_MSG_SNAPSHOT] = "snapshot",
        [RKV_MSG_TIMEOUT_NOW] = "timeout now",
        [RKV_MSG_READ] = "read",
        [RKV_MSG_READ_REPLY] = "read's answer",
        [RKV_MSG_TRANSFER] = "transfer"};
    const struct rkv_raft_msg *m = &l->msg;

    printf("%s %llu -> %llu term %llu, at %llu/%llu, commit %llu",
           kinds[m->kind], LL(m->from), LL(m->to), LL(m->term), LL(m->index),
           LL(m->log_term), LL(m->commit));
    if ((m->flags & RKV_MSG_REJECT) != 0)
        printf(", no");
    if ((m->flags & RKV_MSG_FORCE) != 0)
        printf(", forced");
    if ((m->flags & RKV_MSG_RECOVERING) != 0)
        printf(", recovering");
    if (m->hint != 0 || m->hint_term != 0)
        printf(", hint %llu/%llu", LL(m->hint), LL(m->hint_term));
    if (m->round != 0)
        printf(", round %llu", LL(m->round));
    if (m->stated_boot != 0)
        printf(", to boot %llu: last was %llu", LL(m->stated_boot),
               LL(m->stated_last));
    for (uint32_t i = 0; i < m->count; i++) {
        printf(i == 0 ? ":" : ",");
        tell_entry(&l->entries[i]);
    }
    printf("\n");
}

static void tell_face(const struct face *f)
{
    static const char *const roles[] = {[RKV_FOLLOWER] = "follows",
                                        [RKV_PRECANDIDATE] = "asks",
                                        [RKV_CANDIDATE] = "stands",
                                        [RKV_LEADER] = "leads"};

    printf("      %llu %s in term %llu, commit %llu, applied %llu, voters",
           LL(f->id), roles[f->role], LL(f->term), LL(f->commit),
           LL(f->applied));
    for (uint64_t id = 1; id <= here->members; id++)
        if ((f->voters >> id & 1) != 0)
            printf(" %llu", LL(id));
    if (f->outgoing != 0)
        printf(" and");
    for (uint64_t id = 1; id <= here->members; id++)
        if ((f->outgoing >> id & 1) != 0)
            printf(" %llu", LL(id));
    printf(", disk %llu, log", LL(f->disk_last));
    for (uint64_t i = 1; i <= f->last; i++) {
        printf(i == 1 ? "" : ",");
        tell_entry(&f->log[i]);
    }
    printf("%s\n", f->is_recovering ? ", recovering" : "");
}

void tell_move(uint32_t face, struct choice choice)
{
    static const char *const moves[] = {
        [MOVE_TIMEOUT] = "times out",
        [MOVE_BEAT] = "sends heartbeats",
        [MOVE_PERSIST] = "has written",
        [MOVE_APPLY] = "applies a change",
        [MOVE_CRASH] = "crashes and starts",
        [MOVE_LOSE] = "loses its disk and starts",
        [MOVE_PROPOSE] = "takes a command",
        [MOVE_CHANGE] = "takes a change",
        [MOVE_READ] = "is asked to read",
        [MOVE_TRANSFER] = "hands over to"};
    const struct outcome *o = book_outcome(face, choice.move, choice.detail);

    printf("  %llu ", LL(book_face(face)->id));
    if (choice.move == MOVE_DELIVER) {
        printf("gets ");
        tell_letter(book_letter(choice.detail));
    } else if (choice.move == MOVE_CHANGE) {
        struct rkv_raft_entry e = {.kind = RKV_ENTRY_CONFIG,
                                   .len = choice.detail};

        printf("%s:", moves[choice.move]);
        tell_entry(&e);
        printf("\n");
    } else if (choice.move == MOVE_TRANSFER) {
        printf("%s %u\n", moves[choice.move], choice.detail);
    } else {
        printf("%s\n", moves[choice.move]);
    }
    if (o->is_read)
        printf("    the read is answered at %llu\n", LL(o->read_index));
    for (uint32_t i = 0; i < o->sent_count; i++) {
        printf("    says ");
        tell_letter(book_letter(book_sent(o)[i]));
    }
}

void tell_group(const struct state *s)
{
    for (uint32_t i = 0; i < here->members; i++)
        tell_face(book_face(s->face[i]));
}
