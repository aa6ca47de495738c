/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hard state: the one row of meta and the row of each group.  SQLite does not
 * check its pages, so each row ends with a BLAKE2b-256 of all that it says.
 * A group's row names the end of its log and that entry's chain: rows that
 * vanish from a table are missed.
 */
#include "sqlite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../base/bytes.h"
#include "../base/hash.h"

/* Columns in the order of the tables, which rkv_sqlite_open() makes. */
enum {
    META_FORMAT,
    META_CLUSTER,
    META_MEMBER,
    META_SEQUENCE,
    META_MARKED,
    META_NUMBERS
};
enum {
    GROUP_ID,
    GROUP_TERM,
    GROUP_VOTE,
    GROUP_COMMIT,
    GROUP_KEPT,
    GROUP_LAST,
    GROUP_LAST_TERM,
    GROUP_SNAPSHOT_INDEX,
    GROUP_SNAPSHOT_TERM,
    GROUP_SNAPSHOT_LEN,
    GROUP_SNAPSHOT_SLOT,
    GROUP_PREVIOUS_INDEX,
    GROUP_PREVIOUS_LEN,
    GROUP_PREVIOUS_SLOT,
    GROUP_RECOVERING,
    GROUP_SEQUENCE,
    GROUP_NUMBERS
};
enum { KEPT_CHAIN, LAST_CHAIN, SNAPSHOT_CHAIN, SNAPSHOT_HASH, GROUP_HASHES };

/* Numbers, then hashes, then one blob: all that a row holds but its sum. */
struct row {
    uint64_t numbers[GROUP_NUMBERS];
    uint8_t hashes[GROUP_HASHES][32];
    const void *blob;
    size_t blob_len;
    int numbers_count;
    int hashes_count;
};

static void sum_of(const struct row *row, uint8_t out[32])
{
    struct rkv_blake h;
    uint8_t number[8];

    rkv_blake_begin(&h);
    for (int i = 0; i < row->numbers_count; i++) {
        rkv_put_u64(number, row->numbers[i]);
        rkv_blake_add(&h, number, sizeof number);
    }
    for (int i = 0; i < row->hashes_count; i++)
        rkv_blake_add(&h, row->hashes[i], 32);
    rkv_blake_add(&h, row->blob, row->blob_len);
    rkv_blake_end(&h, out);
}

static int put_row(struct rkv_sqlite *s, sqlite3_stmt *to,
                   const struct row *row, const char *doing)
{
    static const uint8_t nothing = 0;
    uint8_t sum[32];
    int column = 1;

    sum_of(row, sum);
    for (int i = 0; i < row->numbers_count; i++)
        (void)sqlite3_bind_int64(to, column++, (int64_t)row->numbers[i]);
    for (int i = 0; i < row->hashes_count; i++)
        (void)sqlite3_bind_blob(to, column++, row->hashes[i], 32,
                                SQLITE_STATIC);
    (void)sqlite3_bind_blob(to, column++,
                            row->blob_len != 0 ? row->blob : &nothing,
                            (int)row->blob_len, SQLITE_STATIC);
    (void)sqlite3_bind_blob(to, column, sum, 32, SQLITE_STATIC);
    return rkv_sqlite_step(s, to, doing);
}

/* Reads the row a select stands on; the blob is SQLite's until its next
 * step.  False: the sum does not match. */
static bool take_row(sqlite3_stmt *from, struct row *row)
{
    uint8_t sum[32];
    int column = 0;

    for (int i = 0; i < row->numbers_count; i++)
        row->numbers[i] = (uint64_t)sqlite3_column_int64(from, column++);
    for (int i = 0; i < row->hashes_count; i++, column++) {
        const void *hash = sqlite3_column_blob(from, column);

        if (hash == NULL || sqlite3_column_bytes(from, column) != 32)
            return false;
        memcpy(row->hashes[i], hash, 32);
    }
    row->blob = sqlite3_column_blob(from, column);
    row->blob_len = (size_t)sqlite3_column_bytes(from, column);
    column++;
    sum_of(row, sum);
    const void *stored = sqlite3_column_blob(from, column);
    return stored != NULL && sqlite3_column_bytes(from, column) == 32 &&
           memcmp(stored, sum, sizeof sum) == 0;
}

static int rotten(struct rkv_sqlite *s, const char *table, uint64_t id)
{
    return rkv_trouble_say(
        &s->trouble, RKV_ECORRUPT,
        "%s: table %s, row %" PRIu64
        ": expected the checksum stored with it, found another: its hard state "
        "is damaged; " RKV_REPLACE_MEMBER,
        s->path, table, id);
}

int rkv_sqlite_put_meta(struct rkv_sqlite *s)
{
    struct row row = {.numbers_count = META_NUMBERS,
                      .blob = s->promise.said.incarnation,
                      .blob_len = RKV_INCARNATION_BYTES};

    row.numbers[META_FORMAT] = RKV_FORMAT;
    row.numbers[META_CLUSTER] = s->ledger.next_cluster;
    row.numbers[META_MEMBER] = s->ledger.next_member;
    row.numbers[META_SEQUENCE] = s->sequence;
    row.numbers[META_MARKED] = s->ledger.marked ? 1 : 0;
    return put_row(s, s->put_meta, &row, "writing meta");
}

int rkv_sqlite_put_group(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                         const struct rkv_picture *picture)
{
    const struct rkv_store_state *state = &picture->state;
    struct row row = {.numbers_count = GROUP_NUMBERS,
                      .hashes_count = GROUP_HASHES,
                      .blob = state->config,
                      .blob_len = state->config_len};

    row.numbers[GROUP_ID] = group->base.id;
    row.numbers[GROUP_TERM] = state->term;
    row.numbers[GROUP_VOTE] = state->vote;
    row.numbers[GROUP_COMMIT] = state->commit;
    row.numbers[GROUP_KEPT] = picture->kept;
    row.numbers[GROUP_LAST] = state->last;
    row.numbers[GROUP_LAST_TERM] = picture->last.term;
    row.numbers[GROUP_SNAPSHOT_INDEX] = state->snapshot_index;
    row.numbers[GROUP_SNAPSHOT_TERM] = state->snapshot_term;
    row.numbers[GROUP_SNAPSHOT_LEN] = state->snapshot_len;
    row.numbers[GROUP_SNAPSHOT_SLOT] = group->current.slot;
    row.numbers[GROUP_PREVIOUS_INDEX] = group->previous.index;
    row.numbers[GROUP_PREVIOUS_LEN] = group->previous.len;
    row.numbers[GROUP_PREVIOUS_SLOT] = group->previous.slot;
    row.numbers[GROUP_RECOVERING] = state->recovering;
    row.numbers[GROUP_SEQUENCE] = s->sequence;
    memcpy(row.hashes[KEPT_CHAIN], picture->kept_chain, 32);
    memcpy(row.hashes[LAST_CHAIN], picture->last.chain, 32);
    memcpy(row.hashes[SNAPSHOT_CHAIN], state->snapshot_chain, 32);
    memcpy(row.hashes[SNAPSHOT_HASH], state->snapshot_hash, 32);
    return put_row(s, s->put_group, &row, "writing a group's state");
}

static int take_meta(struct rkv_sqlite *s, sqlite3_stmt *select)
{
    const struct rkv_promise_record *said = &s->promise.said;
    struct row row = {.numbers_count = META_NUMBERS};

    if (!take_row(select, &row))
        return rotten(s, "meta", 1);
    if (row.blob_len != RKV_INCARNATION_BYTES ||
        memcmp(row.blob, said->incarnation, RKV_INCARNATION_BYTES) != 0)
        return rkv_trouble_say(
            &s->trouble, RKV_EROLLBACK,
            "%s: was made together with another promise file than %s: put "
            "back the files that belong together, or " RKV_REPLACE_MEMBER,
            s->path, s->promise.file.path);
    s->ledger.cluster = row.numbers[META_CLUSTER];
    s->ledger.member = row.numbers[META_MEMBER];
    s->ledger.marked = row.numbers[META_MARKED] != 0;
    s->sequence = row.numbers[META_SEQUENCE];
    return RKV_OK;
}

int rkv_sqlite_load_meta(struct rkv_sqlite *s, bool *found)
{
    sqlite3_stmt *select = NULL;
    int rc = rkv_sqlite_prepare(
        s,
        "SELECT format,cluster,member,sequence,marked,incarnation,sum "
        "FROM meta",
        &select);

    if (rc != RKV_OK)
        return rc;
    int result = sqlite3_step(select);
    *found = result == SQLITE_ROW;
    if (result == SQLITE_ROW)
        rc = take_meta(s, select);
    else if (result != SQLITE_DONE)
        rc = rkv_sqlite_trouble(s, "reading meta");
    (void)sqlite3_finalize(select);
    return rc;
}

static void fill_picture(const struct row *row, struct rkv_picture *picture)
{
    struct rkv_store_state *state = &picture->state;

    state->term = row->numbers[GROUP_TERM];
    state->vote = row->numbers[GROUP_VOTE];
    state->commit = row->numbers[GROUP_COMMIT];
    state->last = row->numbers[GROUP_LAST];
    state->snapshot_index = row->numbers[GROUP_SNAPSHOT_INDEX];
    state->snapshot_term = row->numbers[GROUP_SNAPSHOT_TERM];
    state->snapshot_len = row->numbers[GROUP_SNAPSHOT_LEN];
    state->first = state->snapshot_index + 1;
    state->recovering = row->numbers[GROUP_RECOVERING] != 0 ? 1 : 0;
    memcpy(state->snapshot_chain, row->hashes[SNAPSHOT_CHAIN], 32);
    memcpy(state->snapshot_hash, row->hashes[SNAPSHOT_HASH], 32);
    picture->kept = row->numbers[GROUP_KEPT];
    memcpy(picture->kept_chain, row->hashes[KEPT_CHAIN], 32);
    picture->last.term = row->numbers[GROUP_LAST_TERM];
    memcpy(picture->last.chain, row->hashes[LAST_CHAIN], 32);
}

static int take_group(struct rkv_sqlite *s, sqlite3_stmt *select)
{
    struct row row = {.numbers_count = GROUP_NUMBERS,
                      .hashes_count = GROUP_HASHES};

    if (!take_row(select, &row))
        return rotten(s, "groups",
                      (uint64_t)sqlite3_column_int64(select, GROUP_ID));
    struct rkv_group *base = rkv_ledger_make(&s->ledger, row.numbers[GROUP_ID]);
    if (base == NULL)
        return rkv_trouble_say(&s->trouble, RKV_ENOMEM,
                               "no memory for a group");
    struct rkv_sqlite_group *group = rkv_sqlite_group(base);
    base->known = true;
    fill_picture(&row, &base->now);
    group->current.index = row.numbers[GROUP_SNAPSHOT_INDEX];
    group->current.len = row.numbers[GROUP_SNAPSHOT_LEN];
    group->current.slot = (uint32_t)row.numbers[GROUP_SNAPSHOT_SLOT];
    group->previous.index = row.numbers[GROUP_PREVIOUS_INDEX];
    group->previous.len = row.numbers[GROUP_PREVIOUS_LEN];
    group->previous.slot = (uint32_t)row.numbers[GROUP_PREVIOUS_SLOT];
    if (s->sequence < row.numbers[GROUP_SEQUENCE])
        s->sequence = row.numbers[GROUP_SEQUENCE];
    return rkv_ledger_keep_config(&s->ledger, &base->now, row.blob,
                                  row.blob_len);
}

int rkv_sqlite_load_groups(struct rkv_sqlite *s)
{
    sqlite3_stmt *select = NULL;
    int result = SQLITE_DONE;
    int rc = rkv_sqlite_prepare(
        s,
        "SELECT id,term,vote,commit_index,kept,last,last_term,snapshot_index,"
        "snapshot_term,snapshot_len,snapshot_slot,previous_index,previous_len,"
        "previous_slot,recovering,sequence,kept_chain,last_chain,"
        "snapshot_chain,snapshot_hash,config,sum FROM groups ORDER BY id",
        &select);

    while (rc == RKV_OK && (result = sqlite3_step(select)) == SQLITE_ROW)
        rc = take_group(s, select);
    if (rc == RKV_OK && result != SQLITE_DONE)
        rc = rkv_sqlite_trouble(s, "reading groups");
    (void)sqlite3_finalize(select);
    return rc;
}
