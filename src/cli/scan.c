/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `stoq scan`: files go to the pool, a window of them at a time; outcomes are finished
 * (archivers, decorators), delivered and printed by the first thread, in the order the
 * files were named. --isolation=none scans in this process instead.
 */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/inputs.h"
#include "cli/report.h"
#include "core/config.h"
#include "core/engine.h"
#include "pool/pool.h"
#include "util/auto.h"
#include "util/log.h"

#define WINDOW          64 /* files open or waiting to be printed at a time */
#define LOAD_TIMEOUT_MS 300000

STOQ_DEFINE_AUTO(stoq_config)

/* One file on its way. Filled by the pool's thread under the lock. */
struct slot {
    struct stoq_outcome *outcome; /* guarded by lock */
    int fd;                       /* of the file, for archivers; guarded by lock */
    bool done;                    /* guarded by lock */
    struct scan *scan;
};

struct scan {
    const struct cli_args *args;
    struct stoq_config *config;
    struct cli_report report;
    json_t *request_extra;
    bool single; /* one file or standard input was named */
    /* pool */
    struct stoq_zygote zygote;
    struct stoq_pool *pool;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slot slots[WINDOW];
    size_t head, tail; /* slots in use: [head, tail) modulo WINDOW */
    /* no isolation */
    struct stoq *engine;
};

static void
job_done(void *arg, struct stoq_outcome *outcome, int fd)
{
    struct slot *slot = arg;
    struct scan *s = slot->scan;
    int copy = s->report.engine ? dup(fd) : -1;
    (void)pthread_mutex_lock(&s->lock);
    slot->outcome = outcome;
    slot->fd = copy;
    slot->done = true;
    (void)pthread_cond_signal(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
}

/* Wait for the oldest file, print it, free its slot. */
static void
retire_oldest(struct scan *s)
{
    struct slot *slot = &s->slots[s->head % WINDOW];
    (void)pthread_mutex_lock(&s->lock);
    while (!slot->done)
        (void)pthread_cond_wait(&s->changed, &s->lock);
    (void)pthread_mutex_unlock(&s->lock);
    cli_report_outcome(&s->report, slot->outcome, slot->fd);
    stoq_outcome_free(slot->outcome);
    if (slot->fd >= 0)
        (void)close(slot->fd);
    *slot = (struct slot){.fd = -1};
    s->head++;
}

static void
scan_by_pool(struct scan *s, struct cli_input *in)
{
    if (s->tail - s->head == WINDOW)
        retire_oldest(s);
    struct slot *slot = &s->slots[s->tail % WINDOW];
    *slot = (struct slot){.fd = -1, .scan = s};
    struct stoq_job_spec spec = {
        .fd = STOQ_STEAL_FD(&in->fd),
        .filename = in->name,
        .path = in->path,
        .owner = in->owner,
        .request_source = s->args->request_source,
        .request_extra = s->request_extra,
        .start_dispatch = stoq_strv_items(&s->args->start),
        .priority = STOQ_PRIORITY_SIDECAR,
        .want_payloads = s->config->dest_archivers.count > 0,
        .done = job_done,
        .arg = slot,
    };
    int r = stoq_pool_submit(s->pool, &spec, NULL);
    if (r < 0)
        cli_report_failure(&s->report, in->path, r);
    else
        s->tail++;
}

static int
make_request(const struct scan *s, const struct cli_input *in,
             struct stoq_request **out, struct stoq_error *err)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    struct stoq_payload *payload = NULL;
    json_t *extra = in->name ? NULL : json_pack("{s:n}", "filename");
    meta.extra_data = extra;
    meta.filename = in->name;
    meta.path = in->path;
    meta.owner = in->owner;
    int r = stoq_payload_from_fd(in->fd, &meta, &payload, err);
    json_decref(extra);
    if (r == 0)
        r = stoq_request_new(s->args->request_source, s->request_extra, true, out, err);
    else
        return r;
    if (r == 0)
        r = stoq_request_add(*out, STOQ_STEAL(&payload), err);
    stoq_payload_free(payload);
    return r;
}

static void
scan_here(struct scan *s, struct cli_input *in)
{
    struct stoq_error err = {0};
    struct stoq_request *request = NULL;
    struct stoq_response *response = NULL;
    int r = make_request(s, in, &request, &err);
    if (r == 0)
        r = stoq_scan_request(s->engine, request, stoq_strv_items(&s->args->start),
                              &response, &err);
    if (r == 0)
        cli_report_response(&s->report, response);
    else
        cli_report_error(&s->report, &err);
    stoq_response_free(response);
    stoq_request_free(request);
}

static void
scan_all(struct scan *s)
{
    struct cli_inputs *inputs = NULL;
    if (cli_inputs_new(&s->args->files, &inputs) < 0) {
        cli_report_failure(&s->report, "inputs", -ENOMEM);
        return;
    }
    for (;;) {
        struct stoq_error err = {0};
        struct cli_input in = {.fd = -1};
        int r = cli_inputs_next(inputs, &in, &err);
        if (r == 0)
            break;
        if (r < 0) {
            cli_report_error(&s->report, &err);
            continue;
        }
        if (s->single && in.size == 0) {
            (void)stoq_error_set(&err, STOQ_ERROR_CONFIG, -EINVAL,
                                 "Error: The provided content to scan was empty");
            cli_report_error(&s->report, &err);
        } else if (s->engine) {
            scan_here(s, &in);
        } else {
            scan_by_pool(s, &in);
        }
        cli_input_fini(&in);
    }
    while (s->head != s->tail)
        retire_oldest(s);
    cli_inputs_free(inputs);
}

static int
start_pool(struct scan *s, struct stoq_error *err)
{
    int r = stoq_zygote_spawn(s->config, stoq_strv_items(&s->args->start), NULL,
                              &s->zygote, err);
    if (r == 0)
        r = stoq_zygote_wait(&s->zygote, LOAD_TIMEOUT_MS, err);
    if (r < 0)
        return r;
    const struct stoq_pool_config config = {
        .config = s->config,
        .zygote_fd = STOQ_STEAL_FD(&s->zygote.control),
        .engine_id = s->zygote.engine_id,
    };
    return stoq_pool_new(&config, &s->pool, err);
}

static int
start(struct scan *s, struct stoq_error *err)
{
    const char *isolation = s->args->isolation ? s->args->isolation : "pool";
    const struct stoq_config *c = s->config;
    bool outputs =
        c->dest_archivers.count || c->decorators.count || c->connectors.count;
    bool here = strcmp(isolation, "none") == 0;
    if (!here && strcmp(isolation, "pool") != 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "--isolation %s: expected pool or none", isolation);
    s->request_extra = cli_request_extra(s->args, err);
    if (!s->request_extra)
        return -EINVAL;
    int r = 0;
    if (here)
        r = stoq_new(c, STOQ_ROLE_SCAN | STOQ_ROLE_OUTPUT, &s->engine, err);
    else
        r = start_pool(s, err); /* first: the zygote wants a process with one thread */
    if (r == 0 && here)
        s->report.engine = s->engine;
    else if (r == 0 && outputs)
        r = stoq_new(c, STOQ_ROLE_OUTPUT, &s->report.engine, err);
    return r;
}

static void
stop(struct scan *s)
{
    stoq_pool_free(s->pool);
    if (s->zygote.pid > 0)
        stoq_zygote_end(&s->zygote);
    json_decref(s->zygote.facts);
    if (s->report.engine != s->engine)
        stoq_free(s->report.engine);
    stoq_free(s->engine);
    json_decref(s->request_extra);
}

int
cli_scan(const struct cli_args *a)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_config) config = NULL;
    if (cli_config(a, &config, NULL, &err) < 0)
        return cli_fail(CLI_USAGE, &err);
    struct scan s = {.args = a,
                     .config = config,
                     .zygote = {.control = -1},
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .changed = PTHREAD_COND_INITIALIZER,
                     .single = a->files.count <= 1};
    cli_report_init(&s.report, config, a->connectors.count == 0);
    int status;
    if (start(&s, &err) < 0) {
        status = cli_fail(CLI_USAGE, &err);
    } else {
        scan_all(&s);
        status = cli_report_end(&s.report);
    }
    stop(&s);
    return status;
}
