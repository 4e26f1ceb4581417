/* SPDX-License-Identifier: Apache-2.0 */
/* An ELF file in its own terms. */

#include <errno.h>

#include "parts.h"

#define PAGE ((uint64_t)4096)

static json_t *
header_of(struct build *b, const struct elf *e)
{
    static const struct name versions[] = {{0, "NONE"}, {1, "CURRENT"}, {0, NULL}};
    static const struct name classes[] = {
        {0, "NONE"}, {1, "CLASS32"}, {2, "CLASS64"}, {0, NULL}};
    static const struct name data[] = {{0, "NONE"}, {1, "LSB"}, {2, "MSB"}, {0, NULL}};
    json_t *o = build_object(b);
    build_number(b, o, "entrypoint", e->entry);
    build_string(b, o, "file_type", name_of(names_elf_type, e->type));
    build_number(b, o, "header_size", e->ehsize);
    build_number(b, o, "identity_abi_version", bytes_u8(e->file, 8));
    build_string(b, o, "identity_class", name_of(classes, bytes_u8(e->file, 4)));
    build_string(b, o, "identity_data", name_of(data, bytes_u8(e->file, 5)));
    build_string(b, o, "identity_os_abi", name_of(names_elf_abi, bytes_u8(e->file, 7)));
    build_string(b, o, "identity_version", name_of(versions, bytes_u8(e->file, 6)));
    build_string(b, o, "machine_type", name_of(names_elf_machine, e->machine));
    build_number(b, o, "numberof_sections", e->shnum);
    build_string(b, o, "object_file_version", name_of(versions, e->version));
    build_number(b, o, "processor_flag", e->flags);
    build_number(b, o, "processornumberof_segments_flag", e->phnum);
    build_number(b, o, "program_header_size", e->phentsize);
    build_number(b, o, "program_headers_offset", e->phoff);
    build_number(b, o, "section_header_size", e->shentsize);
    build_number(b, o, "section_headers_offset", e->shoff);
    build_number(b, o, "section_name_table_idx", e->shstrndx);
    return o;
}

static json_t *
sections_of(struct build *b, const struct elf_view *v)
{
    json_t *list = build_list(b), *o;
    struct elf_section s;
    for (uint32_t i = 0; elf_section(&v->elf, i, &s) && (o = build_item(b, list));
         i++) {
        build_number(b, o, "alignment", s.align);
        build_number(b, o, "entry_size", s.entsize);
        build_set(b, o, "flags", names_of(b, names_elf_section_flag, s.flags));
        build_number(b, o, "information", s.info);
        build_number(b, o, "link", s.link);
        build_text(b, o, "name", elf_text(v->section_names, s.name));
        build_number(b, o, "offset", s.offset);
        build_number(b, o, "size", s.size);
        build_string(b, o, "type", name_of(names_elf_section, s.type));
        build_number(b, o, "virtual_address", s.address);
    }
    return list;
}

/* Names of the sections that lie in a segment, by their place in memory or else in the
 * file. Every pair that is looked at counts as an entry. */
static json_t *
sections_in(struct build *b, const struct elf_view *v, const struct elf_segment *g)
{
    json_t *list = build_list(b);
    struct elf_section s;
    for (uint32_t i = 1; build_step(b) && elf_section(&v->elf, i, &s); i++) {
        bool mapped = (s.flags & 2) != 0;
        uint64_t at = mapped ? s.address : s.offset;
        uint64_t start = mapped ? g->address : g->offset;
        uint64_t size = mapped ? g->memsize : g->filesize;
        if (at >= start && at - start < size && s.size <= size - (at - start) &&
            s.size > 0)
            build_list_text(b, list, elf_text(v->section_names, s.name));
    }
    return list;
}

static json_t *
segments_of(struct build *b, const struct elf_view *v)
{
    json_t *list = build_list(b), *o;
    struct elf_segment s;
    for (uint32_t i = 0; elf_segment(&v->elf, i, &s) && (o = build_item(b, list));
         i++) {
        build_number(b, o, "alignment", s.align);
        build_number(b, o, "file_offset", s.offset);
        build_number(b, o, "flags", s.flags);
        build_number(b, o, "physical_address", s.physical);
        build_number(b, o, "physical_size", s.filesize);
        build_set(b, o, "sections", sections_in(b, v, &s));
        build_string(b, o, "type", name_of(names_elf_segment, s.type));
        build_number(b, o, "virtual_address", s.address);
        build_number(b, o, "virtual_size", s.memsize);
    }
    return list;
}

static json_t *
dynamic_of(struct build *b, const struct elf_view *v)
{
    json_t *list = build_list(b), *o;
    struct elf_dyn d = {.tag = 1};
    for (uint64_t i = 0;
         elf_dyn(&v->elf, v->dynamic, i, &d) && (o = build_item(b, list)); i++) {
        struct bytes text = elf_text(v->dynamic_strings, d.value);
        if (d.tag == ELF_NEEDED || d.tag == ELF_SONAME)
            build_text(b, o, "library", text);
        else if (d.tag == ELF_RPATH)
            build_text(b, o, "rpath", text);
        else if (d.tag == ELF_RUNPATH)
            build_text(b, o, "runpath", text);
        build_string(b, o, "tag", name_of(names_elf_tag, d.tag));
        build_number(b, o, "value", d.value);
        if (d.tag == 0)
            break;
    }
    return list;
}

static json_t *
symbols_of(struct build *b, const struct elf *e, struct bytes table,
           struct bytes strings)
{
    json_t *list = build_list(b), *o;
    struct elf_symbol s;
    for (uint64_t i = 0; elf_symbol(e, table, i, &s) && (o = build_item(b, list));
         i++) {
        build_string(b, o, "binding", name_of(names_elf_binding, s.info >> 4));
        build_number(b, o, "information", s.info);
        build_text(b, o, "name", elf_text(strings, s.name));
        build_number(b, o, "other", s.other);
        build_number(b, o, "size", s.size);
        build_string(b, o, "type", name_of(names_elf_symbol, s.info & 15U));
        build_number(b, o, "value", s.value);
    }
    return list;
}

static void
add_relocs(struct build *b, const struct elf_view *v, json_t *list, bool plt,
           bool addend)
{
    struct bytes table = elf_view_relocs(v, plt, addend);
    json_t *o;
    struct elf_reloc r;
    for (uint64_t i = 0;
         elf_reloc(&v->elf, table, i, addend, &r) && (o = build_item(b, list)); i++) {
        build_number(b, o, "address", r.address);
        build_string(b, o, "section", "");
        build_text(b, o, "symbol_name", elf_view_symbol(v, true, r.symbol));
        build_string(b, o, "type",
                     v->elf.machine == 62 ? name_of(names_elf_x86_64, r.type)
                                          : "NOT_TO_STRING");
    }
}

static json_t *
relocs_of(struct build *b, const struct elf_view *v, bool plt)
{
    json_t *list = build_list(b);
    add_relocs(b, v, list, plt, true);
    add_relocs(b, v, list, plt, false);
    return list;
}

static void
set_image(struct build *b, json_t *root, const struct elf *e)
{
    uint64_t base = UINT64_MAX, end = 0;
    struct elf_segment s;
    for (uint32_t i = 0; elf_segment(e, i, &s); i++) {
        if (s.type != ELF_LOAD)
            continue;
        base = s.address - s.offset < base ? s.address - s.offset : base;
        end = s.address + s.memsize > end ? s.address + s.memsize : end;
    }
    build_number(b, root, "imagebase", base);
    bool interpreter = elf_find_segment(e, ELF_INTERP, &s);
    if (interpreter)
        build_text(b, root, "interpreter", elf_text(elf_segment_bytes(e, &s), 0));
    build_bool(b, root, "is_pie", interpreter && e->type == ELF_DYN);
    build_number(b, root, "virtual_size", ((end + PAGE - 1) & ~(PAGE - 1)) - base);
}

int
elf_full(struct build *b, struct bytes file, json_t **out)
{
    struct elf_view v;
    if (elf_view_open(file, &v) < 0)
        return -EBADMSG;
    json_t *root = build_object(b);
    build_set(b, root, "dynamic_entries", dynamic_of(b, &v));
    build_set(b, root, "dynamic_relocations", relocs_of(b, &v, false));
    build_set(b, root, "dynamic_symbols",
              symbols_of(b, &v.elf, v.dynamic_symbols, v.dynamic_strings));
    build_number(b, root, "entrypoint", v.elf.entry);
    build_set(b, root, "header", header_of(b, &v.elf));
    set_image(b, root, &v.elf);
    build_text(b, root, "name",
               (struct bytes){(const unsigned char *)b->name, strlen(b->name)});
    build_set(b, root, "pltgot_relocations", relocs_of(b, &v, true));
    build_set(b, root, "sections", sections_of(b, &v));
    build_set(b, root, "segments", segments_of(b, &v));
    build_set(b, root, "static_symbols", symbols_of(b, &v.elf, v.symbols, v.strings));
    *out = root;
    return 0;
}
