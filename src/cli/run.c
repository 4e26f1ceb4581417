/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `stoq run`: each provider puts what it finds into a bounded queue, from a thread of
 * its own; one feeder takes it from there, asks source archivers, and has it scanned,
 * provider_consumers jobs at a time; the first thread finishes and delivers outcomes as
 * they come. A signal cancels the queue: what is in flight is finished.
 *
 * Lock: run.lock, for what is said to be guarded by it. It is held over no call.
 */

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/finds.h"
#include "cli/report.h"
#include "cli/scanner.h"
#include "core/config.h"
#include "core/engine.h"
#include "core/queue.h"
#include "util/auto.h"
#include "util/json.h"
#include "util/log.h"

#define UNREPORTED 64 /* finished scans that may wait to be delivered */

STOQ_DEFINE_AUTO(stoq_config)

/* One find on its way. Its fields belong to one thread at a time. */
struct task {
    struct task *next; /* guarded by lock */
    struct run *run;
    struct cli_work work;
    int fd;                         /* of the bytes, for archivers */
    struct stoq_outcome *outcome;   /* by the pool, or ... */
    struct stoq_response *response; /* ... scanned here */
    struct stoq_receipt receipt;    /* who is told when it is delivered */
};

struct provider {
    struct run *run;
    struct stoq_loaded *plugin;
    pthread_t thread;
};

struct run {
    const struct cli_args *args;
    const struct stoq_config *config;
    struct cli_report report;
    struct cli_scanner scanner;
    struct stoq_queue *queue;
    struct provider *providers; /* provider_count of them */
    size_t provider_count;
    pthread_t feeder, signals;
    struct stoq_queue_item *item; /* the feeder's: what it is at */
    sigset_t ending;              /* signals that end the run */
    atomic_bool ended;            /* the signal thread is to return */
    atomic_ullong lost;           /* what was found and could not be scanned */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct task *first, **last; /* guarded by lock: finished */
    size_t in_flight, finished; /* guarded by lock */
    size_t ingesting;           /* guarded by lock: providers that have not returned */
    bool fed;                   /* guarded by lock: the feeder has returned */
};

static void
task_free(struct task *t)
{
    if (!t)
        return;
    stoq_auto_close(&t->fd);
    stoq_outcome_free(t->outcome);
    stoq_response_free(t->response);
    cli_work_fini(&t->work);
    stoq_receipt_settle(&t->receipt, -ECANCELED);
    free(t);
}

/* Something cannot be scanned; @what of it, or NULL when @err says that. */
static void
lose(struct run *run, const char *what, const struct stoq_error *err)
{
    STOQ_ERROR("%s%s%s", what ? what : "", what ? ": " : "", err->message);
    (void)atomic_fetch_add(&run->lost, 1);
}

/* ------------------------------------------------------------------- providers */

static void *
ingest(void *arg)
{
    struct provider *p = arg;
    struct run *run = p->run;
    struct stoq_error err = {0};
    int r = stoq_call_ingest(p->plugin, run->queue, &err);
    if (r < 0 && r != -ECANCELED)
        lose(run, stoq_loaded_name(p->plugin), &err);
    (void)pthread_mutex_lock(&run->lock);
    bool last = --run->ingesting == 0;
    (void)pthread_mutex_unlock(&run->lock);
    if (last)
        stoq_queue_close(run->queue);
    return NULL;
}

/* -------------------------------------------------------------------- scanning */

static void
finish_task(struct task *t)
{
    struct run *run = t->run;
    (void)pthread_mutex_lock(&run->lock);
    t->next = NULL;
    *run->last = t;
    run->last = &t->next;
    run->finished++;
    run->in_flight--;
    (void)pthread_cond_broadcast(&run->changed);
    (void)pthread_mutex_unlock(&run->lock);
}

/* On the pool's thread. */
static void
job_done(void *arg, struct stoq_outcome *outcome, int fd)
{
    struct task *t = arg;
    if (t->run->config->dest_archivers.count)
        t->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    t->outcome = outcome;
    finish_task(t);
}

/* Wait until one more may be scanned, and count it. */
static void
enter(struct run *run)
{
    size_t most = run->config->provider_consumers ? run->config->provider_consumers : 2;
    (void)pthread_mutex_lock(&run->lock);
    while (run->in_flight >= most || run->finished >= UNREPORTED)
        (void)pthread_cond_wait(&run->changed, &run->lock);
    run->in_flight++;
    (void)pthread_mutex_unlock(&run->lock);
}

static void
leave(struct run *run)
{
    (void)pthread_mutex_lock(&run->lock);
    run->in_flight--;
    (void)pthread_cond_broadcast(&run->changed);
    (void)pthread_mutex_unlock(&run->lock);
}

/* Have @work (taken) scanned. @return 0 or -errno with @err set. */
static int
start_scan(struct run *run, struct cli_work *work, struct stoq_error *err)
{
    struct task *t = calloc(1, sizeof(*t));
    if (!t)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    t->run = run;
    t->fd = -1;
    t->receipt = stoq_receipt_steal(&run->item->receipt);
    t->work = *work;
    *work = (struct cli_work){.in.fd = -1};
    cli_scanner_wait(&run->scanner, stoq_queue_cancel_fd(run->queue));
    enter(run);
    int r = run->scanner.here
                ? cli_scanner_scan(&run->scanner, &t->work, &t->response, err)
                : cli_scanner_submit(&run->scanner, &t->work, job_done, t);
    if (r < 0) {
        (void)stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s", strerror(-r));
        stoq_receipt_settle(&t->receipt, r);
        task_free(t);
        leave(run);
    } else if (run->scanner.here) {
        finish_task(t);
    }
    return r;
}

static void
feed_find(void *arg, struct cli_work *work)
{
    struct run *run = arg;
    struct stoq_error err = {0};
    STOQ_AUTOFREE char *what = work->in.path ? strdup(work->in.path) : NULL;
    if (start_scan(run, work, &err) < 0)
        lose(run, what ? what : "a payload", &err);
}

static void *
feed(void *arg)
{
    struct run *run = arg;
    struct stoq_queue_item item = {.fd = -1};
    const struct cli_finds finds = {
        .scanner = &run->scanner, .found = feed_find, .arg = run};
    while (stoq_queue_take(run->queue, &item, UINT64_MAX) == 0) {
        struct stoq_error err = {0};
        run->item = &item;
        int r = cli_finds_of(&finds, &item, &err);
        if (r < 0)
            lose(run, NULL, &err);
        /* no task took it: nothing was found */
        stoq_receipt_settle(&item.receipt, r < 0 ? r : -ENOENT);
        stoq_queue_item_fini(&item);
    }
    (void)pthread_mutex_lock(&run->lock);
    run->fed = true;
    (void)pthread_cond_broadcast(&run->changed);
    (void)pthread_mutex_unlock(&run->lock);
    return NULL;
}

/* ------------------------------------------------------------------- reporting */

/* The next finished task, or NULL when there will be none. */
static struct task *
next_task(struct run *run)
{
    (void)pthread_mutex_lock(&run->lock);
    while (!run->first && !(run->fed && run->in_flight == 0))
        (void)pthread_cond_wait(&run->changed, &run->lock);
    struct task *t = run->first;
    if (t) {
        run->first = t->next;
        if (!run->first)
            run->last = &run->first;
        run->finished--;
        (void)pthread_cond_broadcast(&run->changed);
    }
    (void)pthread_mutex_unlock(&run->lock);
    return t;
}

static void
report_all(struct run *run)
{
    struct task *t;
    while ((t = next_task(run))) {
        int r = t->response ? cli_report_response(&run->report, t->response)
                            : cli_report_outcome(&run->report, t->outcome, t->fd);
        stoq_receipt_settle(&t->receipt, r < 0 ? -EAGAIN : 0);
        task_free(t);
    }
}

/* --------------------------------------------------------------------- signals */

/* The first signal ends the run in good order, the second one at once. */
static void *
watch_signals(void *arg)
{
    struct run *run = arg;
    int number = 0;
    for (unsigned seen = 0; sigwait(&run->ending, &number) == 0; seen++) {
        if (atomic_load(&run->ended))
            return NULL;
        if (seen == 0) {
            STOQ_INFO("%s: finishing what is in flight", strsignal(number));
            stoq_queue_cancel(run->queue);
            continue;
        }
        (void)signal(number, SIG_DFL);
        (void)pthread_sigmask(SIG_UNBLOCK, &run->ending, NULL);
        (void)raise(number);
    }
    return NULL;
}

/* --------------------------------------------------------------- start and end */

/* Whether calls of @name may run beside each other; not, when it cannot be told. */
static bool
is_parallel(const struct stoq *engine, const char *name)
{
    const struct stoq_manifest *m =
        stoq_catalogue_find(stoq_engine_catalogue(engine), name);
    json_t *facts = NULL;
    if (!m || stoq_manifest_describe(m, &facts, NULL) < 0)
        return false;
    const char *model = stoq_json_string_of(facts, "thread_model");
    bool parallel = model && strcmp(model, "parallel") == 0;
    json_decref(facts);
    return parallel;
}

static int
add_provider(struct run *run, const char *name, struct stoq_error *err)
{
    struct stoq_loaded *plugin = stoq_engine_find(run->scanner.outputs, name);
    if (!plugin)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT, "no provider %s", name);
    const struct stoq_config *c = run->config;
    bool twice = stoq_strv_has(&c->connectors, name) ||
                 stoq_strv_has(&c->decorators, name) ||
                 stoq_strv_has(&c->source_archivers, name) ||
                 stoq_strv_has(&c->dest_archivers, name);
    /* its other calls would wait for ingest, which waits for them to make room */
    if (twice && !is_parallel(run->scanner.outputs, name))
        return stoq_error_set(
            err, STOQ_ERROR_CONFIG, -EINVAL,
            "plugin %s cannot be a provider and something else in one "
            "run: it allows one call at a time",
            name);
    run->providers[run->provider_count++] =
        (struct provider){.run = run, .plugin = plugin};
    return 0;
}

/* Names are loaded without blanks at their ends. */
static int
add_stripped(struct stoq_strv *names, const char *name)
{
    static const char blanks[] = " \t\r\n\v\f";
    name += strspn(name, blanks);
    size_t n = strlen(name);
    while (n > 0 && strchr(blanks, name[n - 1]))
        n--;
    STOQ_AUTOFREE char *copy = strndup(name, n);
    return copy ? stoq_strv_add_unique(names, copy) : -ENOMEM;
}

static int
find_providers(struct run *run, struct stoq_error *err)
{
    struct stoq_strv names = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < run->config->providers.count; i++)
        r = add_stripped(&names, run->config->providers.items[i]);
    run->providers = calloc(names.count, sizeof(*run->providers));
    if (r < 0 || !run->providers)
        r = stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < names.count; i++)
        r = add_provider(run, names.items[i], err);
    stoq_strv_fini(&names);
    return r;
}

static int
start(struct run *run, struct stoq_error *err)
{
    size_t room = run->config->max_queue ? run->config->max_queue : 100;
    int r = cli_scanner_load(&run->scanner, run->args, run->config, err);
    if (r < 0)
        return r;
    /* from here on a signal waits for watch_signals(), in all threads */
    (void)pthread_sigmask(SIG_BLOCK, &run->ending, NULL);
    r = cli_scanner_start(&run->scanner, STOQ_ROLE_PROVIDER | STOQ_ROLE_SOURCE_ARCHIVER,
                          err);
    if (r == 0)
        r = find_providers(run, err);
    if (r == 0)
        r = stoq_queue_new(room, &run->queue, err);
    return r;
}

static int
start_thread(pthread_t *thread, void *(*main)(void *), void *arg)
{
    int r = pthread_create(thread, NULL, main, arg);
    if (r != 0)
        STOQ_ERROR("cannot start a thread: %s", strerror(r));
    return -r;
}

/* Run to the end. @return the number of threads that could not be started. */
static unsigned
run_all(struct run *run)
{
    if (start_thread(&run->signals, watch_signals, run) < 0)
        return 1;
    unsigned missing = 0;
    size_t started = 0;
    run->ingesting = run->provider_count + 1; /* + 1: this function */
    if (start_thread(&run->feeder, feed, run) < 0) {
        missing++;
        run->fed = true;
    }
    for (; missing == 0 && started < run->provider_count; started++) {
        struct provider *p = &run->providers[started];
        if (start_thread(&p->thread, ingest, p) < 0) {
            missing++;
            break;
        }
    }
    (void)pthread_mutex_lock(&run->lock);
    run->ingesting -= 1 + run->provider_count - started;
    bool none = run->ingesting == 0;
    (void)pthread_mutex_unlock(&run->lock);
    if (none)
        stoq_queue_close(run->queue);
    report_all(run);
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(run->providers[i].thread, NULL);
    if (run->feeder)
        (void)pthread_join(run->feeder, NULL);
    atomic_store(&run->ended, true);
    (void)pthread_kill(run->signals, SIGTERM);
    (void)pthread_join(run->signals, NULL);
    return missing;
}

int
cli_run(const struct cli_args *a)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_config) config = NULL;
    if (cli_config(a, &config, NULL, &err) < 0)
        return cli_fail(CLI_USAGE, &err);
    if (a->files.count)
        (void)stoq_error_set(&err, STOQ_ERROR_CONFIG, -EINVAL,
                             "%s: stoq run takes no files; providers find them",
                             a->files.items[0]);
    else if (config->providers.count == 0)
        (void)stoq_error_set(&err, STOQ_ERROR_CONFIG, -EINVAL,
                             "No activated provider plugins");
    if (err.code)
        return cli_fail(CLI_USAGE, &err);
    struct run run = {.args = a,
                      .config = config,
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .changed = PTHREAD_COND_INITIALIZER,
                      .last = &run.first};
    (void)sigemptyset(&run.ending);
    (void)sigaddset(&run.ending, SIGINT);
    (void)sigaddset(&run.ending, SIGTERM);
    cli_report_init(&run.report, config, false);
    run.report.tty = isatty(STDERR_FILENO);
    if (config->connectors.count == 0)
        STOQ_WARN("no connectors: results are counted and dropped");
    int status;
    if (start(&run, &err) < 0) {
        status = cli_fail(CLI_USAGE, &err);
    } else {
        run.report.engine = run.scanner.outputs;
        run.report.incomplete += run_all(&run);
        run.report.incomplete += atomic_load(&run.lost);
        status = cli_report_end(&run.report);
    }
    stoq_queue_free(run.queue); /* may tell plugins, which are closed next */
    cli_scanner_stop(&run.scanner);
    free(run.providers);
    return status;
}
