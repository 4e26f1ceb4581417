/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bit streams and canonical prefix codes. Codes are decoded a bit at a time: slow, and
 * without tables whose sizes could be wrong. Called by the decoders; no state.
 */

#include "forms.h"

unsigned
stoq_bits_get(struct stoq_bits *b, unsigned n)
{
    while (b->count < n) {
        uint32_t byte = 0;
        if (b->at < b->in.size)
            byte = b->in.data[b->at++];
        else
            b->over = true;
        if (b->high)
            b->hold = b->hold << 8 | byte;
        else
            b->hold |= byte << b->count;
        b->count += 8;
    }
    const uint32_t mask = (UINT32_C(1) << n) - 1;
    b->count -= n;
    if (b->high)
        return b->hold >> b->count & mask;
    const uint32_t value = b->hold & mask;
    b->hold >>= n;
    return value;
}

bool
stoq_code_make(struct stoq_code *c, const unsigned char *lengths, size_t n)
{
    uint16_t next[STOQ_LENGTHS_MAX + 1] = {0};
    uint32_t left = 1;
    *c = (struct stoq_code){.only = -1};
    for (size_t i = 0; i < n; i++)
        c->count[lengths[i]]++;
    c->count[0] = 0;
    for (unsigned l = 1; l < STOQ_LENGTHS_MAX; l++) {
        left <<= 1;
        if (left < c->count[l])
            return false;
        left -= c->count[l];
        next[l + 1] = (uint16_t)(next[l] + c->count[l]);
    }
    for (size_t i = 0; i < n; i++)
        if (lengths[i] > 0)
            c->symbols[next[lengths[i]]++] = (uint16_t)i;
    return true;
}

int
stoq_code_next(const struct stoq_code *c, struct stoq_bits *b)
{
    uint32_t code = 0, first = 0;
    unsigned index = 0;
    if (c->only >= 0)
        return c->only;
    for (unsigned l = 1; l < STOQ_LENGTHS_MAX && !b->over; l++) {
        code |= stoq_bits_get(b, 1);
        const uint32_t count = c->count[l];
        if (code < first + count)
            return c->symbols[index + (code - first)];
        index += count;
        first = (first + count) << 1;
        code <<= 1;
    }
    return -1;
}
