/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_OUTBOX_H
#define STOQ_CLI_OUTBOX_H

/* How `stoq outbox ls` prints letters, by outbox_print.c. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "store/letters.h"

/** The line above the table. */
void cli_letter_head(void);
/** One line of the table; ages are until @p now_ms. Control bytes become '?'. */
void cli_letter_print(const struct stoq_letter *letter, int64_t now_ms);
/** The same as one JSON object in a line. @return 0 or -ENOMEM. */
int cli_letter_json(const struct stoq_letter *letter);

#endif
