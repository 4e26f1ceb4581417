/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_TNEF_PARTS_H
#define PLUGINS_TNEF_PARTS_H

/*
 * The parts of the tnef worker: tnef.c reads the attributes of the stream, mapi.c the
 * MAPI properties in one of them.
 */

#include <stdbool.h>

#include <common/bytes.h>
#include <stoq/plugin.h>

/** Bytes of a name that are handed on as the file's; longer ones are cut. */
#define MAPI_NAME_MAX ((size_t)1024)

/** One attachment as far as it is known. Slices of the stream, or of what it owns. */
struct attachment {
    struct bytes name;
    bool name_decoded; /**< is text in a known code page, if it is not UTF-8 */
    bool named;        /**< was given a name, though perhaps one of NULs only */
    struct bytes data;
    unsigned char *own_name, *own_data; /**< NULL unless `name`, `data` lie there */
};

/** Let go of what it owns, and make it an empty one. */
void attachment_reset(struct attachment *a);

/**
 * Take over what MAPI properties (MS-OXTNEF 2.1.3.4) say: name and data. What comes
 * behind a property that cannot be read is left out.
 * @return 0 or -ENOMEM.
 */
int mapi_attachment(struct bytes properties, struct attachment *a);

#endif
