/* SPDX-License-Identifier: Apache-2.0 */

/* The file holds paths below SRC, each ended by a NUL: names may hold anything else.
 * While they are being scanned it has another name, under which they are found by a
 * start that follows a crash. */

#include "pending.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gate.h"
#include "gate_open.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/log.h"
#include "util/strbuf.h"

#define LARGEST (UINT64_C(64) << 20)

struct list {
    struct stoq_strbuf text;
    int count;
};

#define LEFT  "pending"
#define BEGUN "pending.begun"

static char *
file_name(const struct stoqfs *fs, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", fs->options->state_dir, name) < 0 ? NULL : path;
}

static void
add(void *arg, const char *path)
{
    struct list *l = arg;
    stoq_strbuf_add(&l->text, path, strlen(path) + 1);
    l->count++;
}

int
stoqfs_pending_save(struct stoqfs *fs)
{
    struct list l = {0};
    STOQ_AUTOFREE char *path = file_name(fs, LEFT);
    int r = stoqfs_gate_unfinished(fs->gate, add, &l);
    if (r == 0 && (!path || l.text.failed))
        r = -ENOMEM;
    if (r == 0 && l.count > 0)
        r = stoq_write_file_atomic(path, l.text.data, l.text.size, 0600, false);
    stoq_strbuf_fini(&l.text);
    return r < 0 ? r : l.count;
}

static void
queue(struct stoqfs *fs, const char *path)
{
    struct stat st;
    struct stoqfs_answer now;
    STOQ_AUTOCLOSE int fd = stoqfs_open_below(fs->source_fd, path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return; /* gone meanwhile */
    const struct stoqfs_question q = {
        .fd = -1, .st = &st, .path = path, .priority = STOQ_PRIORITY_WRITTEN};
    (void)stoqfs_gate_ask(fs->gate, &q, &now);
}

/* @return how many. */
static size_t
load(struct stoqfs *fs, const char *path)
{
    STOQ_AUTOFREE char *text = NULL;
    size_t size = 0, n = 0;
    if (!path || stoq_read_file(path, LARGEST, &text, &size, NULL) < 0)
        return 0;
    for (const char *p = text; p < text + size; p += strlen(p) + 1, n++)
        queue(fs, p);
    return n;
}

void
stoqfs_pending_load(struct stoqfs *fs)
{
    STOQ_AUTOFREE char *left = file_name(fs, LEFT);
    STOQ_AUTOFREE char *begun = file_name(fs, BEGUN);
    size_t n = load(fs, begun);
    size_t more = load(fs, left);
    if (n + more == 0)
        return;
    STOQ_INFO("%zu scans were left when the mount ended last; they are queued",
              n + more);
    if (more && rename(left, begun) < 0)
        (void)unlink(left);
}

void
stoqfs_pending_done(struct stoqfs *fs)
{
    STOQ_AUTOFREE char *begun = file_name(fs, BEGUN);
    if (begun)
        (void)unlink(begun);
}
