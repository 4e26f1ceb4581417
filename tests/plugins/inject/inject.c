/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker for tests that misbehaves when the payload's first word says so:
 *   HOLD    wait until somebody writes a byte into the FIFO of option `gate`
 *   CRASH   die by SIGSEGV        ABORT  die by SIGABRT
 *   SPIN    never end, busy       HANG   never end, asleep
 *   FAIL    report a failure      SOFT   report a soft error
 *   LIMIT   say that a limit was hit
 * The FIFO is opened when the plugin is, so that a scanner needs no file access.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stoq/plugin.h>

struct inject {
    int gate; /* FIFO, or -1 */
};

static int
inject_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    const char *path = stoq_ctx_string(ctx, "gate");
    struct inject *self = malloc(sizeof(*self));
    if (!self)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    self->gate = -1;
    if (path && *path) {
        /* O_RDWR: neither opening nor reading ends when a writer comes and goes */
        self->gate = open(path, O_RDWR | O_CLOEXEC);
        if (self->gate < 0) {
            int code = -errno;
            free(self);
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "gate %s: %s", path,
                                  strerror(-code));
        }
    }
    *instance = self;
    return 0;
}

static void
inject_close(void *instance)
{
    struct inject *self = instance;
    if (self->gate >= 0)
        (void)close(self->gate);
    free(self);
}

static bool
begins(const unsigned char *data, size_t size, const char *word)
{
    size_t n = strlen(word);
    return size >= n && memcmp(data, word, n) == 0;
}

static void
die_by(int number)
{
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static int
inject_scan(void *instance, struct stoq_payload *payload,
            const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
            struct stoq_error *err)
{
    const struct inject *self = instance;
    size_t size;
    const unsigned char *data = stoq_payload_data(payload, &size);
    char byte;
    (void)request;
    (void)flags;
    if (begins(data, size, "CRASH"))
        die_by(SIGSEGV);
    if (begins(data, size, "ABORT"))
        die_by(SIGABRT);
    for (volatile unsigned long n = 0; begins(data, size, "SPIN"); n = n + 1)
        ;
    while (begins(data, size, "HANG"))
        (void)pause();
    if (begins(data, size, "HOLD") && self->gate >= 0)
        while (read(self->gate, &byte, 1) < 0 && errno == EINTR)
            ;
    if (begins(data, size, "FAIL"))
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, "told to fail");
    if (begins(data, size, "SOFT"))
        stoq_reply_error(reply, "told to complain");
    if (begins(data, size, "LIMIT"))
        stoq_reply_limit(reply, "inject", 1);
    stoq_reply_results(reply, json_pack("{s:I}", "size", (json_int_t)size));
    return 0;
}

static const struct stoq_option options[] = {
    {"gate", STOQ_OPTION_PATH, "", 0, 0, "FIFO that HOLD waits for"},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL},
};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "inject",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = inject_open,
    .close = inject_close,
    .scan = inject_scan,
};
STOQ_PLUGIN(plugin);
