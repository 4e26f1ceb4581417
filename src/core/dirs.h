/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_DIRS_H
#define STOQ_CORE_DIRS_H

/* Where plugins are looked for. No state. */

#include "util/strbuf.h"

/** Append the bundled directory, if there is one and @p configured does not name it
 *  too, then @p configured. @return 0 or -ENOMEM. */
int stoq_dirs_all(const struct stoq_strv *configured, struct stoq_strv *out);

#endif
