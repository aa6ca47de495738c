/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Conformance: what any store must do, as rules with names.  Each rule works
 * on groups of its own, so that one broken promise does not hide another.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "trial.h"

struct report {
    char *text;
    size_t cap;
    size_t used;
    uint32_t held;
    uint32_t broken;
    uint32_t skipped;
};

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
add_line(struct report *report, const char *format, ...)
{
    va_list args;

    if (report->used >= report->cap)
        return;
    va_start(args, format);
    int len = vsnprintf(report->text + report->used, report->cap - report->used,
                        format, args);
    va_end(args);
    report->used += len > 0 ? (size_t)len : 0;
}

static int try_rule(struct rkv_trial *trial, const struct rkv_rule *rule,
                    struct report *report)
{
    if (rule->reopens && trial->reopen == NULL) {
        add_line(report, "skip %s: no way to reopen was given\n", rule->name);
        report->skipped++;
        return RKV_OK;
    }
    int rc = rule->holds(trial);
    if (rc == RKV_OK) {
        add_line(report, "ok %s\n", rule->name);
        report->held++;
        return RKV_OK;
    }
    add_line(report, "not ok %s: %s\n", rule->name, trial->trouble.text);
    report->broken++;
    return rc;
}

int rkv_store_check(rkv_store **store, rkv_store_reopen reopen, void *ctx,
                    uint64_t seed, char *report_text, size_t cap)
{
    static const struct rkv_rule *const chapters[] = {
        rkv_rules_log, rkv_rules_snapshot, rkv_rules_life};
    const struct rkv_allocator allocator = rkv_alloc_choose(NULL);
    struct report report = {.text = report_text, .cap = cap};
    int first = RKV_OK;

    if (store == NULL || *store == NULL || (report_text == NULL && cap != 0))
        return RKV_EINVAL;
    if (cap != 0)
        report_text[0] = 0;
    struct rkv_trial *trial = rkv_alloc_zeroed(&allocator, sizeof *trial);
    if (trial == NULL)
        return RKV_ENOMEM;
    trial->store = store;
    trial->reopen = reopen;
    trial->reopen_ctx = ctx;
    rkv_prng_seed(&trial->prng, seed);
    for (size_t i = 0; i < sizeof chapters / sizeof *chapters; i++) {
        for (const struct rkv_rule *rule = chapters[i]; rule->name != NULL;
             rule++) {
            int rc = try_rule(trial, rule, &report);
            if (first == RKV_OK)
                first = rc;
        }
    }
    add_line(&report,
             "%" PRIu32 " rules held, %" PRIu32 " broken, %" PRIu32
             " left out\n",
             report.held, report.broken, report.skipped);
    rkv_release(&allocator, trial, sizeof *trial);
    return first;
}
