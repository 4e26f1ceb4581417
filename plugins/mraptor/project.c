/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Macros in a compound file ([MS-OVBA] 2.2 and 2.3): a storage "VBA" with the streams
 * "dir" and "_VBA_PROJECT", and "PROJECT" beside it. "dir" is a list of records: id,
 * size, data. It names the streams of modules and where in them the source begins.
 *
 * Modules that no project names are found by what every module begins with. All streams
 * are looked at for that, so that a damaged or forged "dir" hides nothing.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/auto.h"
#include "common/cfb.h"
#include "common/ovba.h"
#include "parts.h"

#define NAME_MAX_BYTES ((size_t)512)
/* What the streams are read for: "Attribute VB_Name", compressed. */
static const char module_mark[] = "Attribut";
#define MARK_SIZE (sizeof module_mark - 1)
/* From the start of a container to that: its mark, a chunk's header, a group's flags.
 */
#define MARK_OFFSET 4U

/* Records of "dir". */
enum record {
    R_CODE_PAGE = 0x0003,
    R_VERSION = 0x0009, /* two bytes longer than it says */
    R_NAME = 0x0019,
    R_STREAM = 0x001a,
    R_MODULE_END = 0x002b,
    R_OFFSET = 0x0031,
    R_STREAM_UNICODE = 0x0032,
    R_NAME_UNICODE = 0x0047
};

struct module {
    bool any;
    struct bytes name, name_unicode, stream, stream_unicode; /* in "dir" */
    uint32_t offset;
};

struct project {
    struct search *search;
    const struct cfb *c;
    bool *done;   /* by entry: its module was taken */
    uint32_t vba; /* entry of the storage */
    unsigned page;
};

/* ----------------------------------------------------------------------------- code */

/* Decompress and append one module. */
static int
add_code(struct search *s, struct bytes container, unsigned page)
{
    PLUGIN_AUTOFREE unsigned char *data = NULL;
    size_t size = 0;
    int r = ovba_decompress(container, MRAPTOR_MODULE, &data, &size, NULL);
    if (r < 0 || size == 0)
        return r;
    r = search_pay(s, size);
    if (r == 0 && size == MRAPTOR_MODULE)
        r = search_limit(s, "module_size", size);
    if (r == 0 && s->code.size + 3 * size > MRAPTOR_CODE && s->modules > 0)
        r = search_limit(s, "macros", s->code.size);
    if (r == 0 && s->modules++ > 0)
        r = text_append(&s->code, "\n", 1);
    return r < 0 ? r
                 : text_append_page(&s->code, s->in->pages, page,
                                    (struct bytes){data, size});
}

static int
read_stream(struct search *s, const struct cfb *c, size_t i, unsigned char **data,
            size_t *size)
{
    int r = cfb_read(c, i, data, size);
    /* the small ones cost something too */
    return r < 0 ? r : search_pay(s, *size + 64);
}

/* -------------------------------------------------------------------------- modules */

/* The entry within the VBA storage that has the name, or SIZE_MAX. */
static int
find_name(const struct project *p, struct bytes name, bool wide, size_t *index)
{
    struct text text = {0};
    /* the storage's entries are gone through */
    int r = search_pay(p->search, cfb_count(p->c) + 64);
    *index = SIZE_MAX;
    if (r < 0 || name.size == 0 || name.size > NAME_MAX_BYTES)
        return r;
    r = wide ? text_append_utf16(&text, name)
             : text_append_page(&text, p->search->in->pages, p->page, name);
    if (r == 0)
        r = text_append(&text, "", 1);
    if (r == 0)
        *index = cfb_find(p->c, p->vba, text.data);
    free(text.data);
    return r;
}

/* The stream that has one of the module's names, or SIZE_MAX. */
static int
find_module(const struct project *p, const struct module *m, size_t *index)
{
    const struct bytes names[] = {m->stream, m->stream_unicode, m->name,
                                  m->name_unicode};
    int r = 0;
    *index = SIZE_MAX;
    for (size_t i = 0; r == 0 && i < 4 && *index == SIZE_MAX; i++)
        r = find_name(p, names[i], i % 2 != 0, index);
    if (*index != SIZE_MAX && cfb_at(p->c, *index)->type != CFB_STREAM)
        *index = SIZE_MAX;
    return r;
}

static int
take_module(struct project *p, const struct module *m)
{
    PLUGIN_AUTOFREE unsigned char *data = NULL;
    size_t size = 0, i = SIZE_MAX;
    int r = m->any ? find_module(p, m, &i) : 0;
    if (r < 0 || i == SIZE_MAX || p->done[i])
        return r;
    r = read_stream(p->search, p->c, i, &data, &size);
    if (r < 0)
        return r;
    struct bytes code = bytes_from((struct bytes){data, size}, m->offset);
    if (bytes_u8(code, 0) != 1)
        return 0; /* there is no code: it is looked for elsewhere in the stream */
    p->done[i] = true;
    return add_code(p->search, code, p->page);
}

static int
take_record(struct project *p, struct module *m, unsigned id, struct bytes data)
{
    struct module ended = *m;
    switch (id) {
    case R_CODE_PAGE:
        p->page = bytes_le16(data, 0);
        return 0;
    case R_NAME:
        *m = (struct module){.any = true, .name = data};
        return take_module(p, &ended);
    case R_NAME_UNICODE:
        m->name_unicode = data;
        return 0;
    case R_STREAM:
        m->stream = data;
        return 0;
    case R_STREAM_UNICODE:
        m->stream_unicode = data;
        return 0;
    case R_OFFSET:
        m->offset = bytes_le32(data, 0);
        return 0;
    case R_MODULE_END:
        *m = (struct module){.any = false};
        return take_module(p, &ended);
    default:
        return 0;
    }
}

static int
read_dir(struct project *p, struct bytes dir)
{
    struct module m = {.any = false};
    int r = 0;
    for (uint64_t at = 0; r == 0 && bytes_has(dir, at, 6);) {
        unsigned id = bytes_le16(dir, at);
        uint64_t size = bytes_le32(dir, at + 2);
        if (id == R_VERSION)
            size = 6;
        if (!bytes_has(dir, at + 6, size))
            break;
        r = search_pay(p->search, 64);
        if (r == 0)
            r = take_record(p, &m, id, bytes_at(dir, at + 6, size));
        at += 6 + size;
    }
    return r < 0 ? r : take_module(p, &m);
}

/* ------------------------------------------------------------------------- projects */

static bool
is_stream(const struct cfb *c, uint32_t parent, const char *name, size_t *index)
{
    *index = cfb_find(c, parent, name);
    return *index != SIZE_MAX && cfb_at(c, *index)->type == CFB_STREAM;
}

static int
search_storage(struct project *p, size_t storage)
{
    const struct cfb_entry *e = cfb_at(p->c, storage);
    PLUGIN_AUTOFREE unsigned char *data = NULL, *dir = NULL;
    size_t at = 0, size = 0, dir_size = 0;
    p->vba = (uint32_t)storage;
    if (e->type != CFB_STORAGE || strcasecmp(e->name, "VBA") != 0)
        return 0;
    int r = search_pay(p->search, 4 * cfb_count(p->c) + 64);
    if (r < 0 || !is_stream(p->c, e->parent, "PROJECT", &at) ||
        !is_stream(p->c, p->vba, "_VBA_PROJECT", &at) ||
        !is_stream(p->c, p->vba, "dir", &at))
        return r;
    p->search->found = true;
    r = read_stream(p->search, p->c, at, &data, &size);
    if (r == 0)
        r = ovba_decompress((struct bytes){data, size}, MRAPTOR_MODULE, &dir, &dir_size,
                            NULL);
    if (r == 0)
        r = search_pay(p->search, dir_size);
    p->page = 0;
    return r < 0 ? r : read_dir(p, (struct bytes){dir, dir_size});
}

/* ----------------------------------------------------------------- any other stream */

/* Where the mark, after a NUL, is at or after @from; SIZE_MAX: nowhere. The byte behind
 * it is not the one that the word has when it is not compressed. */
static size_t
find_mark(struct bytes data, size_t from)
{
    const unsigned char *d = data.data;
    for (size_t at = from; at + MARK_SIZE + 2 <= data.size; at++)
        if (d[at] == 0 && (d[at + 1] | 0x20) == 'a' && (d[at + 2] | 0x20) == 't' &&
            strncasecmp((const char *)d + at + 1, module_mark, MARK_SIZE) == 0 &&
            (d[at + 1 + MARK_SIZE] | 0x20) != 'e')
            return at + 1;
    return SIZE_MAX;
}

static int
search_stream(struct project *p, size_t i)
{
    struct search *s = p->search;
    PLUGIN_AUTOFREE unsigned char *buffer = NULL;
    size_t size = 0;
    int r = read_stream(s, p->c, i, &buffer, &size);
    const struct bytes data = {buffer, size};
    if (r < 0)
        return r;
    if (bytes_find(data, 0, module_mark, sizeof module_mark) != SIZE_MAX)
        s->found = true; /* its NUL is compared too */
    for (size_t at = find_mark(data, 0); r == 0 && at != SIZE_MAX;
         at = find_mark(data, at)) {
        r = search_pay(s, 64);
        if (r == 0 && at >= MARK_OFFSET)
            r = add_code(s, bytes_from(data, at - MARK_OFFSET), 0);
    }
    return r;
}

struct numbered {
    uint32_t id, index;
};

static int
by_id(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* In the order of the directory, as the original has them. */
static int
search_streams(struct project *p)
{
    const size_t count = cfb_count_all(p->c);
    PLUGIN_AUTOFREE struct numbered *order = calloc(count + 1, sizeof *order);
    int r = order ? 0 : -ENOMEM;
    for (size_t i = 0; order && i < count; i++)
        order[i] = (struct numbered){cfb_at(p->c, i)->id, (uint32_t)i};
    if (order)
        qsort(order, count, sizeof *order, by_id);
    for (size_t i = 0; r == 0 && i < count; i++)
        if (cfb_at(p->c, order[i].index)->type == CFB_STREAM &&
            !p->done[order[i].index])
            r = search_stream(p, order[i].index);
    return r;
}

int
project_search(struct search *s, const struct cfb *c)
{
    const size_t count = cfb_count_all(c);
    struct project p = {.search = s, .c = c, .done = calloc(count + 1, sizeof *p.done)};
    int r = p.done ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < cfb_count(c); i++)
        r = search_storage(&p, i);
    if (r == 0)
        r = search_streams(&p);
    if (r == 0 && cfb_is_cut(c))
        stoq_reply_limit(s->reply, "ole_entries", count);
    /* a document that needs a password: its macros are in there */
    size_t at = 0;
    if (is_stream(c, CFB_ROOT, "EncryptedPackage", &at))
        stoq_reply_limit(s->reply, "encrypted", 1);
    free(p.done);
    return r;
}
