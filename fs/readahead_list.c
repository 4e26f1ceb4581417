/* SPDX-License-Identifier: Apache-2.0 */

/* Listings for read-ahead: see readahead_list.h. */

#include "readahead_list.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "dot.h"
#include "gate_open.h"
#include "util/auto.h"

#define ENTRIES_MAX (256U << 10)

static void
list_free(struct ahead_list *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < AHEAD_ORDERS; i++)
        free(l->orders[i]);
    stoq_strbuf_fini(&l->names);
    free(l->entries);
    free(l->path);
    free(l);
}

static bool
add(struct ahead_list *l, const struct dirent *d)
{
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        void *p =
            room > ENTRIES_MAX ? NULL : realloc(l->entries, room * sizeof(*l->entries));
        if (!p)
            return false;
        l->entries = p;
        l->room = room;
    }
    l->entries[l->count++] = (struct ahead_entry){
        .ino = d->d_ino,
        .name = (uint32_t)l->names.size,
        .file = d->d_type == DT_REG || d->d_type == DT_UNKNOWN,
        .dir = d->d_type == DT_DIR,
    };
    stoq_strbuf_add(&l->names, d->d_name, strlen(d->d_name) + 1);
    return !l->names.failed;
}

static bool
is_special(const struct ahead_list *l, const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
           (!*l->path && strcmp(name, STOQFS_DOT_NAME) == 0);
}

/* @p fd is taken. */
static struct ahead_list *
load(const char *path, int fd, const struct stat *st)
{
    struct ahead_list *l = calloc(1, sizeof(*l));
    DIR *dir = fdopendir(fd);
    bool ok = l && dir && (l->path = strdup(path));
    if (ok)
        l->st = *st;
    for (const struct dirent *d; ok && (d = readdir(dir));)
        ok = is_special(l, d->d_name) || add(l, d);
    if (dir)
        (void)closedir(dir);
    else
        (void)close(fd);
    if (ok)
        return l;
    list_free(l);
    return NULL;
}

static bool
is_current(const struct ahead_list *l, const struct stat *st)
{
    return l->st.st_dev == st->st_dev && l->st.st_ino == st->st_ino &&
           l->st.st_mtim.tv_sec == st->st_mtim.tv_sec &&
           l->st.st_mtim.tv_nsec == st->st_mtim.tv_nsec;
}

/* Where a listing goes: an empty place, or that of the one not used for longest. */
static struct ahead_list **
place_for(struct ahead_lists *lists)
{
    struct ahead_list **best = NULL;
    for (size_t i = 0; i < AHEAD_LISTS; i++) {
        struct ahead_list **at = &lists->all[i];
        if (!*at)
            return at;
        if ((*at)->refs == 0 && (!best || (*at)->used < (*best)->used))
            best = at;
    }
    if (best) {
        list_free(*best);
        *best = NULL;
    }
    return best;
}

struct ahead_list *
ahead_list_get(struct ahead_lists *lists, const char *path)
{
    struct ahead_list *l = NULL;
    struct stat st;
    STOQ_AUTOCLOSE int fd =
        stoqfs_open_below(lists->source_fd, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL;
    for (size_t i = 0; i < AHEAD_LISTS && !l; i++)
        if (lists->all[i] && strcmp(lists->all[i]->path, path) == 0 &&
            is_current(lists->all[i], &st))
            l = lists->all[i];
    if (!l) {
        struct ahead_list **at = place_for(lists);
        l = at ? load(path, STOQ_STEAL_FD(&fd), &st) : NULL;
        if (!l)
            return NULL;
        *at = l;
    }
    l->used = ++lists->clock;
    l->refs++;
    return l;
}

void
ahead_list_put(struct ahead_list *list)
{
    if (list)
        list->refs--;
}

/* ------------------------------------------------------------------------ orders */

/* As the usual locales sort: by letters and digits of any case, and only where these
 * are equal by the rest. */
static int
compare_folded(const char *a, const char *b)
{
    const char *p = a, *q = b;
    for (;;) {
        while (*p && !isalnum((unsigned char)*p) && !(*p & 0x80))
            p++;
        while (*q && !isalnum((unsigned char)*q) && !(*q & 0x80))
            q++;
        int c = tolower((unsigned char)*p) - tolower((unsigned char)*q);
        if (c != 0)
            return c;
        if (!*p)
            return strcmp(a, b);
        p++;
        q++;
    }
}

struct sorting {
    const struct ahead_list *list;
    enum ahead_order order;
};

static int
compare_entries(const struct sorting *s, const struct ahead_entry *a,
                const struct ahead_entry *b)
{
    const char *x = ahead_list_name(s->list, a), *y = ahead_list_name(s->list, b);
    if (s->order == AHEAD_FOLDED)
        return compare_folded(x, y);
    if (s->order == AHEAD_INODES && a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    return strcmp(x, y);
}

static int
compare(const void *a, const void *b, void *arg)
{
    const struct sorting *s = arg;
    const struct ahead_entry *all = s->list->entries;
    return compare_entries(s, &all[*(const uint32_t *)a], &all[*(const uint32_t *)b]);
}

/* @return whether the order is there. */
static bool
sort(struct ahead_list *l, enum ahead_order order)
{
    if (order == AHEAD_LISTED || l->orders[order])
        return true;
    uint32_t *places = malloc((l->count + 1) * sizeof(*places));
    if (!places)
        return false;
    for (size_t i = 0; i < l->count; i++)
        places[i] = (uint32_t)i;
    struct sorting s = {.list = l, .order = order};
    qsort_r(places, l->count, sizeof(*places), compare, &s);
    l->orders[order] = places;
    return true;
}

const struct ahead_entry *
ahead_list_at(struct ahead_list *list, enum ahead_order order, size_t i)
{
    if (!sort(list, order))
        return NULL;
    return &list->entries[list->orders[order] ? list->orders[order][i] : i];
}

ssize_t
ahead_list_place(struct ahead_list *list, enum ahead_order order, const char *name)
{
    size_t i = 0, low = 0, high = list->count;
    while (i < list->count &&
           strcmp(ahead_list_name(list, &list->entries[i]), name) != 0)
        i++;
    if (i == list->count || !sort(list, order))
        return -1;
    if (!list->orders[order])
        return (ssize_t)i;
    const struct sorting s = {.list = list, .order = order};
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct ahead_entry *e = &list->entries[list->orders[order][mid]];
        if (compare_entries(&s, e, &list->entries[i]) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return (ssize_t)low;
}

void
ahead_lists_fini(struct ahead_lists *lists)
{
    for (size_t i = 0; i < AHEAD_LISTS; i++) {
        list_free(lists->all[i]);
        lists->all[i] = NULL;
    }
}
