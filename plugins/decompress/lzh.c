/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compressions of ARJ: methods 1 to 3, which are LHA's with a window of 26 KiB, and
 * method 4. After the public description of ar002 and of ARJ's archive format. Called
 * by arj.c; no state.
 */

#include "forms.h"

#define LITERALS  256U
#define MATCH_MIN 3U
#define CODES     510U
#define DISTANCES 17U
#define LENGTHS   19U

struct lzh {
    struct stoq_bits bits;
    struct stoq_code lengths, codes, distances;
    unsigned left; /* symbols in this block */
};

/* A length of 0..6 in three bits, more in unary. */
static int
read_length(struct stoq_bits *b)
{
    unsigned n = stoq_bits_get(b, 3);
    if (n == 7)
        while (stoq_bits_get(b, 1) == 1 && n < STOQ_LENGTHS_MAX)
            n++;
    return n < STOQ_LENGTHS_MAX ? (int)n : -1;
}

/* The code for lengths (with a gap after the third) or for distances. */
static bool
read_small(struct stoq_bits *b, struct stoq_code *c, unsigned most, unsigned gap)
{
    unsigned char lengths[LENGTHS] = {0};
    const unsigned n = stoq_bits_get(b, 5);
    if (n == 0) {
        const unsigned only = stoq_bits_get(b, 5);
        *c = (struct stoq_code){.only = (int)only};
        return only < most;
    }
    for (unsigned i = 0; i < n;) {
        const int length = read_length(b);
        if (length < 0 || i >= most)
            return false;
        lengths[i++] = (unsigned char)length;
        if (i == gap)
            i += stoq_bits_get(b, 2);
    }
    return n <= most && stoq_code_make(c, lengths, most);
}

static bool
read_codes(struct lzh *z)
{
    unsigned char lengths[CODES] = {0};
    struct stoq_bits *b = &z->bits;
    const unsigned n = stoq_bits_get(b, 9);
    if (n == 0) {
        const unsigned only = stoq_bits_get(b, 9);
        z->codes = (struct stoq_code){.only = (int)only};
        return only < CODES;
    }
    if (n > CODES)
        return false;
    for (unsigned i = 0; i < n;) {
        const int c = stoq_code_next(&z->lengths, b);
        if (c < 0)
            return false;
        if (c > 2)
            lengths[i++] = (unsigned char)(c - 2);
        else if (c == 0)
            i++;
        else
            i += c == 1 ? stoq_bits_get(b, 4) + 3 : stoq_bits_get(b, 9) + 20;
    }
    return stoq_code_make(&z->codes, lengths, CODES);
}

static bool
read_block(struct lzh *z)
{
    z->left = stoq_bits_get(&z->bits, 16);
    return z->left > 0 && read_small(&z->bits, &z->lengths, LENGTHS, 3) &&
           read_codes(z) &&
           read_small(&z->bits, &z->distances, DISTANCES, UINT32_MAX) && !z->bits.over;
}

const char *
stoq_lzh_decode(struct stoq_sink *s, struct bytes in, uint64_t size)
{
    static const char bad[] = "damaged data";
    struct lzh z = {.bits = {.in = in, .high = true}};
    while (s->size < size && s->error == 0) {
        if (z.left == 0 && !read_block(&z))
            return bad;
        z.left--;
        const int c = stoq_code_next(&z.codes, &z.bits);
        if (c < 0)
            return bad;
        if ((unsigned)c < LITERALS) {
            (void)stoq_sink_byte(s, (unsigned)c);
            continue;
        }
        int d = stoq_code_next(&z.distances, &z.bits);
        if (d < 0)
            return bad;
        size_t distance = (size_t)d;
        if (d > 1)
            distance = ((size_t)1 << (d - 1)) + stoq_bits_get(&z.bits, (unsigned)d - 1);
        uint64_t length = (uint64_t)c - LITERALS + MATCH_MIN;
        if (length > size - s->size)
            length = size - s->size;
        if (z.bits.over)
            return bad;
        (void)stoq_sink_copy(s, distance + 1, (size_t)length);
    }
    return NULL;
}

/* As many bits as there are ones before, from @p start to @p stop. */
static unsigned
read_ranged(struct stoq_bits *b, unsigned start, unsigned stop)
{
    unsigned plus = 0, width = start;
    for (; width < stop && stoq_bits_get(b, 1) == 1; width++)
        plus += 1U << width;
    return plus + (width > 0 ? stoq_bits_get(b, width) : 0);
}

const char *
stoq_fastest_decode(struct stoq_sink *s, struct bytes in, uint64_t size)
{
    struct stoq_bits b = {.in = in, .high = true};
    while (s->size < size && s->error == 0) {
        uint64_t length = read_ranged(&b, 0, 7);
        if (length == 0) {
            (void)stoq_sink_byte(s, stoq_bits_get(&b, 8));
        } else {
            const unsigned distance = read_ranged(&b, 9, 13) + 1;
            length += MATCH_MIN - 1;
            if (length > size - s->size)
                length = size - s->size;
            (void)stoq_sink_copy(s, distance, (size_t)length);
        }
        if (b.over)
            return "damaged data";
    }
    return NULL;
}
