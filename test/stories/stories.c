/* SPDX-License-Identifier: BSD-2-Clause
 *
 * test/stories/stories.c - stories [--rewrite] PATH...: plays golden traces.
 * A story is a file of directives and of what happens when they are carried
 * out; the runner carries them out and compares.  With --rewrite what happens
 * is written into the file, for a person to read the difference.
 *
 *     members N [learners=(..)] [prevote=true] [checkquorum=true]
 *             [inflight=K] [async=true] [sleep=TICKS]
 *                         N voters that begin with an applied snapshot at 1
 *     newcomers N         members that know nothing
 *     campaign ID         start an election
 *     propose ID TEXT     a command
 *     change ID OP...     v2 l2 r2 u2: voter, learner, remove, update
 *             [transition=explicit|implicit]
 *     read ID TOKEN       ask for a read point
 *     transfer FROM TO    hand leadership over
 *     forget ID           forget the leader
 *     unreachable A B     messages of A to B were lost
 *     compact ID INDEX    forget entries up to INDEX
 *     tick ID [COUNT]     time passes there
 *     timeout ID TICKS    its election timeout, until it draws another
 *     turn ID...          take what the core says, write, send, apply
 *     write ID..., apply ID...
 *                         async: one write or one batch of entries is done
 *     deliver ID... [only=append|vote|...] [lose=(ID,..)]
 *     settle [ID...]      turns and deliveries until nothing happens
 *     crash ID, start ID  what was not written is lost
 *     cut A B, heal A B   messages between the two are lost
 *     state, log ID, progress ID
 *
 * Any directive takes quiet=true: it happens, and nothing is told.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"
#include "stage.h"

struct story {
    struct stage stage;
    const struct script *script;
    const struct script_case *now;
};

struct totals {
    size_t passed;
    size_t failed;
    bool is_rewriting;
};

/* ---- arguments ---- */

static struct stage_member *member_at(struct story *s, size_t nth)
{
    struct stage_member *m = stage_member(&s->stage, script_id(s->now, nth));

    if (m == NULL)
        tell(&s->stage, "there is no such member");
    return m;
}

/* A member that runs. */
static struct stage_member *runner_at(struct story *s, size_t nth)
{
    struct stage_member *m = member_at(s, nth);

    if (m != NULL && m->core == NULL) {
        tell(&s->stage, "%" PRIu64 " does not run", m->id);
        return NULL;
    }
    return m;
}

/* The words from the nth argument on. */
static void join_words(const struct story *s, size_t nth, char *text,
                       size_t size)
{
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = nth; i < s->now->args_count; i++) {
        const struct script_arg *arg = &s->now->args[i];

        if (strcmp(arg->key, "transition") == 0 ||
            strcmp(arg->key, "quiet") == 0)
            continue;
        len += (size_t)snprintf(
            text + len, size - len, "%s%s%s%s", len > 0 ? " " : "", arg->key,
            arg->count > 0 ? "=" : "", arg->count > 0 ? arg->values[0] : "");
    }
}

static void answer(struct story *s, const struct stage_member *m, int rc)
{
    if (rc < 0)
        tell(&s->stage, "%" PRIu64 " refuses: %s", m->id, rkv_strerror(rc));
}

static void input(struct story *s, uint32_t kind, uint64_t peer, uint64_t token)
{
    struct stage_member *m = runner_at(s, 0);

    if (m != NULL)
        answer(s, m,
               stage_input(m, (struct rkv_raft_in){
                                  .kind = kind, .peer = peer, .token = token}));
}

/* ---- directives ---- */

static void add_members(struct story *s, uint64_t count, bool begins)
{
    const struct script_case *c = s->now;
    const struct script_arg *learners = script_find(c, "learners");
    struct stage_options o = {0};

    o.is_async = script_flag(c, "async");
    o.inflight = (uint32_t)script_number(c, "inflight", 0);
    o.quiet_ticks = (uint32_t)script_number(c, "sleep", 0);
    o.flags |= script_flag(c, "prevote") ? 0 : (uint32_t)RKV_RAFT_NO_PREVOTE;
    o.flags |=
        script_flag(c, "checkquorum") ? 0 : (uint32_t)RKV_RAFT_NO_CHECK_QUORUM;
    for (uint64_t id = 1; begins && id <= count; id++)
        o.state.members[o.state.members_count++] =
            (struct rkv_raft_member){.id = id, .role = RKV_VOTER};
    for (size_t i = 0; begins && learners != NULL && i < learners->count; i++) {
        uint64_t id = strtoull(learners->values[i], NULL, 10);

        if (id >= 1 && id <= count)
            o.state.members[id - 1].role = RKV_LEARNER;
    }
    o.state.index = o.state.term = begins ? 1 : 0;
    for (uint64_t i = 0; i < count; i++) {
        int rc = stage_add(&s->stage, &o);

        if (rc < 0)
            tell(&s->stage, "no member can begin so: %s", rkv_strerror(rc));
    }
}

static void members(struct story *s)
{
    add_members(s, script_id(s->now, 0), true);
}

static void newcomers(struct story *s)
{
    add_members(s, script_id(s->now, 0), false);
}

static void campaign(struct story *s)
{
    input(s, RKV_IN_CAMPAIGN, 0, 0);
}

static void transfer(struct story *s)
{
    input(s, RKV_IN_TRANSFER, script_id(s->now, 1), 0);
}

static void unreachable(struct story *s)
{
    input(s, RKV_IN_UNREACHABLE, script_id(s->now, 1), 0);
}

static void ask_read(struct story *s)
{
    input(s, RKV_IN_READ, 0, script_id(s->now, 1));
}

static void forget(struct story *s)
{
    struct stage_member *m = runner_at(s, 0);

    if (m != NULL)
        stage_forget_leader(m);
}

static void propose_item(struct story *s, struct stage_item *item)
{
    struct stage_member *m = runner_at(s, 0);

    if (m == NULL)
        return;
    join_words(s, 1, item->text, sizeof item->text);
    answer(s, m, stage_propose(&s->stage, m, item));
}

static void propose(struct story *s)
{
    struct stage_item item = {.kind = RKV_ENTRY_COMMAND};

    propose_item(s, &item);
}

static void change(struct story *s)
{
    struct stage_item item = {.kind = RKV_ENTRY_CONFIG};

    item.transition =
        stage_transition(script_value(s->now, "transition", "auto"));
    propose_item(s, &item);
}

static void compact(struct story *s)
{
    struct stage_member *m = runner_at(s, 0);

    if (m != NULL)
        stage_compact(m, script_id(s->now, 1));
}

static void tick(struct story *s)
{
    struct stage_member *m = runner_at(s, 0);
    uint64_t count = script_id(s->now, 1);

    if (m != NULL)
        answer(s, m, stage_tick(m, count == 0 ? 1 : count));
}

static void set_timeout(struct story *s)
{
    struct stage_member *m = runner_at(s, 0);

    if (m != NULL)
        stage_set_timeout(m, script_id(s->now, 1));
}

static void each_named(struct story *s,
                       void (*move)(struct stage *, struct stage_member *))
{
    for (size_t i = 0; script_id(s->now, i) != 0; i++) {
        struct stage_member *m = runner_at(s, i);

        if (m != NULL)
            move(&s->stage, m);
    }
}

static void write_one(struct stage *stage, struct stage_member *m)
{
    if (!stage_write_one(stage, m))
        tell(stage, "%" PRIu64 " has nothing to write", m->id);
}

static void apply_one(struct stage *stage, struct stage_member *m)
{
    if (!stage_apply_one(stage, m))
        tell(stage, "%" PRIu64 " has nothing to apply", m->id);
}

static void turn(struct story *s)
{
    each_named(s, stage_turn);
}

static void write_down(struct story *s)
{
    each_named(s, write_one);
}

static void apply(struct story *s)
{
    each_named(s, apply_one);
}

static uint32_t kind_of(const char *name)
{
    static const struct {
        const char *name;
        uint32_t kind;
    } kinds[] = {{"prevote", RKV_MSG_PREVOTE},
                 {"vote", RKV_MSG_VOTE},
                 {"vote-reply", RKV_MSG_VOTE_REPLY},
                 {"append", RKV_MSG_APPEND},
                 {"append-reply", RKV_MSG_APPEND_REPLY},
                 {"heartbeat", RKV_MSG_HEARTBEAT},
                 {"snapshot", RKV_MSG_SNAPSHOT}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    return 0;
}

static void deliver(struct story *s)
{
    const struct script_arg *lose = script_find(s->now, "lose");
    uint32_t kind = kind_of(script_value(s->now, "only", ""));

    for (size_t i = 0; script_id(s->now, i) != 0; i++)
        (void)stage_deliver(&s->stage, script_id(s->now, i), kind, false);
    for (size_t i = 0; lose != NULL && i < lose->count; i++)
        (void)stage_deliver(&s->stage, strtoull(lose->values[i], NULL, 10),
                            kind, true);
}

static bool settle_round(struct story *s)
{
    struct stage *stage = &s->stage;
    bool has_moved = false;

    for (size_t i = 0; i < stage->count; i++) {
        struct stage_member *m = &stage->members[i];

        if (m->core == NULL || !script_names(s->now, m->id))
            continue;
        if (stage_is_ready(stage, m)) {
            stage_turn(stage, m);
            has_moved = true;
        }
        has_moved |= stage_deliver(stage, m->id, 0, false) > 0;
        while (stage_write_one(stage, m))
            has_moved = true;
        while (stage_apply_one(stage, m))
            has_moved = true;
    }
    return has_moved;
}

static void settle(struct story *s)
{
    while (settle_round(s))
        ;
}

static void crash(struct story *s)
{
    struct stage_member *m = runner_at(s, 0);

    if (m != NULL)
        stage_crash(&s->stage, m);
}

static void start(struct story *s)
{
    struct stage_member *m = member_at(s, 0);

    if (m != NULL)
        answer(s, m, stage_start(&s->stage, m));
}

static void set_cut(struct story *s, bool is_cut)
{
    const struct stage_member *a = member_at(s, 0), *b = member_at(s, 1);

    if (a != NULL && b != NULL)
        s->stage.is_cut[a->id][b->id] = s->stage.is_cut[b->id][a->id] = is_cut;
}

static void cut(struct story *s)
{
    set_cut(s, true);
}

static void heal(struct story *s)
{
    set_cut(s, false);
}

/* ---- looking ---- */

static void state(struct story *s)
{
    for (size_t i = 0; i < s->stage.count; i++) {
        const struct stage_member *m = &s->stage.members[i];
        struct rkv_raft_status status = {.size = sizeof status};
        char config[STAGE_TEXT_MAX];

        if (m->core == NULL) {
            tell(&s->stage, "%" PRIu64 " does not run", m->id);
            continue;
        }
        rkv_raft_status(m->core, &status);
        stage_config(m, config, sizeof config);
        tell(&s->stage,
             "%" PRIu64 " %s term %" PRIu64 " leader %" PRIu64 " last %" PRIu64
             " durable %" PRIu64 " commit %" PRIu64 " applied %" PRIu64
             " \"%s\" %s",
             m->id, tell_role(status.role), status.term, status.leader,
             status.last, status.durable, status.commit, status.applied,
             m->state.content, config);
    }
}

static void show_log(struct story *s)
{
    const struct stage_member *m = member_at(s, 0);

    if (m != NULL)
        tell_log(&s->stage, m);
}

static void progress(struct story *s)
{
    static const char *const names[] = {[RKV_PROGRESS_PROBE] = "probe",
                                        [RKV_PROGRESS_REPLICATE] = "replicate",
                                        [RKV_PROGRESS_SNAPSHOT] = "snapshot"};
    const struct stage_member *m = runner_at(s, 0);
    const struct rkv_raft_member *list;
    uint32_t count = m == NULL ? 0 : rkv_raft_members(m->core, &list);

    for (uint32_t i = 0; i < count; i++) {
        struct rkv_raft_peer peer = {.size = sizeof peer};

        if (list[i].id == m->id ||
            rkv_raft_peer(m->core, list[i].id, &peer) < 0)
            continue;
        tell(&s->stage,
             "%" PRIu64 " %s match %" PRIu64 " next %" PRIu64 " in flight %u",
             peer.id, names[peer.progress], peer.match, peer.next,
             peer.inflight);
    }
}

static const struct {
    const char *name;
    void (*play)(struct story *);
} directives[] = {{"members", members},   {"newcomers", newcomers},
                  {"campaign", campaign}, {"propose", propose},
                  {"change", change},     {"read", ask_read},
                  {"transfer", transfer}, {"forget", forget},
                  {"compact", compact},   {"unreachable", unreachable},
                  {"tick", tick},         {"timeout", set_timeout},
                  {"turn", turn},         {"write", write_down},
                  {"apply", apply},       {"deliver", deliver},
                  {"settle", settle},     {"crash", crash},
                  {"start", start},       {"cut", cut},
                  {"heal", heal},         {"state", state},
                  {"log", show_log},      {"progress", progress}};

static void play(struct story *s, const struct script_case *c)
{
    s->now = c;
    s->stage.told[0] = '\0';
    s->stage.is_telling = !script_flag(c, "quiet");
    for (size_t i = 0; i < sizeof directives / sizeof directives[0]; i++)
        if (strcmp(directives[i].name, c->directive) == 0) {
            directives[i].play(s);
            break;
        } else if (i + 1 == sizeof directives / sizeof directives[0]) {
            tell(&s->stage, "no such directive");
        }
    s->stage.is_telling = true;
    if (s->stage.fault[0] != '\0')
        tell(&s->stage, "FAULT: %s", s->stage.fault);
    s->stage.fault[0] = '\0';
    if (s->stage.told[0] == '\0')
        tell(&s->stage, "ok");
}

/* ---- comparing, or writing anew ---- */

static bool same_lines(const struct script *script, const struct script_case *c,
                       const char *told)
{
    size_t at = c->expected_first;

    for (; *told != '\0'; at++) {
        size_t len = strcspn(told, "\n");
        const char *expected =
            at < c->expected_end ? script->lines[at] : "nothing more";

        if (at >= c->expected_end || strlen(expected) != len ||
            memcmp(expected, told, len) != 0) {
            printf("%s:%zu: expected \"%s\", found \"%.*s\"\n", script->path,
                   (at < c->expected_end ? at : c->expected_end - 1) + 1,
                   expected, (int)len, told);
            return false;
        }
        told += len + 1;
    }
    if (at < c->expected_end)
        printf("%s:%zu: expected \"%s\", found nothing more\n", script->path,
               at + 1, script->lines[at]);
    return at >= c->expected_end;
}

static void copy_lines(FILE *to, const struct script *script, size_t first,
                       size_t end)
{
    for (size_t i = first; i < end && i < script->lines_count; i++)
        fprintf(to, "%s\n", script->lines[i]);
}

static void play_file(const char *path, void *ctx)
{
    struct totals *totals = ctx;
    struct story *s = calloc(1, sizeof *s);
    struct script script;
    FILE *to = NULL;
    size_t copied = 0;

    if (s == NULL || !script_read(&script, path)) {
        totals->failed++;
        free(s);
        return;
    }
    if (totals->is_rewriting && (to = fopen(path, "w")) == NULL)
        perror(path);
    s->script = &script;
    stage_init(&s->stage);
    for (size_t i = 0; i < script.cases_count; i++) {
        const struct script_case *c = &script.cases[i];
        bool is_same;

        play(s, c);
        is_same = to != NULL || same_lines(&script, c, s->stage.told);
        totals->passed += is_same;
        totals->failed += !is_same;
        if (to != NULL) {
            copy_lines(to, &script, copied, c->expected_first);
            fputs(s->stage.told, to);
            copied = c->expected_end;
        }
    }
    if (to != NULL) {
        copy_lines(to, &script, copied, script.lines_count);
        fclose(to);
    }
    stage_free(&s->stage);
    script_free(&script);
    free(s);
}

int main(int argc, char **argv)
{
    struct totals totals = {0};
    int first = 1;

    if (argc > 1 && strcmp(argv[1], "--rewrite") == 0) {
        totals.is_rewriting = true;
        first = 2;
    }
    if (first >= argc) {
        fprintf(stderr, "usage: %s [--rewrite] FILE-OR-FOLDER...\n", argv[0]);
        return 2;
    }
    for (int i = first; i < argc; i++)
        script_walk(argv[i], play_file, &totals);
    printf("%zu passed, %zu failed\n", totals.passed, totals.failed);
    return totals.failed == 0 && totals.passed > 0 ? 0 : 1;
}
