/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_COURIER_FINISH_H
#define STOQ_COURIER_FINISH_H

/* Archivers and decorators over one scan that the client sent. One thread. */

#include "courier/wire.h"

/** Finish the scan in @p in, a FINISH. @return the document in a memfd (caller closes)
 *  with *size, or -errno. */
int stoq_courier_finish(struct stoq *stoq, const struct stoq_courier_in *in,
                        uint64_t *size, struct stoq_error *err);

#endif
