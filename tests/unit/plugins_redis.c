/* SPDX-License-Identifier: Apache-2.0 */

/* See plugins_redis.h. */

#include "plugins_redis.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t server;
static redisContext *connection;

/* In the child: become the server. */
static void
become(const char *const *arguments)
{
    const char *argv[40] = {"redis-server",
                            "--port",
                            "0",
                            "--unixsocket",
                            in_dir("socket"),
                            "--dir",
                            test_dir,
                            "--appendonly",
                            "yes",
                            "--appendfsync",
                            "always",
                            "--save",
                            "",
                            "--logfile",
                            in_dir("redis.log")};
    size_t n = 15;
    while (*arguments)
        argv[n++] = *arguments++;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

void
redis_start(const char *const *arguments)
{
    server = fork();
    ck_assert_int_ge(server, 0);
    if (server == 0)
        become(arguments);
    for (int i = 0; i < 1500; i++) {
        connection = redisConnectUnix(in_dir("socket"));
        redisReply *reply = connection->err ? NULL : redisCommand(connection, "PING");
        bool ready = reply && (reply->type == REDIS_REPLY_STATUS ||
                               strncmp(reply->str, "NOAUTH", 6) == 0);
        freeReplyObject(reply);
        if (ready)
            return;
        redisFree(connection);
        connection = NULL;
        (void)usleep(20000);
    }
    ck_abort_msg("the server does not start");
}

void
redis_kill(void)
{
    if (connection)
        redisFree(connection);
    connection = NULL;
    if (server <= 0)
        return;
    (void)kill(server, SIGKILL);
    (void)waitpid(server, NULL, 0);
    server = 0;
}

void
redis_freeze(bool frozen)
{
    ck_assert_int_eq(kill(server, frozen ? SIGSTOP : SIGCONT), 0);
}

void
redis_tear_down(void)
{
    redis_kill();
    tear_down();
}

const char *
redis_socket(void)
{
    static char option[128];
    (void)snprintf(option, sizeof option, "redis_socket=%s/socket", test_dir);
    return option;
}

static void
print(FILE *out, const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        (void)fprintf(out, "%lld", reply->integer);
        break;
    case REDIS_REPLY_NIL:
        (void)fputs("(nil)", out);
        break;
    case REDIS_REPLY_ARRAY:
        (void)fputc('[', out);
        for (size_t i = 0; i < reply->elements; i++) {
            if (i)
                (void)fputc(',', out);
            print(out, reply->element[i]);
        }
        (void)fputc(']', out);
        break;
    default:
        (void)fwrite(reply->str, 1, reply->len, out);
        break;
    }
}

const char *
redis_says(const char *format, ...)
{
    static char texts[8][4096];
    static unsigned next;
    char *text = texts[next++ % 8];
    text[0] = '\0';
    if (!connection)
        return text;
    va_list ap;
    va_start(ap, format);
    redisReply *reply = redisvCommand(connection, format, ap);
    va_end(ap);
    if (!reply)
        return text;
    FILE *out = fmemopen(text, sizeof texts[0], "w");
    ck_assert_ptr_nonnull(out);
    print(out, reply);
    (void)fclose(out);
    freeReplyObject(reply);
    return text;
}
