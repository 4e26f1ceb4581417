/* SPDX-License-Identifier: Apache-2.0 */
/* simple_decorator: always the same decoration. */

#include "../golden.h"

GOLDEN_DECORATE(decorate)
{
    stoq_reply_results(reply, json_pack("{s:i}", "simple_decoration", 123));
    return 0;
}

GOLDEN_PLUGIN(simple_decorator, .decorate = decorate);
