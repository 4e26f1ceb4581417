/* SPDX-License-Identifier: Apache-2.0 */

/*
 * See pass.h. Layouts and numbers are those of the kernel's uapi/linux/fuse.h, protocol
 * 7.40, which the headers of older distributions do not have.
 */

#include "pass.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "journal.h"
#include "node.h"
#include "opens.h"
#include "session.h"
#include "source.h"
#include "util/auto.h"
#include "util/log.h"

#define OPCODE_INIT    26U
#define INIT_EXT       (UINT32_C(1) << 30)
#define INIT2_PASS     (UINT32_C(1) << 5) /* FUSE_PASSTHROUGH, bit 37 of both words */
#define INIT2_RESEND   (UINT32_C(1) << 7) /* FUSE_HAS_RESEND, bit 39 */
#define NOTIFY_RESEND  7
#define OPCODE_OPEN    14U
#define OPCODE_OPENDIR 27U
#define OPCODE_CREATE  35U
#define OPCODE_TMPFILE 51U
#define MARK           (UINT64_C(1) << 63) /* of a unique that is sent again */
#define FLAG_DIRECT_IO (UINT32_C(1) << 0)
#define FLAG_NOFLUSH   (UINT32_C(1) << 5)
#define FLAG_PASS      (UINT32_C(1) << 7)

struct in_header {
    uint32_t len, opcode;
    uint64_t unique, nodeid;
    uint32_t uid, gid, pid, extensions;
};
struct init_in {
    uint32_t major, minor, max_readahead, flags, flags2;
};
struct out_header {
    uint32_t len;
    int32_t error;
    uint64_t unique;
};
struct init_out { /* up to what is patched */
    uint32_t major, minor, max_readahead, flags;
    uint16_t max_background, congestion_threshold;
    uint32_t max_write, time_gran;
    uint16_t max_pages, map_alignment;
    uint32_t flags2, max_stack_depth;
};
struct open_out {
    uint64_t fh;
    uint32_t flags;
    int32_t backing;
};
struct backing_map {
    int32_t fd;
    uint32_t flags;
    uint64_t padding;
};
#define BACKING_OPEN  _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

struct stoqfs_pass {
    pthread_mutex_t lock; /* around the handles of nodes */
    int fuse_fd;          /* borrowed */
    struct stoqfs *fs;
    bool replaying; /* INIT was answered by a mirror before */
    /* written while INIT is answered, before there are threads */
    bool wanted, offered, answered, on;
    uint64_t init; /* unique of the request INIT */
    uint32_t depth;
    const char *state;
};

/* ------------------------------------------------------------- the session's channel
 */

static void
look_at_init(struct stoqfs_pass *p, const char *buf, size_t size)
{
    struct in_header head;
    struct init_in in;

    if (size < sizeof head + sizeof in)
        return;
    memcpy(&head, buf, sizeof head);
    memcpy(&in, buf + sizeof head, sizeof in);
    if (head.opcode != OPCODE_INIT)
        return;
    p->init = head.unique;
    p->offered = (in.flags & INIT_EXT) && (in.flags2 & INIT2_PASS);
    if (p->replaying)
        return;
    struct stoqfs_session *s = p->fs->session;
    if (!(in.flags & INIT_EXT) || !(in.flags2 & INIT2_RESEND))
        stoqfs_session_give_up(s, "the kernel cannot send requests again (6.9 can)");
    if (size > STOQFS_INIT_MAX)
        stoqfs_session_give_up(s, "the kernel's greeting is too long");
    else
        memcpy(s->shared->init, buf, size);
    s->shared->init_size = (uint32_t)size;
}

/* A request as it comes. @return false when it needs no more answering. */
static bool
begin(struct stoqfs *fs, const char *buf, size_t n)
{
    uint8_t reply[STOQFS_REPLY_MAX];
    size_t size = 0;
    struct in_header head;
    switch (stoqfs_journal_begin(fs->journal, buf, n, reply, &size)) {
    case STOQFS_ANSWERED:
        if (write(fuse_session_fd(fs->se), reply, size) < 0)
            STOQ_DEBUG("nobody takes an answer: %s", strerror(errno));
        return false;
    case STOQFS_AGAIN:
    case STOQFS_EXECUTE:
    default:
        break;
    }
    if (n < sizeof head)
        return true;
    memcpy(&head, buf, sizeof head);
    if (head.unique & MARK &&
        (head.opcode == OPCODE_OPEN || head.opcode == OPCODE_OPENDIR ||
         head.opcode == OPCODE_CREATE || head.opcode == OPCODE_TMPFILE))
        stoqfs_opens_undo(fs, head.unique & ~MARK);
    return true;
}

/* libfuse does not know the making of files without a name (O_TMPFILE). It is asked for
 * as the making of others is, with the name "/", and that is what libfuse gets. */
static void
know_tmpfile(char *buf, size_t size)
{
    struct in_header head;

    if (size < sizeof head)
        return;
    memcpy(&head, buf, sizeof head);
    if (head.opcode != OPCODE_TMPFILE)
        return;
    head.opcode = OPCODE_CREATE;
    memcpy(buf, &head, sizeof head);
}

static ssize_t
channel_read(int fd, void *buf, size_t size, void *userdata)
{
    struct stoqfs *fs = userdata;
    struct stoqfs_pass *p = fs->pass;

    stoqfs_journal_end();
    for (;;) {
        ssize_t n = read(fd, buf, size);

        if (!p->answered && n > 0)
            look_at_init(p, buf, (size_t)n);
        if (n > 0 && !begin(fs, buf, (size_t)n))
            continue;
        if (n > 0)
            know_tmpfile(buf, (size_t)n);
        return n;
    }
}

/* Add what libfuse does not know to its answer to INIT. */
static void
patch_init(struct stoqfs_pass *p, const struct iovec *iov, int count)
{
    struct out_header head;
    struct init_out out;

    if (count < 2 || iov[0].iov_len != sizeof head || iov[1].iov_len < sizeof out)
        return;
    memcpy(&head, iov[0].iov_base, sizeof head);
    if (head.unique != p->init || head.error)
        return;
    p->answered = true;
    if (!p->wanted || !p->offered)
        return;
    memcpy(&out, iov[1].iov_base, sizeof out);
    out.flags |= INIT_EXT;
    out.flags2 |= INIT2_PASS;
    out.max_stack_depth = p->depth;
    memcpy(iov[1].iov_base, &out, sizeof out);
}

static size_t
size_of(const struct iovec *iov, int count)
{
    size_t size = 0;

    for (int i = 0; i < count; i++)
        size += iov[i].iov_len;
    return size;
}

static ssize_t
channel_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    struct stoqfs *fs = userdata;
    struct stoqfs_pass *p = fs->pass;

    if (!p->answered) {
        patch_init(p, iov, count);
        if (p->replaying) /* the kernel has an answer */
            return (ssize_t)size_of(iov, count);
    }
    bool ours = stoqfs_journal_reply(iov, count);
    ssize_t n = writev(fd, iov, count);
    if (ours)
        stoqfs_journal_end();
    return n;
}

static ssize_t
channel_splice(int in, off_t *in_off, int out, off_t *out_off, size_t size,
               unsigned flags, void *userdata)
{
    (void)userdata;
    return splice(in, in_off, out, out_off, size, flags);
}

/* The kernel has sent INIT when it mounted; take it now, so that the log can say what
 * was agreed before anybody is told that the mount is usable. */
static int
answer_init(struct stoqfs *fs)
{
    struct stoqfs_shared *shared = fs->session->shared;
    struct fuse_buf buf = {0};

    if (fs->pass->replaying) {
        look_at_init(fs->pass, shared->init, shared->init_size);
        buf.mem = shared->init;
        buf.size = shared->init_size;
        fuse_session_process_buf(fs->se, &buf);
        return 0;
    }
    int r = fuse_session_receive_buf(fs->se, &buf);

    if (r > 0)
        fuse_session_process_buf(fs->se, &buf);
    free(buf.mem);
    stoqfs_journal_end();
    return r > 0 ? 0 : -EIO;
}

static int
attach(struct stoqfs *fs, int fuse_fd)
{
    static const struct fuse_custom_io io = {
        .read = channel_read,
        .writev = channel_writev,
        .splice_send = channel_splice,
        .splice_receive = channel_splice,
    };
    /* The session closes its own. By dup(2), which race detectors follow: that requests
     * come in order through this descriptor is all that orders their handlers. */
    int fd = dup(fuse_fd);
    int r = fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
    if (r == 0)
        r = fuse_session_custom_io(fs->se, &io, fd);

    if (r < 0 && fd >= 0)
        (void)close(fd);
    return r < 0 ? r : answer_init(fs);
}

/* ---------------------------------------------------------------- whether it is to be
 */

/* How many filesystems may be stacked below ours. */
static uint32_t
depth_of(int source_fd)
{
    return stoqfs_source_is_stacked(source_fd) ? 2 : 1;
}

static int32_t
backing_open(const struct stoqfs_pass *p, int fd)
{
    struct backing_map map = {.fd = fd};
    int id = ioctl(p->fuse_fd, BACKING_OPEN, &map);

    return id > 0 ? id : -errno;
}

static void
backing_close(const struct stoqfs_pass *p, int32_t id)
{
    uint32_t number = (uint32_t)id;

    if (ioctl(p->fuse_fd, BACKING_CLOSE, &number) < 0)
        STOQ_DEBUG("backing file %d: %s", (int)id, strerror(errno));
}

/* Ask for one, of a file that is nobody's. */
static void
probe(struct stoqfs_pass *p)
{
    STOQ_AUTOCLOSE int fd = memfd_create("stoqfs-probe", MFD_CLOEXEC);
    int32_t id = fd < 0 ? -errno : backing_open(p, fd);

    if (id > 0)
        backing_close(p, id);
    p->on = id > 0;
    if (p->on)
        p->state = "from 1 MiB";
    else if (id == -EPERM)
        p->state = "off: it takes CAP_SYS_ADMIN";
    else
        p->state = "off: the kernel refuses it";
}

int
stoqfs_pass_new(struct stoqfs *fs, int fuse_fd, struct stoqfs_pass **out,
                struct stoq_error *err)
{
    struct stoqfs_pass *p = calloc(1, sizeof *p);
    int r;

    if (!p)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    (void)pthread_mutex_init(&p->lock, NULL);
    p->fuse_fd = fuse_fd;
    p->fs = fs;
    p->replaying = fs->session->shared->init_size > 0;
    p->wanted = fs->options->passthrough;
    p->depth = depth_of(fs->source_fd);
    *out = p; /* the hooks look for it */
    r = attach(fs, fuse_fd);
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r,
                              "cannot make a FUSE session on the mount: %s",
                              strerror(-r));
    if (!p->wanted)
        p->state = "off: switched off";
    else if (!p->offered)
        p->state = "off: the kernel has none (6.9 is needed)";
    else
        probe(p);
    return 0;
}

void
stoqfs_pass_free(struct stoqfs_pass *p)
{
    if (!p)
        return;
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

bool
stoqfs_pass_resend(struct stoqfs_pass *p)
{
    const struct out_header message = {.len = sizeof message, .error = NOTIFY_RESEND};

    return write(p->fuse_fd, &message, sizeof message) >= 0;
}

const char *
stoqfs_pass_state(const struct stoqfs_pass *p)
{
    return p->state;
}

/* --------------------------------------------------------------------------- handles
 */

/* The first handle of a node: 0 when it is to use the page cache. */
static int32_t
first_backing(const struct stoqfs_pass *p, int fd, const struct stat *st, bool writes)
{
    int32_t id = 0;

    if (p->on && !writes && st && S_ISREG(st->st_mode) &&
        st->st_size >= STOQFS_PASS_MIN)
        id = backing_open(p, fd);
    /* Files of a deeper stack, out of memory: it is only speed. */
    return id > 0 ? id : 0;
}

void
stoqfs_pass_revive(struct stoqfs_node *n, int32_t backing)
{
    struct stoqfs_handles *h = stoqfs_node_handles(n);

    h->count += backing ? -1 : 1;
    h->backing = backing;
}

bool
stoqfs_pass_is_open(struct stoqfs_pass *p, struct stoqfs_node *n)
{
    pthread_mutex_lock(&p->lock);
    bool open = stoqfs_node_handles(n)->count != 0;
    pthread_mutex_unlock(&p->lock);
    return open;
}

int32_t
stoqfs_pass_begin(struct stoqfs_pass *p, struct stoqfs_node *n, int fd,
                  const struct stat *st, bool writes)
{
    struct stoqfs_handles *h = stoqfs_node_handles(n);
    int32_t id;

    pthread_mutex_lock(&p->lock);
    if (h->count == 0)
        h->backing = first_backing(p, fd, st, writes);
    id = h->backing;
    h->count += id ? -1 : 1;
    pthread_mutex_unlock(&p->lock);
    return id;
}

bool
stoqfs_pass_end(struct stoqfs_pass *p, struct stoqfs_node *n)
{
    struct stoqfs_handles *h = stoqfs_node_handles(n);
    int32_t id;

    pthread_mutex_lock(&p->lock);
    id = h->backing;
    h->count += id ? 1 : -1;
    if (h->count == 0)
        h->backing = 0;
    if (id && h->count == 0)
        backing_close(p, id);
    pthread_mutex_unlock(&p->lock);
    return id != 0;
}

int
stoqfs_pass_reply(fuse_req_t req, int32_t backing, bool writes,
                  const struct fuse_file_info *fi)
{
    struct open_out out = {.fh = fi->fh, .flags = FLAG_PASS, .backing = backing};
    const struct iovec iov = {.iov_base = &out, .iov_len = sizeof out};

    /* What is written comes by way of us: it is to be noticed. */
    if (writes)
        out.flags |= FLAG_DIRECT_IO;
    if (fi->noflush)
        out.flags |= FLAG_NOFLUSH;
    return fuse_reply_iov(req, &iov, 1);
}
