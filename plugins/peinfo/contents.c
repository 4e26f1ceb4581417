/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program carries: sections, certificates and resources, each with its digests;
 * the latter two become children, too.
 */

#include "parts.h"

#include <errno.h>
#include <stdio.h>

#define CERTIFICATES_MAX 1024U
#define CERTIFICATE_HEAD 8U
#define REVISION_1       0x100U
#define REVISION_2       0x200U
#define TYPE_PKCS7       2U
/* A section with more entropy is compressed; a fifth of the file makes it packed. */
#define PACKED_ENTROPY 7.4
#define PACKED_PART    0.2

/* Append an empty object. @return it, borrowed; NULL without memory. */
static json_t *
append_object(json_t *list)
{
    json_t *object = json_object();
    return json_array_append_new(list, object) < 0 ? NULL : object;
}

static json_t *
start_list(struct look *l, const char *key)
{
    json_t *list = json_array();
    return json_object_set_new(l->results, key, list) < 0 ? NULL : list;
}

static int
set_number(json_t *object, const char *key, uint64_t value)
{
    return json_object_set_new(object, key, json_integer((json_int_t)value)) < 0 ? -1
                                                                                 : 0;
}

/* Whether the parts looked at exceed the budget; on record, once. */
static bool
exhausted(struct look *l, struct bytes b, const char *what, bool *said)
{
    bool more = b.size > l->budget;
    if (more && !*said)
        stoq_reply_limit(l->reply, what, l->pe.file.size);
    *said = *said || more;
    return more;
}

int
add_sections(struct look *l)
{
    uint64_t compressed = 0, end = pe_end(&l->pe);
    bool said = false;
    refill(l);
    json_t *list = l->pe.section_count ? start_list(l, "sections") : NULL;
    for (unsigned i = 0; i < l->pe.section_count; i++) {
        const struct pe_section *s = &l->pe.sections[i];
        struct bytes b = pe_section_bytes(&l->pe, s);
        json_t *out = list ? append_object(list) : NULL;
        if (!out || stoq_json_set_text(out, "name", s->name, sizeof(s->name)) < 0)
            return -ENOMEM;
        bool skip = exhausted(l, b, "sections", &said);
        double entropy = skip ? 0.0 : entropy_of(b);
        if (entropy > PACKED_ENTROPY)
            compressed += b.size;
        int r = add_digests(l, out, b, "msS");
        if (r < 0)
            return r;
        if (set_number(out, "virtaddr", s->rva) ||
            set_number(out, "virtsize", s->virtual_size) ||
            set_number(out, "raw_size", s->raw_size) ||
            json_object_set_new(out, "entropy",
                                skip ? json_null() : json_real(entropy)))
            return -ENOMEM;
    }
    l->packed = end == 0 || (double)compressed / (double)end > PACKED_PART;
    return 0;
}

/* A certificate of the table, borrowed from the file. */
struct certificate {
    struct bytes bytes; /* without its head */
    uint32_t length;    /* with it, as claimed */
    uint16_t revision, type;
};

static int
add_certificate(struct look *l, const struct certificate *c, json_t *list)
{
    json_t *out = append_object(list);
    int r = out ? add_digests(l, out, c->bytes, "sSm") : -ENOMEM;
    if (r < 0)
        return r;
    if (set_number(out, "revision", c->revision) ||
        set_number(out, "cert_type", c->type) ||
        set_number(out, "entry_size", pe_directory(&l->pe, PE_SECURITY).size) ||
        set_number(out, "cert_size", c->length))
        return -ENOMEM;
    if (c->bytes.size == 0)
        return 0;
    if (json_object_set(out, "filename", json_object_get(out, "sha256")) < 0)
        return -ENOMEM;
    return add_child(l, c->bytes, out);
}

/* One after the other, without the alignment that the format asks for: as the original
 * does, whose later certificates are only found where their length is a multiple of 8.
 */
int
add_certificates(struct look *l)
{
    struct pe_directory d = pe_directory(&l->pe, PE_SECURITY);
    struct bytes file = l->pe.file;
    uint64_t end = (uint64_t)d.rva + d.size;
    json_t *list = NULL;
    refill(l);
    for (uint64_t at = d.rva; at + CERTIFICATE_HEAD <= end;) {
        struct certificate c = {.length = bytes_le32(file, at),
                                .revision = bytes_le16(file, at + 4),
                                .type = bytes_le16(file, at + 6)};
        if (!bytes_has(file, at, CERTIFICATE_HEAD) || c.length == 0 ||
            at + c.length > end ||
            (c.revision != REVISION_1 && c.revision != REVISION_2))
            return 0;
        c.bytes = bytes_from(file, at + CERTIFICATE_HEAD);
        uint32_t size = c.length > CERTIFICATE_HEAD ? c.length - CERTIFICATE_HEAD : 0;
        if (c.bytes.size > size)
            c.bytes.size = size;
        at += c.length;
        if (c.revision != REVISION_2 || c.type != TYPE_PKCS7)
            continue;
        list = list ? list : start_list(l, "certificates");
        if (list && json_array_size(list) >= CERTIFICATES_MAX) {
            stoq_reply_limit(l->reply, "certificates", CERTIFICATES_MAX);
            return 0;
        }
        int r = list ? add_certificate(l, &c, list) : -ENOMEM;
        if (r < 0)
            return r;
    }
    return 0;
}

/* What the resource's entry says, before and after its digests. */
static int
describe(struct look *l, const struct pe_resource *leaf, struct bytes b,
         uint64_t offset, json_t *out)
{
    char name[64], language[64], sublanguage[64];
    const char *type = leaf->type_named ? NULL : pe_resource_type(leaf->type);
    type = type ? type : "unknown";
    if (leaf->id_named)
        (void)snprintf(name, sizeof(name), "resource_%s_None", type);
    else
        (void)snprintf(name, sizeof(name), "resource_%s_%u", type, (unsigned)leaf->id);
    if (json_object_set_new(out, "type", json_string(type)) ||
        json_object_set_new(out, "resource_id",
                            leaf->id_named ? json_null() : json_integer(leaf->id)) ||
        json_object_set_new(out, "resource_type",
                            json_string("IMAGE_RESOURCE_DATA_ENTRY")) ||
        set_number(out, "address", leaf->rva) || set_number(out, "offset", offset))
        return -ENOMEM;
    int r = add_digests(l, out, b, "Ssm");
    if (r < 0)
        return r;
    if (json_object_set_new(out, "language",
                            json_string(pe_language(leaf->language, language))) ||
        json_object_set_new(out, "sub_language",
                            json_string(pe_sublanguage(leaf->language, sublanguage))) ||
        set_number(out, "size", leaf->size) ||
        json_object_set_new(out, "name", json_string(name)))
        return -ENOMEM;
    return 0;
}

static int
add_resource(struct look *l, const struct pe_resource *leaf, json_t *list, size_t *lost,
             bool *said)
{
    struct bytes b;
    uint64_t offset;
    if (!pe_data(&l->pe, leaf->rva, leaf->size, &b) ||
        !pe_offset(&l->pe, leaf->rva, &offset)) {
        ++*lost;
        return 0;
    }
    bool skip = exhausted(l, b, "resources", said);
    json_t *out = append_object(list);
    int r = out ? describe(l, leaf, b, offset, out) : -ENOMEM;
    if (r < 0 || b.size == 0 || skip)
        return r;
    if (json_object_set(out, "filename", json_object_get(out, "name")) < 0)
        return -ENOMEM;
    return add_child(l, b, out);
}

int
add_resources(struct look *l, const struct pe_resources *resources)
{
    size_t lost = resources->misplaced;
    bool said = false;
    refill(l);
    if (resources->limited)
        stoq_reply_limit(l->reply, "resource_entries", resources->count);
    json_t *list = json_array();
    for (size_t i = 0; list && i < resources->count; i++) {
        int r = add_resource(l, &resources->leaves[i], list, &lost, &said);
        if (r < 0) {
            json_decref(list);
            return r;
        }
    }
    if (lost > 0)
        stoq_reply_error(l->reply,
                         "%zu resources are at the wrong level or have no data", lost);
    if (list && json_array_size(list) == 0) {
        json_decref(list);
        return 0;
    }
    return json_object_set_new(l->results, "resources", list) < 0 ? -ENOMEM : 0;
}
