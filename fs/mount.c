/* SPDX-License-Identifier: Apache-2.0 */

/* Mount options, and a session that exists only to mount and unmount. */

#define FUSE_USE_VERSION 314
#include "mount.h"

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <spawn.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/log.h"

struct stoqfs_mount {
    struct fuse_session *se;
    int fd; /* of our own: detaching closes the library's */
    bool mounted;
};

static bool
has_word(const struct stoqfs_options *o, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < o->fuse_args.count; i++)
        if (strncmp(o->fuse_args.items[i], word, n) == 0)
            return true;
    return false;
}

/* "key=value" with what -o would split escaped. */
static int
add_escaped(struct fuse_args *args, const char *key, const char *value)
{
    struct stoq_strbuf b = {0};
    stoq_strbuf_addf(&b, "-o%s=", key);
    for (const char *p = value; *p; p++) {
        if (*p == ',' || *p == '\\')
            stoq_strbuf_adds(&b, "\\");
        stoq_strbuf_add(&b, p, 1);
    }
    STOQ_AUTOFREE char *text = stoq_strbuf_steal(&b);
    return text ? fuse_opt_add_arg(args, text) : -1;
}

static int
build_args(const struct stoqfs_options *o, struct fuse_args *args)
{
    int r = fuse_opt_add_arg(args, "stoqfs");
    /* the kernel checks modes and ACLs: the daemon's own rights are wider than a user's
     */
    r |= fuse_opt_add_arg(args, "-odefault_permissions");
    if (geteuid() == 0 && !o->noallow_other && !has_word(o, "allow_"))
        r |= fuse_opt_add_arg(args, "-oallow_other");
    if (o->read_only)
        r |= fuse_opt_add_arg(args, "-oro");
    if (!has_word(o, "subtype="))
        r |= fuse_opt_add_arg(args, "-osubtype=stoqfs");
    if (!has_word(o, "fsname="))
        r |= add_escaped(args, "fsname", o->source);
    for (size_t i = 0; i < o->fuse_args.count; i++) {
        struct stoq_strbuf b = {0};
        stoq_strbuf_addf(&b, "-o%s", o->fuse_args.items[i]);
        STOQ_AUTOFREE char *text = stoq_strbuf_steal(&b);
        r |= text ? fuse_opt_add_arg(args, text) : -1;
    }
    return r ? -ENOMEM : 0;
}

int
stoqfs_mount_new(const struct stoqfs_options *o, struct stoqfs_mount **out,
                 struct stoq_error *err)
{
    static const struct fuse_lowlevel_ops none = {0};
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct stoqfs_mount *m = calloc(1, sizeof(*m));
    if (!m || build_args(o, &args) < 0) {
        free(m);
        fuse_opt_free_args(&args);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    m->fd = -1;
    m->se = fuse_session_new(&args, &none, sizeof(none), NULL);
    fuse_opt_free_args(&args);
    if (!m->se || fuse_session_mount(m->se, o->mountpoint) != 0) {
        int code = errno;
        stoqfs_mount_free(m);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, code ? -code : -EIO,
                              "cannot mount at %s (see the line above)", o->mountpoint);
    }
    m->mounted = true;
    m->fd = dup(fuse_session_fd(m->se)); /* not by fcntl(2): see attach() in pass.c */
    if (m->fd < 0 || fcntl(m->fd, F_SETFD, FD_CLOEXEC) < 0) {
        int code = errno;
        stoqfs_mount_free(m);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -code, "cannot mount: %s",
                              strerror(code));
    }
    *out = m;
    return 0;
}

int
stoqfs_mount_fd(const struct stoqfs_mount *m)
{
    return m->fd;
}

void
stoqfs_mount_detach(struct stoqfs_mount *m)
{
    if (m && m->mounted)
        fuse_session_unmount(m->se);
    if (m)
        m->mounted = false;
}

void
stoqfs_mount_free(struct stoqfs_mount *m)
{
    if (!m)
        return;
    stoqfs_mount_detach(m);
    if (m->se)
        fuse_session_destroy(m->se);
    stoq_auto_close(&m->fd);
    free(m);
}

void
stoqfs_mount_take_away(const char *mountpoint)
{
    char *argv[] = {(char[]){"fusermount3"}, (char[]){"-uz"}, (char[]){"--"}, NULL,
                    NULL};
    STOQ_AUTOFREE char *path = strdup(mountpoint);
    pid_t pid;
    int status;
    if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || !path)
        return;
    argv[3] = path;
    if (posix_spawnp(&pid, "fusermount3", NULL, NULL, argv, environ) == 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
}
