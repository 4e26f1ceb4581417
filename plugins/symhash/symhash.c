/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symhash: for each architecture of a Mach-O file, the MD5 of the names of its
 * undefined external symbols, sorted and joined by commas. Names that occur twice count
 * twice, as in Anomali's symhash. The names stay where they are in the payload; at most
 * NAMES_MAX of them, NAME_BYTES_MAX long together, are sorted.
 */

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include <stoq/plugin.h>

#include "common/auto.h"
#include "common/macho.h"

/* Symbol table entries looked at, over all load commands and architectures: tables may
 * lie on top of each other. */
#define SYMBOLS_MAX    ((size_t)4 << 20)
#define NAMES_MAX      ((size_t)1 << 20)
#define NAME_BYTES_MAX ((size_t)64 << 20)

/* What became of an architecture. */
enum outcome { HASHED, UNHASHED, LIMITED };

struct work {
    struct bytes *names; /* borrowed from the payload; owned array */
    size_t count, room, bytes, seen;
    EVP_MD *md5; /* borrowed */
    struct stoq_error *err;
};

/* Shortest body, from the command's number on, that the original can read. */
struct shape {
    uint32_t cmd, least;
};
static const struct shape shapes[] = {
    {MACHO_SEGMENT, 56},        {MACHO_SEGMENT_64, 72},
    {MACHO_SYMTAB, 24},         {MACHO_LOAD_DYLIB, 24},
    {MACHO_ID_DYLIB, 24},       {MACHO_VERSION_MIN_MACOSX, 16},
    {MACHO_SOURCE_VERSION, 16}, {MACHO_VERSION_MIN_IPHONEOS, 16},
    {MACHO_CODE_SIGNATURE, 16},
};

static int
broken(struct work *w, const char *what)
{
    return stoq_error_set(w->err, STOQ_ERROR_FORMAT, -EBADMSG, "%s", what);
}

static bool
is_utf8(struct bytes b)
{
    bool ascii = true;
    for (size_t i = 0; i < b.size; i++)
        ascii = ascii && b.data[i] < 0x80;
    if (ascii)
        return true;
    json_t *text = json_stringn((const char *)b.data, b.size);
    json_decref(text);
    return text != NULL;
}

/* @return HASHED to go on, LIMITED, -errno. */
static int
add_name(struct work *w, struct bytes name)
{
    if (!is_utf8(name))
        return broken(w, "a symbol's name is not UTF-8");
    if (w->count >= NAMES_MAX || name.size > NAME_BYTES_MAX - w->bytes)
        return LIMITED;
    if (w->count == w->room) {
        size_t room = w->room ? 2 * w->room : 256;
        struct bytes *names = realloc(w->names, room * sizeof(*names));
        if (!names)
            return stoq_error_set(w->err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
        w->names = names;
        w->room = room;
    }
    w->names[w->count++] = name;
    w->bytes += name.size;
    return HASHED;
}

static int
add_symbols(struct work *w, const struct macho *m, const struct macho_command *c)
{
    struct macho_symtab table;
    (void)macho_symtab(m, c, &table);
    uint64_t size = (uint64_t)table.nsyms * (m->wide ? 16 : 12);
    if (table.nsyms > 0 && !bytes_has(m->image, table.symoff, size))
        return broken(w, "the symbol table is cut off");
    for (uint32_t i = 0; i < table.nsyms; i++) {
        if (w->seen++ >= SYMBOLS_MAX)
            return LIMITED;
        struct macho_symbol symbol;
        (void)macho_symbol(m, &table, i, &symbol);
        if (symbol.name.size == 0 || (symbol.type & MACHO_N_EXT) == 0 ||
            (symbol.type & (MACHO_N_STAB | MACHO_N_TYPE)) != 0)
            continue;
        int r = add_name(w, symbol.name);
        if (r != HASHED)
            return r;
    }
    return HASHED;
}

/* A section that reaches beyond the image leaves it without a hash. */
static int
check_sections(struct work *w, const struct macho *m, const struct macho_command *c)
{
    struct macho_segment segment;
    (void)macho_segment(m, c, &segment);
    int r = HASHED;
    for (uint32_t i = 0; i < segment.nsects; i++) {
        struct macho_section s;
        if (!macho_section(m, c, i, &s))
            return broken(w, "a load command is cut off");
        if (s.offset != 0 && s.size != 0 && !bytes_has(m->image, s.offset, s.size))
            r = UNHASHED;
    }
    return r;
}

static int
take_command(struct work *w, const struct macho *m, const struct macho_command *c)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (shapes[i].cmd == c->cmd && c->body.size < shapes[i].least)
            return broken(w, "a load command is cut off");
    switch (c->cmd) {
    case MACHO_SEGMENT:
    case MACHO_SEGMENT_64:
        return check_sections(w, m, c);
    case MACHO_SYMTAB:
        return add_symbols(w, m, c);
    case MACHO_CODE_SIGNATURE:
        return bytes_has(m->image, macho_u32(m, c->body, 8), macho_u32(m, c->body, 12))
                   ? HASHED
                   : UNHASHED;
    default:
        return HASHED;
    }
}

static int
compare(const void *left, const void *right)
{
    const struct bytes *a = left, *b = right;
    size_t n = a->size < b->size ? a->size : b->size;
    int r = memcmp(a->data, b->data, n);
    return r != 0 ? r : (a->size > b->size) - (a->size < b->size);
}

static json_t *
digest(struct work *w)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned size = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestInit_ex(ctx, w->md5, NULL);
    if (w->count > 0)
        qsort(w->names, w->count, sizeof(*w->names), compare);
    for (size_t i = 0; ok && i < w->count; i++)
        ok = (i == 0 || EVP_DigestUpdate(ctx, ",", 1)) &&
             EVP_DigestUpdate(ctx, w->names[i].data, w->names[i].size);
    ok = ok && EVP_DigestFinal_ex(ctx, out, &size);
    EVP_MD_CTX_free(ctx);
    for (unsigned i = 0; i < size; i++)
        (void)snprintf(text + (size_t)2 * i, 3, "%02x", out[i]);
    return ok ? json_string(text) : NULL;
}

/* The key of an architecture, e.g. "Intel (64-bit) Executable 64-bit". */
static const char *
describe(const struct macho *m, char *out, size_t size)
{
    static const char *const types[] = {"Object",
                                        "Executable",
                                        "Fixed VM dynamic library",
                                        "Core",
                                        "Preloaded executable",
                                        "Dynamic library",
                                        "Dynamic link editor",
                                        "Bundle",
                                        "Dynamic library stub",
                                        "Symbol information",
                                        "64 bit kernel extension"};
    static const struct {
        uint32_t cpu;
        const char *name;
    } cpus[] = {{0x12, "PPC"},
                {0x7, "Intel"},
                {0xc, "ARM"},
                {0x01000012, "PPC64"},
                {0x01000007, "Intel (64-bit)"}};
    char number[16];
    if (m->filetype == 0 || m->filetype > sizeof types / sizeof *types)
        return NULL;
    (void)snprintf(number, sizeof number, "0x%08x", m->cpu);
    const char *cpu = number;
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++)
        if (cpus[i].cpu == m->cpu)
            cpu = cpus[i].name;
    (void)snprintf(out, size, "%s %s %s", cpu, types[m->filetype - 1],
                   m->wide ? "64-bit" : "32-bit");
    return out;
}

/* Add one image's hash to @hashes. @return an outcome or -errno. */
static int
hash_image(struct work *w, struct bytes image, json_t *hashes)
{
    struct macho m;
    char key[80];
    if (image.size < 4)
        return broken(w, "an image has no header");
    if (macho_kind(image) != MACHO_THIN)
        return UNHASHED;
    if (macho_open(image, &m) < 0)
        return broken(w, "the header of an image is cut off");
    if (!describe(&m, key, sizeof key) ||
        !bytes_has(image, m.header_size, (uint64_t)8 * m.ncmds))
        return UNHASHED;
    w->count = w->bytes = 0;
    struct macho_walk walk = macho_first(&m);
    struct macho_command c;
    int r;
    while ((r = macho_next(&m, &walk, &c)) > 0) {
        r = take_command(w, &m, &c);
        if (r != HASHED)
            return r;
    }
    if (r < 0)
        return broken(w, "the load commands are cut off");
    return json_object_set_new(hashes, key, digest(w)) < 0
               ? stoq_error_set(w->err, STOQ_ERROR_PLUGIN, -EIO,
                                "computing a digest failed")
               : HASHED;
}

/* Every image of a universal file; one without a hash leaves all without. */
static int
hash_fat(struct work *w, struct bytes file, json_t *hashes, struct stoq_reply *reply)
{
    for (uint32_t i = 0; i < macho_arch_count(file); i++) {
        struct macho_arch arch;
        if (!macho_arch(file, i, &arch))
            return broken(w, "the list of architectures is cut off");
        if (!bytes_has(file, arch.offset, arch.size))
            return UNHASHED;
        int r = hash_image(w, bytes_at(file, arch.offset, arch.size), hashes);
        if (r < 0 || r == UNHASHED)
            return r;
        if (r == LIMITED)
            stoq_reply_limit(reply, "symbols", w->seen);
    }
    return HASHED;
}

static int
symhash_scan(void *instance, struct stoq_payload *payload,
             const struct stoq_request *request, struct stoq_reply *reply,
             unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    struct bytes file;
    file.data = stoq_payload_data(payload, &file.size);
    struct work w = {.md5 = instance, .err = err};
    json_t *hashes = json_object();
    int r = UNHASHED;
    enum macho_kind kind = file.size < 8 ? MACHO_NONE : macho_kind(file);
    if (kind == MACHO_FAT)
        r = hash_fat(&w, file, hashes, reply);
    else if (kind == MACHO_THIN)
        r = hash_image(&w, file, hashes);
    free(w.names);
    if (r == LIMITED)
        stoq_reply_limit(reply, "symbols", w.seen);
    if (r < 0 || r == UNHASHED) {
        json_decref(hashes);
        hashes = r < 0 ? NULL : json_null();
    }
    if (r < 0)
        return r;
    json_t *results = json_object();
    if (json_object_set_new(results, "symhash", hashes) < 0) {
        json_decref(results);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    stoq_reply_results(reply, results);
    return 0;
}

static int
symhash_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    (void)ctx;
    *instance = EVP_MD_fetch(NULL, "MD5", NULL);
    return *instance ? 0
                     : stoq_error_set(err, STOQ_ERROR_PLUGIN, -ENOTSUP,
                                      "this OpenSSL offers no MD5");
}

static void
symhash_close(void *instance)
{
    EVP_MD_free(instance);
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "symhash",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .open = symhash_open,
    .close = symhash_close,
    .scan = symhash_scan,
};
STOQ_PLUGIN(plugin);
