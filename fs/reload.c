/* SPDX-License-Identifier: Apache-2.0 */

/* See reload.h. The steps: LOADING until the zygote says it is ready, TRYING until its
 * scanner has answered, then judged. */

#include "reload.h"

#include <string.h>
#include <sys/mman.h>

#include "control.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/io.h"
#include "util/json.h"
#include "util/log.h"

#define LOAD_MS   300000 /* compiling very large rule sets without a cache */
#define TRIAL_MS  60000
#define FIRST_MS  5000 /* the trial at the start, which only serves to compare with */
#define SETTLE_MS 1000 /* without a change to the files */
#define LONGEST   10   /* times that, when changes do not end */

void
stoqfs_reload_init(struct stoqfs_reload *r, const struct stoqfs_options *o)
{
    *r = (struct stoqfs_reload){.o = o, .next = {.control = -1}};
    int e = o->watch_rules ? stoqfs_reload_watch_new(&r->watch) : 0;
    if (e < 0)
        STOQ_WARN("rules are not watched: inotify: %s", strerror(-e));
}

static void
let_go(struct stoqfs_reload *r)
{
    stoq_trial_free(STOQ_STEAL(&r->trial));
    if (r->next.pid > 0)
        stoq_zygote_end(&r->next);
    json_decref(r->next.facts);
    stoq_auto_close(&r->next.control);
    r->next = (struct stoq_zygote){.control = -1};
    r->state = STOQFS_RELOAD_IDLE;
}

void
stoqfs_reload_fini(struct stoqfs_reload *r)
{
    let_go(r);
    stoqfs_reload_watch_free(STOQ_STEAL(&r->watch));
    json_decref(r->report);
    r->report = NULL;
}

void
stoqfs_reload_forked(struct stoqfs_reload *r)
{
    stoq_trial_free(STOQ_STEAL(&r->trial));
    stoq_auto_close(&r->next.control);
    stoqfs_reload_watch_free(STOQ_STEAL(&r->watch));
}

/* ------------------------------------------------------------------------ report */

static json_t *
time_now(void)
{
    char text[STOQ_TIME_SIZE];
    stoq_time_format(stoq_real_ns(), text);
    return json_string(text);
}

/* @p z is in force from now on, @p step generations later. */
static void
put_in_force(struct stoqfs_reload *r, const struct stoq_zygote *z, json_int_t step)
{
    json_int_t generation =
        json_integer_value(json_object_get(r->report, "generation"));
    if (!r->report)
        r->report = json_pack("{s:n}", "last_reload");
    (void)json_object_set_new(r->report, "generation", json_integer(generation + step));
    (void)json_object_set_new(r->report, "digest", json_string(z->engine_id));
    (void)json_object_set_new(r->report, "loaded_at", time_now());
    (void)json_object_set(r->report, "facts", z->facts);
    if (r->watch)
        stoqfs_reload_watch_set(r->watch, json_object_get(z->facts, "paths"));
}

static void
put_result(struct stoqfs_reload *r, enum stoqfs_reload_result result, const char *error)
{
    json_t *last = json_object();
    (void)json_object_set_new(last, "time", time_now());
    (void)json_object_set_new(last, "result",
                              json_string(stoqfs_reload_result_name(result)));
    (void)json_object_set_new(last, "error", error ? json_string(error) : json_null());
    (void)json_object_set_new(r->report, "last_reload", last);
    (void)json_object_set_new(r->report, "request",
                              json_integer((json_int_t)r->serving));
}

int
stoqfs_reload_tell(const struct stoqfs_reload *r, int control, const char *engine_id,
                   int zygote)
{
    struct stoqfs_control m = {.type = zygote < 0 ? STOQFS_CONTROL_RELOADED
                                                  : STOQFS_CONTROL_ZYGOTE};
    STOQ_AUTOFREE char *text = stoq_json_dump(r->report, false);
    STOQ_AUTOCLOSE int report = memfd_create("report", MFD_CLOEXEC);
    int e = report < 0 ? -errno : text ? 0 : -ENOMEM;
    if (e == 0)
        e = stoq_write_full(report, text, strlen(text));
    const int fds[2] = {report, zygote};
    (void)snprintf(m.text, sizeof(m.text), "%s", engine_id ? engine_id : "");
    if (e == 0)
        e = stoq_msg_send(control, &m, sizeof(m), fds, zygote < 0 ? 1 : 2);
    if (e < 0)
        STOQ_WARN("cannot tell the mirror of the rules: %s", strerror(-e));
    return e;
}

/* ------------------------------------------------------------------- how it ended */

static enum stoqfs_reload_end
ended(struct stoqfs_reload *r, enum stoqfs_reload_result result, const char *error)
{
    put_result(r, result, error);
    if (result != STOQFS_RELOAD_SWAPPED)
        let_go(r);
    r->state = STOQFS_RELOAD_IDLE;
    return result == STOQFS_RELOAD_SWAPPED ? STOQFS_RELOAD_SWAP : STOQFS_RELOAD_TELL;
}

static enum stoqfs_reload_end
refused(struct stoqfs_reload *r, const char *error)
{
    STOQ_ERROR("reload refused, generation %lld stays in force: %s",
               (long long)json_integer_value(json_object_get(r->report, "generation")),
               error);
    return ended(r, STOQFS_RELOAD_REFUSED, error);
}

/* ------------------------------------------------- is the next set worse than this */

/* Whether a list of failed files has @p file. */
static bool
has_file(const json_t *failed, const char *file)
{
    size_t i;
    const json_t *f;
    json_array_foreach (failed, i, f) {
        const char *other = stoq_json_string_of(f, "file");
        if (other && strcmp(other, file) == 0)
            return true;
    }
    return false;
}

/* Files of one fact that fail now and did not before: counted, the first into @p text.
 */
static size_t
newly_failed(const json_t *now, const json_t *before, char *text, size_t size)
{
    const json_t *failed = json_object_get(now, "failed");
    const json_t *f;
    size_t i, n = 0;
    json_array_foreach (failed, i, f) {
        const char *file = stoq_json_string_of(f, "file");
        const char *message = stoq_json_string_of(f, "message");
        if (!file || has_file(json_object_get(before, "failed"), file))
            continue;
        if (n++ == 0 && !*text)
            (void)snprintf(text, size, "%s:%lld: %s", file,
                           (long long)json_integer_value(json_object_get(f, "line")),
                           message ? message : "cannot be used");
    }
    return n;
}

/* Any plugin that publishes a list "failed" of {file, line, message} in a fact takes
 * part. */
static bool
lost_files(const json_t *now, const json_t *before, char *text, size_t size)
{
    const char *plugin, *fact;
    json_t *facts, *value;
    size_t n = 0;
    text[0] = '\0';
    json_object_foreach (json_object_get((json_t *)(uintptr_t)now, "plugins"), plugin,
                         facts) {
        const json_t *old = json_object_get(json_object_get(before, "plugins"), plugin);
        json_object_foreach (facts, fact, value)
            n += newly_failed(value, json_object_get(old, fact), text, size);
    }
    size_t used = strlen(text);
    if (n > 1)
        (void)snprintf(text + used, size - used, " (and %zu more)", n - 1);
    return n > 0;
}

static enum stoqfs_reload_end
judge(struct stoqfs_reload *r, const struct stoq_error *trial)
{
    char text[STOQ_ERROR_MESSAGE_MAX];
    const json_t *before = json_object_get(r->report, "facts");
    const char *digest = stoq_json_string_of(r->report, "digest");
    bool same = digest && strcmp(digest, r->next.engine_id) == 0;
    if (same && !r->forced) {
        STOQ_INFO("files changed, the rules did not: generation stays");
        return ended(r, STOQFS_RELOAD_UNCHANGED, NULL);
    }
    if (!r->o->reload_lenient) {
        if (lost_files(r->next.facts, before, text, sizeof(text)))
            return refused(r, text);
        if (r->next_bad_trial && !r->bad_trial)
            return refused(r, trial->message);
    }
    stoq_trial_free(STOQ_STEAL(&r->trial));
    put_in_force(r, &r->next, 1);
    r->bad_trial = r->next_bad_trial;
    STOQ_INFO("reloaded: generation %lld, digest %s%s",
              (long long)json_integer_value(json_object_get(r->report, "generation")),
              r->next.engine_id, same ? ", as before: known results stay" : "");
    return ended(r, STOQFS_RELOAD_SWAPPED, NULL);
}

/* -------------------------------------------------------------------------- steps */

void
stoqfs_reload_ask(struct stoqfs_reload *r, uint64_t number)
{
    if (number > r->asked)
        r->asked = number;
    r->again = r->forcing = true;
    /* a mirror that is started meanwhile goes on counting from there */
    (void)json_object_set_new(r->report, "asked", json_integer((json_int_t)r->asked));
}

/* Whether poll(2) says that @p fd has something. */
static bool
is_ready(int fd, int timeout)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout) > 0;
}

static enum stoqfs_reload_end
begin(struct stoqfs_reload *r)
{
    struct stoq_error err = {0};
    r->forced = r->forcing;
    r->again = r->forcing = false;
    r->settle_ms = r->changed_ms = 0;
    r->serving = r->asked;
    /* before anything is read: what changes from now on is noticed */
    if (r->watch)
        stoqfs_reload_watch_set(
            r->watch, json_object_get(json_object_get(r->report, "facts"), "paths"));
    if (stoq_zygote_spawn(r->o->config, NULL, r->o->mountpoint, &r->next, &err) < 0)
        return refused(r, err.message);
    r->state = STOQFS_RELOAD_LOADING;
    r->until_ms = stoq_now_ms() + LOAD_MS;
    return STOQFS_RELOAD_NOTHING;
}

static enum stoqfs_reload_end
loaded(struct stoqfs_reload *r)
{
    struct stoq_error err = {0};
    if (stoq_zygote_wait(&r->next, 0, &err) < 0 ||
        stoq_trial_new(r->next.control, r->o->config, &r->trial, &err) < 0)
        return refused(r, err.message);
    r->state = STOQFS_RELOAD_TRYING;
    r->until_ms = stoq_now_ms() + TRIAL_MS;
    return STOQFS_RELOAD_NOTHING;
}

static enum stoqfs_reload_end
tried(struct stoqfs_reload *r)
{
    enum stoq_verdict verdict = STOQ_VERDICT_ERROR;
    struct stoq_error err = {0};
    int e = stoq_trial_step(r->trial, &verdict, &err);
    if (e == 0)
        return STOQFS_RELOAD_NOTHING;
    if (e < 0)
        return refused(r, err.message);
    r->next_bad_trial =
        verdict == STOQ_VERDICT_ERROR || verdict == STOQ_VERDICT_TIMEOUT;
    return judge(r, &err);
}

/* Files changed: when they have not for a while, reload. */
static void
look_at_files(struct stoqfs_reload *r)
{
    uint64_t now = stoq_now_ms();
    if (r->watch && stoqfs_reload_watch_changed(r->watch)) {
        if (!r->changed_ms)
            r->changed_ms = now;
        r->settle_ms = now + SETTLE_MS;
        if (r->settle_ms > r->changed_ms + SETTLE_MS * LONGEST)
            r->settle_ms = r->changed_ms + SETTLE_MS * LONGEST;
    }
    if (r->settle_ms && now >= r->settle_ms)
        r->again = true;
}

enum stoqfs_reload_end
stoqfs_reload_step(struct stoqfs_reload *r)
{
    look_at_files(r);
    if (r->state == STOQFS_RELOAD_IDLE)
        return r->again ? begin(r) : STOQFS_RELOAD_NOTHING;
    bool loading = r->state == STOQFS_RELOAD_LOADING;
    if (is_ready(loading ? r->next.control : stoq_trial_fd(r->trial), 0))
        return loading ? loaded(r) : tried(r);
    if (stoq_now_ms() < r->until_ms)
        return STOQFS_RELOAD_NOTHING;
    return refused(r, loading ? "plugins were not loaded in time"
                              : "trial scan: it did not end in time");
}

bool
stoqfs_reload_child(struct stoqfs_reload *r, pid_t pid)
{
    if (pid != r->next.pid)
        return false;
    r->next.pid = 0; /* reaped; why it ended is on its socket, and read there */
    return true;
}

nfds_t
stoqfs_reload_poll(const struct stoqfs_reload *r, struct pollfd *p)
{
    nfds_t n = 0;
    if (r->watch)
        p[n++] =
            (struct pollfd){.fd = stoqfs_reload_watch_fd(r->watch), .events = POLLIN};
    if (r->state != STOQFS_RELOAD_IDLE)
        p[n++] = (struct pollfd){.fd = r->state == STOQFS_RELOAD_LOADING
                                           ? r->next.control
                                           : stoq_trial_fd(r->trial),
                                 .events = POLLIN};
    return n;
}

int
stoqfs_reload_timeout(const struct stoqfs_reload *r)
{
    uint64_t now = stoq_now_ms(), next = UINT64_MAX;
    if (r->state == STOQFS_RELOAD_IDLE && r->again)
        return 0;
    if (r->state != STOQFS_RELOAD_IDLE)
        next = r->until_ms;
    else if (r->settle_ms)
        next = r->settle_ms;
    if (next == UINT64_MAX)
        return -1;
    return next <= now ? 0 : next - now > 60000 ? 60000 : (int)(next - now);
}

/* ---------------------------------------------------------------------- the start */

void
stoqfs_reload_started(struct stoqfs_reload *r, const struct stoq_zygote *z)
{
    struct stoq_trial *trial = NULL;
    enum stoq_verdict verdict = STOQ_VERDICT_ERROR;
    uint64_t until = stoq_now_ms() + FIRST_MS, now;
    int e = stoq_trial_new(z->control, r->o->config, &trial, NULL);
    while (e == 0 && (now = stoq_now_ms()) < until &&
           is_ready(stoq_trial_fd(trial), (int)(until - now)))
        e = stoq_trial_step(trial, &verdict, NULL);
    /* not knowing is not better than failing: then the next set may fail, too */
    r->bad_trial =
        e != 1 || verdict == STOQ_VERDICT_ERROR || verdict == STOQ_VERDICT_TIMEOUT;
    stoq_trial_free(trial);
    /* started again with what is on disk now, which may be the same */
    const char *before = stoq_json_string_of(r->report, "digest");
    put_in_force(r, z, !before || strcmp(before, z->engine_id) != 0);
}
