/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares a payload with the definitions, as TrID does: all patterns of a definition
 * must be there, each byte counting 1000 points in the pattern at 0 and else 1, then
 * all its strings, each byte counting 500. Strings are looked for without regard to
 * case, in all of a payload up to 10 MiB, else in its first and last 5 MiB. Each string
 * is looked for once; a map of the four-byte sequences that occur spares most of them
 * the search.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "parts.h"

/* Where patterns are. */
#define FRONT_MAX 2048
#define TEXT_MAX  ((size_t)10 << 20)
#define GRAM      4
#define GRAM_BITS 22
/* Bytes all searches for strings of one payload may go over. */
#define WORK_MAX ((uint64_t)2 << 30)

enum state { UNKNOWN, FOUND, ABSENT };

struct search {
    const struct defs *defs;
    struct bytes payload;
    unsigned char *text; /* upper case; NULL until a string is looked for */
    size_t size;
    unsigned char *grams;  /* bit map of those that occur */
    unsigned char *states; /* of each text: enum state */
    uint64_t work;
};

static void
copy_upper(unsigned char *to, const unsigned char *from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = from[i] >= 'a' && from[i] <= 'z' ? (unsigned char)(from[i] - 'a' + 'A')
                                                 : from[i];
}

static uint32_t
gram_at(const unsigned char *data)
{
    uint32_t gram;

    memcpy(&gram, data, GRAM);
    return gram * 2654435761U >> (32 - GRAM_BITS);
}

/* Make what strings are looked for in. */
static int
prepare(struct search *s)
{
    struct bytes p = s->payload;
    size_t half = TEXT_MAX / 2;

    s->text = malloc(TEXT_MAX + 1 < p.size ? TEXT_MAX + 1 : p.size + 1);
    s->grams = calloc(1, (size_t)1 << (GRAM_BITS - 3));
    s->states = calloc(s->defs->text_count + 1, 1);
    if (!s->text || !s->grams || !s->states)
        return -ENOMEM;
    if (p.size <= TEXT_MAX) {
        copy_upper(s->text, p.data, p.size);
        s->size = p.size;
    } else {
        copy_upper(s->text, p.data, half);
        s->text[half] = '|';
        copy_upper(s->text + half + 1, p.data + p.size - half, half);
        s->size = TEXT_MAX + 1;
    }
    for (size_t i = 0; i + GRAM <= s->size; i++) {
        uint32_t gram = gram_at(s->text + i);

        s->grams[gram / 8] = (unsigned char)(s->grams[gram / 8] | 1U << gram % 8);
    }
    return 0;
}

static enum state
look_for(struct search *s, struct bytes string)
{
    for (size_t i = 0; i + GRAM <= string.size; i++) {
        uint32_t gram = gram_at(string.data + i);

        if (!(s->grams[gram / 8] >> gram % 8 & 1))
            return ABSENT;
    }
    if (s->work > WORK_MAX)
        return UNKNOWN;
    const unsigned char *hit = memmem(s->text, s->size, string.data, string.size);
    s->work += hit ? (uint64_t)(hit - s->text) + string.size : s->size;
    return hit ? FOUND : ABSENT;
}

/* Points of the patterns, 0 when one is not there. */
static uint64_t
pattern_points(const struct search *s, const struct definition *def)
{
    size_t size = s->payload.size < FRONT_MAX ? s->payload.size : FRONT_MAX;
    struct bytes front = {s->payload.data, size};
    uint64_t points = 0;

    for (size_t i = 0; i < def->patterns; i++) {
        const struct pattern *p = &s->defs->patterns[def->pattern + i];

        if (!bytes_has(front, p->at, p->bytes.size) ||
            memcmp(front.data + p->at, p->bytes.data, p->bytes.size) != 0)
            return 0;
        points += p->bytes.size * (p->at == 0 ? 1000U : 1U);
    }
    return points;
}

/* Add the points of the strings; a string that is not there takes all away. @return
 * whether it is decided. */
static bool
string_points(struct search *s, const struct definition *def, uint64_t *points)
{
    const uint32_t *strings = def->strings ? s->defs->strings + def->string : NULL;
    bool decided = true;

    for (size_t i = 0; i < def->strings; i++)
        if (s->states[strings[i]] == ABSENT) {
            *points = 0;
            return true;
        }
    for (size_t i = 0; i < def->strings; i++) {
        struct bytes string = s->defs->texts[strings[i]];

        if (s->states[strings[i]] == UNKNOWN)
            s->states[strings[i]] = (unsigned char)look_for(s, string);
        *points += string.size * 500U;
        decided = decided && s->states[strings[i]] != UNKNOWN;
        if (s->states[strings[i]] == ABSENT) {
            *points = 0;
            return true;
        }
    }
    return decided;
}

/* Keep the best ones; of equal ones the first comes first. */
static void
keep(struct match *best, int *count, struct match match)
{
    int at = *count;

    while (at > 0 && best[at - 1].points < match.points)
        at--;
    if (at == MATCHES_SHOWN)
        return;
    *count += *count < MATCHES_SHOWN;
    memmove(best + at + 1, best + at, (size_t)(*count - 1 - at) * sizeof *best);
    best[at] = match;
}

static int
match_group(struct search *s, size_t group, struct match *best, int *count,
            uint64_t *points, size_t *left)
{
    const struct defs *d = s->defs;

    for (size_t i = d->starts[group]; i < d->starts[group + 1]; i++) {
        struct match match = {.def = &d->list[d->order[i]]};

        match.points = pattern_points(s, match.def);
        if (match.points == 0)
            continue;
        int r = match.def->strings && !s->text ? prepare(s) : 0;
        if (r < 0)
            return r;
        if (!string_points(s, match.def, &match.points)) {
            ++*left;
        } else if (match.points > 0) {
            *points += match.points;
            keep(best, count, match);
        }
    }
    return 0;
}

int
match_all(const struct defs *d, struct bytes payload, struct match *best,
          uint64_t *points, size_t *left)
{
    struct search s = {.defs = d, .payload = payload};
    int count = 0, r = 0;

    *points = 0;
    *left = 0;
    if (payload.size > 0) {
        r = match_group(&s, 0, best, &count, points, left);
        if (r == 0)
            r = match_group(&s, payload.data[0] + 1U, best, &count, points, left);
    }
    free(s.text);
    free(s.grams);
    free(s.states);
    return r < 0 ? r : count;
}
