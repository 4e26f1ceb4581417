/* SPDX-License-Identifier: Apache-2.0 */
/* Values as ExifTool's JSON has them: text that looks like a number is one. */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include <stoq/plugin.h>

#include "common/auto.h"
#include "parts.h"

void
put(struct result *out, const char *key, json_t *value)
{
    if (!value) {
        out->failed = true;
        return;
    }
    if (out->low && json_object_get(out->object, key)) {
        json_decref(value);
        return;
    }
    if (json_object_set_new(out->object, key, value) < 0)
        out->failed = true;
}

static size_t
digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* A number of at most 15 digits without a leading zero, then at most 16 digits after
 * the point, then an exponent of at most 3. @return whether it is one, *@real which
 * kind. */
static bool
is_number(const char *text, bool *real)
{
    const char *at = text + (*text == '-');
    size_t n = digits(at);
    *real = false;
    if (n == 0 || n > 15 || (n > 1 && *at == '0'))
        return false;
    at += n;
    if (*at == '.') {
        n = digits(++at);
        if (n == 0 || n > 16)
            return false;
        at += n;
        *real = true;
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '-' || *at == '+';
        n = digits(at);
        if (n == 0 || n > 3)
            return false;
        at += n;
        *real = true;
    }
    return *at == '\0';
}

static json_t *
value_of(struct bytes text)
{
    char copy[48];
    bool real;
    if (text.size < sizeof copy && text.size > 0) {
        memcpy(copy, text.data, text.size);
        copy[text.size] = '\0';
        if (strlen(copy) == text.size && is_number(copy, &real)) {
            double number = strtod(copy, NULL);
            json_t *value = real ? json_real(number) : json_integer(atoll(copy));
            return value ? value : json_string(copy); /* infinity is no JSON */
        }
        if (strcasecmp(copy, "true") == 0 || strcasecmp(copy, "false") == 0)
            return json_boolean(tolower(copy[0]) == 't');
    }
    return stoq_json_text(text.data ? (const void *)text.data : "", text.size, NULL);
}

void
put_text(struct result *out, const char *key, struct bytes text)
{
    if (text.size > TEXT_MAX) {
        out->cut = true;
        put_binary(out, key, text.size);
        return;
    }
    put(out, key, value_of(text));
}

void
put_string(struct result *out, const char *key, const char *text)
{
    put_text(out, key, (struct bytes){(const unsigned char *)text, strlen(text)});
}

void
put_number(struct result *out, const char *key, int64_t value)
{
    put(out, key, json_integer(value));
}

void
put_real(struct result *out, const char *key, double value, int precision)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.*g", precision, value);
    put_string(out, key, text);
}

void
put_binary(struct result *out, const char *key, uint64_t size)
{
    put(out, key,
        json_sprintf("(Binary data %llu bytes, use -b option to extract)",
                     (unsigned long long)size));
}

static size_t
add_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)(first[n] | c);
    return n;
}

void
put_utf16(struct result *out, const char *key, struct bytes text, bool big)
{
    size_t size = 0;
    if (text.size > TEXT_MAX) {
        out->cut = true;
        put_binary(out, key, text.size);
        return;
    }
    PLUGIN_AUTOFREE char *utf8 = malloc(2 * text.size + 1); /* 3 bytes for 2 at most */
    if (!utf8) {
        out->failed = true;
        return;
    }
    for (size_t at = 0; at + 1 < text.size; at += 2) {
        uint32_t c = (uint32_t)bytes_number(text, at, 2, big);
        uint32_t low = (uint32_t)bytes_number(text, at + 2, 2, big);
        if (c == 0)
            break;
        if ((c & 0xfc00) == 0xd800 && (low & 0xfc00) == 0xdc00) {
            c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
            at += 2;
        } else if ((c & 0xf800) == 0xd800) {
            c = 0xfffd;
        }
        size += add_utf8(utf8 + size, c);
    }
    put_text(out, key, (struct bytes){(const unsigned char *)utf8, size});
}

void
put_type(struct result *out, const char *type, const char *extension, const char *mime)
{
    put(out, "FileType", json_string(type));
    put(out, "FileTypeExtension", json_string(extension));
    put(out, "MIMEType", json_string(mime));
}

double
get_real(const struct result *out, const char *key, double fallback)
{
    const json_t *value = json_object_get(out->object, key);
    if (json_is_string(value)) { /* too many digits for a JSON number */
        char *end;
        double number = strtod(json_string_value(value), &end);
        return *end == '\0' && end != json_string_value(value) ? number : fallback;
    }
    return json_is_number(value) ? json_number_value(value) : fallback;
}
