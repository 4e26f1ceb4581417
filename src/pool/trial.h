/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_TRIAL_H
#define STOQ_POOL_TRIAL_H

/*
 * One scan through a zygote that nobody uses yet: whether its scanners start, sandbox
 * and all, and whether its plugins get through a harmless payload. Called by the
 * supervisor before rules are swapped. It does not block: the caller polls the
 * descriptor and takes a step when there is input. Threads: the caller's only one.
 */

#include <stoq/stoq.h>

#include "core/config.h"

struct stoq_trial;

/**
 * Ask the zygote behind @p control for a scanner.
 * @param control  of a ready zygote; borrowed until stoq_trial_free(), and nobody else
 *                 may read it meanwhile.
 * @return 0 or -errno.
 */
int stoq_trial_new(int control, const struct stoq_config *config,
                   struct stoq_trial **out, struct stoq_error *err);
/** The descriptor whose input, or end, is due next. Borrowed. */
int stoq_trial_fd(const struct stoq_trial *t);
/** Take what is there.
 *  @return 1 there is a result, with its verdict in *verdict and, for `error` and
 *          `timeout`, the reason in @p err; 0 there is more to wait for; -EPIPE a
 *          process died; -EPROTO; other -errno, of the zygote's fork(2) for instance.
 */
int stoq_trial_step(struct stoq_trial *t, enum stoq_verdict *verdict,
                    struct stoq_error *err);
/** Ends the scanner. NULL allowed. */
void stoq_trial_free(struct stoq_trial *t);

#endif
