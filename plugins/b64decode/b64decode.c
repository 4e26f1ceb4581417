/* SPDX-License-Identifier: Apache-2.0 */
/*
 * b64decode: the payload's bytes decoded from base64 become one child. As lenient as
 * Python's b64decode: bytes outside the alphabet are passed over, decoding ends at the
 * first complete padding, and what is then missing is an error in Python's words.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include <stoq/plugin.h>

#define NOT_BASE64 64U

static unsigned
value_of(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - (unsigned)'A';
    if (c >= 'a' && c <= 'z')
        return c - (unsigned)'a' + 26;
    if (c >= '0' && c <= '9')
        return c - (unsigned)'0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : NOT_BASE64;
}

struct decoder {
    unsigned char *out;
    size_t size;       /* bytes at out */
    uint64_t seen;     /* alphabet characters taken */
    uint32_t bits;     /* of the characters of the current group */
    unsigned in_group; /* characters of the current group, 0 to 3 */
    unsigned pads;     /* '=' since the last character */
};

static void
take(struct decoder *d, unsigned value)
{
    d->pads = 0;
    d->seen++;
    d->bits = (d->bits << 6) | value;
    d->in_group = (d->in_group + 1) % 4;
    /* the second to fourth character of a group complete a byte each */
    if (d->in_group != 1) {
        unsigned spare = d->in_group == 0 ? 0 : 8 - 2 * d->in_group;
        d->out[d->size++] = (unsigned char)(d->bits >> spare);
    }
}

/* @return true when the padding completes the group, which ends the text. */
static bool
pad(struct decoder *d)
{
    if (d->in_group < 2)
        return false;
    d->pads++;
    return d->in_group + d->pads >= 4;
}

/* @return 0, or -EBADMSG with Python's text. */
static int
decode(struct decoder *d, const unsigned char *data, size_t size,
       struct stoq_error *err)
{
    for (size_t i = 0; i < size; i++) {
        unsigned value = value_of(data[i]);
        if (value != NOT_BASE64)
            take(d, value);
        else if (data[i] == '=' && pad(d))
            return 0;
    }
    if (d->in_group == 1)
        return stoq_error_set(
            err, STOQ_ERROR_FORMAT, -EBADMSG,
            "binascii.Error: Invalid base64-encoded string: number of "
            "data characters (%llu) cannot be 1 more than a multiple "
            "of 4",
            (unsigned long long)d->seen);
    if (d->in_group != 0)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EBADMSG,
                              "binascii.Error: Incorrect padding");
    return 0;
}

static int
b64decode_scan(void *instance, struct stoq_payload *payload,
               const struct stoq_request *request, struct stoq_reply *reply,
               unsigned flags, struct stoq_error *err)
{
    (void)instance;
    (void)request;
    (void)flags;
    size_t size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);
    struct decoder d = {.out = malloc(size / 4 * 3 + 3)};
    if (!d.out)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    int r = decode(&d, data, size, err);
    if (r == 0) {
        struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = d.out, .size = d.size};
        r = stoq_reply_extract(reply, &child);
        if (r == -E2BIG)
            r = 0; /* on record as a limit */
    }
    free(d.out);
    return r;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "b64decode",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = b64decode_scan,
};
STOQ_PLUGIN(plugin);
