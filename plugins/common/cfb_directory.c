/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory of a compound file ([MS-CFB] 2.6): the entries of a storage form a
 * binary tree by left and right siblings. It is walked without recursion, each entry
 * once, whatever the links say; then the entries of each storage are put in the order
 * of their names, for files differ in theirs.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/cfb_parts.h"

#define ENTRY_SIZE 128U

/* An entry that the walk reached. */
struct found {
    char name[CFB_NAME_MAX];
    uint32_t id;
    uint32_t owner; /* id of its storage */
    uint32_t order; /* of being reached */
};

struct task {
    uint32_t id, owner;
    bool take; /* the entry itself; else the tree that it is the top of */
};

struct walk {
    struct bytes directory;
    size_t total; /* entries in the directory */
    bool *used;
    struct task *tasks; /* a stack: each entry adds four at most, once */
    size_t task_count;
    struct found *found;
    size_t count;
    bool *listed;
};

/* ---------------------------------------------------------------------------- names */

static size_t
put_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)((0xf00U >> size & 0xffU) | point);
    return size;
}

/* UTF-16 with U+FFFD for what is none, as Python replaces it. */
static void
read_name(struct bytes entry, char name[CFB_NAME_MAX])
{
    unsigned declared = bytes_le16(entry, 64);
    /* with its NUL; a length that leaves no room for one counts from the end */
    size_t size = declared > 64 ? 62 : declared >= 2 ? declared - 2 : 62 + declared;
    size_t used = 0;
    for (size_t i = 0; i < size; i += 2) {
        uint32_t unit = i + 2 <= size ? bytes_le16(entry, i) : 0xfffd;
        if (unit >= 0xd800 && unit < 0xdc00 && i + 4 <= size) {
            uint32_t low = bytes_le16(entry, i + 2);
            if (low >= 0xdc00 && low < 0xe000) {
                unit = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
                i += 2;
            }
        }
        if (unit >= 0xd800 && unit < 0xe000)
            unit = 0xfffd;
        if (unit != 0) /* within a name: of no use, and no C string has it */
            used += put_utf8(name + used, unit);
    }
    name[used] = '\0';
}

/* ----------------------------------------------------------------------------- walk */

static struct bytes
entry_at(const struct walk *w, uint32_t id)
{
    return bytes_at(w->directory, (uint64_t)id * ENTRY_SIZE, ENTRY_SIZE);
}

static void
push(struct walk *w, uint32_t id, uint32_t owner, bool take)
{
    w->tasks[w->task_count++] = (struct task){id, owner, take};
}

static void
walk_all(struct walk *w, uint32_t top)
{
    push(w, top, 0, false);
    while (w->task_count > 0) {
        const struct task t = w->tasks[--w->task_count];
        if (t.take) {
            struct found *f = &w->found[w->count];
            read_name(entry_at(w, t.id), f->name);
            f->id = t.id;
            f->owner = t.owner;
            f->order = (uint32_t)w->count++;
            continue;
        }
        if (t.id >= w->total || w->used[t.id])
            continue;
        w->used[t.id] = true;
        struct bytes e = entry_at(w, t.id);
        /* last in, first out: left, itself, right, what is in it */
        push(w, bytes_le32(e, 76), t.id, false);
        push(w, bytes_le32(e, 72), t.owner, false);
        push(w, t.id, t.owner, true);
        push(w, bytes_le32(e, 68), t.owner, false);
    }
}

static int
by_owner_and_name(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->owner != y->owner)
        return x->owner < y->owner ? -1 : 1;
    int names = strcmp(x->name, y->name); /* UTF-8 sorts as its code points do */
    if (names != 0)
        return names;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* ----------------------------------------------------------------------------- list */

/* Where the entries of a storage begin among those found, by binary search. */
static size_t
first_of(const struct walk *w, uint32_t owner)
{
    size_t low = 0, high = w->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (w->found[mid].owner < owner)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void
fill(struct cfb *c, const struct walk *w, uint32_t id, uint32_t parent)
{
    struct bytes e = entry_at(w, id);
    struct cfb_entry *out = &c->list[c->count_all++];
    read_name(e, out->name);
    w->listed[id] = true;
    out->id = id;
    out->type = (enum cfb_type)bytes_u8(e, 66);
    out->parent = parent;
    out->end = (uint32_t)c->count_all;
    out->start = bytes_le32(e, 116);
    /* the upper half is not reliable where it is not needed */
    out->size = c->shift == 9 ? bytes_le32(e, 120) : bytes_le64(e, 120);
}

/* Storages, each before what is in it. Nothing is in itself: an entry is reached once.
 */
static void
list_all(struct cfb *c, const struct walk *w)
{
    struct {
        uint32_t owner, index;
        size_t next;
    } levels[CFB_DEPTH_MAX + 1];
    size_t depth = 0;
    levels[0].owner = 0;
    levels[0].index = CFB_ROOT;
    levels[0].next = first_of(w, 0);
    for (;;) {
        const struct found *f = &w->found[levels[depth].next];
        if (levels[depth].next >= w->count || f->owner != levels[depth].owner) {
            if (levels[depth].index != CFB_ROOT)
                c->list[levels[depth].index].end = (uint32_t)c->count_all;
            if (depth == 0)
                return;
            depth--;
            continue;
        }
        levels[depth].next++;
        unsigned type = bytes_u8(entry_at(w, f->id), 66);
        if (type != CFB_STORAGE && type != CFB_STREAM)
            continue;
        uint32_t index = (uint32_t)c->count_all;
        fill(c, w, f->id, levels[depth].index);
        if (type != CFB_STORAGE)
            continue;
        if (depth == CFB_DEPTH_MAX) {
            c->is_cut = true;
            continue;
        }
        levels[++depth].owner = f->id;
        levels[depth].index = index;
        levels[depth].next = first_of(w, f->id);
    }
}

static void
list_lost(struct cfb *c, const struct walk *w)
{
    c->count = c->count_all;
    for (uint32_t id = 1; id < w->total; id++)
        if (!w->listed[id] && bytes_u8(entry_at(w, id), 66) == CFB_STREAM)
            fill(c, w, id, CFB_LOST);
}

int
cfb_list(struct cfb *c)
{
    PLUGIN_AUTOFREE unsigned char *data = NULL;
    struct walk w = {.total = 0};
    size_t size = 0;
    int r = cfb_read_directory(c, &data, &size);
    if (r < 0)
        return r;
    w.directory = (struct bytes){data, size};
    w.total = size / ENTRY_SIZE;
    if (w.total == 0)
        return -EBADMSG;
    if (w.total > CFB_ENTRIES_MAX) {
        w.total = CFB_ENTRIES_MAX;
        c->is_cut = true;
    }
    struct bytes root = entry_at(&w, 0);
    c->root_start = bytes_le32(root, 116);
    c->root_size = c->shift == 9 ? bytes_le32(root, 120) : bytes_le64(root, 120);
    w.used = calloc(w.total, sizeof *w.used);
    w.listed = calloc(w.total, sizeof *w.listed);
    w.tasks = calloc(4 * w.total + 1, sizeof *w.tasks);
    w.found = calloc(w.total + 1, sizeof *w.found);
    c->list = calloc(w.total + 1, sizeof *c->list);
    r = w.used && w.listed && w.tasks && w.found && c->list ? 0 : -ENOMEM;
    if (r == 0) {
        w.used[0] = true; /* nothing else leads to the root */
        walk_all(&w, bytes_le32(root, 76));
        qsort(w.found, w.count, sizeof *w.found, by_owner_and_name);
        list_all(c, &w);
        list_lost(c, &w);
    }
    free(w.used);
    free(w.listed);
    free(w.tasks);
    free(w.found);
    return r;
}
