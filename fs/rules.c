/* SPDX-License-Identifier: Apache-2.0 */

/* See rules.h. */

#include "rules.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "control.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/json.h"
#include "util/log.h"

#define REPORT_MOST (64 << 20)

struct stoqfs_rules {
    int control;
    pthread_mutex_t lock;
    json_t *report; /* guarded by lock, as all below */
    uint64_t requests, counts[STOQFS_RELOAD_RESULTS];
};

static const char *const result_names[STOQFS_RELOAD_RESULTS] = {"swapped", "unchanged",
                                                                "refused"};

const char *
stoqfs_reload_result_name(enum stoqfs_reload_result result)
{
    return result_names[result];
}

static uint64_t
number_of(const json_t *report, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(report, key));
}

int
stoqfs_rules_new(const json_t *report, int control, struct stoqfs_rules **out,
                 struct stoq_error *err)
{
    struct stoqfs_rules *r = calloc(1, sizeof(*r));
    if (r)
        r->report = json_deep_copy(report);
    if (!r || !r->report || pthread_mutex_init(&r->lock, NULL) != 0) {
        if (r)
            json_decref(r->report);
        free(r);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    r->control = control;
    r->requests = number_of(report, "asked");
    *out = r;
    return 0;
}

void
stoqfs_rules_free(struct stoqfs_rules *r)
{
    if (!r)
        return;
    json_decref(r->report);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

static json_t *
read_report(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > REPORT_MOST)
        return NULL;
    size_t size = (size_t)st.st_size;
    void *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return NULL;
    json_t *report = stoq_json_parse(text, size, NULL);
    (void)munmap(text, size);
    return report;
}

static void
count_locked(struct stoqfs_rules *r)
{
    const char *result =
        stoq_json_string_of(json_object_get(r->report, "last_reload"), "result");
    for (unsigned i = 0; result && i < STOQFS_RELOAD_RESULTS; i++)
        if (strcmp(result, result_names[i]) == 0)
            r->counts[i]++;
}

bool
stoqfs_rules_report(struct stoqfs_rules *r, int fd)
{
    json_t *report = read_report(fd);
    if (!report) {
        STOQ_ERROR("the supervisor's report on rules cannot be read");
        return false;
    }
    (void)pthread_mutex_lock(&r->lock);
    /* one that tells of a restarted zygote tells of no other reload than before */
    bool news = !json_equal(json_object_get(report, "last_reload"),
                            json_object_get(r->report, "last_reload"));
    json_t *old = r->report;
    r->report = report;
    if (news)
        count_locked(r);
    (void)pthread_mutex_unlock(&r->lock);
    json_decref(old);
    return news;
}

int
stoqfs_rules_ask(struct stoqfs_rules *r, uint64_t *number)
{
    struct stoqfs_control m = {.type = STOQFS_CONTROL_RELOAD};
    (void)pthread_mutex_lock(&r->lock);
    *number = ++r->requests;
    (void)pthread_mutex_unlock(&r->lock);
    (void)snprintf(m.text, sizeof(m.text), "%llu", (unsigned long long)*number);
    return stoq_msg_send(r->control, &m, sizeof(m), NULL, 0);
}

/* What the yara plugin told of its rules. */
static void
put_rules(json_t *out, const json_t *facts)
{
    const json_t *plugins = json_object_get(facts, "plugins");
    const json_t *rules = json_object_get(json_object_get(plugins, "yara"), "rules");
    const json_t *loaded = json_object_get(rules, "loaded");
    const json_t *failed = json_object_get(rules, "failed");
    (void)json_object_set_new(out, "loaded",
                              loaded ? json_deep_copy(loaded) : json_integer(0));
    (void)json_object_set_new(out, "failed",
                              failed ? json_deep_copy(failed) : json_array());
}

json_t *
stoqfs_rules_status(struct stoqfs_rules *r)
{
    static const char *const keys[] = {"generation", "digest", "loaded_at",
                                       "last_reload"};
    json_t *out = json_object();
    (void)pthread_mutex_lock(&r->lock);
    put_rules(out, json_object_get(r->report, "facts"));
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(keys); i++) {
        const json_t *value = json_object_get(r->report, keys[i]);
        (void)json_object_set_new(out, keys[i], json_deep_copy(value));
    }
    (void)json_object_set_new(out, "requests", json_integer((json_int_t)r->requests));
    (void)json_object_set_new(
        out, "answered", json_integer((json_int_t)number_of(r->report, "request")));
    (void)pthread_mutex_unlock(&r->lock);
    return out;
}

uint64_t
stoqfs_rules_counts(struct stoqfs_rules *r, uint64_t counts[STOQFS_RELOAD_RESULTS])
{
    (void)pthread_mutex_lock(&r->lock);
    memcpy(counts, r->counts, sizeof(r->counts));
    uint64_t generation = number_of(r->report, "generation");
    (void)pthread_mutex_unlock(&r->lock);
    return generation;
}
