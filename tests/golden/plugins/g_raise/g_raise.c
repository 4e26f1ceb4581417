/* SPDX-License-Identifier: Apache-2.0 */
/* g_raise: always raises, with text that needs escaping. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    return GOLDEN_RAISE("ValueError: boom: \"quoted\" and \xc3\xa9");
}

GOLDEN_PLUGIN(g_raise, .scan = scan);
