/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of measures, and what is said of them; see sandbox.h. A further measure is
 * one function and one row. Order matters: what needs a file or a privilege comes
 * before what takes it away.
 */
#include "pool/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool/sandbox_impl.h"
#include "util/auto.h"
#include "util/child.h"
#include "util/io.h"

/** When a measure applies, and what its absence means under sandbox = require. */
enum kind {
    LIMIT,   /**< also under sandbox = off */
    NEEDED,  /**< not under off */
    DOUBLED, /**< not under off; the system call filter is enough in its place */
};

static const struct {
    const char *name;
    enum kind kind;
    int (*apply)(struct stoq_sandbox *s);
} measures[] = {
    {"oom-score", LIMIT, stoq_sandbox_oom},
    {"memory-limit", LIMIT, stoq_sandbox_memory},
    {"file-size-limit", LIMIT, stoq_sandbox_file_size},
    {"open-files-limit", LIMIT, stoq_sandbox_open_files},
    {"no-core", LIMIT, stoq_sandbox_no_core},
    {"no-environment", LIMIT, stoq_sandbox_environment},
    {"no-processes", NEEDED, stoq_sandbox_processes},
    {"no-network", DOUBLED, stoq_sandbox_network},
    {"empty-root", DOUBLED, stoq_sandbox_empty_root},
    {"own-user", NEEDED, stoq_sandbox_own_user},
    {"no-capabilities", NEEDED, stoq_sandbox_no_capabilities},
    {"no-new-privileges", LIMIT, stoq_sandbox_no_new_privileges},
    {"not-dumpable", LIMIT, stoq_sandbox_not_dumpable},
    {"landlock", NEEDED, stoq_sandbox_landlock},
    {"syscall-filter", NEEDED, stoq_sandbox_seccomp},
};

_Static_assert(STOQ_ARRAY_SIZE(measures) <= STOQ_SANDBOX_MEASURES, "one bit each");

static bool
is_mode(const struct stoq_sandbox *s, const char *mode)
{
    return strcmp(s->config->sandbox, mode) == 0;
}

int
stoq_sandbox_new(const struct stoq_config *config, const struct stoq_strv *scratch,
                 struct stoq_sandbox **out)
{
    struct stoq_sandbox *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->config = config;
    s->limits = &config->limits;
    s->scratch = scratch;
    s->root = -1;
    if (!is_mode(s, "off")) {
        stoq_sandbox_files_prepare(s);
        stoq_sandbox_seccomp_prepare(s);
        stoq_sandbox_identity_prepare(s);
    }
    *out = s;
    return 0;
}

bool
stoq_sandbox_closes(const struct stoq_sandbox *s)
{
    return !STOQ_SANITIZED && !is_mode(s, "off");
}

void
stoq_sandbox_renew(struct stoq_sandbox *s)
{
    if (!is_mode(s, "off"))
        stoq_sandbox_seccomp_prepare(s);
}

void
stoq_sandbox_enter(struct stoq_sandbox *s, struct stoq_sandbox_report *report)
{
    bool off = is_mode(s, "off");

    memset(report, 0, sizeof(*report));
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(measures); i++) {
        int r = off && measures[i].kind != LIMIT ? 0 : measures[i].apply(s);

        if (r > 0)
            report->applied |= 1U << i;
        else if (r < 0) {
            report->failed |= 1U << i;
            report->why[i] = r > -UINT8_MAX ? (uint8_t)-r : (uint8_t)EIO;
        }
    }
}

/* --------------------------------------------------------------------------- trial */

static int
try_main(void *arg, int sock, pid_t parent)
{
    struct stoq_sandbox_report report;

    if (stoq_child_follow_parent(parent) < 0)
        return 1;
    stoq_sandbox_enter(arg, &report);
    return stoq_msg_send(sock, &report, sizeof(report), NULL, 0) < 0 ? 1 : 0;
}

int
stoq_sandbox_try(struct stoq_sandbox *s, struct stoq_sandbox_report *report)
{
    STOQ_AUTOCLOSE int sock = -1;
    struct stoq_sandbox_report got;
    size_t nfds = 0;
    pid_t pid = 0;
    ssize_t n;
    int r = stoq_child_spawn(try_main, s, &pid, &sock, NULL);

    if (r < 0)
        return r;
    n = stoq_msg_recv(sock, &got, sizeof(got), NULL, &nfds);
    stoq_child_end(pid, 1000);
    if (n != (ssize_t)sizeof(got))
        return n < 0 ? (int)n : -EIO;
    *report = got;
    return 0;
}

/* ------------------------------------------------------------------------- reports */

static const char *
why(const struct stoq_sandbox_report *report, size_t i)
{
    return strerror(report->why[i]);
}

bool
stoq_sandbox_unmet(const struct stoq_sandbox *s,
                   const struct stoq_sandbox_report *report, char *text, size_t size)
{
    size_t filter = STOQ_ARRAY_SIZE(measures) - 1;
    bool filtered = report->applied & (1U << filter);

    if (!is_mode(s, "require"))
        return false;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(measures); i++) {
        if (!(report->failed & (1U << i)) || (measures[i].kind == DOUBLED && filtered))
            continue;
        (void)snprintf(text, size, "sandbox=require: %s is not available: %s",
                       measures[i].name, why(report, i));
        return true;
    }
    if (!filtered) {
        (void)snprintf(text, size,
                       "sandbox=require: this build is for a sanitizer, which the "
                       "sandbox would hinder");
        return true;
    }
    return false;
}

bool
stoq_sandbox_limits_memory(const struct stoq_sandbox_report *report)
{
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(measures); i++)
        if (measures[i].apply == stoq_sandbox_memory)
            return report->applied & (1U << i);
    return false;
}

json_t *
stoq_sandbox_describe(const struct stoq_sandbox *s,
                      const struct stoq_sandbox_report *report)
{
    json_t *on = json_array(), *refused = json_object(), *off = json_array();

    for (size_t i = 0; i < STOQ_ARRAY_SIZE(measures); i++) {
        if (report->failed & (1U << i))
            (void)json_object_set_new(refused, measures[i].name,
                                      json_string(why(report, i)));
        else
            (void)json_array_append_new(report->applied & (1U << i) ? on : off,
                                        json_string(measures[i].name));
    }
    return json_pack("{s:s, s:o, s:o, s:o}", "mode", s->config->sandbox, "in_force", on,
                     "refused", refused, "off", off);
}

void
stoq_sandbox_tell(const struct stoq_sandbox *s,
                  const struct stoq_sandbox_report *report, char *text, size_t size)
{
    const struct {
        const char *title;
        uint32_t set;
    } parts[] = {
        {"in force:", report->applied},
        {"; refused:", report->failed},
        {"; off:", ~(report->applied | report->failed)},
    };
    size_t at = 0;

    (void)s;
    for (size_t p = 0; p < STOQ_ARRAY_SIZE(parts); p++) {
        const char *title = parts[p].title;

        for (size_t i = 0; i < STOQ_ARRAY_SIZE(measures) && at < size; i++) {
            bool failed = report->failed & (1U << i);
            int n;

            if (!(parts[p].set & (1U << i)))
                continue;
            n = snprintf(text + at, size - at, "%s %s%s%s%s", title, measures[i].name,
                         failed ? " (" : "", failed ? why(report, i) : "",
                         failed ? ")" : "");
            at += n > 0 ? (size_t)n : 0;
            title = ",";
        }
    }
}
