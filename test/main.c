/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The one test program: check-raftkv [ROOM...].  It runs every suite that the
 * build found, or those of the rooms that are named: the list is made from file
 * names, test/<room>/check_<file>.c holds suite_<room>_<file>().  Check's own
 * variables steer it: CK_RUN_SUITE, CK_RUN_CASE, CK_INCLUDE_TAGS,
 * CK_EXCLUDE_TAGS, CK_FORK, CK_VERBOSITY.
 */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RKV_SUITE(name) Suite *name(void);
#include "suites.h"
#undef RKV_SUITE

/* suite: "suite_<room>_<file>". */
static bool is_wanted(const char *suite, int argc, char **argv)
{
    suite += strlen("suite_");
    for (int i = 1; i < argc; i++) {
        size_t len = strlen(argv[i]);

        if (strncmp(suite, argv[i], len) == 0 && suite[len] == '_')
            return true;
    }
    return argc == 1;
}

int main(int argc, char **argv)
{
    SRunner *runner = srunner_create(NULL);
#define RKV_SUITE(name)                                                        \
    if (is_wanted(#name, argc, argv))                                          \
        srunner_add_suite(runner, name());
#include "suites.h"
#undef RKV_SUITE
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
