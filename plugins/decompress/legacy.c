/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressions of old zip files that libarchive lacks: shrink (method 1), implode (6)
 * and deflate64 (9), after PKWARE's APPNOTE 6.3.3, sections 5.1, 5.3 and 5.6. Called by
 * ziplegacy.c; no state.
 */

#include "forms.h"

static const char bad[] = "damaged data";

/* ----------------------------------------------------------------------- implode */

#define TREE_MAX  256U
#define LARGE     0x0002U /* a window of 8 KiB */
#define LITERALS  0x0004U /* literals have a tree */
#define LONG_FORM 63

/* A tree as runs of (length, count). Codes are canonical with all bits inverted. */
static bool
read_tree(struct stoq_bits *b, struct stoq_code *c, unsigned n)
{
    unsigned char lengths[TREE_MAX];
    unsigned used = 0;
    const unsigned runs = stoq_bits_get(b, 8) + 1;
    for (unsigned i = 0; i < runs; i++) {
        const unsigned byte = stoq_bits_get(b, 8);
        for (unsigned k = 0; k <= byte >> 4; k++) {
            if (used == n)
                return false;
            lengths[used++] = (unsigned char)((byte & 0xf) + 1);
        }
    }
    return used == n && !b->over && stoq_code_make(c, lengths, n);
}

/* The next symbol: as stoq_code_next(), with the bits inverted. */
static int
next_inverted(const struct stoq_code *c, struct stoq_bits *b)
{
    uint32_t code = 0, first = 0;
    unsigned index = 0;
    for (unsigned l = 1; l < STOQ_LENGTHS_MAX && !b->over; l++) {
        code |= stoq_bits_get(b, 1) ^ 1;
        const uint32_t count = c->count[l];
        if (code < first + count)
            return c->symbols[index + (code - first)];
        index += count;
        first = (first + count) << 1;
        code <<= 1;
    }
    return -1;
}

struct implode {
    struct stoq_bits bits;
    struct stoq_code literals, lengths, distances;
    unsigned flags;
};

static const char *
implode_step(struct stoq_sink *s, struct implode *z, uint64_t left)
{
    struct stoq_bits *b = &z->bits;
    if (stoq_bits_get(b, 1) == 1) {
        const int c = z->flags & LITERALS ? next_inverted(&z->literals, b)
                                          : (int)stoq_bits_get(b, 8);
        if (c < 0 || b->over)
            return bad;
        (void)stoq_sink_byte(s, (unsigned)c);
        return NULL;
    }
    const unsigned low_bits = z->flags & LARGE ? 7 : 6;
    const unsigned low = stoq_bits_get(b, low_bits);
    const int high = next_inverted(&z->distances, b);
    const int symbol = next_inverted(&z->lengths, b);
    if (high < 0 || symbol < 0)
        return bad;
    uint64_t length = (uint64_t)symbol + (z->flags & LITERALS ? 3 : 2);
    if (symbol == LONG_FORM)
        length += stoq_bits_get(b, 8);
    if (b->over)
        return bad;
    const size_t distance = ((size_t)high << low_bits | low) + 1;
    (void)stoq_sink_copy(s, distance, (size_t)(length < left ? length : left));
    return NULL;
}

const char *
stoq_implode_decode(struct stoq_sink *s, struct bytes in, uint64_t size, unsigned flags)
{
    struct implode z = {.bits = {.in = in}, .flags = flags};
    if ((flags & LITERALS && !read_tree(&z.bits, &z.literals, 256)) ||
        !read_tree(&z.bits, &z.lengths, 64) || !read_tree(&z.bits, &z.distances, 64))
        return bad;
    const char *why = NULL;
    while (!why && s->size < size && s->error == 0)
        why = implode_step(s, &z, size - s->size);
    return why;
}

/* ------------------------------------------------------------------------ shrink */

#define CODE_BITS_MAX 13U
#define TABLE         (1U << CODE_BITS_MAX)
#define CONTROL       256U
#define NO_PARENT     0xffffU

struct shrink {
    uint16_t parent[TABLE]; /* NO_PARENT: free */
    unsigned char last[TABLE];
    unsigned char text[TABLE];
};

/* Free the codes that are no other's parent. */
static void
partial_clear(struct shrink *z)
{
    bool used[TABLE] = {false};
    for (unsigned c = CONTROL + 1; c < TABLE; c++)
        if (z->parent[c] != NO_PARENT)
            used[z->parent[c]] = true;
    for (unsigned c = CONTROL + 1; c < TABLE; c++)
        if (!used[c])
            z->parent[c] = NO_PARENT;
}

/* The string of @p code, its end first, into text. @return its length, 0 when none. */
static unsigned
unwind(struct shrink *z, unsigned code, unsigned n)
{
    while (code > CONTROL) {
        if (n >= TABLE || z->parent[code] == NO_PARENT)
            return 0;
        z->text[n++] = z->last[code];
        code = z->parent[code];
    }
    if (n >= TABLE || code == CONTROL)
        return 0;
    z->text[n++] = (unsigned char)code;
    return n;
}

static const char *
shrink_codes(struct stoq_sink *s, struct shrink *z, struct bytes in, uint64_t size)
{
    struct stoq_bits b = {.in = in};
    unsigned width = 9, next = CONTROL + 1;
    unsigned before = stoq_bits_get(&b, width), first = before;
    if (b.over || before >= CONTROL)
        return size == 0 ? NULL : bad;
    (void)stoq_sink_byte(s, before);
    while (s->size < size && s->error == 0) {
        unsigned code = stoq_bits_get(&b, width);
        if (b.over)
            return bad;
        if (code == CONTROL) {
            const unsigned what = stoq_bits_get(&b, width);
            if (what == 1 && width < CODE_BITS_MAX)
                width++;
            else if (what == 2)
                partial_clear(z);
            else
                return bad;
            if (what == 2)
                next = CONTROL + 1;
            continue;
        }
        unsigned n = 0;
        const unsigned this = code;
        if (code > CONTROL && z->parent[code] == NO_PARENT) {
            z->text[n++] = (unsigned char)first; /* the string being made */
            code = before;
        }
        n = unwind(z, code, n);
        if (n == 0)
            return bad;
        first = z->text[n - 1];
        while (n > 0 && s->size < size)
            (void)stoq_sink_byte(s, z->text[--n]);
        while (next < TABLE && z->parent[next] != NO_PARENT)
            next++;
        if (next < TABLE && next != before) {
            z->parent[next] = (uint16_t)before;
            z->last[next] = (unsigned char)first;
        }
        before = this;
    }
    return NULL;
}

const char *
stoq_shrink_decode(struct stoq_sink *s, struct bytes in, uint64_t size)
{
    struct shrink z;
    for (unsigned c = 0; c < TABLE; c++)
        z.parent[c] = NO_PARENT;
    return shrink_codes(s, &z, in, size);
}

/* --------------------------------------------------------------------- deflate64 */

static const uint16_t length_base[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                       15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                       67, 83, 99, 115, 131, 163, 195, 227, 3};
static const unsigned char length_bits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                            2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 16};

struct inflate {
    struct stoq_bits bits;
    struct stoq_code literals, distances;
};

static const char *
stored_block(struct stoq_sink *s, struct inflate *z)
{
    struct stoq_bits *b = &z->bits;
    (void)stoq_bits_get(b, b->count & 7);
    const unsigned size = stoq_bits_get(b, 16), check = stoq_bits_get(b, 16);
    if (b->over || size != (~check & 0xffff))
        return bad;
    for (unsigned i = 0; i < size && s->error == 0; i++) {
        const unsigned byte = stoq_bits_get(b, 8);
        if (b->over)
            return bad;
        (void)stoq_sink_byte(s, byte);
    }
    return NULL;
}

static void
fixed_codes(struct inflate *z)
{
    unsigned char lengths[288];
    for (unsigned i = 0; i < 288; i++)
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    (void)stoq_code_make(&z->literals, lengths, 288);
    memset(lengths, 5, 32);
    (void)stoq_code_make(&z->distances, lengths, 32);
}

static bool
dynamic_codes(struct inflate *z)
{
    static const unsigned char order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                            11, 4,  12, 3, 13, 2, 14, 1, 15};
    struct stoq_bits *b = &z->bits;
    unsigned char lengths[286 + 32] = {0};
    const unsigned literals = stoq_bits_get(b, 5) + 257;
    const unsigned distances = stoq_bits_get(b, 5) + 1;
    const unsigned n = stoq_bits_get(b, 4) + 4;
    if (literals > 286)
        return false;
    for (unsigned i = 0; i < n; i++)
        lengths[order[i]] = (unsigned char)stoq_bits_get(b, 3);
    if (!stoq_code_make(&z->literals, lengths, 19))
        return false;
    memset(lengths, 0, sizeof lengths);
    for (unsigned i = 0; i < literals + distances;) {
        const int c = stoq_code_next(&z->literals, b);
        if (c < 0)
            return false;
        if (c < 16) {
            lengths[i++] = (unsigned char)c;
            continue;
        }
        if (c == 16 && i == 0)
            return false;
        const unsigned char value = c == 16 ? lengths[i - 1] : 0;
        unsigned repeat = c == 16   ? 3 + stoq_bits_get(b, 2)
                          : c == 17 ? 3 + stoq_bits_get(b, 3)
                                    : 11 + stoq_bits_get(b, 7);
        if (repeat > literals + distances - i)
            return false;
        while (repeat-- > 0)
            lengths[i++] = value;
    }
    return stoq_code_make(&z->literals, lengths, literals) &&
           stoq_code_make(&z->distances, lengths + literals, distances);
}

static const char *
coded_block(struct stoq_sink *s, struct inflate *z)
{
    struct stoq_bits *b = &z->bits;
    while (s->error == 0) {
        const int c = stoq_code_next(&z->literals, b);
        if (c < 0 || c > 285)
            return bad;
        if (c == 256)
            return NULL;
        if (c < 256) {
            (void)stoq_sink_byte(s, (unsigned)c);
            continue;
        }
        const size_t length =
            length_base[c - 257] + (size_t)stoq_bits_get(b, length_bits[c - 257]);
        const int d = stoq_code_next(&z->distances, b);
        if (d < 0 || d > 31)
            return bad;
        size_t distance = (size_t)d + 1;
        if (d > 3) {
            const unsigned extra = (unsigned)d / 2 - 1;
            distance = ((size_t)(2 + (d & 1)) << extra) + stoq_bits_get(b, extra) + 1;
        }
        if (b->over || distance > s->size)
            return bad;
        (void)stoq_sink_copy(s, distance, length);
    }
    return NULL;
}

const char *
stoq_inflate64(struct stoq_sink *s, struct bytes in, uint64_t size)
{
    struct inflate z = {.bits = {.in = in}};
    bool last = false;
    while (!last && s->error == 0) {
        const char *why = bad;
        last = stoq_bits_get(&z.bits, 1);
        switch (stoq_bits_get(&z.bits, 2)) {
        case 0:
            why = stored_block(s, &z);
            break;
        case 1:
            fixed_codes(&z);
            why = coded_block(s, &z);
            break;
        case 2:
            why = dynamic_codes(&z) ? coded_block(s, &z) : bad;
            break;
        default:
            break;
        }
        if (why || z.bits.over)
            return bad;
    }
    return s->size == size ? NULL : "sizes differ";
}
