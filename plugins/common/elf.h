/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_ELF_H
#define PLUGINS_COMMON_ELF_H

/*
 * ELF files, read where they lie: nothing is copied or kept, so memory does not depend
 * on what a file says, and every field is fetched through bytes.h. What is not there
 * reads as 0. Layout: the System V ABI, chapters 4 and 5.
 */

#include "bytes.h"

enum elf_type { ELF_REL = 1, ELF_EXEC = 2, ELF_DYN = 3, ELF_CORE = 4 };

enum elf_segment_type {
    ELF_LOAD = 1,
    ELF_DYNAMIC = 2,
    ELF_INTERP = 3,
    ELF_NOTE = 4,
    ELF_GNU_STACK = 0x6474e551
};

enum elf_section_type {
    ELF_SYMTAB = 2,
    ELF_RELA = 4,
    ELF_NOBITS = 8,
    ELF_RELOC = 9,
    ELF_DYNSYM = 11
};

enum elf_tag {
    ELF_NEEDED = 1,
    ELF_PLTRELSZ = 2,
    ELF_HASH = 4,
    ELF_STRTAB = 5,
    ELF_SYMBOLS = 6,
    ELF_RELATABLE = 7,
    ELF_RELATABLE_SIZE = 8,
    ELF_SONAME = 14,
    ELF_RPATH = 15,
    ELF_RELTABLE = 17,
    ELF_RELTABLE_SIZE = 18,
    ELF_PLTREL = 20,
    ELF_JMPREL = 23,
    ELF_RUNPATH = 29,
    ELF_GNU_HASH = 0x6ffffef5
};

struct elf {
    struct bytes file; /**< borrowed */
    bool big, wide;    /**< big-endian; 64 bits */
    uint16_t type, machine;
    uint32_t version, flags;
    uint64_t entry, phoff, shoff;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, address, physical, filesize, memsize, align;
};

struct elf_section {
    uint32_t name; /**< offset in the table of names */
    uint32_t type, link, info;
    uint64_t flags, address, offset, size, align, entsize;
};

struct elf_symbol {
    uint32_t name; /**< offset in the table's strings */
    uint8_t info, other;
    uint16_t section;
    uint64_t value, size;
};

struct elf_reloc {
    uint64_t address;
    uint32_t type, symbol;
};

struct elf_dyn {
    uint64_t tag, value;
};

/** Read the header. @return 0, -EBADMSG when it is no ELF file or cut off. */
int elf_open(struct bytes file, struct elf *out);
/** A number of the file's byte order. */
uint64_t elf_number(const struct elf *e, struct bytes b, uint64_t off, unsigned width);

/** @return whether the entry is there. */
bool elf_segment(const struct elf *e, uint32_t i, struct elf_segment *out);
bool elf_section(const struct elf *e, uint32_t i, struct elf_section *out);
/** The first segment or section of a type. @return whether there is one. */
bool elf_find_segment(const struct elf *e, uint32_t type, struct elf_segment *out);
bool elf_find_section(const struct elf *e, uint32_t type, struct elf_section *out);

/** Bytes of a segment or section in the file, cut where that ends. */
struct bytes elf_segment_bytes(const struct elf *e, const struct elf_segment *s);
struct bytes elf_section_bytes(const struct elf *e, const struct elf_section *s);
/** From the file's bytes for an address on, to the end of their segment or of the file.
 */
struct bytes elf_at(const struct elf *e, uint64_t address);

/** Text at @p off up to a NUL or the end. */
struct bytes elf_text(struct bytes strings, uint64_t off);
/** Item @p i of the bytes of a table. @return whether it is there. */
bool elf_symbol(const struct elf *e, struct bytes table, uint64_t i,
                struct elf_symbol *out);
bool elf_reloc(const struct elf *e, struct bytes table, uint64_t i, bool with_addend,
               struct elf_reloc *out);
bool elf_dyn(const struct elf *e, struct bytes table, uint64_t i, struct elf_dyn *out);
/** Value of the first entry of a dynamic table with @p tag. @return whether it is
 * there.
 */
bool elf_dyn_find(const struct elf *e, struct bytes table, uint64_t tag,
                  uint64_t *value);
/** Bytes of the symbols that the dynamic linker sees, and their strings; empty when
 * there are none. */
struct bytes elf_dynamic_symbols(const struct elf *e, struct bytes dynamic,
                                 struct bytes *strings);

#endif
