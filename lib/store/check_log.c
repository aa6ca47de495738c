/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules about identity, hard state and entries.
 */
#include <string.h>

#include "trial.h"

static struct rkv_store_write blank(const struct rkv_model *model,
                                    uint32_t flags)
{
    struct rkv_store_write write;

    memset(&write, 0, sizeof write);
    write.size = (uint32_t)sizeof write;
    write.flags = flags;
    write.group = model->group;
    return write;
}

static int write_state(struct rkv_trial *trial, struct rkv_model *model,
                       uint64_t term, uint64_t vote, uint64_t commit)
{
    struct rkv_store_write write = blank(model, RKV_WRITE_STATE);

    write.term = term;
    write.vote = vote;
    write.commit = commit;
    int rc = rkv_store_write(*trial->store, &write, 1);
    if (rc == RKV_OK)
        rkv_model_take(model, &write);
    return rkv_trial_worked(trial, "writing state", rc);
}

static int fresh_store_is_empty(struct rkv_trial *trial)
{
    int rc = rkv_trial_start(trial);

    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "cluster", 0, trial->identity.cluster);
    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "member", 0, trial->identity.member);
    if (rc == RKV_OK)
        rc =
            rkv_trial_equal(trial, "recovering", 0, trial->identity.recovering);
    return rc;
}

static int unknown_group_is_empty(struct rkv_trial *trial)
{
    const struct rkv_model *model = rkv_trial_group(trial, 0);
    const struct rkv_entry *entries;
    uint32_t count;
    int rc = rkv_trial_agrees(trial, model);

    if (rc == RKV_OK)
        rc = rkv_trial_refused(trial, "reading an unknown group", RKV_EFUTURE,
                               rkv_store_read(*trial->store, model->group, 1, 1,
                                              1, &entries, &count));
    return rc;
}

static int start_raises_the_boot(struct rkv_trial *trial)
{
    uint64_t before = trial->identity.boot;
    int rc = rkv_trial_start(trial);

    if (rc == RKV_OK && trial->identity.boot <= before)
        rc = rkv_trial_equal(trial, "boot", before + 1, trial->identity.boot);
    return rc;
}

static int check_identity(struct rkv_trial *trial)
{
    int rc = rkv_trial_start(trial);

    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "cluster", RKV_TRIAL_CLUSTER,
                             trial->identity.cluster);
    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "member", RKV_TRIAL_MEMBER,
                             trial->identity.member);
    return rc;
}

static int write_identity(struct rkv_trial *trial, uint64_t cluster,
                          uint64_t member)
{
    struct rkv_store_write write =
        blank(rkv_trial_group(trial, 0), RKV_WRITE_IDENTITY);

    write.cluster = cluster;
    write.member = member;
    return rkv_store_write(*trial->store, &write, 1);
}

static int identity_is_kept(struct rkv_trial *trial)
{
    int rc = rkv_trial_worked(
        trial, "writing an identity",
        write_identity(trial, RKV_TRIAL_CLUSTER, RKV_TRIAL_MEMBER));

    if (rc == RKV_OK)
        rc = rkv_trial_worked(
            trial, "writing the same identity again",
            write_identity(trial, RKV_TRIAL_CLUSTER, RKV_TRIAL_MEMBER));
    return rc == RKV_OK ? check_identity(trial) : rc;
}

static int another_identity_is_refused(struct rkv_trial *trial)
{
    int rc = rkv_trial_worked(
        trial, "writing an identity",
        write_identity(trial, RKV_TRIAL_CLUSTER, RKV_TRIAL_MEMBER));

    if (rc == RKV_OK)
        rc = rkv_trial_refused(
            trial, "another member", RKV_EEXIST,
            write_identity(trial, RKV_TRIAL_CLUSTER, RKV_TRIAL_MEMBER + 1));
    if (rc == RKV_OK)
        rc = rkv_trial_refused(
            trial, "another cluster", RKV_EEXIST,
            write_identity(trial, RKV_TRIAL_CLUSTER + 1, RKV_TRIAL_MEMBER));
    return rc == RKV_OK ? check_identity(trial) : rc;
}

static int half_an_identity_is_refused(struct rkv_trial *trial)
{
    int rc = rkv_trial_refused(trial, "cluster 0", RKV_EINVAL,
                               write_identity(trial, 0, RKV_TRIAL_MEMBER));

    if (rc == RKV_OK)
        rc = rkv_trial_refused(trial, "member 0", RKV_EINVAL,
                               write_identity(trial, RKV_TRIAL_CLUSTER, 0));
    return rc;
}

static int term_is_kept(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = write_state(trial, model, UINT64_C(1) << 40, 0, 0);

    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int vote_is_kept(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = write_state(trial, model, 5, 0, 0);

    if (rc == RKV_OK)
        rc = write_state(trial, model, 5, UINT64_MAX, 0);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees(trial, model);
    /* A write of something else leaves the vote alone. */
    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, model, 1, 3, 5);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int refuses_state(struct rkv_trial *trial, const struct rkv_model *model,
                         const char *what, uint64_t term, uint64_t vote,
                         uint64_t commit)
{
    struct rkv_store_write write = blank(model, RKV_WRITE_STATE);

    write.term = term;
    write.vote = vote;
    write.commit = commit;
    return rkv_trial_refused(trial, what, RKV_EINVAL,
                             rkv_store_write(*trial->store, &write, 1));
}

static int promises_are_not_taken_back(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 9, 4);

    if (rc == RKV_OK)
        rc = write_state(trial, model, 4, 7, 5);
    if (rc == RKV_OK)
        rc = refuses_state(trial, model, "an older term", 3, 7, 5);
    if (rc == RKV_OK)
        rc = refuses_state(trial, model, "a second vote", 4, 8, 5);
    if (rc == RKV_OK)
        rc = refuses_state(trial, model, "a vote taken back", 4, 0, 5);
    if (rc == RKV_OK)
        rc = refuses_state(trial, model, "a lower commit", 4, 7, 4);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees(trial, model);
    if (rc == RKV_OK)
        rc = write_state(trial, model, 5, 8, 5);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

/* No other rule writes a term as high. */
static int highest_term_is_promised(struct rkv_trial *trial)
{
    const uint64_t highest = UINT64_C(1) << 50;
    int rc = write_state(trial, rkv_trial_group(trial, 0), highest, 0, 0);

    if (rc == RKV_OK)
        rc = write_state(trial, rkv_trial_group(trial, 1), 2, 0, 0);
    if (rc == RKV_OK)
        rc = rkv_trial_start(trial);
    return rc == RKV_OK ? rkv_trial_equal(trial, "promised", highest,
                                          trial->identity.promised)
                        : rc;
}

static int commit_is_carried(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);

    rkv_trial_make(trial, model, 1, 10, 2);
    struct rkv_store_write write = rkv_trial_entries(trial, model, 10);
    write.flags |= RKV_WRITE_STATE;
    write.term = 2;
    write.commit = 7;
    int rc = rkv_trial_worked(trial, "writing",
                              rkv_store_write(*trial->store, &write, 1));
    rkv_model_take(model, &write);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int entries_read_back(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    uint64_t next = 1;
    int rc = RKV_OK;

    for (uint32_t count = 1; rc == RKV_OK && count <= 12; count++) {
        rc = rkv_trial_append(trial, model, next, count, 1 + count / 3);
        next += count;
    }
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int many_entries_read_back(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, RKV_MODEL_BATCH_MAX, 9);

    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int large_entry_reads_back(struct rkv_trial *trial)
{
    const struct rkv_model *model = rkv_trial_group(trial, 0);
    const struct rkv_allocator allocator = rkv_alloc_choose(NULL);
    const struct rkv_entry *entries = NULL;
    const size_t len = 300000;
    uint32_t count = 0;
    uint8_t *bytes = rkv_alloc(&allocator, len);

    if (bytes == NULL)
        return rkv_trial_worked(trial, "making an entry", RKV_ENOMEM);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    rkv_trial_make(trial, model, 1, 1, 1);
    trial->made[0].data = bytes;
    trial->made[0].len = (uint32_t)len;
    rkv_entry_chain(&trial->made[0], model->entries[0].chain);
    struct rkv_store_write write = rkv_trial_entries(trial, model, 1);
    int rc = rkv_trial_worked(trial, "writing",
                              rkv_store_write(*trial->store, &write, 1));
    if (rc == RKV_OK)
        rc = rkv_trial_worked(trial, "reading",
                              rkv_store_read(*trial->store, model->group, 1, 5,
                                             10, &entries, &count));
    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "length", len, entries[0].len);
    if (rc == RKV_OK)
        rc = rkv_trial_equal(trial, "equal bytes", 1,
                             memcmp(bytes, entries[0].data, len) == 0);
    rkv_release(&allocator, bytes, len);
    return rc;
}

/* Ten entries, and how many of them a read gives. */
static int read_some(struct rkv_trial *trial, uint64_t first, uint32_t count,
                     uint64_t bytes_max, const struct rkv_entry **entries,
                     uint32_t *found)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 10, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_worked(trial, "reading",
                              rkv_store_read(*trial->store, model->group, first,
                                             count, bytes_max, entries, found));
    return rc;
}

static int read_stops_at_its_count(struct rkv_trial *trial)
{
    const struct rkv_entry *entries;
    uint32_t found = 0;
    int rc = read_some(trial, 2, 4, UINT64_MAX, &entries, &found);

    return rc == RKV_OK ? rkv_trial_equal(trial, "entries", 4, found) : rc;
}

static int read_stops_near_its_bytes(struct rkv_trial *trial)
{
    const struct rkv_entry *entries;
    uint64_t bytes = 0;
    uint32_t found = 0;
    int rc = read_some(trial, 1, 10, 2, &entries, &found);

    for (uint32_t i = 0; rc == RKV_OK && i < found; i++)
        bytes += entries[i].len;
    /* "About": the allowance and one entry more. */
    if (rc == RKV_OK && bytes > 2 + 2 * RKV_MODEL_PAYLOAD_MAX)
        rc = rkv_trial_equal(trial, "bytes read at most",
                             2 + 2 * RKV_MODEL_PAYLOAD_MAX, bytes);
    return rc;
}

static int read_gives_at_least_one(struct rkv_trial *trial)
{
    const struct rkv_entry *entries;
    uint32_t found = 0;
    int rc = read_some(trial, 1, 10, 0, &entries, &found);

    if (rc == RKV_OK && found == 0)
        rc = rkv_trial_equal(trial, "entries", 1, found);
    return rc;
}

static int read_ends_at_the_last(struct rkv_trial *trial)
{
    const struct rkv_entry *entries;
    uint32_t found = 0;
    int rc = read_some(trial, 8, 100, UINT64_MAX, &entries, &found);

    return rc == RKV_OK ? rkv_trial_equal(trial, "entries", 3, found) : rc;
}

static int read_beyond_is_refused(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    const struct rkv_entry *entries;
    uint32_t found;
    int rc = rkv_trial_append(trial, model, 1, 10, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_refused(trial, "reading after the last entry",
                               RKV_EFUTURE,
                               rkv_store_read(*trial->store, model->group, 11,
                                              1, 100, &entries, &found));
    return rc;
}

static int tail_is_replaced(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 20, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, model, 11, 15, 2);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int shorter_tail_leaves_nothing(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 40, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, model, 15, 1, 2);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees(trial, model);
    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, model, 16, 3, 2);
    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, model, 1, 2, 3);
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int gap_is_refused(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 5, 1);

    if (rc != RKV_OK)
        return rc;
    rkv_trial_make(trial, model, 7, 2, 1);
    struct rkv_store_write write = rkv_trial_entries(trial, model, 2);
    rc = rkv_trial_refused(trial, "entries behind a gap", RKV_EINVAL,
                           rkv_store_write(*trial->store, &write, 1));
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

static int entries_must_follow(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    int rc = rkv_trial_append(trial, model, 1, 5, 3);

    if (rc != RKV_OK)
        return rc;
    rkv_trial_make(trial, model, 6, 1, 3);
    trial->made[0].chain[17] ^= 1;
    struct rkv_store_write write = rkv_trial_entries(trial, model, 1);
    rc =
        rkv_trial_refused(trial, "an entry with a chain of its own", RKV_EINVAL,
                          rkv_store_write(*trial->store, &write, 1));
    rkv_trial_make(trial, model, 6, 1, 3);
    write.follows = model->entries[3].chain;
    if (rc == RKV_OK)
        rc = rkv_trial_refused(trial, "an entry said to follow another chain",
                               RKV_EINVAL,
                               rkv_store_write(*trial->store, &write, 1));
    write.follows = NULL;
    rkv_trial_make(trial, model, 6, 1, 2);
    if (rc == RKV_OK)
        rc = rkv_trial_refused(trial, "a term below the one before", RKV_EINVAL,
                               rkv_store_write(*trial->store, &write, 1));
    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

/* Two records, of which the second cannot be: not even the first counts. */
static int refused_write_changes_nothing(struct rkv_trial *trial)
{
    struct rkv_model *one = rkv_trial_group(trial, 0);
    struct rkv_model *two = rkv_trial_group(trial, 1);
    struct rkv_store_write writes[2];
    int rc = rkv_trial_append(trial, one, 1, 5, 1);

    if (rc != RKV_OK)
        return rc;
    rkv_trial_make(trial, one, 6, 5, 1);
    writes[0] = rkv_trial_entries(trial, one, 5);
    writes[0].flags |= RKV_WRITE_STATE;
    writes[0].term = 9;
    writes[1] = rkv_trial_entries(trial, two, 5);
    rc = rkv_trial_refused(trial, "a write whose second record leaves a gap",
                           RKV_EINVAL,
                           rkv_store_write(*trial->store, writes, 2));
    if (rc == RKV_OK)
        rc = rkv_trial_agrees(trial, one);
    return rc == RKV_OK ? rkv_trial_agrees(trial, two) : rc;
}

static int write_spans_groups(struct rkv_trial *trial)
{
    struct rkv_store_write writes[3];
    int rc;

    for (int i = 0; i < 3; i++) {
        struct rkv_model *model = rkv_trial_group(trial, i);

        writes[i] = blank(model, RKV_WRITE_STATE);
        writes[i].term = 10 + (uint64_t)i;
        writes[i].vote = 20 + (uint64_t)i;
        rkv_model_take(model, &writes[i]);
    }
    rkv_trial_make(trial, &trial->models[1], 1, 8, 11);
    struct rkv_store_write entries =
        rkv_trial_entries(trial, &trial->models[1], 8);
    writes[1].flags |= entries.flags;
    writes[1].entries = entries.entries;
    writes[1].count = entries.count;
    rkv_model_take(&trial->models[1], &entries);
    rc = rkv_trial_worked(trial, "a write of three groups",
                          rkv_store_write(*trial->store, writes, 3));
    for (int i = 0; rc == RKV_OK && i < 3; i++)
        rc = rkv_trial_agrees(trial, &trial->models[i]);
    return rc;
}

/* The second record joins a log that the first has just cut. */
static int records_take_turns(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    struct rkv_store_write writes[2];
    struct rkv_entry cut;
    int rc = rkv_trial_append(trial, model, 1, 9, 1);

    if (rc != RKV_OK)
        return rc;
    rkv_trial_make(trial, model, 5, 1, 2);
    cut = trial->made[0];
    cut.len = 0;
    rkv_entry_chain(&cut, model->entries[4].chain);
    writes[0] = rkv_trial_entries(trial, model, 1);
    writes[0].entries = &cut;
    rkv_model_take(model, &writes[0]);
    rkv_trial_make(trial, model, 6, 2, 3);
    writes[1] = rkv_trial_entries(trial, model, 2);
    rc = rkv_trial_worked(trial, "two records of one group",
                          rkv_store_write(*trial->store, writes, 2));
    rkv_model_take(model, &writes[1]);
    return rc == RKV_OK ? rkv_trial_agrees_state(trial, model) : rc;
}

/* 0 is a group like any other, and so is every number there is. */
static int groups_have_any_number(struct rkv_trial *trial)
{
    static const uint64_t numbers[RKV_MODELS] = {0, 1, UINT64_C(1) << 63,
                                                 UINT64_MAX};
    int rc = RKV_OK;

    for (int i = 0; rc == RKV_OK && i < RKV_MODELS; i++) {
        struct rkv_model *model = rkv_trial_group(trial, i);

        model->group = numbers[i];
        rc = rkv_trial_append(trial, model, 1, 3 + (uint32_t)i, 1);
        if (rc == RKV_OK)
            rc = rkv_trial_snapshot(trial, model, 1 + (uint64_t)i, 1);
    }
    for (int i = 0; rc == RKV_OK && i < RKV_MODELS; i++)
        rc = rkv_trial_agrees(trial, &trial->models[i]);
    return rc;
}

static int groups_are_kept_apart(struct rkv_trial *trial)
{
    struct rkv_model *one = rkv_trial_group(trial, 0);
    struct rkv_model *two = rkv_trial_group(trial, 1);
    int rc = rkv_trial_append(trial, one, 1, 30, 1);

    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, two, 1, 12, 4);
    if (rc == RKV_OK)
        rc = write_state(trial, two, 4, 2, 3);
    if (rc == RKV_OK)
        rc = rkv_trial_append(trial, one, 20, 5, 2);
    if (rc == RKV_OK)
        rc = rkv_trial_agrees(trial, one);
    return rc == RKV_OK ? rkv_trial_agrees(trial, two) : rc;
}

static int recovered_mark_is_cleared(struct rkv_trial *trial)
{
    struct rkv_model *model = rkv_trial_group(trial, 0);
    struct rkv_store_write write = blank(model, RKV_WRITE_RECOVERED);
    int rc = rkv_trial_worked(trial, "saying that a group is whole",
                              rkv_store_write(*trial->store, &write, 1));

    return rc == RKV_OK ? rkv_trial_agrees(trial, model) : rc;
}

const struct rkv_rule rkv_rules_log[] = {
    {"a-fresh-store-is-empty", fresh_store_is_empty, false},
    {"an-unknown-group-is-empty", unknown_group_is_empty, false},
    {"a-start-raises-the-boot", start_raises_the_boot, false},
    {"an-identity-is-kept", identity_is_kept, false},
    {"another-identity-is-refused", another_identity_is_refused, false},
    {"half-an-identity-is-refused", half_an_identity_is_refused, false},
    {"the-term-is-kept", term_is_kept, false},
    {"the-vote-is-kept", vote_is_kept, false},
    {"promises-are-not-taken-back", promises_are_not_taken_back, false},
    {"the-highest-term-is-promised", highest_term_is_promised, false},
    {"the-commit-is-carried", commit_is_carried, false},
    {"entries-read-back", entries_read_back, false},
    {"many-entries-read-back", many_entries_read_back, false},
    {"a-large-entry-reads-back", large_entry_reads_back, false},
    {"a-read-stops-at-its-count", read_stops_at_its_count, false},
    {"a-read-stops-near-its-bytes", read_stops_near_its_bytes, false},
    {"a-read-gives-at-least-one", read_gives_at_least_one, false},
    {"a-read-ends-at-the-last", read_ends_at_the_last, false},
    {"a-read-beyond-the-last-is-refused", read_beyond_is_refused, false},
    {"a-tail-is-replaced", tail_is_replaced, false},
    {"a-shorter-tail-leaves-nothing-behind", shorter_tail_leaves_nothing,
     false},
    {"a-gap-is-refused", gap_is_refused, false},
    {"entries-must-follow", entries_must_follow, false},
    {"a-refused-write-changes-nothing", refused_write_changes_nothing, false},
    {"one-write-spans-groups", write_spans_groups, false},
    {"records-take-turns", records_take_turns, false},
    {"groups-have-any-number", groups_have_any_number, false},
    {"groups-are-kept-apart", groups_are_kept_apart, false},
    {"a-mark-of-recovery-is-cleared", recovered_mark_is_cleared, false},
    {NULL, NULL, false},
};
