/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_OPTION_WORDS_H
#define STOQFS_OPTION_WORDS_H

/* The words after -o: ours, libfuse's (passed on), mount(8)'s (swallowed). */

#include "options.h"

/** Split at commas; a backslash keeps the next character. @return 0 or -ENOMEM. */
int stoqfs_words_split(struct stoq_strv *words, const char *text);
/** Apply the [stoqfs] section of out->config, then @p words over it. -EINVAL for an
 *  unknown word, a wrong type or a value out of range. */
int stoqfs_words_apply(const struct stoq_strv *words, struct stoqfs_options *out,
                       struct stoq_error *err);

#endif
