/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool in small: one scanner, one job; see trial.h.
 */
#include "pool/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pool/job.h"
#include "pool/wire.h"
#include "util/auto.h"
#include "util/json.h"

#define PAYLOAD "This is a scan on trial.\n"
#define TOKEN   1U

struct stoq_trial {
    const struct stoq_config *config;
    int control; /* borrowed */
    int sock;    /* the scanner's, or -1 */
    bool greeted;
    struct stoq_job *job;
    struct stoq_wire_msg msg;
};

static int
fail(struct stoq_error *err, int code, const char *what)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "trial scan: %s%s%s", what,
                          code == -EPIPE ? "" : ": ",
                          code == -EPIPE ? "" : strerror(-code));
}

static int
make_job(struct stoq_trial *t)
{
    STOQ_AUTOCLOSE int fd = memfd_create("trial", MFD_CLOEXEC);
    struct stoq_job_spec spec = {.filename = "trial"};

    if (fd < 0)
        return -errno;
    int r = stoq_write_full(fd, PAYLOAD, sizeof(PAYLOAD) - 1);
    if (r < 0)
        return r;
    spec.fd = STOQ_STEAL_FD(&fd);
    return stoq_job_new(&spec, TOKEN, t->config->limits.deadline_ms, &t->job);
}

int
stoq_trial_new(int control, const struct stoq_config *config, struct stoq_trial **out,
               struct stoq_error *err)
{
    struct stoq_wire_fork w = {.head.type = STOQ_WIRE_FORK, .token = TOKEN};
    struct stoq_wire_out fork = {.head = &w.head, .size = sizeof(w)};
    struct stoq_trial *t = calloc(1, sizeof(*t));

    if (!t)
        return fail(err, -ENOMEM, "cannot begin");
    t->config = config;
    t->control = control;
    t->sock = -1;
    int r = make_job(t);
    if (r == 0)
        r = stoq_wire_send(control, &fork);
    if (r < 0) {
        stoq_trial_free(t);
        return fail(err, r, "cannot begin");
    }
    *out = t;
    return 0;
}

int
stoq_trial_fd(const struct stoq_trial *t)
{
    return t->sock >= 0 ? t->sock : t->control;
}

static int
forked(struct stoq_trial *t, struct stoq_error *err)
{
    if (t->msg.u.head.type == STOQ_WIRE_EXITED)
        return 0; /* it was forked, and its socket will tell */
    if (t->msg.u.head.type != STOQ_WIRE_FORKED || t->msg.u.fork.token != TOKEN)
        return fail(err, -EPROTO, "unexpected answer");
    if (t->msg.u.fork.code < 0)
        return fail(err, t->msg.u.fork.code, "cannot fork a scanner");
    t->sock = stoq_wire_take(&t->msg, 0);
    return 0;
}

static int
send_job(struct stoq_trial *t, struct stoq_error *err)
{
    const struct stoq_wire_out out = {
        .head = &t->job->wire.head,
        .size = sizeof(t->job->wire),
        .body[0] = {.iov_base = t->job->body, .iov_len = t->job->body_size},
        .fds[0] = t->job->fd,
        .nfds = 1,
    };
    int r = stoq_wire_send(t->sock, &out);

    t->greeted = true;
    return r < 0 ? fail(err, r, "cannot hand the payload over") : 0;
}

/** Why the document, whose payload was ours, says `error` or `timeout`. */
static void
tell_reason(const struct stoq_outcome *o, struct stoq_error *err)
{
    json_auto_t *doc = stoq_json_parse(o->document, o->document_size, NULL);
    const json_t *first = json_array_get(json_object_get(doc, "errors"), 0);
    const char *plugin = stoq_json_string_of(first, "plugin_name");
    const char *text = stoq_json_string_of(first, "error");

    (void)stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, "trial scan: %s: %s",
                         plugin ? plugin : stoq_verdict_name(o->verdict),
                         text ? text : "no reason given");
}

static int
result(struct stoq_trial *t, enum stoq_verdict *verdict, struct stoq_error *err)
{
    const struct stoq_outcome *o = t->job->outcome;
    int r = -EPROTO;

    if (t->msg.u.head.type == STOQ_WIRE_FAILED) {
        t->msg.u.failed.message[sizeof(t->msg.u.failed.message) - 1] = '\0';
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, "trial scan: %s",
                              t->msg.u.failed.message);
    }
    /* it was dispatched to a worker that is loaded on demand: it works so far */
    if (t->msg.u.head.type == STOQ_WIRE_WANT) {
        *verdict = STOQ_VERDICT_CLEAN;
        return 1;
    }
    if (t->msg.u.head.type == STOQ_WIRE_RESULT && t->msg.u.result.id == TOKEN)
        r = stoq_job_result(t->job, &t->msg, t->config->limits.response_bytes);
    if (r < 0)
        return fail(err, r, "unexpected result");
    *verdict = o->verdict;
    if (o->verdict == STOQ_VERDICT_ERROR || o->verdict == STOQ_VERDICT_TIMEOUT)
        tell_reason(o, err);
    return 1;
}

int
stoq_trial_step(struct stoq_trial *t, enum stoq_verdict *verdict,
                struct stoq_error *err)
{
    int r = stoq_wire_recv(stoq_trial_fd(t), &t->msg);

    if (r == -EAGAIN)
        return 0;
    if (r == 0 || r == -ECONNRESET)
        return fail(err, -EPIPE, t->sock >= 0 ? "the scanner died" : "the zygote died");
    if (r < 0)
        return fail(err, r, "cannot hear from it");
    if (t->sock < 0)
        r = forked(t, err);
    else if (!t->greeted)
        r = t->msg.u.head.type == STOQ_WIRE_HELLO
                ? send_job(t, err)
                : fail(err, -EPROTO, "unexpected greeting");
    else
        r = result(t, verdict, err);
    stoq_wire_close(&t->msg);
    return r;
}

void
stoq_trial_free(struct stoq_trial *t)
{
    if (!t)
        return;
    stoq_auto_close(&t->sock);
    stoq_job_free(t->job);
    free(t);
}
