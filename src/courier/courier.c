/* SPDX-License-Identifier: Apache-2.0 */

/* The holder's side of the courier: start, wait until ready, end. Called by the
 * supervisor or the command from their only thread. */

#include "courier/courier.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "courier/child.h"
#include "courier/wire.h"
#include "util/auto.h"
#include "util/child.h"

/* Beyond the grace: what a courier needs to close its plugins. */
#define SLACK_MS 1000

int
stoq_courier_spawn(const struct stoq_config *config, const char *db_path,
                   const char *label, struct stoq_courier *out, struct stoq_error *err)
{
    struct stoq_courier_setup setup = {
        .config = config, .db_path = db_path, .label = label};

    return stoq_child_spawn(stoq_courier_main, &setup, &out->pid, &out->control, err);
}

static int
take_failure(const struct stoq_courier_msg *msg, struct stoq_error *err)
{
    int code = msg->code < 0 ? msg->code : -EIO;

    if (err && err->code == 0) {
        err->code = code;
        err->kind = (enum stoq_error_kind)msg->kind;
        memcpy(err->plugin, msg->plugin, sizeof err->plugin);
        memcpy(err->message, msg->text, sizeof err->message);
    }
    return code;
}

int
stoq_courier_wait(struct stoq_courier *c, int timeout_ms, struct stoq_error *err)
{
    struct stoq_courier_in in;
    int r = stoq_child_wait_input(c->control, timeout_ms);

    if (r == -ETIMEDOUT)
        return stoq_error_set(err, STOQ_ERROR_TIMEOUT, r,
                              "the courier's plugins were not loaded within %d ms",
                              timeout_ms);
    if (r == 0)
        r = stoq_courier_recv(c->control, &in);
    if (r == 0)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EPIPE,
                              "the courier died while loading its plugins");
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "courier: %s", strerror(-r));
    stoq_courier_in_fini(&in);
    if (in.msg.type == STOQ_COURIER_READY)
        return 0;
    if (in.msg.type == STOQ_COURIER_FAIL)
        return take_failure(&in.msg, err);
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EPROTO,
                          "courier: unexpected message");
}

void
stoq_courier_end(struct stoq_courier *c, int grace_ms)
{
    uint64_t grace = grace_ms > 0 ? (uint64_t)grace_ms : 0;
    struct stoq_courier_msg end = {.type = STOQ_COURIER_END, .size = grace};

    if (c->control >= 0) {
        (void)stoq_courier_send(c->control, &end, NULL, 0);
        /* Others may hold copies; the courier shall see the end anyway, and what was
         * sent before it, too. */
        (void)shutdown(c->control, SHUT_WR);
        stoq_auto_close(&c->control);
    }
    stoq_child_end(c->pid, grace + SLACK_MS);
    c->pid = 0;
}
