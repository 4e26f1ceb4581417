/* SPDX-License-Identifier: Apache-2.0 */

/* See journal.h. Opcodes and layouts are those of uapi/linux/fuse.h. */

#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "session.h"
#include "util/auto.h"
#include "util/log.h"

#define MARK (UINT64_C(1) << 63) /* of a unique that is sent again */

enum {
    OP_SYMLINK = 6,
    OP_MKNOD = 8,
    OP_MKDIR = 9,
    OP_UNLINK = 10,
    OP_RMDIR = 11,
    OP_RENAME = 12,
    OP_LINK = 13,
    OP_WRITE = 16,
    OP_SETXATTR = 21,
    OP_REMOVEXATTR = 24,
    OP_CREATE = 35,
    OP_RENAME2 = 45,
};

struct in_header {
    uint32_t len, opcode;
    uint64_t unique, nodeid;
    uint32_t uid, gid, pid, extensions;
};
struct out_header {
    uint32_t len;
    int32_t error;
    uint64_t unique;
};

struct stoqfs_journal {
    pthread_mutex_t lock; /* around shared->left and the taking of records */
    struct stoqfs_shared *shared;
    pthread_key_t key; /* gives a thread's record back when it ends */
};

/* This thread's record, and whether its request is executed again. */
static _Thread_local struct stoqfs_request *mine;
static _Thread_local bool again;

/* ---------------------------------------------------------------- from mirror to
 * mirror
 */

static struct stoqfs_request *
find_left(struct stoqfs_shared *shared, uint64_t unique)
{
    for (size_t i = 0; i < STOQFS_LEFT_MAX; i++)
        if (shared->left[i].unique == unique)
            return &shared->left[i];
    return NULL;
}

/* What a mirror was executing when it died. Those left for longest make room: their
 * answers had been taken before, or their callers gave up. */
static void
leave(struct stoqfs_shared *shared, struct stoqfs_request *r)
{
    struct stoqfs_request *to = find_left(shared, r->unique);
    if (!to)
        to = find_left(shared, 0);
    if (!to) {
        to = &shared->left[0];
        for (size_t i = 1; i < STOQFS_LEFT_MAX; i++)
            if (shared->left[i].unique < to->unique)
                to = &shared->left[i];
    }
    *to = *r;
    to->crashes++;
    STOQFS_ORDER();
    r->unique = 0;
}

static void
give_back(void *arg)
{
    struct stoqfs_request *r = arg;
    r->unique = 0;
    STOQFS_ORDER();
    __atomic_store_n(&r->taken, false, __ATOMIC_RELEASE);
}

int
stoqfs_journal_new(struct stoqfs_session *s, struct stoqfs_journal **out)
{
    struct stoqfs_journal *j = calloc(1, sizeof(*j));
    if (!j)
        return -ENOMEM;
    int r = pthread_key_create(&j->key, give_back);
    if (r) {
        free(j);
        return -r;
    }
    (void)pthread_mutex_init(&j->lock, NULL);
    j->shared = s->shared;
    for (size_t i = 0; i < STOQFS_RUNNING_MAX; i++) {
        struct stoqfs_request *one = &j->shared->running[i];
        if (one->unique)
            leave(j->shared, one);
        one->taken = false;
    }
    *out = j;
    return 0;
}

void
stoqfs_journal_free(struct stoqfs_journal *j)
{
    if (!j)
        return;
    if (mine)
        give_back(mine);
    mine = NULL;
    (void)pthread_key_delete(j->key);
    (void)pthread_mutex_destroy(&j->lock);
    free(j);
}

/* -------------------------------------------------------------------- reading, sending
 */

/* A record for this thread. Without one, requests are executed as if they were new. */
static void
take_record(struct stoqfs_journal *j)
{
    (void)pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < STOQFS_RUNNING_MAX && !mine; i++) {
        struct stoqfs_request *r = &j->shared->running[i];
        if (!__atomic_load_n(&r->taken, __ATOMIC_ACQUIRE)) {
            r->taken = true;
            mine = r;
        }
    }
    (void)pthread_mutex_unlock(&j->lock);
    if (mine)
        (void)pthread_setspecific(j->key, mine);
}

static bool
is_kept(uint32_t opcode)
{
    switch (opcode) {
    case OP_SYMLINK:
    case OP_MKNOD:
    case OP_MKDIR:
    case OP_UNLINK:
    case OP_RMDIR:
    case OP_RENAME:
    case OP_RENAME2:
    case OP_LINK:
    case OP_WRITE:
    case OP_SETXATTR:
    case OP_REMOVEXATTR:
    case OP_CREATE:
        return true;
    default:
        return false;
    }
}

static void
start(const struct in_header *head, const struct stoqfs_request *before)
{
    struct stoqfs_request *r = mine;
    r->opcode = head->opcode;
    r->reply_size = 0;
    r->absent = r->noted = false;
    r->crashes = 0;
    if (before) {
        r->crashes = before->crashes;
        r->absent = before->absent;
        r->noted = before->noted;
        r->dev = before->dev;
        r->ino = before->ino;
        r->dev2 = before->dev2;
        r->ino2 = before->ino2;
        r->size = before->size;
    }
    STOQFS_ORDER();
    r->unique = head->unique & ~MARK;
}

/* The answer to what was done, or to what must not be tried again. */
static void
fill_reply(const struct in_header *head, const struct stoqfs_request *left,
           uint8_t *reply, size_t *size)
{
    struct out_header out = {.len = sizeof(out), .error = -EIO};
    *size = sizeof(out);
    if (left->reply_size) {
        *size = left->reply_size;
        memcpy(reply, left->reply, *size);
        memcpy(&out, reply, sizeof(out));
    } else {
        STOQ_ERROR("a request (operation %u) ended %u mirrors; it is answered EIO",
                   head->opcode, left->crashes);
    }
    out.unique = head->unique;
    memcpy(reply, &out, sizeof(out));
}

static enum stoqfs_begun
begin_again(struct stoqfs_journal *j, const struct in_header *head, uint8_t *reply,
            size_t *size)
{
    (void)pthread_mutex_lock(&j->lock);
    struct stoqfs_request *left = find_left(j->shared, head->unique & ~MARK);
    enum stoqfs_begun r = left ? STOQFS_AGAIN : STOQFS_EXECUTE;
    if (left && (left->reply_size || left->crashes >= STOQFS_DEADLY)) {
        fill_reply(head, left, reply, size);
        r = STOQFS_ANSWERED; /* stays, in case that we die before it is sent */
    } else if (mine) {
        start(head, left);
        STOQFS_ORDER();
        if (left)
            left->unique = 0;
    }
    (void)pthread_mutex_unlock(&j->lock);
    return r;
}

enum stoqfs_begun
stoqfs_journal_begin(struct stoqfs_journal *j, const char *buf, size_t n,
                     uint8_t *reply, size_t *size)
{
    struct in_header head;
    again = false;
    if (n < sizeof(head))
        return STOQFS_EXECUTE;
    memcpy(&head, buf, sizeof(head));
    if (!mine)
        take_record(j);
    if (head.unique & MARK) {
        enum stoqfs_begun r = begin_again(j, &head, reply, size);
        again = r == STOQFS_AGAIN;
        return r;
    }
    if (mine)
        start(&head, NULL);
    return STOQFS_EXECUTE;
}

bool
stoqfs_journal_reply(const struct iovec *iov, int count)
{
    struct out_header head;
    size_t at = 0;
    if (!mine || !mine->unique || count < 1 || iov[0].iov_len < sizeof(head))
        return false;
    memcpy(&head, iov[0].iov_base, sizeof(head));
    if ((head.unique & ~MARK) != mine->unique)
        return false;
    for (int i = 0; i < count && is_kept(mine->opcode); i++) {
        if (at + iov[i].iov_len > STOQFS_REPLY_MAX)
            return true;
        memcpy(mine->reply + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    STOQFS_ORDER();
    mine->reply_size = (uint32_t)at;
    return true;
}

void
stoqfs_journal_end(void)
{
    if (mine)
        mine->unique = 0;
    again = false;
}

uint64_t
stoqfs_journal_unique(void)
{
    return mine ? mine->unique : 0;
}

/* ------------------------------------------------------------------------- operations
 */

static bool
is_there(int dir, const char *name, uint64_t dev, uint64_t ino)
{
    struct stat st;
    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == dev &&
           st.st_ino == ino;
}

bool
stoqfs_is_again(void)
{
    return again;
}

void
stoqfs_note_make(int dir, const char *name)
{
    struct stat st;
    if (mine && !again)
        mine->absent =
            fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

void
stoqfs_note_xattr(const char *path, const char *name)
{
    if (!mine || again)
        return;
    mine->absent = getxattr(path, name, NULL, 0) < 0 && errno == ENODATA;
    mine->noted = !mine->absent;
}

int
stoqfs_made_before(int r)
{
    return r == -EEXIST && again && mine && mine->absent ? 0 : r;
}

void
stoqfs_note_move(const struct stat *st, const struct stat *other)
{
    if (!mine)
        return;
    mine->dev = st->st_dev;
    mine->ino = st->st_ino;
    mine->dev2 = other ? other->st_dev : 0;
    mine->ino2 = other ? other->st_ino : 0;
    STOQFS_ORDER();
    mine->noted = true;
}

bool
stoqfs_removed_before(void)
{
    return again && mine && mine->noted;
}

bool
stoqfs_moved_before(int dir, const char *name)
{
    return again && mine && mine->noted && is_there(dir, name, mine->dev, mine->ino);
}

bool
stoqfs_swapped_before(int from, const char *name, int to, const char *new_name)
{
    return stoqfs_moved_before(to, new_name) && mine->ino2 &&
           is_there(from, name, mine->dev2, mine->ino2);
}

/* How much of @p data is at @p off, in a file that may be open for writing only. */
static size_t
same_at(int fd, uint64_t off, const char *data, size_t size)
{
    char path[32], buf[4096];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    STOQ_AUTOCLOSE int in = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t done = 0;
    while (in >= 0 && done < size) {
        size_t want = size - done < sizeof(buf) ? size - done : sizeof(buf);
        ssize_t n = pread(in, buf, want, (off_t)(off + done));
        if (n <= 0 || memcmp(buf, data + done, (size_t)n) != 0)
            break;
        done += (size_t)n;
    }
    return done;
}

size_t
stoqfs_appended_before(int fd, const void *data, size_t size)
{
    struct stat st;
    if (!mine || fstat(fd, &st) < 0)
        return 0;
    if (!again || !mine->noted) {
        mine->size = (uint64_t)st.st_size;
        STOQFS_ORDER();
        mine->noted = true;
        return 0;
    }
    return same_at(fd, mine->size, data, size);
}
