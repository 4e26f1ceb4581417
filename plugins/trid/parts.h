/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_TRID_PARTS_H
#define PLUGINS_TRID_PARTS_H

/*
 * TrID's definitions and the search for those that match. A definition has patterns,
 * bytes at fixed places of the first 2 KiB, and strings, upper-case bytes anywhere. It
 * is read from a package (package.c) or from XML (xml.c); match.c compares.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/plugin.h>

#include "common/bytes.h"

struct pattern {
    uint32_t at;
    struct bytes bytes; /* not empty */
};

struct definition {
    struct bytes type, ext;   /* text of the files they were read from */
    size_t pattern, patterns; /* first one and number of them, at least one */
    size_t string, strings;   /* the same for its strings */
};

/** All definitions. Their bytes are those of the files, which stay. */
struct defs {
    unsigned char **files;
    size_t file_count;
    struct definition *list;
    size_t count, room;
    struct pattern *patterns;
    size_t pattern_count, pattern_room;
    uint32_t *strings; /* indexes of `texts` */
    size_t string_count, string_room;
    struct bytes *texts; /* each text once */
    size_t text_count, text_room;
    uint32_t *slots; /* hash table: index of a text + 1, 0 = free */
    size_t slot_count;
    /* Indexes of `list`: first those without a pattern at 0, then by the first byte. */
    uint32_t *order;
    size_t starts[258];
};

/** Begin a definition; what is added until it ends is its own. */
int defs_begin(struct defs *d, struct definition *def);
int defs_pattern(struct defs *d, struct definition *def, uint32_t at,
                 struct bytes bytes);
int defs_string(struct defs *d, struct definition *def, struct bytes text);
/** Keep it, or drop what was added where it has no pattern. */
int defs_end(struct defs *d, struct definition *def);
/** Order them for the search, once all are there. */
int defs_order(struct defs *d);
void defs_fini(struct defs *d);

/** Definitions of a package or of one XML file, whose bytes stay and may be changed.
 *  @return 0, -EBADMSG when they are not understood, -ENOMEM. */
int package_read(struct defs *d, struct bytes file);
int xml_read(struct defs *d, unsigned char *data, size_t size);
/** Everything at a path: a package, a definition, a directory of definitions. */
int defs_load(struct defs *d, struct stoq_ctx *ctx, const char *path,
              struct stoq_error *err);

struct match {
    const struct definition *def;
    uint64_t points;
};

/** At most this many are shown, as TrID does. */
#define MATCHES_SHOWN 5

/** The best matches in order and the points of all. @return how many, or -ENOMEM.
 *  @p left  set to how many definitions were not decided upon. */
int match_all(const struct defs *d, struct bytes payload, struct match *best,
              uint64_t *points, size_t *left);

#endif
