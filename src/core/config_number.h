/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CORE_CONFIG_NUMBER_H
#define STOQ_CORE_CONFIG_NUMBER_H

/* Numbers as settings spell them, without the locale. -EINVAL: not such a number, or
 * too big for 64 bits. *out is then unchanged. */

#include <stdbool.h>
#include <stdint.h>

/** Decimal digits alone. */
int stoq_config_count(const char *text, uint64_t *out);
/** Digits, then K, M, G (powers of 1024, either case) or nothing. */
int stoq_config_size(const char *text, uint64_t *out);
/** "12" or "12.5" seconds as milliseconds, rounded up: what is not 0 stays so. */
int stoq_config_seconds(const char *text, uint64_t *ms);
/** 1/yes/true/on, 0/no/false/off, any case. */
int stoq_config_bool(const char *text, bool *out);

#endif
