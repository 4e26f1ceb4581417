/* SPDX-License-Identifier: Apache-2.0 */
/* A portable executable in abstract terms, and what its full view shares with that. */

#include <errno.h>

#include "parts.h"

#define LIBRARIES_MAX 4096U
#define DESCRIPTOR    20U
#define COFF_SYMBOL   18U
#define BY_ORDINAL    UINT64_C(0x8000000000000000)

#define FLAG_EXECUTABLE 0x0002U
#define FLAG_DLL        0x2000U

struct bytes
pe_section_name(const struct pe_section *s)
{
    return (struct bytes){s->name, strnlen((const char *)s->name, sizeof s->name)};
}

/* The functions of one library, from its lookup table or else its address table. */
static bool
each_function(struct pe *pe, struct build *b, struct bytes library, uint64_t lookup,
              uint64_t slots, pe_import_fn *fn, void *arg)
{
    unsigned width = pe->optional.magic == PE_64 ? 8 : 4;
    for (uint64_t i = 0; build_step(b); i++) {
        struct bytes thunk;
        if (!pe_data(pe, lookup + i * width, width, &thunk) || thunk.size < width)
            return true;
        uint64_t value = bytes_number(thunk, 0, width, false);
        if (value == 0)
            return true;
        if (width == 4 && value >> 31 != 0)
            value = BY_ORDINAL | (value & 0x7fffffff);
        struct bytes name = {0};
        if ((value & BY_ORDINAL) == 0)
            name = pe_text(pe, value + 2, PE_NAME_MAX);
        if (!fn(arg, library, name, (uint16_t)((value & BY_ORDINAL) ? value : 0),
                slots + i * width))
            return false;
    }
    return false;
}

void
pe_each_import(struct pe *pe, struct build *b, pe_import_fn *fn, void *arg)
{
    struct pe_directory directory = pe_directory(pe, PE_IMPORT);
    for (uint64_t i = 0; directory.rva != 0 && i < LIBRARIES_MAX && build_step(b);
         i++) {
        struct bytes d;
        if (!pe_data(pe, directory.rva + i * DESCRIPTOR, DESCRIPTOR, &d) ||
            d.size < DESCRIPTOR || bytes_le32(d, 12) == 0)
            return;
        struct bytes library = pe_text(pe, bytes_le32(d, 12), PE_NAME_MAX);
        uint32_t lookup = bytes_le32(d, 0), slots = bytes_le32(d, 16);
        if (!fn(arg, library, (struct bytes){0}, 0, 0) ||
            !each_function(pe, b, library, lookup ? lookup : slots, slots, fn, arg))
            return;
    }
}

bool
pe_next_block(struct pe *pe, uint64_t *at, uint32_t *rva, struct bytes *entries)
{
    struct pe_directory directory = pe_directory(pe, PE_BASERELOC);
    struct bytes head;
    uint64_t end = (uint64_t)directory.rva + directory.size;
    if (*at == 0)
        *at = directory.rva;
    if (directory.rva == 0 || *at + 8 > end || !pe_data(pe, *at, 8, &head))
        return false;
    uint32_t size = bytes_le32(head, 4);
    *rva = bytes_le32(head, 0);
    if (size < 8 || !pe_data(pe, *at + 8, size - 8, entries))
        return false;
    *at += size;
    return true;
}

static bool
add_import(void *arg, struct bytes library, struct bytes name, uint16_t ordinal,
           uint64_t slot)
{
    struct abstract *a = arg;
    char buffer[16];
    if (slot == 0) {
        build_list_text(a->b, a->libraries, library);
        return true;
    }
    if (name.size == 0 && ordinal != 0) {
        const char *known = pe_ordinal_name(library, ordinal, buffer);
        if (known)
            name = (struct bytes){(const unsigned char *)known, strlen(known)};
    }
    if (name.size > 0)
        abstract_function(a, name, slot, true);
    return true;
}

static void
add_relocations(struct abstract *a, struct pe *pe)
{
    static const uint8_t bits[16] = {0, 16, 16, 32, 32, 0, 0, 0, 0, 0, 64};
    uint64_t at = 0;
    uint32_t rva = 0;
    struct bytes entries;
    while (build_step(a->b) && pe_next_block(pe, &at, &rva, &entries))
        for (size_t i = 0; i + 1 < entries.size && !a->b->cut; i += 2) {
            unsigned entry = bytes_le16(entries, i);
            abstract_relocation(a, (uint64_t)rva + (entry & 0xfff), bits[entry >> 12]);
        }
}

static void
add_symbols(struct abstract *a, const struct pe *pe)
{
    uint64_t strings = pe->symbols_offset + (uint64_t)COFF_SYMBOL * pe->symbol_count;
    for (uint64_t i = 0; pe->symbols_offset != 0 && i < pe->symbol_count; i++) {
        struct bytes s =
            bytes_at(pe->file, pe->symbols_offset + COFF_SYMBOL * i, COFF_SYMBOL);
        if (s.size == 0 || a->b->cut)
            return;
        uint64_t off = strings + bytes_le32(s, 4);
        struct bytes name =
            bytes_le32(s, 0) == 0
                ? bytes_at(pe->file, off, bytes_strnlen(pe->file, off, PE_NAME_MAX))
                : bytes_at(s, 0, bytes_strnlen(s, 0, 8));
        abstract_symbol(a, name, bytes_le32(s, 8), 0);
        i += bytes_u8(s, 17); /* auxiliary entries */
    }
}

static void
add_exports(struct abstract *a, struct pe *pe)
{
    struct pe_exports exports = {0};
    if (pe_exports_read(pe, &exports) < 0) {
        a->b->failed = true;
        return;
    }
    for (size_t i = 0; i < exports.count; i++)
        if (exports.named[i].name.size > 0)
            abstract_function(a, exports.named[i].name, exports.named[i].address,
                              false);
    a->b->cut = a->b->cut || exports.limited;
    pe_exports_free(&exports);
}

static void
set_header(struct abstract *a, const struct pe *pe)
{
    static const struct name architectures[] = {
        {0x14c, "X86"}, {0x8664, "X86"},   {0x1c0, "ARM"},   {0x1c2, "ARM"},
        {0x1c4, "ARM"}, {0xaa64, "ARM64"}, {0x200, "INTEL"}, {0, NULL}};
    const char *architecture = name_of(architectures, pe->machine);
    a->format = "PE";
    a->size = pe->file.size;
    a->entrypoint = pe->optional.image_base + pe->optional.entry;
    a->endianness = "LITTLE";
    if (strcmp(architecture, "UNDEFINED") != 0)
        a->architecture = architecture;
    if (pe->flags & FLAG_DLL)
        a->type = "LIBRARY";
    else if (pe->flags & FLAG_EXECUTABLE)
        a->type = "EXECUTABLE";
}

int
pe_abstract(struct build *b, struct bytes file, json_t **out)
{
    struct pe pe;
    const char *why;
    struct abstract a;
    int r = pe_open(&pe, file, &why);
    if (r < 0)
        return r;
    abstract_open(&a, b);
    set_header(&a, &pe);
    for (unsigned index = 0; index < PE_SECTIONS_MAX; index++)
        for (unsigned i = 0; i < pe.section_count; i++) {
            const struct pe_section *s = &pe.sections[i];
            if (s->index == index) /* in the order of the table */
                abstract_section(&a, pe_section_name(s), s->rva, s->raw_offset,
                                 s->raw_size);
        }
    pe_each_import(&pe, b, add_import, &a);
    add_exports(&a, &pe);
    add_symbols(&a, &pe);
    add_relocations(&a, &pe);
    *out = abstract_close(&a);
    pe_close(&pe);
    return 0;
}
