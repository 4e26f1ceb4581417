/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_META_H
#define STOQ_POOL_META_H

/*
 * From a job's names to payload metadata: the same in the scanner, which scans under
 * them, and in the pool, which writes documents for scans that did not take place.
 */

#include <stoq/stoq.h>

#include "pool/wire.h"

/** Fill @p out; its texts are borrowed from @p names, out->extra_data is owned by the
 *  caller: {"filename": name or null[, "source_dir": dir]}. @return 0 or -ENOMEM. */
int stoq_names_meta(const struct stoq_wire_names *names, struct stoq_payload_meta *out);

#endif
