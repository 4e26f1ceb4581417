/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_MAPPING_H
#define STOQ_CORE_MAPPING_H

/*
 * Read-only mappings of files that others may truncate meanwhile.
 *
 * The hazard: touching a mapped page behind the new end of the file raises SIGBUS,
 * whose default is to end the process. Here one process-wide handler recognises
 * addresses inside these mappings, puts zero pages over the rest of that mapping, marks
 * it torn and lets the reader go on; the scan then ends as an error. All other
 * addresses get whatever handling was in place before.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/error.h>

struct stoq_mapping;

/** Map @p size (> 0) bytes of @p fd (borrowed) at @p offset. Threads: any. */
int stoq_mapping_new(int fd, uint64_t offset, size_t size, struct stoq_mapping **out,
                     struct stoq_error *err);
const unsigned char *stoq_mapping_data(const struct stoq_mapping *m);
/** Whether a read hit a hole where the file used to be. */
bool stoq_mapping_torn(const struct stoq_mapping *m);
void stoq_mapping_free(struct stoq_mapping *m);

#endif
