/* SPDX-License-Identifier: Apache-2.0 */

/* See apart.h. The child writes one object, {code, kind, message, answer}, to a pipe.
 */

#include "cli/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/child.h"
#include "util/clock.h"
#include "util/io.h"
#include "util/json.h"
#include "util/strbuf.h"

#define ANSWER_MAX ((size_t)16 << 20)

static int
system_error(const char *what, int code, struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -code, "%s: %s", what,
                          strerror(code));
}

/* Nothing that is said there may be taken for the command's own output. */
static void
drop_stdout(void)
{
    STOQ_AUTOCLOSE int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0)
        (void)dup2(null, STDOUT_FILENO);
}

/* In the child. @return its exit status. */
static int
answer_on(int fd, cli_apart_call call, void *arg)
{
    struct stoq_error err = {0};
    json_t *answer = NULL;
    drop_stdout();
    int r = call(arg, &answer, &err);
    if (r < 0)
        (void)stoq_error_set(&err, STOQ_ERROR_SYSTEM, r, "%s", strerror(-r));
    json_auto_t *whole = json_pack(
        "{s:i, s:i, s:s, s:o}", "code", r < 0 ? r : 0, "kind", (int)err.kind, "message",
        r < 0 ? err.message : "", "answer", r == 0 && answer ? answer : json_null());
    STOQ_AUTOFREE char *text = whole ? stoq_json_dump(whole, false) : NULL;
    return text && stoq_write_full(fd, text, strlen(text)) == 0 ? 0 : 1;
}

/* Collect what the child writes until it ends. @return 0, -ETIMEDOUT, other -errno. */
static int
collect(int fd, uint64_t timeout_ms, struct stoq_strbuf *out)
{
    uint64_t end = stoq_now_ms() + timeout_ms;
    char buf[65536];
    for (;;) {
        uint64_t now = stoq_now_ms();
        int r = now < end ? stoq_child_wait_input(fd, (int)(end - now)) : -ETIMEDOUT;
        if (r < 0)
            return r;
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n == 0)
            return out->failed ? -ENOMEM : 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            stoq_strbuf_add(out, buf, (size_t)n);
        if (out->size > ANSWER_MAX)
            return -EFBIG;
    }
}

/* Make the child end, now if @kill_it. @return its status as of waitpid(2). */
static int
reap(pid_t pid, bool kill_it)
{
    int status = 0;
    if (kill_it)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* What the child said: the answer, or its failure. */
static int
unpack(const struct stoq_strbuf *text, json_t **answer, struct stoq_error *err)
{
    json_auto_t *whole = stoq_json_parse(text->data ? text->data : "", text->size, err);
    if (!whole)
        return -EPROTO;
    int code = (int)json_integer_value(json_object_get(whole, "code"));
    if (code < 0) {
        const char *message = stoq_json_string_of(whole, "message");
        json_int_t kind = json_integer_value(json_object_get(whole, "kind"));
        return stoq_error_set(err, (enum stoq_error_kind)kind, code, "%s",
                              message ? message : "");
    }
    *answer = json_incref(json_object_get(whole, "answer"));
    return 0;
}

static int
ended(int status, struct stoq_error *err)
{
    if (WIFSIGNALED(status))
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -ECHILD,
                              "killed by signal %d (%s)", WTERMSIG(status),
                              strsignal(WTERMSIG(status)));
    return stoq_error_set(err, STOQ_ERROR_PLUGIN, -ECHILD,
                          "the process ended by itself, with status %d",
                          WEXITSTATUS(status));
}

int
cli_apart(cli_apart_call call, void *arg, uint64_t timeout_ms, json_t **answer,
          struct stoq_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return system_error("pipe", errno, err);
    STOQ_AUTOCLOSE int in = ends[0];
    STOQ_AUTOCLOSE int out = ends[1];
    pid_t self = getpid();
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return system_error("fork", errno, err);
    if (pid == 0) {
        (void)close(in);
        _exit(stoq_child_follow_parent(self) < 0 ? 1 : answer_on(out, call, arg));
    }
    stoq_auto_close(&out);
    struct stoq_strbuf text = {0};
    int r = collect(in, timeout_ms, &text);
    int status = reap(pid, r < 0);
    if (r == -ETIMEDOUT)
        r = stoq_error_set(err, STOQ_ERROR_TIMEOUT, r, "not done after %llu seconds",
                           (unsigned long long)(timeout_ms / 1000));
    else if (r < 0)
        r = system_error("the answer of the process", -r, err);
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        r = ended(status, err);
    else
        r = unpack(&text, answer, err);
    stoq_strbuf_fini(&text);
    return r;
}
