/* SPDX-License-Identifier: Apache-2.0 */

/* The list of scans waiting for the courier; see waiting.h. */

#include "courier/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/auto.h"
#include "util/json.h"
#include "util/log.h"

void
stoq_waiting_init(struct stoq_waiting *w, uint64_t first_id)
{
    memset(w, 0, sizeof *w);
    (void)pthread_mutex_init(&w->lock, NULL);
    w->tail = &w->head;
    w->next_id = first_id;
}

void
stoq_waiting_fini(struct stoq_waiting *w)
{
    (void)pthread_mutex_destroy(&w->lock);
}

int
stoq_waiting_add(struct stoq_waiting *w, const struct stoq_waiting_job *like, int fd,
                 size_t max)
{
    STOQ_AUTOCLOSE int own = -1;
    struct stoq_waiting_job *job;
    bool refused;

    pthread_mutex_lock(&w->lock);
    refused = w->count >= max;
    pthread_mutex_unlock(&w->lock);
    if (fd >= 0 && !refused) {
        own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (own < 0)
            return -errno;
    }
    job = malloc(sizeof *job);
    if (!job)
        return -ENOMEM;
    *job = *like;
    job->fd = STOQ_STEAL_FD(&own);
    job->refused = refused;
    pthread_mutex_lock(&w->lock);
    job->id = w->next_id++;
    job->next = NULL;
    *w->tail = job;
    w->tail = &job->next;
    w->count++;
    pthread_mutex_unlock(&w->lock);
    return 0;
}

struct stoq_waiting_job *
stoq_waiting_next(struct stoq_waiting *w, size_t window)
{
    struct stoq_waiting_job *job;
    size_t sent = 0;

    pthread_mutex_lock(&w->lock);
    for (job = w->head; job && job->sent; job = job->next)
        sent++;
    pthread_mutex_unlock(&w->lock);
    return sent < window ? job : NULL;
}

void
stoq_waiting_sent(struct stoq_waiting *w, struct stoq_waiting_job *job)
{
    pthread_mutex_lock(&w->lock);
    job->sent = true;
    pthread_mutex_unlock(&w->lock);
}

void
stoq_waiting_lost(struct stoq_waiting *w)
{
    bool first = true;

    pthread_mutex_lock(&w->lock);
    for (struct stoq_waiting_job *job = w->head; job; job = job->next) {
        if (job->sent && first) {
            job->deaths++;
            first = false;
        }
        job->sent = false;
    }
    pthread_mutex_unlock(&w->lock);
}

bool
stoq_waiting_any(const struct stoq_waiting_job *job, uint64_t unused)
{
    (void)unused;
    return job != NULL;
}

bool
stoq_waiting_has_id(const struct stoq_waiting_job *job, uint64_t id)
{
    return job->id == id;
}

bool
stoq_waiting_is_refused(const struct stoq_waiting_job *job, uint64_t unused)
{
    (void)unused;
    return job->refused;
}

bool
stoq_waiting_is_deadly(const struct stoq_waiting_job *job, uint64_t deaths)
{
    return job->deaths >= deaths;
}

struct stoq_waiting_job *
stoq_waiting_take(struct stoq_waiting *w, stoq_waiting_match match, uint64_t arg)
{
    struct stoq_waiting_job *found = NULL;

    pthread_mutex_lock(&w->lock);
    for (struct stoq_waiting_job **p = &w->head; *p; p = &(*p)->next) {
        if (!match(*p, arg))
            continue;
        found = *p;
        *p = found->next;
        if (w->tail == &found->next)
            w->tail = p;
        found->next = NULL;
        w->count--;
        break;
    }
    pthread_mutex_unlock(&w->lock);
    return found;
}

void
stoq_waiting_fail(struct stoq_waiting *w, stoq_waiting_match match, uint64_t arg,
                  const char *why)
{
    struct stoq_waiting_job *job;

    while ((job = stoq_waiting_take(w, match, arg)))
        stoq_waiting_end(job, why);
}

static void
add_error(struct stoq_outcome *o, const char *text)
{
    struct stoq_error ignored = {0};
    json_auto_t *doc = stoq_json_parse(o->document, o->document_size, &ignored);
    json_t *errors = json_object_get(doc, "errors");
    json_t *entry =
        json_pack("{s:o*, s:n, s:n}", "error", stoq_json_text(text, strlen(text), NULL),
                  "plugin_name", "payload_id");
    char *changed = NULL;

    if (json_array_append_new(errors, entry) == 0)
        changed = stoq_json_dump(doc, false);
    if (!changed) {
        STOQ_ERROR("scan %s: %s", o->scan_id, text);
        return;
    }
    free(o->document);
    o->document = changed;
    o->document_size = strlen(changed);
}

void
stoq_waiting_end(struct stoq_waiting_job *job, const char *why)
{
    char text[STOQ_ERROR_MESSAGE_MAX + 64];

    if (why) {
        (void)snprintf(text, sizeof text,
                       "courier: archivers and decorators did not run to their end: %s",
                       why);
        add_error(job->outcome, text);
    }
    job->done(job->arg, job->outcome, job->fd);
    stoq_auto_close(&job->fd);
    free(job);
}
