/* SPDX-License-Identifier: Apache-2.0 */

/* symhash: the hash of small images, also of damaged ones, which must give the result
 * or the error that is due, and of every prefix. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"
#include "util/io.h"

#define HASH  "4747083e69273e6f2bd3096dd106626e" /* _exit,_malloc,_puts */
#define EXEC  "{\"symhash\": {\"Intel (64-bit) Executable 64-bit\": \"" HASH "\"}}"
#define EMPTY "d41d8cd98f00b204e9800998ecf8427e"
#define NONE  "{\"symhash\": null}"

/* Offsets in exec.macho: of the header's fields and of load commands. */
enum {
    CPU = 4,
    FILETYPE = 12,
    NCMDS = 16,
    PAGEZERO = 32,
    TEXT = PAGEZERO + 72,
    DATA = TEXT + 152,
    LINKEDIT = DATA + 152,
    SYMTAB = LINKEDIT + 72,
    TEXT_NSECTS = TEXT + 64,
    TEXT_OFFSET = TEXT + 72 + 48, /* of its section */
    SYMOFF = SYMTAB + 8,
    NSYMS = SYMTAB + 12,
    STROFF = SYMTAB + 16,
    STRSIZE = SYMTAB + 20,
    DYSYMTAB = SYMTAB + 24
};

static unsigned char *
sample(const char *name, size_t *size)
{
    char *text = NULL;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", SAMPLES, name);
    ck_assert_int_eq(stoq_read_file(path, 1 << 20, &text, size, NULL), 0);
    return (unsigned char *)text;
}

static void
put32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

/* One 32-bit field of exec.macho changed; @text is the result, or else the error. */
static const struct {
    uint32_t at, value;
    const char *text;
    bool fails;
} changes[] = {
    {CPU, 0x01000007, EXEC, false},
    {CPU, 7, "{\"symhash\": {\"Intel Executable 64-bit\": \"" HASH "\"}}", false},
    {CPU, 0x0100000c, "{\"symhash\": {\"0x0100000c Executable 64-bit\": \"" HASH "\"}}",
     false},
    {FILETYPE, 6,
     "{\"symhash\": {\"Intel (64-bit) Dynamic library 64-bit\": \"" HASH "\"}}", false},
    {FILETYPE, 11,
     "{\"symhash\": {\"Intel (64-bit) 64 bit kernel extension 64-bit\": \"" HASH "\"}}",
     false},
    {FILETYPE, 0, NONE, false},
    {FILETYPE, 12, NONE, false},
    {FILETYPE, UINT32_MAX, NONE, false},
    {NCMDS, 0, "{\"symhash\": {\"Intel (64-bit) Executable 64-bit\": \"" EMPTY "\"}}",
     false},
    {NCMDS, 4, "{\"symhash\": {\"Intel (64-bit) Executable 64-bit\": \"" EMPTY "\"}}",
     false},
    {NCMDS, 5, EXEC, false},
    {NCMDS, 125, NONE, false},
    {NCMDS, UINT32_MAX, NONE, false},
    {TEXT_OFFSET, UINT32_MAX, NONE, false},
    {TEXT_OFFSET, 0, EXEC, false},
    {TEXT_NSECTS, 2, "a load command is cut off", true},
    {TEXT_NSECTS, UINT32_MAX, "a load command is cut off", true},
    {PAGEZERO + 4, 71, "a load command is cut off", true},
    {SYMTAB, 99, "{\"symhash\": {\"Intel (64-bit) Executable 64-bit\": \"" EMPTY "\"}}",
     false},
    {SYMTAB + 4, 0, "a load command is cut off", true},
    {DYSYMTAB + 4, 0, EXEC, false},
    {DYSYMTAB + 4, UINT32_MAX, "the load commands are cut off", true},
    {SYMOFF, UINT32_MAX, "the symbol table is cut off", true},
    {NSYMS, UINT32_MAX, "the symbol table is cut off", true},
    {NSYMS, 5,
     "{\"symhash\": {\"Intel (64-bit) Executable 64-bit\": "
     "\"92d4edf800bc18d8f096f7a8852b8fd3\"}}",
     false},
    {NSYMS, 0, "{\"symhash\": {\"Intel (64-bit) Executable 64-bit\": \"" EMPTY "\"}}",
     false},
    {STROFF, UINT32_MAX,
     "{\"symhash\": {\"Intel (64-bit) Executable 64-bit\": \"" EMPTY "\"}}", false},
    {STRSIZE, 0, "{\"symhash\": {\"Intel (64-bit) Executable 64-bit\": \"" EMPTY "\"}}",
     false},
    {STRSIZE, UINT32_MAX, EXEC, false},
};

START_TEST(test_changes)
{
    struct stoq_loaded *p = LOADED("symhash", NULL, NULL);
    size_t size = 0;
    unsigned char *data = sample("exec.macho", &size);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        unsigned char kept[4];
        memcpy(kept, data + changes[i].at, 4);
        put32(data + changes[i].at, changes[i].value);
        struct stoq_reply reply;
        struct stoq_error err = {0};
        int r = scan(p, data, size, NULL, &reply, &err);
        ck_assert_int_eq(r, changes[i].fails ? -EBADMSG : 0);
        ck_assert_uint_eq(reply.hit_count, 0);
        if (changes[i].fails)
            ck_assert_str_eq(err.message, changes[i].text);
        else
            CHECK_TEXT(json_dumps(reply.results, 0), changes[i].text);
        stoq_reply_fini(&reply);
        memcpy(data + changes[i].at, kept, 4);
    }
    free(data);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_other)
{
    static const struct {
        const char *data;
        size_t size;
    } others[] = {
        {"", 0},
        {"text", 4},
        {"\xcf\xfa\xed\xfe", 4},
        {"\xca\xfe\xba\xbe\0\0\0\0", 8},
        {"\xca\xfe\xba\xbe\0\0\0\x34\0\0\0\0\0\0\0\0", 16},
        {"\xbe\xba\xfe\xca\0\0\0\2\0\0\0\0\0\0\0\0", 16},
        {"\xca\xfe\xba\xbf\0\0\0\2\0\0\0\0\0\0\0\0", 16},
    };
    struct stoq_loaded *p = LOADED("symhash", NULL, NULL);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK_TEXT(scanned(p, others[i].data, others[i].size, NULL), NONE);
    stoq_loaded_free(p);
}
END_TEST

/* Universal files: one hash per image, and what a bad list does. */
START_TEST(test_fat)
{
    enum { OFFSET_2 = 8 + 20 + 8 }; /* of the second image */
    struct stoq_loaded *p = LOADED("symhash", NULL, NULL);
    size_t size = 0;
    unsigned char *data = sample("fat.macho", &size);
    CHECK_TEXT(scanned(p, data, size, NULL),
               "{\"symhash\": {\"Intel (64-bit) Executable 64-bit\": \"" HASH "\", "
               "\"PPC Object 32-bit\": \"78f39556afb1f37b778f644393c685de\", "
               "\"0x0100000c Dynamic library 64-bit\": \"" HASH "\"}}");
    unsigned char *at = data + OFFSET_2;
    unsigned char offset[4];
    memcpy(offset, at, 4);
    memset(at, 0xff, 4); /* beyond the end */
    CHECK_TEXT(scanned(p, data, size, NULL), NONE);
    memset(at, 0, 4); /* the universal file itself */
    CHECK_TEXT(scanned(p, data, size, NULL), NONE);
    memcpy(at, offset, 4);
    data[7] = 2;
    CHECK_TEXT(scanned(p, data, size, NULL),
               "{\"symhash\": {\"Intel (64-bit) Executable 64-bit\": \"" HASH "\", "
               "\"PPC Object 32-bit\": \"78f39556afb1f37b778f644393c685de\"}}");
    free(data);

    static const char cut[] = "\xca\xfe\xba\xbe\0\0\0\2\0\0\0\0\0\0\0";
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, cut, sizeof cut, NULL, &reply, &err), -EBADMSG);
    ck_assert_str_eq(err.message, "the list of architectures is cut off");
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(test_prefixes)
{
    static const char *const names[] = {"exec.macho", "fat.macho"};
    struct stoq_loaded *p = LOADED("symhash", NULL, NULL);
    size_t size = 0;
    unsigned char *data = sample(names[_i], &size);
    for (size_t n = 0; n < size; n++) {
        unsigned char *prefix = malloc(n ? n : 1); /* its end is the heap block's */
        memcpy(prefix, data, n);
        struct stoq_reply reply;
        struct stoq_error err = {0};
        int r = scan(p, prefix, n, NULL, &reply, &err);
        ck_assert(r == 0 || r == -EBADMSG);
        ck_assert_int_eq(r == 0, reply.results != NULL);
        if (n < 8)
            CHECK_TEXT(json_dumps(reply.results, 0), NONE);
        stoq_reply_fini(&reply);
        free(prefix);
    }
    free(data);
    stoq_loaded_free(p);
}
END_TEST

/* Many commands that name one large symbol table: looked at up to the limit. */
START_TEST(test_limit)
{
    enum { COMMANDS = 500, SYMBOLS = 20000 };
    static const unsigned char header[32] = {0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0,
                                             1,    3,    0,    0,    0, 2};
    size_t symoff = sizeof header + (size_t)24 * COMMANDS;
    size_t size = symoff + (size_t)16 * SYMBOLS;
    unsigned char *data = calloc(1, size);
    memcpy(data, header, sizeof header);
    put32(data + NCMDS, COMMANDS);
    for (size_t i = 0; i < COMMANDS; i++) {
        unsigned char *at = data + sizeof header + 24 * i;
        put32(at, 2);
        put32(at + 4, 24);
        put32(at + 8, (uint32_t)symoff);
        put32(at + 12, SYMBOLS);
    }
    struct stoq_loaded *p = LOADED("symhash", NULL, NULL);
    struct stoq_reply reply;
    struct stoq_error err = {0};
    ck_assert_int_eq(scan(p, data, size, NULL, &reply, &err), 0);
    CHECK_TEXT(json_dumps(reply.results, 0), "{\"symhash\": {}}");
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "symbols");
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
    free(data);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_changes);
    tcase_add_test(tc, test_other);
    tcase_add_test(tc, test_fat);
    tcase_add_loop_test(tc, test_prefixes, 0, 2);
    tcase_add_test(tc, test_limit);
}

int
main(void)
{
    return run_suite("plugins_symhash", fill);
}
