/* SPDX-License-Identifier: Apache-2.0 */

/*
 * syslog: a connector that sends one RFC 5424 message per scan. The connection is made
 * by the first message and kept.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"

#include "parts.h"

struct syslog {
    struct syslog_format format;
    struct syslog_link link;
};

static void
plugin_close(void *instance)
{
    struct syslog *s = instance;

    if (!s)
        return;
    syslog_link_close(&s->link);
    syslog_tls_fini(&s->link);
    free(s);
}

static int
open_transport(struct syslog_link *l, const struct stoq_ctx *ctx,
               struct stoq_error *err)
{
    static const char *const names[] = {"unix", "udp", "tcp", "tls"};
    const char *name = stoq_ctx_string(ctx, "transport");
    unsigned i = 0;
    int port = (int)stoq_ctx_int(ctx, "port");

    while (i < 4 && strcmp(names[i], name ? name : "") != 0)
        i++;
    if (i == 4)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "transport: '%s' is not unix, udp, tcp or tls",
                              name ? name : "");
    l->transport = (enum syslog_transport)i;
    if (port == 0)
        port = l->transport == SYSLOG_TLS ? 6514 : 514;
    (void)snprintf(l->port, sizeof l->port, "%d", port);
    l->path = stoq_ctx_string(ctx, "socket");
    l->host = stoq_ctx_string(ctx, "host");
    if (l->transport == SYSLOG_UNIX ? !l->path || !l->path[0] : !l->host || !l->host[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s is not set",
                              l->transport == SYSLOG_UNIX ? "socket" : "host");
    l->connect_ms = 1000 * (int)stoq_ctx_int(ctx, "connect_timeout");
    l->timeout_ms = 1000 * (int)stoq_ctx_int(ctx, "timeout");
    return l->transport == SYSLOG_TLS ? syslog_tls_init(l, ctx, err) : 0;
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct syslog *s = calloc(1, sizeof *s);
    int r;

    if (!s)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    s->link.fd = -1;
    r = syslog_format_init(&s->format, ctx, err);
    if (r == 0)
        r = open_transport(&s->link, ctx, err);
    if (r < 0) {
        plugin_close(s);
        return r;
    }
    *instance = s;
    return 0;
}

/* Send one form of the message. */
static int
deliver(struct syslog *s, const struct stoq_response *response, bool document,
        struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *text = NULL;
    size_t size = 0;
    int r = syslog_message(&s->format, response, document, &text, &size, err);

    return r < 0 ? r : syslog_link_send(&s->link, text, size, err);
}

static int
plugin_save(void *instance, const struct stoq_response *response, unsigned flags,
            struct stoq_error *err)
{
    struct syslog *s = instance;
    struct stoq_error first = {0};
    int r = deliver(s, response, true, &first);

    (void)flags;
    /* A datagram has its own bound, below max_bytes: without the document it fits. */
    if (r == -EMSGSIZE)
        r = deliver(s, response, false, err);
    else if (r < 0)
        return stoq_error_set(err, first.kind, r, "%s", first.message);
    return r == -EMSGSIZE ? -EBADMSG : r;
}

static const struct stoq_option options[] = {
    {"transport", STOQ_OPTION_STRING, "unix", 0, 0, "unix, udp, tcp or tls."},
    {"socket", STOQ_OPTION_PATH, "/dev/log", 0, 0,
     "unix: the server's socket, for datagrams or streams."},
    {"host", STOQ_OPTION_STRING, "127.0.0.1", 0, 0,
     "udp, tcp, tls: the server's name or address."},
    {"port", STOQ_OPTION_INT, "0", 0, 65535, "Its port; 0 = 514, with tls 6514."},
    {"facility", STOQ_OPTION_STRING, "daemon", 0, 0, "The facility, such as local0."},
    {"severity", STOQ_OPTION_LIST, NULL, 0, 0,
     "VERDICT=SEVERITY pairs over the built-in ones."},
    {"app_name", STOQ_OPTION_STRING, "stoq", 0, 0, "APP-NAME of messages."},
    {"hostname", STOQ_OPTION_STRING, NULL, 0, 0,
     "HOSTNAME of messages; not set = this machine's."},
    {"sd_id", STOQ_OPTION_STRING, "stoq@32473", 0, 0,
     "Name of the structured data: NAME@NUMBER, with an enterprise number."},
    {"message", STOQ_OPTION_STRING, "document", 0, 0,
     "document: the whole result where it fits; summary: never."},
    {"max_bytes", STOQ_OPTION_INT, "8192", 2048, 1048576, "Longest message."},
    {"ca_file", STOQ_OPTION_PATH, NULL, 0, 0,
     "tls: certificates that are trusted; not set = the system's."},
    {"verify", STOQ_OPTION_BOOL, "True", 0, 0,
     "tls: verify the server's certificate and name."},
    {"cert_file", STOQ_OPTION_PATH, NULL, 0, 0, "tls: the client's certificate."},
    {"key_file", STOQ_OPTION_PATH, NULL, 0, 0, "tls: its key; not set = in cert_file."},
    {"connect_timeout", STOQ_OPTION_INT, "10", 1, 60, "Seconds to connect in."},
    {"timeout", STOQ_OPTION_INT, "10", 1, 60, "Seconds to send a message in."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,    .name = "syslog",      .options = options,
    .open = plugin_open, .close = plugin_close, .save = plugin_save,
};
STOQ_PLUGIN(plugin);
