/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_DOCUMENT_H
#define STOQ_POOL_DOCUMENT_H

/*
 * Checking a document that came from a scanner, without building a tree of it: a tree
 * takes some twenty times the text's memory, which a scanner that was taken over could
 * turn against the process it reports to. Called by the pool. Threads: any; no state.
 */

#include <stddef.h>

#include <stoq/stoq.h>

#include "util/clock.h"

/** What the pool needs to know of a document. */
struct stoq_document_facts {
    enum stoq_verdict verdict;
    char scan_id[STOQ_UUID_SIZE];
};

/**
 * Check that @p size bytes are one JSON object that stoq_json_parse() will accept:
 * valid UTF-8, depth, numbers in range; with exactly one "verdict" that is one, and one
 * "scan_id" that looks like a UUID.
 * @return 0 or -EPROTO. Linear in @p size, constant memory.
 */
int stoq_document_check(const char *text, size_t size, struct stoq_document_facts *out);

#endif
