/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a manifest to a loaded, checked, configured and opened plugin; see loader.h.
 */

#include "plugin/loader.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/loaded.h"
#include "plugin/trust.h"
#include "util/auto.h"
#include "util/json.h"
#include "util/log.h"

STOQ_DEFINE_AUTO(stoq_loaded)

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* Compare dotted numbers; a part that is missing is 0, other text ends the version. */
static int
version_compare(const char *a, const char *b)
{
    while (isdigit((unsigned char)*a) || isdigit((unsigned char)*b)) {
        char *a_end = NULL, *b_end = NULL;
        unsigned long x = strtoul(a, &a_end, 10), y = strtoul(b, &b_end, 10);
        if (x != y)
            return x < y ? -1 : 1;
        a = *a_end == '.' ? a_end + 1 : "";
        b = *b_end == '.' ? b_end + 1 : "";
    }
    return 0;
}

static int
check_manifest_file(const struct stoq_manifest *m, struct stoq_error *err)
{
    STOQ_AUTOCLOSE int fd = stoq_trusted_open(m->path, err);
    return fd < 0 ? fd : 0;
}

int
stoq_manifest_open(const struct stoq_manifest *m, struct stoq_object **out,
                   struct stoq_plugin *plugin, struct stoq_error *err)
{
    struct stoq_object *object = NULL;
    int r = check_manifest_file(m, err);
    if (r == 0)
        r = stoq_object_open(m->object, &object, plugin, err);
    if (r < 0)
        return r;
    if (strcmp(plugin->name, m->name) != 0) {
        r = stoq_error_set(err, STOQ_ERROR_ABI, -ENOEXEC,
                           "%s: the object's plugin is not called %s", m->object,
                           m->name);
        stoq_object_close(object);
        return r;
    }
    if (m->min_version && version_compare(m->min_version, STOQ_VERSION) > 0)
        STOQ_WARN("plugin %s wants stoq %s or newer, this is %s; loaded anyway",
                  m->name, m->min_version, STOQ_VERSION);
    *out = object;
    return 0;
}

/* Workers named by the manifest, or by the settings instead. */
static int
set_required(struct stoq_ctx *ctx, const struct stoq_manifest *m,
             const struct stoq_option_source *settings, struct stoq_error *err)
{
    const char *text = stoq_option_source_get(settings, "required_workers");
    int r = text ? stoq_strv_add_list(&ctx->required, text)
                 : stoq_strv_copy(&ctx->required, &m->required_workers);
    return r < 0 ? no_memory(err) : 0;
}

static int
open_instance(struct stoq_loaded *p, struct stoq_error *err)
{
    if (!p->plugin.open) {
        p->opened = true;
        return 0;
    }
    struct stoq_error own = {0};
    p->ctx.opening = true;
    int r = p->plugin.open(&p->ctx, &p->instance, &own);
    p->ctx.opening = false;
    p->opened = r == 0;
    if (r == 0 && p->ctx.failed) {
        stoq_error_clear(&own);
        r = no_memory(&own);
    }
    if (r == 0)
        return 0;
    r = stoq_plugin_failure(p->plugin.name, r, &own);
    if (err && err->code == 0)
        *err = own;
    return r;
}

static int
text_order(const void *a, const void *b)
{
    const struct stoq_option_value *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Name, version and options in front of what open() mixed in, by way of its digest. */
static int
seal_identity(struct stoq_loaded *p, struct stoq_error *err)
{
    const struct stoq_options *o = &p->ctx.options;
    STOQ_AUTOFREE const struct stoq_option_value **sorted =
        calloc(o->count + 1, sizeof(*sorted));
    struct stoq_sha256_ctx *all = NULL;
    if (!sorted || stoq_sha256_new(&all) < 0)
        return no_memory(err);
    for (size_t i = 0; i < o->count; i++)
        sorted[i] = &o->items[i];
    qsort(sorted, o->count, sizeof(*sorted), text_order);
    stoq_sha256_add_text(all, p->plugin.name);
    stoq_sha256_add_text(all, p->version);
    for (size_t i = 0; i < o->count; i++) {
        if (!sorted[i]->text)
            continue;
        stoq_sha256_add_text(all, sorted[i]->name);
        stoq_sha256_add_text(all, sorted[i]->text);
    }
    uint8_t data[STOQ_SHA256_SIZE];
    stoq_sha256_get(p->ctx.identity, data);
    stoq_sha256_add(all, data, sizeof(data));
    stoq_sha256_get(all, p->identity);
    stoq_sha256_free(all);
    return 0;
}

static int
set_gate(struct stoq_loaded *p, struct stoq_error *err)
{
    if (pthread_mutex_init(&p->lock, NULL) != 0)
        return no_memory(err);
    p->locked_up = true;
    switch (p->plugin.thread_model) {
    case STOQ_THREAD_PARALLEL:
        p->gate = NULL;
        break;
    case STOQ_THREAD_PER_INSTANCE:
        p->gate = &p->lock;
        break;
    case STOQ_THREAD_SERIAL:
    default: /* a model we do not know: the safest */
        p->gate = &p->object->lock;
        break;
    }
    return 0;
}

int
stoq_loaded_new(const struct stoq_manifest *manifest,
                const struct stoq_option_source *settings, const char *cache_dir,
                struct stoq_loaded **out, struct stoq_error *err)
{
    STOQ_AUTO(stoq_loaded) p = calloc(1, sizeof(*p));
    if (!p)
        return no_memory(err);
    int r = stoq_manifest_open(manifest, &p->object, &p->plugin, err);
    if (r < 0)
        return r;
    p->roles = stoq_plugin_roles(&p->plugin);
    p->version = strdup(manifest->version);
    if (!p->version)
        return no_memory(err);
    r = set_gate(p, err);
    if (r == 0)
        r = stoq_ctx_init(&p->ctx, p->plugin.name, manifest->dir, cache_dir, err);
    if (r == 0)
        r = stoq_options_merge(&p->plugin, manifest, settings, &p->ctx.options, err);
    if (r == 0)
        r = set_required(&p->ctx, manifest, settings, err);
    p->ctx.content_only = (p->plugin.traits & STOQ_TRAIT_CONTENT_ONLY) != 0;
    if (r == 0)
        r = open_instance(p, err);
    if (r == 0)
        r = seal_identity(p, err);
    if (r < 0)
        return r;
    *out = STOQ_STEAL(&p);
    return 0;
}

void
stoq_loaded_free(struct stoq_loaded *p)
{
    if (!p)
        return;
    if (p->opened && p->plugin.close)
        p->plugin.close(p->instance);
    stoq_ctx_fini(&p->ctx);
    free(p->version);
    if (p->locked_up)
        (void)pthread_mutex_destroy(&p->lock);
    stoq_object_close(p->object);
    free(p);
}

const char *
stoq_loaded_name(const struct stoq_loaded *p)
{
    return p->plugin.name;
}

const char *
stoq_loaded_version(const struct stoq_loaded *p)
{
    return p->version;
}

unsigned
stoq_loaded_roles(const struct stoq_loaded *p)
{
    return p->roles;
}

bool
stoq_loaded_content_only(const struct stoq_loaded *p)
{
    return p->ctx.content_only;
}

const struct stoq_strv *
stoq_loaded_required(const struct stoq_loaded *p)
{
    return &p->ctx.required;
}

const struct stoq_strv *
stoq_loaded_scratch(const struct stoq_loaded *p)
{
    return &p->ctx.scratch;
}

const json_t *
stoq_loaded_facts(const struct stoq_loaded *p)
{
    return p->ctx.facts;
}

void
stoq_loaded_identity(const struct stoq_loaded *p, uint8_t out[STOQ_SHA256_SIZE])
{
    memcpy(out, p->identity, STOQ_SHA256_SIZE);
}
