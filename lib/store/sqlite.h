/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lib/store/sqlite.h - what the sqlite files share.  sqlite.c is the hall and
 * writes, sqlite_open.c wakes up and compares memories, sqlite_row.c keeps
 * hard state, sqlite_run.c runs of entries, which sqlite_log.c writes and
 * sqlite_read.c reads, sqlite_snapshot.c snapshots; sqlite_wal.c takes over
 * the log that a crash left behind.
 */
#ifndef RKV_STORE_SQLITE_H
#define RKV_STORE_SQLITE_H

#include <sqlite3.h>

#include "ledger.h"
#include "promise.h"
#include "sqlite_run.h"

#define RKV_DATABASE "log.db"

enum {
    RKV_FORMAT = 1,
    RKV_PAGE_BYTES = 4096,
    /* SQLite holds at most 1e9 bytes in a row. */
    RKV_ROW_BYTES_MAX = 512 * 1024 * 1024,
    /* Prepared statements kept for segments; then all are let go. */
    RKV_STATEMENTS_MAX = 512,
    /* Of memory that a single large entry took, this much is kept. */
    RKV_SPARE_BYTES = 1024 * 1024
};

/* A run of entries in a table of its own, so that it can be dropped whole. */
struct rkv_segment {
    int64_t id; /* the table is seg_<id> */
    uint64_t first;
    uint64_t last; /* last < first: empty */
    uint64_t bytes;
    sqlite3_stmt *insert; /* NULL: not prepared */
    sqlite3_stmt *select;
};

/* A snapshot's file is snap-<group>-<slot>: of three slots one is current,
 * one is the previous and one is free for the next.  So nothing is ever
 * renamed or listed: what no row names is overwritten. */
enum { RKV_SLOTS = 3 };
struct rkv_snap_file {
    uint64_t index; /* 0: none */
    uint64_t len;
    uint32_t slot;
};

struct rkv_sqlite_group {
    struct rkv_group base;
    struct rkv_segment *segments; /* in order, without gaps */
    size_t segments_count;
    size_t segments_cap;
    struct rkv_snap_file current;
    struct rkv_snap_file previous;
    struct rkv_snap_file coming;
    bool coming_finished;
    bool swapped; /* the file in the free slot may go */
    struct rkv_file coming_file;
};

struct rkv_sqlite {
    struct rkv_allocator allocator;
    struct rkv_trouble trouble;
    struct rkv_disk disk;
    struct rkv_promise promise;
    struct rkv_ledger ledger;
    sqlite3 *db;
    char path[RKV_PATH_BYTES]; /* of the database, for messages */
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    sqlite3_stmt *put_group;
    sqlite3_stmt *put_meta;
    sqlite3_stmt *put_segment;
    sqlite3_stmt *drop_segment;
    uint32_t checkpoint_pages;
    uint32_t checkpoint_at; /* WAL pages at which to try next */
    uint32_t segment_entries;
    uint64_t segment_bytes;
    uint32_t wal_pages;  /* after the last commit */
    uint64_t wal_ready;  /* bytes of it that were written once */
    uint32_t statements; /* prepared for segments */
    int64_t segment_id;  /* of the newest */
    uint64_t sequence;   /* of the last transaction */
    bool unmarked;       /* commits were lost, and no transaction says so yet */
    bool started;
    bool failed;
    /* The snapshot read last; of all groups, or each would hold one open. */
    struct rkv_file reading_file;
    uint64_t reading_group;
    uint32_t reading_slot;
    struct rkv_buffer run; /* being written */
    /* What the last read handed out. */
    struct rkv_entry *entries;
    size_t entries_cap;
    uint8_t *payload;
    size_t payload_cap;
};

static inline struct rkv_sqlite_group *rkv_sqlite_group(struct rkv_group *base)
{
    return (struct rkv_sqlite_group *)(void *)base;
}

/* sqlite.c: says what failed, in SQLite's words, and gives the code. */
int rkv_sqlite_trouble(struct rkv_sqlite *s, const char *doing);
int rkv_sqlite_prepare(struct rkv_sqlite *s, const char *sql,
                       sqlite3_stmt **out);
int rkv_sqlite_run(struct rkv_sqlite *s, const char *sql);
/* Steps a statement that gives no row, and resets it. */
int rkv_sqlite_step(struct rkv_sqlite *s, sqlite3_stmt *statement,
                    const char *doing);
int rkv_sqlite_begin(struct rkv_sqlite *s);
/* COMMIT, then the promise: durable, and known to be. */
int rkv_sqlite_commit(struct rkv_sqlite *s);
/* All up to the last transaction is durable, and this is the boot. */
int rkv_sqlite_promise(struct rkv_sqlite *s, uint64_t boot);

/* What the last call needed more memory for than usual goes back. */
void rkv_sqlite_slim(struct rkv_sqlite *s);

/* sqlite_open.c */
int rkv_sqlite_open(struct rkv_sqlite *s, const char *path, const char *vfs);

/* sqlite_wal.c: what it says is in the database, durable, and it is empty. */
int rkv_sqlite_empty_wal(struct rkv_sqlite *s, bool is_new);

/* sqlite_row.c */
int rkv_sqlite_put_meta(struct rkv_sqlite *s);
int rkv_sqlite_put_group(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                         const struct rkv_picture *picture);
/* found: is there any meta row. */
int rkv_sqlite_load_meta(struct rkv_sqlite *s, bool *found);
int rkv_sqlite_load_groups(struct rkv_sqlite *s);

/* sqlite_log.c */
int rkv_sqlite_prepare_insert(struct rkv_sqlite *s,
                              struct rkv_segment *segment);
int rkv_sqlite_prepare_select(struct rkv_sqlite *s,
                              struct rkv_segment *segment);
void rkv_sqlite_forget_statements(struct rkv_sqlite *s);
/* Take the place of all from the first of them on; before is the chain that
 * they follow. */
int rkv_sqlite_add_entries(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                           const struct rkv_entry *entries, uint64_t count,
                           const uint8_t before[32]);
/* Entries behind last leave, and segments that end before kept. */
int rkv_sqlite_trim(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                    uint64_t kept, uint64_t last);

/* sqlite_read.c */
int rkv_sqlite_load_segments(struct rkv_sqlite *s);
int rkv_sqlite_place(void *ctx, struct rkv_group *group, uint64_t index,
                     struct rkv_place *out);
/* The whole run that holds index, from *first on, with the chain before it;
 * lasts until the next read. */
int rkv_sqlite_load_run(struct rkv_sqlite *s, struct rkv_sqlite_group *group,
                        uint64_t index, uint64_t *first, uint8_t before[32],
                        const struct rkv_entry **out);
int rkv_sqlite_read(void *ctx, uint64_t id, uint64_t first, uint32_t count,
                    uint64_t bytes_max, const struct rkv_entry **out,
                    uint32_t *out_count);

/* sqlite_snapshot.c */
int rkv_sqlite_check_snapshots(struct rkv_sqlite *s,
                               struct rkv_sqlite_group *group);
bool rkv_sqlite_finished(void *ctx, struct rkv_group *group, uint64_t index,
                         uint64_t len);
/* The finished one becomes current, the current one previous. */
void rkv_sqlite_swap_snapshots(struct rkv_sqlite_group *group);
/* After the commit: what is no longer named leaves the disk. */
void rkv_sqlite_sweep_snapshots(struct rkv_sqlite *s,
                                struct rkv_sqlite_group *group);
/* What was begun and not named. */
void rkv_sqlite_discard_snapshot(struct rkv_sqlite_group *group);
int rkv_sqlite_snap_begin(void *ctx, uint64_t id, uint64_t index);
int rkv_sqlite_snap_write(void *ctx, uint64_t id, uint64_t offset,
                          const void *data, size_t len);
int rkv_sqlite_snap_finish(void *ctx, uint64_t id, uint64_t len);
int rkv_sqlite_snap_read(void *ctx, uint64_t id, uint64_t index,
                         uint64_t offset, void *buf, size_t cap, size_t *len);

#endif
