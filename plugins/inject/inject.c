/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker that misbehaves when the payload begins with one of the words below, to see
 * what a mount, its policy and its consumers do then. The FIFO of option `gate` is
 * opened with the plugin, so that a scanner needs no file access.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stoq/plugin.h>

#include "common/auto.h"

#define LEAK_STEP ((size_t)1 << 20)
#define LEAK_MOST ((size_t)1 << 10) /* steps: where nothing else stops it */
#define HUGE_SIZE ((size_t)40 << 20)
#define DEEP      10000
#define MANY      1000000
#define MOST_FD   256

struct inject {
    int gate; /* FIFO, or -1 */
};

/* What a misbehaviour has to do it with. */
struct scan {
    const struct inject *self;
    struct stoq_reply *reply;
    struct stoq_error *err;
};

static void
die_by(int number)
{
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static int
crash(const struct scan *s)
{
    (void)s;
    die_by(SIGSEGV);
    return 0;
}

static int
abort_now(const struct scan *s)
{
    (void)s;
    die_by(SIGABRT);
    return 0;
}

static int
spin(const struct scan *s)
{
    volatile unsigned long n = 0;
    (void)s;
    while (n != ULONG_MAX)
        n = n + 1;
    return 0;
}

static int
hang(const struct scan *s)
{
    (void)s;
    while (pause() < 0)
        ;
    return 0;
}

static int
hold(const struct scan *s)
{
    char byte;
    if (s->self->gate >= 0)
        while (read(s->self->gate, &byte, 1) < 0 && errno == EINTR)
            ;
    return 0;
}

static int
fail(const struct scan *s)
{
    return stoq_error_set(s->err, STOQ_ERROR_PLUGIN, -EIO, "told to fail");
}

static int
complain(const struct scan *s)
{
    stoq_reply_error(s->reply, "told to complain");
    return 0;
}

static int
say_limit(const struct scan *s)
{
    stoq_reply_limit(s->reply, "inject", 1);
    return 0;
}

/* Memory that is used and never given back. */
static int
leak(const struct scan *s)
{
    static void *kept;
    size_t steps = 0;
    for (; steps < LEAK_MOST; steps++) {
        void **more = malloc(LEAK_STEP);
        if (!more)
            break;
        memset(more, 0x5a, LEAK_STEP);
        *more = kept;
        kept = more;
    }
    return stoq_error_set(s->err, STOQ_ERROR_PLUGIN, -ENOMEM, "no memory after %zu MiB",
                          steps);
}

/* Bytes that mean nothing, to whoever listens: what a plugin that was taken over does.
 */
static int
garbage(const struct scan *s)
{
    static const char bytes[] = "\xff\x00\x01 not a message of ours";
    (void)s;
    for (int fd = STDERR_FILENO + 1; fd < MOST_FD; fd++) {
        struct stat st;
        if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
            send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            return stoq_error_set(s->err, STOQ_ERROR_PLUGIN, -errno, "send: %s",
                                  strerror(errno));
    }
    return 0;
}

/* Results of 40 MiB, with bytes that are not UTF-8. */
static int
huge(const struct scan *s)
{
    PLUGIN_AUTOFREE char *text = malloc(HUGE_SIZE);
    json_t *results = json_object();
    if (!text || !results) {
        json_decref(results);
        return stoq_error_set(s->err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    memset(text, 'x', HUGE_SIZE);
    text[HUGE_SIZE / 2] = '\xff';
    int r = stoq_json_set_text(results, "huge", text, HUGE_SIZE);
    stoq_reply_results(s->reply, results);
    return r;
}

/* Arrays in arrays. */
static int
deep(const struct scan *s)
{
    json_t *results = json_array();
    for (int i = 0; results && i < DEEP; i++) {
        json_t *outer = json_array();
        if (json_array_append_new(outer, results) < 0) {
            json_decref(outer);
            return stoq_error_set(s->err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
        }
        results = outer;
    }
    stoq_reply_results(s->reply, results);
    return 0;
}

/* A million payloads out of one. */
static int
many(const struct scan *s)
{
    int r = 0;
    for (int i = 0; r == 0 && i < MANY; i++) {
        const struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = &i,
                                           .size = sizeof(i), .no_scan = true};
        r = stoq_reply_extract(s->reply, &child);
    }
    return r == -E2BIG ? 0 : r;
}

static const struct {
    const char *word;
    int (*act)(const struct scan *s);
} words[] = {
    {"CRASH", crash}, {"ABORT", abort_now}, {"SPIN", spin},     {"HANG", hang},
    {"HOLD", hold},   {"FAIL", fail},       {"SOFT", complain}, {"LIMIT", say_limit},
    {"LEAK", leak},   {"GARBAGE", garbage}, {"HUGE", huge},     {"DEEP", deep},
    {"MANY", many},
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

static int
inject_scan(void *instance, struct stoq_payload *payload,
            const struct stoq_request *request, struct stoq_reply *reply,
            unsigned flags, struct stoq_error *err)
{
    const struct scan s = {.self = instance, .reply = reply, .err = err};
    size_t size;
    const unsigned char *data = stoq_payload_data(payload, &size);
    (void)request;
    (void)flags;
    stoq_reply_results(reply, json_pack("{s:I}", "size", (json_int_t)size));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i].word);
        if (size >= n && memcmp(data, words[i].word, n) == 0)
            return words[i].act(&s);
    }
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
