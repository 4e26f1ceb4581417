/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resource tree: types hold names, names hold languages, languages hold data. See
 * pe_tables.h. Deeper directories are counted, not followed, so that a tree that refers
 * to itself ends; an entry that cannot be read ends its directory, as in pefile.
 */

#include "common/pe_tables.h"

#include <errno.h>
#include <stdlib.h>

#define LEVELS         3U
#define DIRECTORY_SIZE 16U
#define ENTRY_SIZE     8U
#define DATA_SIZE      16U
#define ENTRIES_MAX    4096U
#define TYPE_VERSION   16U
#define HIGH_BIT       0x80000000U
/* Bytes of version blocks, all languages together. */
#define VERSION_WORK (4U << 20)

struct tree {
    struct pe *pe;
    struct pe_resources *out;
    uint64_t base;
    uint64_t path[LEVELS];           /* directories above and at this level */
    struct pe_resource leaf;         /* what is known of it on the way down */
    unsigned entries;                /* in all directories so far */
    size_t version_from, version_to; /* leaves of a type's first name */
    unsigned version_work;
};

static int
add_leaf(struct tree *t)
{
    struct pe_resources *out = t->out;
    if ((out->count & (out->count - 1)) == 0) {
        size_t room = out->count ? 2 * out->count : 1;
        void *p = reallocarray(out->leaves, room, sizeof(*out->leaves));
        if (!p)
            return -ENOMEM;
        out->leaves = p;
    }
    out->leaves[out->count++] = t->leaf;
    return 0;
}

/* Names of entries may touch but not overlap. @return false when this one does. */
static bool
name_apart(struct tree *t, uint32_t word, uint64_t last[2])
{
    struct bytes b;
    uint64_t at = t->base + (word & ~HIGH_BIT);
    uint16_t length = pe_data(t->pe, at, 2, &b) ? bytes_le16(b, 0) : 0;
    if (last[0] < at && last[1] >= at)
        return false;
    last[0] = at;
    last[1] = at + length;
    return true;
}

/* An entry that has data. @return 1, 0 when it cannot be read, -ENOMEM. */
static int
read_data(struct tree *t, uint64_t rva, unsigned level)
{
    struct bytes b;
    if (!pe_data(t->pe, rva, DATA_SIZE, &b) || b.size != DATA_SIZE)
        return 0;
    if (level != LEVELS - 1) {
        t->out->misplaced++;
        return 1;
    }
    t->leaf.rva = bytes_le32(b, 0);
    t->leaf.size = bytes_le32(b, 4);
    int r = add_leaf(t);
    return r < 0 ? r : 1;
}

static void
note_entry(struct tree *t, unsigned level, uint32_t word)
{
    bool named = word & HIGH_BIT;
    if (level == 0) {
        t->leaf.type = named ? 0 : word;
        t->leaf.type_named = named;
    } else if (level == LEVELS - 1) {
        t->leaf.id = named ? 0 : word;
        t->leaf.id_named = named;
        t->leaf.language = word;
    }
}

/* Open a directory. @return its number of entries, -EBADMSG when it is to be left. */
static int
open_directory(struct tree *t, uint64_t rva)
{
    struct bytes b;
    if (!pe_data(t->pe, rva, DIRECTORY_SIZE, &b) || b.size != DIRECTORY_SIZE)
        return -EBADMSG;
    unsigned n = (unsigned)bytes_le16(b, 12) + bytes_le16(b, 14);
    if (n > ENTRIES_MAX || n > PE_RESOURCES_MAX - t->entries) {
        t->out->limited = true;
        return -EBADMSG;
    }
    t->entries += n;
    return (int)n;
}

static bool
in_path(const struct tree *t, unsigned level, uint64_t rva)
{
    for (unsigned i = 0; i <= level; i++) {
        if (t->path[i] == rva)
            return true;
    }
    return false;
}

static int read_directory(struct tree *t, uint64_t rva, unsigned level);

/* What an entry refers to. @return 1, 0 to end this directory, -ENOMEM. */
// NOLINTNEXTLINE(misc-no-recursion): depth is limited by LEVELS
static int
follow(struct tree *t, uint32_t target, unsigned level)
{
    uint64_t rva = t->base + (target & ~HIGH_BIT);
    if (!(target & HIGH_BIT))
        return read_data(t, rva, level);
    if (in_path(t, level, rva))
        return 0;
    if (level == LEVELS - 1) {
        t->out->misplaced++;
        return 1;
    }
    int r = read_directory(t, rva, level + 1);
    return r == -EBADMSG ? 0 : r < 0 ? r : 1;
}

static int
read_versions(struct tree *t)
{
    for (size_t i = t->version_from; i < t->version_to; i++) {
        const struct pe_resource *leaf = &t->out->leaves[i];
        if (!t->out->versions)
            t->out->versions = json_object();
        int r = t->out->versions ? pe_version_read(t->pe, leaf->rva, leaf->size,
                                                   t->out->versions, &t->version_work)
                                 : -ENOMEM;
        if (r < 0)
            return r;
    }
    return 0;
}

/* One entry. @return 1, 0 to end the directory, -ENOMEM. */
// NOLINTNEXTLINE(misc-no-recursion): see follow()
static int
read_entry(struct tree *t, uint64_t rva, unsigned level, uint64_t last[2])
{
    struct bytes b;
    if (!pe_data(t->pe, rva, ENTRY_SIZE, &b) || b.size != ENTRY_SIZE)
        return 0;
    uint32_t word = bytes_le32(b, 0);
    if (word & HIGH_BIT && !name_apart(t, word, last))
        return 0;
    note_entry(t, level, word);
    if (level == 0)
        t->version_from = t->version_to = t->out->count;
    int r = follow(t, bytes_le32(b, 4), level);
    if (r <= 0 || level != 0 || (word & 0xffff) != TYPE_VERSION)
        return r;
    r = read_versions(t);
    return r < 0 ? r : 1;
}

// NOLINTNEXTLINE(misc-no-recursion): see follow()
static int
read_directory(struct tree *t, uint64_t rva, unsigned level)
{
    uint64_t last[2] = {UINT64_MAX, 0};
    t->path[level] = rva;
    int n = open_directory(t, rva);
    if (n < 0)
        return n;
    for (int i = 0; i < n; i++) {
        int r =
            read_entry(t, rva + DIRECTORY_SIZE + ENTRY_SIZE * (uint64_t)i, level, last);
        if (r < 0)
            return r;
        if (level == 1 && i == 0)
            t->version_to = t->out->count;
        if (r == 0)
            break;
    }
    return 0;
}

int
pe_resources_read(struct pe *pe, struct pe_resources *out)
{
    *out = (struct pe_resources){0};
    struct tree t = {.pe = pe, .out = out, .version_work = VERSION_WORK};
    t.base = pe_directory(pe, PE_RESOURCE).rva;
    if (t.base == 0)
        return 0;
    int r = read_directory(&t, t.base, 0);
    out->limited = out->limited || t.version_work == 0;
    if (r == -EBADMSG)
        return 0; /* the root itself: there is nothing, perhaps limited */
    if (r < 0)
        pe_resources_free(out);
    return r;
}

void
pe_resources_free(struct pe_resources *resources)
{
    free(resources->leaves);
    json_decref(resources->versions);
    *resources = (struct pe_resources){0};
}
