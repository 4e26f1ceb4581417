/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled AutoIt scripts, EA05 and EA06, with the files in them: records whose fields
 * and data are veiled by a random generator with known seeds, and packed by an LZ77.
 * After public descriptions of the format in analyses of such programs. Each record
 * moves on. Called by forms.c; no state.
 */

#include <errno.h>

#include "forms.h"

#define MARK_SIZE 24U
#define NAME_ROOM 520U
#define FIXED     29U /* of a record, behind its names */

/* What differs between the versions. */
struct version {
    const char *mark, *packed;
    uint32_t file_seed, text_mask[2], text_seed[2], size_mask, data_seed;
    unsigned letter;  /* bytes of a letter */
    bool lame;        /* which generator */
    unsigned literal; /* the bit that says so */
};

static const struct version versions[] = {
    {"AU3!EA05",
     "EA05",
     0x16fa,
     {0x29bc, 0x29ac},
     {0xa25e, 0xf25e},
     0x45aa,
     0x22af,
     1,
     false,
     0},
    {"AU3!EA06",
     "EA06",
     0x18ee,
     {0xadbc, 0xf820},
     {0xb33f, 0xf479},
     0x87bc,
     0x2477,
     2,
     true,
     1},
};

/* -------------------------------------------------------------------- generators */

#define MT_SIZE 624U

/* MT19937, of which every value gives its second lowest bits. */
struct mersenne {
    uint32_t state[MT_SIZE];
    unsigned next;
};

static void
mersenne_seed(struct mersenne *m, uint32_t seed)
{
    m->state[0] = seed;
    for (uint32_t i = 1; i < MT_SIZE; i++)
        m->state[i] = 0x6c078965U * (m->state[i - 1] ^ m->state[i - 1] >> 30) + i;
    m->next = MT_SIZE;
}

static unsigned
mersenne_byte(struct mersenne *m)
{
    if (m->next == MT_SIZE) {
        for (unsigned i = 0; i < MT_SIZE; i++) {
            const uint32_t y = (m->state[i] & 0x80000000U) |
                               (m->state[(i + 1) % MT_SIZE] & 0x7fffffffU);
            m->state[i] =
                m->state[(i + 397) % MT_SIZE] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfU : 0);
        }
        m->next = 0;
    }
    uint32_t y = m->state[m->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680U;
    y ^= y << 15 & 0xefc60000U;
    y ^= y >> 18;
    return y >> 1 & 0xff;
}

/* Two lagged values added; a fraction is made of the sum. */
struct lame {
    uint32_t group[17];
    unsigned a, b;
};

static double
lame_next(struct lame *l)
{
    const uint32_t x = l->group[l->a], y = l->group[l->b];
    const uint32_t sum = (x << 9 | x >> 23) + (y << 13 | y >> 19);
    l->group[l->a] = sum;
    l->a = l->a == 0 ? 16 : l->a - 1;
    l->b = l->b == 0 ? 16 : l->b - 1;
    return (double)sum / 4294967296.0;
}

static void
lame_seed(struct lame *l, uint32_t seed)
{
    for (unsigned i = 0; i < 17; i++) {
        seed = 1 - seed * 0x53a9b4fbU;
        l->group[i] = seed;
    }
    l->a = 0;
    l->b = 10;
    for (unsigned i = 0; i < 9; i++)
        (void)lame_next(l);
}

static unsigned
lame_byte(struct lame *l)
{
    (void)lame_next(l);
    return (unsigned)(lame_next(l) * 256.0);
}

/* The bytes of @p in unveiled, to @p to or the sink. */
static void
unveil(struct stoq_sink *s, const struct version *v, struct bytes in, uint32_t seed,
       unsigned char *to)
{
    struct mersenne m;
    struct lame l;
    if (v->lame)
        lame_seed(&l, seed);
    else
        mersenne_seed(&m, seed);
    for (size_t i = 0; i < in.size; i++) {
        const unsigned c = in.data[i] ^ (v->lame ? lame_byte(&l) : mersenne_byte(&m));
        if (to)
            to[i] = (unsigned char)c;
        else if (!stoq_sink_byte(s, c))
            return;
    }
}

/* ----------------------------------------------------------------------- unpacking */

/* More and more bits, as long as all of them are set. */
static size_t
read_length(struct stoq_bits *b)
{
    static const unsigned char widths[] = {2, 3, 5, 8};
    size_t length = 3;
    for (unsigned i = 0; i < sizeof widths; i++) {
        const unsigned most = (1U << widths[i]) - 1;
        const unsigned n = stoq_bits_get(b, widths[i]);
        length += n;
        if (n < most)
            return length;
    }
    unsigned n;
    do {
        n = stoq_bits_get(b, 8);
        length += n;
    } while (n == 255 && !b->over);
    return length;
}

static const char *
unpack(struct stoq_sink *s, const struct version *v, struct bytes in)
{
    struct stoq_bits b = {.in = bytes_from(in, 8), .high = true};
    const uint32_t size = bytes_be32(in, 4);
    if (!bytes_are(in, 0, v->packed, 4))
        return "damaged script";
    while (s->size < size && s->error == 0) {
        if (stoq_bits_get(&b, 1) == v->literal) {
            const unsigned c = stoq_bits_get(&b, 8);
            (void)stoq_sink_byte(s, c);
        } else {
            const size_t distance = stoq_bits_get(&b, 15);
            size_t length = read_length(&b);
            if (distance == 0 || distance > s->size)
                return "damaged script";
            if (length > size - s->size)
                length = size - s->size;
            (void)stoq_sink_copy(s, distance, length);
        }
        if (b.over)
            return "truncated script";
    }
    return NULL;
}

/* ------------------------------------------------------------------------- records */

/* A veiled text; its letters as far as they are ASCII. @return where it ends, 0 when it
 * is none. */
static uint64_t
read_text(struct stoq_sink *s, const struct version *v, uint64_t at, unsigned which,
          char name[NAME_ROOM])
{
    const struct bytes data = {s->x->data, s->x->size};
    unsigned char raw[NAME_ROOM];
    const uint32_t letters = bytes_le32(data, at) ^ v->text_mask[which];
    const uint64_t size = (uint64_t)letters * v->letter;
    struct bytes veiled = bytes_at(data, at + 4, size);
    if (!bytes_has(data, at, 4) || veiled.size != size)
        return 0;
    memset(name, 0, NAME_ROOM);
    if (size < NAME_ROOM) {
        unveil(s, v, veiled, v->text_seed[which] + letters, raw);
        for (uint32_t i = 0; i < letters; i++)
            name[i] = (char)(raw[i * v->letter] >= 0x20 ? raw[i * v->letter] : '_');
    }
    return at + 4 + size;
}

static int
read_data(struct stoq_sink *s, const struct version *v, struct bytes veiled,
          bool packed, uint32_t sum, const char *name)
{
    struct stoq_sink clear;
    const char *why = NULL;
    stoq_sink_init(&clear, s->x);
    unveil(&clear, v, veiled, v->data_seed + sum, NULL);
    stoq_sink_begin(s);
    s->error = clear.error;
    const struct bytes in = {clear.data, clear.size};
    if (s->error == 0 && packed)
        why = unpack(s, v, in);
    else if (s->error == 0)
        (void)stoq_sink_put(s, in.data, in.size);
    stoq_sink_fini(&clear);
    return stoq_sink_end(s, name, NAME_ROOM, why);
}

static int
read_records(struct stoq_sink *s, const struct version *v, uint64_t at)
{
    const struct bytes data = {s->x->data, s->x->size};
    char kind[NAME_ROOM], path[NAME_ROOM];
    uint32_t sum = 0;
    if (!v->lame) /* of the password's digest */
        for (unsigned i = 0; i < 16; i++)
            sum += bytes_u8(data, at + i);
    at += 16;
    while (!s->stop && stoq_sink_time(s)) {
        unsigned char word[4] = {0};
        struct bytes veiled = bytes_at(data, at, 4);
        unveil(s, v, veiled, v->file_seed, word);
        if (memcmp(word, "FILE", 4) != 0)
            break;
        at = read_text(s, v, at + 4, 0, kind);
        if (at > 0)
            at = read_text(s, v, at, 1, path);
        if (at == 0 || !bytes_has(data, at, FIXED))
            break;
        const bool packed = bytes_u8(data, at) == 1;
        const uint32_t size = bytes_le32(data, at + 1) ^ v->size_mask;
        struct bytes rest = bytes_from(data, at + FIXED);
        const int r =
            read_data(s, v, bytes_at(rest, 0, size < rest.size ? size : rest.size),
                      packed, sum, path[0] ? path : kind);
        if (r < 0)
            return r;
        at += FIXED + (uint64_t)size;
    }
    return 0;
}

int
stoq_autoit_read(struct stoq_sink *s)
{
    static const char mark[] =
        "\xa3\x48\x4b\xbe\x98\x6c\x4a\xa9\x99\x4c\x53\x0a\x86\xd6\x48\x7d";
    const struct bytes data = {s->x->data, s->x->size};
    for (size_t at = 0; (at = bytes_find(data, at, mark, sizeof mark - 1)) != SIZE_MAX;
         at++)
        for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
            if (bytes_are(data, at + 16, versions[i].mark, 8))
                return read_records(s, &versions[i], at + MARK_SIZE);
    return 0;
}
