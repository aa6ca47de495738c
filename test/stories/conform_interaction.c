/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/conform_interaction.c - plays one story of etcd's on our
 * members.  What is compared, and when: at each stabilize and at the end all
 * that the file has let us know of each member (heard.h); wherever a
 * directive prints a state, a log, a refusal or how far a peer is, that.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"
#include "heard.h"
#include "stage.h"

struct play {
    struct stage stage;
    struct heard heard;
    const struct script *script;
    const struct script_case *now;
    size_t refused; /* changes, in this directive */
    bool is_wrong;  /* this directive differed */
    char where[512];
    char out[8192];
};

static void say(struct play *p, const char *format, ...)
{
    size_t len = strlen(p->out);
    va_list args;

    va_start(args, format);
    vsnprintf(p->out + len, sizeof p->out - len, format, args);
    va_end(args);
}

static void wrong(struct play *p, const char *format, ...)
{
    va_list args;

    printf("%s: ", p->where);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    p->is_wrong = true;
}

/* The member a directive is about; all have one. */
static struct stage_member *member_of(struct play *p)
{
    struct stage_member *m = stage_member(&p->stage, script_id(p->now, 0));

    if (m == NULL)
        wrong(p, "there is no such member");
    return m;
}

/* ---- what a directive prints ---- */

/* The lines are compared, unless the file was told to be silent. */
static void compare_lines(struct play *p)
{
    if (!p->heard.is_silent && !conform_lines(p->script, p->now, p->out))
        p->is_wrong = true;
}

static void print_log(struct play *p, const struct stage_log *log)
{
    if (log->last == log->base)
        say(p,
            "log is empty: first index=%" PRIu64 ", last index=%" PRIu64 "\n",
            log->base + 1, log->last);
    for (uint64_t i = log->base + 1; i <= log->last; i++) {
        const struct rkv_raft_entry *e = stage_entry(log, i);
        const struct stage_item *item = stage_item(&p->stage, i, e->term);
        const char *text = item == NULL ? "" : item->text;

        say(p, "%" PRIu64 "/%" PRIu64 " Entry", e->term, i);
        if (e->kind == RKV_ENTRY_CONFIG)
            say(p, "ConfChange%s%s%s\n",
                item != NULL && item->is_v1 ? "" : "V2", *text ? " " : "",
                text);
        else
            say(p, "Normal \"%s\"\n", text);
    }
}

static void print_state(struct play *p, const struct stage_member *m)
{
    static const char *const roles[] = {[RKV_FOLLOWER] = "StateFollower",
                                        [RKV_PRECANDIDATE] =
                                            "StatePreCandidate",
                                        [RKV_CANDIDATE] = "StateCandidate",
                                        [RKV_LEADER] = "StateLeader"};
    struct rkv_raft_status status = {.size = sizeof status};

    rkv_raft_status(m->core, &status);
    say(p, "%" PRIu64 ": %s (%s) Term:%" PRIu64 " Lead:%" PRIu64 "\n", m->id,
        roles[status.role], stage_is_voter(m) ? "Voter" : "Non-Voter",
        status.term, status.leader);
}

/* Of a peer's progress, only how far it is known to match is the same in any
 * implementation. */
static void compare_progress(struct play *p, const struct stage_member *m)
{
    for (size_t i = p->now->expected_first; i < p->now->expected_end; i++) {
        const char *line = p->script->lines[i];
        const char *match = strstr(line, "match=");
        uint64_t expected, found, id = strtoull(line, NULL, 10);
        struct rkv_raft_peer peer = {.size = sizeof peer};

        if (heard_is_log(line) || id == 0 || match == NULL)
            continue;
        expected = strtoull(match + strlen("match="), NULL, 10);
        if (rkv_raft_peer(m->core, id, &peer) < 0) {
            wrong(p, "%" PRIu64 " has no progress", id);
            continue;
        }
        found = peer.match;
        if (id == m->id) {
            struct rkv_raft_status status = {.size = sizeof status};

            rkv_raft_status(m->core, &status);
            found = status.durable;
        }
        if (expected != found)
            wrong(p,
                  "progress of %" PRIu64 ": expected match=%" PRIu64
                  ", found %" PRIu64,
                  id, expected, found);
    }
}

/* ---- directives ---- */

static void log_level(struct play *p)
{
    const char *level = p->now->args_count > 0 ? p->now->args[0].key : "";

    p->heard.is_silent =
        strcmp(level, "none") == 0 || strcmp(level, "NONE") == 0;
    p->heard.is_terse =
        strcmp(level, "debug") != 0 && strcmp(level, "info") != 0 &&
        strcmp(level, "DEBUG") != 0 && strcmp(level, "INFO") != 0;
}

static void list_members(struct play *p, const char *key, uint32_t role,
                         struct stage_state *state)
{
    const struct script_arg *arg = script_find(p->now, key);

    for (size_t i = 0; arg != NULL && i < arg->count; i++) {
        uint64_t id = strtoull(arg->values[i], NULL, 10);
        uint32_t at = state->members_count;

        for (; at > 0 && state->members[at - 1].id > id; at--)
            state->members[at] = state->members[at - 1];
        state->members[at] = (struct rkv_raft_member){.id = id, .role = role};
        state->members_count++;
    }
}

static void add_nodes(struct play *p)
{
    const struct script_case *c = p->now;
    struct stage_options o = {0};

    list_members(p, "voters", RKV_VOTER, &o.state);
    list_members(p, "learners", RKV_LEARNER, &o.state);
    o.state.index = script_number(c, "index", 0);
    o.state.term = o.state.index > 0;
    snprintf(o.state.content, sizeof o.state.content, "%s",
             script_value(c, "content", ""));
    o.inflight = (uint32_t)script_number(c, "inflight", 0);
    o.apply_bytes = script_number(c, "max-committed-size-per-ready", 0);
    o.is_async = script_flag(c, "async-storage-writes");
    o.is_idle_on_forget =
        strcmp(script_value(c, "read-only", "safe"), "lease-based") == 0;
    if (!script_flag(c, "prevote"))
        o.flags |= RKV_RAFT_NO_PREVOTE;
    if (!script_flag(c, "checkquorum"))
        o.flags |= RKV_RAFT_NO_CHECK_QUORUM;
    if (!script_flag(c, "step-down-on-removal"))
        o.flags |= RKV_RAFT_NO_STEP_DOWN;
    if (script_flag(c, "disable-conf-change-validation"))
        o.flags |= RKV_RAFT_NO_CHANGE_CHECK;
    o.flags |= RKV_RAFT_NO_HANDOVER;
    o.is_etcd = true;
    for (uint64_t n = script_id(c, 0); n > 0; n--) {
        char config[STAGE_TEXT_MAX];
        int rc = stage_add(&p->stage, &o);

        if (rc < 0) {
            wrong(p, "no member can begin so: %s", rkv_errname(rc));
            return;
        }
        stage_config(&p->stage.members[p->stage.count - 1], config,
                     sizeof config);
        heard_start(&p->heard, p->stage.count, &o.state, config);
    }
}

static void input(struct play *p, uint32_t kind, uint64_t peer)
{
    struct stage_member *m = member_of(p);

    if (m != NULL)
        (void)stage_input(m, (struct rkv_raft_in){.kind = kind, .peer = peer});
}

static void campaign(struct play *p)
{
    input(p, RKV_IN_CAMPAIGN, 0);
}

static void forget_leader(struct play *p)
{
    struct stage_member *m = member_of(p);

    if (m != NULL && !m->options.is_idle_on_forget)
        stage_forget_leader(m);
}

static void unreachable(struct play *p)
{
    input(p, RKV_IN_UNREACHABLE, script_id(p->now, 1));
}

static void transfer(struct play *p)
{
    struct stage_member *m =
        stage_member(&p->stage, script_number(p->now, "from", 0));

    if (m == NULL)
        wrong(p, "there is no such member");
    else
        (void)stage_input(
            m, (struct rkv_raft_in){.kind = RKV_IN_TRANSFER,
                                    .peer = script_number(p->now, "to", 0)});
}

static void propose(struct play *p)
{
    struct stage_member *m = member_of(p);
    struct stage_item item = {.kind = RKV_ENTRY_COMMAND};
    bool is_refused, must_be;
    const struct script_case *c = p->now;
    int rc;

    if (m == NULL)
        return;
    if (c->args_count > 1)
        snprintf(item.text, sizeof item.text, "%s", c->args[1].key);
    rc = stage_propose(&p->stage, m, &item);
    is_refused = rc < 0;
    must_be = false;
    for (size_t i = c->expected_first; i < c->expected_end; i++)
        must_be |= !heard_is_log(p->script->lines[i]) &&
                   strcmp(p->script->lines[i], "ok") != 0;
    if (is_refused != must_be)
        wrong(p, "the proposal was %s: %s",
              is_refused ? "refused" : "not refused", rkv_errname(rc));
}

static void propose_change(struct play *p)
{
    struct stage_member *m = member_of(p);
    struct stage_item item = {.kind = RKV_ENTRY_CONFIG,
                              .is_v1 = script_flag(p->now, "v1")};

    if (m == NULL)
        return;
    item.transition =
        stage_transition(script_value(p->now, "transition", "auto"));
    for (size_t i = p->now->input_first; i < p->now->input_end; i++) {
        size_t len = strlen(item.text);

        snprintf(item.text + len, sizeof item.text - len, "%s%s",
                 len > 0 ? " " : "", p->script->lines[i]);
    }
    (void)stage_propose(&p->stage, m, &item);
}

static void raft_log(struct play *p)
{
    struct stage_member *m = member_of(p);

    if (m == NULL)
        return;
    print_log(p, &m->disk);
    compare_lines(p);
}

static void raft_state(struct play *p)
{
    for (size_t i = 0; i < p->stage.count; i++)
        print_state(p, &p->stage.members[i]);
    compare_lines(p);
}

static void status(struct play *p)
{
    struct stage_member *m = member_of(p);

    if (m != NULL)
        compare_progress(p, m);
}

static void compact(struct play *p)
{
    struct stage_member *m = member_of(p);

    if (m == NULL)
        return;
    stage_compact(m, script_id(p->now, 1));
    print_log(p, &m->disk);
    compare_lines(p);
}

static void send_snapshot(struct play *p)
{
    struct stage_member *from = member_of(p);
    struct stage_member *to = stage_member(&p->stage, script_id(p->now, 1));

    if (from != NULL && to != NULL)
        stage_send_snapshot(&p->stage, from, to);
}

static void tick_election(struct play *p)
{
    struct stage_member *m = member_of(p);

    if (m != NULL)
        (void)stage_tick(m, STAGE_ELECTION_TICKS);
}

static void tick_heartbeat(struct play *p)
{
    struct stage_member *m = member_of(p);

    if (m != NULL)
        (void)stage_tick(m, STAGE_HEARTBEAT_TICKS);
}

static void set_timeout(struct play *p)
{
    struct stage_member *m = member_of(p);

    if (m != NULL)
        stage_set_timeout(m, script_number(p->now, "timeout", 0));
}

/* ---- turns ---- */

static void each_named(struct play *p,
                       void (*move)(struct stage *, struct stage_member *))
{
    for (size_t i = 0; i < p->now->args_count; i++) {
        struct stage_member *m = stage_member(&p->stage, script_id(p->now, i));

        if (m != NULL)
            move(&p->stage, m);
    }
}

static void write_one(struct stage *s, struct stage_member *m)
{
    (void)stage_write_one(s, m);
}

static void apply_one(struct stage *s, struct stage_member *m)
{
    (void)stage_apply_one(s, m);
}

static void process_ready(struct play *p)
{
    each_named(p, stage_turn);
}

static void process_append(struct play *p)
{
    each_named(p, write_one);
}

static void process_apply(struct play *p)
{
    each_named(p, apply_one);
}

static void stabilize(struct play *p)
{
    struct stage *s = &p->stage;
    bool has_moved;

    do {
        has_moved = false;
        for (size_t i = 0; i < s->count; i++)
            if (script_names(p->now, i + 1) &&
                stage_is_ready(s, &s->members[i])) {
                stage_turn(s, &s->members[i]);
                has_moved = true;
            }
        for (size_t i = 0; i < s->count; i++)
            if (script_names(p->now, i + 1) &&
                stage_deliver(s, i + 1, 0, false) > 0)
                has_moved = true;
        for (size_t i = 0; i < s->count; i++)
            while (script_names(p->now, i + 1) &&
                   stage_write_one(s, &s->members[i]))
                has_moved = true;
        for (size_t i = 0; i < s->count; i++)
            while (script_names(p->now, i + 1) &&
                   stage_apply_one(s, &s->members[i]))
                has_moved = true;
    } while (has_moved);
}

/* etcd's name of a message; 0: ours have none of that kind, as its messages
 * between a member and its own threads. */
static uint32_t kind_of(const char *name)
{
    static const struct {
        const char *name;
        uint32_t kind;
    } kinds[] = {{"MsgApp", RKV_MSG_APPEND},
                 {"MsgAppResp", RKV_MSG_APPEND_REPLY},
                 {"MsgVote", RKV_MSG_VOTE},
                 {"MsgVoteResp", RKV_MSG_VOTE_REPLY},
                 {"MsgPreVote", RKV_MSG_PREVOTE},
                 {"MsgPreVoteResp", RKV_MSG_PREVOTE_REPLY},
                 {"MsgSnap", RKV_MSG_SNAPSHOT},
                 {"MsgHeartbeat", RKV_MSG_HEARTBEAT},
                 {"MsgHeartbeatResp", RKV_MSG_HEARTBEAT_REPLY},
                 {"MsgTimeoutNow", RKV_MSG_TIMEOUT_NOW},
                 {"MsgReadIndex", RKV_MSG_READ},
                 {"MsgReadIndexResp", RKV_MSG_READ_REPLY},
                 {"MsgTransferLeader", RKV_MSG_TRANSFER},
                 {"MsgProp", STAGE_KIND_PROPOSAL}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    return 0;
}

static void deliver(struct play *p)
{
    const char *type = script_value(p->now, "type", NULL);
    uint32_t kind = type == NULL ? 0 : kind_of(type);

    if (type != NULL && kind == 0)
        return;
    for (size_t i = 0; i < p->now->args_count; i++) {
        const struct script_arg *arg = &p->now->args[i];

        if (arg->count == 0)
            (void)stage_deliver(&p->stage, strtoull(arg->key, NULL, 10), kind,
                                false);
        else if (strcmp(arg->key, "drop") == 0)
            for (size_t k = 0; k < arg->count; k++)
                (void)stage_deliver(
                    &p->stage, strtoull(arg->values[k], NULL, 10), kind, true);
    }
}

/* ---- the play ---- */

/* moves: what it does is seen only where it is printed. */
static const struct directive {
    const char *name;
    void (*play)(struct play *p);
    bool moves;
    bool is_quiet_point;
} directives[] = {
    {"log-level", log_level, false, false},
    {"add-nodes", add_nodes, false, false},
    {"campaign", campaign, true, false},
    {"propose", propose, true, false},
    {"propose-conf-change", propose_change, true, false},
    {"process-ready", process_ready, true, false},
    {"process-append-thread", process_append, true, false},
    {"process-apply-thread", process_apply, true, false},
    {"deliver-msgs", deliver, true, false},
    {"stabilize", stabilize, true, true},
    {"tick-election", tick_election, true, false},
    {"tick-heartbeat", tick_heartbeat, true, false},
    {"set-randomized-election-timeout", set_timeout, false, false},
    {"compact", compact, false, false},
    {"send-snapshot", send_snapshot, true, false},
    {"report-unreachable", unreachable, true, false},
    {"transfer-leadership", transfer, true, false},
    {"forget-leader", forget_leader, true, false},
    {"raft-log", raft_log, false, false},
    {"raft-state", raft_state, false, false},
    {"status", status, false, false},
};

static const struct directive *find_directive(const char *name)
{
    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++)
        if (strcmp(directives[i].name, name) == 0)
            return &directives[i];
    return NULL;
}

/* A change that one refuses the other must refuse too. */
static void compare_refusals(struct play *p)
{
    if (!p->heard.is_silent && !p->heard.is_terse &&
        p->heard.refused != p->stage.refused)
        wrong(p, "expected %zu changes to be refused, found %zu",
              p->heard.refused, p->stage.refused);
}

static void play_case(struct play *p, const struct script_case *c)
{
    const struct directive *d = find_directive(c->directive);
    uint64_t alone = script_id(c, 1) == 0 ? script_id(c, 0) : 0;

    p->now = c;
    p->is_wrong = false;
    p->out[0] = '\0';
    p->stage.refused = 0;
    conform_where(p->script, c, p->where, sizeof p->where);
    if (d == NULL) {
        wrong(p, "no such directive");
        return;
    }
    d->play(p);
    if (d->moves) {
        heard_case(&p->heard, p->script, c,
                   strcmp(d->name, "process-ready") == 0 ? alone : 0);
        compare_refusals(p);
    }
    if (d->is_quiet_point && !heard_agrees(&p->heard, &p->stage, p->where))
        p->is_wrong = true;
    if (p->stage.fault[0] != '\0') {
        wrong(p, "%s", p->stage.fault);
        p->stage.fault[0] = '\0';
    }
}

void conform_interaction(const struct script *s, struct score *score)
{
    struct play *p = calloc(1, sizeof *p);
    bool is_same;

    if (p == NULL) {
        fputs("no memory\n", stderr);
        exit(2);
    }
    p->script = s;
    stage_init(&p->stage);
    heard_init(&p->heard);
    for (size_t i = 0; i < s->cases_count; i++) {
        play_case(p, &s->cases[i]);
        score->passed += !p->is_wrong;
        score->failed += p->is_wrong;
    }
    snprintf(p->where, sizeof p->where, "%s: at the end", s->path);
    is_same = heard_agrees(&p->heard, &p->stage, p->where);
    score->passed += is_same;
    score->failed += !is_same;
    stage_free(&p->stage);
    free(p);
}
