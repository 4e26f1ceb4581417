/* SPDX-License-Identifier: Apache-2.0 */
/* Payload metadata from a job's names; see meta.h. No state, no lock. */
#include "pool/meta.h"

#include <errno.h>
#include <string.h>

#include <stoq/plugin.h>

static int
fill(json_t *extra, const struct stoq_wire_names *names)
{
    const char *name = names->text[STOQ_WIRE_FILENAME];
    const char *dir = names->text[STOQ_WIRE_SOURCE_DIR];
    int r = name ? stoq_json_set_text(extra, "filename", name, strlen(name))
                 : json_object_set_new(extra, "filename", json_null());

    if (r == 0 && dir)
        r = stoq_json_set_text(extra, "source_dir", dir, strlen(dir));
    return r == 0 ? 0 : -ENOMEM;
}

int
stoq_names_meta(const struct stoq_wire_names *names, struct stoq_payload_meta *out)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    json_t *extra = json_object();

    if (!extra || fill(extra, names) < 0) {
        json_decref(extra);
        return -ENOMEM;
    }
    meta.extra_data = extra;
    meta.filename = names->text[STOQ_WIRE_FILENAME];
    meta.path = names->text[STOQ_WIRE_PATH];
    meta.owner = names->text[STOQ_WIRE_OWNER];
    *out = meta;
    return 0;
}
