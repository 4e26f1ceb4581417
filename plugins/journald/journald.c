/* SPDX-License-Identifier: Apache-2.0 */

/* journald: a connector that writes one entry per scan into the systemd journal. */

#include <errno.h>
#include <stdlib.h>

#include "common/auto.h"

#include "parts.h"

static void
plugin_close(void *instance)
{
    struct journald *j = instance;

    if (!j)
        return;
    journald_disconnect(j);
    free(j);
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    const char *path = stoq_ctx_string(ctx, "socket");
    const char *identifier = stoq_ctx_string(ctx, "identifier");
    struct journald *j;

    if (!path || !path[0] || !identifier || !identifier[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s is not set",
                              path && path[0] ? "identifier" : "socket");
    j = calloc(1, sizeof *j);
    if (!j)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    j->socket = path;
    j->identifier = identifier;
    j->document = stoq_ctx_bool(ctx, "document");
    j->max_bytes = (size_t)stoq_ctx_int(ctx, "max_bytes");
    j->timeout_ms = 1000 * (int)stoq_ctx_int(ctx, "timeout");
    j->fd = -1;
    *instance = j;
    return 0;
}

static int
plugin_save(void *instance, const struct stoq_response *response, unsigned flags,
            struct stoq_error *err)
{
    struct journald *j = instance;
    PLUGIN_AUTOFREE char *entry = NULL;
    size_t size = 0;
    int r = journald_entry(j, response, &entry, &size, err);

    (void)flags;
    return r < 0 ? r : journald_send(j, entry, size, err);
}

static const struct stoq_option options[] = {
    {"socket", STOQ_OPTION_PATH, "/run/systemd/journal/socket", 0, 0,
     "The journal's socket."},
    {"identifier", STOQ_OPTION_STRING, "stoq", 0, 0, "SYSLOG_IDENTIFIER of entries."},
    {"document", STOQ_OPTION_BOOL, "True", 0, 0, "Put the result into STOQ_DOCUMENT."},
    {"max_bytes", STOQ_OPTION_INT, "1048576", 0, 67108864, "Longest STOQ_DOCUMENT."},
    {"timeout", STOQ_OPTION_INT, "10", 1, 60, "Seconds until the journal has read it."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,    .name = "journald",    .options = options,
    .open = plugin_open, .close = plugin_close, .save = plugin_save,
};
STOQ_PLUGIN(plugin);
