/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_OVBA_H
#define PLUGINS_COMMON_OVBA_H

/* The compression of macros in Office documents ([MS-OVBA] 2.4.1). */

#include <stdbool.h>
#include <stddef.h>

#include "common/bytes.h"

/**
 * Decompress the container at the start of @p in, up to its end or where it is broken.
 * @param most   bytes of output at which it ends, too.
 * @param data   out, never NULL, caller frees with free(3): what came out till then.
 * @param whole  may be NULL; set to whether nothing was wrong and nothing is missing.
 * @return 0 or -ENOMEM.
 */
int ovba_decompress(struct bytes in, size_t most, unsigned char **data, size_t *size,
                    bool *whole);

#endif
