/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_JOURNALD_PARTS_H
#define PLUGINS_JOURNALD_PARTS_H

/*
 * What the parts of the journald plugin share. entry.c writes entries in the journal's
 * native protocol, send.c hands them over, journald.c is the plugin. One thread at a
 * time: the plugin has the serial thread model.
 */

#include <stdbool.h>
#include <stddef.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

/** Identifies entries of this connector. */
#define JOURNALD_MESSAGE_ID "6397f3dea1a8440aae974a1b578818b2"

struct journald {
    const char *socket;     /**< borrowed from the options */
    const char *identifier; /**< the same; not empty */
    bool document;          /**< with STOQ_DOCUMENT */
    size_t max_bytes;       /**< of STOQ_DOCUMENT */
    int timeout_ms;

    int fd; /**< connected datagram socket, or -1 */
};

/** The entry of @p response; caller frees. @return 0 or -ENOMEM. */
int journald_entry(const struct journald *j, const struct stoq_response *response,
                   char **out, size_t *size, struct stoq_error *err);
/** Hand @p size bytes to the journal and wait until it has read them, connecting if
 * need be. @return 0; -ETIMEDOUT; -EMSGSIZE; other -errno. */
int journald_send(struct journald *j, const char *data, size_t size,
                  struct stoq_error *err);
void journald_disconnect(struct journald *j);

#endif
