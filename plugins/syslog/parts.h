/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_SYSLOG_PARTS_H
#define PLUGINS_SYSLOG_PARTS_H

/*
 * What the parts of the syslog plugin share. message.c writes messages, link.c sends
 * them over sockets, tls.c wraps a connection, syslog.c is the plugin. One thread at a
 * time: the plugin has the serial thread model.
 */

#include <openssl/bio.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

enum syslog_transport { SYSLOG_UNIX, SYSLOG_UDP, SYSLOG_TCP, SYSLOG_TLS };

/** Longest option texts that go into a message, by RFC 5424. */
#define SYSLOG_HOSTNAME_MAX 255
#define SYSLOG_APP_NAME_MAX 48
#define SYSLOG_SD_ID_MAX    32

/* -------------------------------------------------------------------- messages */

/** What messages are made by. */
struct syslog_format {
    unsigned facility;                      /**< 0 to 23 */
    unsigned severity[STOQ_VERDICT_COUNT];  /**< by verdict; 0 to 7 */
    size_t max_bytes;                       /**< of a whole message */
    bool document;                          /**< MSG is the document, if it fits */
    char hostname[SYSLOG_HOSTNAME_MAX + 1]; /**< printable ASCII */
    char app_name[SYSLOG_APP_NAME_MAX + 1];
    char sd_id[SYSLOG_SD_ID_MAX + 1];
};

/** Read the options of messages. @return 0 or -EINVAL. */
int syslog_format_init(struct syslog_format *f, const struct stoq_ctx *ctx,
                       struct stoq_error *err);
/**
 * The RFC 5424 message of @p response, without framing.
 * @param document  false: leave the document out although the options ask for it, and
 *                  say so in the structured data.
 * @param out       caller frees; @p size bytes and a NUL. Printable ASCII but for the
 *                  values of the structured data, which are UTF-8 without control
 * bytes.
 */
int syslog_message(const struct syslog_format *f, const struct stoq_response *response,
                   bool document, char **out, size_t *size, struct stoq_error *err);

/* ------------------------------------------------------------------------ link */

/** Where messages go, and the socket once it is open. */
struct syslog_link {
    enum syslog_transport transport;
    const char *path, *host; /**< borrowed from the options */
    char port[8];
    int connect_ms, timeout_ms;
    SSL_CTX *tls;    /**< owned; NULL unless TLS */
    BIO_METHOD *bio; /**< the same */

    int fd;      /**< -1 = none */
    bool stream; /**< of a unix socket: what the server turned out to have */
    SSL *ssl;    /**< owned; over fd */
};

/** Send a message, connecting if need be; a kept connection that turns out to be lost
 *  is made anew once. Returns when the other side has taken it, as far as the transport
 *  can tell. @return 0; -EMSGSIZE when the socket does not take as much in one piece;
 *  -ETIMEDOUT; other -errno. */
int syslog_link_send(struct syslog_link *l, const char *data, size_t size,
                     struct stoq_error *err);
/** Close the socket, if there is one. errno is kept. */
void syslog_link_close(struct syslog_link *l);
/** "tcp example.org port 514", for messages. */
void syslog_link_name(const struct syslog_link *l, char name[320]);

/* ------------------------------------------------------------------------- tls */

/** The context of @p l by the options ca_file, cert_file, key_file, verify. */
int syslog_tls_init(struct syslog_link *l, const struct stoq_ctx *ctx,
                    struct stoq_error *err);
void syslog_tls_fini(struct syslog_link *l);
/** Handshake over the connected l->fd. @return 0, -ETIMEDOUT, -EPROTO, -errno. */
int syslog_tls_connect(struct syslog_link *l, int64_t deadline, struct stoq_error *err);
int syslog_tls_write(struct syslog_link *l, const char *data, size_t size,
                     int64_t deadline, struct stoq_error *err);
/** Say goodbye, if the socket takes it at once, and free l->ssl, which may be NULL. */
void syslog_tls_end(struct syslog_link *l);
/** Take in what the server sent of itself. @return false when it closed. */
bool syslog_tls_alive(struct syslog_link *l);

#endif
