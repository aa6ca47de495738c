/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/oracle/stage.h - a state and its twin, which hear the same commands.
 */
#ifndef TEST_ORACLE_STAGE_H
#define TEST_ORACLE_STAGE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "kv/support.h"
#include "twin.h"

struct stage {
    struct kit kit;
    struct twin twin;
    struct verdict verdict;
    struct rkv_prng prng;
    uint64_t session;
    uint64_t sequence;
};

static inline void stage_open(struct stage *stage, uint64_t seed)
{
    memset(stage, 0, sizeof *stage);
    kit_open(&stage->kit, NULL);
    twin_init(&stage->twin, 0, &stage->verdict);
    rkv_prng_seed(&stage->prng, seed);
}

static inline void stage_close(struct stage *stage)
{
    twin_free(&stage->twin);
    kit_close(&stage->kit);
}

/* Applies what was written in both. */
static inline const struct rkv_result *step(struct stage *stage)
{
    const struct rkv_result *result;
    struct rkv_kv_status status = {.size = sizeof status};
    const void *data;
    size_t len;
    void *copy;

    ck_assert_int_eq(rkv_txn_encode(stage->kit.txn, &data, &len), RKV_OK);
    copy = malloc(len);
    memcpy(copy, data, len);
    result = kit_apply(&stage->kit);
    rkv_kv_status(stage->kit.kv, &status);
    twin_applied(&stage->twin, stage->kit.index, copy, len, result,
                 status.hash);
    free(copy);
    if (stage->verdict.broken == NULL)
        twin_check_status(&stage->twin, &status);
    return result;
}

#endif
