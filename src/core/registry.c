/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The plugins an engine was asked for, each loaded once, on demand. Callers: engine.c
 * at the start, resolve.c while scanning. Locks: stoq.load_lock around loading, so that
 * a plugin is opened once; stoq.lock around the table, held for moments only.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/engine.h"
#include "util/auto.h"

static struct stoq_slot *
find_locked(const struct stoq *stoq, const char *name)
{
    for (size_t i = 0; i < stoq->slot_count; i++)
        if (strcmp(stoq->slots[i]->name, name) == 0)
            return stoq->slots[i];
    return NULL;
}

static struct stoq_slot *
find(const struct stoq *stoq, const char *name)
{
    /* The lock is the one member of a const engine that finding changes. */
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&stoq->lock;
    (void)pthread_mutex_lock(lock);
    struct stoq_slot *slot = find_locked(stoq, name);
    (void)pthread_mutex_unlock(lock);
    return slot;
}

static void
slot_free(struct stoq_slot *slot)
{
    if (!slot)
        return;
    stoq_loaded_free(slot->loaded);
    free(slot->name);
    free(slot);
}

/* Put slot into the table. @return 0 or -ENOMEM. */
static int
publish_locked(struct stoq *stoq, struct stoq_slot *slot)
{
    if (stoq->slot_count == stoq->slot_room) {
        size_t room = stoq->slot_room ? 2 * stoq->slot_room : 16;
        struct stoq_slot **slots =
            reallocarray(stoq->slots, room, sizeof(struct stoq_slot *));
        if (!slots)
            return -ENOMEM;
        stoq->slots = slots;
        stoq->slot_room = room;
    }
    stoq->slots[stoq->slot_count++] = slot;
    return 0;
}

/* Load what the manifest names with the settings of its section. */
static int
load(const struct stoq *stoq, const char *name, struct stoq_loaded **out,
     struct stoq_error *err)
{
    const struct stoq_manifest *manifest = stoq_catalogue_find(stoq->catalogue, name);
    if (!manifest)
        return stoq_error_set(
            err, STOQ_ERROR_CONFIG, -ENOENT,
            "stoq.exceptions.StoqPluginNotFound: The plugin \"%s\" is "
            "invalid or does not exist in your plugin path",
            name);
    struct stoq_option_source settings = {0};
    const struct stoq_plugin_options *section = stoq_config_plugin(stoq->config, name);
    if (section) {
        settings.keys = stoq_strv_items(&section->keys);
        settings.values = stoq_strv_items(&section->values);
        settings.origins = stoq_strv_items(&section->origins);
        settings.count = section->keys.count;
    }
    int rc = stoq_loaded_new(manifest, &settings, stoq->config->cache_dir, out, err);
    return rc < 0 ? stoq_error_set(err, STOQ_ERROR_PLUGIN, rc, "%s", strerror(-rc)) : 0;
}

static int
load_slot(struct stoq *stoq, const char *name, struct stoq_slot **out)
{
    struct stoq_slot *slot = calloc(1, sizeof(*slot));
    if (!slot || !(slot->name = strdup(name))) {
        slot_free(slot);
        return -ENOMEM;
    }
    (void)load(stoq, name, &slot->loaded, &slot->why);
    (void)pthread_mutex_lock(&stoq->lock);
    int rc = publish_locked(stoq, slot);
    (void)pthread_mutex_unlock(&stoq->lock);
    if (rc < 0) {
        slot_free(slot);
        return rc;
    }
    *out = slot;
    return 0;
}

int
stoq_registry_get(struct stoq *stoq, const char *name, struct stoq_loaded **out,
                  struct stoq_error *err)
{
    struct stoq_slot *slot = find(stoq, name);
    if (!slot && stoq->closed && stoq_catalogue_find(stoq->catalogue, name))
        stoq->closed(name);
    if (!slot) {
        (void)pthread_mutex_lock(&stoq->load_lock);
        slot = find(stoq, name);
        int rc = slot ? 0 : load_slot(stoq, name, &slot);
        (void)pthread_mutex_unlock(&stoq->load_lock);
        if (rc < 0)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, rc, "out of memory");
    }
    if (!slot->loaded) {
        if (err && !err->code)
            *err = slot->why;
        return slot->why.code;
    }
    *out = slot->loaded;
    return 0;
}

struct stoq_loaded *
stoq_engine_find(const struct stoq *stoq, const char *name)
{
    const struct stoq_slot *slot = find(stoq, name);
    return slot ? slot->loaded : NULL;
}

unsigned
stoq_manifest_roles(const struct stoq_manifest *manifest)
{
    json_auto_t *described = NULL;
    if (stoq_manifest_describe(manifest, &described, NULL) < 0)
        return 0;
    unsigned roles = 0;
    size_t i;
    json_t *operation;
    json_array_foreach (json_object_get(described, "operations"), i, operation) {
        const char *name = json_string_value(operation);
        if (name && strcmp(name, "scan") == 0)
            roles |= STOQ_ROLE_WORKER;
        if (name && strcmp(name, "dispatch") == 0)
            roles |= STOQ_ROLE_DISPATCHER;
    }
    return roles;
}

void
stoq_registry_fini(struct stoq *stoq)
{
    while (stoq->slot_count > 0)
        slot_free(stoq->slots[--stoq->slot_count]);
    free(stoq->slots);
    stoq->slots = NULL;
}
