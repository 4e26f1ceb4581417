/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that link a program to others: imports and their hash, exports, and the strings
 * of the version block. All but the latter are ASCII, as the readers refuse other
 * names.
 */

#include "parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static const char *
text_of(struct bytes b, char buffer[PE_NAME_MAX + 1])
{
    (void)snprintf(buffer, PE_NAME_MAX + 1, "%.*s", (int)b.size,
                   b.size ? (const char *)b.data : "");
    return buffer;
}

/* A symbol as the results have it: its name, the one known for its number, its number.
 */
static const char *
symbol_text(const struct pe_library *library, const struct pe_symbol *symbol,
            const char *format, char buffer[PE_NAME_MAX + 1])
{
    if (!symbol->by_ordinal)
        return text_of(symbol->name, buffer);
    const char *known = pe_ordinal_name(library->name, symbol->ordinal, buffer);
    if (known)
        return known;
    (void)snprintf(buffer, PE_NAME_MAX + 1, "%s%u", format, (unsigned)symbol->ordinal);
    return buffer;
}

int
add_imports(struct look *l)
{
    const struct pe_imports *in = &l->imports;
    char buffer[PE_NAME_MAX + 1];
    if (in->limited)
        stoq_reply_limit(l->reply, "imports", in->symbol_count);
    if (in->library_count == 0)
        return 0;
    json_t *out = json_object();
    if (json_object_set_new(l->results, "imports", out) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < in->library_count; i++) {
        const struct pe_library *library = &in->libraries[i];
        const char *key = text_of(library->name, buffer);
        json_t *list = json_object_get(out, key);
        if (!list) {
            list = json_array();
            if (json_object_set_new(out, key, list) < 0)
                return -ENOMEM;
        }
        for (size_t s = 0; s < library->count; s++) {
            const struct pe_symbol *symbol = &in->symbols[library->first + s];
            const char *text = symbol_text(library, symbol, "", buffer);
            if (json_array_append_new(list, json_string(text)) < 0)
                return -ENOMEM;
        }
    }
    return 0;
}

int
add_exports(struct look *l)
{
    struct pe_exports in;
    char buffer[PE_NAME_MAX + 1];
    /* pefile looks at no directory when there is none of imports, which is the second
     */
    if (l->pe.directory_count <= PE_IMPORT)
        return 0;
    int r = pe_exports_read(&l->pe, &in);
    if (r < 0)
        return r;
    if (in.limited)
        stoq_reply_limit(l->reply, "exports", in.count);
    json_t *out = json_array();
    for (size_t i = 0; out && r == 0 && i < in.count; i++) {
        if (in.named[i].name.size > 0 &&
            json_array_append_new(out, json_string(text_of(in.named[i].name, buffer))))
            r = -ENOMEM;
    }
    pe_exports_free(&in);
    if (r == 0 && out && json_array_size(out) == 0)
        json_decref(out);
    else if (json_object_set_new(l->results, "exports", out) < 0)
        r = -ENOMEM;
    return r;
}

int
add_versions(struct look *l, const struct pe_resources *resources)
{
    if (json_object_size(resources->versions) == 0)
        return 0;
    return json_object_set(l->results, "version_info", resources->versions) < 0
               ? -ENOMEM
               : 0;
}

static int
feed_lower(EVP_MD_CTX *md, const char *text, size_t size)
{
    char lower[PE_NAME_MAX];
    size_t n = size < sizeof(lower) ? size : sizeof(lower);
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)tolower((unsigned char)text[i]);
    return EVP_DigestUpdate(md, lower, n);
}

/* Length of a library's name without .dll, .ocx or .sys. */
static size_t
stem(const char *name)
{
    static const char *const extensions[] = {".dll", ".ocx", ".sys"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof(extensions) / sizeof(*extensions); i++) {
        if (strcasecmp(dot, extensions[i]) == 0)
            return (size_t)(dot - name);
    }
    return strlen(name);
}

static int
feed_imports(EVP_MD_CTX *md, const struct pe_imports *in)
{
    char name[PE_NAME_MAX + 1], buffer[PE_NAME_MAX + 1];
    int ok = 1;
    for (size_t i = 0, n = 0; i < in->library_count; i++) {
        const struct pe_library *library = &in->libraries[i];
        size_t length = stem(text_of(library->name, name));
        for (size_t s = 0; ok && s < library->count; s++, n++) {
            const char *symbol =
                symbol_text(library, &in->symbols[library->first + s], "ord", buffer);
            ok = (n == 0 || EVP_DigestUpdate(md, ",", 1)) &&
                 feed_lower(md, name, length) && EVP_DigestUpdate(md, ".", 1) &&
                 feed_lower(md, symbol, strlen(symbol));
        }
    }
    return ok;
}

int
add_imphash(struct look *l)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    char text[HEX_MAX];
    unsigned size = 0;
    if (l->imports.library_count == 0)
        return 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int ok = md && EVP_DigestInit_ex(md, l->plugin->md5, NULL) &&
             feed_imports(md, &l->imports) && EVP_DigestFinal_ex(md, out, &size);
    EVP_MD_CTX_free(md);
    if (!ok)
        return -EIO;
    hex(out, size, text);
    return json_object_set_new(l->results, "imphash", json_string(text)) < 0 ? -ENOMEM
                                                                             : 0;
}
