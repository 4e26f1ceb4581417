/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The command waits for the daemon on two pipes: one carries the byte that says
 * "usable", the other is the standard error of every daemon process. The command copies
 * the latter to its own and leaves when the byte comes, so start-up errors are seen,
 * while nobody who captured the command's output waits for the daemon to end.
 */

#include "start.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/config.h"
#include "supervisor.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/log.h"

#define EXIT_START 2

static int
setup_log(const struct stoqfs_options *o, struct stoq_error *err)
{
    struct stoq_config *c = o->config;
    STOQ_AUTOFREE char *fallback = NULL;
    int r = 0;
    if (!o->foreground && (!c->log_dir || !*c->log_dir)) {
        /* nobody reads a daemon's stderr, its helpers' neither: they get this
         * configuration, too */
        if (asprintf(&fallback, "%s/log", o->state_dir) < 0)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
        r = stoq_config_set(c, "core", "log_dir", fallback, err);
    }
    if (r < 0)
        return r;
    struct stoq_log_config log = {.level = STOQ_LEVEL_INFO,
                                  .ident = "stoqfs",
                                  .dir = c->log_dir,
                                  .max_bytes = (size_t)c->log_maxbytes,
                                  .backups = (unsigned)c->log_backup_count,
                                  .json = strcmp(c->log_syntax, "json") == 0,
                                  .quiet = !o->foreground};
    (void)stoq_log_level_parse(c->log_level, &log.level);
    return stoq_log_setup(&log, err);
}

static int
run(const struct stoqfs_options *o, int notify_fd)
{
    struct stoq_error err = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    if (stoq_mkdir_p(o->state_dir, 0700) < 0) {
        (void)fprintf(stderr, "stoqfs: state directory %s: %s\n", o->state_dir,
                      strerror(errno));
        return EXIT_START;
    }
    if (setup_log(o, &err) < 0) {
        (void)fprintf(stderr, "stoqfs: %s\n", err.message);
        return EXIT_START;
    }
    int status = stoqfs_supervise(o, notify_fd);
    stoq_log_fini();
    return status;
}

/* The daemon's side: own session, no terminal, stderr to the command. */
static int
daemon_main(const struct stoqfs_options *o, int notify_fd, int stderr_fd)
{
    STOQ_AUTOCLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)setsid();
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(stderr_fd, STDERR_FILENO) < 0)
        return EXIT_START;
    (void)close(stderr_fd);
    return run(o, notify_fd);
}

/* Copy what is there to our standard error. @return false at end of file. */
static bool
relay(int fd)
{
    char buf[4096];
    ssize_t n = read(fd, buf, sizeof(buf));
    if (n > 0)
        (void)stoq_write_full(STDERR_FILENO, buf, (size_t)n);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static int
wait_ready(pid_t pid, int notify_fd, int stderr_fd)
{
    struct pollfd p[2] = {{.fd = notify_fd, .events = POLLIN},
                          {.fd = stderr_fd, .events = POLLIN}};
    char byte;
    int status = 0;
    for (;;) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        if (p[1].revents && !relay(stderr_fd))
            p[1].fd = -1;
        if (p[0].revents) {
            ssize_t n = read(notify_fd, &byte, 1);
            while (p[1].fd >= 0 && poll(&p[1], 1, 0) > 0 && relay(stderr_fd))
                ;
            if (n == 1)
                return 0;
            break;
        }
    }
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
        WEXITSTATUS(status) != 0)
        return WEXITSTATUS(status);
    (void)fprintf(stderr, "stoqfs: the daemon ended before the mount was usable\n");
    return EXIT_START;
}

static int
start_background(const struct stoqfs_options *o)
{
    int notify[2] = {-1, -1}, errors[2] = {-1, -1};
    if (pipe2(notify, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0) {
        perror("stoqfs: pipe");
        return EXIT_START;
    }
    pid_t pid = fork();
    if (pid < 0) {
        perror("stoqfs: fork");
        return EXIT_START;
    }
    if (pid == 0) {
        (void)close(notify[0]);
        (void)close(errors[0]);
        return daemon_main(o, notify[1], errors[1]);
    }
    (void)close(notify[1]);
    (void)close(errors[1]);
    int status = wait_ready(pid, notify[0], errors[0]);
    (void)close(notify[0]);
    (void)close(errors[0]);
    return status;
}

int
stoqfs_start(const struct stoqfs_options *options)
{
    return options->foreground ? run(options, -1) : start_background(options);
}
