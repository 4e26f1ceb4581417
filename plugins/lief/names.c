/* SPDX-License-Identifier: Apache-2.0 */
/* The names that LIEF has for the numbers of Mach-O and PE, and looking names up. */

#include "parts.h"

const char *
name_of(const struct name *names, uint64_t value)
{
    for (; names->text; names++)
        if (names->value == value)
            return names->text;
    return "UNDEFINED";
}

json_t *
names_of(struct build *b, const struct name *names, uint64_t value)
{
    json_t *list = build_list(b);
    for (; names->text; names++)
        if ((names->value & value) != 0 &&
            json_array_append_new(list, json_string(names->text)) < 0)
            b->failed = true;
    return list;
}

const struct name names_macho_cpu[] = {
    {0x7, "x86"},      {0x1000007, "x86_64"},    {0xa, "MC98000"},
    {0xc, "ARM"},      {0x100000c, "ARM64"},     {0xe, "SPARC"},
    {0x12, "POWERPC"}, {0x1000012, "POWERPC64"}, {0xffffffff, "ANY"},
    {0, NULL},
};

const struct name names_macho_type[] = {
    {0x1, "OBJECT"},     {0x2, "EXECUTE"}, {0x3, "FVMLIB"},      {0x4, "CORE"},
    {0x5, "PRELOAD"},    {0x6, "DYLIB"},   {0x7, "DYLINKER"},    {0x8, "BUNDLE"},
    {0x9, "DYLIB_STUB"}, {0xa, "DSYM"},    {0xb, "KEXT_BUNDLE"}, {0, NULL},
};

const struct name names_macho_flag[] = {
    {0x1, "NOUNDEFS"},
    {0x2, "INCRLINK"},
    {0x4, "DYLDLINK"},
    {0x8, "BINDATLOAD"},
    {0x10, "PREBOUND"},
    {0x20, "SPLIT_SEGS"},
    {0x40, "LAZY_INIT"},
    {0x80, "TWOLEVEL"},
    {0x100, "FORCE_FLAT"},
    {0x200, "NOMULTIDEFS"},
    {0x400, "NOFIXPREBINDING"},
    {0x800, "PREBINDABLE"},
    {0x1000, "ALLMODSBOUND"},
    {0x2000, "SUBSECTIONS_VIA_SYMBOLS"},
    {0x4000, "CANONICAL"},
    {0x8000, "WEAK_DEFINES"},
    {0x10000, "BINDS_TO_WEAK"},
    {0x20000, "ALLOW_STACK_EXECUTION"},
    {0x40000, "ROOT_SAFE"},
    {0x80000, "SETUID_SAFE"},
    {0x100000, "NO_REEXPORTED_DYLIBS"},
    {0x200000, "PIE"},
    {0x400000, "DEAD_STRIPPABLE_DYLIB"},
    {0x800000, "HAS_TLV_DESCRIPTORS"},
    {0x1000000, "NO_HEAP_EXECUTION"},
    {0x2000000, "APP_EXTENSION_SAFE"},
    {0, NULL},
};

const struct name names_macho_command[] = {
    {0x1, "SEGMENT"},
    {0x2, "SYMTAB"},
    {0x5, "UNIXTHREAD"},
    {0xb, "DYSYMTAB"},
    {0xc, "LOAD_DYLIB"},
    {0xd, "ID_DYLIB"},
    {0xe, "LOAD_DYLINKER"},
    {0x80000018, "LOAD_WEAK_DYLIB"},
    {0x19, "SEGMENT_64"},
    {0x1b, "UUID"},
    {0x8000001c, "RPATH"},
    {0x1d, "CODE_SIGNATURE"},
    {0x8000001f, "REEXPORT_DYLIB"},
    {0x20, "LAZY_LOAD_DYLIB"},
    {0x80000023, "LOAD_UPWARD_DYLIB"},
    {0x24, "VERSION_MIN_MACOSX"},
    {0x25, "VERSION_MIN_IPHONEOS"},
    {0x80000028, "MAIN"},
    {0x2a, "SOURCE_VERSION"},
    {0, NULL},
};

const struct name names_macho_section[] = {
    {0x0, "REGULAR"},
    {0x1, "ZEROFILL"},
    {0x2, "CSTRING_LITERALS"},
    {0x3, "S_4BYTE_LITERALS"},
    {0x4, "S_8BYTE_LITERALS"},
    {0x5, "LITERAL_POINTERS"},
    {0x6, "NON_LAZY_SYMBOL_POINTERS"},
    {0x7, "LAZY_SYMBOL_POINTERS"},
    {0x8, "SYMBOL_STUBS"},
    {0x9, "MOD_INIT_FUNC_POINTERS"},
    {0xa, "MOD_TERM_FUNC_POINTERS"},
    {0xb, "COALESCED"},
    {0xc, "GB_ZEROFILL"},
    {0xd, "INTERPOSING"},
    {0xe, "S_16BYTE_LITERALS"},
    {0xf, "DTRACE_DOF"},
    {0x10, "LAZY_DYLIB_SYMBOL_POINTERS"},
    {0x11, "THREAD_LOCAL_REGULAR"},
    {0x12, "THREAD_LOCAL_ZEROFILL"},
    {0x13, "THREAD_LOCAL_VARIABLES"},
    {0x14, "THREAD_LOCAL_VARIABLE_POINTERS"},
    {0x15, "THREAD_LOCAL_INIT_FUNCTION_POINTERS"},
    {0, NULL},
};

const struct name names_pe_machine[] = {
    {0x0, "UNKNOWN"},    {0x14c, "I386"},
    {0x166, "R4000"},    {0x169, "WCEMIPSV2"},
    {0x1a2, "SH3"},      {0x1a3, "SH3DSP"},
    {0x1a6, "SH4"},      {0x1a8, "SH5"},
    {0x1c0, "ARM"},      {0x1c2, "THUMB"},
    {0x1c4, "ARMNT"},    {0x1d3, "AM33"},
    {0x1f0, "POWERPC"},  {0x1f1, "POWERPCFP"},
    {0x200, "IA64"},     {0x266, "MIPS16"},
    {0x366, "MIPSFPU"},  {0x466, "MIPSFPU16"},
    {0xebc, "EBC"},      {0x5032, "RISCV32"},
    {0x5064, "RISCV64"}, {0x5128, "RISCV128"},
    {0x8664, "AMD64"},   {0x9041, "M32R"},
    {0xaa64, "ARM64"},   {0, NULL},
};

const struct name names_pe_subsystem[] = {
    {0x0, "UNKNOWN"},
    {0x1, "NATIVE"},
    {0x2, "WINDOWS_GUI"},
    {0x3, "WINDOWS_CUI"},
    {0x5, "OS2_CUI"},
    {0x7, "POSIX_CUI"},
    {0x8, "NATIVE_WINDOWS"},
    {0x9, "WINDOWS_CE_GUI"},
    {0xa, "EFI_APPLICATION"},
    {0xb, "EFI_BOOT_SERVICE_DRIVER"},
    {0xc, "EFI_RUNTIME_DRIVER"},
    {0xd, "EFI_ROM"},
    {0xe, "XBOX"},
    {0x10, "WINDOWS_BOOT_APPLICATION"},
    {0, NULL},
};

const struct name names_pe_section_flag[] = {
    {0x8, "TYPE_NO_PAD"},
    {0x20, "CNT_CODE"},
    {0x40, "CNT_INITIALIZED_DATA"},
    {0x80, "CNT_UNINITIALIZED_DATA"},
    {0x100, "LNK_OTHER"},
    {0x200, "LNK_INFO"},
    {0x800, "LNK_REMOVE"},
    {0x1000, "LNK_COMDAT"},
    {0x8000, "GPREL"},
    {0x20000, "MEM_PURGEABLE"},
    {0x40000, "MEM_LOCKED"},
    {0x80000, "MEM_PRELOAD"},
    {0x1000000, "LNK_NRELOC_OVFL"},
    {0x2000000, "MEM_DISCARDABLE"},
    {0x4000000, "MEM_NOT_CACHED"},
    {0x8000000, "MEM_NOT_PAGED"},
    {0x10000000, "MEM_SHARED"},
    {0x20000000, "MEM_EXECUTE"},
    {0x40000000, "MEM_READ"},
    {0x80000000, "MEM_WRITE"},
    {0, NULL},
};

const struct name names_pe_directory[] = {
    {0x0, "EXPORT_TABLE"},
    {0x1, "IMPORT_TABLE"},
    {0x2, "RESOURCE_TABLE"},
    {0x3, "EXCEPTION_TABLE"},
    {0x4, "CERTIFICATE_TABLE"},
    {0x5, "BASE_RELOCATION_TABLE"},
    {0x6, "DEBUG"},
    {0x7, "ARCHITECTURE"},
    {0x8, "GLOBAL_PTR"},
    {0x9, "TLS_TABLE"},
    {0xa, "LOAD_CONFIG_TABLE"},
    {0xb, "BOUND_IMPORT"},
    {0xc, "IAT"},
    {0xd, "DELAY_IMPORT_DESCRIPTOR"},
    {0xe, "CLR_RUNTIME_HEADER"},
    {0, NULL},
};

const struct name names_pe_reloc[] = {
    {0x0, "ABSOLUTE"},       {0x1, "HIGH"},         {0x2, "LOW"},      {0x3, "HIGHLOW"},
    {0x4, "HIGHADJ"},        {0x5, "MIPS_JMPADDR"}, {0x6, "SECTION"},  {0x7, "REL32"},
    {0x9, "MIPS_JMPADDR16"}, {0xa, "DIR64"},        {0xb, "HIGH3ADJ"}, {0, NULL},
};
