/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_VERDICT_H
#define STOQ_CORE_VERDICT_H

/*
 * From what happened to what it is called. A verdict follows from classes of faults and
 * from the policy's pointers, never from the text of an error. No lock, no state.
 */

#include <jansson.h>
#include <stdbool.h>

#include <stoq/stoq.h>

#include "core/config.h"

/** What went wrong in a scan, or-ed. */
enum stoq_fault {
    STOQ_FAULT_TIMEOUT = 1, /**< time ran out, or a worker said so of its own */
    STOQ_FAULT_ERROR = 2,   /**< something that was due did not run, or failed */
    STOQ_FAULT_LIMIT = 4,   /**< a budget was used up: some bytes unseen */
    STOQ_FAULT_SKIP = 8     /**< not scanned, by rule */
};

/** The most serious name that applies. */
enum stoq_verdict stoq_verdict_of(unsigned faults, bool flagged);
/** [{worker, payload_id, pointer}] for every entry of @p results where @p policy finds
 *  something. A new array, or NULL on -ENOMEM. */
json_t *stoq_verdict_flags(const struct stoq_policy *policy, const json_t *results);
/** The value at JSON pointer @p pointer (RFC 6901) of @p json, or NULL. Borrowed. */
const json_t *stoq_json_pointer(const json_t *json, const char *pointer);

#endif
