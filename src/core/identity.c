/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The engine id: one digest over everything that can change what a scan says, so that a
 * result may be used again exactly when the id is the same. Two sources of plugins:
 * those loaded from the configuration count with their full identity, rule sets
 * included; those that only a dispatch may load later count with name, version and
 * their section of the configuration. What cannot scan does not count: archivers,
 * decorators and connectors say nothing of the bytes. No lock: called while the engine
 * is made.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/engine.h"
#include "util/auto.h"

static void
end_digest(struct stoq_sha256_ctx **ctx)
{
    stoq_sha256_free(*ctx);
    *ctx = NULL;
}

static void
add_number(struct stoq_sha256_ctx *ctx, const char *name, uint64_t value)
{
    char text[96];
    (void)snprintf(text, sizeof(text), "%s=%" PRIu64, name, value);
    stoq_sha256_add_text(ctx, text);
}

static void
add_list(struct stoq_sha256_ctx *ctx, const char *name, const struct stoq_strv *v)
{
    add_number(ctx, name, v->count);
    for (size_t i = 0; i < v->count; i++)
        stoq_sha256_add_text(ctx, v->items[i]);
}

static void
add_settings(struct stoq_sha256_ctx *ctx, const struct stoq_config *c)
{
    const struct stoq_limits *l = &c->limits;
    add_number(ctx, "max_recursion", c->max_recursion);
    add_number(ctx, "max_required_worker_depth", c->max_required_worker_depth);
    add_number(ctx, "deadline_ms", l->deadline_ms);
    add_number(ctx, "cpu_ms", l->cpu_ms);
    add_number(ctx, "memory_bytes", l->memory_bytes);
    add_number(ctx, "bytes", l->bytes);
    add_number(ctx, "extracted_bytes", l->extracted_bytes);
    add_number(ctx, "children", l->children);
    add_number(ctx, "depth", l->depth);
    add_number(ctx, "ratio", l->ratio);
    add_number(ctx, "response_bytes", l->response_bytes);
    add_number(ctx, "flags", c->policy.flag_count);
    for (size_t i = 0; i < c->policy.flag_count; i++) {
        stoq_sha256_add_text(ctx, c->policy.flags[i].worker);
        stoq_sha256_add_text(ctx, c->policy.flags[i].pointer);
    }
}

static void
add_section(struct stoq_sha256_ctx *ctx, const struct stoq_plugin_options *section)
{
    for (size_t i = 0; section && i < section->keys.count; i++) {
        stoq_sha256_add_text(ctx, section->keys.items[i]);
        stoq_sha256_add_text(ctx, section->values.items[i]);
    }
}

static bool
is_output_only(const struct stoq_config *c, const char *name)
{
    return stoq_strv_has(&c->providers, name) ||
           stoq_strv_has(&c->source_archivers, name) ||
           stoq_strv_has(&c->dest_archivers, name) ||
           stoq_strv_has(&c->connectors, name) || stoq_strv_has(&c->decorators, name);
}

static int
by_name(const void *a, const void *b)
{
    const struct stoq_manifest *const *x = a;
    const struct stoq_manifest *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Whether p was loaded for scanning, and not just as an output that could scan too. */
static bool
is_scanning(const struct stoq *stoq, const struct stoq_loaded *p, const char *name)
{
    return p && (stoq_loaded_roles(p) & STOQ_ROLE_SCAN) &&
           (stoq_strv_has(&stoq->config->dispatchers, name) ||
            stoq_strv_has(&stoq->always, name) || !is_output_only(stoq->config, name));
}

static void
add_plugin(struct stoq_sha256_ctx *ctx, const struct stoq *stoq,
           const struct stoq_manifest *m)
{
    const struct stoq_loaded *p = stoq_engine_find(stoq, m->name);
    unsigned roles = p ? stoq_loaded_roles(p) : stoq_manifest_roles(m);
    if (is_scanning(stoq, p, m->name)) {
        uint8_t digest[STOQ_SHA256_SIZE];
        stoq_loaded_identity(p, digest);
        stoq_sha256_add_text(ctx, m->name);
        stoq_sha256_add(ctx, digest, sizeof(digest));
    } else if (roles & STOQ_ROLE_SCAN) {
        stoq_sha256_add_text(ctx, m->name);
        stoq_sha256_add_text(ctx, m->version ? m->version : "");
        add_section(ctx, stoq_config_plugin(stoq->config, m->name));
    }
}

int
stoq_identity_compute(struct stoq *stoq, unsigned roles)
{
    /* Only who scans is asked for an id; nobody else need look into every plugin. */
    size_t n = roles & STOQ_ROLE_SCAN ? stoq_catalogue_count(stoq->catalogue) : 0;
    STOQ_AUTOFREE const struct stoq_manifest **sorted =
        calloc(n + 1, sizeof(struct stoq_manifest *));
    STOQ_CLEANUP(end_digest) struct stoq_sha256_ctx *ctx = NULL;
    int rc = sorted ? stoq_sha256_new(&ctx) : -ENOMEM;
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        sorted[i] = stoq_catalogue_at(stoq->catalogue, i);
    qsort(sorted, n, sizeof(struct stoq_manifest *), by_name);

    stoq_sha256_add_text(ctx, "stoq engine");
    stoq_sha256_add_text(ctx, stoq_version());
    add_number(ctx, "schema", STOQ_SCHEMA_VERSION);
    add_list(ctx, "always_dispatch", &stoq->always);
    add_list(ctx, "dispatchers", &stoq->config->dispatchers);
    add_settings(ctx, stoq->config);
    for (size_t i = 0; i < n; i++)
        add_plugin(ctx, stoq, sorted[i]);

    uint8_t digest[STOQ_SHA256_SIZE];
    stoq_sha256_get(ctx, digest);
    stoq_hex(digest, sizeof(digest), stoq->id);
    return 0;
}
