/* SPDX-License-Identifier: BSD-2-Clause
 *
 * In some worlds members record what their cores hear and say.  At the end each
 * recording is played again, and must come to the core that made it.
 */
#include <stdlib.h>

#include "replay/replay.h"
#include "world.h"

enum { PIECE = 1 << 20 };

/* All of it; to be freed. */
static unsigned char *take(rkv_node *node, size_t *len)
{
    unsigned char *bytes = NULL;
    size_t got;

    *len = 0;
    do {
        bytes = realloc(bytes, *len + PIECE);
        if (bytes == NULL)
            abort();
        if (rkv_node_recording(node, *len, bytes + *len, PIECE, &got) != RKV_OK)
            got = 0;
        *len += got;
    } while (got > 0);
    return bytes;
}

static void check(struct world *w, uint32_t at)
{
    struct replayed out;
    size_t len;
    unsigned char *bytes = take(w->machines[at].node, &len);

    if (!replay(bytes, len, &out))
        world_break(w, "a recording plays to the same",
                    "member %u, after %llu inputs and %llu gaps: %s", at + 1,
                    (unsigned long long)out.inputs,
                    (unsigned long long)out.gaps, out.said);
    if (out.inputs > 0)
        mark(w, MARK_REPLAYED);
    if (out.gaps > 0)
        world_break(w, "a recording has no gap", "member %u: %llu", at + 1,
                    (unsigned long long)out.gaps);
    free(bytes);
}

void recordings_end(struct world *w)
{
    if (w->recorder_bytes == 0 || w->broken != NULL)
        return;
    probe_watch(NULL);
    for (uint32_t at = 0; at < w->count && w->broken == NULL; at++)
        if (w->machines[at].node != NULL)
            check(w, at);
    probe_watch(w);
}
