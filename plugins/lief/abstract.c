/* SPDX-License-Identifier: Apache-2.0 */
/* The view that is the same for every format. */

#include "parts.h"

void
abstract_open(struct abstract *a, struct build *b)
{
    *a = (struct abstract){.b = b,
                           .format = "UNKNOWN",
                           .architecture = "NONE",
                           .type = "NONE",
                           .endianness = "NONE",
                           .sections = build_list(b),
                           .symbols = build_list(b),
                           .relocations = build_list(b),
                           .libraries = build_list(b),
                           .imported = build_list(b),
                           .exported = build_list(b)};
}

void
abstract_section(struct abstract *a, struct bytes name, uint64_t address,
                 uint64_t offset, uint64_t size)
{
    json_t *item = build_item(a->b, a->sections);
    if (!item)
        return;
    build_text(a->b, item, "name", name);
    build_number(a->b, item, "offset", offset);
    build_number(a->b, item, "size", size);
    build_number(a->b, item, "virtual_address", address);
}

void
abstract_symbol(struct abstract *a, struct bytes name, uint64_t value, uint64_t size)
{
    json_t *item = build_item(a->b, a->symbols);
    if (!item)
        return;
    build_text(a->b, item, "name", name);
    build_number(a->b, item, "size", size);
    build_number(a->b, item, "value", value);
}

void
abstract_relocation(struct abstract *a, uint64_t address, uint64_t size)
{
    json_t *item = build_item(a->b, a->relocations);
    if (!item)
        return;
    build_number(a->b, item, "address", address);
    build_number(a->b, item, "size", size);
}

void
abstract_function(struct abstract *a, struct bytes name, uint64_t address, bool import)
{
    json_t *item = build_item(a->b, import ? a->imported : a->exported);
    if (!item)
        return;
    build_number(a->b, item, "address", address);
    build_set(a->b, item, "flags", json_pack("[s]", import ? "IMPORTED" : "EXPORTED"));
    build_text(a->b, item, "name", name);
    build_number(a->b, item, "size", 0);
}

json_t *
abstract_close(struct abstract *a)
{
    struct build *b = a->b;
    json_t *header = build_object(b), *root = build_object(b);
    build_string(b, header, "architecture", a->architecture);
    build_string(b, header, "endianness", a->endianness);
    build_number(b, header, "entrypoint", a->entrypoint);
    build_string(b, header, "object_type", a->type);

    build_number(b, root, "entrypoint", a->entrypoint);
    build_set(b, root, "exported_functions", a->exported);
    build_string(b, root, "format", a->format);
    build_set(b, root, "header", header);
    build_set(b, root, "imported_functions", a->imported);
    build_set(b, root, "imported_libraries", a->libraries);
    build_text(b, root, "name",
               (struct bytes){(const unsigned char *)b->name, strlen(b->name)});
    build_number(b, root, "original_size", a->size);
    build_set(b, root, "relocations", a->relocations);
    build_set(b, root, "sections", a->sections);
    build_set(b, root, "symbols", a->symbols);
    return root;
}
