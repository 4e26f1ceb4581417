/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_LIEF_PARTS_H
#define PLUGINS_LIEF_PARTS_H

/*
 * The parts of the lief worker: JSON made within a budget (build.c), the names that
 * LIEF has for numbers (names.c), what is common to all formats (abstract.c), and ELF
 * (elf_*.c), Mach-O (macho_*.c) and PE (pe_*.c) in those terms and in their own.
 *
 * Keys come mostly in alphabetical order, as from LIEF. A failed allocation shows as
 * `failed`, which the worker checks once at the end.
 */

#include <jansson.h>

#include "common/bytes.h"
#include "common/elf.h"
#include "common/macho.h"
#include "common/pe_tables.h"

/* Items of lists over the whole result, and bytes of their names: tables of a file may
 * lie on top of each other. */
#define ENTRIES_MAX ((size_t)100000)
#define NAMES_MAX   ((size_t)16 << 20)

struct build {
    const char *name; /**< of the file, borrowed */
    size_t entries, names;
    bool failed; /**< out of memory */
    bool cut;    /**< the budget is used up: items were left out */
};

/** An object, or NULL when it failed. */
json_t *build_object(struct build *b);
json_t *build_list(struct build *b);
/** Set @p key (value taken). */
void build_set(struct build *b, json_t *object, const char *key, json_t *value);
/** A number; beyond 2^63 - 1, which JSON here cannot hold, as text. */
void build_number(struct build *b, json_t *object, const char *key, uint64_t value);
void build_bool(struct build *b, json_t *object, const char *key, bool value);
void build_string(struct build *b, json_t *object, const char *key, const char *text);
void build_text(struct build *b, json_t *object, const char *key, struct bytes text);
/** Count an item that is looked at. @return whether there may be more. */
bool build_step(struct build *b);
/** Add a new object to @p list. @return it, borrowed, or NULL when there is no more. */
json_t *build_item(struct build *b, json_t *list);
void build_list_text(struct build *b, json_t *list, struct bytes text);

struct name {
    uint64_t value;
    const char *text;
};
extern const struct name names_elf_machine[], names_elf_type[], names_elf_abi[],
    names_elf_section[], names_elf_section_flag[], names_elf_segment[], names_elf_tag[],
    names_elf_binding[], names_elf_symbol[], names_elf_x86_64[];
extern const struct name names_macho_cpu[], names_macho_type[], names_macho_flag[],
    names_macho_command[], names_macho_section[];
extern const struct name names_pe_machine[], names_pe_subsystem[],
    names_pe_section_flag[], names_pe_directory[], names_pe_reloc[];
/** The name of @p value, "UNDEFINED" for others. */
const char *name_of(const struct name *names, uint64_t value);
/** A list of the names of the bits set in @p value. */
json_t *names_of(struct build *b, const struct name *names, uint64_t value);

/** The abstract view; start with abstract_open(). */
struct abstract {
    struct build *b;
    const char *format, *architecture, *type, *endianness;
    uint64_t entrypoint, size;
    json_t *sections, *symbols, *relocations, *libraries, *imported, *exported;
};
void abstract_open(struct abstract *a, struct build *b);
void abstract_section(struct abstract *a, struct bytes name, uint64_t address,
                      uint64_t offset, uint64_t size);
void abstract_symbol(struct abstract *a, struct bytes name, uint64_t value,
                     uint64_t size);
void abstract_relocation(struct abstract *a, uint64_t address, uint64_t size);
/** Add a function to the imported or exported ones. */
void abstract_function(struct abstract *a, struct bytes name, uint64_t address,
                       bool import);
/** The document. */
json_t *abstract_close(struct abstract *a);

/* Each returns 0 with a document, which may be NULL when the build failed, or -EBADMSG
 * for a file that cannot be read. */
int elf_abstract(struct build *b, struct bytes file, json_t **out);
int elf_full(struct build *b, struct bytes file, json_t **out);
int macho_abstract(struct build *b, struct bytes file, json_t **out);
int macho_full(struct build *b, struct bytes file, json_t **out);
int pe_abstract(struct build *b, struct bytes file, json_t **out);
int pe_full(struct build *b, struct bytes file, json_t **out);

/** What both views of an ELF file need. */
struct elf_view {
    struct elf elf;
    struct bytes section_names, dynamic; /**< dynamic: its table */
    struct bytes dynamic_symbols, dynamic_strings;
    struct bytes symbols, strings;
};
int elf_view_open(struct bytes file, struct elf_view *out);
/** Name of a symbol by its index in the table. */
struct bytes elf_view_symbol(const struct elf_view *v, bool dynamic, uint32_t index);
/** Relocations of the dynamic table by its tags. @return their bytes. */
struct bytes elf_view_relocs(const struct elf_view *v, bool plt, bool with_addend);

/** The last image of a universal file, or the file itself. */
int macho_view_open(struct bytes file, struct macho *out);

/** Step over a PE's imports: once per function, and once per library with an empty
 * name.
 *  @return whether it goes on. */
typedef bool pe_import_fn(void *arg, struct bytes library, struct bytes name,
                          uint16_t ordinal, uint64_t slot);
void pe_each_import(struct pe *pe, struct build *b, pe_import_fn *fn, void *arg);
/** Step over its relocation blocks. @return whether there is one at *@p at, moved on.
 */
bool pe_next_block(struct pe *pe, uint64_t *at, uint32_t *rva, struct bytes *entries);
struct bytes pe_section_name(const struct pe_section *s);

#endif
