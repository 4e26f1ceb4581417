/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_MANIFEST_H
#define STOQ_PLUGIN_MANIFEST_H

/* Reading one .stoq file. Callers: catalogue.c. No lock. */

#include "plugin/loader.h"

/**
 * Read manifest @p dir/@p file.
 * @param dir  absolute directory.
 * @return 0; -EINVAL bad syntax, no or unusable Name or Module, a key without a value;
 *         -ENOMEM; other -errno. Caller frees *out with stoq_manifest_free().
 */
int stoq_manifest_read(const char *dir, const char *file, struct stoq_manifest **out,
                       struct stoq_error *err);
void stoq_manifest_free(struct stoq_manifest *m);

#endif
