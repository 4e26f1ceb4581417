/* SPDX-License-Identifier: Apache-2.0 */
/* simple_dispatcher: names dummy_worker for every payload. */

#include "../golden.h"

GOLDEN_ON_PAYLOAD(dispatch)
{
    return stoq_reply_dispatch(reply, "dummy_worker");
}

GOLDEN_PLUGIN(simple_dispatcher, .dispatch = dispatch);
