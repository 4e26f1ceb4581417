/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_PE_H
#define PLUGINS_COMMON_PE_H

/*
 * Portable executables: headers, sections, and where addresses of the image lie in the
 * file. After Microsoft's "PE Format"; where files break it, as pefile 2023.2.7 reads
 * them, whose results the original reports. Nothing outside the file is read; memory is
 * that of at most PE_SECTIONS_MAX sections, whatever the headers claim.
 *
 * Addresses are relative to the image base ("rva"), 64 bits wide, so that sums of
 * fields do not wrap. Slices borrow from the file. Threads: one at a time per struct
 * pe.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

#define PE_SECTIONS_MAX    2048U
#define PE_DIRECTORIES_MAX 16U

/** Optional header's magic. Anything else is read like PE_32. */
#define PE_32 0x10bU
#define PE_64 0x20bU

/** Indices of pe.directories. */
enum pe_index {
    PE_EXPORT = 0,
    PE_IMPORT = 1,
    PE_RESOURCE = 2,
    PE_EXCEPTION = 3,
    PE_SECURITY = 4, /**< its rva is an offset in the file */
    PE_BASERELOC = 5,
    PE_DEBUG = 6,
    PE_ARCHITECTURE = 7,
    PE_GLOBALPTR = 8,
    PE_TLS = 9,
    PE_LOAD_CONFIG = 10,
    PE_BOUND_IMPORT = 11,
    PE_IAT = 12,
    PE_DELAY_IMPORT = 13,
    PE_COM_DESCRIPTOR = 14
};

struct pe_directory {
    uint32_t rva, size;
};

struct pe_section {
    unsigned char name[8]; /**< padded with NUL, not terminated when full */
    /* as in the table */
    uint32_t virtual_size, rva, raw_size, raw_offset;
    uint32_t reloc_offset, line_offset;
    uint16_t reloc_count, line_count;
    uint32_t flags;
    /* as mapped */
    uint32_t map_rva;    /**< rva rounded down to the section alignment */
    uint32_t map_offset; /**< raw_offset rounded down to a sector */
    uint64_t map_end;    /**< rva behind the section, cut where the next one starts */
    unsigned index;      /**< place in the table */
};

/** The optional header; fields that a 64-bit one lacks are 0. */
struct pe_optional {
    uint16_t magic;
    uint8_t linker_major, linker_minor;
    uint32_t code_size, data_size, bss_size, entry, code_base, data_base;
    uint64_t image_base;
    uint32_t section_alignment, file_alignment;
    uint16_t os_major, os_minor, image_major, image_minor;
    uint16_t subsystem_major, subsystem_minor;
    uint32_t win32_version, image_size, headers_size, checksum;
    uint16_t subsystem, dll_flags;
    uint64_t stack_reserve, stack_commit, heap_reserve, heap_commit;
    uint32_t loader_flags, directory_count; /**< the count as claimed */
};

struct pe {
    struct bytes file;
    struct bytes header; /**< bytes mapped at rva 0, before the first section */
    uint64_t nt_offset, optional_offset, table_offset;
    /* COFF header */
    uint16_t machine, claimed_sections, optional_size, flags;
    uint32_t timestamp, symbols_offset, symbol_count;
    struct pe_optional optional;
    struct pe_directory directories[PE_DIRECTORIES_MAX];
    unsigned directory_count;    /**< as read, at most PE_DIRECTORIES_MAX */
    struct pe_section *sections; /**< owned, ordered by rva */
    unsigned section_count;
    unsigned work;                 /**< table rows looked at, also after a failure */
    const struct pe_section *last; /**< where the last address was found */
};

/**
 * Read the headers at the start of @p file.
 * @param pe   out; to be given to pe_close() after success
 * @param why  out on -EBADMSG: a sentence in the words of the original; static
 * @return 0, -EBADMSG for what is no portable executable, -ENOMEM.
 */
int pe_open(struct pe *pe, struct bytes file, const char **why);
void pe_close(struct pe *pe);

/** The directory, or {0, 0} when the header has none. */
struct pe_directory pe_directory(const struct pe *pe, enum pe_index index);
/** Section that holds @p rva, or NULL. */
const struct pe_section *pe_section_at(struct pe *pe, uint64_t rva);
/** Bytes of a section in the file, cut where they end. */
struct bytes pe_section_bytes(const struct pe *pe, const struct pe_section *section);
/** Up to @p size bytes at @p rva. @return false when nothing is mapped there; true with
 *  fewer, even no, bytes where the file has fewer. */
bool pe_data(struct pe *pe, uint64_t rva, uint64_t size, struct bytes *out);
/** Offset in the file of @p rva, which may lie beyond its end. @return false when
 *  nothing is mapped there. */
bool pe_offset(struct pe *pe, uint64_t rva, uint64_t *offset);
/** Bytes at @p rva up to a NUL, at most @p max; empty where there are none. */
struct bytes pe_text(struct pe *pe, uint64_t rva, size_t max);
/** UTF-16 units at @p rva up to a zero one, at most @p max; the size is in bytes, even.
 *  @return false when nothing is mapped there. */
bool pe_text16(struct pe *pe, uint64_t rva, size_t max, struct bytes *out);
/** Where the image ends in the file; what follows is an overlay. 0 when no part of it
 *  lies inside. */
uint64_t pe_end(struct pe *pe);

#endif
