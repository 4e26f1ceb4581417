/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The names a document carries: where the file lies in the source, and whose it is.
 * Users are looked up once each, since that can ask a server.
 */

#include <limits.h>
#include <pwd.h>
#include <string.h>

#include "gate_impl.h"
#include "util/auto.h"

static void
look_up_user(uid_t uid, char out[48])
{
    char buf[2048];
    struct passwd pw, *found = NULL;
    out[0] = '\0';
    if (getpwuid_r(uid, &pw, buf, sizeof(buf), &found) == 0 && found)
        (void)snprintf(out, 48, "%s", found->pw_name);
}

static void
owner_of(struct stoqfs_gate *g, uid_t uid, char out[48])
{
    struct gate_owner *slot = &g->owners[uid % GATE_OWNERS];
    (void)pthread_mutex_lock(&g->lock);
    bool known = slot->known && slot->uid == uid;
    if (known)
        memcpy(out, slot->name, sizeof(slot->name));
    (void)pthread_mutex_unlock(&g->lock);
    if (known)
        return;
    look_up_user(uid, out);
    (void)pthread_mutex_lock(&g->lock);
    slot->known = true;
    slot->uid = uid;
    memcpy(slot->name, out, sizeof(slot->name));
    (void)pthread_mutex_unlock(&g->lock);
}

void
gate_names_get(const struct gate_scan *scan, uid_t uid, struct gate_names *out)
{
    struct stoqfs *fs = scan->gate->fs;
    char buf[PATH_MAX];
    const char *below = scan->path;
    *out = (struct gate_names){0};
    owner_of(scan->gate, uid, out->owner);
    /* a path that was given is newer than the names the node was last seen by */
    if (!below && scan->node) {
        int r = stoqfs_node_path(fs->nodes, scan->node, buf, sizeof(buf));
        below = r < 0 ? NULL : buf;
    }
    if (!below || !*below)
        return;
    const char *source = fs->options->source;
    const char *slash = source[strlen(source) - 1] == '/' ? "" : "/";
    if (asprintf(&out->path, "%s%s%s", source, slash, below) < 0) {
        out->path = NULL;
        return;
    }
    char *last = strrchr(out->path, '/');
    if (!last)
        return;
    out->name = last + 1;
    size_t n = last == out->path ? 1 : (size_t)(last - out->path);
    out->dir = strndup(out->path, n);
}

void
gate_names_fini(struct gate_names *n)
{
    free(n->path);
    free(n->dir);
    *n = (struct gate_names){0};
}
