/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search of parts.h: an Aho-Corasick automaton over differences, with a full table
 * of transitions, so that each byte of the payload takes one step whatever it is.
 */

#include <errno.h>
#include <stdlib.h>

#include "common/auto.h"
#include "parts.h"

/* Put the terms into a trie; a term of one byte has no difference to go by. */
static size_t
plant(struct automaton *a)
{
    size_t states = 1;

    for (uint32_t i = a->count; i-- > 0;) {
        struct term *term = &a->terms[i];
        size_t state = 0;

        for (size_t k = 1; k < term->size; k++) {
            uint16_t *to = &a->next[state][term->data[k] ^ term->data[k - 1]];

            if (*to == 0)
                *to = (uint16_t)states++;
            state = *to;
        }
        uint32_t *end = state ? &a->ends[state] : &a->singles;
        term->next = *end;
        *end = i + 1;
    }
    return states;
}

/* Complete the transitions breadth first: where a state has none for a difference, it
 * takes the one of the longest other beginning of a term that ends what was read. */
static int
complete(struct automaton *a, size_t states)
{
    PLUGIN_AUTOFREE uint16_t *queue = calloc(states, sizeof *queue);
    PLUGIN_AUTOFREE uint16_t *suffix = calloc(states, sizeof *suffix);
    size_t head = 0, tail = 0;

    if (!queue || !suffix)
        return -ENOMEM;
    for (size_t c = 0; c < 256; c++)
        if (a->next[0][c])
            queue[tail++] = a->next[0][c];
    for (; head < tail; head++) {
        uint16_t state = queue[head], other = suffix[state];

        a->shorter[state] = a->ends[other] ? other : a->shorter[other];
        for (size_t c = 0; c < 256; c++) {
            uint16_t *to = &a->next[state][c];

            if (*to == 0) {
                *to = a->next[other][c];
                continue;
            }
            suffix[*to] = a->next[other][c];
            queue[tail++] = *to;
        }
    }
    return 0;
}

int
automaton_build(struct automaton *a)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < a->count; i++) {
        bytes += a->terms[i].size;
        if (bytes > TERM_BYTES_MAX)
            return -E2BIG;
    }
    a->next = calloc(bytes + 1, sizeof *a->next);
    a->ends = calloc(bytes + 1, sizeof *a->ends);
    a->shorter = calloc(bytes + 1, sizeof *a->shorter);
    if (!a->next || !a->ends || !a->shorter)
        return -ENOMEM;
    return complete(a, plant(a));
}

void
automaton_fini(struct automaton *a)
{
    for (uint32_t i = 0; i < a->count; i++)
        free(a->terms[i].data);
    free(a->terms);
    free(a->next);
    free(a->ends);
    free(a->shorter);
}

/* All terms of a list that end with the byte at @last. */
static bool
report(const struct automaton *a, uint32_t first, struct bytes p, size_t last,
       match_fn *match, void *user)
{
    for (uint32_t i = first; i; i = a->terms[i - 1].next) {
        const struct term *term = &a->terms[i - 1];
        size_t at = last + 1 - term->size;
        unsigned char key = p.data[at] ^ term->data[0];

        if (key != 0 && !match(user, key, i - 1, at))
            return false;
    }
    return true;
}

void
automaton_search(const struct automaton *a, struct bytes p, match_fn *match, void *user)
{
    uint16_t state = 0;

    for (size_t at = 0; at < p.size; at++) {
        if (a->singles && !report(a, a->singles, p, at, match, user))
            return;
        if (at == 0)
            continue;
        state = a->next[state][p.data[at] ^ p.data[at - 1]];
        for (uint16_t s = a->ends[state] ? state : a->shorter[state]; s;
             s = a->shorter[s])
            if (!report(a, a->ends[s], p, at, match, user))
                return;
    }
}
