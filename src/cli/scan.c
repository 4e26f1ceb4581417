/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `stoq scan`: files go to the pool, a window of them at a time; outcomes are finished
 * (archivers, decorators), delivered and printed by the first thread, in the order the
 * files were named. --isolation=none scans in this process instead.
 */

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/inputs.h"
#include "cli/report.h"
#include "cli/scanner.h"
#include "util/auto.h"

#define WINDOW 64 /* files open or waiting to be printed at a time */

STOQ_DEFINE_AUTO(stoq_config)

/* One file on its way. Filled by the pool's thread under the lock. */
struct slot {
    struct stoq_outcome *outcome; /* guarded by lock */
    int fd;                       /* of the file, for archivers; guarded by lock */
    bool done;                    /* guarded by lock */
    struct scan *scan;
};

struct scan {
    const struct cli_args *args;
    struct cli_report report;
    struct cli_scanner scanner;
    bool single; /* one file or standard input was named */
    /* pool */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct slot slots[WINDOW];
    size_t head, tail; /* slots in use: [head, tail) modulo WINDOW */
};

static void
job_done(void *arg, struct stoq_outcome *outcome, int fd)
{
    struct slot *slot = arg;
    struct scan *s = slot->scan;
    int copy = s->report.engine ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    (void)pthread_mutex_lock(&s->lock);
    slot->outcome = outcome;
    slot->fd = copy;
    slot->done = true;
    (void)pthread_cond_signal(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
}

/* Wait for the oldest file, print it, free its slot. */
static void
retire_oldest(struct scan *s)
{
    struct slot *slot = &s->slots[s->head % WINDOW];
    (void)pthread_mutex_lock(&s->lock);
    while (!slot->done)
        (void)pthread_cond_wait(&s->changed, &s->lock);
    (void)pthread_mutex_unlock(&s->lock);
    cli_report_outcome(&s->report, slot->outcome, slot->fd);
    stoq_outcome_free(slot->outcome);
    if (slot->fd >= 0)
        (void)close(slot->fd);
    *slot = (struct slot){.fd = -1};
    s->head++;
}

static void
scan_by_pool(struct scan *s, struct cli_work *work)
{
    if (s->tail - s->head == WINDOW)
        retire_oldest(s);
    struct slot *slot = &s->slots[s->tail % WINDOW];
    *slot = (struct slot){.fd = -1, .scan = s};
    cli_scanner_wait(&s->scanner, -1);
    int r = cli_scanner_submit(&s->scanner, work, job_done, slot);
    if (r < 0)
        cli_report_failure(&s->report, work->in.path, r);
    else
        s->tail++;
}

static void
scan_here(struct scan *s, const struct cli_work *work)
{
    struct stoq_error err = {0};
    struct stoq_response *response = NULL;
    cli_scanner_wait(&s->scanner, -1);
    if (cli_scanner_scan(&s->scanner, work, &response, &err) == 0)
        cli_report_response(&s->report, response);
    else
        cli_report_error(&s->report, &err);
    stoq_response_free(response);
}

static void
scan_all(struct scan *s)
{
    struct cli_inputs *inputs = NULL;
    if (cli_inputs_new(&s->args->files, &inputs) < 0) {
        cli_report_failure(&s->report, "inputs", -ENOMEM);
        return;
    }
    for (;;) {
        struct stoq_error err = {0};
        struct cli_work work = {.in.fd = -1};
        int r = cli_inputs_next(inputs, &work.in, &err);
        if (r == 0)
            break;
        if (r < 0) {
            cli_report_error(&s->report, &err);
            continue;
        }
        if (s->single && work.in.size == 0) {
            (void)stoq_error_set(&err, STOQ_ERROR_CONFIG, -EINVAL,
                                 "Error: The provided content to scan was empty");
            cli_report_error(&s->report, &err);
        } else if (s->scanner.here) {
            scan_here(s, &work);
        } else {
            scan_by_pool(s, &work);
        }
        cli_work_fini(&work);
    }
    while (s->head != s->tail)
        retire_oldest(s);
    cli_inputs_free(inputs);
}

/* Whether one file, or standard input, is all there is to scan. */
static bool
is_single(const struct stoq_strv *files)
{
    struct stat st;
    return files->count == 0 ||
           (files->count == 1 &&
            !(stat(files->items[0], &st) == 0 && S_ISDIR(st.st_mode)));
}

int
cli_scan(const struct cli_args *a)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_config) config = NULL;
    if (cli_config(a, &config, NULL, &err) < 0)
        return cli_fail(CLI_USAGE, &err);
    struct scan s = {.args = a,
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .changed = PTHREAD_COND_INITIALIZER,
                     .single = is_single(&a->files)};
    cli_report_init(&s.report, config, a->connectors.count == 0);
    int status;
    if (cli_scanner_load(&s.scanner, a, config, &err) < 0 ||
        cli_scanner_start(&s.scanner, 0, &err) < 0) {
        status = cli_fail(CLI_USAGE, &err);
    } else {
        s.report.engine = s.scanner.outputs;
        scan_all(&s);
        status = cli_report_end(&s.report);
    }
    cli_scanner_stop(&s.scanner);
    return status;
}
