/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_INI_H
#define STOQ_UTIL_INI_H

/*
 * INI files as stoQ users have them: `key = value` or `key: value`, keys lower-cased,
 * full-line comments with # or ;, indented continuation lines, valueless keys,
 * [DEFAULT]. libinih is not used: as packaged it cuts values at " ;" and at 200 bytes.
 */

#include <stddef.h>

#include <stoq/error.h>

/** One entry. @p value is NULL for a valueless key. Borrowed for the call.
 *  @return 0, or < 0 to stop with that code (and err set by the handler). */
typedef int (*stoq_ini_entry)(void *arg, const char *section, const char *key,
                              const char *value, unsigned line, struct stoq_error *err);

/**
 * Parse a whole file's text. `%(name)s` is replaced from the same section or [DEFAULT],
 * `%%` becomes `%`; a lone `%` stays. Entries of [DEFAULT] are not reported by
 * themselves; they appear in every section that does not set them.
 * @param name  used in messages as NAME:LINE.
 * @return 0; -EINVAL bad syntax, duplicate section or key; -ENOMEM; a handler's code.
 */
int stoq_ini_parse(const char *name, const char *text, size_t size,
                   stoq_ini_entry entry, void *arg, struct stoq_error *err);
/** The same for a file. -ENOENT, -EFBIG above 4 MiB, other -errno. */
int stoq_ini_read(const char *path, stoq_ini_entry entry, void *arg,
                  struct stoq_error *err);

#endif
