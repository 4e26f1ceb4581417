/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_ES_SEARCH_PARTS_H
#define PLUGINS_ES_SEARCH_PARTS_H

/*
 * What the parts of the es-search plugin share. host.c makes a libcurl handle of the
 * options, request.c sends, reply.c judges answers, es-search.c is the plugin. One
 * thread at a time: the plugin has the serial thread model.
 */

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

/** Largest answer to one document that is looked at. */
#define ES_REPLY_MAX ((size_t)1 << 20)

struct es {
    const char *index; /**< borrowed from the options */
    bool by_month;
    int timeout_ms;
    unsigned retries; /**< more attempts in one call */

    CURL *curl;                 /**< owned; keeps its connection */
    struct curl_slist *headers; /**< owned */
    char *name;                 /**< owned: scheme, host and port, for messages */
    char why[CURL_ERROR_SIZE];  /**< libcurl's last message */
    char *reply;                /**< owned: ES_REPLY_MAX + 1 bytes */
    size_t reply_size;
};

/* ------------------------------------------------------------------------ host */

/** Set up e->curl by the options es_host, es_options and those beside them. */
int es_host_init(struct es *e, const struct stoq_ctx *ctx, struct stoq_error *err);

/* --------------------------------------------------------------------- request */

/** POST @p body to _bulk, with retries as the options say.
 *  @return 0 when document @p id is there; -EBADMSG when it is refused for what it is;
 *  other -errno. */
int es_send(struct es *e, const char *id, const char *body, size_t size,
            struct stoq_error *err);

/* ----------------------------------------------------------------------- reply */

/**
 * What an answer with HTTP status @p status means for the one document of the request.
 * @param text  @p size bytes of JSON.
 * @return 0 when it is there; -EBADMSG when it will never be taken; -EAGAIN when the
 *         server is busy; -EACCES, -EPROTO and others.
 */
int es_judge(long status, const char *text, size_t size, const char *id,
             struct stoq_error *err);

#endif
