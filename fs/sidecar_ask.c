/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a request to the gate and back. The file is opened only when it must be scanned.
 */

#include "sidecar_ask.h"

#include <fcntl.h>

#include "util/auto.h"

static void
answered(void *arg, const struct stoqfs_answer *answer)
{
    struct stoqfs_asking *a = arg;
    a->end(a, answer);
}

/* @return as stoqfs_gate_ask(). */
static int
ask(struct stoqfs_asking *a, struct stoqfs_answer *now)
{
    struct stoqfs *fs = a->fs;
    int r = stoqfs_node_stat(fs->nodes, a->base, &a->st);
    if (r < 0)
        return r;
    if (!S_ISREG(a->st.st_mode))
        return -ENOENT;
    if (stoqfs_gate_known(fs->gate, &a->st, a->stored, now))
        return 1;
    STOQ_AUTOCLOSE int fd =
        stoqfs_node_open_unseen(fs->nodes, a->base, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return fd;
    if (fstat(fd, &a->st) < 0)
        return -errno;
    /* a copy: `a` may be gone when the gate looks */
    const struct stat st = a->st;
    const struct stoqfs_question q = {.fd = fd,
                                      .st = &st,
                                      .node = a->base,
                                      .priority = STOQ_PRIORITY_SIDECAR,
                                      .stored = a->stored,
                                      .req = a->req,
                                      .fn = answered,
                                      .arg = a};
    return stoqfs_gate_ask(fs->gate, &q, now);
}

void
stoqfs_asking_start(struct stoqfs_asking *a)
{
    struct stoqfs_answer now = {.verdict = STOQ_VERDICT_ERROR};
    int r = ask(a, &now);
    if (r == 0)
        return;
    if (r < 0)
        now.status = r == -ESTALE ? -ENOENT : r;
    a->end(a, &now);
}

int
stoqfs_asking_errno(const struct stoqfs_answer *answer)
{
    if (answer->status < 0)
        return -answer->status;
    if (answer->known)
        return 0;
    return answer->verdict == STOQ_VERDICT_TIMEOUT ? ETIMEDOUT : EIO;
}
