/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Unpacking a tarball; see install.h. libarchive parses, but writes nothing: names are
 * taken apart here, and every file is created by descriptors below one directory.
 */

#include "cli/install.h"

#include <errno.h>

#ifdef STOQ_HAVE_ARCHIVE

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/io.h"
#include "util/strbuf.h"

#define READ_SIZE 65536U

/* An archive being read. */
struct unpacking {
    struct archive *a;
    const char *path; /* of the archive */
    int to;
    struct cli_install_count count;
};

static int
refuse(const struct unpacking *u, const char *name, const char *why,
       struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL, "%s: %s: %s", u->path, name,
                          why);
}

static int
broken(const struct unpacking *u, struct stoq_error *err)
{
    const char *why = archive_error_string(u->a);
    return stoq_error_set(err, STOQ_ERROR_FORMAT, -EBADMSG, "%s: %s", u->path,
                          why ? why : "no tar archive");
}

/* Take @name apart; empty components and "." are dropped. @return 0; -EINVAL for a name
 * that leads elsewhere. */
static int
split(const struct unpacking *u, const char *name, struct stoq_strv *parts,
      struct stoq_error *err)
{
    STOQ_AUTOFREE char *copy = strdup(name);
    char *rest = NULL;
    if (!copy)
        return -ENOMEM;
    if (name[0] == '/')
        return refuse(u, name, "an absolute path", err);
    for (char *p = strtok_r(copy, "/", &rest); p; p = strtok_r(NULL, "/", &rest)) {
        if (strcmp(p, ".") == 0)
            continue;
        if (strcmp(p, "..") == 0)
            return refuse(u, name, "a path that leads out of the plugin", err);
        int r = cli_install_name(p, name, err);
        if (r == 0)
            r = stoq_strv_add(parts, p);
        if (r < 0)
            return r;
    }
    return parts->count <= CLI_INSTALL_DEPTH + 1
               ? 0
               : refuse(u, name, "nested too deep", err);
}

/* What is no file and no directory, and what everybody could write. */
static int
check_entry(const struct unpacking *u, struct archive_entry *e, const char *name,
            struct stoq_error *err)
{
    mode_t type = archive_entry_filetype(e);
    if (archive_entry_hardlink(e) || type == AE_IFLNK)
        return refuse(u, name, "a link", err);
    if (type != AE_IFREG && type != AE_IFDIR)
        return refuse(u, name, "neither a file nor a directory", err);
    if (archive_entry_perm(e) & S_IWOTH)
        return refuse(u, name, "everybody may write it", err);
    return 0;
}

static int
write_file(struct unpacking *u, struct archive_entry *e, int dir, const char *base,
           const char *name, struct stoq_error *err)
{
    char buf[READ_SIZE];
    bool program = archive_entry_perm(e) & S_IXUSR;
    STOQ_AUTOCLOSE int fd = cli_install_create(dir, base, program, name, err);
    if (fd < 0)
        return fd;
    int64_t size = archive_entry_size(e), done = 0;
    int r = size < 0 ? -EINVAL : cli_install_count(&u->count, (uint64_t)size, err);
    while (r == 0) {
        la_ssize_t n = archive_read_data(u->a, buf, sizeof(buf));
        if (n < 0)
            return broken(u, err);
        done += n;
        if (n == 0 || done > size)
            break;
        r = stoq_write_full(fd, buf, (size_t)n);
    }
    if (r == 0 && done != size)
        return refuse(u, name, "a sparse file, or one that lacks something", err);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    return r < 0
               ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", name, strerror(-r))
               : 0;
}

static bool
is_hidden(const struct stoq_strv *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        if (parts->items[i][0] == '.')
            return true;
    return false;
}

static int
write_entry(struct unpacking *u, struct archive_entry *e, const char *name,
            const struct stoq_strv *parts, struct stoq_error *err)
{
    bool is_dir = archive_entry_filetype(e) == AE_IFDIR;
    size_t dirs = parts->count - (is_dir ? 0 : 1);
    STOQ_AUTOCLOSE int at = dup(u->to);
    for (size_t i = 0; at >= 0 && i < dirs; i++) {
        int below = cli_install_mkdir(at, parts->items[i], true, name, err);
        (void)close(at);
        at = below;
    }
    if (at < 0)
        return err && err->code < 0 ? err->code : -EMFILE;
    return is_dir ? 0 : write_file(u, e, at, parts->items[dirs], name, err);
}

static int
take_entry(struct unpacking *u, struct archive_entry *e, struct stoq_error *err)
{
    struct stoq_strv parts = {0};
    const char *name = archive_entry_pathname(e);
    if (!name)
        return refuse(u, "an entry", "a name that cannot be read", err);
    int r = split(u, name, &parts, err);
    if (r == 0 && parts.count > 0 && !is_hidden(&parts)) {
        r = check_entry(u, e, name, err);
        if (r == 0 && archive_entry_filetype(e) == AE_IFDIR)
            r = cli_install_count(&u->count, 0, err);
        if (r == 0)
            r = write_entry(u, e, name, &parts, err);
    }
    stoq_strv_fini(&parts);
    return r;
}

int
cli_install_unpack(int fd, const char *path, int to, struct stoq_error *err)
{
    struct unpacking u = {.a = archive_read_new(), .path = path, .to = to};
    struct archive_entry *e;
    if (!u.a)
        return -ENOMEM;
    (void)archive_read_support_filter_gzip(u.a);
    (void)archive_read_support_filter_bzip2(u.a);
    (void)archive_read_support_filter_xz(u.a);
    (void)archive_read_support_filter_zstd(u.a);
    (void)archive_read_support_format_tar(u.a);
    int r =
        archive_read_open_fd(u.a, fd, READ_SIZE) == ARCHIVE_OK ? 0 : broken(&u, err);
    while (r == 0) {
        int got = archive_read_next_header(u.a, &e);
        if (got == ARCHIVE_EOF)
            break;
        r = got == ARCHIVE_OK ? take_entry(&u, e, err) : broken(&u, err);
    }
    (void)archive_read_free(u.a);
    return r;
}

#else

int
cli_install_unpack(int fd, const char *path, int to, struct stoq_error *err)
{
    (void)fd;
    (void)to;
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOTSUP,
                          "%s: this stoq was built without libarchive; unpack it and "
                          "install the directory",
                          path);
}

#endif
