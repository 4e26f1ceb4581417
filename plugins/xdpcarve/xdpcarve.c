/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xdpcarve: the text of chosen elements of an XML document, as an XDP form has them,
 * decoded from base64 becomes children. Text that is no base64 becomes a child as it
 * is. XDP: Adobe's XML Data Package specification; base64 as Python's b64decode reads
 * it, which passes over what is not in its alphabet.
 */

#include <errno.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/bytes.h"
#include "parts.h"

struct xdpcarve {
    const char *const *elements; /* borrowed */
    struct xdp_encodings *encodings;
};

static void
xdpcarve_close(void *instance)
{
    struct xdpcarve *in = instance;
    xdp_encodings_free(in->encodings);
    free(in);
}

static int
xdpcarve_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    const char *const *elements = stoq_ctx_list(ctx, "elements");
    size_t n = 0;
    while (elements[n])
        n++;
    if (n > XDP_NAMES_MAX)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "the option elements has %zu names, more than %d", n,
                              XDP_NAMES_MAX);
    struct xdpcarve *in = calloc(1, sizeof *in);
    struct xdp_encodings *encodings = xdp_encodings_new();
    if (!in || !encodings) {
        free(in);
        xdp_encodings_free(encodings);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    *in = (struct xdpcarve){elements, encodings};
    const char *version = XML_ExpatVersion();
    stoq_ctx_identity(ctx, version, strlen(version) + 1);
    *instance = in;
    return 0;
}

/* --------------------------------------------------------------------------- decode */

/* Whether the UTF-8 sequence is a blank that Python strips and XML allows. */
static bool
is_blank(const unsigned char *at, size_t size)
{
    static const char *const blanks[] = {
        " ",
        "\t",
        "\n",
        "\r",
        "\xc2\x85",
        "\xc2\xa0",
        "\xe1\x9a\x80",
        "\xe2\x80\xa8",
        "\xe2\x80\xa9",
        "\xe2\x80\xaf",
        "\xe2\x81\x9f",
        "\xe3\x80\x80",
    };
    for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++)
        if (strlen(blanks[i]) == size && memcmp(at, blanks[i], size) == 0)
            return true;
    /* U+2000 to U+200A */
    return size == 3 && at[0] == 0xe2 && at[1] == 0x80 && at[2] >= 0x80 &&
           at[2] <= 0x8a;
}

static struct bytes
stripped(struct bytes text)
{
    while (text.size > 0) {
        size_t from = text.size - 1;
        while (from > 0 && (text.data[from] & 0xc0) == 0x80)
            from--;
        if (!is_blank(text.data + from, text.size - from))
            break;
        text.size = from;
    }
    return text;
}

static int
value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* @return whether the text is base64; then @size bytes, at most 3/4 of it, are at @out.
 */
static bool
decode(struct bytes text, unsigned char *out, size_t *size)
{
    uint32_t bits = 0;
    unsigned in_group = 0, pads = 0;
    *size = 0;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] > 0x7f)
            return false;
    for (size_t i = 0; i < text.size; i++) {
        int value = value_of(text.data[i]);
        if (value < 0) {
            if (text.data[i] == '=' && in_group >= 2 && in_group + ++pads >= 4)
                return true;
            continue;
        }
        pads = 0;
        bits = bits << 6 | (uint32_t)value;
        in_group = (in_group + 1) % 4;
        if (in_group != 1)
            out[(*size)++] = (unsigned char)(bits >> (in_group ? 8 - 2 * in_group : 0));
    }
    return in_group == 0;
}

/* ---------------------------------------------------------------------------- reply */

static int
add_child(struct stoq_reply *reply, const char *name, struct bytes text)
{
    PLUGIN_AUTOFREE unsigned char *out = malloc(text.size / 4 * 3 + 3);
    json_t *extra = json_pack("{s:s}", "element_name", name);
    size_t size = 0;
    if (!out || !extra) {
        json_decref(extra);
        return -ENOMEM;
    }
    text = stripped(text);
    const bool decoded = decode(text, out, &size);
    const struct stoq_extract child = {
        STOQ_EXTRACT_HEAD, .data = decoded ? out : text.data,
        .size = decoded ? size : text.size, .extra_data = extra};
    return stoq_reply_extract(reply, &child);
}

/* By name as the option orders them, then as in the document. */
static int
add_children(const struct xdpcarve *in, struct stoq_reply *reply,
             const struct xdp_found *found)
{
    bool bare = false;
    for (size_t n = 0; in->elements[n]; n++) {
        for (size_t i = 0; i < found->count; i++) {
            const struct xdp_item *item = &found->items[i];
            if (!(item->names & UINT64_C(1) << n))
                continue;
            bare = bare || item->bare;
            if (item->bare)
                continue;
            const struct bytes text = {(const unsigned char *)found->text + item->off,
                                       item->size};
            int r = add_child(reply, in->elements[n], text);
            if (r < 0)
                return r == -E2BIG ? 0 : r; /* on record as a limit */
        }
    }
    if (bare)
        stoq_reply_error(reply, "AttributeError: 'NoneType' object has no attribute "
                                "'nodeValue': an element without text is left out");
    return 0;
}

static int
xdpcarve_scan(void *instance, struct stoq_payload *payload,
              const struct stoq_request *request, struct stoq_reply *reply,
              unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    const struct xdpcarve *in = instance;
    struct xdp_input input = {.names = in->elements, .encodings = in->encodings};
    struct xdp_found found = {0};
    input.data = stoq_payload_data(payload, &input.size);
    int r = xdp_parse(&input, reply, &found, err);
    if (r == 0)
        r = add_children(in, reply, &found);
    xdp_found_fini(&found);
    return r == -ENOMEM ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory")
                        : r;
}

static const struct stoq_option options[] = {
    {.name = "elements",
     .type = STOQ_OPTION_LIST,
     .fallback = "chunk",
     .help = "Elements whose text is carved, as the document names them."},
    {.name = NULL},
};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "xdpcarve",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = xdpcarve_open,
    .close = xdpcarve_close,
    .scan = xdpcarve_scan,
};
STOQ_PLUGIN(plugin);
