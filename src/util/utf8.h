/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_UTF8_H
#define STOQ_UTIL_UTF8_H

/*
 * Reading UTF-8 sequence by sequence, and text that may be shown on a terminal.
 * Callers: error.c, log.c, json.c. Nothing here allocates or keeps state.
 */

#include <stddef.h>

/** Length of the sequence at @p s (@p size > 0 bytes): > 0 for a valid one, else minus
 *  the number of bytes that one U+FFFD stands for (maximal subpart, as in Unicode 3.9).
 */
int stoq_utf8_step(const unsigned char *s, size_t size);

/** Copy @p size bytes into @p out (NUL-terminated, @p room > 0 bytes in all). Control
 *  characters and bytes that are not UTF-8 become \xNN; cut between characters.
 *  @return length of the result. */
size_t stoq_text_clean(char *out, size_t room, const char *text, size_t size);

#endif
