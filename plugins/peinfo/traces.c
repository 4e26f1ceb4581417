/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces of how a program was made: the Rich header of Microsoft's linker, TLS
 * callbacks, and the debug directory. Oddities of the original are kept, as its results
 * are compared by others: callbacks are read four bytes at a time, also in 64-bit
 * programs.
 */

#include "parts.h"

#include <errno.h>
#include <stdio.h>

#define RICH_START    0x80U
#define RICH          0x68636952U
#define DANS          0x536e6144U
#define CALLBACKS_MAX 255U
#define DEBUG_SIZE    28U
#define DEBUG_MAX     1024U
#define CODEVIEW      2U

/* Word @i of the Rich header. */
static uint32_t
word(struct bytes b, size_t i)
{
    return bytes_le32(b, 4 * (uint64_t)i);
}

/* From 0x80 to the checksum behind "Rich"; empty when there is no such header. */
static struct bytes
rich_bytes(const struct pe *pe)
{
    struct bytes head = pe->file;
    if (pe->optional_offset < head.size)
        head.size = (size_t)pe->optional_offset;
    size_t rich = bytes_find(head, RICH_START, "Rich", 4);
    if (rich == SIZE_MAX)
        return (struct bytes){0};
    struct bytes b = bytes_from(pe->file, RICH_START);
    size_t size = (rich + 8 - RICH_START) & ~(size_t)3;
    b.size = b.size < size ? b.size & ~(size_t)3 : size;
    return b;
}

static bool
rich_valid(struct bytes b)
{
    bool found = false;
    for (size_t i = 0; !found && i < b.size / 4; i++)
        found = word(b, i) == RICH;
    return found && b.size >= 16 && (word(b, 0) ^ word(b, 1)) == DANS &&
           word(b, 2) == word(b, 1) && word(b, 3) == word(b, 1);
}

static int
feed_word(EVP_MD_CTX *md, uint32_t value)
{
    unsigned char le[4];
    for (unsigned i = 0; i < 4; i++)
        le[i] = (unsigned char)(value >> 8 * i);
    return EVP_DigestUpdate(md, le, sizeof(le));
}

static int
feed_rich(EVP_MD_CTX *md, struct bytes b)
{
    uint32_t key = word(b, 1);
    int ok = EVP_DigestUpdate(md, "DanS\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    for (size_t i = 4; ok && 4 * i + 8 <= b.size && word(b, i) != RICH; i += 2)
        ok = feed_word(md, word(b, i) ^ key) && feed_word(md, word(b, i + 1) ^ key);
    return ok;
}

int
add_rich_header(struct look *l)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    char text[HEX_MAX];
    unsigned size = 0;
    struct bytes b = rich_bytes(&l->pe);
    if (!rich_valid(b))
        return 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int ok = md && EVP_DigestInit_ex(md, l->plugin->sha256, NULL) && feed_rich(md, b) &&
             EVP_DigestFinal_ex(md, out, &size);
    EVP_MD_CTX_free(md);
    if (!ok)
        return -EIO;
    hex(out, size, text);
    return json_object_set_new(l->results, "rich_header", json_string(text)) < 0
               ? -ENOMEM
               : 0;
}

/* Four bytes of the callback table. @return 1, 0 at its end, -ENOMEM. */
static int
add_callback(struct look *l, uint64_t table, unsigned i, json_t *list)
{
    uint64_t base = l->pe.optional.image_base, at = table + 4 * (uint64_t)i - base;
    struct bytes b = {0};
    /* below the image there is nothing, which the original takes for an entry */
    bool below = table < base && base - table > 4 * (uint64_t)i;
    if (!below && !pe_data(&l->pe, at, 4, &b))
        return 0;
    bool known = b.size == 4;
    if (known && bytes_le32(b, 0) == 0)
        return 0;
    json_t *value = known ? json_integer(bytes_le32(b, 0)) : json_null();
    return json_array_append_new(list, value) < 0 ? -ENOMEM : 1;
}

int
add_tls(struct look *l)
{
    bool is64 = l->pe.optional.magic == PE_64;
    uint64_t rva = pe_directory(&l->pe, PE_TLS).rva, size = is64 ? 40 : 24;
    struct bytes b;
    if (rva == 0 || !pe_data(&l->pe, rva, size, &b) || b.size != size)
        return 0;
    uint64_t table = is64 ? bytes_le64(b, 24) : bytes_le32(b, 12);
    json_t *list = json_array();
    int r = list ? 1 : -ENOMEM;
    for (unsigned i = 0; r > 0 && i < CALLBACKS_MAX; i++)
        r = add_callback(l, table, i, list);
    if (r < 0 || json_array_size(list) == 0) {
        json_decref(list);
        return r < 0 ? r : 0;
    }
    return json_object_set_new(l->results, "tls_callbacks", list) < 0 ? -ENOMEM : 0;
}

static int
set_pdb(json_t *out, struct bytes record, uint64_t from, uint32_t size)
{
    struct bytes b = bytes_from(record, from);
    if (b.size > size - 1 - from) /* size is at least 24 */
        b.size = (size_t)(size - 1 - from);
    if (size <= from || b.size == 0) /* what the original makes of no bytes */
        return json_object_set_new(out, "DebugPDB", json_null()) < 0 ? -ENOMEM : 0;
    return stoq_json_set_text(out, "DebugPDB", b.data, b.size);
}

/* Bytes as the original prints them, whose digits are in b''. */
static void
guid_text(struct bytes record, char out[64])
{
    size_t n = 0;
    for (unsigned i = 0; i < 4; i++) {
        char digits[HEX_MAX];
        hex(record.data + 4 + (size_t)4 * i, 4, digits);
        n += (size_t)snprintf(out + n, 64 - n, "%sb'%s'", i ? "-" : "", digits);
    }
}

static int
set_codeview(struct look *l, json_t *out, struct bytes record, uint32_t size)
{
    char guid[64];
    bool rsds = bytes_are(record, 0, "RSDS", 4);
    if (!rsds && !bytes_are(record, 0, "NB10", 4))
        return 0;
    if (!bytes_has(record, 0, rsds ? 24 : 16)) {
        stoq_reply_error(l->reply, "a debug record is cut by the end of the file");
        return 0;
    }
    if (json_object_set_new(out, "DebugSig", json_string(rsds ? "RSDS" : "NB10")))
        return -ENOMEM;
    if (rsds)
        guid_text(record, guid);
    if (json_object_set_new(out, rsds ? "DebugGUID" : "DebugTime",
                            rsds ? json_string(guid)
                                 : json_integer(bytes_le32(record, 8))) ||
        json_object_set_new(out, "DebugAge",
                            json_integer(bytes_le32(record, rsds ? 20 : 12))))
        return -ENOMEM;
    return set_pdb(out, record, rsds ? 24 : 16, size);
}

static int
add_debug_entry(struct look *l, struct bytes b, json_t *list)
{
    uint32_t type = bytes_le32(b, 12), size = bytes_le32(b, 16);
    if (type == CODEVIEW && (size < 24 || size > 0xffff))
        return 0;
    json_t *out = json_object();
    if (json_array_append_new(list, out) < 0 ||
        json_object_set_new(out, "MajorVersion", json_integer(bytes_le16(b, 8))) ||
        json_object_set_new(out, "MinorVersion", json_integer(bytes_le16(b, 10))) ||
        json_object_set_new(out, "SizeOfData", json_integer(size)) ||
        json_object_set_new(out, "TimeDateStamp", json_integer(bytes_le32(b, 4))) ||
        set_time(out, "TimeDateString", bytes_le32(b, 4)) ||
        json_object_set_new(out, "Type", json_integer(type)))
        return -ENOMEM;
    if (type != CODEVIEW)
        return 0;
    struct bytes record = bytes_from(l->pe.file, bytes_le32(b, 24));
    if (record.size > size)
        record.size = size;
    return set_codeview(l, out, record, size);
}

/* All entries can be read, or the directory does not count. */
static bool
debug_whole(struct look *l, struct pe_directory d)
{
    struct bytes b;
    for (uint64_t i = 0; i < d.size / DEBUG_SIZE; i++) {
        if (!pe_data(&l->pe, d.rva + DEBUG_SIZE * i, DEBUG_SIZE, &b) ||
            b.size != DEBUG_SIZE)
            return false;
    }
    return d.size >= DEBUG_SIZE;
}

int
add_debug(struct look *l)
{
    struct pe_directory d = pe_directory(&l->pe, PE_DEBUG);
    struct bytes b;
    if (d.rva == 0 || !debug_whole(l, d))
        return 0;
    json_t *list = json_array();
    int r = list ? 0 : -ENOMEM;
    for (uint64_t i = 0; r == 0 && i < d.size / DEBUG_SIZE; i++) {
        if (i == DEBUG_MAX) {
            stoq_reply_limit(l->reply, "debug_entries", DEBUG_MAX);
            break;
        }
        (void)pe_data(&l->pe, d.rva + DEBUG_SIZE * i, DEBUG_SIZE, &b);
        r = add_debug_entry(l, b, list);
    }
    if (r < 0 || json_array_size(list) == 0) {
        json_decref(list);
        return r;
    }
    return json_object_set_new(l->results, "debug_info", list) < 0 ? -ENOMEM : 0;
}
