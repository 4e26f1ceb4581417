/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The holder's side of the zygote: start, wait until ready, end. Called by the
 * supervisor or the command from their only thread; no lock.
 */
#include "pool/zygote.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "pool/wire.h"
#include "pool/zygote_child.h"
#include "util/auto.h"
#include "util/child.h"
#include "util/json.h"

#define FACTS_MAX    (64U << 20)
#define END_GRACE_MS 500

int
stoq_zygote_spawn(const struct stoq_config *config, const char *const *preload,
                  const char *label, struct stoq_zygote *out, struct stoq_error *err)
{
    struct stoq_zygote_setup setup = {
        .config = config, .preload = preload, .label = label};
    struct stoq_zygote z = {.pid = 0};
    int r = stoq_child_spawn(stoq_zygote_main, &setup, &z.pid, &z.control, err);

    if (r == 0)
        *out = z;
    return r;
}

static int
take_ready(struct stoq_zygote *z, const struct stoq_wire_msg *msg,
           struct stoq_error *err)
{
    size_t size = (size_t)msg->u.head.body;
    STOQ_AUTOFREE char *text = NULL;
    int r;

    if (msg->u.head.body > FACTS_MAX)
        return stoq_error_set(err, STOQ_ERROR_LIMIT, -EFBIG,
                              "the plugins' facts are too "
                              "long");
    text = malloc(size + 1);
    r = text ? stoq_wire_body(msg, 0, text, size) : -ENOMEM;
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "cannot read facts: %s",
                              strerror(-r));
    json_decref(z->facts);
    z->facts = stoq_json_parse(text, size, err);
    if (!z->facts)
        return err && err->code < 0 ? err->code : -EPROTO;
    memcpy(z->engine_id, msg->u.ready.engine_id, sizeof(z->engine_id));
    z->engine_id[sizeof(z->engine_id) - 1] = '\0';
    return 0;
}

static int
take_fail(const struct stoq_wire_fail *w, struct stoq_error *err)
{
    struct stoq_error copy = {.code = w->code < 0 ? w->code : -EIO};

    copy.kind = w->kind <= STOQ_ERROR_PLUGIN ? (enum stoq_error_kind)w->kind
                                             : STOQ_ERROR_SYSTEM;
    memcpy(copy.plugin, w->plugin, sizeof(copy.plugin) - 1);
    memcpy(copy.message, w->message, sizeof(copy.message) - 1);
    if (err && err->code == 0)
        *err = copy;
    return copy.code;
}

int
stoq_zygote_wait(struct stoq_zygote *z, int timeout_ms, struct stoq_error *err)
{
    struct stoq_wire_msg msg;
    int r = stoq_child_wait_input(z->control, timeout_ms);

    if (r == 0)
        r = stoq_wire_recv(z->control, &msg);
    if (r == -ETIMEDOUT)
        return stoq_error_set(err, STOQ_ERROR_TIMEOUT, r,
                              "plugins were not loaded within %d ms", timeout_ms);
    if (r == 0 || r == -ECONNRESET)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EPIPE,
                              "the process that loads plugins died");
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r,
                              "cannot hear from the process "
                              "that loads plugins: %s",
                              strerror(-r));
    if (msg.u.head.type == STOQ_WIRE_READY)
        r = take_ready(z, &msg, err);
    else if (msg.u.head.type == STOQ_WIRE_FAIL)
        r = take_fail(&msg.u.fail, err);
    else
        r = stoq_error_set(err, STOQ_ERROR_SYSTEM, -EPROTO, "unexpected message %u",
                           msg.u.head.type);
    stoq_wire_close(&msg);
    return r;
}

void
stoq_zygote_end(struct stoq_zygote *z)
{
    if (z->pid > 0 && z->control >= 0) {
        /* others may hold copies of this socket; the zygote shall see its end anyway */
        (void)shutdown(z->control, SHUT_RDWR);
        stoq_auto_close(&z->control);
    }
    stoq_child_end(z->pid, END_GRACE_MS);
    z->pid = 0;
    json_decref(z->facts);
    z->facts = NULL;
}
