/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin is, without making an instance: for `stoq list`.
 */

#include <errno.h>
#include <string.h>

#include <stoq/stoq.h>

#include "plugin/loaded.h"
#include "util/auto.h"
#include "util/json.h"

struct role_name {
    unsigned roles;
    const char *name;
};

/* stoQ's class names, in the order in which its listing has them. */
static const struct role_name classes[] = {
    {STOQ_ROLE_WORKER, "Worker"},
    {STOQ_ROLE_DISPATCHER, "Dispatcher"},
    {STOQ_ROLE_PROVIDER, "Provider"},
    {STOQ_ROLE_CONNECTOR, "Connector"},
    {STOQ_ROLE_SOURCE_ARCHIVER | STOQ_ROLE_DEST_ARCHIVER, "Archiver"},
    {STOQ_ROLE_DECORATOR, "Decorator"},
};

/* Which operation plays which role. */
static const struct role_name operations[] = {
    {STOQ_ROLE_WORKER, "scan"},           {STOQ_ROLE_DISPATCHER, "dispatch"},
    {STOQ_ROLE_DEST_ARCHIVER, "archive"}, {STOQ_ROLE_SOURCE_ARCHIVER, "get"},
    {STOQ_ROLE_DECORATOR, "decorate"},    {STOQ_ROLE_CONNECTOR, "save"},
    {STOQ_ROLE_PROVIDER, "ingest"},
};

static const char *
model_name(enum stoq_thread_model model)
{
    if (model == STOQ_THREAD_PARALLEL)
        return "parallel";
    return model == STOQ_THREAD_PER_INSTANCE ? "per_instance" : "serial";
}

/* A NULL @text becomes null; JSON that cannot be made shows as a failing set. */
static int
set_string(json_t *object, const char *key, const char *text)
{
    json_t *value = text ? stoq_json_text(text, strlen(text), NULL) : json_null();
    return json_object_set_new(object, key, value);
}

static json_t *
describe_roles(unsigned roles, const struct role_name *names, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++) {
        if (roles & names[i].roles)
            (void)json_array_append_new(list, json_string(names[i].name));
    }
    return list;
}

static json_t *
describe_strings(const struct stoq_strv *v)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < v->count; i++)
        (void)json_array_append_new(
            list, stoq_json_text(v->items[i], strlen(v->items[i]), NULL));
    return list;
}

static json_t *
describe_option(const struct stoq_option *row)
{
    json_t *o = json_object();
    if (!o)
        return NULL;
    int r = set_string(o, "name", row->name);
    r |= set_string(o, "type", stoq_option_type_name(row->type));
    r |= set_string(o, "default", row->fallback);
    if (row->min != 0 || row->max != 0) {
        r |= json_object_set_new(o, "min", json_integer(row->min));
        r |= json_object_set_new(o, "max", json_integer(row->max));
    }
    r |= set_string(o, "help", row->help ? row->help : "");
    if (r < 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *
describe_options(const struct stoq_option *row)
{
    json_t *list = json_array();
    for (size_t i = 0; list && row && row->name && i < STOQ_OPTIONS_MAX; row++, i++)
        (void)json_array_append_new(list, describe_option(row));
    return list;
}

static int
fill(json_t *o, const struct stoq_manifest *m, const struct stoq_plugin *plugin)
{
    int r = set_string(o, "name", m->name);
    r |= set_string(o, "version", m->version);
    r |= set_string(o, "description", m->description);
    r |= set_string(o, "author", m->author);
    r |= set_string(o, "website", m->website);
    unsigned roles = stoq_plugin_roles(plugin);
    r |= json_object_set_new(o, "roles",
                             describe_roles(roles, classes, STOQ_ARRAY_SIZE(classes)));
    r |= json_object_set_new(
        o, "operations",
        describe_roles(roles, operations, STOQ_ARRAY_SIZE(operations)));
    r |= json_object_set_new(o, "abi", json_integer((json_int_t)plugin->abi_version));
    r |= json_object_set_new(o, "struct_size",
                             json_integer((json_int_t)plugin->struct_size));
    r |= set_string(o, "thread_model", model_name(plugin->thread_model));
    r |= json_object_set_new(o, "content_only",
                             json_boolean(plugin->traits & STOQ_TRAIT_CONTENT_ONLY));
    r |= json_object_set_new(o, "any_option",
                             json_boolean(plugin->traits & STOQ_TRAIT_ANY_OPTION));
    r |= json_object_set_new(o, "options", describe_options(plugin->options));
    r |= json_object_set_new(o, "required_workers",
                             describe_strings(&m->required_workers));
    r |= set_string(o, "min_stoq_version", m->min_version);
    r |= set_string(o, "path", m->object);
    r |= set_string(o, "manifest", m->path);
    return r;
}

int
stoq_manifest_describe(const struct stoq_manifest *manifest, json_t **out,
                       struct stoq_error *err)
{
    struct stoq_object *object = NULL;
    struct stoq_plugin plugin;
    int r = stoq_manifest_open(manifest, &object, &plugin, err);
    if (r < 0)
        return r;
    json_t *o = json_object();
    if (!o || fill(o, manifest, &plugin) < 0) {
        json_decref(o);
        o = NULL;
        r = stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    stoq_object_close(object);
    if (o)
        *out = o;
    return r;
}
