/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_XORSEARCH_PARTS_H
#define PLUGINS_XORSEARCH_PARTS_H

/*
 * A term under an unknown key: the XOR of neighbouring bytes does not depend on the
 * key. So the automaton searches the neighbours' differences of the payload for those
 * of the terms, all at once and in one pass; the key follows from the first byte of a
 * match.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

/** Bytes of all terms together; a state of the automaton takes 512 bytes. */
#define TERM_BYTES_MAX 60000U

struct term {
    unsigned char *data; /* not empty */
    size_t size;
    uint32_t next; /* index + 1 of the next term with the same differences */
};

struct automaton {
    struct term *terms; /* in the order of the file */
    uint32_t count;
    uint16_t (*next)[256]; /* state and difference to state; 0 is the start */
    uint32_t *ends;        /* index + 1 of the first term that ends in a state */
    uint16_t *shorter; /* next state with a term that ends there as well; 0 = none */
    uint32_t singles;  /* index + 1 of the first term of one byte */
};

/** Build it over terms that are set. @return 0, -ENOMEM or -E2BIG. */
int automaton_build(struct automaton *a);
void automaton_fini(struct automaton *a);

/** Called with each match. @return whether to go on. */
typedef bool match_fn(void *user, unsigned char key, uint32_t term, size_t at);

/** All matches under keys other than 0, those that end first first. */
void automaton_search(const struct automaton *a, struct bytes payload, match_fn *match,
                      void *user);

#endif
