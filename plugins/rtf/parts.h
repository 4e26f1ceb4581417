/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_RTF_PARTS_H
#define PLUGINS_RTF_PARTS_H

/*
 * The parts of the rtf worker: parse.c finds the data of embedded objects, ole1.c looks
 * into one, rtf.c makes the children; words.c knows the control words that matter.
 */

#include <stdbool.h>

#include <common/bytes.h>

/** Destinations open at the same time; more are not kept apart. */
#define RTF_DESTINATIONS_MAX ((size_t)100000)

/** Whether the control word begins a destination. */
bool rtf_is_destination(const char *word);

/** What the parser hands over for each object; ends the parse when not 0. */
typedef int rtf_object_fn(void *self, struct bytes raw);

/**
 * Call @p each for every \objdata, in the order in which they end.
 * @param deepest  set to the number of destinations at which RTF_DESTINATIONS_MAX was
 *                 exceeded, else 0
 * @return 0, -ENOMEM, or what @p each returned.
 */
int rtf_parse(struct bytes rtf, rtf_object_fn *each, void *self, size_t *deepest);

/** An OLE 1.0 object (MS-OLEDS 2.2). Slices of what was parsed. */
struct ole1 {
    struct bytes class_name; /**< without NUL */
    struct bytes data;
};

/** @return false when @p raw is no embedded OLE 1.0 object. */
bool ole1_parse(struct bytes raw, struct ole1 *out);

/** A file in an object of class "Package". */
struct ole1_package {
    struct bytes filename; /**< without NUL */
    struct bytes data;
};

bool ole1_package(const struct ole1 *ole, struct ole1_package *out);

#endif
