/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_INI_EXPAND_H
#define STOQ_UTIL_INI_EXPAND_H

/*
 * The entries of one INI file as they stand in it, and the replacement of %(name)s in
 * their values. Caller: ini.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/strbuf.h"

#define STOQ_INI_DEFAULT "DEFAULT"

struct stoq_ini_raw {
    size_t section; /**< index into sections */
    uint32_t hash;  /**< of key */
    unsigned line;
    char *key;   /**< owned, lower case */
    char *value; /**< owned; NULL = valueless */
};

struct stoq_ini_file {
    struct stoq_strv sections;
    struct stoq_ini_raw *entries; /**< owned, in the order of the file */
    size_t count;
    size_t room;
};

uint32_t stoq_ini_hash(const char *key);
/** Entry @p key of @p section, or with @p inherit that of [DEFAULT]; NULL = none. */
const struct stoq_ini_raw *stoq_ini_find(const struct stoq_ini_file *file,
                                         size_t section, const char *key, bool inherit);
/** Value of @p entry as seen from @p section; caller frees.
 *  @return 0; -EINVAL too deep, too many or too long; -ENOMEM. */
int stoq_ini_expand(const struct stoq_ini_file *file, size_t section,
                    const struct stoq_ini_raw *entry, char **out);
void stoq_ini_file_fini(struct stoq_ini_file *file);

#endif
