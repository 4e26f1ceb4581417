/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tnef: the attachments in a TNEF stream (winmail.dat) become children. Own parser: the
 * container is a row of attributes, and the library for it has a history of memory
 * errors on hostile ones. Lengths are checked against the bytes that are there. Format:
 * MS-OXTNEF; the properties of an attachment are read in mapi.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"

#define SIGNATURE        0x223e9f78U
#define HEADER_SIZE      6U
#define ATTRIBUTE_MIN    12U /* the original stops where no more than this is left */
#define LEVEL_ATTACHMENT 2U

enum attribute {
    ATTACH_DATA = 0x800f,
    ATTACH_TITLE = 0x8010,
    ATTACH_RENDDATA = 0x9002, /* begins an attachment */
    ATTACH_PROPERTIES = 0x9005
};

static int
emit(struct stoq_reply *reply, struct attachment *a)
{
    bool utf8 = true;
    json_t *name = stoq_json_text(a->name.size ? (const void *)a->name.data : "",
                                  a->name.size, &utf8);
    if (name && !utf8 && !a->name_decoded) {
        json_decref(name);
        name = json_string("None"); /* what the original has for such a name */
    }
    json_t *extra = name ? json_pack("{s:o}", "filename", name) : NULL;
    if (!extra)
        return -ENOMEM;
    char file[MAPI_NAME_MAX + 1] = "";
    const size_t size = a->name.size < MAPI_NAME_MAX ? a->name.size : MAPI_NAME_MAX;
    if (size)
        memcpy(file, a->name.data, size);
    const struct stoq_extract child = {
        STOQ_EXTRACT_HEAD, .data = a->data.data ? (const void *)a->data.data : "",
        .size = a->data.size, .extra_data = extra, .filename = file[0] ? file : NULL};
    return stoq_reply_extract(reply, &child);
}

/* NULs around a name are padding. */
static struct bytes
without_nuls(struct bytes s)
{
    while (s.size > 0 && s.data[0] == 0)
        s = (struct bytes){s.data + 1, s.size - 1};
    while (s.size > 0 && s.data[s.size - 1] == 0)
        s.size--;
    return s;
}

static int
add_attribute(struct attachment *a, unsigned name, struct bytes data)
{
    switch ((enum attribute)name) {
    case ATTACH_DATA:
        a->data = data;
        return 0;
    case ATTACH_TITLE:
        a->name = without_nuls(data);
        a->name_decoded = false;
        a->named = data.size > 0;
        return 0;
    case ATTACH_PROPERTIES:
        return mapi_attachment(data, a);
    case ATTACH_RENDDATA:
    default:
        return 0;
    }
}

static int
read_attributes(struct bytes tnef, struct stoq_reply *reply)
{
    struct attachment a = {0};
    bool begun = false;
    int r = 0;
    for (uint64_t at = HEADER_SIZE; r == 0 && at + ATTRIBUTE_MIN < tnef.size;) {
        const uint64_t left = tnef.size - at;
        uint64_t size = (uint64_t)bytes_le32(tnef, at + 5) + 11;
        if (size > left)
            size = left;
        const unsigned level = bytes_u8(tnef, at), name = bytes_le16(tnef, at + 1);
        const struct bytes data = bytes_at(tnef, at + 9, size - 11);
        if (name == ATTACH_RENDDATA) {
            if (begun)
                r = emit(reply, &a);
            attachment_reset(&a);
            begun = true;
        }
        if (r == 0 && level == LEVEL_ATTACHMENT) {
            begun = true;
            r = add_attribute(&a, name, data);
        }
        at += size;
    }
    if (r == 0 && begun)
        r = emit(reply, &a);
    attachment_reset(&a);
    return r;
}

static int
plugin_scan(void *instance, struct stoq_payload *payload,
            const struct stoq_request *request, struct stoq_reply *reply,
            unsigned flags, struct stoq_error *err)
{
    (void)instance;
    (void)request;
    (void)flags;
    struct bytes tnef = {0};
    tnef.data = stoq_payload_data(payload, &tnef.size);
    const uint32_t signature = bytes_le32(tnef, 0);
    if (tnef.size < HEADER_SIZE)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EBADMSG,
                              "a TNEF stream has at least %u bytes, not %zu",
                              HEADER_SIZE, tnef.size);
    if (signature != SIGNATURE)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EBADMSG,
                              "ValueError: Wrong TNEF signature: 0x%08x", signature);
    int r = read_attributes(tnef, reply);
    if (r == -ENOMEM)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    return r == -E2BIG ? 0 : r; /* on record as a limit */
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "tnef",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = plugin_scan,
};
STOQ_PLUGIN(plugin);
