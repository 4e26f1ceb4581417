/* SPDX-License-Identifier: Apache-2.0 */
/* dummy_decorator: decorates nothing. */

#include "../golden.h"

GOLDEN_DECORATE(decorate)
{
    return 0;
}

GOLDEN_PLUGIN(dummy_decorator, .decorate = decorate);
