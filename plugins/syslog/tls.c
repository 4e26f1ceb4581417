/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TLS over a nonblocking socket, as RFC 5425 has it: the server's certificate and name
 * are verified unless the options say otherwise. OpenSSL's own BIO for sockets raises
 * SIGPIPE; here is one that does not.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/sock.h"

#include "parts.h"

/* ------------------------------------------------------------------------- BIO */

static int
bio_result(BIO *b, ssize_t n)
{
    BIO_clear_retry_flags(b);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_flags(b, BIO_FLAGS_SHOULD_RETRY);
    return (int)n;
}

static int
bio_write(BIO *b, const char *data, int size)
{
    const int *fd = BIO_get_data(b);
    int n = bio_result(b, send(*fd, data, (size_t)size, MSG_NOSIGNAL));

    if (BIO_should_retry(b))
        BIO_set_flags(b, BIO_FLAGS_WRITE);
    return n;
}

static int
bio_read(BIO *b, char *data, int size)
{
    const int *fd = BIO_get_data(b);
    int n = bio_result(b, recv(*fd, data, (size_t)size, 0));

    if (BIO_should_retry(b))
        BIO_set_flags(b, BIO_FLAGS_READ);
    return n;
}

static long
bio_ctrl(BIO *b, int what, long number, void *pointer)
{
    (void)b;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

/* A BIO over @fd, which is borrowed. */
static BIO *
bio_new(BIO_METHOD *method, int *fd)
{
    BIO *b = BIO_new(method);

    if (!b)
        return NULL;
    BIO_set_data(b, fd);
    BIO_set_init(b, 1);
    return b;
}

/* --------------------------------------------------------------------- context */

static int
failed(struct stoq_error *err, enum stoq_error_kind kind, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);

    ERR_clear_error();
    return stoq_error_set(err, kind, kind == STOQ_ERROR_CONFIG ? -EINVAL : -EPROTO,
                          "%s: %s", what, reason ? reason : "failed");
}

static const char *
path_option(const struct stoq_ctx *ctx, const char *name)
{
    const char *path = stoq_ctx_string(ctx, name);

    return path && path[0] ? path : NULL;
}

static int
load_files(SSL_CTX *tls, const struct stoq_ctx *ctx, struct stoq_error *err)
{
    const char *ca = path_option(ctx, "ca_file");
    const char *cert = path_option(ctx, "cert_file");
    const char *key = path_option(ctx, "key_file");

    if (ca ? SSL_CTX_load_verify_locations(tls, ca, NULL) != 1
           : SSL_CTX_set_default_verify_paths(tls) != 1)
        return failed(err, STOQ_ERROR_CONFIG, ca ? ca : "the system's certificates");
    if (cert && SSL_CTX_use_certificate_chain_file(tls, cert) != 1)
        return failed(err, STOQ_ERROR_CONFIG, cert);
    if (!cert)
        return key ? stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                    "key_file needs cert_file")
                   : 0;
    if (SSL_CTX_use_PrivateKey_file(tls, key ? key : cert, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(tls) != 1)
        return failed(err, STOQ_ERROR_CONFIG, key ? key : cert);
    return 0;
}

int
syslog_tls_init(struct syslog_link *l, const struct stoq_ctx *ctx,
                struct stoq_error *err)
{
    ERR_clear_error();
    l->tls = SSL_CTX_new(TLS_client_method());
    l->bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "syslog");
    if (!l->tls || !l->bio || BIO_meth_set_write(l->bio, bio_write) != 1 ||
        BIO_meth_set_read(l->bio, bio_read) != 1 ||
        BIO_meth_set_ctrl(l->bio, bio_ctrl) != 1 ||
        SSL_CTX_set_min_proto_version(l->tls, TLS1_2_VERSION) != 1)
        return failed(err, STOQ_ERROR_SYSTEM, "TLS");
    SSL_CTX_set_verify(
        l->tls, stoq_ctx_bool(ctx, "verify") ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    return load_files(l->tls, ctx, err);
}

void
syslog_tls_fini(struct syslog_link *l)
{
    SSL_CTX_free(l->tls);
    BIO_meth_free(l->bio);
    l->tls = NULL;
    l->bio = NULL;
}

/* ------------------------------------------------------------------ connection */

/* Wait for what the last call, which returned @n, asks for. */
static int
wait_for(struct syslog_link *l, int n, int64_t deadline, struct stoq_error *err)
{
    int saved = errno;
    long verified = SSL_get_verify_result(l->ssl);

    switch (SSL_get_error(l->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        return plugin_wait_fd(l->fd, POLLIN, deadline);
    case SSL_ERROR_WANT_WRITE:
        return plugin_wait_fd(l->fd, POLLOUT, deadline);
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return saved ? -saved : -EPIPE;
    case SSL_ERROR_ZERO_RETURN:
        return -EPIPE;
    default:
        break;
    }
    if (verified != X509_V_OK && SSL_get_verify_mode(l->ssl) != SSL_VERIFY_NONE) {
        ERR_clear_error();
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EPROTO,
                              "the server's certificate is not accepted: %s",
                              X509_verify_cert_error_string(verified));
    }
    return failed(err, STOQ_ERROR_PLUGIN, "TLS");
}

/* Who the server must be: the name, or the address, that the options give. */
static bool
set_peer(struct syslog_link *l)
{
    unsigned char address[sizeof(struct in6_addr)];
    bool numeric = inet_pton(AF_INET, l->host, address) == 1 ||
                   inet_pton(AF_INET6, l->host, address) == 1;

    if (numeric)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(l->ssl), l->host) == 1;
    /* SSL_set_tlsext_host_name(), which casts the const away */
    return SSL_set1_host(l->ssl, l->host) == 1 &&
           SSL_ctrl(l->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)(uintptr_t)l->host) == 1;
}

int
syslog_tls_connect(struct syslog_link *l, int64_t deadline, struct stoq_error *err)
{
    struct stoq_error why = {0};
    char name[320];
    BIO *bio;
    int r = 0;

    ERR_clear_error();
    l->ssl = SSL_new(l->tls);
    bio = l->ssl ? bio_new(l->bio, &l->fd) : NULL;
    if (!bio)
        return -ENOMEM;
    SSL_set_bio(l->ssl, bio, bio);
    syslog_link_name(l, name);
    if (!set_peer(l))
        return failed(err, STOQ_ERROR_CONFIG, name);
    while (r == 0) {
        errno = 0;
        int n = SSL_connect(l->ssl);
        if (n == 1)
            return 0;
        r = wait_for(l, n, deadline, &why);
    }
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", name,
                          why.message[0] ? why.message : strerrordesc_np(-r));
}

int
syslog_tls_write(struct syslog_link *l, const char *data, size_t size, int64_t deadline,
                 struct stoq_error *err)
{
    size_t sent = 0;
    int r = 0;

    ERR_clear_error();
    while (r == 0) {
        errno = 0;
        int n = SSL_write_ex(l->ssl, data, size, &sent);
        if (n == 1)
            return sent == size ? 0 : -EPIPE; /* partial writes are not asked for */
        r = wait_for(l, n, deadline, err);
    }
    return r;
}

void
syslog_tls_end(struct syslog_link *l)
{
    if (!l->ssl)
        return;
    if (SSL_is_init_finished(l->ssl))
        (void)SSL_shutdown(l->ssl);
    ERR_clear_error();
    SSL_free(l->ssl);
    l->ssl = NULL;
}

bool
syslog_tls_alive(struct syslog_link *l)
{
    char waste[256];
    size_t got = 0;

    ERR_clear_error();
    if (SSL_read_ex(l->ssl, waste, sizeof waste, &got) == 1)
        return true;
    bool alive = SSL_get_error(l->ssl, 0) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return alive;
}
