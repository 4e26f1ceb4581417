/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_IOCEXTRACT_PARTS_H
#define PLUGINS_IOCEXTRACT_PARTS_H

/*
 * The parts of iocextract: text.c turns a payload into one byte a character, find.c and
 * find_address.c find indicators in it, normal.c normalises them, known.c holds what
 * was loaded (top-level domains, the whitelist), set.c holds byte strings. Everything
 * takes time linear in the text; there is no backtracking and no limit for it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/plugin.h>

#include "common/bytes.h"

/** What is looked for, in the order of the results. */
enum ioc {
    IOC_MD5,
    IOC_SHA1,
    IOC_SHA256,
    IOC_SHA512,
    IOC_IPV4,
    IOC_IPV6,
    IOC_MAC,
    IOC_EMAIL,
    IOC_DOMAIN,
    IOC_URL,
    IOC_COUNT
};

/** Keys of the results and of the whitelist. */
extern const char *const ioc_names[IOC_COUNT];

/* ------------------------------------------------------------------------- strings */

/** Byte strings, each once, numbered from 0 in the order they came. Zero-initialise. */
struct set {
    unsigned char *bytes; /* the strings, one after the other */
    size_t used, room;
    struct set_entry {
        size_t at;
        uint32_t size, hash;
    } * entries;
    uint32_t count, entry_room;
    uint32_t *slots; /* number of the entry + 1, 0 = free */
    uint32_t mask;   /* slots - 1, or 0 before the first one */
};

/** Add one. @return 1 added, 0 it was there, -ENOMEM, -E2BIG beyond 4 GB or entries. */
int set_add(struct set *s, const void *data, size_t size);
/** Number of the string, or -1. */
int64_t set_find(const struct set *s, const void *data, size_t size);
/** Whether one of the strings ends @p data, or is all of it. */
bool set_has_end(const struct set *s, size_t longest, const void *data, size_t size);
void set_fini(struct set *s);

/* ---------------------------------------------------------------------------- text */

/** Stand for a character beyond ASCII: a letter or number, or another. */
#define TEXT_WORD  0x80
#define TEXT_OTHER 0x81

/** Classes of characters, or-ed. */
enum {
    WORD = 1,   /* a letter, number or underscore */
    LABEL = 2,  /* of a part of a host name */
    LOCAL = 4,  /* of the part of an address before the @ */
    HEX = 8,    /* a hexadecimal digit */
    DIGIT = 16, /* a decimal digit */
    TAIL = 32,  /* of what may follow the host in a URL */
    ANCHOR = 64 /* begins a dot or at sign, maybe defanged, or is a colon */
};
extern const unsigned char text_classes[256];

/** One byte a character; `owned` is NULL where the payload itself serves. */
struct text {
    const unsigned char *at;
    size_t size;
    unsigned char *owned;
};

/** Letters and numbers beyond ASCII, as a bit map of the code points. */
#define WORDS_END 0x40000U
struct words {
    unsigned char bits[WORDS_END / 8];
};
void words_init(struct words *w);

/** The payload as text, as the original reads it. @return 0 or -ENOMEM. */
int text_decode(const struct words *w, struct bytes payload, struct text *out);

static inline bool
text_is(const struct text *t, size_t at, unsigned char_class)
{
    return at < t->size && (text_classes[t->at[at]] & char_class) != 0;
}

/** Whether a word begins or ends at @p at. */
static inline bool
text_edge(const struct text *t, size_t at)
{
    return text_is(t, at, WORD) != (at > 0 && text_is(t, at - 1, WORD));
}

/** End of the characters of a class from @p at on. */
static inline size_t
text_run(const struct text *t, size_t at, unsigned char_class)
{
    while (text_is(t, at, char_class))
        at++;
    return at;
}

/** Whether the text at @p at is @p word, written in upper case, in any case. */
bool text_has(const struct text *t, size_t at, const char *word);
/** Length of a dot or at sign at @p at, defanged or not; 0 if there is none. */
size_t text_dot(const struct text *t, size_t at);
size_t text_at_sign(const struct text *t, size_t at);
/** Length of "http://", "https://" or a defanged form that ends with the "://" at
 *  @p colon, up to the colon; 0 if there is none or it is part of a longer word. */
size_t text_scheme(const struct text *t, size_t colon);

/* --------------------------------------------------------------------------- known */

/** What was loaded when the plugin was opened. */
struct known {
    struct words words;
    struct set tlds; /* lower case */
    size_t longest_tld;
    struct list {
        struct set names;
        size_t longest;
    } white[IOC_COUNT];
    struct net {
        unsigned char address[16];
        int family; /* AF_INET or AF_INET6 */
        unsigned bits;
        enum ioc type;
    } * nets;
    size_t net_count;
};

int known_open(struct known *k, struct stoq_ctx *ctx, struct stoq_error *err);
void known_close(struct known *k);
/** End of the top-level domain at @p at, or 0. */
size_t known_tld(const struct known *k, const struct text *t, size_t at);
/** Whether the whitelist has this normalised indicator. */
bool known_good(const struct known *k, enum ioc type, const unsigned char *data,
                size_t size);

/* ------------------------------------------------------------------------ findings */

/** Called with each indicator in turn. @return 0, or < 0 to end the search. */
typedef int found_fn(void *user, enum ioc type, const unsigned char *data, size_t size);

struct finder {
    const struct known *known;
    const struct text *text;
    found_fn *found;
    void *user;
    size_t past[IOC_COUNT]; /* where the search for the next one begins */
};

/** Find all. @return 0 or what `found` gave. */
int find_all(struct finder *f);
/** End of the host name that begins at @p at, or 0. */
size_t find_name_here(const struct known *k, const struct text *t, size_t at);
/** The first host name from @p past on whose first dot is the one at @p dot. */
bool find_name(const struct known *k, const struct text *t, size_t past, size_t dot,
               size_t span[2]);
/** End of the address that begins at @p at, or 0. */
size_t find_ipv4(const struct text *t, size_t at);
size_t find_ipv6(const struct text *t, size_t at);
/** End of the hardware address at @p at, or 0. */
size_t find_mac(const struct text *t, size_t at);

/** Normalise an indicator in place. @return its new size. */
size_t normalise(const struct known *k, unsigned char *data, size_t size);

#endif
