/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_SUBMIT_H
#define STOQ_CLI_SUBMIT_H

/* A whole request, which a provider made or an archiver answered, as one job of
 * the pool. The feeder of `stoq run` is the only caller; no state. */

#include "pool/pool.h"

/** Fill the rest of @p spec from @p request (borrowed), whose bytes are copied,
 * and submit it. Workers see what they would see of the request in this
 * process.
 *  @return as stoq_pool_submit(); -E2BIG, -EINVAL: it cannot be a job. */
int cli_request_submit(struct stoq_pool *pool, const struct stoq_request *request,
                       struct stoq_job_spec *spec);

#endif
