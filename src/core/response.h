/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_RESPONSE_H
#define STOQ_CORE_RESPONSE_H

/* Responses inside src/core: made from a finished document, and changed in place by the
 * finishing half. No lock. */

#include "core/core.h"

/** A response around @p doc (taken, also on failure), which must have the shape of a
 *  document of ours: scan_id, verdict, and entries with all their keys.
 *  @return 0; -EINVAL with the first thing that is wrong; -ENOMEM. */
int stoq_response_make(json_t *doc, struct stoq_response **out, struct stoq_error *err);
/** Write @p verdict into the struct and the document. @return 0 or -ENOMEM. */
int stoq_response_set_verdict(struct stoq_response *r, enum stoq_verdict verdict);
/** Run every decorator of @p stoq over @p response. @return 0 or -ENOMEM. */
int stoq_response_decorate(struct stoq *stoq, struct stoq_response *response);

#endif
