/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Provider: the files of a directory, or one file. Names are sorted, files whose names
 * start with a dot and symbolic links are left out; who can write the directory must
 * not make us read other files. Files that vanish meanwhile are no error.
 */

#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "filedir.h"

struct walk {
    const struct stoq_filedir *fd;
    struct stoq_queue *queue;
    size_t failed;
    char first[256]; /* the first failure */
};

static void
walk_failed(struct walk *w, const char *path, int code)
{
    stoq_ctx_log(w->fd->ctx, STOQ_LEVEL_WARNING, "%s: %s", path, strerrordesc_np(code));
    if (w->failed++ == 0)
        (void)snprintf(w->first, sizeof w->first, "%.180s: %s", path,
                       strerrordesc_np(code));
}

/* extra_data of a file: {filename, source_dir}. */
static json_t *
extra_data(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t dir = slash ? (size_t)(slash - path) : 0;
    json_t *extra = json_object();
    if (!extra || stoq_json_set_text(extra, "filename", name, strlen(name)) < 0 ||
        stoq_json_set_text(extra, "source_dir", dir > 0 ? path : "/",
                           dir > 0 ? dir : 1) < 0) {
        json_decref(extra);
        return NULL;
    }
    return extra;
}

/* Queue one file. @return 0 also when it is left out; what stops the walk < 0. */
static int
walk_file(struct walk *w, const char *path)
{
    const char *slash = strrchr(path, '/');
    if ((slash ? slash[1] : path[0]) == '.')
        return 0;
    /* O_NONBLOCK: the name may be a FIFO by now. */
    PLUGIN_AUTOCLOSE int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        if (errno != ENOENT && errno != ELOOP && errno != ENXIO)
            walk_failed(w, path, errno);
        return 0;
    }
    if (!S_ISREG(st.st_mode))
        return 0;
    json_t *extra = extra_data(path);
    if (!extra)
        return -ENOMEM;
    int taken = fd;
    fd = -1;
    return stoq_queue_put_fd(w->queue, taken, path, extra);
}

static int
by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int
walk_tree(struct walk *w, char *root)
{
    char *roots[] = {root, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (!fts)
        return -errno;
    int r = 0;
    FTSENT *e;
    while (r == 0 && (e = fts_read(fts))) {
        switch (e->fts_info) {
        case FTS_D:
            if (e->fts_level > 0 && !w->fd->recursive)
                (void)fts_set(fts, e, FTS_SKIP);
            break;
        case FTS_F:
            r = walk_file(w, e->fts_path);
            break;
        case FTS_DNR:
        case FTS_ERR:
        case FTS_NS:
            if (e->fts_errno != ENOENT)
                walk_failed(w, e->fts_path, e->fts_errno);
            break;
        default:
            break;
        }
    }
    (void)fts_close(fts);
    return r;
}

int
stoq_filedir_ingest(void *instance, struct stoq_queue *queue, unsigned flags,
                    struct stoq_error *err)
{
    (void)flags;
    const struct stoq_filedir *fd = instance;
    if (!fd->source_dir[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "source_dir is not set");
    PLUGIN_AUTOFREE char *root = realpath(fd->source_dir, NULL);
    struct stat st;
    if (!root || stat(root, &st) < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno, "source_dir %s: %s",
                              fd->source_dir, strerrordesc_np(errno));

    struct walk w = {.fd = fd, .queue = queue};
    int r = S_ISDIR(st.st_mode) ? walk_tree(&w, root) : walk_file(&w, root);
    if (r < 0)
        return r == -ECANCELED
                   ? 0
                   : stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "source_dir %s: %s",
                                    root, strerrordesc_np(-r));
    if (w.failed > 0)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO,
                              "%zu files could not be read, the first: %s", w.failed,
                              w.first);
    return 0;
}
