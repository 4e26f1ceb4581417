/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names of nodes: where each was last seen. They serve documents, logs and the watch;
 * no access to the source goes by them, so an outdated one does no harm.
 */

#include <stdio.h>
#include <string.h>

#include "node_impl.h"
#include "util/auto.h"

bool
stoqfs_name_is_locked(const struct stoqfs_node *n, const struct stoqfs_node *parent,
                      const char *name)
{
    return n->name && n->parent == parent->number && strcmp(n->name, name) == 0;
}

void
stoqfs_name_free(const struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    if (n->name != t->slots[n->number].name)
        free(n->name);
    n->name = NULL;
}

/* In the slot where it fits; the first byte last, which makes it valid. */
static void
store_name_locked(struct stoqfs_nodes *t, struct stoqfs_node *n, const char *name)
{
    struct stoqfs_slot *s = &t->slots[n->number];
    size_t len = name ? strlen(name) : 0;
    stoqfs_name_free(t, n);
    s->name[0] = '\0';
    STOQFS_ORDER();
    if (len >= NAME_NEAR) {
        n->name = strdup(name); /* NULL: unknown, which is allowed */
    } else if (len > 0) {
        memcpy(s->name + 1, name + 1, len);
        STOQFS_ORDER();
        s->name[0] = name[0];
        n->name = s->name;
    }
}

uint32_t
stoqfs_name_set_locked(struct stoqfs_nodes *t, struct stoqfs_node *n,
                       struct stoqfs_node *parent, const char *name)
{
    uint32_t old = n->parent;
    if (n->number == FUSE_ROOT_ID || n->kind != STOQFS_REAL)
        return 0;
    /* a cycle by names out of date would make paths endless and nodes immortal */
    for (struct stoqfs_node *p = parent; p; p = stoqfs_at(t, p->parent)) {
        if (p == n) {
            parent = NULL;
            break;
        }
    }
    store_name_locked(t, n, name);
    n->parent = 0;
    if (parent) {
        parent->pins++;
        n->parent = parent->number;
    }
    t->slots[n->number].parent = n->parent;
    return old;
}

void
stoqfs_node_renamed(struct stoqfs_nodes *t, struct stoqfs_node *n,
                    struct stoqfs_node *parent, const char *name)
{
    (void)pthread_mutex_lock(&t->lock);
    uint32_t old = stoqfs_name_set_locked(t, n, parent, name);
    (void)pthread_mutex_unlock(&t->lock);
    stoqfs_node_drop(t, old, 0, 1);
}

void
stoqfs_node_unnamed(struct stoqfs_nodes *t, struct stoqfs_node *n,
                    struct stoqfs_node *parent, const char *name)
{
    uint32_t old = 0;
    (void)pthread_mutex_lock(&t->lock);
    if (stoqfs_name_is_locked(n, parent, name))
        old = stoqfs_name_set_locked(t, n, NULL, NULL);
    (void)pthread_mutex_unlock(&t->lock);
    stoqfs_node_drop(t, old, 0, 1);
}

struct stoqfs_node *
stoqfs_node_parent(struct stoqfs_nodes *t, struct stoqfs_node *n)
{
    (void)pthread_mutex_lock(&t->lock);
    struct stoqfs_node *p = n->kind == STOQFS_REAL ? stoqfs_at(t, n->parent) : NULL;
    if (p)
        p->pins++;
    (void)pthread_mutex_unlock(&t->lock);
    return p;
}

/* Written backwards from the end of buf. */
static int
path_locked(struct stoqfs_nodes *t, const struct stoqfs_node *n, char *buf, size_t size)
{
    size_t at = size - 1;
    buf[at] = '\0';
    for (; n->number != FUSE_ROOT_ID; n = &t->nodes[n->parent]) {
        if (!n->name || !n->parent)
            return -ENOENT;
        size_t len = strlen(n->name);
        size_t slash = at < size - 1 ? 1 : 0;
        if (len + slash > at)
            return -ENAMETOOLONG;
        at -= slash;
        if (slash)
            buf[at] = '/';
        at -= len;
        memcpy(buf + at, n->name, len);
    }
    size_t len = size - 1 - at;
    memmove(buf, buf + at, len + 1);
    return (int)len;
}

int
stoqfs_node_path(struct stoqfs_nodes *t, struct stoqfs_node *n, char *buf, size_t size)
{
    if (size == 0)
        return -ENAMETOOLONG;
    if (n->kind != STOQFS_REAL)
        return -ENOENT;
    (void)pthread_mutex_lock(&t->lock);
    int r = path_locked(t, n, buf, size);
    (void)pthread_mutex_unlock(&t->lock);
    return r;
}

const char *
stoqfs_fd_path(int fd, struct stoqfs_fd_path *buf)
{
    (void)snprintf(buf->text, sizeof(buf->text), "/proc/self/fd/%d", fd);
    return buf->text;
}
