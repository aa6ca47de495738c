/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/heard.c - reads what a file says and compares it with what is
 * on the stage.
 */
#include "heard.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *after(const char *line, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(line, prefix, len) == 0 ? line + len : NULL;
}

/* The number behind "Term:" in a line, or 0. */
static uint64_t number_of(const char *line, const char *name)
{
    const char *at = strstr(line, name);

    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

bool heard_is_log(const char *line)
{
    static const char *const levels[] = {"DEBUG ", "INFO ", "WARN ", "ERROR ",
                                         "FATAL "};

    line += strspn(line, " \t");
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (after(line, levels[i]) != NULL)
            return true;
    return false;
}

uint32_t heard_role(const char *name)
{
    if (after(name, "StateLeader") != NULL)
        return RKV_LEADER;
    if (after(name, "StateCandidate") != NULL)
        return RKV_CANDIDATE;
    if (after(name, "StatePreCandidate") != NULL)
        return RKV_PRECANDIDATE;
    return after(name, "StateFollower") != NULL ? RKV_FOLLOWER : 0;
}

bool heard_read_entry(const char *line, struct heard_entry *entry)
{
    char *end;
    const char *text;

    memset(entry, 0, sizeof *entry);
    entry->term = strtoull(line, &end, 10);
    if (end == line || *end != '/')
        return false;
    line = end + 1;
    entry->index = strtoull(line, &end, 10);
    if (end == line || (text = after(end, " Entry")) == NULL)
        return false;
    entry->is_config = after(text, "ConfChange") != NULL;
    text += strcspn(text, " ");
    text += *text == ' ';
    snprintf(entry->text, sizeof entry->text, "%s", text);
    if (!entry->is_config) {
        size_t len = strlen(entry->text);

        if (len < 2 || entry->text[0] != '"' || entry->text[len - 1] != '"')
            return false;
        entry->text[len - 1] = '\0';
        memmove(entry->text, entry->text + 1, len - 1);
    }
    return true;
}

static void log_add(struct heard_log *log, const struct heard_entry *entry)
{
    while (log->count > 0 && log->entries[log->count - 1].index >= entry->index)
        log->count--;
    /* A gap: what lies below was not printed. */
    if (log->count > 0 && log->entries[log->count - 1].index + 1 < entry->index)
        log->count = 0;
    if (log->count < HEARD_ENTRIES_MAX)
        log->entries[log->count++] = *entry;
    log->last = entry->index;
    log->is_known = true;
}

void heard_init(struct heard *h)
{
    memset(h, 0, sizeof *h);
}

void heard_start(struct heard *h, uint64_t id, const struct stage_state *state,
                 const char *config)
{
    struct heard_member *m = &h->members[id];

    memset(m, 0, sizeof *m);
    m->knows_hard = m->knows_soft = m->knows_config = true;
    m->commit = m->log.last = m->applied.last = state->index;
    m->log.is_known = true;
    m->role = RKV_FOLLOWER;
    snprintf(m->config, sizeof m->config, "%s", config);
}

/* What happens unseen may be anything. */
static void lose_sight(struct heard *h)
{
    for (size_t i = 1; i <= STAGE_MEMBERS_MAX; i++) {
        struct heard_member *m = &h->members[i];

        m->knows_hard = m->knows_soft = m->knows_config = false;
        m->log.is_known = m->applied.is_known = false;
        m->log.count = m->applied.count = 0;
    }
}

enum section { NOWHERE, ENTRIES, COMMITTED };

static void hear_entry(struct heard_member *m, enum section section,
                       const char *line)
{
    struct heard_entry entry;

    if (section == NOWHERE || !heard_read_entry(line, &entry))
        return;
    log_add(section == ENTRIES ? &m->log : &m->applied, &entry);
}

static void hear_ready(struct heard_member *m, const char *line,
                       enum section *section)
{
    const char *rest;

    if ((rest = after(line, "Lead:")) != NULL) {
        const char *role = strstr(rest, "State:");

        m->leader = strtoull(rest, NULL, 10);
        m->role = role == NULL ? 0 : heard_role(role + strlen("State:"));
        m->knows_soft = true;
    } else if (after(line, "HardState ") != NULL) {
        m->term = number_of(line, "Term:");
        m->vote = number_of(line, "Vote:");
        m->commit = number_of(line, "Commit:");
        m->knows_hard = true;
    } else if (after(line, "Snapshot Index:") != NULL) {
        m->log.count = m->applied.count = 0;
        m->log.last = number_of(line, "Index:");
        m->log.is_known = true;
        m->applied.is_known = false;
    } else if (strcmp(line, "Entries:") == 0) {
        *section = ENTRIES;
    } else if (strcmp(line, "CommittedEntries:") == 0) {
        *section = COMMITTED;
    } else if (strcmp(line, "Messages:") == 0) {
        *section = NOWHERE;
    } else {
        hear_entry(m, *section, line);
    }
}

/* "INFO 1 switched to configuration voters=(1 2)". */
static void hear_log(struct heard *h, const char *line)
{
    static const char switched[] = "switched to configuration ";
    const char *config = strstr(line, switched);
    uint64_t id;

    if (strstr(line, "ignoring conf change") != NULL)
        h->refused++;
    if (config == NULL)
        return;
    line += strcspn(line, " ");
    id = strtoull(line, NULL, 10);
    if (id == 0 || id > STAGE_MEMBERS_MAX)
        return;
    snprintf(h->members[id].config, sizeof h->members[id].config, "%s",
             config + strlen(switched));
    h->members[id].knows_config = true;
}

void heard_case(struct heard *h, const struct script *s,
                const struct script_case *c, uint64_t alone)
{
    struct heard_member *m = NULL;
    enum section section = NOWHERE;

    h->refused = 0;
    if (h->is_silent || strcmp(script_value(c, "log-level", ""), "none") == 0) {
        lose_sight(h);
        return;
    }
    for (size_t i = 1; h->is_terse && i <= STAGE_MEMBERS_MAX; i++)
        h->members[i].knows_config = false;
    if (alone != 0 && alone <= STAGE_MEMBERS_MAX)
        m = &h->members[alone];
    for (size_t i = c->expected_first; i < c->expected_end; i++) {
        const char *line = s->lines[i] + strspn(s->lines[i], " ");
        const char *rest = after(line, "> ");

        if (heard_is_log(line)) {
            hear_log(h, line);
        } else if (rest != NULL) {
            uint64_t id = strtoull(rest, NULL, 10);

            section = NOWHERE;
            m = strstr(rest, "handling Ready") != NULL &&
                        id <= STAGE_MEMBERS_MAX
                    ? &h->members[id]
                    : NULL;
        } else if (m != NULL) {
            hear_ready(m, line, &section);
        }
    }
}

/* ---- comparing ---- */

static bool differ(const char *where, uint64_t id, const char *what,
                   const char *expected, const char *found)
{
    printf("%s: member %" PRIu64 ": %s: expected %s, found %s\n", where, id,
           what, expected, found);
    return false;
}

static bool same_number(const char *where, uint64_t id, const char *what,
                        uint64_t expected, uint64_t found)
{
    char a[32], b[32];

    if (expected == found)
        return true;
    snprintf(a, sizeof a, "%" PRIu64, expected);
    snprintf(b, sizeof b, "%" PRIu64, found);
    return differ(where, id, what, a, b);
}

static void print_entry(char *text, size_t size, const struct heard_entry *e)
{
    snprintf(text, size, "%" PRIu64 "/%" PRIu64 " %s%s%s", e->term, e->index,
             e->is_config ? "change " : "\"", e->text,
             e->is_config ? "" : "\"");
}

static bool same_entry(const struct stage *stage, const char *where,
                       uint64_t id, const char *what,
                       const struct heard_entry *expected,
                       const struct rkv_raft_entry *found)
{
    char a[STAGE_TEXT_MAX + 64], b[STAGE_TEXT_MAX + 64] = "nothing";
    struct heard_entry ours = {0};

    if (found != NULL) {
        const struct stage_item *item =
            stage_item(stage, found->index, found->term);

        ours.index = found->index;
        ours.term = found->term;
        ours.is_config = found->kind == RKV_ENTRY_CONFIG;
        snprintf(ours.text, sizeof ours.text, "%s",
                 item == NULL ? "" : item->text);
        print_entry(b, sizeof b, &ours);
    }
    print_entry(a, sizeof a, expected);
    return strcmp(a, b) == 0 || differ(where, id, what, a, b);
}

static bool same_log(const struct stage *stage, const char *where, uint64_t id,
                     const struct heard_log *heard, const struct stage_log *log)
{
    bool is_same = true;

    if (!heard->is_known)
        return true;
    is_same = same_number(where, id, "last index", heard->last, log->last);
    for (size_t i = 0; i < heard->count && is_same; i++)
        if (heard->entries[i].index > log->base)
            is_same = same_entry(stage, where, id, "log", &heard->entries[i],
                                 stage_entry(log, heard->entries[i].index));
    return is_same;
}

/* What it was heard to apply must be the last that ours applied. */
static bool same_applied(const struct stage *stage, const char *where,
                         const struct stage_member *m,
                         const struct heard_log *heard)
{
    bool is_same = true;

    if (!heard->is_known)
        return true;
    for (size_t i = 0; i < heard->count && is_same; i++) {
        size_t from_end = heard->count - i;
        const struct rkv_raft_entry *found =
            from_end > m->applied_count
                ? NULL
                : &m->applied[m->applied_count - from_end];

        is_same = same_entry(stage, where, m->id, "applied", &heard->entries[i],
                             found);
    }
    return is_same;
}

bool heard_agrees(const struct heard *h, const struct stage *stage,
                  const char *where)
{
    bool is_same = true;

    for (size_t i = 0; i < stage->count; i++) {
        const struct stage_member *m = &stage->members[i];
        const struct heard_member *e = &h->members[m->id];
        char config[STAGE_TEXT_MAX];

        if (e->knows_hard) {
            is_same &= same_number(where, m->id, "term", e->term, m->term);
            is_same &= same_number(where, m->id, "vote", e->vote, m->vote);
            is_same &=
                same_number(where, m->id, "commit", e->commit, m->commit);
        }
        if (e->knows_soft) {
            is_same &=
                same_number(where, m->id, "leader", e->leader, m->leader);
            is_same &= same_number(where, m->id, "role", e->role, m->role);
        }
        is_same &= same_log(stage, where, m->id, &e->log, &m->log);
        is_same &= same_applied(stage, where, m, &e->applied);
        stage_config(m, config, sizeof config);
        if (e->knows_config && strcmp(e->config, config) != 0)
            is_same = differ(where, m->id, "configuration", e->config, config);
    }
    return is_same;
}
