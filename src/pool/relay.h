/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_RELAY_H
#define STOQ_POOL_RELAY_H

/*
 * What scanners write to standard error goes through a pipe to the zygote, which passes
 * it on: text alone, and not more than a bound. So no scanner can fill the file that is
 * behind it, nor speak to a terminal. One thread on either side.
 */

#include <stdbool.h>
#include <stdint.h>

struct stoq_relay {
    int out;        /**< the scanners' end, or -1 */
    int in;         /**< the zygote's end, or -1 */
    uint64_t since; /**< begin of the second that is counted, stoq_now_ms() */
    uint64_t shown; /**< bytes in it */
    bool told;      /**< that some are not shown */
};

#define STOQ_RELAY_INIT     \
    {                       \
        .out = -1, .in = -1 \
    }

/** Make the pipe. @return 0 or -errno, then scanners have the zygote's standard error.
 */
int stoq_relay_open(struct stoq_relay *r);
/** In a scanner: make the pipe its standard error. */
void stoq_relay_join(struct stoq_relay *r);
/** In the zygote: pass on what is there. */
void stoq_relay_pump(struct stoq_relay *r);

#endif
