/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Sessions, in the order in which they were used: which one goes when there
 * are too many follows from the log alone.
 */
#include "session.h"

#include "../base/hash.h"

static void line_add(struct rkv_sessions *sessions,
                     struct rkv_session *session);
static void line_remove(struct rkv_sessions *sessions,
                        struct rkv_session *session);
static void drop(struct rkv_sessions *sessions, struct rkv_session *session);
static uint64_t hash_of(const struct rkv_session *session);

void rkv_sessions_init(struct rkv_sessions *sessions,
                       const struct rkv_allocator *a)
{
    *sessions = (struct rkv_sessions){.allocator = a};
    rkv_map_init(&sessions->ids, a);
}

void rkv_sessions_free(struct rkv_sessions *sessions)
{
    while (sessions->first != NULL)
        drop(sessions, sessions->first);
    rkv_map_free(&sessions->ids);
}

struct rkv_session *rkv_sessions_find(const struct rkv_sessions *sessions,
                                      uint64_t id)
{
    return rkv_map_get(&sessions->ids, id);
}

/* One more, in front of nobody. */
static int add(struct rkv_sessions *sessions, const struct rkv_session *draft)
{
    struct rkv_session *session =
        rkv_alloc(sessions->allocator, sizeof(*session));

    if (session == NULL)
        return RKV_ENOMEM;
    if (rkv_map_set(&sessions->ids, draft->id, session) < 0) {
        rkv_release(sessions->allocator, session, sizeof(*session));
        return RKV_ENOMEM;
    }
    *session = *draft;
    session->hash = hash_of(session);
    sessions->hash += session->hash;
    sessions->count++;
    line_add(sessions, session);
    return RKV_OK;
}

int rkv_sessions_open(struct rkv_sessions *sessions, uint64_t index)
{
    struct rkv_session draft = {.id = index, .used = index};

    if (sessions->count == RKV_SESSIONS_MAX)
        drop(sessions, sessions->first);
    return add(sessions, &draft);
}

static int keep_answers(const struct rkv_allocator *a,
                        struct rkv_session *session,
                        const struct rkv_result *result)
{
    void *answers = session->answers;

    session->answers_count = 0;
    if (result->responses_count > RKV_SESSION_RESPONSES)
        return RKV_OK;
    if (rkv_grow(a, &answers, &session->answers_cap, result->responses_count,
                 sizeof(session->answers[0])) < 0)
        return RKV_ENOMEM;
    session->answers = answers;
    for (uint64_t i = 0; i < result->responses_count; i++) {
        const struct rkv_response *from = &result->responses[i];

        session->answers[session->answers_count++] = (struct rkv_answer){
            .kind = from->kind,
            .more = from->more,
            .count = from->count,
            .revision = from->revision,
            .lease = from->lease,
            .ttl = from->ttl,
            .session = from->session,
        };
    }
    return RKV_OK;
}

int rkv_sessions_keep(struct rkv_sessions *sessions,
                      struct rkv_session *session, uint64_t index,
                      uint64_t sequence, const struct rkv_result *result)
{
    if (keep_answers(sessions->allocator, session, result) < 0)
        return RKV_ENOMEM;
    session->used = index;
    session->sequence = sequence;
    session->status = result->status;
    session->succeeded = result->succeeded;
    session->revision = result->revision;
    session->compacted = result->compacted;
    sessions->hash -= session->hash;
    session->hash = hash_of(session);
    sessions->hash += session->hash;
    line_remove(sessions, session);
    line_add(sessions, session);
    return RKV_OK;
}

uint64_t rkv_sessions_rehash(const struct rkv_sessions *sessions)
{
    uint64_t hash = 0;

    for (const struct rkv_session *s = sessions->first; s != NULL; s = s->next)
        hash += hash_of(s);
    return hash;
}

/* A piece: length of the rest 4, then varints: id, used, sequence, status,
 * succeeded, revision, compacted, and of each answer kind, more, count,
 * revision, lease, ttl, session; what may be below 0 as zigzag. */
void rkv_sessions_write(const struct rkv_sessions *sessions,
                        struct rkv_buffer *out)
{
    for (const struct rkv_session *s = sessions->first; s != NULL;
         s = s->next) {
        size_t at = out->len;

        rkv_write_u32(out, 0);
        rkv_write_varint(out, s->id);
        rkv_write_varint(out, s->used);
        rkv_write_varint(out, s->sequence);
        rkv_write_svarint(out, s->status);
        rkv_write_varint(out, s->succeeded);
        rkv_write_svarint(out, s->revision);
        rkv_write_svarint(out, s->compacted);
        for (size_t i = 0; i < s->answers_count; i++) {
            const struct rkv_answer *answer = &s->answers[i];

            rkv_write_varint(out, answer->kind);
            rkv_write_varint(out, answer->more);
            rkv_write_varint(out, answer->count);
            rkv_write_svarint(out, answer->revision);
            rkv_write_svarint(out, answer->lease);
            rkv_write_svarint(out, answer->ttl);
            rkv_write_varint(out, answer->session);
        }
        if (out->failed)
            return;
        rkv_put_u32(out->data + at, (uint32_t)(out->len - at - 4));
    }
}

static int read_answers(const struct rkv_allocator *a, struct rkv_reader *r,
                        struct rkv_session *session)
{
    while (rkv_reader_left(r) > 0 && !r->failed) {
        void *answers = session->answers;
        struct rkv_answer *answer;

        if (session->answers_count == RKV_SESSION_RESPONSES)
            return RKV_EMALFORMED;
        if (rkv_grow(a, &answers, &session->answers_cap,
                     session->answers_count + 1,
                     sizeof(session->answers[0])) < 0)
            return RKV_ENOMEM;
        session->answers = answers;
        answer = &session->answers[session->answers_count++];
        answer->kind = rkv_read_varint32(r);
        answer->more = rkv_read_varint32(r);
        answer->count = rkv_read_varint(r);
        answer->revision = rkv_read_svarint(r);
        answer->lease = rkv_read_svarint(r);
        answer->ttl = rkv_read_svarint(r);
        answer->session = rkv_read_varint(r);
    }
    return r->failed ? RKV_EMALFORMED : RKV_OK;
}

int rkv_sessions_read(struct rkv_sessions *sessions, const void *data,
                      size_t len)
{
    const struct rkv_allocator *a = sessions->allocator;
    struct rkv_session draft = {.id = 0};
    struct rkv_reader r;
    int64_t status;
    int error;

    rkv_reader_init(&r, data, len);
    draft.id = rkv_read_varint(&r);
    draft.used = rkv_read_varint(&r);
    draft.sequence = rkv_read_varint(&r);
    status = rkv_read_svarint(&r);
    draft.status = (int32_t)status;
    draft.succeeded = rkv_read_varint32(&r);
    draft.revision = rkv_read_svarint(&r);
    draft.compacted = rkv_read_svarint(&r);
    if (r.failed || draft.id == 0 || draft.used < draft.id ||
        draft.status != status || draft.succeeded > 1 ||
        sessions->count == RKV_SESSIONS_MAX ||
        rkv_sessions_find(sessions, draft.id) != NULL ||
        (sessions->last != NULL && draft.used <= sessions->last->used))
        return RKV_EMALFORMED;
    error = read_answers(a, &r, &draft);
    if (error == RKV_OK)
        error = add(sessions, &draft);
    if (error != RKV_OK)
        rkv_release(a, draft.answers,
                    draft.answers_cap * sizeof(draft.answers[0]));
    return error;
}

static void line_add(struct rkv_sessions *sessions, struct rkv_session *session)
{
    session->next = NULL;
    session->prev = sessions->last;
    if (sessions->last != NULL)
        sessions->last->next = session;
    else
        sessions->first = session;
    sessions->last = session;
}

static void line_remove(struct rkv_sessions *sessions,
                        struct rkv_session *session)
{
    if (session->prev != NULL)
        session->prev->next = session->next;
    else
        sessions->first = session->next;
    if (session->next != NULL)
        session->next->prev = session->prev;
    else
        sessions->last = session->prev;
}

static void drop(struct rkv_sessions *sessions, struct rkv_session *session)
{
    const struct rkv_allocator *a = sessions->allocator;

    line_remove(sessions, session);
    (void)rkv_map_remove(&sessions->ids, session->id);
    sessions->count--;
    sessions->hash -= session->hash;
    rkv_release(a, session->answers,
                session->answers_cap * sizeof(session->answers[0]));
    rkv_release(a, session, sizeof(*session));
}

static uint64_t hash_of(const struct rkv_session *session)
{
    uint64_t hash = rkv_mix64(session->id, session->used);

    hash = rkv_mix64(hash, session->sequence);
    hash = rkv_mix64(hash, (uint64_t)session->status << 1 | session->succeeded);
    hash = rkv_mix64(hash, (uint64_t)session->revision);
    hash = rkv_mix64(hash, (uint64_t)session->compacted);
    for (size_t i = 0; i < session->answers_count; i++) {
        const struct rkv_answer *answer = &session->answers[i];

        hash = rkv_mix64(hash, (uint64_t)answer->kind << 32 | answer->more);
        hash = rkv_mix64(hash, answer->count);
        hash = rkv_mix64(hash, (uint64_t)answer->revision);
        hash = rkv_mix64(hash, (uint64_t)answer->lease);
        hash = rkv_mix64(hash, (uint64_t)answer->ttl);
        hash = rkv_mix64(hash, answer->session);
    }
    return hash;
}
