/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_SELFTEST_H
#define STOQ_CLI_SELFTEST_H

/*
 * One self-test of a plugin: selftest/CASE.json beside its manifest says what goes in
 * and what is to come out; stoq-plugin(3) has the format. Runs in a child process of
 * `stoq test`, in an engine of its own that no stoq.cfg has a part in.
 */

#include <jansson.h>
#include <stddef.h>

#include <stoq/stoq.h>

#include "plugin/loader.h"

/** What a child process is told. All borrowed. */
struct cli_selftest {
    const struct stoq_manifest *manifest;
    const struct stoq_strv *plugin_dirs; /**< all of them, for required workers */
    const char *dir;                     /**< absolute: of the case */
    const char *file;                    /**< "CASE.json" */
    const char *tmp;                     /**< fresh directory: @TMP@ */
};

/** As cli_apart_call: @p arg is a struct cli_selftest. The answer is {"roles":
 *  [operations tried, "scan"], "differences": [lines]}; no lines: it passed. */
int cli_selftest_run(void *arg, json_t **answer, struct stoq_error *err);

/* ------------------------------------ between the files selftest*.c */

/** One case at work. */
struct cli_case {
    const struct cli_selftest *test;
    json_t *spec;               /**< owned */
    json_t *lines, *roles;      /**< owned arrays: what differs; operations tried */
    void *data;                 /**< owned: the sample */
    size_t size;                /**< of the sample */
    struct stoq *engine;        /**< owned */
    struct stoq_loaded *plugin; /**< borrowed from the engine */
};

/** A key of a case that asks for a role to be tried, and what tries it. */
struct cli_case_role {
    const char *key;        /**< "result", ... */
    const char *operations; /**< blanks between */
    void (*run)(struct cli_case *c);
};
/** Ended by one without a key. The first is the worker's, which has more keys. */
extern const struct cli_case_role cli_case_roles[];

/** Tries a provider; in selftest_provider.c. */
void cli_case_provider(struct cli_case *c);

/** The sample as a payload with the case's metadata; NULL: a line says why. */
struct stoq_payload *cli_case_payload(struct cli_case *c);
/** Compare the errors there were, an array of strings, with the number expected. */
void cli_case_errors(struct cli_case *c, const json_t *errors);
/** {"size", "sha256"} of bytes, a new object; NULL on -ENOMEM. */
json_t *cli_case_digest(const void *data, size_t size);
/** Compare @p actual with @p expected, by the keys that the latter has. */
void cli_case_compare(struct cli_case *c, const char *what, const json_t *expected,
                      const json_t *actual);

#endif
