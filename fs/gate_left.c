/* SPDX-License-Identifier: Apache-2.0 */

/* Which scans have not ended: for a mount that ends before they do. */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "gate_impl.h"

/* Scans under way, each counted for the caller. @return how many, or -ENOMEM. */
static ssize_t
collect(struct stoqfs_gate *g, struct gate_scan ***out)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&g->lock);
    struct gate_scan **scans = calloc((size_t)g->scans + 1, sizeof(struct gate_scan *));
    for (size_t b = 0; scans && b <= g->map.mask; b++) {
        for (struct gate_entry *e = g->map.buckets[b]; e; e = e->next) {
            if (!e->scan || n == g->scans)
                continue;
            e->scan->refs++;
            scans[n++] = e->scan;
        }
    }
    (void)pthread_mutex_unlock(&g->lock);
    *out = scans;
    return scans ? (ssize_t)n : -ENOMEM;
}

int
stoqfs_gate_unfinished(struct stoqfs_gate *g, void (*fn)(void *arg, const char *path),
                       void *arg)
{
    struct gate_scan **scans;
    ssize_t n = collect(g, &scans);
    for (ssize_t i = 0; i < n; i++) {
        char buf[PATH_MAX];
        const char *path = scans[i]->path;
        if (scans[i]->node)
            path = stoqfs_node_path(g->fs->nodes, scans[i]->node, buf, sizeof(buf)) < 0
                       ? NULL
                       : buf;
        if (path && *path)
            fn(arg, path);
        gate_scan_unref(scans[i]);
    }
    free(scans);
    return n < 0 ? (int)n : 0;
}
