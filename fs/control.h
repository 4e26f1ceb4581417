/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_CONTROL_H
#define STOQFS_CONTROL_H

/* Messages between supervisor and mirror, one per SOCK_SEQPACKET datagram. */

#include "util/digest.h"

enum stoqfs_control_type {
    STOQFS_CONTROL_READY = 1,   /**< mirror: the mount is usable */
    STOQFS_CONTROL_FAILED = 2,  /**< mirror: could not start; text says why */
    STOQFS_CONTROL_STOP = 3,    /**< supervisor: unmounted; finish and leave */
    STOQFS_CONTROL_ZYGOTE = 4,  /**< supervisor: a new zygote; text is its engine id;
                                     two descriptors: report (rules.h), socket */
    STOQFS_CONTROL_COURIER = 5, /**< supervisor: a new courier; one descriptor */
    STOQFS_CONTROL_LEAVING =
        6, /**< mirror: the mount has ended, helpers will be let go */
    STOQFS_CONTROL_RELOAD = 7,   /**< mirror: reload; text is the request's number */
    STOQFS_CONTROL_RELOADED = 8, /**< supervisor: it ended, nothing was swapped; one
                                      descriptor: report */
};

struct stoqfs_control {
    enum stoqfs_control_type type;
    char text[512];
};

#endif
