/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The server, as the options describe it. es_options has what the original handed to
 * its client library; the keys that matter here are read, others refused.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/auto.h"

#include "parts.h"

#define PORT       "9200"
#define SECRET_MAX 4096

static int
bad(struct stoq_error *err, const char *option, const char *why)
{
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s: %s", option, why);
}

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

static const char *
set_option(const struct stoq_ctx *ctx, const char *name)
{
    const char *text = stoq_ctx_string(ctx, name);

    return text && text[0] ? text : NULL;
}

/* ------------------------------------------------------------------------- URL */

/* Put scheme, port and path of the request into @u, which holds what es_host says. */
static CURLUcode
complete_url(CURLU *u, const json_t *options, bool has_scheme)
{
    const json_t *port = json_object_get(options, "port");
    PLUGIN_AUTOFREE char *joined = NULL;
    char *path = NULL, *old = NULL, *scheme = NULL;
    char number[24];
    CURLUcode code = CURLUE_OK;

    if (json_is_true(json_object_get(options, "use_ssl")))
        code = curl_url_set(u, CURLUPART_SCHEME, "https", 0);
    if (code == CURLUE_OK)
        code = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
    if (code == CURLUE_OK && curl_url_get(u, CURLUPART_PORT, &old, 0) != CURLUE_OK) {
        (void)snprintf(number, sizeof number, "%lld",
                       (long long)json_integer_value(port));
        if (port)
            code = curl_url_set(u, CURLUPART_PORT, number, 0);
        else if (strcmp(scheme, "https") != 0 || !has_scheme)
            code = curl_url_set(u, CURLUPART_PORT, PORT, 0);
    }
    if (code == CURLUE_OK)
        code = curl_url_get(u, CURLUPART_PATH, &path, 0);
    if (code == CURLUE_OK) {
        size_t n = strlen(path);
        while (n > 0 && path[n - 1] == '/')
            n--;
        if (asprintf(&joined, "%.*s/_bulk", (int)n, path) < 0)
            joined = NULL;
        code =
            joined ? curl_url_set(u, CURLUPART_PATH, joined, 0) : CURLUE_OUT_OF_MEMORY;
    }
    curl_free(path);
    curl_free(old);
    curl_free(scheme);
    return code;
}

/* "https://host:9200", without what is nobody's business. */
static char *
name_of(CURLU *u)
{
    char *scheme = NULL, *host = NULL, *port = NULL, *name = NULL;

    if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
        asprintf(&name, "%s://%s:%s", scheme, host, port) < 0)
        name = NULL;
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return name;
}

static int
set_url(struct es *e, const char *host, const json_t *options, struct stoq_error *err)
{
    CURLU *u = curl_url();
    char *url = NULL;
    CURLUcode code = u ? curl_url_set(u, CURLUPART_URL, host, CURLU_GUESS_SCHEME)
                       : CURLUE_OUT_OF_MEMORY;
    int r = 0;

    if (code == CURLUE_OK)
        code = complete_url(u, options, strstr(host, "://") != NULL);
    if (code == CURLUE_OK)
        code = curl_url_get(u, CURLUPART_URL, &url, 0);
    if (code != CURLUE_OK) {
        r = bad(err, "es_host", curl_url_strerror(code));
    } else if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        r = bad(err, "es_host", "neither http nor https");
    } else {
        e->name = name_of(u);
        if (!e->name || curl_easy_setopt(e->curl, CURLOPT_URL, url) != CURLE_OK)
            r = no_memory(err);
    }
    curl_free(url);
    curl_url_cleanup(u);
    return r;
}

/* ----------------------------------------------------------------- credentials */

static int
add_header(struct es *e, const char *line)
{
    struct curl_slist *more = curl_slist_append(e->headers, line);

    if (more)
        e->headers = more;
    return more ? 0 : -ENOMEM;
}

/* The first line of a small file. */
static int
read_secret(const char *option, const char *path, char secret[SECRET_MAX],
            struct stoq_error *err)
{
    PLUGIN_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, secret, SECRET_MAX - 1);

    if (n < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno, "%s: %s: %s", option,
                              path, strerrordesc_np(errno));
    secret[n] = '\0';
    secret[strcspn(secret, "\r\n")] = '\0';
    return secret[0] ? 0 : bad(err, option, "the file is empty");
}

static int
set_user(struct es *e, const char *user, const char *password, struct stoq_error *err)
{
    if (curl_easy_setopt(e->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) != CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_USERNAME, user) != CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_PASSWORD, password) != CURLE_OK)
        return no_memory(err);
    return 0;
}

static int
set_api_key(struct es *e, const char *key, struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *line = NULL;

    if (asprintf(&line, "Authorization: ApiKey %s", key) < 0) {
        line = NULL;
        return no_memory(err);
    }
    return add_header(e, line) < 0 ? no_memory(err) : 0;
}

/* es_options.http_auth: [user, password]. */
static int
set_http_auth(struct es *e, const json_t *auth, struct stoq_error *err)
{
    const char *user = json_string_value(json_array_get(auth, 0));
    const char *password = json_string_value(json_array_get(auth, 1));

    if (!user || !password || json_array_size(auth) != 2)
        return bad(err, "es_options", "http_auth is not [user, password]");
    return set_user(e, user, password, err);
}

static int
set_credentials(struct es *e, const struct stoq_ctx *ctx, const json_t *options,
                struct stoq_error *err)
{
    char secret[SECRET_MAX] = "";
    const char *user = set_option(ctx, "es_username");
    const char *password = set_option(ctx, "es_password_file");
    const char *key = set_option(ctx, "es_api_key_file");
    const json_t *auth = json_object_get(options, "http_auth");
    int r = 0;

    if ((user != NULL) + (key != NULL) + (auth != NULL) > 1)
        return bad(err, "es_username", "there is another way to log in beside it");
    if (!user != !password)
        return bad(err, "es_username", "it goes with es_password_file");
    if (auth)
        return set_http_auth(e, auth, err);
    if (password)
        r = read_secret("es_password_file", password, secret, err);
    else if (key)
        r = read_secret("es_api_key_file", key, secret, err);
    if (r == 0 && password)
        r = set_user(e, user, secret, err);
    else if (r == 0 && key)
        r = set_api_key(e, secret, err);
    explicit_bzero(secret, sizeof secret);
    return r;
}

/* --------------------------------------------------------------------- options */

static const struct {
    const char *key;
    json_type type;  /* JSON_TRUE: a boolean */
    CURLoption curl; /* of the keys that are texts */
} known[] = {
    {"http_auth", JSON_ARRAY, CURLOPT_LASTENTRY},
    {"port", JSON_INTEGER, CURLOPT_LASTENTRY},
    {"use_ssl", JSON_TRUE, CURLOPT_LASTENTRY},
    {"verify_certs", JSON_TRUE, CURLOPT_LASTENTRY},
    {"ca_certs", JSON_STRING, CURLOPT_CAINFO},
    {"client_cert", JSON_STRING, CURLOPT_SSLCERT},
    {"client_key", JSON_STRING, CURLOPT_SSLKEY},
};

static int
set_known(struct es *e, const char *key, const json_t *value, struct stoq_error *err)
{
    size_t i = 0, n = sizeof known / sizeof *known;

    while (i < n && strcmp(known[i].key, key) != 0)
        i++;
    if (i == n)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "es_options: %s is not supported", key);
    if (known[i].type == JSON_TRUE ? !json_is_boolean(value)
                                   : json_typeof(value) != known[i].type)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "es_options: %s has the wrong type", key);
    if (known[i].curl != CURLOPT_LASTENTRY &&
        curl_easy_setopt(e->curl, known[i].curl, json_string_value(value)) != CURLE_OK)
        return no_memory(err);
    return 0;
}

static int
set_transport(struct es *e, const struct stoq_ctx *ctx, const json_t *options,
              struct stoq_error *err)
{
    const json_t *verify = json_object_get(options, "verify_certs");
    long checked = !json_is_false(verify);
    long connect = 1000L * (long)stoq_ctx_int(ctx, "es_connect_timeout");
    PLUGIN_AUTOFREE char *agent = NULL;

    if (asprintf(&agent, "User-Agent: stoq/%s", stoq_version()) < 0)
        agent = NULL;
    if (!agent || add_header(e, agent) < 0 ||
        add_header(e, "Content-Type: application/x-ndjson") < 0 ||
        add_header(e, "Accept: application/json") < 0 || add_header(e, "Expect:") < 0)
        return no_memory(err);
    /* no proxy, like the original's library, whatever the environment says */
    if (curl_easy_setopt(e->curl, CURLOPT_HTTPHEADER, e->headers) != CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_PROXY, "") != CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) !=
            CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_POST, 1L) != CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_TCP_KEEPALIVE, 1L) != CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_ERRORBUFFER, e->why) != CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_CONNECTTIMEOUT_MS, connect) != CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_SSL_VERIFYPEER, checked) != CURLE_OK ||
        curl_easy_setopt(e->curl, CURLOPT_SSL_VERIFYHOST, checked ? 2L : 0L) !=
            CURLE_OK)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOTSUP,
                              "libcurl lacks an option");
    return 0;
}

int
es_host_init(struct es *e, const struct stoq_ctx *ctx, struct stoq_error *err)
{
    const char *host = set_option(ctx, "es_host");
    const char *text = set_option(ctx, "es_options");
    json_auto_t *options = json_loads(text ? text : "{}", JSON_REJECT_DUPLICATES, NULL);
    const char *key;
    json_t *value;
    int r = 0;

    if (!host)
        return bad(err, "es_host", "it is not set");
    if (!json_is_object(options))
        return bad(err, "es_options", "it is no JSON object");
    json_object_foreach (options, key, value) {
        if (r == 0)
            r = set_known(e, key, value, err);
    }
    if (r == 0)
        r = set_url(e, host, options, err);
    if (r == 0)
        r = set_credentials(e, ctx, options, err);
    return r < 0 ? r : set_transport(e, ctx, options, err);
}
