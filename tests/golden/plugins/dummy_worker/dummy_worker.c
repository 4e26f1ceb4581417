/* SPDX-License-Identifier: Apache-2.0 */
/* dummy_worker: does nothing, successfully. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(scan)
{
    return 0;
}

GOLDEN_PLUGIN(dummy_worker, .scan = scan);
