/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The metrics, in Prometheus's text format: base units, counters end in _total, every
 * series is there from the start, no label holds a path.
 */

#include <string.h>

#include "core/config.h"
#include "dot.h"
#include "gate.h"
#include "node.h"
#include "rules.h"
#include "session.h"
#include "util/auto.h"
#include "util/strbuf.h"

static unsigned long long
value(atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
head(struct stoq_strbuf *b, const char *name, const char *type, const char *help)
{
    stoq_strbuf_addf(b, "# HELP stoqfs_%s %s\n# TYPE stoqfs_%s %s\n", name, help, name,
                     type);
}

static void
single(struct stoq_strbuf *b, const char *name, const char *type, const char *help,
       unsigned long long n)
{
    head(b, name, type, help);
    stoq_strbuf_addf(b, "stoqfs_%s %llu\n", name, n);
}

/* @p text as a label's value. */
static void
labelled(struct stoq_strbuf *b, const char *name, const char *label, const char *text,
         unsigned long long n)
{
    stoq_strbuf_addf(b, "stoqfs_%s{%s=\"", name, label);
    for (; *text; text++) {
        if (*text == '\n')
            stoq_strbuf_adds(b, "\\n");
        else if (*text == '"' || *text == '\\')
            stoq_strbuf_addf(b, "\\%c", *text);
        else
            stoq_strbuf_add(b, text, 1);
    }
    stoq_strbuf_addf(b, "\"} %llu\n", n);
}

static void
add_scans(struct stoqfs *fs, struct stoq_strbuf *b)
{
    struct stoqfs_counters *c = &fs->counters;
    single(b, "scans_total", "counter", "Files scanned.", value(&c->scans));
    head(b, "reused_total", "counter", "Results used again instead of a scan.");
    labelled(b, "reused_total", "kind", "identity", value(&c->reused_identity));
    labelled(b, "reused_total", "kind", "content", value(&c->reused_content));
    head(b, "readahead_total", "counter", "Scans ahead of readers.");
    labelled(b, "readahead_total", "kind", "queued", value(&c->ahead_queued));
    labelled(b, "readahead_total", "kind", "used", value(&c->ahead_used));
    labelled(b, "readahead_total", "kind", "wasted", value(&c->ahead_wasted));
    head(b, "verdicts_total", "counter", "Results by verdict.");
    for (unsigned v = 0; v < STOQ_VERDICT_COUNT; v++)
        labelled(b, "verdicts_total", "verdict",
                 stoq_verdict_name((enum stoq_verdict)v), value(&c->verdicts[v]));
}

static void
add_opens(struct stoqfs *fs, struct stoq_strbuf *b)
{
    struct stoqfs_counters *c = &fs->counters;
    single(b, "opens_total", "counter", "Opens of files.", value(&c->opens));
    single(b, "opens_warm_total", "counter", "Opens whose verdict was known.",
           value(&c->opens_warm));
    single(b, "opens_waited_total", "counter", "Opens that waited for a scan.",
           value(&c->opens_waited));
    single(b, "denied_total", "counter", "Opens denied by policy.", value(&c->denied));
    single(b, "interrupted_total", "counter", "Waits that their caller gave up.",
           value(&c->interrupted));
    single(b, "changed_total", "counter", "Results found to be of older contents.",
           value(&c->changed));
    single(b, "watch_events_total", "counter", "Changes seen behind the mount.",
           value(&c->watch_events));
    single(b, "watch_overflows_total", "counter", "Overflows of the inotify queue.",
           value(&c->watch_overflows));
}

static void
add_state(struct stoqfs *fs, struct stoq_strbuf *b)
{
    struct stoq_pool_stats pool = {0};
    uint64_t waiting = 0, results = 0, nodes = 0, descriptors = 0, dropped = 0;
    stoq_pool_stats(fs->pool, &pool);
    stoqfs_gate_stats(fs->gate, &waiting, &results);
    stoqfs_nodes_stats(fs->nodes, &nodes, &descriptors);
    int health = stoq_store_health(fs->store, &dropped);
    single(b, "waiting", "gauge", "Requests that wait for a result.", waiting);
    single(b, "queued", "gauge", "Scans queued.", pool.queued);
    single(b, "running", "gauge", "Scans running.", pool.running);
    single(b, "results", "gauge", "Results in memory.", results);
    single(b, "nodes", "gauge", "Files the kernel knows.", nodes);
    single(b, "descriptors", "gauge", "Descriptors held for them.", descriptors);
    single(b, "uptime_seconds", "gauge", "Seconds since the mount.",
           (stoq_now_ms() - fs->started_ms) / 1000);
    single(b, "store_failing", "gauge", "1 while results cannot be stored.",
           health < 0 || stoq_store_present(fs->store) < 0);
    single(b, "store_dropped_total", "counter", "Results that could not be stored.",
           dropped);
    single(b, "scanner_timeouts_total", "counter", "Scans that ran out of time.",
           pool.timeouts);
    single(b, "scanner_crashes_total", "counter", "Crashes of scanners.", pool.crashes);
    head(b, "restarts_total", "counter", "Processes started again.");
    labelled(b, "restarts_total", "process", "scanner", pool.restarts);
    labelled(b, "restarts_total", "process", "mirror", fs->session->shared->restarts);
    labelled(b, "restarts_total", "process", "zygote",
             value(&fs->counters.zygote_restarts));
    labelled(b, "restarts_total", "process", "courier",
             value(&fs->counters.courier_restarts));
}

static void
add_rules(struct stoqfs *fs, struct stoq_strbuf *b)
{
    uint64_t counts[STOQFS_RELOAD_RESULTS];
    uint64_t generation = stoqfs_rules_counts(fs->rules, counts);
    single(b, "rules_generation", "gauge",
           "Which plugins and rules are in force, counted from 1 at the mount.",
           generation);
    head(b, "reloads_total", "counter", "Reloads of plugins and rules, by their end.");
    for (unsigned i = 0; i < STOQFS_RELOAD_RESULTS; i++)
        labelled(b, "reloads_total", "result",
                 stoqfs_reload_result_name((enum stoqfs_reload_result)i), counts[i]);
    single(b, "stale_results", "gauge", "Results of older rules, to be made again.",
           stoqfs_gate_stale(fs->gate));
}

static void
add_outbox(const struct stoqfs *fs, struct stoq_strbuf *b)
{
    static const struct {
        const char *name, *type, *help;
    } series[] = {
        {"outbox_waiting", "gauge", "Results not delivered yet."},
        {"outbox_waiting_bytes", "gauge", "Bytes of results not delivered yet."},
        {"outbox_dead", "gauge", "Dead letters."},
        {"outbox_dead_bytes", "gauge", "Bytes of dead letters."},
        {"outbox_delivered_total", "counter", "Results delivered."},
        {"outbox_failures_total", "counter", "Failed deliveries."},
        {"outbox_dropped_total", "counter", "Results dropped undelivered."},
    };
    const struct stoq_strv *connectors = &fs->options->config->connectors;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(series); i++) {
        head(b, series[i].name, series[i].type, series[i].help);
        for (size_t k = 0; k < connectors->count; k++) {
            struct stoq_outbox_stats s = {0};
            (void)stoq_store_outbox_stats(fs->store, connectors->items[k], &s);
            const unsigned long long values[] = {s.waiting,    s.bytes,     s.dead,
                                                 s.dead_bytes, s.delivered, s.failures,
                                                 s.dropped};
            labelled(b, series[i].name, "connector", connectors->items[k], values[i]);
        }
    }
}

char *
stoqfs_metrics(struct stoqfs *fs)
{
    struct stoq_strbuf b = {0};
    head(&b, "build_info", "gauge", "Always 1; the version is in the label.");
    labelled(&b, "build_info", "version", stoq_version(), 1);
    add_scans(fs, &b);
    add_opens(fs, &b);
    add_state(fs, &b);
    add_rules(fs, &b);
    add_outbox(fs, &b);
    return stoq_strbuf_steal(&b);
}
