/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The status document: what the mount does, in numbers, and what is wrong with it, in
 * sentences. Its parts read other rooms through their doors; no lock of its own.
 */

#include <stoq/plugin.h>
#include <string.h>

#include "cache.h"
#include "core/config.h"
#include "dot.h"
#include "gate.h"
#include "node.h"
#include "pass.h"
#include "rules.h"
#include "session.h"
#include "util/auto.h"
#include "util/json.h"
#include "watch.h"

/* A loss is shown for as long. */
#define DROP_SHOWN_MS INT64_C(3600000)

static json_int_t
value(atomic_ullong *counter)
{
    return (json_int_t)atomic_load_explicit(counter, memory_order_relaxed);
}

static json_t *
verdicts(struct stoqfs *fs)
{
    json_t *out = json_object();
    for (unsigned v = 0; v < STOQ_VERDICT_COUNT; v++)
        (void)json_object_set_new(out, stoq_verdict_name((enum stoq_verdict)v),
                                  json_integer(value(&fs->counters.verdicts[v])));
    return out;
}

static json_t *
outbox(const struct stoqfs *fs)
{
    json_t *out = json_object();
    const char *const *name = stoq_strv_items(&fs->options->config->connectors);
    for (; *name; name++) {
        struct stoq_outbox_stats s = {0};
        json_t *one = json_object();
        int r = stoq_store_outbox_stats(fs->store, *name, &s);
        const struct {
            const char *name;
            uint64_t value;
        } numbers[] = {
            {"waiting", s.waiting},     {"waiting_bytes", s.bytes},
            {"dead", s.dead},           {"dead_bytes", s.dead_bytes},
            {"delivered", s.delivered}, {"failures", s.failures},
            {"dropped", s.dropped},
        };
        for (size_t i = 0; i < STOQ_ARRAY_SIZE(numbers); i++)
            (void)json_object_set_new(one, numbers[i].name,
                                      json_integer((json_int_t)numbers[i].value));
        const char *text = r < 0 ? strerror(-r) : s.last_error;
        if (*text)
            (void)stoq_json_set_text(one, "last_error", text, strlen(text));
        else
            (void)json_object_set_new(one, "last_error", json_null());
        (void)json_object_set_new(out, *name, one);
    }
    return out;
}

static void
say(json_t *list, const char *text)
{
    (void)json_array_append_new(list, json_string(text));
}

static void
degraded_store(struct stoqfs *fs, json_t *list)
{
    char text[256];
    uint64_t dropped = 0;
    int r = stoq_store_health(fs->store, &dropped);
    int there = stoq_store_present(fs->store);
    if (there == -ENOENT) {
        say(list, "results cannot be stored: the state directory or its database was "
                  "removed; unmount and mount again to begin a new one");
    } else if (there < 0) {
        say(list, "results cannot be stored: another database is in the place of the "
                  "one in use; unmount and mount again");
    } else if (r < 0) {
        (void)snprintf(text, sizeof(text), "results cannot be stored: %s",
                       strerror(-r));
        say(list, text);
    }
    if (dropped) {
        (void)snprintf(text, sizeof(text),
                       "%llu results were dropped because they could not be stored",
                       (unsigned long long)dropped);
        say(list, text);
    }
}

static void
degraded_connector(const char *name, const struct stoq_outbox_stats *s, json_t *list)
{
    char text[512];
    if (s->waiting && s->last_error[0]) {
        (void)snprintf(text, sizeof(text), "connector %s does not take results: %s",
                       name, s->last_error);
        say(list, text);
    }
    if (s->dead) {
        (void)snprintf(text, sizeof(text),
                       "connector %s refused %llu results, which are dead letters now; "
                       "see stoq outbox ls",
                       name, (unsigned long long)s->dead);
        say(list, text);
    }
    if (s->dropped_ms && stoq_real_ns() / 1000000 - s->dropped_ms < DROP_SHOWN_MS) {
        (void)snprintf(
            text, sizeof(text),
            "results for connector %s were dropped within the last hour: its "
            "outbox is at its bounds",
            name);
        say(list, text);
    }
}

static void
degraded_outbox(struct stoqfs *fs, json_t *list)
{
    const struct stoq_strv *names = &fs->options->config->connectors;
    for (size_t i = 0; i < names->count; i++) {
        struct stoq_outbox_stats s = {0};
        if (stoq_store_outbox_stats(fs->store, names->items[i], &s) == 0)
            degraded_connector(names->items[i], &s, list);
    }
}

/* What scanners could not give up. */
static void
degraded_sandbox(struct stoqfs *fs, json_t *list)
{
    const json_t *sandbox = json_object_get(fs->engine_facts, "sandbox");
    const char *name;
    json_t *why;
    json_object_foreach (json_object_get(sandbox, "refused"), name, why) {
        char text[256];
        (void)snprintf(text, sizeof(text), "scanners run without %s: %s", name,
                       json_string_value(why));
        say(list, text);
    }
}

static void
degraded_rules(json_t *list, const json_t *rules)
{
    char text[768];
    const json_t *last = json_object_get(rules, "last_reload");
    const char *error = stoq_json_string_of(last, "error");
    size_t failed = json_array_size(json_object_get(rules, "failed"));
    if (error) {
        (void)snprintf(
            text, sizeof(text),
            "the last reload was refused, the rules before it stay in force: "
            "%s",
            error);
        say(list, text);
    }
    if (failed) {
        (void)snprintf(text, sizeof(text), "%zu rule files did not load", failed);
        say(list, text);
    }
}

static json_t *
degraded(struct stoqfs *fs, const json_t *watch, const json_t *rule_facts)
{
    json_t *list = json_array();
    degraded_store(fs, list);
    if (!fs->watch)
        say(list, "inotify is not available: changes behind the mount are noticed when "
                  "files are opened");
    if (json_is_true(json_object_get(watch, "limit_reached")))
        say(list, "the limit of inotify watches is reached "
                  "(fs.inotify.max_user_watches): changes behind the mount are noticed "
                  "late in some directories");
    degraded_rules(list, rule_facts);
    degraded_outbox(fs, list);
    degraded_sandbox(fs, list);
    return list;
}

static void
add_work(struct stoqfs *fs, json_t *out)
{
    struct stoq_pool_stats pool = {0};
    uint64_t waiting = 0, results = 0;
    struct stoqfs_counters *c = &fs->counters;
    stoq_pool_stats(fs->pool, &pool);
    stoqfs_gate_stats(fs->gate, &waiting, &results);
    json_t *reused = json_object();
    (void)json_object_set_new(reused, "identity",
                              json_integer(value(&c->reused_identity)));
    (void)json_object_set_new(reused, "content",
                              json_integer(value(&c->reused_content)));
    json_t *ahead = json_object();
    (void)json_object_set_new(ahead, "queued", json_integer(value(&c->ahead_queued)));
    (void)json_object_set_new(ahead, "used", json_integer(value(&c->ahead_used)));
    (void)json_object_set_new(ahead, "wasted", json_integer(value(&c->ahead_wasted)));
    const struct {
        const char *name;
        json_int_t value;
    } numbers[] = {
        {"opens", value(&c->opens)},
        {"denied", value(&c->denied)},
        {"interrupted", value(&c->interrupted)},
        {"results", (json_int_t)results},
        {"stale", (json_int_t)stoqfs_gate_stale(fs->gate)},
        {"waiting", (json_int_t)waiting},
        {"queued", (json_int_t)pool.queued},
        {"running", (json_int_t)pool.running},
        {"scanner_restarts", (json_int_t)pool.restarts},
        {"mirror_restarts", (json_int_t)fs->session->shared->restarts},
        {"zygote_restarts", value(&c->zygote_restarts)},
        {"courier_restarts", value(&c->courier_restarts)},
    };
    (void)json_object_set_new(out, "scans", json_integer(value(&c->scans)));
    (void)json_object_set_new(out, "reused", reused);
    (void)json_object_set_new(out, "readahead", ahead);
    (void)json_object_set_new(out, "verdicts", verdicts(fs));
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(numbers); i++)
        (void)json_object_set_new(out, numbers[i].name, json_integer(numbers[i].value));
}

static void
add_mount(struct stoqfs *fs, json_t *out)
{
    const struct stoqfs_options *o = fs->options;
    uint64_t nodes = 0, descriptors = 0;
    stoqfs_nodes_stats(fs->nodes, &nodes, &descriptors);
    (void)json_object_set_new(out, "version", json_string(stoq_version()));
    (void)json_object_set_new(out, "pid", json_integer(getpid()));
    (void)stoq_json_set_text(out, "source", o->source, strlen(o->source));
    (void)stoq_json_set_text(out, "mountpoint", o->mountpoint, strlen(o->mountpoint));
    (void)stoq_json_set_text(out, "state_dir", o->state_dir, strlen(o->state_dir));
    (void)json_object_set_new(out, "mode",
                              json_string(o->enforce ? "enforce" : "observe"));
    (void)json_object_set_new(
        out, "uptime_s",
        json_integer((json_int_t)((stoq_now_ms() - fs->started_ms) / 1000)));
    (void)json_object_set_new(out, "engine_id",
                              json_string(atomic_load(&fs->engine_now)));
    (void)json_object_set_new(out, "nodes", json_integer((json_int_t)nodes));
    (void)json_object_set_new(out, "descriptors",
                              json_integer((json_int_t)descriptors));
    (void)json_object_set_new(out, "caching_s",
                              json_integer((json_int_t)stoqfs_cache_time(fs)));
    (void)json_object_set_new(out, "passthrough",
                              json_string(stoqfs_pass_state(fs->pass)));
    const json_t *sandbox = json_object_get(fs->engine_facts, "sandbox");
    (void)json_object_set_new(out, "sandbox",
                              sandbox ? json_deep_copy(sandbox) : json_null());
    const char *off = stoqfs_session_off(fs->session);
    STOQ_AUTOFREE char *restart = NULL;
    if (asprintf(&restart, "%s%s", *off ? "off: " : "on", off) >= 0)
        (void)json_object_set_new(out, "restart", json_string(restart));
}

json_t *
stoqfs_status(struct stoqfs *fs)
{
    json_t *out = json_object();
    if (!out)
        return NULL;
    json_t *watch = fs->watch ? stoqfs_watch_status(fs->watch) : NULL;
    json_t *rule_facts = stoqfs_rules_status(fs->rules);
    json_t *reasons = degraded(fs, watch, rule_facts);
    add_mount(fs, out);
    (void)json_object_set_new(out, "degraded", reasons);
    add_work(fs, out);
    (void)json_object_set_new(out, "rules", rule_facts);
    (void)json_object_set_new(out, "outbox", outbox(fs));
    (void)json_object_set_new(out, "watch", watch ? watch : json_null());
    return out;
}
