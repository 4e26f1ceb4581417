/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_LETTERS_H
#define STOQ_STORE_LETTERS_H

/*
 * The outbox as an operator sees it: what waits and what is dead, letter by letter, to
 * be tried again or dropped. For the command: works beside a running mount, through
 * SQLite's own locks, as well as without one. Threads: one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "store/outbox.h"

struct stoq_letter {
    int64_t row; /**< stays the same when it dies and when it is revived */
    const char *connector;
    const char *scan_id;    /**< "" when the document is missing */
    const char *last_error; /**< "" when it was not tried yet */
    bool dead;
    unsigned attempts;
    int64_t queued_ms; /**< since the epoch */
    int64_t at_ms;     /**< when it died, or not to be tried before; 0 = now */
    uint64_t size;     /**< bytes of the document */
};

/** Which letters. */
struct stoq_letter_filter {
    const char *connector; /**< NULL = all */
    bool dead;             /**< dead ones only */
};

enum stoq_letter_action { STOQ_LETTER_RETRY, STOQ_LETTER_DROP };

/** Open the outbox in state directory @p dir; one of an older version is brought up to
 *  date, unless it is in use. @return 0; -ENOENT there is none; -errno. */
int stoq_letters_open(const char *dir, struct stoq_outbox **out,
                      struct stoq_error *err);
/** Call @p fn for every letter, in order, until it returns false; what it is given is
 *  valid until it returns, and no lock is held meanwhile. */
int stoq_letters_foreach(struct stoq_outbox *o, const struct stoq_letter_filter *filter,
                         bool (*fn)(void *arg, const struct stoq_letter *letter),
                         void *arg);
/** RETRY: a dead one waits again, in its old place, one that waits is due now. DROP:
 *  it is gone, and counted. @return 0; -ENOENT there is no such letter (any more), or
 *  @p filter is against it; -errno. */
int stoq_letters_act(struct stoq_outbox *o, const struct stoq_letter_filter *filter,
                     enum stoq_letter_action action, int64_t row);
/** The same for all that match. @return 0 or -errno; *count were done. */
int stoq_letters_act_all(struct stoq_outbox *o, const struct stoq_letter_filter *filter,
                         enum stoq_letter_action action, uint64_t *count);

#endif
