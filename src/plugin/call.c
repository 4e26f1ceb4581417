/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one guarded call into a plugin: budget in, checked reply out. Takes the lock its
 * thread model asks for (and no other is held), measures, and turns whatever went wrong
 * into a code and a text.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <stoq/stoq.h>

#include "plugin/loaded.h"
#include "plugin/scrub.h"
#include "util/clock.h"
#include "util/json.h"

/* Results lie five levels down in a document, and another document may hold that. */
#define RESULT_DEPTH (STOQ_JSON_MAX_DEPTH - 8)

#define ERRNO_MAX 4095

/* One call while it runs. */
struct call {
    struct stoq_loaded *p;
    struct stoq_reply *reply; /* NULL for operations without one */
    uint64_t started;         /* ns */
    struct stoq_error own;    /* what the plugin says */
};

int
stoq_plugin_failure(const char *plugin, int code, struct stoq_error *err)
{
    struct stoq_error own = {0};
    if (!err)
        err = &own;
    if (code > 0) {
        stoq_error_clear(err);
        (void)stoq_error_set(err, STOQ_ERROR_PLUGIN, -EPROTO,
                             "plugin %s returned %d, neither 0 nor a negative errno",
                             plugin, code);
        code = -EPROTO;
    }
    if (code < -ERRNO_MAX)
        code = -EIO;
    err->message[sizeof(err->message) - 1] = '\0';
    if (err->message[0] == '\0') {
        stoq_error_clear(err);
        (void)stoq_error_set(err, STOQ_ERROR_PLUGIN, code, "%s", strerror(-code));
    }
    stoq_scrub(err->message);
    err->code = code;
    if (err->kind == STOQ_ERROR_NONE)
        err->kind = STOQ_ERROR_PLUGIN;
    (void)snprintf(err->plugin, sizeof(err->plugin), "%s", plugin);
    return code;
}

static int
lacks(const struct stoq_loaded *p, const char *what, struct stoq_error *err)
{
    int r = stoq_error_set(err, STOQ_ERROR_PLUGIN, -ENOSYS, "%s is not a %s plugin",
                           p->plugin.name, what);
    return stoq_plugin_failure(p->plugin.name, r, err);
}

/* NULL when the reply keeps the rules, else what breaks them; @of says in which part.
 */
static const char *
objection(struct stoq_reply *reply, const char **of)
{
    *of = "result";
    const char *why = stoq_json_objection(reply->results, RESULT_DEPTH);
    if (why)
        return why;
    *of = "meta";
    why = stoq_json_objection(reply->meta, RESULT_DEPTH);
    *of = why ? *of : "extra_data";
    for (struct stoq_child *c = reply->children; c && !why; c = c->next)
        why = stoq_json_objection(c->extra_data, RESULT_DEPTH);
    return why;
}

/* Judge a call that returned @r. */
static int
settle(struct call *c, int r, struct stoq_error *err)
{
    const char *name = c->p->plugin.name;
    if (r == 0)
        stoq_error_clear(&c->own); /* said something, but succeeded */
    if (r == 0 && c->reply && c->reply->failed)
        r = stoq_error_set(&c->own, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    const char *of = NULL;
    const char *why = r == 0 && c->reply ? objection(c->reply, &of) : NULL;
    if (why)
        r = stoq_error_set(&c->own, STOQ_ERROR_PLUGIN, -EPROTO,
                           "the %s of plugin %s %s", of, name, why);
    if (r == 0) {
        if (c->reply && json_is_null(c->reply->results))
            c->reply->results = NULL;
        return 0;
    }
    r = stoq_plugin_failure(name, r, &c->own);
    if (c->reply)
        stoq_reply_reject(c->reply);
    if (err && err->code == 0)
        *err = c->own;
    return r;
}

static unsigned (*take_refused)(char *text, size_t size);

void
stoq_call_watch(unsigned (*fn)(char *text, size_t size))
{
    take_refused = fn;
}

/* What it tried and may not is told, whatever it says itself. */
static void
tell_refused(struct stoq_reply *reply)
{
    char text[512];
    if (take_refused && take_refused(text, sizeof(text)) > 0 && reply)
        stoq_reply_error(reply, "the sandbox refused %s", text);
}

static struct call
enter(struct stoq_loaded *p, struct stoq_reply *reply)
{
    if (p->gate)
        (void)pthread_mutex_lock(p->gate);
    return (struct call){.p = p, .reply = reply, .started = stoq_now_ns()};
}

static int
leave(struct call *c, int r, struct stoq_error *err)
{
    uint64_t took = stoq_now_ns() - c->started;
    if (c->p->gate)
        (void)pthread_mutex_unlock(c->p->gate);
    if (c->reply)
        c->reply->duration_ns = took;
    tell_refused(c->reply);
    return settle(c, r, err);
}

int
stoq_call_scan(struct stoq_loaded *p, struct stoq_payload *payload,
               const struct stoq_request *request, struct stoq_reply *reply,
               struct stoq_error *err)
{
    if (!p->plugin.scan)
        return lacks(p, "worker", err);
    struct call c = enter(p, reply);
    int r = p->plugin.scan(p->instance, payload, request, reply, 0, &c.own);
    return leave(&c, r, err);
}

int
stoq_call_dispatch(struct stoq_loaded *p, struct stoq_payload *payload,
                   const struct stoq_request *request, struct stoq_reply *reply,
                   struct stoq_error *err)
{
    if (!p->plugin.dispatch)
        return lacks(p, "dispatcher", err);
    struct call c = enter(p, reply);
    int r = p->plugin.dispatch(p->instance, payload, request, reply, 0, &c.own);
    return leave(&c, r, err);
}

int
stoq_call_archive(struct stoq_loaded *p, struct stoq_payload *payload,
                  const struct stoq_request *request, struct stoq_reply *reply,
                  struct stoq_error *err)
{
    if (!p->plugin.archive)
        return lacks(p, "destination archiver", err);
    struct call c = enter(p, reply);
    int r = p->plugin.archive(p->instance, payload, request, reply, 0, &c.own);
    return leave(&c, r, err);
}

int
stoq_call_get(struct stoq_loaded *p, const json_t *task, struct stoq_reply *reply,
              struct stoq_error *err)
{
    if (!p->plugin.get)
        return lacks(p, "source archiver", err);
    struct call c = enter(p, reply);
    int r = p->plugin.get(p->instance, task, reply, 0, &c.own);
    return leave(&c, r, err);
}

int
stoq_call_decorate(struct stoq_loaded *p, struct stoq_response *response,
                   struct stoq_reply *reply, struct stoq_error *err)
{
    if (!p->plugin.decorate)
        return lacks(p, "decorator", err);
    struct call c = enter(p, reply);
    int r = p->plugin.decorate(p->instance, response, reply, 0, &c.own);
    return leave(&c, r, err);
}

int
stoq_call_save(struct stoq_loaded *p, const struct stoq_response *response,
               struct stoq_error *err)
{
    if (!p->plugin.save)
        return lacks(p, "connector", err);
    struct call c = enter(p, NULL);
    int r = p->plugin.save(p->instance, response, 0, &c.own);
    return leave(&c, r, err);
}

int
stoq_call_ingest(struct stoq_loaded *p, struct stoq_queue *queue,
                 struct stoq_error *err)
{
    if (!p->plugin.ingest)
        return lacks(p, "provider", err);
    struct call c = enter(p, NULL);
    int r = p->plugin.ingest(p->instance, queue, 0, &c.own);
    return leave(&c, r, err);
}
