/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/hello.c - what two members say to each other before anything else.
 * Only when all of it fits is the line up, and only when it is on disk that
 * they met: or a member that was started again might take one without its
 * promises for the one it knew.
 */
#include "server.h"

enum { VERSION_AT = 4, CLUSTER_AT = 8, SPEAKER_AT = 16, LISTENER_AT = 48 };

static void put_life(char *at, const struct life *life)
{
    bytes_put_u64(at, life->id);
    bytes_put_u64(at + 8, life->boot);
    memcpy(at + 16, life->incarnation, INCARNATION_BYTES);
}

static struct life get_life(const char *at)
{
    struct life life = {.id = bytes_u64(at), .boot = bytes_u64(at + 8)};

    memcpy(life.incarnation, at + 16, INCARNATION_BYTES);
    return life;
}

static struct life own_life(const struct server *server)
{
    struct life life = {.id = server->id, .boot = server->boot};

    memcpy(life.incarnation, server->incarnation, INCARNATION_BYTES);
    return life;
}

void hello_say(struct link *link, uint64_t to)
{
    const struct server *server = link->server;
    const struct life speaker = own_life(server);
    const struct life listener = lives_of(&server->keep.lives, to);
    char hello[HELLO_BYTES] = {'P', 'K', 'V', LINK_HELLO, LINK_PROTOCOL};

    bytes_put_u64(hello + CLUSTER_AT, server->cluster);
    put_life(hello + SPEAKER_AT, &speaker);
    put_life(hello + LISTENER_AT, &listener);
    buffer_add(&link->out, hello, sizeof hello);
}

static uint64_t version_of(const char *hello)
{
    return bytes_u64(hello) >> (8 * VERSION_AT);
}

uint64_t hello_len(const char *data)
{
    return version_of(data) == LINK_PROTOCOL ? HELLO_BYTES
                                             : HELLO_VERSION_BYTES;
}

/* Words for a person who mistyped something. */
static bool hello_fits(struct link *link, const char *hello)
{
    struct server *server = link->server;
    uint64_t cluster = bytes_u64(hello + CLUSTER_AT);
    uint64_t from = bytes_u64(hello + SPEAKER_AT);
    uint64_t to = bytes_u64(hello + LISTENER_AT);
    char detail[256];

    if (cluster != server->cluster) {
        snprintf(detail, sizeof detail,
                 "expected=%llx found=%llx from=%llx do=\"compare "
                 "--initial-cluster and --initial-cluster-token of all "
                 "members\"",
                 (unsigned long long)server->cluster,
                 (unsigned long long)cluster, (unsigned long long)from);
        link_refuse(link, "cluster ID mismatch", detail);
        return false;
    }
    if (to != server->id && to != 0) {
        snprintf(detail, sizeof detail,
                 "this_member=%llx meant=%llx from=%llx do=\"see that each "
                 "peer URL leads to the member it names\"",
                 (unsigned long long)server->id, (unsigned long long)to,
                 (unsigned long long)from);
        link_refuse(link, "a peer looked for another member here", detail);
        return false;
    }
    return true;
}

/* What one end knows of the other's life, and what that one says it is. */
static bool life_fits(struct link *link, const struct life *known,
                      const struct life *said, bool ours)
{
    enum life_verdict verdict = life_judge(known, said);
    char expected[INCARNATION_TEXT], found[INCARNATION_TEXT], detail[320];

    if (verdict == LIFE_FITS)
        return true;
    incarnation_text(known->incarnation, expected);
    incarnation_text(said->incarnation, found);
    if (verdict == LIFE_OLDER) {
        snprintf(expected, sizeof expected, "%llu",
                 (unsigned long long)known->boot);
        snprintf(found, sizeof found, "%llu", (unsigned long long)said->boot);
    }
    const char *what = verdict == LIFE_OLDER ? "start" : "incarnation";
    snprintf(detail, sizeof detail,
             "%s%s=%s %s=%s do=\"put its data directory back as it was, or "
             "take the member out of the cluster\"",
             ours ? "" : "expected_", what, ours ? found : expected,
             ours ? "known_to_peer" : "found", ours ? expected : found);
    link_refuse(link,
                ours ? "this member has lost its data"
                     : "a peer has lost its data",
                detail);
    return false;
}

static bool lives_fit(struct link *link, const char *hello)
{
    struct server *server = link->server;
    struct life theirs = get_life(hello + SPEAKER_AT);
    struct life known = lives_of(&server->keep.lives, theirs.id);
    struct life ours = own_life(server);
    struct life known_of_us = get_life(hello + LISTENER_AT);

    if (!life_fits(link, &known, &theirs, false) ||
        !life_fits(link, &known_of_us, &ours, true))
        return false;
    link->settles_at = keep_meet(&server->keep, &theirs);
    return true;
}

static bool refuse_version(struct link *link, uint64_t version)
{
    char detail[128];

    snprintf(detail, sizeof detail,
             "expected_version=%d found=%llu do=\"run the same version of "
             "raftkvd on all members\"",
             LINK_PROTOCOL, (unsigned long long)version);
    link_refuse(link, "a peer speaks another protocol", detail);
    return false;
}

bool hello_take(struct link *link, const char *data)
{
    bool understood = version_of(data) == LINK_PROTOCOL;
    uint64_t from = understood ? bytes_u64(data + SPEAKER_AT) : 0;
    char detail[96];

    /* Answered first, so that both logs can say what does not fit. */
    if (!link->dialled) {
        hello_say(link, from);
        link_send(link);
    }
    if (link->closing)
        return false;
    if (!understood)
        return refuse_version(link, version_of(data));
    if (!hello_fits(link, data))
        return false;
    struct peer *peer = peers_find(&link->server->peers, from);
    snprintf(detail, sizeof detail, "from=%llx", (unsigned long long)from);
    if (!peer || (link->peer && link->peer != peer)) {
        link_refuse(link, "a stranger called: no member of this cluster",
                    detail);
        return false;
    }
    link->peer = peer;
    if (!lives_fit(link, data))
        return false;
    link_known(link);
    if (link->settles_at <= link->server->keep.written)
        hello_settle(link);
    else
        link_hold(link);
    return true;
}

/* A second call means that the first line is dead, whether we have noticed or
 * not. */
void hello_settle(struct link *link)
{
    struct peer *peer = link->peer;
    struct link *old = peer->link;

    link->up = true;
    peer->link = link;
    if (peer->dialing == link)
        peer->dialing = NULL;
    if (old && old != link) {
        old->peer = NULL;
        link_close(old, "");
    }
    peer->backoff_ms = BACKOFF_MIN_MS;
    peer->complaint[0] = '\0';
    log_line(&link->server->log, LOG_INFO, "connected to a peer", "peer=%llx",
             (unsigned long long)peer->id);
}
