/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_PE_TABLES_H
#define PLUGINS_COMMON_PE_TABLES_H

/*
 * The tables of a portable executable: imports, exports, resources, version strings,
 * and the names of numbers in them. Each reader takes at most what its limit says,
 * gives up a table where pefile gives it up, and leaves `limited` where entries were
 * not read. Names borrow from the file or are static.
 */

#include <jansson.h>

#include "common/pe.h"

/** Imported symbols over all libraries, as in pefile. */
#define PE_SYMBOLS_MAX 8192U
/** Different exported names. */
#define PE_EXPORTS_MAX 8192U
/** Entries over all resource directories. */
#define PE_RESOURCES_MAX 32768U
/** Longest name of a symbol or library, bytes. */
#define PE_NAME_MAX 512U

struct pe_symbol {
    struct bytes name; /**< empty when by_ordinal */
    uint16_t ordinal;
    bool by_ordinal;
};

struct pe_library {
    struct bytes name;   /**< "*invalid*" when it is no file name; never empty */
    size_t first, count; /**< its part of symbols */
};

struct pe_imports {
    struct pe_library *libraries; /**< owned */
    struct pe_symbol *symbols;    /**< owned */
    size_t library_count, symbol_count;
    bool limited;
};

/** @return 0, also when there are none; -ENOMEM. */
int pe_imports_read(struct pe *pe, struct pe_imports *out);
void pe_imports_free(struct pe_imports *imports);

struct pe_exported {
    struct bytes name; /**< may be empty */
    uint32_t address;  /**< rva; of the forwarder's text when it forwards */
    uint16_t index;    /**< ordinal minus the table's base */
    bool forwards;
};

struct pe_exports {
    struct pe_exported *named; /**< owned: those that have a name, in table order */
    size_t count;
    uint32_t base; /**< first ordinal */
    bool limited;
};

/** @return 0, also when there are none or the table is broken; -ENOMEM. */
int pe_exports_read(struct pe *pe, struct pe_exports *out);
void pe_exports_free(struct pe_exports *exports);

/** A leaf of the resource tree: type, name, language. */
struct pe_resource {
    uint32_t type, id;         /**< of the type's and the language's entry */
    bool type_named, id_named; /**< they are texts: type, id are unset */
    uint32_t language;         /**< name word of the language's entry */
    uint32_t rva, size;        /**< of the data */
};

struct pe_resources {
    struct pe_resource *leaves; /**< owned, in tree order */
    size_t count;
    size_t misplaced; /**< leaves above, and directories below, the third level */
    json_t *versions; /**< owned object: version strings {name: text} */
    bool limited;
};

/** @return 0, also when there are none; -ENOMEM. */
int pe_resources_read(struct pe *pe, struct pe_resources *out);
void pe_resources_free(struct pe_resources *resources);

/** Version block at @p rva, of the resource's @p size: its strings, added to @p
 * strings.
 *  @param work  structures that may still be looked at, counted down over calls
 *  @return 0, -ENOMEM. */
int pe_version_read(struct pe *pe, uint32_t rva, uint32_t size, json_t *strings,
                    unsigned *work);

/** Name of an ordinal of a library known for imports by number (ws2_32.dll,
 * wsock32.dll, oleaut32.dll, any case): the known name or "ordN" in @p buffer; NULL for
 * others. */
const char *pe_ordinal_name(struct bytes library, uint16_t ordinal, char buffer[16]);
/** "RT_ICON" and so on, or NULL. */
const char *pe_resource_type(uint32_t type);
/** "LANG_ENGLISH" for the lower 10 bits, "unknown" otherwise; in @p buffer. */
const char *pe_language(uint32_t language, char buffer[64]);
/** "SUBLANG_ENGLISH_US" for all bits, "*unknown*" otherwise; in @p buffer. */
const char *pe_sublanguage(uint32_t language, char buffer[64]);

#endif
