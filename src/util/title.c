/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The name a process shows in ps(1): the kernel reads it from where the arguments lie,
 * so the text is written over them and, when longer, over the environment behind them.
 */

#include "util/title.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *area;       /* NULL until stoq_title_init() found one */
static size_t area_size; /* bytes from area on that are ours */
static char **env_copy;  /* keeps the copies reachable for leak checkers */

/* Copies of all @p n strings, or nothing. */
static char **
copy_strings(char **strings, size_t n)
{
    char **copy = calloc(n + 1, sizeof(*copy));
    if (!copy)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        copy[i] = strdup(strings[i]);
        if (!copy[i]) {
            while (i > 0)
                free(copy[--i]);
            free(copy);
            return NULL;
        }
    }
    return copy;
}

void
stoq_title_init(int argc, char **argv)
{
    if (area || argc < 1 || !argv[0])
        return;
    char *end = argv[0];
    size_t args = (size_t)argc;
    size_t envs = 0;
    for (size_t i = 0; i < args && argv[i] == end; i++)
        end = argv[i] + strlen(argv[i]) + 1;
    for (; environ && environ[envs]; envs++) {
        if (environ[envs] == end)
            end = environ[envs] + strlen(environ[envs]) + 1;
    }

    char **arg_copy = copy_strings(argv, args);
    char **new_env = environ ? copy_strings(environ, envs) : NULL;
    if (!arg_copy || (environ && !new_env)) {
        free(arg_copy);
        free(new_env);
        return;
    }
    area = argv[0];
    area_size = (size_t)(end - argv[0]);
    memcpy(argv, arg_copy, args * sizeof(*argv));
    free(arg_copy);
    program_invocation_name = argv[0];
    char *slash = strrchr(argv[0], '/');
    program_invocation_short_name = slash ? slash + 1 : argv[0];
    env_copy = new_env;
    if (env_copy)
        environ = env_copy;
}

void
stoq_title_set(const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        return;

    char name[16];
    (void)snprintf(name, sizeof(name), "%.15s", text);
    for (size_t i = strlen(name); i > 0 && name[i - 1] == ' '; i--)
        name[i - 1] = '\0';
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);

    if (!area || area_size < 2)
        return;
    memset(area, 0, area_size);
    (void)snprintf(area, area_size, "%s", text);
}
