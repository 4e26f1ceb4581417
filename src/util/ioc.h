/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_IOC_H
#define STOQ_UTIL_IOC_H

/* What a mount of stoqfs is told to do by ioctl(2) on MNT/.stoq/status.json, by root
 * and its owner. That works on read-only mounts, too. */

#include <linux/ioctl.h>
#include <stdint.h>

/** Reload plugins and rules. Returns at once with the request's number: it was answered
 *  when "rules"."answered" in status.json is that or higher. */
#define STOQ_IOC_RELOAD _IOR('q', 1, uint64_t)

#endif
