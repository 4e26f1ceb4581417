/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_SEEN_H
#define STOQ_CORE_SEEN_H

/*
 * Which content a scan has seen: from SHA-256 to the first payload that has it. Roots
 * of equal content are chained by stoq_payload.next_same. No lock.
 */

#include "core/core.h"

/** Zero-initialise; fini. Open addressing, at most half full. */
struct stoq_seen {
    size_t *slots; /**< owned; index of a payload + 1, 0 = free */
    size_t room, used;
};

/** Index + 1 of the first payload of @p request with this digest, or 0. */
size_t stoq_seen_find(const struct stoq_seen *seen, const struct stoq_request *request,
                      const uint8_t sha256[STOQ_SHA256_SIZE]);
/** Record payload @p index of @p request, whose digest is known. @return 0 or -ENOMEM.
 */
int stoq_seen_add(struct stoq_seen *seen, const struct stoq_request *request,
                  size_t index);
void stoq_seen_fini(struct stoq_seen *seen);

#endif
