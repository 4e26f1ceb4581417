/* SPDX-License-Identifier: Apache-2.0 */
/* g_conn: connector that always fails. */

#include "../golden.h"

static int
save(void *instance, const struct stoq_response *response, unsigned flags,
     struct stoq_error *err)
{
    (void)instance;
    (void)response;
    (void)flags;
    return GOLDEN_RAISE("OSError: connector boom");
}

GOLDEN_PLUGIN(g_conn, .save = save);
