/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member becomes a child: its name when it has none, and who is to look at it. Called
 * by extract.c and sink.c; no state.
 */

#include <stdio.h>

#include "forms.h"

void
stoq_extract_made_up(const struct stoq_extraction *x, char name[STOQ_NAME_ROOM])
{
    const unsigned char *sha = stoq_payload_sha256(x->payload);
    (void)snprintf(name, STOQ_NAME_ROOM, "tmp%02x%02x%02x%02x~", sha[0], sha[1], sha[2],
                   sha[3]);
}

/* Whether a child is to be decompressed again, when that is asked for. */
static bool
is_archive(const void *data, size_t size)
{
    const struct stoq_extraction child = {.data = data, .size = size};
    bool also;
    return stoq_archive_kind(child.data, size).form != STOQ_FORM_NONE ||
           stoq_form_find(&child, &also);
}

int
stoq_extract_emit(const struct stoq_extraction *x, const void *data, size_t size,
                  const char *name)
{
    const struct stoq_decompress *in = x->in;
    const struct stoq_extract child = {
        STOQ_EXTRACT_HEAD,
        .no_archive = !in->archive_extracted,
        .data = data,
        .size = size,
        .filename = name,
        .dispatch_to = in->nested && is_archive(data, size) ? in->nested_dispatch
                                                            : in->always_dispatch};
    return stoq_reply_extract(x->reply, &child);
}
