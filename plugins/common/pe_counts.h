/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_COMMON_PE_COUNTS_H
#define PLUGINS_COMMON_PE_COUNTS_H

/*
 * How often a (number, name) pair was seen; for tables that repeat themselves without
 * end. It holds PE_COUNTS_MAX pairs and no more.
 */

#include "common/bytes.h"

#define PE_COUNTS_MAX 8193U

struct pe_count {
    uint64_t number;
    struct bytes name; /* borrowed */
    unsigned seen;
    unsigned turn; /* valid when it is that of the table */
};

struct pe_counts {
    struct pe_count *slots; /* owned, NULL until the first pair */
    unsigned used, turn;
};

/** Count a pair. @return how often it was seen, 1 the first time; 0 when it is new and
 *  there is no room; -ENOMEM. */
int pe_counts_add(struct pe_counts *counts, uint64_t number, struct bytes name);
/** Forget the pairs, keep the memory. */
void pe_counts_clear(struct pe_counts *counts);
void pe_counts_free(struct pe_counts *counts);

#endif
