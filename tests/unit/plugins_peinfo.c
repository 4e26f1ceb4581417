/* SPDX-License-Identifier: Apache-2.0 */

/* See plugins_peinfo.h. */

#include "plugins_peinfo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/io.h"

#define SAMPLES SOURCE_DIR "/plugins/peinfo/selftest/"

unsigned char *data;
size_t size;

void
take(const char *name)
{
    char path[512];
    char *text = NULL;
    (void)snprintf(path, sizeof path, "%s%s", SAMPLES, name);
    free(data);
    data = NULL;
    ck_assert_int_eq(stoq_read_file(path, 1 << 20, &text, &size, NULL), 0);
    data = (unsigned char *)text;
}

void
put(size_t at, uint64_t value, unsigned width)
{
    ck_assert_uint_le(at + width, size);
    for (unsigned i = 0; i < width; i++)
        data[at + i] = (unsigned char)(value >> 8 * i);
}

uint32_t
get(size_t at)
{
    ck_assert_uint_le(at + 4, size);
    return data[at] | (uint32_t)data[at + 1] << 8 | (uint32_t)data[at + 2] << 16 |
           (uint32_t)data[at + 3] << 24;
}

size_t
optional(void)
{
    return get(0x3c) + 24;
}

size_t
row(unsigned i)
{
    return optional() + (data[optional() + 1] == 2 ? 112 : 96) + 8 * (size_t)i;
}

size_t
place(uint32_t rva)
{
    return rva - 0x2000 + 0x600;
}

size_t
table(unsigned i)
{
    return place(get(row(i)));
}

int
look(struct stoq_loaded *p, size_t length, struct stoq_reply *reply)
{
    struct stoq_error err = {0};
    int r = scan(p, data, length, NULL, reply, &err);
    ck_assert_msg(r == 0 || r == -EBADMSG, "%d: %s", r, err.message);
    ck_assert_int_eq(r == 0, json_object_get(reply->results, "entrypoint") != NULL);
    return r;
}

char *
value_of(const struct stoq_reply *reply, const char *key)
{
    return json_dumps(json_object_get(reply->results, key),
                      JSON_ENCODE_ANY | JSON_COMPACT);
}

void
expect(const char *key, const char *expected, const char *error, const char *limit)
{
    struct stoq_loaded *p = LOADED("peinfo", NULL, NULL);
    struct stoq_reply reply;
    ck_assert_int_eq(look(p, size, &reply), 0);
    CHECK_TEXT(value_of(&reply, key), expected);
    ck_assert_str_eq(reply.errors.count ? reply.errors.items[0] : "", error);
    ck_assert_str_eq(reply.hit_count ? reply.hits[0].name : "", limit);
    stoq_reply_fini(&reply);
    stoq_loaded_free(p);
}
