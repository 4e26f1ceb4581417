/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_MACHO_H
#define PLUGINS_COMMON_MACHO_H

/*
 * Mach-O and universal (fat) files, read where they lie: nothing is copied or kept, so
 * memory does not depend on what a file says, and every field is fetched through
 * bytes.h. What is not there reads as 0. Layout: Apple's <mach-o/loader.h>, <nlist.h>
 * and <fat.h>.
 */

#include "bytes.h"

enum macho_kind {
    MACHO_NONE,
    MACHO_THIN, /**< one image */
    MACHO_FAT   /**< a list of 1 to 19 images; Java classes begin like longer ones */
};

enum macho_cmd {
    MACHO_SEGMENT = 0x1,
    MACHO_SYMTAB = 0x2,
    MACHO_UNIXTHREAD = 0x5,
    MACHO_DYSYMTAB = 0xb,
    MACHO_LOAD_DYLIB = 0xc,
    MACHO_ID_DYLIB = 0xd,
    MACHO_LOAD_DYLINKER = 0xe,
    MACHO_SEGMENT_64 = 0x19,
    MACHO_UUID = 0x1b,
    MACHO_CODE_SIGNATURE = 0x1d,
    MACHO_LAZY_LOAD_DYLIB = 0x20,
    MACHO_VERSION_MIN_MACOSX = 0x24,
    MACHO_VERSION_MIN_IPHONEOS = 0x25,
    MACHO_SOURCE_VERSION = 0x2a
};
/* Commands with the "required" bit are no ints, so no enumerators. */
#define MACHO_REQUIRED          0x80000000U
#define MACHO_LOAD_WEAK_DYLIB   (0x18U | MACHO_REQUIRED)
#define MACHO_RPATH             (0x1cU | MACHO_REQUIRED)
#define MACHO_REEXPORT_DYLIB    (0x1fU | MACHO_REQUIRED)
#define MACHO_LOAD_UPWARD_DYLIB (0x23U | MACHO_REQUIRED)
#define MACHO_MAIN              (0x28U | MACHO_REQUIRED)

/* n_type */
#define MACHO_N_STAB 0xe0U
#define MACHO_N_TYPE 0x0eU
#define MACHO_N_EXT  0x01U

/** The header of one image. */
struct macho {
    struct bytes image; /**< borrowed: the image, all file offsets are relative to it */
    bool big, wide;     /**< big-endian; 64 bits */
    uint32_t magic;     /**< as the number it is in the file's own byte order */
    uint32_t cpu, subcpu, filetype, ncmds, sizeofcmds, flags, reserved;
    uint32_t header_size;
};

struct macho_arch {
    uint32_t cpu, subcpu, offset, size, align;
};

/** A load command. `body` is all of it, from `cmd` on, as far as the image goes. */
struct macho_command {
    uint32_t cmd, size;
    uint64_t offset;
    struct bytes body;
};

/** A position among the load commands; start with macho_first(). */
struct macho_walk {
    uint64_t at;
    uint32_t left;
};

struct macho_segment {
    struct bytes name; /**< without NULs */
    uint64_t address, vmsize, offset, filesize;
    uint32_t maxprot, initprot, nsects, flags;
};

struct macho_section {
    struct bytes name, segment;
    uint64_t address, size;
    uint32_t offset, align, reloff, nreloc, flags, reserved[3];
};

struct macho_symtab {
    uint32_t symoff, nsyms, stroff, strsize;
};

struct macho_symbol {
    struct bytes name; /**< empty when it has none, or none with a NUL at its end */
    uint8_t type, section;
    uint16_t description;
    uint64_t value;
};

enum macho_kind macho_kind(struct bytes file);

/** Entry @p i of a fat file's list. @return whether it is all there. */
bool macho_arch(struct bytes fat, uint32_t i, struct macho_arch *out);
/** Number of images the fat file says it has. */
uint32_t macho_arch_count(struct bytes fat);

/** Read the header of an image. @return 0, -EBADMSG when it is none or cut off. */
int macho_open(struct bytes image, struct macho *out);

/** Before the first load command. */
struct macho_walk macho_first(const struct macho *m);
/** Step to the next load command. @return 1, 0 at the end (also after a command of no
 *  size), -EBADMSG when the image ends first. Ends for every input: as many steps as
 *  the header says, and each takes a byte. */
int macho_next(const struct macho *m, struct macho_walk *walk,
               struct macho_command *out);

/** A number of the file's byte order, @p width bytes at @p off. */
uint64_t macho_number(const struct macho *m, struct bytes b, uint64_t off,
                      unsigned width);
uint32_t macho_u32(const struct macho *m, struct bytes b, uint64_t off);

/** Text at the offset that the command has at @p off, as in LC_LOAD_DYLIB: up to a NUL
 *  or the end of the command. */
struct bytes macho_text(const struct macho *m, const struct macho_command *c,
                        uint64_t off);

/** Read LC_SEGMENT or LC_SEGMENT_64. @return whether it is all there. */
bool macho_segment(const struct macho *m, const struct macho_command *c,
                   struct macho_segment *out);
/** Section @p i of that segment. @return whether it is all in the command. */
bool macho_section(const struct macho *m, const struct macho_command *c, uint32_t i,
                   struct macho_section *out);

/** Read LC_SYMTAB. @return whether it is all there. */
bool macho_symtab(const struct macho *m, const struct macho_command *c,
                  struct macho_symtab *out);
/** Symbol @p i. @return whether its entry is there. */
bool macho_symbol(const struct macho *m, const struct macho_symtab *table, uint32_t i,
                  struct macho_symbol *out);

#endif
