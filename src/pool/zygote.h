/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_ZYGOTE_H
#define STOQ_POOL_ZYGOTE_H

/*
 * The zygote: a single-threaded process that loads plugins and compiles rules once, and
 * from then on only forks scanners. Started by stoqfs's supervisor or the command.
 */

#include <jansson.h>
#include <sys/types.h>

#include <stoq/stoq.h>

#include "util/digest.h"

/** A started zygote. */
struct stoq_zygote {
    pid_t pid;
    int control;                     /**< SOCK_SEQPACKET; owned by the holder */
    char engine_id[STOQ_SHA256_HEX]; /**< once ready */
    json_t *facts;                   /**< stoq_engine_facts(), once ready; owned */
};

/**
 * Fork a zygote from this process, which must have one thread. The child closes every
 * descriptor but standard error and its socket, and dies with its parent.
 * @param preload  workers to load beside those configured (start dispatch), or NULL.
 * @param label    shown in ps as "stoqfs: zygote LABEL"; may be NULL for the command.
 */
int stoq_zygote_spawn(const struct stoq_config *config, const char *const *preload,
                      const char *label, struct stoq_zygote *out,
                      struct stoq_error *err);
/** Wait until it has loaded everything. @return 0 with engine_id and facts set; the
 *  child's own error (unknown plugin, bad option, ...); -ETIMEDOUT; -EPIPE it died. */
int stoq_zygote_wait(struct stoq_zygote *z, int timeout_ms, struct stoq_error *err);
/** Close the socket, which ends the zygote and its scanners, and reap it. */
void stoq_zygote_end(struct stoq_zygote *z);

#endif
