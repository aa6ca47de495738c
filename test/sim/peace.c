/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A world in which nothing is wrong: there nothing may be repaired, refused,
 * dropped or failed, and who leads first leads to the end.
 */
#include "world.h"

static void check_member(struct world *w, uint32_t at)
{
    struct rkv_node_status status = {.size = sizeof status};
    const struct machine *m = &w->machines[at];

    if (m->node == NULL) {
        world_break(w, "in peace nobody goes", "member %u", at + 1);
        return;
    }
    rkv_node_status(m->node, &status);
    if (status.frames_refused > 0 || status.frames_dropped > 0 ||
        status.recovering || status.boot != 1)
        world_break(w, "in peace nothing is refused, dropped or repaired",
                    "member %u: %llu refused, %llu dropped, boot %llu%s",
                    at + 1, (unsigned long long)status.frames_refused,
                    (unsigned long long)status.frames_dropped,
                    (unsigned long long)status.boot,
                    status.recovering ? ", recovering" : "");
    if (rkv_node_errmsg(m->node)[0] != '\0')
        world_break(w, "in peace nothing fails", "member %u: %s", at + 1,
                    rkv_node_errmsg(m->node));
}

void peace_end(struct world *w)
{
    if (!w->peaceful || w->broken != NULL)
        return;
    for (uint32_t at = 0; at < w->count; at++)
        check_member(w, at);
    if (w->failures > 0 || w->crashes > 0 || w->restores > 0)
        world_break(w, "in peace nothing fails",
                    "%llu failures, %llu crashes, %llu snapshots received",
                    (unsigned long long)w->failures,
                    (unsigned long long)w->crashes,
                    (unsigned long long)w->restores);
    if (w->elections > 1)
        world_break(w, "in peace who leads first leads to the end", "%llu led",
                    (unsigned long long)w->elections);
}
