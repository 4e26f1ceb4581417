/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_OFFICE_H
#define PLUGINS_OFFICE_H

/*
 * What the tests of the carving and office plugins share: one scan's reply as text, so
 * that a table can say what is expected, and one way to cut a sample short everywhere.
 */

#include <stddef.h>

#include "plugins_support.h"

/**
 * Scan bytes and say in lines what came back, in this order:
 *   results:{...}
 *   {"extra": "data"}:child's bytes, those not printable as \xNN  (" unarchived" before
 *     the colon for a child that archivers do not get)
 *   error:text      a soft error
 *   limit:name
 *   failed:text     the call failed
 * @p bytes is the budget for children; UINT64_MAX for none. Caller frees.
 */
char *reply_text(struct stoq_loaded *p, const void *data, size_t size, uint64_t bytes);

/** Scan every prefix of the bytes, each in a block of its own size, so that a reader
 *  beyond the end is seen. Fails the test when one takes longer than a few seconds. */
void scan_prefixes(struct stoq_loaded *p, const void *data, size_t size, size_t step);

#endif
