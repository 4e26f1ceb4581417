/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Golden cases that stoQ's command cannot express, through the interface for embedding:
 * driver WHAT, in the case's directory. What driver.py did for the recordings; the
 * runner puts this in its place. Prints the document, or a list of them.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stoq/stoq.h>

#include "util/auto.h"

STOQ_DEFINE_AUTO(stoq_config)
STOQ_DEFINE_AUTO(stoq_request)
STOQ_DEFINE_AUTO(stoq_response)
STOQ_DEFINE_AUTO(stoq)

/* Where `stoq run` is to put its results. */
#define RESULTS "driver-results"

/* An engine as ./stoq.cfg says, with @always (comma separated) for every payload. */
static int
make_engine(const char *always, const char *extract, struct stoq **out,
            struct stoq_error *err)
{
    STOQ_AUTO(stoq_config) config = NULL;
    int r = stoq_config_new(&config, err);
    if (r == 0)
        r = stoq_config_read(config, "stoq.cfg", NULL, NULL, err);
    if (r == 0)
        r = stoq_config_set(config, "core", "always_dispatch", always, err);
    if (r == 0 && extract)
        r = stoq_config_set(config, "simple_worker", "extract", extract, err);
    return r == 0 ? stoq_new(config, 0, out, err) : r;
}

static int
print_response(const struct stoq_response *response)
{
    STOQ_AUTOFREE char *text = stoq_response_text(response, true);
    if (!text)
        return -ENOMEM;
    (void)puts(text);
    return 0;
}

/* Print @list, which is taken. */
static int
print_list(json_t *list)
{
    int r = list ? json_dumpf(list, stdout, JSON_INDENT(4)) : -1;
    json_decref(list);
    (void)putchar('\n');
    return r == 0 ? 0 : -EIO;
}

static int
add_payload(struct stoq_request *request, const char *text, struct stoq_error *err)
{
    struct stoq_payload *payload = NULL;
    int r = stoq_payload_new(text, strlen(text), NULL, &payload, err);
    return r == 0 ? stoq_request_add(request, payload, err) : r;
}

/* ----------------------------------------------------------------------- cases */

static int
do_scan(struct stoq_error *err)
{
    STOQ_AUTO(stoq) stoq = NULL;
    STOQ_AUTO(stoq_response) response = NULL;
    int r = make_engine("hash, entropy, mimetype, yara, b64decode", NULL, &stoq, err);
    if (r == 0)
        r = stoq_scan(stoq, "", 0, NULL, NULL, &response, err);
    return r == 0 ? print_response(response) : r;
}

static int
do_split(struct stoq_error *err)
{
    STOQ_AUTO(stoq) stoq = NULL;
    STOQ_AUTO(stoq_response) response = NULL;
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    json_auto_t *extra = json_pack("{s:s}", "filename", "f");
    meta.extra_data = extra;
    int r = make_engine("hash, g_split", NULL, &stoq, err);
    if (r == 0)
        r = stoq_scan(stoq, "aa|bb", 5, &meta, NULL, &response, err);
    return r == 0 ? print_list(stoq_response_split(response)) : r;
}

static int
do_reconstruct(struct stoq_error *err)
{
    STOQ_AUTO(stoq) stoq = NULL;
    STOQ_AUTO(stoq_response) response = NULL;
    json_t *list = NULL;
    int r = make_engine("g_peel, g_error", NULL, &stoq, err);
    if (r == 0)
        r = stoq_scan(stoq, "abc", 3, NULL, NULL, &response, err);
    if (r == 0)
        r = stoq_response_reconstruct(stoq, response, &list, err);
    return r == 0 ? print_list(list) : r;
}

static int
do_multi(struct stoq_error *err)
{
    STOQ_AUTO(stoq) stoq = NULL;
    STOQ_AUTO(stoq_request) request = NULL;
    STOQ_AUTO(stoq_response) response = NULL;
    static const char *const roots[] = {"same", "same", "same|other"};
    int r = make_engine("g_split, hash", NULL, &stoq, err);
    if (r == 0)
        r = stoq_request_new("multi", NULL, true, &request, err);
    for (size_t i = 0; r == 0 && i < STOQ_ARRAY_SIZE(roots); i++)
        r = add_payload(request, roots[i], err);
    if (r == 0)
        r = stoq_scan_request(stoq, request, NULL, &response, err);
    return r == 0 ? print_response(response) : r;
}

static int
do_cycle(struct stoq_error *err)
{
    STOQ_AUTO(stoq) stoq = NULL;
    STOQ_AUTO(stoq_response) response = NULL;
    static const char *const dispatch[] = {"simple_worker", NULL};
    int r = make_engine("hash, g_split", "a|b", &stoq, err);
    if (r == 0)
        r = stoq_scan(stoq, "a|b", 3, NULL, dispatch, &response, err);
    return r == 0 ? print_response(response) : r;
}

static int
do_noarchive(struct stoq_error *err)
{
    STOQ_AUTO(stoq) stoq = NULL;
    STOQ_AUTO(stoq_request) request = NULL;
    STOQ_AUTO(stoq_response) response = NULL;
    int r = make_engine("", NULL, &stoq, err);
    if (r == 0)
        r = stoq_request_new(NULL, NULL, false, &request, err);
    if (r == 0)
        r = add_payload(request, "x", err);
    if (r == 0)
        r = stoq_scan_request(stoq, request, NULL, &response, err);
    return r == 0 ? print_response(response) : r;
}

/* ----------------------------------------------------------------- the provider */

/* Run `stoq run`. @return its exit status, or -errno. */
static int
run_stoq(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("stoq", "stoq", "run", "-P", "g_prov", "-a", "hash",
                     "--request-source", "run-meta", "--isolation", "none", "-C",
                     "filedir", "--plugin-opts", "filedir:results_dir=" RESULTS,
                     (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

/* The command itself, whose results are collected: it is what has the consumers. */
static int
do_provider(struct stoq_error *err)
{
    int r = run_stoq();
    if (r != 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r < 0 ? r : -EPROTO,
                              "stoq run ended with %d", r);
    json_auto_t *list = json_array();
    STOQ_AUTOCLOSEDIR DIR *dir = opendir(RESULTS);
    if (!dir)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, RESULTS ": %s",
                              strerror(errno));
    for (struct dirent *e; (e = readdir(dir));) {
        STOQ_AUTOFREE char *path = NULL;
        if (e->d_name[0] == '.')
            continue;
        if (asprintf(&path, RESULTS "/%s", e->d_name) < 0 ||
            json_array_append_new(list, json_load_file(path, 0, NULL)) < 0)
            return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL, "%s is no result",
                                  e->d_name);
    }
    return print_list(json_incref(list));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(struct stoq_error *err);
    } cases[] = {
        {"scan", do_scan},         {"split", do_split},
        {"multi", do_multi},       {"reconstruct", do_reconstruct},
        {"cycle", do_cycle},       {"noarchive", do_noarchive},
        {"provider", do_provider},
    };
    struct stoq_error err = {0};
    for (size_t i = 0; argc == 2 && i < STOQ_ARRAY_SIZE(cases); i++) {
        if (strcmp(argv[1], cases[i].name) != 0)
            continue;
        int r = cases[i].run(&err);
        if (r < 0)
            (void)fprintf(stderr, "driver: %s\n",
                          err.code ? err.message : strerror(-r));
        return r < 0 ? 1 : 0;
    }
    (void)fprintf(stderr, "usage: driver CASE\n");
    return 2;
}
