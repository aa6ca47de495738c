/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Commands with a session and a sequence: which of them are done, and which
 * only answered again.
 */
#include "room.h"

static int answer_again(rkv_kv *kv, const struct rkv_session *session);

int rkv_session_enter(rkv_kv *kv, struct rkv_session **session)
{
    const struct rkv_program *program = kv->program;

    *session = rkv_sessions_find(&kv->state->sessions, program->session);
    if (*session == NULL)
        return RKV_ESESSION;
    if (program->sequence < (*session)->sequence)
        return RKV_ESTALE;
    if (program->sequence > (*session)->sequence)
        return 1;
    return answer_again(kv, *session);
}

/* The result is the one that was handed out then, status and all. */
static int answer_again(rkv_kv *kv, const struct rkv_session *session)
{
    struct rkv_scratch *scratch = &kv->scratch;

    if (rkv_scratch_reserve(scratch, 1, session->answers_count) < 0)
        return RKV_ENOMEM;
    for (size_t i = 0; i < session->answers_count; i++) {
        const struct rkv_answer *answer = &session->answers[i];

        scratch->responses[i] = (struct rkv_response){
            .kind = answer->kind,
            .more = answer->more,
            .count = answer->count,
            .revision = answer->revision,
            .lease = answer->lease,
            .ttl = answer->ttl,
            .session = answer->session,
        };
    }
    *scratch->results = (struct rkv_result){
        .status = session->status,
        .succeeded = session->succeeded,
        .revision = session->revision,
        .compacted = session->compacted,
        .responses = scratch->responses,
        .responses_count = session->answers_count,
        .replayed = 1,
    };
    return RKV_OK;
}

int rkv_session_open(rkv_kv *kv, uint64_t index)
{
    struct rkv_scratch *scratch = &kv->scratch;

    if (rkv_sessions_open(&kv->state->sessions, index) < 0)
        return RKV_ENOMEM;
    *scratch->responses = (struct rkv_response){
        .kind = RKV_RESPONSE_SESSION,
        .revision = kv->state->revision,
        .session = index,
    };
    *scratch->results = (struct rkv_result){
        .succeeded = 1,
        .responses = scratch->responses,
        .responses_count = 1,
    };
    return RKV_OK;
}
