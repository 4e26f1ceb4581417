/* SPDX-License-Identifier: Apache-2.0 */
/* A Mach-O image in abstract terms; of a universal file, the last image. */

#include <errno.h>

#include "parts.h"

#define CPU_X86    7U
#define CPU_ARM    12U
#define CPU_WIDE   0x01000000U
#define RELOC_SIZE 8U
#define SCATTERED  0x80000000U

int
macho_view_open(struct bytes file, struct macho *out)
{
    if (macho_kind(file) != MACHO_FAT)
        return macho_open(file, out);
    struct macho_arch arch;
    if (!macho_arch(file, macho_arch_count(file) - 1, &arch))
        return -EBADMSG;
    return macho_open(bytes_at(file, arch.offset, arch.size), out);
}

/* Address of the next instruction in LC_UNIXTHREAD. */
static uint64_t
thread_pc(const struct macho *m, const struct macho_command *c)
{
    switch (m->cpu) {
    case CPU_X86:
        return macho_u32(m, c->body, 16 + 4 * 10);
    case CPU_X86 | CPU_WIDE:
        return macho_number(m, c->body, 16 + 8 * 16, 8);
    case CPU_ARM:
        return macho_u32(m, c->body, 16 + 4 * 15);
    case CPU_ARM | CPU_WIDE:
        return macho_number(m, c->body, 16 + 8 * 32, 8);
    default:
        return 0;
    }
}

static void
add_relocations(struct abstract *a, const struct macho *m,
                const struct macho_section *s)
{
    for (uint32_t i = 0; i < s->nreloc && !a->b->cut; i++) {
        uint64_t at = s->reloff + (uint64_t)RELOC_SIZE * i;
        uint32_t address = macho_u32(m, m->image, at),
                 info = macho_u32(m, m->image, at + 4);
        if (!bytes_has(m->image, at, RELOC_SIZE))
            return;
        bool scattered = (address & SCATTERED) != 0;
        unsigned length = scattered ? address >> 28 & 3
                          : m->big  ? info >> 5 & 3
                                    : info >> 25 & 3;
        abstract_relocation(a, s->address + (scattered ? address & 0xffffff : address),
                            (uint64_t)8 << length);
    }
}

static void
add_symbols(struct abstract *a, const struct macho *m, const struct macho_command *c)
{
    struct macho_symtab table;
    struct macho_symbol s;
    (void)macho_symtab(m, c, &table);
    for (uint32_t i = 0;
         i < table.nsyms && !a->b->cut && macho_symbol(m, &table, i, &s); i++) {
        abstract_symbol(a, s.name, s.value, 0);
        if ((s.type & MACHO_N_STAB) != 0)
            continue;
        if ((s.type & MACHO_N_TYPE) == 0)
            abstract_function(a, s.name, s.value, true);
        else if ((s.type & MACHO_N_EXT) != 0)
            abstract_function(a, s.name, s.value, false);
    }
}

static void
add_segment(struct abstract *a, const struct macho *m, const struct macho_command *c,
            uint64_t *base)
{
    struct macho_segment segment;
    struct macho_section s;
    (void)macho_segment(m, c, &segment);
    if (segment.name.size == 6 && bytes_are(segment.name, 0, "__TEXT", 6))
        *base = segment.address;
    for (uint32_t i = 0; i < segment.nsects && !a->b->cut && macho_section(m, c, i, &s);
         i++) {
        abstract_section(a, s.name, s.address, s.offset, s.size);
        add_relocations(a, m, &s);
    }
}

static void
add_command(struct abstract *a, const struct macho *m, const struct macho_command *c,
            uint64_t *base)
{
    switch (c->cmd) {
    case MACHO_SEGMENT:
    case MACHO_SEGMENT_64:
        add_segment(a, m, c, base);
        break;
    case MACHO_SYMTAB:
        add_symbols(a, m, c);
        break;
    case MACHO_LOAD_DYLIB:
    case MACHO_ID_DYLIB:
    case MACHO_LAZY_LOAD_DYLIB:
    case MACHO_LOAD_WEAK_DYLIB:
    case MACHO_REEXPORT_DYLIB:
    case MACHO_LOAD_UPWARD_DYLIB:
        build_list_text(a->b, a->libraries, macho_text(m, c, 8));
        break;
    case MACHO_MAIN:
        a->entrypoint = *base + macho_number(m, c->body, 8, 8);
        break;
    case MACHO_UNIXTHREAD:
        a->entrypoint = thread_pc(m, c);
        break;
    default:
        break;
    }
}

int
macho_abstract(struct build *b, struct bytes file, json_t **out)
{
    static const struct name architectures[] = {{7, "X86"},
                                                {CPU_WIDE | 7, "X86"},
                                                {12, "ARM"},
                                                {CPU_WIDE | 12, "ARM64"},
                                                {14, "SPARC"},
                                                {18, "PPC"},
                                                {CPU_WIDE | 18, "PPC"},
                                                {0, NULL}};
    static const struct name types[] = {
        {1, "OBJECT"}, {2, "EXECUTABLE"}, {6, "LIBRARY"}, {0, NULL}};
    struct macho m;
    struct abstract a;
    struct macho_command c;
    uint64_t base = 0;
    if (macho_view_open(file, &m) < 0)
        return -EBADMSG;
    abstract_open(&a, b);
    a.format = "MACHO";
    a.size = m.image.size;
    a.endianness = m.big ? "BIG" : "LITTLE";
    if (strcmp(name_of(architectures, m.cpu), "UNDEFINED") != 0)
        a.architecture = name_of(architectures, m.cpu);
    if (strcmp(name_of(types, m.filetype), "UNDEFINED") != 0)
        a.type = name_of(types, m.filetype);
    for (struct macho_walk walk = macho_first(&m);
         !b->cut && macho_next(&m, &walk, &c) > 0;)
        add_command(&a, &m, &c, &base);
    *out = abstract_close(&a);
    return 0;
}
