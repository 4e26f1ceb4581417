/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making plugins' text and JSON fit for documents; see scrub.h.
 */

#include "plugin/scrub.h"

#include <string.h>

#include "util/json.h"

#define NAME_MAX_BYTES 255U

/* Bytes of the sequence that @lead announces; 0 for a byte that cannot lead one. */
static size_t
sequence_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

void
stoq_scrub(char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = sequence_length(c);
        if (n == 1) {
            if (c < 0x20 || c == 0x7f)
                text[i] = ' ';
            i++;
        } else if (n > 0 && n <= size - i && stoq_utf8_valid(text + i, n)) {
            i += n;
        } else {
            text[i++] = '?';
        }
    }
}

static const char *
object_objection(json_t *json, unsigned depth)
{
    for (void *i = json_object_iter(json); i; i = json_object_iter_next(json, i)) {
        const char *key = json_object_iter_key(i);
#if JANSSON_VERSION_HEX >= 0x020e00
        size_t size = json_object_iter_key_len(i);
#else
        size_t size = strlen(key);
#endif
        if (!stoq_utf8_valid(key, size))
            return "has a key that is not UTF-8";
        const char *why = stoq_json_objection(json_object_iter_value(i), depth);
        if (why)
            return why;
    }
    return NULL;
}

const char *
stoq_json_objection(json_t *json, unsigned depth)
{
    if (json_is_string(json))
        return stoq_utf8_valid(json_string_value(json), json_string_length(json))
                   ? NULL
                   : "has a string that is not UTF-8";
    if (!json_is_object(json) && !json_is_array(json))
        return NULL;
    if (depth == 0)
        return "is nested too deep";
    if (json_is_object(json))
        return object_objection(json, depth - 1);
    for (size_t i = 0; i < json_array_size(json); i++) {
        const char *why = stoq_json_objection(json_array_get(json, i), depth - 1);
        if (why)
            return why;
    }
    return NULL;
}

bool
stoq_name_usable(const char *name)
{
    size_t size = name ? strnlen(name, NAME_MAX_BYTES + 1) : 0;
    return size > 0 && size <= NAME_MAX_BYTES && stoq_utf8_valid(name, size);
}
