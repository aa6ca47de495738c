/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The second opinion: what each entry comes to, and what members say of it.
 */
#include "twin.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "twin_room.h"

void twin_init(struct twin *twin, uint64_t index, struct verdict *verdict)
{
    memset(twin, 0, sizeof *twin);
    twin->verdict = verdict;
    twin->first = index + 1;
    twin->applied = index;
    twin->revision = 1;
    twin->compacted = -1;
    twin->auth_revision = 1;
}

void twin_free(struct twin *twin)
{
    for (size_t i = 0; i < twin->keys_count; i++)
        free(twin->keys[i]->versions);
    for (size_t i = 0; i < twin->users_count; i++)
        free(twin->users[i].roles);
    for (size_t i = 0; i < twin->roles_count; i++)
        free(twin->roles[i].permissions);
    free(twin->steps);
    free(twin->keys);
    free(twin->changes);
    free(twin->leases);
    free(twin->sessions);
    free(twin->users);
    free(twin->roles);
    arena_free(&twin->kept);
    arena_free(&twin->scratch);
}

const struct twin_step *twin_step(const struct twin *twin, uint64_t index)
{
    return index < twin->first || index > twin->applied
               ? NULL
               : &twin->steps[index - twin->first];
}

/* ---- compaction ---- */

static bool is_held(const struct twin *twin, const struct twin_key *key,
                    size_t at)
{
    const struct twin_version *version = &key->versions[at];

    if (version->mod >= twin->compacted)
        return true;
    return is_live(version) && (at + 1 == key->count ||
                                key->versions[at + 1].mod > twin->compacted);
}

static void count_held(struct twin *twin)
{
    twin->records = 0;
    twin->bytes = 0;
    for (size_t i = 0; i < twin->keys_count; i++) {
        const struct twin_key *key = twin->keys[i];

        for (size_t at = key->count; at-- > 0;) {
            if (!is_held(twin, key, at))
                continue;
            twin->records++;
            twin->bytes += key->name.len + key->versions[at].value.len;
        }
    }
}

static int32_t compact(struct twin *twin, int64_t revision)
{
    if (revision <= twin->compacted)
        return RKV_ECOMPACTED;
    if (revision > twin->revision)
        return RKV_EFUTURE;
    twin->compacted = revision;
    count_held(twin);
    return RKV_OK;
}

/* ---- sessions ---- */

static struct twin_session *find_session(const struct twin *twin, uint64_t id)
{
    for (size_t i = 0; i < twin->sessions_count; i++)
        if (twin->sessions[i].id == id)
            return &twin->sessions[i];
    return NULL;
}

/* Its number is for the store to say. */
static int32_t open_session(struct twin *twin, const struct rkv_result *theirs,
                            struct rkv_result *out)
{
    struct rkv_response *response =
        arena_take(&twin->scratch, sizeof *response);
    uint64_t id =
        theirs->responses_count > 0 ? theirs->responses[0].session : 0;

    if (id == 0 || find_session(twin, id) != NULL) {
        verdict_break(twin->verdict, "a session has a number of its own",
                      "index %" PRIu64 ": %" PRIu64, twin->applied + 1, id);
        return RKV_EEXIST;
    }
    twin->sessions = row_grow(twin->sessions, &twin->sessions_cap,
                              twin->sessions_count, sizeof(twin->sessions[0]));
    twin->sessions[twin->sessions_count++] = (struct twin_session){.id = id};
    response->kind = RKV_RESPONSE_SESSION;
    response->session = id;
    response->revision = twin->revision;
    *out = (struct rkv_result){
        .succeeded = 1, .responses = response, .responses_count = 1};
    return RKV_OK;
}

/* ---- one command ---- */

static int32_t run_alone(struct twin *twin, const struct command *command,
                         const struct rkv_result *theirs,
                         struct rkv_result *out)
{
    const struct operation *op = command->alone;

    *out = (struct rkv_result){.succeeded = 1};
    switch (op->deed) {
    case DEED_COMPACT:
        return compact(twin, op->number);
    case DEED_QUOTA:
        twin->quota = op->number;
        return RKV_OK;
    case DEED_OPEN:
        return open_session(twin, theirs, out);
    case DEED_GRANT:
    case DEED_REVOKE:
    case DEED_KEEP:
    case DEED_CLOCK:
        return lease_run(twin, command, theirs, out);
    default:
        return auth_run(twin, op);
    }
}

static void run_permitted(struct twin *twin, struct command *command,
                          const struct rkv_result *theirs,
                          struct rkv_result *out)
{
    int32_t status = command->alone_count > 0
                         ? run_alone(twin, command, theirs, out)
                         : txn_run(twin, &command->txn, theirs, out);

    if (status != RKV_OK)
        *out = (struct rkv_result){.status = status};
    out->revision = twin->revision;
    out->compacted = twin->compacted;
}

static void fail(const struct twin *twin, struct rkv_result *out,
                 int32_t status)
{
    *out = (struct rkv_result){.status = status,
                               .revision = twin->revision,
                               .compacted = twin->compacted};
}

/* Once, however often it comes. */
static void run_in_session(struct twin *twin, struct command *command,
                           const struct rkv_result *theirs,
                           struct rkv_result *out)
{
    struct twin_session *session = find_session(twin, command->session);

    if (session == NULL) {
        fail(twin, out, RKV_ESESSION);
    } else if (command->sequence < session->sequence) {
        fail(twin, out, RKV_ESTALE);
    } else if (command->sequence == session->sequence) {
        *out = *session->last;
        out->replayed = 1;
    } else {
        run_permitted(twin, command, theirs, out);
        session->sequence = command->sequence;
        session->last = answer_without_items(&twin->kept, out);
    }
}

static void run(struct twin *twin, struct command *command,
                const struct rkv_result *theirs, struct rkv_result *out)
{
    int32_t status = auth_permits(twin, command);

    twin->news.was_denied = status != RKV_OK;
    if (status != RKV_OK)
        fail(twin, out, status);
    else if (command->session != 0)
        run_in_session(twin, command, theirs, out);
    else
        run_permitted(twin, command, theirs, out);
}

static uint32_t kinds_of(const struct list *list)
{
    uint32_t kinds = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct operation *op = &list->ops[i];

        kinds |= (uint32_t)1 << op->deed;
        if (op->deed == DEED_TXN)
            kinds |= kinds_of(&op->txn->sides[0]) |
                     kinds_of(&op->txn->sides[1]) |
                     kinds_of(&op->txn->compares);
    }
    return kinds;
}

static struct twin_step *add_step(struct twin *twin)
{
    size_t count = (size_t)(twin->applied + 1 - twin->first);
    struct twin_step *step;

    twin->steps =
        row_grow(twin->steps, &twin->steps_cap, count, sizeof(twin->steps[0]));
    step = &twin->steps[count];
    memset(step, 0, sizeof *step);
    return step;
}

static void apply(struct twin *twin, const void *bytes, size_t len,
                  const struct rkv_result *theirs, struct twin_step *step)
{
    const void *copy = arena_copy(&twin->kept, bytes, len);
    struct command command;
    struct rkv_result ours = {.status = RKV_OK};
    const char *wrong = command_read(&twin->scratch, copy, len, &command);
    struct list alone = {command.alone, command.alone_count, 0};

    memset(&twin->news, 0, sizeof twin->news);
    if (wrong != NULL) {
        verdict_break(twin->verdict, "the log holds commands alone",
                      "index %" PRIu64 ": %s", twin->applied + 1, wrong);
        return;
    }
    run(twin, &command, theirs, &ours);
    answers_differ(twin->verdict, twin->applied + 1, &ours, theirs);
    step->answer = twin_digest_answer(&ours);
    step->status = ours.status;
    step->kinds = kinds_of(&alone) | kinds_of(&command.txn.compares) |
                  kinds_of(&command.txn.sides[0]) |
                  kinds_of(&command.txn.sides[1]);
    step->in_session = command.session != 0;
    arena_clear(&twin->scratch);
}

uint64_t twin_digest(const void *command, size_t len)
{
    struct digest digest = {1};

    digest_bytes(&digest, command, len);
    return digest.value | 1;
}

static void check_again(struct twin *twin, uint64_t index, uint64_t command,
                        const struct rkv_result *result, uint64_t state)
{
    struct twin_step *step = &twin->steps[index - twin->first];

    if (step->command != command)
        verdict_break(twin->verdict, "all apply the same entries",
                      "index %" PRIu64 " was another before", index);
    if (step->answer != twin_digest_answer(result))
        verdict_break(twin->verdict, "all members answer alike",
                      "index %" PRIu64 " comes to status %d here, "
                      "and came to %d",
                      index, result != NULL ? result->status : 0, step->status);
    if (step->state != state)
        verdict_break(twin->verdict, "states are equal at equal indexes",
                      "index %" PRIu64 ": hash %016" PRIx64
                      ", it was %016" PRIx64,
                      index, state, step->state);
}

void twin_applied(struct twin *twin, uint64_t index, const void *command,
                  size_t len, const struct rkv_result *result, uint64_t state)
{
    uint64_t digest = result != NULL ? twin_digest(command, len) : 0;
    struct twin_step *step;

    if (index < twin->first)
        return;
    if (index <= twin->applied) {
        check_again(twin, index, digest, result, state);
        return;
    }
    if (index != twin->applied + 1) {
        verdict_break(twin->verdict, "entries are applied one after the other",
                      "index %" PRIu64 " after %" PRIu64, index, twin->applied);
        return;
    }
    step = add_step(twin);
    step->command = digest;
    step->state = state;
    if (result != NULL)
        apply(twin, command, len, result, step);
    step->revision = twin->revision;
    step->compacted = twin->compacted;
    twin->applied = index;
}

void twin_restored(struct twin *twin, uint64_t index, uint64_t state)
{
    const struct twin_step *step = twin_step(twin, index);

    if (index > twin->applied)
        verdict_break(twin->verdict, "a snapshot holds what was applied",
                      "index %" PRIu64 ", nobody was beyond %" PRIu64, index,
                      twin->applied);
    else if (step != NULL && step->state != state)
        verdict_break(twin->verdict, "states are equal at equal indexes",
                      "a snapshot up to %" PRIu64 ": hash %016" PRIx64
                      ", it was %016" PRIx64,
                      index, state, step->state);
}
