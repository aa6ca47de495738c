/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/replay/replay.c - see replay.h.  A file comes from outside: lengths are
 * looked at before what they measure, and a list is copied to where lists may
 * be read.
 */
#include "replay.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "node/recorder.h"
#include "raft/image.h"

struct player {
    rkv_raft *raft;
    struct replayed *out;
    bool aloud;
};

/* What is still to be read of a half. */
struct rest {
    const uint8_t *at;
    size_t len;
};

static bool wrong(struct player *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool wrong(struct player *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(p->out->said, sizeof p->out->said, format, args);
    va_end(args);
    return false;
}

/* ---- inputs ---- */

/* A copy that is aligned; NULL: so much is not there. */
static void *take(struct rest *rest, uint64_t count, size_t size)
{
    void *copy;

    if (count > rest->len / size)
        return NULL;
    copy = malloc((size_t)count * size + 1);
    if (copy == NULL)
        abort();
    memcpy(copy, rest->at, (size_t)count * size);
    rest->at += (size_t)count * size;
    rest->len -= (size_t)count * size;
    return copy;
}

struct input {
    struct rkv_raft_in *in;
    struct rkv_raft_msg *msg;
    struct rkv_raft_changes changes;
    struct rkv_record_changes *head;
    void *lists[4];
};

static bool take_msg(struct input *input, struct rest *rest)
{
    struct rkv_raft_msg *msg = take(rest, 1, sizeof *msg);

    input->msg = msg;
    if (msg == NULL)
        return false;
    input->in->msg = msg;
    if (msg->entries == NULL)
        return true;
    input->lists[1] = take(rest, msg->count, sizeof *msg->entries);
    msg->entries = input->lists[1];
    return msg->entries != NULL;
}

static bool take_changes(struct input *input, struct rest *rest)
{
    input->head = take(rest, 1, sizeof *input->head);
    if (input->head == NULL)
        return false;
    input->lists[2] =
        take(rest, input->head->count, sizeof *input->changes.list);
    input->changes.list = input->lists[2];
    input->changes.count = input->head->count;
    input->changes.transition = input->head->transition;
    input->in->changes = &input->changes;
    return input->changes.list != NULL;
}

static bool take_input(struct input *input, struct rest *rest)
{
    struct rkv_raft_in *in = take(rest, 1, sizeof *in);
    bool good = in != NULL;

    input->in = in;
    if (good && in->entries != NULL) {
        input->lists[0] = take(rest, in->count, sizeof *in->entries);
        in->entries = input->lists[0];
        good = in->entries != NULL;
    }
    if (good && in->msg != NULL)
        good = take_msg(input, rest);
    if (good && in->changes != NULL)
        good = take_changes(input, rest);
    if (good && in->members != NULL) {
        input->lists[3] = take(rest, in->count, sizeof *in->members);
        in->members = input->lists[3];
        good = in->members != NULL;
    }
    return good;
}

static void drop_input(struct input *input)
{
    for (int i = 0; i < 4; i++)
        free(input->lists[i]);
    free(input->head);
    free(input->msg);
    free(input->in);
}

static void tell(const struct input *input, int rc)
{
    const struct rkv_raft_in *in = input->in;
    const struct rkv_raft_msg *m = input->msg;

    printf("%10llu input %u index %llu term %llu peer %llu token %llu",
           (unsigned long long)in->now, in->kind, (unsigned long long)in->index,
           (unsigned long long)in->term, (unsigned long long)in->peer,
           (unsigned long long)in->token);
    if (m != NULL)
        printf(" message %u from %llu term %llu index %llu commit %llu count "
               "%u flags %x",
               m->kind, (unsigned long long)m->from,
               (unsigned long long)m->term, (unsigned long long)m->index,
               (unsigned long long)m->commit, m->count, m->flags);
    printf(": %s\n", rkv_errname(rc));
}

static bool play_step(struct player *p, const struct rkv_record *record,
                      struct rest rest)
{
    struct input input = {0};
    bool good = take_input(&input, &rest);
    int rc = RKV_OK;

    if (good) {
        rc = rkv_raft_step(p->raft, input.in);
        if (p->aloud)
            tell(&input, rc);
    }
    drop_input(&input);
    if (!good)
        return wrong(p, "input %llu is cut off",
                     (unsigned long long)p->out->inputs);
    p->out->refused += rc != RKV_OK;
    if (rc != record->rc)
        return wrong(p, "input %llu was answered %s, and is now %s",
                     (unsigned long long)p->out->inputs,
                     rkv_errname(record->rc), rkv_errname(rc));
    p->out->inputs++;
    return true;
}

/* ---- halves ---- */

static bool play_drain(struct player *p, const struct rkv_record *record)
{
    const struct rkv_raft_out *out;

    (void)rkv_raft_drain(p->raft, &out);
    if (p->aloud)
        printf("%10s drain flags %x role %u term %llu commit %llu messages %u "
               "committed %u\n",
               "", out->flags, out->role, (unsigned long long)out->term,
               (unsigned long long)out->commit, out->msgs_count,
               out->committed_count);
    if (rkv_record_digest(out) != record->digest)
        return wrong(p, "after %llu inputs something else comes out",
                     (unsigned long long)p->out->inputs);
    p->out->drains++;
    return true;
}

/* Where there was no memory then, none was taken. */
static bool play_reserve(struct player *p, const struct rkv_record *record)
{
    int rc = RKV_ENOMEM;

    if (record->rc != RKV_ENOMEM)
        rc = rkv_raft_reserve(p->raft, record->count);
    return rc == record->rc ||
           wrong(p, "room for %u entries was %s, and is now %s", record->count,
                 rkv_errname(record->rc), rkv_errname(rc));
}

static bool play_record(struct player *p, const struct rkv_record *record,
                        struct rest rest)
{
    switch (record->tag) {
    case RKV_RECORD_STEP:
        return play_step(p, record, rest);
    case RKV_RECORD_RESERVE:
        return play_reserve(p, record);
    case RKV_RECORD_DRAIN:
        return play_drain(p, record);
    default:
        return wrong(p, "after %llu inputs there is a record of kind %u",
                     (unsigned long long)p->out->inputs, record->tag);
    }
}

static bool play_records(struct player *p, struct rest rest)
{
    while (rest.len > 0) {
        struct rkv_record record;
        struct rest body;

        if (rest.len < sizeof record)
            return wrong(p, "a record is cut off");
        memcpy(&record, rest.at, sizeof record);
        body = (struct rest){rest.at + sizeof record, record.len};
        if (record.len > rest.len - sizeof record)
            return wrong(p, "a record is cut off");
        if (!play_record(p, &record, body))
            return false;
        rest.at += sizeof record + record.len;
        rest.len -= sizeof record + record.len;
    }
    return true;
}

/* The first half's core is made; the second half's must be the one that the
 * first came to. */
static bool play_half(struct player *p, struct rest half)
{
    uint64_t size, digest;
    int rc = RKV_OK;

    if (half.len < 16)
        return wrong(p, "a half has no image");
    memcpy(&size, half.at, 8);
    memcpy(&digest, half.at + 8, 8);
    half.at += 16;
    half.len -= 16;
    if (size > half.len)
        return wrong(p, "an image is cut off");
    if (p->raft == NULL)
        rc = rkv_image_load(half.at, (size_t)size, NULL, &p->raft);
    if (rc != RKV_OK)
        return wrong(p, "the image makes no core: %s", rkv_errname(rc));
    if (rkv_raft_digest(p->raft) != digest)
        return wrong(p, "after %llu inputs the core is another",
                     (unsigned long long)p->out->inputs);
    size = (size + 7) / 8 * 8;
    if (size > half.len)
        return wrong(p, "an image is cut off");
    return play_records(p,
                        (struct rest){half.at + size, half.len - (size_t)size});
}

/* ---- the file ---- */

static bool check_header(struct player *p, const struct rkv_recording *header,
                         struct rest rest)
{
    uint64_t sum = 0;

    if (memcmp(header->magic, rkv_recording_magic, 8) != 0)
        return wrong(p, "this is no recording");
    if (header->format != RKV_RECORDING_FORMAT)
        return wrong(p, "a recording of format %u; this plays format %d",
                     header->format, RKV_RECORDING_FORMAT);
    if (header->build != rkv_image_build())
        return wrong(p, "recorded by another build of the library; play it "
                        "with the replay of that build");
    if (header->halves < 1 || header->halves > 2)
        return wrong(p, "a recording of %u halves", header->halves);
    for (uint32_t i = 0; i < header->halves; i++) {
        if (header->lens[i] > rest.len - sum)
            return wrong(p,
                         "half %u is cut off: expected %llu bytes, found "
                         "%llu",
                         i + 1, (unsigned long long)header->lens[i],
                         (unsigned long long)(rest.len - sum));
        if (rkv_hash64(i, rest.at + sum, (size_t)header->lens[i]) !=
            header->hashes[i])
            return wrong(p, "half %u is damaged", i + 1);
        sum += header->lens[i];
    }
    return sum == rest.len || wrong(p, "%llu bytes too many",
                                    (unsigned long long)(rest.len - sum));
}

static bool play_file(struct player *p, struct rest rest)
{
    struct rkv_recording header;

    if (rest.len < sizeof header)
        return wrong(p, "this is no recording");
    memcpy(&header, rest.at, sizeof header);
    rest.at += sizeof header;
    rest.len -= sizeof header;
    if (!check_header(p, &header, rest))
        return false;
    p->out->gaps = header.gaps;
    for (uint32_t i = 0; i < header.halves; i++) {
        if (!play_half(p, (struct rest){rest.at, (size_t)header.lens[i]}))
            return false;
        rest.at += header.lens[i];
    }
    p->out->digest = rkv_raft_digest(p->raft);
    return p->out->digest == header.digest ||
           wrong(p, "in the end the core is another");
}

static bool play(const void *file, size_t len, struct replayed *out, bool aloud)
{
    struct player p = {.out = out, .aloud = aloud};
    bool good;

    memset(out, 0, sizeof *out);
    good = play_file(&p, (struct rest){file, len});
    rkv_raft_free(p.raft);
    return good;
}

bool replay(const void *file, size_t len, struct replayed *out)
{
    return play(file, len, out, false);
}

bool replay_aloud(const void *file, size_t len, struct replayed *out)
{
    return play(file, len, out, true);
}
