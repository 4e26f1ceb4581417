/* SPDX-License-Identifier: Apache-2.0 */

/* Walks for read-ahead: see readahead_walk.h. */

#include "readahead_walk.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "util/auto.h"

/* "a/b" into "a" and "b"; "b" into "" and "b". NULL on no memory. */
static char *
parent_of(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    return strndup(path, slash ? (size_t)(slash - path) : 0);
}

static char *
child_of(const char *dir, const char *name)
{
    char *out = NULL;
    if (!*dir)
        return strdup(name);
    return asprintf(&out, "%s/%s", dir, name) < 0 ? NULL : out;
}

static struct ahead_list *
get(struct ahead_walk *w, const char *path)
{
    if (w->budget == 0)
        return NULL;
    w->budget--;
    return ahead_list_get(w->lists, path);
}

/* Stand in the directory of @p path, behind it. */
static bool
stand_behind(struct ahead_walk *w, const char *path, bool dirs)
{
    const char *name;
    STOQ_AUTOFREE char *dir = parent_of(path, &name);
    struct ahead_list *list = dir ? get(w, dir) : NULL;
    ssize_t place = list ? ahead_list_place(list, w->style.order, name) : -1;
    if (place < 0) {
        ahead_list_put(list);
        return false;
    }
    w->steps[w->depth++] =
        (struct ahead_step){.list = list, .next = (size_t)place + 1, .dirs = dirs};
    return true;
}

bool
ahead_walk_init(struct ahead_walk *w, struct ahead_lists *lists,
                struct ahead_style style, const char *path)
{
    *w = (struct ahead_walk){.lists = lists, .style = style, .budget = 1};
    return stand_behind(w, path, false);
}

/* Into a directory. One that cannot be listed is passed. */
static bool
descend(struct ahead_walk *w, const char *name)
{
    STOQ_AUTOFREE char *path = child_of(w->steps[w->depth - 1].list->path, name);
    if (w->depth == AHEAD_DEPTH || !path)
        return false;
    struct ahead_list *list = get(w, path);
    if (!list)
        return false;
    w->steps[w->depth++] = (struct ahead_step){.list = list};
    return true;
}

/* Out of a directory: to where it was come from, or to the one above. */
static bool
ascend(struct ahead_walk *w)
{
    struct ahead_step *top = &w->steps[w->depth - 1];
    if (w->depth > 1) {
        ahead_list_put(top->list);
        w->depth--;
        return true;
    }
    if (!*top->list->path || w->budget == 0)
        return false;
    STOQ_AUTOFREE char *path = strdup(top->list->path);
    if (!path)
        return false;
    ahead_list_put(top->list);
    w->depth = 0;
    return stand_behind(w, path, w->style.files_first);
}

const char *
ahead_walk_next(struct ahead_walk *w, unsigned budget)
{
    w->budget = budget;
    while (w->depth > 0) {
        struct ahead_step *top = &w->steps[w->depth - 1];
        if (top->next >= top->list->count) {
            if (w->style.files_first && !top->dirs) {
                top->dirs = true;
                top->next = 0;
            } else if (!ascend(w)) {
                return NULL;
            }
            continue;
        }
        const struct ahead_entry *e =
            ahead_list_at(top->list, w->style.order, top->next);
        if (!e)
            return NULL;
        const char *name = ahead_list_name(top->list, e);
        if (e->dir && (!w->style.files_first || top->dirs)) {
            if (w->budget == 0)
                return NULL;
            top->next++;
            (void)descend(w, name);
            continue;
        }
        top->next++;
        if (!e->file || top->dirs)
            continue;
        free(w->path);
        w->path = child_of(top->list->path, name);
        return w->path;
    }
    return NULL;
}

void
ahead_walk_fini(struct ahead_walk *w)
{
    for (unsigned i = 0; i < w->depth; i++)
        ahead_list_put(w->steps[i].list);
    w->depth = 0;
    stoq_auto_free(&w->path);
}
