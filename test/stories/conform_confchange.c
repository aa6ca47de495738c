/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/conform_confchange.c - what changes make of a configuration
 * and of what is known of each member.  The next entry to be sent to a member
 * shows when it came: the last index grows by one with every directive.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"
#include "raft/core.h"
#include "stage.h"

/* The words of etcd for what was refused. */
static const char *refusal(const char *directive, int rc, bool was_empty)
{
    switch (rc) {
    case RKV_EJOINT:
        if (strcmp(directive, "simple") == 0)
            return "can't apply simple config change in joint config\n";
        return strcmp(directive, "leave-joint") == 0
                   ? "can't leave a non-joint config\n"
                   : "config is already joint\n";
    case RKV_EUNSAFE:
        return was_empty && strcmp(directive, "enter-joint") == 0
                   ? "can't make a zero-voter config joint\n"
                   : "removed all voters\n";
    case RKV_ETOOMANY:
        return "more than one voter changed without entering joint config\n";
    default:
        return "refused for another reason\n";
    }
}

static int change(const struct script_case *c, struct config *draft,
                  const struct stage_changes *changes)
{
    if (strcmp(c->directive, "leave-joint") == 0)
        return rkv_config_leave(draft);
    if (strcmp(c->directive, "enter-joint") == 0)
        return rkv_config_enter(draft, changes->list, changes->count,
                                script_flag(c, "autoleave"));
    return rkv_config_simple(draft, changes->list, changes->count);
}

static void print(const struct stage_member *m, char *text, size_t size)
{
    size_t len;

    stage_config(m, text, size);
    strncat(text, "\n", size - strlen(text) - 1);
    for (uint32_t i = 0; i < m->core->count; i++) {
        len = strlen(text);
        snprintf(text + len, size - len,
                 "%" PRIu64 ": StateProbe match=%" PRIu64 " next=%" PRIu64
                 "%s\n",
                 m->core->peers[i].id, m->core->peers[i].match,
                 m->core->peers[i].next,
                 m->core->members[i].role == RKV_LEARNER ? " learner" : "");
    }
}

static bool play(const struct script *s, const struct script_case *c,
                 struct stage_member *m)
{
    struct config draft = rkv_slots_draft(m->core);
    struct stage_changes changes = {0};
    char text[4096];
    int rc;

    for (size_t i = c->input_first; i < c->input_end; i++)
        stage_parse_changes(s->lines[i], &changes);
    rc = change(c, &draft, &changes);
    if (rc < 0)
        return conform_lines(s, c,
                             refusal(c->directive, rc, m->core->count == 0));
    rkv_slots_change(m->core, &draft);
    print(m, text, sizeof text);
    return conform_lines(s, c, text);
}

void conform_confchange(const struct script *s, struct score *score)
{
    static struct stage stage;
    struct stage_options options = {.inflight = 10};

    stage_init(&stage);
    if (stage_add(&stage, &options) < 0) {
        fputs("no memory\n", stderr);
        exit(2);
    }
    for (size_t i = 0; i < s->cases_count; i++) {
        bool is_same = play(s, &s->cases[i], &stage.members[0]);

        score->passed += is_same;
        score->failed += !is_same;
        stage.members[0].core->trail.last++;
    }
    stage_free(&stage);
}
