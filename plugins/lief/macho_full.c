/* SPDX-License-Identifier: Apache-2.0 */
/* A Mach-O image in its own terms; of a universal file, the last image. */

#include <errno.h>

#include "parts.h"

/* The lists of the document, which commands add to. */
struct lists {
    json_t *root, *sections, *segments, *symbols, *libraries;
};

static json_t *
header_of(struct build *b, const struct macho *m)
{
    json_t *o = build_object(b);
    build_number(b, o, "cpu_subtype", m->subcpu);
    build_string(b, o, "cpu_type", name_of(names_macho_cpu, m->cpu));
    build_string(b, o, "file_type", name_of(names_macho_type, m->filetype));
    build_set(b, o, "flags", names_of(b, names_macho_flag, m->flags));
    build_string(b, o, "magic",
                 m->big    ? m->wide ? "CIGAM_64" : "CIGAM"
                 : m->wide ? "MAGIC_64"
                           : "MAGIC");
    build_number(b, o, "nb_cmds", m->ncmds);
    build_number(b, o, "reserved", m->reserved);
    build_number(b, o, "sizeof_cmds", m->sizeofcmds);
    return o;
}

static void
set_command(struct build *b, json_t *o, const struct macho_command *c)
{
    build_string(b, o, "command", name_of(names_macho_command, c->cmd));
    build_number(b, o, "command_offset", c->offset);
    build_number(b, o, "command_size", c->size);
}

static void
add_section(struct build *b, struct lists *l, const struct macho_section *s)
{
    json_t *o = build_item(b, l->sections);
    if (!o)
        return;
    build_number(b, o, "alignment", s->align);
    build_number(b, o, "flags", s->flags);
    build_text(b, o, "name", s->name);
    build_number(b, o, "numberof_relocations", s->nreloc);
    build_number(b, o, "offset", s->offset);
    build_number(b, o, "relocation_offset", s->reloff);
    build_number(b, o, "reserved1", s->reserved[0]);
    build_number(b, o, "reserved2", s->reserved[1]);
    build_number(b, o, "reserved3", s->reserved[2]);
    build_number(b, o, "size", s->size);
    build_string(b, o, "type", name_of(names_macho_section, s->flags & 0xff));
    build_number(b, o, "virtual_address", s->address);
}

static void
add_segment(struct build *b, struct lists *l, const struct macho *m,
            const struct macho_command *c)
{
    struct macho_segment g;
    struct macho_section s;
    json_t *o = build_item(b, l->segments), *names = build_list(b);
    (void)macho_segment(m, c, &g);
    for (uint32_t i = 0; i < g.nsects && !b->cut && macho_section(m, c, i, &s); i++) {
        add_section(b, l, &s);
        build_list_text(b, names, s.name);
    }
    if (!o) {
        json_decref(names);
        return;
    }
    set_command(b, o, c);
    build_number(b, o, "file_offset", g.offset);
    build_number(b, o, "file_size", g.filesize);
    build_number(b, o, "flags", g.flags);
    build_number(b, o, "init_protection", g.initprot);
    build_number(b, o, "max_protection", g.maxprot);
    build_text(b, o, "name", g.name);
    build_number(b, o, "numberof_sections", g.nsects);
    build_set(b, o, "sections", names);
    build_number(b, o, "virtual_address", g.address);
    build_number(b, o, "virtual_size", g.vmsize);
}

static void
add_symtab(struct build *b, struct lists *l, const struct macho *m,
           const struct macho_command *c)
{
    struct macho_symtab t;
    struct macho_symbol s;
    json_t *o = build_object(b);
    (void)macho_symtab(m, c, &t);
    set_command(b, o, c);
    build_number(b, o, "numberof_symbols", t.nsyms);
    build_number(b, o, "strings_offset", t.stroff);
    build_number(b, o, "strings_size", t.strsize);
    build_number(b, o, "symbol_offset", t.symoff);
    build_set(b, l->root, "symbol_command", o);
    for (uint32_t i = 0;
         i < t.nsyms && macho_symbol(m, &t, i, &s) && (o = build_item(b, l->symbols));
         i++) {
        build_number(b, o, "description", s.description);
        build_bool(b, o, "is_external", (s.type & MACHO_N_TYPE) == 0);
        build_text(b, o, "name", s.name);
        build_number(b, o, "numberof_sections", s.section);
        build_string(b, o, "origin", "LC_SYMTAB");
        build_number(b, o, "size", 0);
        build_number(b, o, "type", s.type);
        build_number(b, o, "value", s.value);
    }
}

/* Parts of a version number, the first of @bits[0] bits and so on, as a list. */
static json_t *
version_of(struct build *b, uint64_t value, const unsigned *bits, unsigned count)
{
    json_t *list = build_list(b);
    unsigned shift = 0;
    for (unsigned i = 0; i < count; i++)
        shift += bits[i];
    for (unsigned i = 0; i < count; i++) {
        shift -= bits[i];
        uint64_t part = value >> shift & (((uint64_t)1 << bits[i]) - 1);
        if (json_array_append_new(list, json_integer((json_int_t)part)) < 0)
            b->failed = true;
    }
    return list;
}

static const unsigned short_version[] = {16, 8, 8};
static const unsigned long_version[] = {24, 10, 10, 10, 10};

static void
add_library(struct build *b, struct lists *l, const struct macho *m,
            const struct macho_command *c)
{
    json_t *o = build_item(b, l->libraries);
    if (!o)
        return;
    set_command(b, o, c);
    build_set(b, o, "compatibility_version",
              version_of(b, macho_u32(m, c->body, 20), short_version, 3));
    build_set(b, o, "current_version",
              version_of(b, macho_u32(m, c->body, 16), short_version, 3));
    build_text(b, o, "name", macho_text(m, c, 8));
    build_number(b, o, "timestamp", macho_u32(m, c->body, 12));
}

/* Commands that are one object of the document, under @key. */
static void
add_single(struct build *b, struct lists *l, const struct macho *m,
           const struct macho_command *c, const char *key)
{
    json_t *o = build_object(b);
    set_command(b, o, c);
    switch (c->cmd) {
    case MACHO_UUID:
        build_set(b, o, "uuid", build_list(b));
        for (unsigned i = 0; i < 16; i++)
            (void)json_array_append_new(json_object_get(o, "uuid"),
                                        json_integer(bytes_u8(c->body, 8 + i)));
        break;
    case MACHO_MAIN:
        build_number(b, o, "entrypoint", macho_number(m, c->body, 8, 8));
        build_number(b, o, "stack_size", macho_number(m, c->body, 16, 8));
        break;
    case MACHO_LOAD_DYLINKER:
        build_text(b, o, "name", macho_text(m, c, 8));
        break;
    case MACHO_RPATH:
        build_text(b, o, "path", macho_text(m, c, 8));
        break;
    case MACHO_SOURCE_VERSION:
        build_set(b, o, "version",
                  version_of(b, macho_number(m, c->body, 8, 8), long_version, 5));
        break;
    case MACHO_CODE_SIGNATURE:
        build_number(b, o, "data_offset", macho_u32(m, c->body, 8));
        build_number(b, o, "data_size", macho_u32(m, c->body, 12));
        break;
    default:
        build_set(b, o, "sdk",
                  version_of(b, macho_u32(m, c->body, 12), short_version, 3));
        build_set(b, o, "version",
                  version_of(b, macho_u32(m, c->body, 8), short_version, 3));
        break;
    }
    build_set(b, l->root, key, o);
}

static void
add_command(struct build *b, struct lists *l, const struct macho *m,
            const struct macho_command *c)
{
    static const struct name singles[] = {{MACHO_UUID, "uuid"},
                                          {MACHO_MAIN, "main_command"},
                                          {MACHO_LOAD_DYLINKER, "dylinker"},
                                          {MACHO_RPATH, "rpath"},
                                          {MACHO_SOURCE_VERSION, "source_version"},
                                          {MACHO_CODE_SIGNATURE, "code_signature"},
                                          {MACHO_VERSION_MIN_MACOSX, "version_min"},
                                          {MACHO_VERSION_MIN_IPHONEOS, "version_min"},
                                          {0, NULL}};
    const char *key = name_of(singles, c->cmd);
    switch (c->cmd) {
    case MACHO_SEGMENT:
    case MACHO_SEGMENT_64:
        add_segment(b, l, m, c);
        break;
    case MACHO_SYMTAB:
        if (!json_object_get(l->root, "symbol_command"))
            add_symtab(b, l, m, c);
        break;
    case MACHO_LOAD_DYLIB:
    case MACHO_ID_DYLIB:
    case MACHO_LAZY_LOAD_DYLIB:
    case MACHO_LOAD_WEAK_DYLIB:
    case MACHO_REEXPORT_DYLIB:
    case MACHO_LOAD_UPWARD_DYLIB:
        add_library(b, l, m, c);
        break;
    default:
        if (strcmp(key, "UNDEFINED") != 0 && !json_object_get(l->root, key))
            add_single(b, l, m, c, key);
        break;
    }
}

int
macho_full(struct build *b, struct bytes file, json_t **out)
{
    struct macho m;
    struct macho_command c;
    if (macho_view_open(file, &m) < 0)
        return -EBADMSG;
    struct lists l = {build_object(b), build_list(b), build_list(b), build_list(b),
                      build_list(b)};
    build_set(b, l.root, "header", header_of(b, &m));
    for (struct macho_walk walk = macho_first(&m);
         !b->cut && macho_next(&m, &walk, &c) > 0;)
        add_command(b, &l, &m, &c);
    build_set(b, l.root, "libraries", l.libraries);
    build_set(b, l.root, "sections", l.sections);
    build_set(b, l.root, "segments", l.segments);
    build_set(b, l.root, "symbols", l.symbols);
    *out = l.root;
    return 0;
}
