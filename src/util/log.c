/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The process's log. Set up once, then read by any thread without a lock: lines are
 * built on the stack and leave in one write(2) to descriptors opened with O_APPEND.
 * Rotation replaces what the descriptor's number stands for, so writers never wait and
 * a forked child can never inherit a held lock. Nothing here allocates after setup.
 */

#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/io.h"
#include "util/log_line.h"

static struct {
    atomic_int level;
    char ident[32];
    char path[PATH_MAX - 16]; /* room for the number of a backup */
    int fd;                   /* -1 = stderr only */
    size_t max_bytes;
    unsigned backups;
    bool json, quiet;
    atomic_flag rotating;
} state = {
    .level = STOQ_LEVEL_INFO, .ident = "stoq", .fd = -1, .rotating = ATOMIC_FLAG_INIT};

static int
open_file(void)
{
    int fd =
        open(state.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    return fd < 0 ? -errno : fd;
}

int
stoq_log_setup(const struct stoq_log_config *config, struct stoq_error *err)
{
    stoq_log_fini();
    tzset(); /* now: a sandboxed process could not read the zone later */
    atomic_store(&state.level, (int)config->level);
    (void)snprintf(state.ident, sizeof(state.ident), "%s",
                   config->ident ? config->ident : "stoq");
    state.json = config->json;
    state.quiet = config->quiet;
    state.max_bytes = config->max_bytes;
    state.backups = config->backups;
    if (!config->dir || !*config->dir)
        return 0;

    int n = snprintf(state.path, sizeof(state.path), "%s/stoq.log", config->dir);
    int r = n < 0 || (size_t)n >= sizeof(state.path) ? -ENAMETOOLONG : 0;
    if (r == 0)
        r = stoq_mkdir_p(config->dir, 0755);
    if (r == 0)
        r = open_file();
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "log file %s/stoq.log: %s",
                              config->dir, strerrordesc_np(-r));
    state.fd = r;
    return 0;
}

void
stoq_log_fini(void)
{
    int saved = errno;
    if (state.fd >= 0)
        (void)close(state.fd);
    state.fd = -1;
    errno = saved;
}

bool
stoq_log_enabled(enum stoq_level level)
{
    return (int)level <= atomic_load_explicit(&state.level, memory_order_relaxed);
}

int
stoq_log_level_parse(const char *text, enum stoq_level *out)
{
    static const struct {
        const char *name;
        enum stoq_level level;
    } levels[] = {{"debug", STOQ_LEVEL_DEBUG},
                  {"info", STOQ_LEVEL_INFO},
                  {"warning", STOQ_LEVEL_WARNING},
                  {"error", STOQ_LEVEL_ERROR},
                  {"critical", STOQ_LEVEL_ERROR}};
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(levels); i++) {
        if (strcasecmp(text, levels[i].name) == 0) {
            *out = levels[i].level;
            return 0;
        }
    }
    return -EINVAL;
}

static void
shift_backups(void)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    for (unsigned i = state.backups; i > 0; i--) {
        (void)snprintf(to, sizeof(to), "%s.%u", state.path, i);
        (void)snprintf(from, sizeof(from), i > 1 ? "%s.%u" : "%s", state.path, i - 1);
        (void)rename(from, to);
    }
}

/* Several processes may share the file: a record lock, which unlike flock(2) is per
 * process, decides who shifts; who comes late only opens the new file. */
static void
rotate_locked(size_t more)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat mine;
    struct stat named;
    if (fcntl(state.fd, F_SETLKW, &whole) < 0 || fstat(state.fd, &mine) < 0)
        return;
    bool same = stat(state.path, &named) == 0 && named.st_ino == mine.st_ino &&
                named.st_dev == mine.st_dev;
    if (same && (uint64_t)mine.st_size + more > state.max_bytes)
        shift_backups();
    int fd = open_file();
    if (fd < 0) {
        whole.l_type = F_UNLCK;
        (void)fcntl(state.fd, F_SETLK, &whole);
        return; /* go on with the old file rather than lose lines */
    }
    (void)dup3(fd, state.fd, O_CLOEXEC); /* which also gives the lock up */
    (void)close(fd);
}

static void
rotate_if_full(size_t more)
{
    struct stat st;
    if (state.max_bytes == 0 || state.backups == 0 || fstat(state.fd, &st) < 0 ||
        st.st_size == 0 || (uint64_t)st.st_size + more <= state.max_bytes)
        return;
    if (atomic_flag_test_and_set(&state.rotating))
        return; /* another thread is at it */
    rotate_locked(more);
    atomic_flag_clear(&state.rotating);
}

void
stoq_log_write(enum stoq_level level, const char *plugin, const char *file,
               const char *func, int line, const char *fmt, ...)
{
    int saved = errno;
    if (!stoq_log_enabled(level))
        return;
    char text[STOQ_LOG_LINE_MAX];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        text[0] = '\0';

    struct stoq_log_record record = {.level = level,
                                     .ident = state.ident,
                                     .plugin = plugin,
                                     .file = file,
                                     .func = func,
                                     .line = line,
                                     .text = text};
    (void)clock_gettime(CLOCK_REALTIME, &record.time);
    struct stoq_log_line out;
    stoq_log_format(&out, &record, false, state.json);
    if (!state.quiet || level <= STOQ_LEVEL_WARNING)
        (void)stoq_write_full(STDERR_FILENO, out.data, out.size);
    if (state.fd >= 0) {
        stoq_log_format(&out, &record, true, state.json);
        rotate_if_full(out.size);
        (void)stoq_write_full(state.fd, out.data, out.size);
    }
    errno = saved;
}
