/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Walks with fts(3): it reports cycles, errors and dangling links one by one, and
 * sorts. Files are opened without blocking, so that a FIFO is refused instead of waited
 * for.
 */

#include "cli/inputs.h"

#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/io.h"

struct cli_inputs {
    const struct stoq_strv *names;
    size_t next;    /* index into names */
    FTS *walk;      /* of a directory being walked, or NULL */
    char *roots[2]; /* of that walk: fts takes a terminated array */
    bool stdin_done;
};

void
cli_input_fini(struct cli_input *in)
{
    if (in->fd >= 0)
        (void)close(in->fd);
    free(in->path);
    free(in->name);
    free(in->owner);
    *in = (struct cli_input){.fd = -1};
}

int
cli_inputs_new(const struct stoq_strv *names, struct cli_inputs **out)
{
    struct cli_inputs *it = calloc(1, sizeof(*it));
    if (!it)
        return -ENOMEM;
    it->names = names;
    *out = it;
    return 0;
}

void
cli_inputs_free(struct cli_inputs *it)
{
    if (!it)
        return;
    if (it->walk)
        (void)fts_close(it->walk);
    free(it->roots[0]);
    free(it);
}

char *
cli_owner_of(uid_t uid)
{
    char buf[4096], *text = NULL;
    struct passwd pw, *found = NULL;
    if (getpwuid_r(uid, &pw, buf, sizeof(buf), &found) == 0 && found)
        return strdup(pw.pw_name);
    return asprintf(&text, "%u", (unsigned)uid) < 0 ? NULL : text;
}

static int
fail(struct stoq_error *err, const char *path, int code)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "%s: %s", path,
                          strerror(code < 0 ? -code : code));
}

static int
fill(struct cli_input *out, const char *path, struct stoq_error *err)
{
    struct stat st;
    STOQ_AUTOCLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return fail(err, path, -errno);
    if (fstat(fd, &st) < 0)
        return fail(err, path, -errno);
    if (!S_ISREG(st.st_mode))
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EINVAL,
                              "%s: not a regular file; nothing to scan", path);
    const char *slash = strrchr(path, '/');
    *out = (struct cli_input){.fd = -1, .size = (uint64_t)st.st_size};
    out->path = realpath(path, NULL);
    if (!out->path)
        out->path = strdup(path);
    out->name = strdup(slash ? slash + 1 : path);
    out->owner = cli_owner_of(st.st_uid);
    if (!out->path || !out->name || !out->owner) {
        cli_input_fini(out);
        return fail(err, path, -ENOMEM);
    }
    out->fd = STOQ_STEAL_FD(&fd);
    return 1;
}

/* Standard input as a file: as it is when it is one at its start, else copied. */
static int
take_stdin(struct cli_input *out, struct stoq_error *err)
{
    struct stat st;
    char buf[65536];
    if (fstat(STDIN_FILENO, &st) < 0)
        return fail(err, "standard input", -errno);
    *out = (struct cli_input){.fd = -1};
    STOQ_AUTOCLOSE int fd = -1;
    if (S_ISREG(st.st_mode) && lseek(STDIN_FILENO, 0, SEEK_CUR) == 0) {
        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            return fail(err, "standard input", -errno);
    } else {
        fd = memfd_create("stdin", MFD_CLOEXEC);
        ssize_t n = 0;
        int r = fd < 0 ? -errno : 0;
        while (r == 0 && (n = read(STDIN_FILENO, buf, sizeof(buf))) != 0) {
            if (n < 0 && errno != EINTR)
                r = -errno;
            else if (n > 0)
                r = stoq_write_full(fd, buf, (size_t)n);
        }
        if (r == 0 && fstat(fd, &st) < 0)
            r = -errno;
        if (r < 0)
            return fail(err, "standard input", r);
    }
    out->size = (uint64_t)st.st_size;
    out->fd = STOQ_STEAL_FD(&fd);
    return 1;
}

static int
by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Next file of the walk. @return as cli_inputs_next(), 0 at its end. */
static int
walk_next(struct cli_inputs *it, struct cli_input *out, struct stoq_error *err)
{
    FTSENT *e;
    while ((e = fts_read(it->walk))) {
        switch (e->fts_info) {
        case FTS_F:
            return fill(out, e->fts_accpath, err);
        case FTS_DNR:
        case FTS_ERR:
        case FTS_NS:
            return fail(err, e->fts_path, -e->fts_errno);
        default:
            /* directories; links, FIFOs, sockets, devices: nothing to scan */
            break;
        }
    }
    (void)fts_close(it->walk);
    it->walk = NULL;
    return 0;
}

static int
start_walk(struct cli_inputs *it, const char *dir, struct stoq_error *err)
{
    free(it->roots[0]);
    it->roots[0] = strdup(dir);
    it->walk =
        it->roots[0]
            ? fts_open(it->roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name)
            : NULL;
    return it->walk ? 0 : fail(err, dir, -errno);
}

int
cli_inputs_next(struct cli_inputs *it, struct cli_input *out, struct stoq_error *err)
{
    for (;;) {
        struct stat st;
        if (it->walk) {
            int r = walk_next(it, out, err);
            if (r != 0)
                return r;
        }
        if (it->names->count == 0) {
            if (it->stdin_done)
                return 0;
            it->stdin_done = true;
            return take_stdin(out, err);
        }
        if (it->next == it->names->count)
            return 0;
        const char *name = it->names->items[it->next++];
        if (strcmp(name, "-") == 0)
            return take_stdin(out, err);
        if (stat(name, &st) < 0)
            return fail(err, name, -errno);
        if (!S_ISDIR(st.st_mode))
            return fill(out, name, err);
        int r = start_walk(it, name, err);
        if (r < 0)
            return r;
    }
}
