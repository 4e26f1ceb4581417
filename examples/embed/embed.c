/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Scanning from a program of one's own: settings, engine, bytes, document, connectors.
 *
 *     cc embed.c $(pkg-config --cflags --libs stoq) -o embed
 *     ./embed 'some text to look at'
 *
 * Workers run in this process. A program that scans what strangers send should rather
 * run the `stoq` command or read through stoqfs, which keep the parsers in sandboxes.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/stoq.h>

/* Settings as a stoq.cfg would have them. */
static struct stoq_config *
configure(struct stoq_error *err)
{
    struct stoq_config *config = NULL;
    if (stoq_config_new(&config, err) < 0)
        return NULL;
    /* Every payload gets these workers, children included. */
    if (stoq_config_set(config, "core", "always_dispatch", "hash, entropy", err) < 0 ||
        stoq_config_set(config, "limits", "children", "100", err) < 0) {
        stoq_config_free(config);
        return NULL;
    }
    return config;
}

/* Scan, print the document, hand it to the connectors (none are configured here). */
static int
look_at(struct stoq *stoq, const char *text, struct stoq_error *err)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    meta.filename = "argument.txt";
    /* Workers for this payload alone, beside those of always_dispatch. */
    static const char *const start_dispatch[] = {"b64decode", NULL};

    struct stoq_response *response = NULL;
    int rc = stoq_scan(stoq, text, strlen(text), &meta, start_dispatch, &response, err);
    if (rc < 0)
        return rc;

    char *document = stoq_response_text(response, true);
    if (document)
        puts(document);
    free(document);

    /* A worker that fails does not fail the scan: the verdict says how it went. */
    enum stoq_verdict verdict = stoq_response_verdict(response);
    fprintf(stderr, "verdict: %s\n", stoq_verdict_name(verdict));

    rc = stoq_save(stoq, response, err);
    stoq_response_free(response);
    return rc;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s TEXT\n", argv[0]);
        return 2;
    }
    struct stoq_error err = {0};
    struct stoq_config *config = configure(&err);
    struct stoq *stoq = NULL;
    int rc = -1;
    if (config && stoq_new(config, STOQ_ROLE_ALL, &stoq, &err) == 0)
        rc = look_at(stoq, argv[1], &err);
    if (rc < 0)
        fprintf(stderr, "%s: %s error: %s\n", argv[0], stoq_error_kind_name(err.kind),
                err.message);
    stoq_free(stoq);
    stoq_config_free(config);
    return rc < 0 ? 1 : 0;
}
