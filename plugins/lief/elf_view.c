/* SPDX-License-Identifier: Apache-2.0 */
/* An ELF file in abstract terms, and what its full view shares with that. */

#include <errno.h>

#include "parts.h"

#define MACHINE_X86_64 62U
#define MACHINE_386    3U

int
elf_view_open(struct bytes file, struct elf_view *out)
{
    struct elf_view v = {.section_names = {0}};
    struct elf_segment segment;
    struct elf_section section;
    if (elf_open(file, &v.elf) < 0)
        return -EBADMSG;
    if (elf_section(&v.elf, v.elf.shstrndx, &section))
        v.section_names = elf_section_bytes(&v.elf, &section);
    if (elf_find_segment(&v.elf, ELF_DYNAMIC, &segment))
        v.dynamic = elf_segment_bytes(&v.elf, &segment);
    v.dynamic_symbols = elf_dynamic_symbols(&v.elf, v.dynamic, &v.dynamic_strings);
    if (elf_find_section(&v.elf, ELF_SYMTAB, &section)) {
        v.symbols = elf_section_bytes(&v.elf, &section);
        if (elf_section(&v.elf, section.link, &section))
            v.strings = elf_section_bytes(&v.elf, &section);
    }
    *out = v;
    return 0;
}

struct bytes
elf_view_symbol(const struct elf_view *v, bool dynamic, uint32_t index)
{
    struct elf_symbol s;
    if (!elf_symbol(&v->elf, dynamic ? v->dynamic_symbols : v->symbols, index, &s))
        return (struct bytes){0};
    return elf_text(dynamic ? v->dynamic_strings : v->strings, s.name);
}

struct bytes
elf_view_relocs(const struct elf_view *v, bool plt, bool with_addend)
{
    uint64_t address = 0, size = 0, kind = 0;
    if (plt && (!elf_dyn_find(&v->elf, v->dynamic, ELF_PLTREL, &kind) ||
                (kind == ELF_RELATABLE) != with_addend))
        return (struct bytes){0};
    if (!elf_dyn_find(&v->elf, v->dynamic,
                      plt           ? ELF_JMPREL
                      : with_addend ? ELF_RELATABLE
                                    : ELF_RELTABLE,
                      &address) ||
        !elf_dyn_find(&v->elf, v->dynamic,
                      plt           ? ELF_PLTRELSZ
                      : with_addend ? ELF_RELATABLE_SIZE
                                    : ELF_RELTABLE_SIZE,
                      &size))
        return (struct bytes){0};
    struct bytes table = elf_at(&v->elf, address);
    return bytes_at(table, 0, size < table.size ? size : table.size);
}

/* Bits that a relocation changes; 0 where that is not known. */
static uint64_t
bits_of(const struct elf *e, uint32_t type)
{
    /* bytes by type, f for unknown ones */
    static const char wide[] = "08444488844422118884444488488888484"
                               "08884444";
    static const char narrow[] = "044444444444ff44444422114444440444"
                                 "4444f4444";
    if (e->machine == MACHINE_X86_64 && type < sizeof wide - 1 && wide[type] != 'f')
        return (uint64_t)8 * (unsigned)(wide[type] - '0');
    if (e->machine == MACHINE_386 && type < sizeof narrow - 1 && narrow[type] != 'f')
        return (uint64_t)8 * (unsigned)(narrow[type] - '0');
    return 0;
}

static size_t
add_table(struct abstract *a, const struct elf *e, struct bytes table, bool with_addend)
{
    struct elf_reloc r;
    size_t i = 0;
    for (; !a->b->cut && elf_reloc(e, table, i, with_addend, &r); i++)
        abstract_relocation(a, r.address, bits_of(e, r.type));
    return i;
}

static void
add_relocations(struct abstract *a, const struct elf_view *v)
{
    size_t count = 0;
    for (unsigned plt = 0; plt < 2; plt++)
        for (unsigned addend = 2; addend-- > 0;)
            count += add_table(a, &v->elf, elf_view_relocs(v, plt != 0, addend != 0),
                               addend != 0);
    struct elf_section s;
    for (uint32_t i = 0; count == 0 && elf_section(&v->elf, i, &s); i++)
        if (s.type == ELF_RELA || s.type == ELF_RELOC)
            (void)add_table(a, &v->elf, elf_section_bytes(&v->elf, &s),
                            s.type == ELF_RELA);
}

static void
add_function(struct abstract *a, const struct elf_symbol *s, struct bytes name)
{
    unsigned type = s->info & 15U, binding = s->info >> 4;
    bool function = type == 2 && (binding == 1 || binding == 2);
    if (function && s->section == 0 && s->value == 0 && name.size > 0)
        abstract_function(a, name, s->value, true);
    else if (function && s->section != 0 && s->value != 0)
        abstract_function(a, name, s->value, false);
}

static void
add_symbols(struct abstract *a, const struct elf *e, struct bytes table,
            struct bytes strings)
{
    struct elf_symbol s;
    for (uint64_t i = 0; !a->b->cut && elf_symbol(e, table, i, &s); i++) {
        struct bytes name = elf_text(strings, s.name);
        abstract_symbol(a, name, s.value, s.size);
        add_function(a, &s, name);
    }
}

static void
set_header(struct abstract *a, const struct elf *e)
{
    static const struct name architectures[] = {
        {3, "X86"},    {20, "PPC"}, {21, "PPC"},    {40, "ARM"},
        {50, "INTEL"}, {62, "X86"}, {183, "ARM64"}, {0, NULL}};
    static const struct name types[] = {
        {ELF_REL, "OBJECT"}, {ELF_EXEC, "EXECUTABLE"}, {ELF_DYN, "LIBRARY"}, {0, NULL}};
    struct elf_segment segment;
    const char *architecture = name_of(architectures, e->machine);
    const char *type = name_of(types, e->type);
    a->format = "ELF";
    a->size = e->file.size;
    a->entrypoint = e->entry;
    a->endianness = e->big ? "BIG" : "LITTLE";
    if (strcmp(architecture, "UNDEFINED") != 0)
        a->architecture = architecture;
    if (strcmp(type, "UNDEFINED") != 0)
        a->type = type;
    if (e->type == ELF_DYN && elf_find_segment(e, ELF_INTERP, &segment))
        a->type = "EXECUTABLE";
}

int
elf_abstract(struct build *b, struct bytes file, json_t **out)
{
    struct elf_view v;
    struct elf_section s;
    struct elf_dyn d;
    struct abstract a;
    if (elf_view_open(file, &v) < 0)
        return -EBADMSG;
    abstract_open(&a, b);
    set_header(&a, &v.elf);
    for (uint32_t i = 0; !b->cut && elf_section(&v.elf, i, &s); i++)
        abstract_section(&a, elf_text(v.section_names, s.name), s.address, s.offset,
                         s.size);
    for (uint64_t i = 0; !b->cut && elf_dyn(&v.elf, v.dynamic, i, &d) && d.tag; i++)
        if (d.tag == ELF_NEEDED)
            build_list_text(b, a.libraries, elf_text(v.dynamic_strings, d.value));
    add_symbols(&a, &v.elf, v.dynamic_symbols, v.dynamic_strings);
    add_symbols(&a, &v.elf, v.symbols, v.strings);
    add_relocations(&a, &v);
    *out = abstract_close(&a);
    return 0;
}
