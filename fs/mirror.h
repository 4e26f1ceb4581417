/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_MIRROR_H
#define STOQFS_MIRROR_H

/*
 * The mirror process: puts the rooms of stoqfs.h together, runs the FUSE loop, and
 * takes them apart again in an order in which nothing is lost.
 */

#include "options.h"
#include "pool/zygote.h"

struct stoqfs_session;

struct stoqfs_mirror_start {
    const struct stoqfs_options *options;
    struct stoqfs_session *session;   /**< borrowed; what a mirror before left in it */
    int fuse_fd;                      /**< of the mounted session */
    int source_fd;                    /**< O_PATH of SRC */
    int control;                      /**< to the supervisor */
    const struct stoq_zygote *zygote; /**< ready */
    const json_t *rules;              /**< report on it; see rules.h */
    int courier;                      /**< control socket, or -1 when there is none */
    bool restarted;                   /**< there was a mirror before */
};

/** Run until unmounted or told to stop; descriptors are taken. @return exit status. */
int stoqfs_mirror_run(const struct stoqfs_mirror_start *start);

#endif
