/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Situations that runs must come to.
 */
#include "marks.h"

#include <stdio.h>

#include "world.h"

void mark(struct world *w, enum mark mark)
{
    w->marks[mark]++;
}

static const char *sentence_of(enum mark mark)
{
    static const char *const sentences[] = {
#define MARK_SENTENCE(name, sentence) sentence,
        MARKS(MARK_SENTENCE)
#undef MARK_SENTENCE
    };

    return sentences[mark];
}

int marks_report(const uint64_t counts[MARKS_COUNT], int loud)
{
    int missing = 0;

    for (int i = 0; i < MARKS_COUNT; i++) {
        missing += counts[i] == 0;
        if (loud || counts[i] == 0)
            printf("mark: %9llu  %s\n", (unsigned long long)counts[i],
                   sentence_of((enum mark)i));
    }
    return missing;
}
