/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Making and ending an engine: configuration, catalogue of plugins, and those that the
 * configuration names, in stoQ's order of loading. Callers: the public interface, the
 * pool's zygote, the courier. Locks: see core.h; making one needs none.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/dirs.h"
#include "core/engine.h"
#include "plugin/loaded.h"
#include "util/auto.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq)

const char *
stoq_version(void)
{
    return STOQ_VERSION;
}

/* Copy name without blanks at its ends. NULL on -ENOMEM. */
static char *
strip(const char *name)
{
    static const char blanks[] = " \t\r\n\v\f";
    name += strspn(name, blanks);
    size_t n = strlen(name);
    while (n > 0 && strchr(blanks, name[n - 1]))
        n--;
    return strndup(name, n);
}

/* ------------------------------------------------------------ loading by role */

/* What a list of the configuration loads, and where it goes. */
struct duty {
    enum stoq_role role;
    const char *key;
    const struct stoq_strv *names;
    struct stoq_roster *roster; /* NULL = only loaded */
    bool repeats;               /* a name given twice is called twice */
};

static int
roster_add(struct stoq_roster *r, struct stoq_loaded *p, bool repeats)
{
    for (size_t i = 0; i < r->count && !repeats; i++)
        if (r->items[i] == p)
            return 0;
    struct stoq_loaded **items =
        reallocarray(r->items, r->count + 1, sizeof(struct stoq_loaded *));
    if (!items)
        return -ENOMEM;
    items[r->count++] = p;
    r->items = items;
    return 0;
}

static int
load_one(struct stoq *stoq, const struct duty *duty, const char *name,
         struct stoq_error *err)
{
    STOQ_AUTOFREE char *stripped = strip(name);
    if (!stripped)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    struct stoq_loaded *p = NULL;
    int rc = stoq_registry_get(stoq, stripped, &p, err);
    if (rc < 0)
        return rc;
    if (!(stoq_loaded_roles(p) & (unsigned)duty->role))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "plugin %s cannot serve under \"%s\"", stripped,
                              duty->key);
    rc = duty->roster ? roster_add(duty->roster, p, duty->repeats)
                      : stoq_strv_add_unique(&stoq->always, stripped);
    return rc < 0 ? stoq_error_set(err, STOQ_ERROR_SYSTEM, rc, "out of memory") : 0;
}

static int
load_roles(struct stoq *stoq, unsigned roles, struct stoq_error *err)
{
    const struct stoq_config *c = stoq->config;
    struct stoq_roster providers = {0};
    const struct duty duties[] = {
        {STOQ_ROLE_PROVIDER, "providers", &c->providers, &providers, false},
        {STOQ_ROLE_SOURCE_ARCHIVER, "source_archivers", &c->source_archivers,
         &stoq->sources, false},
        {STOQ_ROLE_DEST_ARCHIVER, "dest_archivers", &c->dest_archivers,
         &stoq->archivers, false},
        {STOQ_ROLE_CONNECTOR, "connectors", &c->connectors, &stoq->connectors, true},
        {STOQ_ROLE_DISPATCHER, "dispatchers", &c->dispatchers, &stoq->dispatchers,
         false},
        {STOQ_ROLE_DECORATOR, "decorators", &c->decorators, &stoq->decorators, false},
        {STOQ_ROLE_WORKER, "always_dispatch", &c->always_dispatch, NULL, false},
    };
    int rc = 0;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(duties) && rc == 0; i++) {
        if (!(roles & (unsigned)duties[i].role))
            continue;
        for (size_t k = 0; k < duties[i].names->count && rc == 0; k++)
            rc = load_one(stoq, &duties[i], duties[i].names->items[k], err);
    }
    free(providers.items);
    return rc;
}

/* Load what name requires, and so on. A failure is told when a scan needs the plugin.
 * `seen` ends circles. */
static void
load_required(struct stoq *stoq, const char *name, struct stoq_strv *seen)
{
    struct stoq_loaded *p = NULL;
    if (stoq_strv_has(seen, name) || stoq_strv_add(seen, name) < 0 ||
        stoq_registry_get(stoq, name, &p, NULL) < 0)
        return;
    const struct stoq_strv *required = stoq_loaded_required(p);
    for (size_t i = 0; i < required->count; i++)
        load_required(stoq, required->items[i], seen);
}

/* ------------------------------------------------------------------- lifetime */

static int
open_catalogue(struct stoq *stoq, struct stoq_error *err)
{
    struct stoq_strv dirs = {0};
    int rc = stoq_dirs_all(&stoq->config->plugin_dirs, &dirs);
    if (rc < 0)
        (void)stoq_error_set(err, STOQ_ERROR_SYSTEM, rc, "out of memory");
    else
        rc = stoq_catalogue_new(&dirs, &stoq->catalogue, err);
    stoq_strv_fini(&dirs);
    return rc;
}

int
stoq_new(const struct stoq_config *config, unsigned roles, struct stoq **out,
         struct stoq_error *err)
{
    STOQ_AUTO(stoq) stoq = calloc(1, sizeof(*stoq));
    if (!stoq)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    (void)pthread_mutex_init(&stoq->load_lock, NULL);
    (void)pthread_mutex_init(&stoq->lock, NULL);
    int rc = config ? stoq_config_dup(config, &stoq->config, err)
                    : stoq_config_new(&stoq->config, err);
    if (rc == 0)
        rc = open_catalogue(stoq, err);
    roles = roles ? roles : STOQ_ROLE_ALL;
    if (rc == 0)
        rc = load_roles(stoq, roles, err);
    if (rc < 0)
        return rc;
    struct stoq_strv seen = {0};
    for (size_t i = 0; i < stoq->always.count; i++)
        load_required(stoq, stoq->always.items[i], &seen);
    stoq_strv_fini(&seen);
    rc = stoq_identity_compute(stoq, roles);
    if (rc < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, rc, "out of memory");
    *out = STOQ_STEAL(&stoq);
    return 0;
}

void
stoq_free(struct stoq *stoq)
{
    if (!stoq)
        return;
    stoq_registry_fini(stoq);
    stoq_catalogue_free(stoq->catalogue);
    stoq_config_free(stoq->config);
    free(stoq->sources.items);
    free(stoq->archivers.items);
    free(stoq->decorators.items);
    free(stoq->connectors.items);
    free(stoq->dispatchers.items);
    stoq_strv_fini(&stoq->always);
    (void)pthread_mutex_destroy(&stoq->lock);
    (void)pthread_mutex_destroy(&stoq->load_lock);
    free(stoq);
}

int
stoq_load_plugin(struct stoq *stoq, const char *name, struct stoq_error *err)
{
    STOQ_AUTOFREE char *stripped = strip(name);
    if (!stripped)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    struct stoq_loaded *p = NULL;
    struct stoq_strv seen = {0};
    int rc = stoq_registry_get(stoq, stripped, &p, err);
    if (rc == 0)
        load_required(stoq, stripped, &seen);
    stoq_strv_fini(&seen);
    return rc;
}

void
stoq_engine_preload(struct stoq *stoq)
{
    struct stoq_strv seen = {0};
    for (size_t i = 0; i < stoq_catalogue_count(stoq->catalogue); i++) {
        const struct stoq_manifest *m = stoq_catalogue_at(stoq->catalogue, i);
        if (stoq_catalogue_find(stoq->catalogue, m->name) == m &&
            (stoq_manifest_roles(m) & STOQ_ROLE_WORKER))
            load_required(stoq, m->name, &seen);
    }
    stoq_strv_fini(&seen);
}

/* ---------------------------------------------------------------------- views */

const struct stoq_config *
stoq_engine_config(const struct stoq *stoq)
{
    return stoq->config;
}

const char *
stoq_engine_id(const struct stoq *stoq)
{
    return stoq->id;
}

const struct stoq_catalogue *
stoq_engine_catalogue(const struct stoq *stoq)
{
    return stoq->catalogue;
}

/* What the plugin's options name and it may have read: its PATH options, but for places
 * for scratch files. */
static int
add_paths(json_t *paths, const struct stoq_loaded *p)
{
    const struct stoq_options *o = &p->ctx.options;
    int rc = 0;
    for (size_t i = 0; i < o->count; i++) {
        const struct stoq_option_value *v = &o->items[i];
        if (v->type == STOQ_OPTION_PATH && v->text && *v->text &&
            strncmp(v->name, "tmp", 3) != 0 &&
            stoq_utf8_valid(v->text, strlen(v->text)))
            rc |= json_array_append_new(paths, json_string(v->text));
    }
    return rc;
}

json_t *
stoq_engine_facts(const struct stoq *stoq)
{
    json_t *facts = json_object();
    json_t *workers = json_array();
    json_t *plugins = json_object();
    json_t *paths = json_array();
    int rc = json_object_set_new(facts, "engine_id", json_string(stoq->id));
    rc |= json_object_set_new(facts, "version", json_string(stoq_version()));
    rc |= json_object_set_new(facts, "workers", workers);
    rc |= json_object_set_new(facts, "plugins", plugins);
    rc |= json_object_set_new(facts, "paths", paths);
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&stoq->lock;
    (void)pthread_mutex_lock(lock);
    for (size_t i = 0; i < stoq->slot_count && rc == 0; i++) {
        const struct stoq_loaded *p = stoq->slots[i]->loaded;
        if (!p)
            continue;
        if (stoq_loaded_roles(p) & STOQ_ROLE_WORKER)
            rc |= json_array_append_new(workers, json_string(stoq_loaded_name(p)));
        rc |= json_object_set_new(plugins, stoq_loaded_name(p),
                                  json_deep_copy(stoq_loaded_facts(p)));
        if (stoq_loaded_roles(p) & (STOQ_ROLE_WORKER | STOQ_ROLE_DISPATCHER))
            rc |= add_paths(paths, p);
    }
    (void)pthread_mutex_unlock(lock);
    if (rc != 0) {
        json_decref(facts);
        return NULL;
    }
    return facts;
}

void
stoq_engine_close(struct stoq *stoq, void (*fn)(const char *name))
{
    stoq->closed = fn;
}

int
stoq_engine_scratch(const struct stoq *stoq, struct stoq_strv *out)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&stoq->lock;
    int r = 0;
    (void)pthread_mutex_lock(lock);
    for (size_t i = 0; i < stoq->slot_count && r >= 0; i++) {
        const struct stoq_loaded *p = stoq->slots[i]->loaded;
        const struct stoq_strv *dirs = p ? stoq_loaded_scratch(p) : NULL;
        for (size_t k = 0; dirs && k < dirs->count && r >= 0; k++)
            r = stoq_strv_add_unique(out, dirs->items[k]);
    }
    (void)pthread_mutex_unlock(lock);
    return r < 0 ? r : 0;
}
