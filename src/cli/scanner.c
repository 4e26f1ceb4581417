/* SPDX-License-Identifier: Apache-2.0 */

/* See scanner.h. The zygote comes first: it wants a process with one thread. */

#include "cli/scanner.h"

#include <limits.h>
#include <poll.h>
#include <string.h>

#include "cli/submit.h"
#include "core/config.h"
#include "core/engine.h"
#include "core/ratelimit.h"
#include "util/auto.h"
#include "util/json.h"

#define LOAD_TIMEOUT_MS 300000

STOQ_DEFINE_AUTO(stoq_request)

void
cli_work_fini(struct cli_work *w)
{
    cli_input_fini(&w->in);
    json_decref(w->extra);
    stoq_request_free(w->request);
    *w = (struct cli_work){.in.fd = -1};
}

int
cli_scanner_load(struct cli_scanner *s, const struct cli_args *args,
                 const struct stoq_config *config, struct stoq_error *err)
{
    const char *isolation = args->isolation ? args->isolation : "pool";
    *s =
        (struct cli_scanner){.args = args, .config = config, .zygote = {.control = -1}};
    s->here = strcmp(isolation, "none") == 0;
    if (!s->here && strcmp(isolation, "pool") != 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "--isolation %s: expected pool or none", isolation);
    if (args->ratelimit &&
        stoq_ratelimit_parse(args->ratelimit, &s->interval_ns, err) < 0)
        return -EINVAL;
    s->request_extra = cli_request_extra(args, err);
    if (!s->request_extra)
        return -EINVAL;
    if (s->here)
        return 0;
    int r =
        stoq_zygote_spawn(config, stoq_strv_items(&args->start), NULL, &s->zygote, err);
    return r == 0 ? stoq_zygote_wait(&s->zygote, LOAD_TIMEOUT_MS, err) : r;
}

int
cli_scanner_start(struct cli_scanner *s, unsigned roles, struct stoq_error *err)
{
    const struct stoq_config *c = s->config;
    bool outputs =
        c->dest_archivers.count || c->decorators.count || c->connectors.count;
    if (s->here) {
        int r = stoq_new(c, STOQ_ROLE_SCAN | STOQ_ROLE_OUTPUT | roles, &s->engine, err);
        s->outputs = s->engine;
        return r;
    }
    const struct stoq_pool_config config = {
        .config = c,
        .zygote_fd = STOQ_STEAL_FD(&s->zygote.control),
        .engine_id = s->zygote.engine_id,
    };
    int r = stoq_pool_new(&config, &s->pool, err);
    if (r == 0 && (outputs || roles))
        r = stoq_new(c, STOQ_ROLE_OUTPUT | roles, &s->outputs, err);
    return r;
}

void
cli_scanner_stop(struct cli_scanner *s)
{
    stoq_pool_free(s->pool);
    if (s->zygote.pid > 0)
        stoq_zygote_end(&s->zygote);
    json_decref(s->zygote.facts);
    stoq_free(s->outputs);
    json_decref(s->request_extra);
    *s = (struct cli_scanner){.zygote = {.control = -1}};
}

void
cli_scanner_wait(const struct cli_scanner *s, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (s->interval_ns == 0)
        return;
    uint64_t now = stoq_now_ns(), turn = stoq_ratelimit_turn(s->interval_ns, now);
    for (; now < turn; now = stoq_now_ns()) {
        uint64_t ms = (turn - now + 999999) / 1000000;
        if (poll(&p, 1, ms > INT_MAX ? INT_MAX : (int)ms) > 0)
            return;
    }
}

static int
submit_file(struct cli_scanner *s, struct cli_work *w, struct stoq_job_spec *spec)
{
    struct stoq_job_root root = {.size = STOQ_ROOT_ALL, .meta = STOQ_PAYLOAD_META_INIT};
    spec->fd = STOQ_STEAL_FD(&w->in.fd);
    spec->filename = root.meta.filename = w->in.name;
    spec->path = root.meta.path = w->in.path;
    spec->owner = root.meta.owner = w->in.owner;
    if (w->extra) {
        root.meta.extra_data = w->extra;
        spec->roots = &root;
        spec->root_count = 1;
    }
    spec->request_source = s->args->request_source;
    spec->request_extra = s->request_extra;
    return stoq_pool_submit(s->pool, spec, NULL);
}

int
cli_scanner_submit(struct cli_scanner *s, struct cli_work *w, stoq_job_done done,
                   void *arg)
{
    struct stoq_job_spec spec = {
        .fd = -1,
        .start_dispatch = stoq_strv_items(&s->args->start),
        .priority = STOQ_PRIORITY_SIDECAR,
        .want_payloads = s->config->dest_archivers.count > 0,
        .done = done,
        .arg = arg,
    };
    return w->request ? cli_request_submit(s->pool, w->request, &spec)
                      : submit_file(s, w, &spec);
}

static int
make_request(const struct cli_scanner *s, const struct cli_work *w,
             struct stoq_request **out, struct stoq_error *err)
{
    struct stoq_payload_meta meta = STOQ_PAYLOAD_META_INIT;
    struct stoq_payload *payload = NULL;
    json_auto_t *extra = NULL;
    if (w->extra)
        extra = json_incref(w->extra);
    else if (!w->in.name)
        extra = json_pack("{s:n}", "filename");
    meta.extra_data = extra;
    meta.filename = w->in.name;
    meta.path = w->in.path;
    meta.owner = w->in.owner;
    int r = stoq_payload_from_fd(w->in.fd, &meta, &payload, err);
    if (r < 0)
        return r;
    r = stoq_request_new(s->args->request_source, s->request_extra, true, out, err);
    if (r == 0)
        return stoq_request_add(*out, payload, err);
    stoq_payload_free(payload);
    return r;
}

int
cli_scanner_scan(struct cli_scanner *s, const struct cli_work *w,
                 struct stoq_response **out, struct stoq_error *err)
{
    const char *const *start = stoq_strv_items(&s->args->start);
    STOQ_AUTO(stoq_request) request = NULL;
    if (w->request)
        return stoq_scan_request(s->engine, w->request, start, out, err);
    int r = make_request(s, w, &request, err);
    return r < 0 ? r : stoq_scan_request(s->engine, request, start, out, err);
}
