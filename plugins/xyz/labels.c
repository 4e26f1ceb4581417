/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words for the numbers in a zip file: methods, systems, flags and attributes, and the
 * letters that stand for them in short. Called by entry.c and xyz.c; no state.
 */

#include "parts.h"

static const char *const methods[] = {
    [0] = "store",   [1] = "shrunk",     [2] = "reduce1",    [3] = "reduce2",
    [4] = "reduce3", [5] = "reduce4",    [6] = "implode",    [7] = "token",
    [8] = "deflate", [9] = "deflate64",  [10] = "terse_old", [12] = "bzip2",
    [14] = "lzma",   [18] = "terse_new", [19] = "lz77",      [97] = "wavpack",
    [98] = "ppmd",   [99] = "aes",
};

static const char *const systems[] = {
    "FAT",  "Amiga",    "OpenVMS", "UNIX",   "VM/CMS", "Atari", "HPFS",
    "Mac",  "Z-System", "CP/M",    "NTFS",   "MVS",    "VSE",   "Acorn",
    "VFAT", "alt MVS",  "BeOS",    "Tandem", "OS/400", "OSX",
};

const char *
xyz_label_method(unsigned method)
{
    const char *label =
        method < sizeof methods / sizeof *methods ? methods[method] : NULL;
    return label ? label : "unknown";
}

const char *
xyz_label_system(unsigned system)
{
    return system < sizeof systems / sizeof *systems ? systems[system] : "unknown";
}

/* --------------------------------------------------------------------- lists */

struct label {
    const char *word;
    char letter;
};

#define LABELS_MAX 16

struct labels {
    struct label items[LABELS_MAX];
    size_t count;
};

static void
add(struct labels *l, const char *word, char letter)
{
    if (l->count < LABELS_MAX)
        l->items[l->count++] = (struct label){word, letter};
}

static json_t *
words(const struct labels *l)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < l->count; i++) {
        if (json_array_append_new(array, json_string(l->items[i].word)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *
finish(const struct labels *l, bool letters)
{
    char text[LABELS_MAX];
    if (!letters)
        return words(l);
    for (size_t i = 0; i < l->count; i++)
        text[i] = l->items[i].letter;
    return json_stringn(text, l->count);
}

static void
add_method_flags(struct labels *l, unsigned flags, unsigned method)
{
    const bool one = flags & 0x0002, two = flags & 0x0004;
    switch (method) {
    case 6:
        add(l, one ? "implode_8k" : "implode_4k", one ? '8' : '4');
        add(l, two ? "implode_3trees" : "implode_2trees", two ? '3' : '2');
        break;
    case 8:
    case 9:
        if (two)
            add(l, one ? "deflate_superfast" : "deflate_fast", one ? 'S' : 'F');
        else
            add(l, one ? "deflate_max" : "deflate_normal", one ? 'M' : 'N');
        break;
    case 14:
        add(l, one ? "lzma_eos" : "lzma_size", one ? 'E' : 'Z');
        break;
    default:
        break;
    }
}

json_t *
xyz_label_flags(unsigned flags, unsigned method, bool letters)
{
    static const struct {
        unsigned bit;
        struct label label;
    } rest[] = {
        {XYZ_DESCRIPTOR, {"descriptor", 'd'}},
        {0x0010, {"deflate_enhanced", 'D'}},
        {XYZ_PATCHED, {"patched", 'p'}},
        {XYZ_STRONG, {"strong_encrypt", 's'}},
        {XYZ_UTF8, {"utf8", 'u'}},
        {0x0200, {"dir_masked", 'm'}},
    };
    struct labels l = {.count = 0};
    if (flags & XYZ_ENCRYPTED)
        add(&l, "encrypted", 'e');
    add_method_flags(&l, flags, method);
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        if (flags & rest[i].bit)
            add(&l, rest[i].label.word, rest[i].label.letter);
    return finish(&l, letters);
}

json_t *
xyz_label_block(struct bytes packed, unsigned method, unsigned flags, bool letters)
{
    static const struct label kinds[] = {{"deflate_nocompress", 'n'},
                                         {"deflate_fixed", 'f'},
                                         {"deflate_dynamic", 'd'},
                                         {"deflate_reserved", 'r'}};
    struct labels l = {.count = 0};
    if (packed.size > 0 && method == XYZ_DEFLATED && !(flags & XYZ_ENCRYPTED)) {
        const struct label *kind = &kinds[packed.data[0] >> 1 & 3];
        add(&l, kind->word, kind->letter);
        if (packed.data[0] & 1)
            add(&l, "deflate_lastblock", 'l');
        else
            add(&l, "deflate_moreblocks", 'm');
    }
    return finish(&l, letters);
}

json_t *
xyz_label_dos(uint32_t attributes, bool letters)
{
    static const struct label bits[] = {
        {"ro", 'R'},      {"hidden", 'H'},      {"sys", 'S'},       {"volume", 'V'},
        {"dir", 'D'},     {"archive", 'A'},     {"device", 'X'},    {"normal", 'N'},
        {"temp", 'T'},    {"sparse", 'P'},      {"link", 'L'},      {"compressed", 'C'},
        {"offline", 'O'}, {"not_indexed", 'I'}, {"encrypted", 'E'},
    };
    struct labels l = {.count = 0};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (attributes & 1U << i)
            add(&l, bits[i].word, bits[i].letter);
    return finish(&l, letters);
}

/* One of r, w, x and its special bit. */
static char
execute_letter(uint32_t mode, uint32_t bit, uint32_t special, char letter)
{
    if ((mode & (bit | special)) == (bit | special))
        return letter;
    if (mode & special)
        return (char)(letter - 'a' + 'A');
    return mode & bit ? 'x' : '-';
}

void
xyz_label_mode(uint32_t mode, char text[11])
{
    static const struct {
        uint32_t bits;
        char letter;
    } types[] = {{0120000, 'l'}, {0100000, '-'}, {0060000, 'b'},
                 {0040000, 'd'}, {0020000, 'c'}, {0010000, 'p'}};
    memcpy(text, "----------", 11);
    /* the first whose bits are all set, which is not always the type */
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if ((mode & types[i].bits) == types[i].bits) {
            text[0] = types[i].letter;
            break;
        }
    }
    for (unsigned who = 0; who < 3; who++) {
        const uint32_t bits = mode >> (6 - 3 * who);
        char *at = text + 1 + 3 * who;
        at[0] = bits & 4 ? 'r' : '-';
        at[1] = bits & 2 ? 'w' : '-';
    }
    text[3] = execute_letter(mode, 0100, 04000, 's');
    text[6] = execute_letter(mode, 0010, 02000, 's');
    text[9] = execute_letter(mode, 0001, 01000, 't');
}
