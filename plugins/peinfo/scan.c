/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scan: the parts in the order of the original's keys, and what follows from the
 * headers alone. An executable that is refused is an error; one with broken tables is
 * described as far as they can be read.
 */

#include "parts.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#define FLAG_EXECUTABLE          0x0002U
#define FLAG_DLL                 0x2000U
#define SUBSYSTEM_NATIVE         1U
#define SUBSYSTEM_NATIVE_WINDOWS 8U

int
set_time(json_t *object, const char *key, uint32_t epoch)
{
    time_t t = (time_t)epoch;
    struct tm tm;
    char text[64];
    if (!localtime_r(&t, &tm) ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
        text[0] = '\0';
    return json_object_set_new(object, key, json_string(text)) < 0 ? -ENOMEM : 0;
}

int
add_child(struct look *l, struct bytes bytes, const json_t *extra)
{
    if (l->full)
        return 0;
    json_t *copy = json_deep_copy(extra);
    if (!copy)
        return -ENOMEM;
    const struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = bytes.data,
                                       .size = bytes.size, .extra_data = copy};
    int r = stoq_reply_extract(l->reply, &child);
    l->full = r == -E2BIG; /* on record as a limit */
    return l->full ? 0 : r;
}

static bool
imports_kernel(const struct pe_imports *imports)
{
    static const char *const names[] = {"ntoskrnl.exe", "hal.dll", "ndis.sys",
                                        "bootvid.dll", "kdcom.dll"};
    for (size_t i = 0; i < imports->library_count; i++) {
        struct bytes name = imports->libraries[i].name;
        for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
            if (name.size == strlen(names[k]) &&
                strncasecmp((const char *)name.data, names[k], name.size) == 0)
                return true;
        }
    }
    return false;
}

static bool
has_paged_section(const struct pe *pe)
{
    for (unsigned i = 0; i < pe->section_count; i++) {
        const char *name = (const char *)pe->sections[i].name;
        if (strncasecmp(name, "page\0\0\0", 8) == 0 ||
            strncasecmp(name, "paged\0\0", 8) == 0)
            return true;
    }
    return false;
}

/* Only a program that imports something is looked at further, as in pefile. */
static bool
is_driver(const struct look *l)
{
    uint16_t subsystem = l->pe.optional.subsystem;
    return l->imports.library_count > 0 &&
           (imports_kernel(&l->imports) ||
            (has_paged_section(&l->pe) &&
             (subsystem == SUBSYSTEM_NATIVE || subsystem == SUBSYSTEM_NATIVE_WINDOWS)));
}

static int
add_flag(struct look *l, const char *key, bool value)
{
    return value && json_object_set_new(l->results, key, json_true()) < 0 ? -ENOMEM : 0;
}

static int
add_flags(struct look *l)
{
    bool dll = l->pe.flags & FLAG_DLL, driver = is_driver(l);
    int r = add_flag(l, "is_packed", l->packed);
    if (r == 0)
        r = add_flag(l, "is_exe", !dll && !driver && l->pe.flags & FLAG_EXECUTABLE);
    if (r == 0)
        r = add_flag(l, "is_dll", dll);
    return r == 0 ? add_flag(l, "is_driver", driver) : r;
}

/* {NAME: value, NAME_string: hexadecimal} under @key. */
static int
add_address(struct look *l, const char *key, const char *name, uint64_t value)
{
    char hexadecimal[32], text[32];
    (void)snprintf(hexadecimal, sizeof(hexadecimal), "0x%llx",
                   (unsigned long long)value);
    (void)snprintf(text, sizeof(text), "%s_string", name);
    /* JSON integers of the library end at 2^63 */
    json_t *number =
        value <= INT64_MAX ? json_integer((json_int_t)value) : json_real((double)value);
    json_t *out = json_object();
    int r = json_object_set_new(l->results, key, out);
    return r < 0 || json_object_set_new(out, name, number) < 0 ||
                   json_object_set_new(out, text, json_string(hexadecimal)) < 0
               ? -ENOMEM
               : 0;
}

static int
add_headers(struct look *l)
{
    int r = add_flags(l);
    if (r < 0 || json_object_set_new(l->results, "compile_time_epoch",
                                     json_integer(l->pe.timestamp)) < 0)
        return -ENOMEM;
    r = set_time(l->results, "compile_time", l->pe.timestamp);
    if (r == 0)
        r = add_address(l, "image_base", "image_base", l->pe.optional.image_base);
    if (r == 0)
        r = add_address(l, "entrypoint", "entry_point", l->pe.optional.entry);
    return r;
}

static int
add_all(struct look *l, const struct pe_resources *resources)
{
    int r = add_imports(l);
    if (r == 0)
        r = add_exports(l);
    if (r == 0)
        r = add_versions(l, resources);
    if (r == 0)
        r = add_certificates(l);
    if (r == 0)
        r = add_sections(l);
    if (r == 0)
        r = add_resources(l, resources);
    if (r == 0)
        r = add_rich_header(l);
    if (r == 0)
        r = add_imphash(l);
    if (r == 0)
        r = add_tls(l);
    if (r == 0)
        r = add_debug(l);
    return r == 0 ? add_headers(l) : r;
}

static int
look_at(struct look *l)
{
    struct pe_resources resources = {0};
    int r = pe_imports_read(&l->pe, &l->imports);
    if (r == 0)
        r = pe_resources_read(&l->pe, &resources);
    if (r == 0)
        r = add_all(l, &resources);
    pe_resources_free(&resources);
    pe_imports_free(&l->imports);
    return r;
}

int
peinfo_scan(void *instance, struct stoq_payload *payload,
            const struct stoq_request *request, struct stoq_reply *reply,
            unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    struct look l = {.plugin = instance, .reply = reply};
    struct bytes file = {0};
    const char *why = "";
    file.data = stoq_payload_data(payload, &file.size);
    int r = pe_open(&l.pe, file, &why);
    if (r == -EBADMSG)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, r, "pefile.PEFormatError: '%s'",
                              why);
    l.results = json_object();
    if (r == 0)
        r = l.results ? look_at(&l) : -ENOMEM;
    pe_close(&l.pe);
    if (r == 0) {
        stoq_reply_results(reply, l.results);
        return 0;
    }
    json_decref(l.results);
    return stoq_error_set(err, r == -EIO ? STOQ_ERROR_PLUGIN : STOQ_ERROR_SYSTEM, r,
                          r == -EIO ? "computing a digest failed" : "out of memory");
}
