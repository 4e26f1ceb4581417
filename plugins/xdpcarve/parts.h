/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_XDPCARVE_PARTS_H
#define PLUGINS_XDPCARVE_PARTS_H

/*
 * Parts of the xdpcarve worker. xdpcarve.c is the plugin and decodes what was found,
 * parse.c finds it, encoding.c knows the encodings that expat does not. All sizes are
 * in bytes; texts are UTF-8.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/plugin.h>

/** Names an `elements` option may have: one bit each in xdp_item.names. */
#define XDP_NAMES_MAX 64

/* -------------------------------------------------------------------------- parse.c */

/** One element asked for. Its text is that of its first child. */
struct xdp_item {
    uint64_t names;   /**< bit i: it is called as names[i] says */
    size_t off, size; /**< of the text, in xdp_found.text */
    bool bare;        /**< no text: nothing within, or an element comes first */
};

/** What a document has. Zero-initialise; free with xdp_found_fini(). */
struct xdp_found {
    struct xdp_item *items;
    size_t count, room;
    char *text;
    size_t text_size, text_room;
};

struct xdp_encodings;

/** One call's input. */
struct xdp_input {
    const unsigned char *data;
    size_t size;
    const char *const *names; /**< elements, NULL-terminated; "*" is every one */
    const struct xdp_encodings *encodings;
};

/**
 * Find the elements in document order. XML that is not well-formed becomes a soft error
 * of @p reply, with nothing found; limits are recorded there, with what was found until
 * then.
 * @return 0; -EBADMSG for an encoding that is not known; -ENOMEM. After any of them
 *         @p found is to be freed.
 */
int xdp_parse(const struct xdp_input *in, struct stoq_reply *reply,
              struct xdp_found *found, struct stoq_error *err);
void xdp_found_fini(struct xdp_found *found);

/* ----------------------------------------------------------------------- encoding.c */

/** Tables of single-byte encodings, made while files may be opened. NULL: no memory. */
struct xdp_encodings *xdp_encodings_new(void);
void xdp_encodings_free(struct xdp_encodings *e);
/** 256 code points, -1 where there is none; NULL when @p name is not known. */
const int *xdp_encodings_find(const struct xdp_encodings *e, const char *name);

#endif
