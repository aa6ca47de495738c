/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/conformance.h - the three kinds of file there are.  Each
 * function plays one file, says every difference and counts.
 */
#ifndef RKV_TEST_CONFORMANCE_H
#define RKV_TEST_CONFORMANCE_H

#include "script.h"

struct score {
    size_t passed;
    size_t failed;
};

void conform_quorum(const struct script *s, struct score *score);
void conform_confchange(const struct script *s, struct score *score);
void conform_interaction(const struct script *s, struct score *score);

/* "path:line: directive", where a difference was found. */
const char *conform_where(const struct script *s, const struct script_case *c,
                          char *text, size_t size);
/* Compares lines, those of another's log apart; nothing at all is as good as
 * "ok". */
bool conform_lines(const struct script *s, const struct script_case *c,
                   const char *found);

#endif
