/* SPDX-License-Identifier: Apache-2.0 */
/* A portable executable in its own terms. */

#include <errno.h>

#include "parts.h"

static json_t *
dos_header_of(struct build *b, const struct pe *pe)
{
    /* consecutive 16-bit fields, up to the first reserved ones */
    static const char *const fields[] = {"magic",
                                         "used_bytes_in_the_last_page",
                                         "file_size_in_pages",
                                         "numberof_relocation",
                                         "header_size_in_paragraphs",
                                         "minimum_extra_paragraphs",
                                         "maximum_extra_paragraphs",
                                         "initial_relative_ss",
                                         "initial_sp",
                                         "checksum",
                                         "initial_ip",
                                         "initial_relative_cs",
                                         "addressof_relocation_table",
                                         "overlay_number"};
    json_t *o = build_object(b);
    build_number(b, o, "addressof_new_exeheader", bytes_le32(pe->file, 60));
    for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++)
        build_number(b, o, fields[i], bytes_le16(pe->file, 2 * i));
    build_number(b, o, "oem_id", bytes_le16(pe->file, 36));
    build_number(b, o, "oem_info", bytes_le16(pe->file, 38));
    return o;
}

static json_t *
header_of(struct build *b, const struct pe *pe)
{
    json_t *o = build_object(b);
    build_number(b, o, "characteristics", pe->flags);
    build_string(b, o, "machine", name_of(names_pe_machine, pe->machine));
    build_number(b, o, "numberof_sections", pe->claimed_sections);
    build_number(b, o, "numberof_symbols", pe->symbol_count);
    build_number(b, o, "pointerto_symbol_table", pe->symbols_offset);
    build_set(b, o, "signature", json_pack("[iiii]", 'P', 'E', 0, 0));
    build_number(b, o, "sizeof_optional_header", pe->optional_size);
    build_number(b, o, "time_date_stamp", pe->timestamp);
    return o;
}

static json_t *
optional_of(struct build *b, const struct pe_optional *p)
{
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {{"addressof_entrypoint", p->entry},
                  {"baseof_code", p->code_base},
                  {"checksum", p->checksum},
                  {"dll_characteristics", p->dll_flags},
                  {"file_alignment", p->file_alignment},
                  {"imagebase", p->image_base},
                  {"loader_flags", p->loader_flags},
                  {"major_image_version", p->image_major},
                  {"major_linker_version", p->linker_major},
                  {"major_operating_system_version", p->os_major},
                  {"major_subsystem_version", p->subsystem_major},
                  {"minor_image_version", p->image_minor},
                  {"minor_linker_version", p->linker_minor},
                  {"minor_operating_system_version", p->os_minor},
                  {"minor_subsystem_version", p->subsystem_minor},
                  {"numberof_rva_and_size", p->directory_count},
                  {"section_alignment", p->section_alignment},
                  {"sizeof_code", p->code_size},
                  {"sizeof_headers", p->headers_size},
                  {"sizeof_heap_commit", p->heap_commit},
                  {"sizeof_heap_reserve", p->heap_reserve},
                  {"sizeof_image", p->image_size},
                  {"sizeof_initialized_data", p->data_size},
                  {"sizeof_stack_commit", p->stack_commit},
                  {"sizeof_stack_reserve", p->stack_reserve},
                  {"sizeof_uninitialized_data", p->bss_size},
                  {"win32_version_value", p->win32_version}};
    json_t *o = build_object(b);
    build_string(b, o, "magic", p->magic == PE_64 ? "PE32_PLUS" : "PE32");
    build_string(b, o, "subsystem", name_of(names_pe_subsystem, p->subsystem));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        build_number(b, o, fields[i].name, fields[i].value);
    if (p->magic != PE_64)
        build_number(b, o, "baseof_data", p->data_base);
    return o;
}

static json_t *
directories_of(struct build *b, struct pe *pe)
{
    json_t *list = build_list(b), *o;
    for (unsigned i = 0; i < pe->directory_count && (o = build_item(b, list)); i++) {
        const struct pe_directory *d = &pe->directories[i];
        build_number(b, o, "RVA", d->rva);
        const struct pe_section *s =
            d->rva && i != PE_SECURITY ? pe_section_at(pe, d->rva) : NULL;
        if (s)
            build_text(b, o, "section", pe_section_name(s));
        build_number(b, o, "size", d->size);
        build_string(b, o, "type", name_of(names_pe_directory, i));
    }
    return list;
}

static void
add_section(struct build *b, json_t *list, const struct pe_section *s)
{
    json_t *o = build_item(b, list);
    if (!o)
        return;
    build_set(b, o, "characteristics", names_of(b, names_pe_section_flag, s->flags));
    build_text(b, o, "name", pe_section_name(s));
    build_number(b, o, "numberof_line_numbers", s->line_count);
    build_number(b, o, "numberof_relocations", s->reloc_count);
    build_number(b, o, "pointerto_line_numbers", s->line_offset);
    build_number(b, o, "pointerto_relocation", s->reloc_offset);
}

struct imports {
    struct build *b;
    json_t *list, *entries; /* of the library at hand; NULL: no room */
    bool wide;
};

static bool
add_import(void *arg, struct bytes library, struct bytes name, uint16_t ordinal,
           uint64_t slot)
{
    struct imports *im = arg;
    struct build *b = im->b;
    if (slot == 0) {
        json_t *o = build_item(b, im->list);
        if (!o)
            return false;
        im->entries = build_list(b);
        build_set(b, o, "entries", im->entries);
        build_text(b, o, "name", library);
        return !b->failed;
    }
    json_t *o = build_item(b, im->entries);
    if (!o)
        return false;
    build_number(b, o, "iat_address", slot);
    build_bool(b, o, "is_ordinal", name.size == 0);
    if (name.size > 0)
        build_text(b, o, "name", name);
    else
        build_number(b, o, "ordinal", ordinal);
    return true;
}

static void
set_exports(struct build *b, json_t *root, struct pe *pe)
{
    struct pe_exports exports = {0};
    struct bytes d;
    json_t *o, *list;
    struct pe_directory directory = pe_directory(pe, PE_EXPORT);
    if (directory.rva == 0 || !pe_data(pe, directory.rva, 40, &d))
        return;
    if (pe_exports_read(pe, &exports) < 0) {
        b->failed = true;
        return;
    }
    json_t *table = build_object(b);
    list = build_list(b);
    for (size_t i = 0; i < exports.count && (o = build_item(b, list)); i++) {
        build_number(b, o, "address", exports.named[i].address);
        build_bool(b, o, "is_extern", exports.named[i].forwards);
        build_text(b, o, "name", exports.named[i].name);
        build_number(b, o, "ordinal", (uint64_t)exports.base + exports.named[i].index);
    }
    build_set(b, table, "entries", list);
    build_number(b, table, "export_flags", bytes_le32(d, 0));
    build_number(b, table, "major_version", bytes_le16(d, 8));
    build_number(b, table, "minor_version", bytes_le16(d, 10));
    build_text(b, table, "name", pe_text(pe, bytes_le32(d, 12), PE_NAME_MAX));
    build_number(b, table, "ordinal_base", bytes_le32(d, 16));
    build_number(b, table, "timestamp", bytes_le32(d, 4));
    build_set(b, root, "export", table);
    b->cut = b->cut || exports.limited;
    pe_exports_free(&exports);
}

static json_t *
relocations_of(struct build *b, struct pe *pe)
{
    json_t *list = build_list(b), *block, *o;
    uint64_t at = 0;
    uint32_t rva = 0;
    struct bytes entries;
    while (pe_next_block(pe, &at, &rva, &entries) && (block = build_item(b, list))) {
        json_t *items = build_list(b);
        build_number(b, block, "block_size", entries.size + 8);
        for (size_t i = 0; i + 1 < entries.size && (o = build_item(b, items)); i += 2) {
            unsigned entry = bytes_le16(entries, i);
            build_number(b, o, "data", entry);
            build_number(b, o, "position", entry & 0xfff);
            build_string(b, o, "type", name_of(names_pe_reloc, entry >> 12));
        }
        build_set(b, block, "entries", items);
        build_number(b, block, "virtual_address", rva);
    }
    return list;
}

int
pe_full(struct build *b, struct bytes file, json_t **out)
{
    struct pe pe;
    const char *why;
    int r = pe_open(&pe, file, &why);
    if (r < 0)
        return r;
    json_t *root = build_object(b), *sections = build_list(b);
    build_set(b, root, "data_directories", directories_of(b, &pe));
    build_set(b, root, "dos_header", dos_header_of(b, &pe));
    build_number(b, root, "entrypoint", pe.optional.image_base + pe.optional.entry);
    set_exports(b, root, &pe);
    build_set(b, root, "header", header_of(b, &pe));
    struct imports im = {b, build_list(b), NULL, pe.optional.magic == PE_64};
    pe_each_import(&pe, b, add_import, &im);
    build_set(b, root, "imports", im.list);
    build_text(b, root, "name",
               (struct bytes){(const unsigned char *)b->name, strlen(b->name)});
    build_set(b, root, "optional_header", optional_of(b, &pe.optional));
    build_set(b, root, "relocations", relocations_of(b, &pe));
    for (unsigned index = 0; index < PE_SECTIONS_MAX; index++)
        for (unsigned i = 0; i < pe.section_count; i++)
            if (pe.sections[i].index == index) /* in the order of the table */
                add_section(b, sections, &pe.sections[i]);
    build_set(b, root, "sections", sections);
    *out = root;
    pe_close(&pe);
    return 0;
}
