/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/node/recorder.c - see recorder.h.  A record is written before the core
 * hears the input, since the core's answer may overwrite what the input points
 * to; what the core answered is added when it has.
 */
#include "recorder.h"

#include <string.h>

#include "../base/alloc.h"
#include "../base/bytes.h"
#include "../base/hash.h"
#include "../raft/image.h"
#include "room.h"

const uint8_t rkv_recording_magic[8] = "rkvfligh";

enum { HALF_BYTES_MIN = 64 << 10, HEAD = 16 };

int rkv_recorder_open(struct rkv_recorder *recorder,
                      const struct rkv_allocator *allocator, uint64_t bytes)
{
    memset(recorder, 0, sizeof *recorder);
    if (bytes == 0)
        return RKV_OK;
    if (bytes / 2 < HALF_BYTES_MIN || bytes > SIZE_MAX)
        return RKV_EINVAL;
    recorder->cap = (size_t)bytes / 2 / 8 * 8;
    for (int i = 0; i < 2; i++) {
        recorder->halves[i] = rkv_alloc(allocator, recorder->cap);
        if (recorder->halves[i] == NULL)
            return RKV_ENOMEM;
    }
    return RKV_OK;
}

void rkv_recorder_close(struct rkv_recorder *recorder,
                        const struct rkv_allocator *allocator)
{
    for (int i = 0; i < 2; i++)
        rkv_release(allocator, recorder->halves[i], recorder->cap);
    memset(recorder, 0, sizeof *recorder);
}

void rkv_recorder_reset(struct rkv_recorder *recorder)
{
    recorder->is_begun = recorder->has_older = false;
}

/* ---- room ---- */

/* The older half is used again.  False: not even the core finds room in it. */
static bool begin_half(struct rkv_recorder *recorder, const rkv_raft *raft)
{
    int next = recorder->is_begun ? 1 - recorder->newer : recorder->newer;
    uint64_t size = rkv_image_size(raft);
    uint64_t digest;
    uint8_t *to = recorder->halves[next];

    if (size > recorder->cap / 2)
        return false;
    digest = rkv_raft_digest(raft);
    memcpy(to, &size, 8);
    memcpy(to + 8, &digest, 8);
    rkv_image_save(raft, to + HEAD);
    recorder->lens[next] = HEAD + ((size_t)size + 7) / 8 * 8;
    recorder->has_older = recorder->is_begun;
    recorder->newer = next;
    recorder->is_begun = true;
    return true;
}

/* A record of so many bytes, with what is not filled in zero; NULL: there is a
 * gap, and the recording begins anew behind it. */
static struct rkv_record *make_record(struct rkv_recorder *recorder,
                                      const rkv_raft *raft, uint32_t tag,
                                      size_t len)
{
    size_t size = sizeof(struct rkv_record) + (len + 7) / 8 * 8;
    struct rkv_record *record;
    bool fits;

    fits = recorder->is_begun &&
           size <= recorder->cap - recorder->lens[recorder->newer];
    if (!fits)
        fits = begin_half(recorder, raft) &&
               size <= recorder->cap - recorder->lens[recorder->newer];
    if (!fits) {
        rkv_recorder_reset(recorder);
        recorder->gaps++;
        return NULL;
    }
    record = (struct rkv_record *)(void *)(recorder->halves[recorder->newer] +
                                           recorder->lens[recorder->newer]);
    recorder->lens[recorder->newer] += size;
    memset(record, 0, size);
    record->tag = tag;
    record->len = (uint32_t)(size - sizeof *record);
    return record;
}

/* ---- inputs ---- */

static size_t entries_size(uint32_t count)
{
    return count * sizeof(struct rkv_raft_entry);
}

static bool lists_members(const struct rkv_raft_in *in)
{
    return in->members != NULL && in->kind == RKV_IN_RESTORED;
}

static size_t input_size(const struct rkv_raft_in *in)
{
    size_t size = sizeof *in;

    if (in->entries != NULL)
        size += entries_size(in->count);
    if (in->msg != NULL)
        size += sizeof *in->msg +
                (in->msg->entries != NULL ? entries_size(in->msg->count) : 0);
    if (in->changes != NULL)
        size += sizeof(struct rkv_record_changes) +
                in->changes->count * sizeof in->changes->list[0];
    if (lists_members(in))
        size += in->count * sizeof in->members[0];
    return size;
}

/* A pointer is kept as whether there was one. */
static void *flag(const void *pointer)
{
    return (void *)(uintptr_t)(pointer != NULL);
}

static uint8_t *put_msg(uint8_t *to, const struct rkv_raft_msg *msg)
{
    struct rkv_raft_msg bare = *msg;

    bare.entries = flag(msg->entries);
    to = rkv_put_bytes(to, &bare, sizeof bare);
    return msg->entries == NULL
               ? to
               : rkv_put_bytes(to, msg->entries, entries_size(msg->count));
}

static void write_input(uint8_t *to, const struct rkv_raft_in *in)
{
    struct rkv_raft_in bare = *in;

    bare.entries = flag(in->entries);
    bare.msg = flag(in->msg);
    bare.changes = flag(in->changes);
    bare.members = flag(lists_members(in) ? in->members : NULL);
    to = rkv_put_bytes(to, &bare, sizeof bare);
    if (in->entries != NULL)
        to = rkv_put_bytes(to, in->entries, entries_size(in->count));
    if (in->msg != NULL)
        to = put_msg(to, in->msg);
    if (in->changes != NULL) {
        const struct rkv_record_changes head = {in->changes->count,
                                                in->changes->transition};

        to = rkv_put_bytes(to, &head, sizeof head);
        to = rkv_put_bytes(to, in->changes->list,
                           in->changes->count * sizeof in->changes->list[0]);
    }
    if (lists_members(in))
        (void)rkv_put_bytes(to, in->members, in->count * sizeof in->members[0]);
}

int rkv_recorder_step(struct rkv_recorder *recorder, rkv_raft *raft,
                      const struct rkv_raft_in *in)
{
    struct rkv_record *record =
        make_record(recorder, raft, RKV_RECORD_STEP, input_size(in));
    int rc;

    if (record == NULL)
        return rkv_raft_step(raft, in);
    write_input((uint8_t *)(record + 1), in);
    rc = rkv_raft_step(raft, in);
    record->rc = rc;
    return rc;
}

int rkv_recorder_reserve(struct rkv_recorder *recorder, rkv_raft *raft,
                         uint32_t count)
{
    struct rkv_record *record =
        make_record(recorder, raft, RKV_RECORD_RESERVE, 0);
    int rc = rkv_raft_reserve(raft, count);

    if (record != NULL) {
        record->count = count;
        record->rc = rc;
    }
    return rc;
}

/* ---- outputs ---- */

static uint64_t add_entries(uint64_t h, const struct rkv_raft_entry *entries,
                            uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        h = rkv_mix64(rkv_mix64(h, entries[i].index), entries[i].term);
        h = rkv_mix64(h, (uint64_t)entries[i].kind << 32 | entries[i].len);
    }
    return h;
}

static uint64_t add_msg(uint64_t h, const struct rkv_raft_msg *m)
{
    const uint64_t words[] = {
        m->kind,  m->flags,    m->from,        m->to,          m->term,
        m->index, m->log_term, m->commit,      m->hint,        m->hint_term,
        m->round, m->boot,     m->stated_boot, m->stated_last, m->last_term,
        m->count, m->priority};

    h = rkv_hash64(h, words, sizeof words);
    return m->entries != NULL ? add_entries(h, m->entries, m->count) : h;
}

uint64_t rkv_record_digest(const struct rkv_raft_out *out)
{
    const uint64_t words[] = {out->flags,
                              out->role,
                              out->leader,
                              out->term,
                              out->vote,
                              out->commit,
                              out->deadline,
                              out->token,
                              out->append_count,
                              out->msgs_count,
                              out->committed_count,
                              out->reads_count,
                              out->restore_index,
                              out->restore_term,
                              out->restore_from};
    uint64_t h = rkv_hash64(1, words, sizeof words);

    h = add_entries(h, out->append, out->append_count);
    for (uint32_t i = 0; i < out->msgs_count; i++)
        h = add_msg(h, &out->msgs[i]);
    h = add_entries(h, out->committed, out->committed_count);
    for (uint32_t i = 0; i < out->reads_count; i++) {
        h = rkv_mix64(rkv_mix64(h, out->reads[i].token), out->reads[i].index);
        h = rkv_mix64(h, (uint32_t)out->reads[i].status);
    }
    return h;
}

void rkv_recorder_drain(struct rkv_recorder *recorder, rkv_raft *raft,
                        const struct rkv_raft_out **out)
{
    struct rkv_record *record =
        make_record(recorder, raft, RKV_RECORD_DRAIN, 0);

    (void)rkv_raft_drain(raft, out);
    if (record != NULL)
        record->digest = rkv_record_digest(*out);
}

/* ---- the file ---- */

static void make_header(struct rkv_recorder *recorder, const rkv_raft *raft)
{
    struct rkv_recording *header = &recorder->header;
    int first = recorder->has_older ? 1 - recorder->newer : recorder->newer;

    memset(header, 0, sizeof *header);
    memcpy(header->magic, rkv_recording_magic, 8);
    header->format = RKV_RECORDING_FORMAT;
    header->build = rkv_image_build();
    header->gaps = recorder->gaps;
    header->digest = rkv_raft_digest(raft);
    header->halves = recorder->is_begun ? 1 + recorder->has_older : 0;
    for (uint32_t i = 0; i < header->halves; i++) {
        int half = i == 0 ? first : recorder->newer;

        header->lens[i] = recorder->lens[half];
        header->hashes[i] =
            rkv_hash64(i, recorder->halves[half], recorder->lens[half]);
    }
}

size_t rkv_recorder_read(struct rkv_recorder *recorder, const rkv_raft *raft,
                         uint64_t offset, void *buf, size_t cap)
{
    const uint8_t *parts[3];
    uint64_t lens[3] = {sizeof recorder->header};
    size_t done = 0;

    if (offset == 0)
        make_header(recorder, raft);
    parts[0] = (const uint8_t *)&recorder->header;
    parts[1] = recorder->halves[recorder->has_older ? 1 - recorder->newer
                                                    : recorder->newer];
    parts[2] = recorder->halves[recorder->newer];
    for (uint32_t i = 0; i < recorder->header.halves; i++)
        lens[i + 1] = recorder->header.lens[i];
    for (uint32_t i = 0; i <= recorder->header.halves && done < cap; i++) {
        if (offset < lens[i]) {
            size_t len = (size_t)(lens[i] - offset);

            if (len > cap - done)
                len = cap - done;
            memcpy((uint8_t *)buf + done, parts[i] + offset, len);
            done += len;
            offset = 0;
        } else {
            offset -= lens[i];
        }
    }
    return done;
}

int rkv_node_recording(rkv_node *node, uint64_t offset, void *buf, size_t cap,
                       size_t *len)
{
    if (node == NULL || len == NULL || (buf == NULL && cap > 0))
        return RKV_EINVAL;
    if (node->recorder.cap == 0 || node->raft == NULL)
        return RKV_ESTATE;
    *len = rkv_recorder_read(&node->recorder, node->raft, offset, buf, cap);
    return RKV_OK;
}
