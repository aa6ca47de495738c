/* SPDX-License-Identifier: BSD-2-Clause
 *
 * daemon/keep.c - a new file beside the old one, synced, then in its place:
 * whenever the machine stops, one of the two is there, and whole.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PATH_BYTES = sizeof((struct settings *)NULL)->data_dir + 16 };

static void path_of(const struct keep *keep, const char *name,
                    char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/%s", keep->server->flags.data_dir, name);
}

/* ---- in the thread: what failed is left in step and error ---- */

static bool fails(struct keep *keep, const char *step)
{
    keep->step = step;
    keep->error = errno;
    return false;
}

static bool write_whole(int file, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(file, data, len);
        if (wrote < 0 && errno != EINTR)
            return false;
        if (wrote > 0) {
            data += wrote;
            len -= (size_t)wrote;
        }
    }
    return true;
}

static bool write_new(struct keep *keep, const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (file < 0)
        return fails(keep, "make");
    bool fine = true;
    if (!write_whole(file, keep->text.at, keep->text.len))
        fine = fails(keep, "write");
    else if (fsync(file) != 0)
        fine = fails(keep, "sync");
    if (close(file) != 0 && fine)
        fine = fails(keep, "close");
    return fine;
}

static bool sync_dir(struct keep *keep)
{
    int dir =
        open(keep->server->flags.data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return fails(keep, "open the directory of");
    bool fine = fsync(dir) == 0 || fails(keep, "sync the directory of");
    close(dir);
    return fine;
}

static void write_file(uv_work_t *work)
{
    struct keep *keep = work->data;
    char path[PATH_BYTES], fresh[PATH_BYTES];

    path_of(keep, "peers", path);
    path_of(keep, "peers.new", fresh);
    if (keep->text.failed) {
        errno = ENOMEM;
        fails(keep, "gather");
        return;
    }
    if (!write_new(keep, fresh))
        return;
    if (rename(fresh, path) != 0)
        fails(keep, "rename");
    else
        sync_dir(keep);
}

/* ---- in the loop ---- */

static void begin(struct keep *keep);

static void say_what_came_of_it(const struct keep *keep)
{
    const struct log *log = &keep->server->log;
    char path[PATH_BYTES];

    path_of(keep, "peers", path);
    if (keep->failed)
        log_line(log, LOG_WARN, "what is known of the peers cannot be kept",
                 "path=\"%s\" step=\"%s\" error=\"%s\" note=\"after a restart "
                 "of this member a peer that lost its data may not be "
                 "noticed\" do=\"look at the disk\"",
                 path, keep->step, strerror(keep->error));
    else
        log_line(log, LOG_DEBUG, "what is known of the peers is kept",
                 "path=\"%s\" peers=%zu", path, keep->count);
}

static void ended(uv_work_t *work, int status)
{
    struct keep *keep = work->data;
    struct server *server = keep->server;

    (void)status;
    keep->busy = false;
    keep->failed = keep->step != NULL;
    keep->written = keep->writing;
    if (server->stopping)
        return;
    say_what_came_of_it(keep);
    if (keep->state != keep->written)
        begin(keep);
    peers_settle(&server->peers, keep->written);
}

static void begin(struct keep *keep)
{
    if (keep->busy)
        return;
    buffer_reset(&keep->text, LIVES_TEXT_MAX);
    lives_write(&keep->lives, keep->server->cluster, &keep->text);
    keep->busy = true;
    keep->writing = keep->state;
    keep->count = keep->lives.count;
    keep->step = NULL;
    keep->work.data = keep;
    uv_queue_work(&keep->server->uv, &keep->work, write_file, ended);
}

uint64_t keep_meet(struct keep *keep, const struct life *life)
{
    if (lives_meet(&keep->lives, life) || keep->failed) {
        keep->state++;
        begin(keep);
    }
    return keep->state;
}

void keep_forget(struct keep *keep, uint64_t id)
{
    if (!lives_forget(&keep->lives, id))
        return;
    keep->state++;
    begin(keep);
}

/* ---- at the start ---- */

static void warn(struct keep *keep, const char *what, const char *error)
{
    char path[PATH_BYTES];

    path_of(keep, "peers", path);
    log_line(&keep->server->log, LOG_WARN, what,
             "path=\"%s\" error=\"%s\" note=\"a peer that lost its data before "
             "it is met again is not noticed here\" do=\"see that none was "
             "wiped meanwhile; the file is made anew\"",
             path, error);
}

/* Of one that was never there nobody has known anything, and one that is alone
 * has nobody to know. */
static bool is_missed(const struct server *server)
{
    const struct rkv_member *members;

    return server->was_here && rkv_node_members(server->node, &members) > 1;
}

/* False: the file is to be made anew. */
static bool read_file(struct keep *keep)
{
    const char *damaged = "what was known of the peers is damaged";
    char text[LIVES_TEXT_MAX + 1], path[PATH_BYTES], error[128];

    path_of(keep, "peers", path);
    FILE *file = fopen(path, "r");
    if (!file && errno == ENOENT) {
        if (is_missed(keep->server))
            warn(keep, "what was known of the peers is missing",
                 strerror(ENOENT));
        return false;
    }
    if (!file) {
        warn(keep, damaged, strerror(errno));
        return false;
    }
    size_t len = fread(text, 1, sizeof text - 1, file);
    bool fine = !ferror(file);
    text[len] = '\0';
    if (!fine)
        warn(keep, damaged, strerror(errno));
    fclose(file);
    if (fine && lives_read(&keep->lives, keep->server->cluster, text, len,
                           error) != 0) {
        fine = false;
        warn(keep, damaged, error);
    }
    return fine;
}

void keep_load(struct keep *keep, struct server *server)
{
    keep->server = server;
    if (read_file(keep))
        return;
    keep->state++;
    begin(keep);
}

void keep_free(struct keep *keep)
{
    buffer_free(&keep->text);
}
