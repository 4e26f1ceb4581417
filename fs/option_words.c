/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Table-driven: one row per word of ours. The same rows serve the [stoqfs] section of
 * stoq.cfg, so that a word and its key cannot drift apart.
 */

#include "option_words.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "util/auto.h"

enum word_type { WORD_FLAG, WORD_NUMBER, WORD_COUNT, WORD_SECONDS, WORD_CHOICE };

enum word_id {
    WORD_ENFORCE,
    WORD_OBSERVE,
    WORD_RO,
    WORD_RW,
    WORD_NONEMPTY,
    WORD_SIDECARS,
    WORD_DEADLINE,
    WORD_COHERENCE,
    WORD_SCANNERS,
    WORD_THREADS,
    WORD_READAHEAD,
    WORD_PASSTHROUGH,
    WORD_NOALLOW_OTHER,
    WORD_RELOAD,
    WORD_RESCAN,
    WORD_WATCH_RULES
};

struct word {
    const char *name;
    enum word_id id;
    enum word_type type;
    const char *choices; /* space separated, for WORD_CHOICE */
    double min, max;
};

static const struct word words_table[] = {
    {"enforce", WORD_ENFORCE, WORD_FLAG, NULL, 0, 0},
    {"observe", WORD_OBSERVE, WORD_FLAG, NULL, 0, 0},
    {"ro", WORD_RO, WORD_FLAG, NULL, 0, 0},
    {"rw", WORD_RW, WORD_FLAG, NULL, 0, 0},
    {"nonempty", WORD_NONEMPTY, WORD_FLAG, NULL, 0, 0},
    {"sidecars", WORD_SIDECARS, WORD_CHOICE, "scanned all hidden off", 0, 0},
    {"deadline", WORD_DEADLINE, WORD_SECONDS, NULL, 0.001, 86400},
    {"coherence", WORD_COHERENCE, WORD_CHOICE, "cached strict", 0, 0},
    {"scanners", WORD_SCANNERS, WORD_NUMBER, NULL, 1, 256},
    {"threads", WORD_THREADS, WORD_NUMBER, NULL, 1, 64},
    {"readahead", WORD_READAHEAD, WORD_COUNT, NULL, 0, 32}, /* or off */
    {"passthrough", WORD_PASSTHROUGH, WORD_CHOICE, "auto off", 0, 0},
    {"noallow_other", WORD_NOALLOW_OTHER, WORD_FLAG, NULL, 0, 0},
    {"reload", WORD_RELOAD, WORD_CHOICE, "strict lenient", 0, 0},
    {"rescan", WORD_RESCAN, WORD_CHOICE, "on off", 0, 0},
    {"watch_rules", WORD_WATCH_RULES, WORD_FLAG, NULL, 0, 0},
};

/* What libfuse 3.14 knows, by fnmatch pattern. */
static const char *const fuse_words[] = {
    "allow_other", "allow_root", "auto_unmount", "default_permissions",
    "debug",       "dev",        "nodev",        "suid",
    "nosuid",      "exec",       "noexec",       "atime",
    "noatime",     "sync",       "async",        "dirsync",
    "fsname=?*",   "subtype=?*", "max_read=?*",
};

/* What fstab and mount(8) add for themselves. */
static const char *const mount_words[] = {
    "defaults", "auto",       "noauto",      "user",     "nouser", "users",
    "owner",    "group",      "nofail",      "_netdev",  "x-*",    "comment=*",
    "relatime", "norelatime", "strictatime", "lazytime",
};

static bool
matches(const char *const *patterns, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (fnmatch(patterns[i], word, 0) == 0)
            return true;
    return false;
}

int
stoqfs_words_split(struct stoq_strv *words, const char *text)
{
    struct stoq_strbuf b = {0};
    int r = 0;
    for (const char *p = text;; p++) {
        if (*p == ',' || !*p) {
            if (b.size > 0)
                r = b.failed ? -ENOMEM : stoq_strv_add(words, b.data);
            stoq_strbuf_fini(&b);
            if (!*p || r < 0)
                return r;
            continue;
        }
        if (*p == '\\' && p[1])
            p++;
        stoq_strbuf_add(&b, p, 1);
    }
}

/* Index of @value in the space separated @choices, or -1. */
static int
choice(const char *choices, const char *value)
{
    size_t n = strlen(value);
    int index = 0;
    for (const char *p = choices; *p && n > 0; index++) {
        size_t len = strcspn(p, " ");
        if (len == n && strncmp(p, value, n) == 0)
            return index;
        p += len;
        p += *p == ' ';
    }
    return -1;
}

static int
number(const struct word *w, const char *value, double *out, struct stoq_error *err)
{
    char *end = NULL;
    errno = 0;
    double d = value ? strtod(value, &end) : 0;
    bool whole = w->type == WORD_SECONDS || d == (double)(long)d;
    if (!value || !*value || errno || *end || !whole || !(d >= w->min && d <= w->max))
        return stoq_error_set(
            err, STOQ_ERROR_CONFIG, -EINVAL, "-o %s=%s: expected a %s from %g to %g",
            w->name, value ? value : "",
            w->type == WORD_SECONDS ? "number of seconds" : "whole number", w->min,
            w->max);
    *out = d;
    return 0;
}

static int
set_word(const struct word *w, int index, double value, struct stoqfs_options *o)
{
    switch (w->id) {
    case WORD_ENFORCE:
    case WORD_OBSERVE:
        o->enforce = w->id == WORD_ENFORCE;
        return 0;
    case WORD_RO:
    case WORD_RW:
        o->read_only = w->id == WORD_RO;
        return 0;
    case WORD_NONEMPTY:
        o->nonempty = true;
        return 0;
    case WORD_SIDECARS:
        o->sidecars = (enum stoqfs_sidecars)index;
        return 0;
    case WORD_DEADLINE:
        o->deadline_ms = (uint64_t)(value * 1000);
        return 0;
    case WORD_COHERENCE:
        o->strict = index == 1;
        return 0;
    case WORD_SCANNERS:
        o->scanners = (unsigned)value;
        return 0;
    case WORD_THREADS:
        o->threads = (unsigned)value;
        return 0;
    case WORD_READAHEAD:
        o->readahead = (unsigned)value;
        return 0;
    case WORD_NOALLOW_OTHER:
        o->noallow_other = true;
        return 0;
    case WORD_PASSTHROUGH:
        o->passthrough = index == 0;
        return 0;
    case WORD_RELOAD:
        o->reload_lenient = index == 1;
        return 0;
    case WORD_RESCAN:
        o->rescan = index == 0;
        return 0;
    case WORD_WATCH_RULES:
        o->watch_rules = true;
        return 0;
    }
    return 0;
}

static int
apply(const struct word *w, const char *value, struct stoqfs_options *o,
      struct stoq_error *err)
{
    double d = 0;
    int index = 0;
    if (w->type == WORD_FLAG && value)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "-o %s takes no value",
                              w->name);
    if (w->type == WORD_CHOICE && (index = choice(w->choices, value ? value : "")) < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "-o %s=%s: expected one of: %s", w->name,
                              value ? value : "", w->choices);
    bool off = w->type == WORD_COUNT && value && strcmp(value, "off") == 0;
    if (!off && w->type != WORD_FLAG && w->type != WORD_CHOICE) {
        int r = number(w, value, &d, err);
        if (r < 0)
            return r;
    }
    return set_word(w, index, d, o);
}

/* on_VERDICT=allow|deny is the [policy] key of that name. */
static int
apply_policy(const char *name, const char *value, struct stoqfs_options *o,
             struct stoq_error *err)
{
    enum stoq_verdict verdict;
    if (stoq_verdict_parse(name, &verdict) < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "-o on_%s: there is no such verdict", name);
    return stoq_config_set(o->config, "policy", name, value ? value : "", err);
}

/* Access times are ours to leave alone: the kernel does not know when the source is
 * read.
 * @return whether @p text is for libfuse as well. */
static bool
apply_times(const char *text, struct stoqfs_options *o)
{
    if (strcmp(text, "nodiratime") == 0) {
        o->nodiratime = true;
        return false;
    }
    if (strcmp(text, "noatime") == 0)
        o->noatime = o->nodiratime = true;
    else if (strcmp(text, "atime") == 0)
        o->noatime = o->nodiratime = false;
    return true;
}

static int
apply_word(const char *text, struct stoqfs_options *o, struct stoq_error *err)
{
    STOQ_AUTOFREE char *name = strdup(text);
    if (!name)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    char *value = strchr(name, '=');
    if (value)
        *value++ = '\0';
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(words_table); i++)
        if (strcmp(words_table[i].name, name) == 0)
            return apply(&words_table[i], value, o, err);
    /* the command has it as well, so its key is in [core] */
    if (strcmp(name, "sandbox") == 0)
        return stoq_config_set(o->config, "core", name, value ? value : "", err);
    if (strncmp(name, "on_", 3) == 0)
        return apply_policy(name + 3, value, o, err);
    if (!apply_times(text, o))
        return 0;
    if (matches(fuse_words, STOQ_ARRAY_SIZE(fuse_words), text)) {
        int r = stoq_strv_add(&o->fuse_args, text);
        return r < 0 ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory") : 0;
    }
    if (matches(mount_words, STOQ_ARRAY_SIZE(mount_words), text))
        return 0;
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                          "unknown mount option -o %s; see stoqfs --help", text);
}

/* The [stoqfs] section: flags are booleans there. */
static int
apply_section(struct stoqfs_options *o, struct stoq_error *err)
{
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(words_table); i++) {
        const struct word *w = &words_table[i];
        const char *value = stoq_config_get(o->config, "stoqfs", w->name);
        if (!value)
            continue;
        bool no = strcmp(value, "0") == 0 || strcasecmp(value, "no") == 0 ||
                  strcasecmp(value, "false") == 0 || strcasecmp(value, "off") == 0;
        if (w->type == WORD_FLAG && no)
            continue;
        int r = apply(w, w->type == WORD_FLAG ? NULL : value, o, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int
stoqfs_words_apply(const struct stoq_strv *words, struct stoqfs_options *out,
                   struct stoq_error *err)
{
    int r = apply_section(out, err);
    for (size_t i = 0; r == 0 && i < words->count; i++)
        r = apply_word(words->items[i], out, err);
    return r;
}
