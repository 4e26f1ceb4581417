/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Identity of the current thread while it acts for a caller. Ids, groups, capabilities
 * and umask are set for this thread alone, by system calls that the C library does not
 * spread over all threads; for the umask the thread leaves the shared fs_struct first.
 */

#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ops.h"
#include "util/auto.h"

struct caps {
    struct __user_cap_data_struct data[2];
};

/* What the process was started with; constant after the first use. */
static struct {
    bool privileged; /* can take on other ids */
    uid_t uid;
    gid_t gid;
    int ngroups;
    gid_t *groups;
    struct caps own, acting;
} self;
static pthread_once_t self_once = PTHREAD_ONCE_INIT;

static _Thread_local bool own_umask;

static bool
has_cap(const struct caps *c, unsigned cap)
{
    return c->data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

static void
set_caps(const struct caps *c)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    (void)syscall(SYS_capset, &head, c->data);
}

static void
learn_self(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    self.uid = geteuid();
    self.gid = getegid();
    if (syscall(SYS_capget, &head, self.own.data) < 0)
        return;
    self.privileged = has_cap(&self.own, CAP_SETUID) && has_cap(&self.own, CAP_SETGID);
    self.acting = self.own;
    self.acting.data[CAP_TO_INDEX(CAP_FSETID)].effective &= ~CAP_TO_MASK(CAP_FSETID);
    /* with it, quotas and the blocks kept for root would not stop a caller */
    self.acting.data[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective &=
        ~CAP_TO_MASK(CAP_SYS_RESOURCE);
    /* groups of ours would make callers members of them */
    if (self.privileged)
        (void)setgroups(0, NULL);
    int n = getgroups(0, NULL);
    if (n > 0)
        self.groups = calloc((size_t)n, sizeof(*self.groups));
    if (self.groups)
        self.ngroups = getgroups(n, self.groups);
    if (self.ngroups < 0)
        self.ngroups = 0;
}

static void
enter_umask(const struct fuse_ctx *ctx, struct stoqfs_creds *c)
{
    if (!own_umask) {
        /* else the umask of every thread would change */
        if (unshare(CLONE_FS) < 0)
            return;
        own_umask = true;
    }
    c->umask = umask(ctx->umask);
    c->masked = true;
}

static void
enter_ids(const struct fuse_ctx *ctx, struct stoqfs_creds *c)
{
    (void)setfsgid(ctx->gid);
    (void)setfsuid(ctx->uid);
    if (ctx->uid != 0)
        set_caps(&self.acting); /* leaving 0 took more than CAP_FSETID */
    c->active = true;
}

static bool
is_self(const struct fuse_ctx *ctx)
{
    return ctx->uid == self.uid && ctx->gid == self.gid;
}

void
stoqfs_creds_enter(fuse_req_t req, struct stoqfs_creds *c)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    memset(c, 0, sizeof(*c));
    (void)pthread_once(&self_once, learn_self);
    enter_umask(ctx, c);
    if (self.privileged && !is_self(ctx))
        enter_ids(ctx, c);
}

int
stoqfs_creds_enter_groups(fuse_req_t req, struct stoqfs_creds *c)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    memset(c, 0, sizeof(*c));
    (void)pthread_once(&self_once, learn_self);
    enter_umask(ctx, c);
    if (!self.privileged || is_self(ctx))
        return 0;
    gid_t few[64];
    STOQ_AUTOFREE gid_t *many = NULL;
    const gid_t *groups = few;
    int room = (int)STOQ_ARRAY_SIZE(few);
    int n = fuse_req_getgroups(req, room, few);
    if (n > room) {
        room = n;
        many = calloc((size_t)n, sizeof(*many));
        groups = many;
        n = many ? fuse_req_getgroups(req, room, many) : -ENOMEM;
        if (n > room)
            n = room;
    }
    if (n < 0) {
        stoqfs_creds_leave(c);
        return -EPERM;
    }
    /* not setgroups(): that changes every thread */
    if (syscall(SYS_setgroups, (size_t)n, groups) == 0)
        c->groups = true;
    enter_ids(ctx, c);
    return 0;
}

void
stoqfs_creds_enter_writer(fuse_req_t req, struct stoqfs_creds *c)
{
    const struct fuse_ctx *ctx = fuse_req_ctx(req);
    memset(c, 0, sizeof(*c));
    if (ctx->uid == 0)
        return;
    (void)pthread_once(&self_once, learn_self);
    if (self.privileged && ctx->uid != self.uid) {
        (void)setfsgid(
            ctx->gid); /* who is in the file's group keeps its set-group-id */
        (void)setfsuid(ctx->uid);
        set_caps(&self.acting);
        c->active = true;
    }
}

void
stoqfs_creds_leave(struct stoqfs_creds *c)
{
    int saved = errno;
    if (c->active) {
        (void)setfsuid(self.uid);
        (void)setfsgid(self.gid);
        set_caps(&self.own);
    }
    if (c->groups)
        (void)syscall(SYS_setgroups, (size_t)self.ngroups, self.groups);
    if (c->masked)
        (void)umask(c->umask);
    memset(c, 0, sizeof(*c));
    errno = saved;
}
