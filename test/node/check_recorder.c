/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a node recorded, played again: the same core, from the beginning or
 * from a later one, and every word of it.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "cluster.h"
#include "node/recorder.h"
#include "replay/replay.h"

Suite *suite_node_recorder(void);

static struct cluster *start(uint64_t bytes)
{
    struct cluster *c = calloc(1, sizeof *c);

    ck_assert_ptr_nonnull(c);
    c->seed = 7;
    c->options.recorder_bytes = bytes;
    c->options.snapshot_entries = 50;
    c->options.snapshot_bytes = 1000;
    c->options.snapshot_keep = 10;
    cluster_init(c, 3, 3);
    return c;
}

static void stop(struct cluster *c)
{
    cluster_free(c);
    free(c);
}

static void put_some(struct cluster *c, int count)
{
    for (int i = 0; i < count; i++) {
        int rc;

        (void)cluster_put(c, cluster_elect(c), "a", "some value", &rc);
        cluster_settle(c);
    }
    cluster_run(c, 50);
}

/* In pieces of this size; to be freed. */
static unsigned char *recording(rkv_node *node, size_t piece, size_t *len)
{
    unsigned char *bytes = malloc(64 << 20);
    size_t got;

    ck_assert_ptr_nonnull(bytes);
    *len = 0;
    do {
        ck_assert_int_eq(
            rkv_node_recording(node, *len, bytes + *len, piece, &got), RKV_OK);
        *len += got;
    } while (got > 0);
    return bytes;
}

static struct replayed play(rkv_node *node)
{
    struct replayed out;
    size_t len;
    unsigned char *bytes = recording(node, 100000, &len);
    bool good = replay(bytes, len, &out);

    ck_assert_msg(good, "%s", out.said);
    ck_assert_uint_eq(out.digest, rkv_raft_digest(rkv_node_raft(node)));
    free(bytes);
    return out;
}

START_TEST(a_recording_plays_to_the_same_digest)
{
    struct cluster *c = start(16 << 20);
    uint32_t leader = cluster_elect(c);

    put_some(c, 100);
    cluster_isolate(c, leader, true);
    cluster_run(c, 500);
    put_some(c, 20);
    cluster_isolate(c, leader, false);
    put_some(c, 20);
    for (uint32_t i = 0; i < 3; i++) {
        struct replayed out = play(c->nodes[i]);

        ck_assert_uint_gt(out.inputs, 300);
        ck_assert_uint_gt(out.drains, 300);
        ck_assert_uint_eq(out.gaps, 0);
    }
    stop(c);
}
END_TEST

/* The beginning has been written over more than once, and what is left begins
 * with the core as it was then. */
START_TEST(what_is_left_of_a_long_recording_plays_as_well)
{
    struct cluster *c = start(1 << 20);
    struct replayed out;
    uint32_t leader = cluster_elect(c);

    for (int i = 0; i < 30; i++) {
        put_some(c, 100);
        out = play(c->nodes[leader]);
        ck_assert_uint_eq(out.gaps, 0);
    }
    ck_assert_uint_lt(out.inputs, 5000);
    ck_assert_uint_gt(out.inputs, 100);
    stop(c);
}
END_TEST

START_TEST(a_core_that_finds_no_room_makes_a_gap_that_is_counted)
{
    struct cluster *c = start(128 << 10);
    uint8_t header[sizeof(struct rkv_recording)];
    struct replayed out;
    size_t len;

    (void)cluster_elect(c);
    put_some(c, 10);
    ck_assert_int_eq(
        rkv_node_recording(c->nodes[0], 0, header, sizeof header, &len),
        RKV_OK);
    ck_assert_uint_eq(len, sizeof header);
    ck_assert(!replay(header, len, &out));
    ck_assert_uint_gt(((struct rkv_recording *)(void *)header)->gaps, 0);
    stop(c);
}
END_TEST

START_TEST(what_is_damaged_is_not_played)
{
    struct cluster *c = start(16 << 20);
    struct replayed out;
    unsigned char *bytes;
    size_t len;

    (void)cluster_elect(c);
    put_some(c, 30);
    bytes = recording(c->nodes[0], 999, &len);
    ck_assert(replay(bytes, len, &out));
    for (size_t cut = 0; cut < len; cut += 1 + len / 300)
        ck_assert(!replay(bytes, cut, &out));
    for (size_t at = 0; at < len; at += 1 + len / 300) {
        /* How many gaps there were before changes nothing. */
        if (at >= offsetof(struct rkv_recording, gaps) &&
            at < offsetof(struct rkv_recording, digest))
            continue;
        bytes[at] ^= 0x10;
        ck_assert_msg(!replay(bytes, len, &out), "byte %zu", at);
        bytes[at] ^= 0x10;
    }
    free(bytes);
    stop(c);
}
END_TEST

/* As if the library had changed: an answer is another, and it is said which. */
START_TEST(what_comes_out_otherwise_is_told)
{
    struct cluster *c = start(16 << 20);
    struct rkv_recording header;
    struct rkv_record record = {0};
    struct replayed out;
    unsigned char *bytes;
    uint64_t image;
    size_t len, at;

    (void)cluster_elect(c);
    put_some(c, 30);
    bytes = recording(c->nodes[0], 100000, &len);
    memcpy(&header, bytes, sizeof header);
    memcpy(&image, bytes + sizeof header, 8);
    at = sizeof header + 16 + (image + 7) / 8 * 8;
    for (memcpy(&record, bytes + at, sizeof record);
         record.tag != RKV_RECORD_DRAIN;
         memcpy(&record, bytes + at, sizeof record))
        at += sizeof record + record.len;
    bytes[at + offsetof(struct rkv_record, digest)] ^= 1;
    header.hashes[0] = rkv_hash64(0, bytes + sizeof header, header.lens[0]);
    memcpy(bytes, &header, sizeof header);
    ck_assert(!replay(bytes, len, &out));
    ck_assert_ptr_nonnull(strstr(out.said, "something else comes out"));
    free(bytes);
    stop(c);
}
END_TEST

START_TEST(who_records_nothing_says_so)
{
    struct cluster *c = start(0);
    size_t len;

    ck_assert_int_eq(rkv_node_recording(c->nodes[0], 0, NULL, 0, &len),
                     RKV_ESTATE);
    ck_assert_int_eq(rkv_node_recording(NULL, 0, NULL, 0, &len), RKV_EINVAL);
    stop(c);
}
END_TEST

START_TEST(too_little_room_is_refused)
{
    struct rkv_node_options options = {.size = sizeof options,
                                       .cluster = 1,
                                       .id = 1,
                                       .recorder_bytes = (128 << 10) - 1};
    rkv_store *store;
    rkv_node *node;

    ck_assert_int_eq(rkv_store_memory(NULL, &store), RKV_OK);
    ck_assert_int_eq(rkv_node_open(&options, store, &node), RKV_EINVAL);
    rkv_node_close(node);
    rkv_store_close(store);
}
END_TEST

Suite *suite_node_recorder(void)
{
    Suite *s = suite_create("node recorder");
    TCase *t = tcase_create("recorder");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_recording_plays_to_the_same_digest);
    tcase_add_test(t, what_is_left_of_a_long_recording_plays_as_well);
    tcase_add_test(t, a_core_that_finds_no_room_makes_a_gap_that_is_counted);
    tcase_add_test(t, what_is_damaged_is_not_played);
    tcase_add_test(t, what_comes_out_otherwise_is_told);
    tcase_add_test(t, who_records_nothing_says_so);
    tcase_add_test(t, too_little_room_is_refused);
    suite_add_tcase(s, t);
    return s;
}
