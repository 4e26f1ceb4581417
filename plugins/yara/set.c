/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A rule set from its path to a scan: where it comes from (source, cache, yarac), what
 * its digest is, what is said of it, and one scan with it. Called by yara.c and
 * dispatch.c; a set belongs to one instance. A set opened before a fork scans after it.
 */

#include <ctype.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "parts.h"

/* Raise it when the digest covers other things, or the cache files change their form.
 */
#define CACHE_FORMAT "stoq-yara-1"

/* ----------------------------------------------------------------------- digests */

/* Digest of the rules as written, by which a set has its name in the cache. The library
 * is part of it by file, too: an update within one version may compile differently. */
static int
sources_digest(const struct stoq_yara_sources *s, char out[YARA_SHA256_HEX])
{
    PLUGIN_AUTOFREE char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return -ENOMEM;
    (void)fprintf(f, "%s %s %zu\n", CACHE_FORMAT, YR_VERSION, sizeof(void *));
    for (size_t i = 0; i < YARA_EXTERNAL_COUNT; i++)
        (void)fprintf(f, "%s\n", stoq_yara_external_names[i]);
    for (size_t i = 0; i < s->count; i++)
        (void)fprintf(f, "%zu:%s:%s\n", strlen(s->files[i].name), s->files[i].name,
                      s->files[i].sha256);
    union {
        int (*function)(void);
        const void *address;
    } any = {yr_initialize};
    Dl_info library;
    struct stat st;
    if (dladdr(any.address, &library) != 0 && library.dli_fname &&
        stat(library.dli_fname, &st) == 0)
        (void)fprintf(f, "%lld %lld\n", (long long)st.st_size, (long long)st.st_mtime);
    if (fclose(f) != 0)
        return -ENOMEM;
    return stoq_yara_sha256(text, size, out);
}

/* The digest of a set: its key and what it included. */
static int
set_digest(struct stoq_yara_set *set, const char *key,
           const struct stoq_yara_includes *includes)
{
    PLUGIN_AUTOFREE char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return -ENOMEM;
    (void)fprintf(f, "%s\n", key);
    for (size_t i = 0; i < includes->count; i++)
        (void)fprintf(f, "%s:%s\n", includes->items[i].path, includes->items[i].sha256);
    if (fclose(f) != 0)
        return -ENOMEM;
    return stoq_yara_sha256(text, size, set->digest);
}

/* ----------------------------------------------------------------------- opening */

static int
open_sources(const struct stoq_ctx *ctx, struct stoq_yara_sources *sources,
             struct stoq_yara_set *set, struct stoq_error *err)
{
    char key[YARA_SHA256_HEX] = "";
    struct stoq_yara_includes includes = {0};
    int r = sources_digest(sources, key);
    if (r == 0 && !stoq_yara_cache_load(ctx, key, set, &includes)) {
        r = stoq_yara_compile(ctx, sources, &includes, set, err);
        if (r == 0)
            stoq_yara_cache_store(ctx, key, set, &includes);
    }
    if (r == 0)
        r = set_digest(set, key, &includes);
    stoq_yara_includes_fini(&includes);
    return r;
}

/* Rules compiled by yarac. Read anew through the descriptor that was checked. */
static int
open_compiled(const char *path, struct stoq_yara_set *set, struct stoq_error *err)
{
    PLUGIN_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (!stoq_yara_trusted(fd, S_IWOTH))
        return stoq_error_set(
            err, STOQ_ERROR_CONFIG, -EPERM,
            "%s: compiled rules must be owned by root or this user and "
            "not be writable by others",
            path);
    PLUGIN_AUTOFREE char *data = NULL;
    size_t size = 0;
    int r = stoq_yara_read_fd(fd, YARA_FILE_MAX * 16, &data, &size);
    if (r == 0)
        r = stoq_yara_rules_load(data, size, &set->rules);
    if (r == -EBADMSG)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "%s: not compiled by this version of yara", path);
    if (r < 0)
        return r;
    YR_RULE *rule;
    yr_rules_foreach(set->rules, rule) set->loaded++;
    set->externals = set->rules->ext_vars_table &&
                     !EXTERNAL_VARIABLE_IS_NULL(set->rules->ext_vars_table);
    return stoq_yara_sha256(data, size, set->digest);
}

static void
log_failed(const struct stoq_ctx *ctx, const struct stoq_yara_set *set)
{
    for (size_t i = 0; i < json_array_size(set->failed); i++) {
        const json_t *e = json_array_get(set->failed, i);
        stoq_ctx_log(ctx, STOQ_LEVEL_WARNING, "%s:%lld: %s",
                     json_string_value(json_object_get(e, "file")),
                     (long long)json_integer_value(json_object_get(e, "line")),
                     json_string_value(json_object_get(e, "message")));
    }
}

static int
no_rules(const char *what, const char *path, const struct stoq_yara_set *set,
         struct stoq_error *err)
{
    const json_t *e = json_array_get(set->failed, 0);
    if (!e)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s: no rules in %s",
                              what, path);
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                          "%s: no rule compiles: %s:%lld: %s", what,
                          json_string_value(json_object_get(e, "file")),
                          (long long)json_integer_value(json_object_get(e, "line")),
                          json_string_value(json_object_get(e, "message")));
}

static int
set_fill(const struct stoq_ctx *ctx, const char *path, struct stoq_yara_set *set,
         struct stoq_error *err)
{
    struct stoq_yara_sources sources;
    int r = stoq_yara_sources_read(path, &sources, err);
    if (r < 0)
        return r;
    set->files = sources.count;
    r = sources.compiled ? open_compiled(path, set, err)
                         : open_sources(ctx, &sources, set, err);
    stoq_yara_sources_fini(&sources);
    return r;
}

int
stoq_yara_set_open(const struct stoq_ctx *ctx, const char *what, const char *path,
                   struct stoq_yara_set *set, struct stoq_error *err)
{
    int r = set_fill(ctx, path, set, err);
    if (r == 0 && !set->failed && !(set->failed = json_array()))
        r = -ENOMEM;
    if (r == 0) {
        log_failed(ctx, set);
        if (set->loaded == 0)
            r = no_rules(what, path, set, err);
    }
    if (r == 0 && yr_scanner_create(set->rules, &set->scanner) != ERROR_SUCCESS) {
        set->scanner = NULL;
        r = -ENOMEM;
    }
    if (r < 0) {
        (void)stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s: %s", what, path,
                             strerrordesc_np(-r));
        stoq_yara_set_fini(set);
    }
    return r;
}

void
stoq_yara_set_fini(struct stoq_yara_set *set)
{
    if (set->scanner)
        yr_scanner_destroy(set->scanner);
    if (set->rules)
        (void)yr_rules_destroy(set->rules);
    json_decref(set->failed);
    *set = (struct stoq_yara_set){0};
}

json_t *
stoq_yara_set_facts(const struct stoq_yara_set *set)
{
    return json_pack("{s: I, s: I, s: O, s: s, s: b}", "loaded",
                     (json_int_t)set->loaded, "files", (json_int_t)set->files, "failed",
                     set->failed, "digest", set->digest, "cached", (int)set->cached);
}

/* ---------------------------------------------------------------------- scanning */

/* The short type names that rules with a `filetype` variable compare with. */
static const char *
file_type(const unsigned char *data, size_t size)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *name;
    } types[] = {
        {"MZ", 2, "EXE"},
        {"\177ELF", 4, "ELF"},
        {"%PDF-", 5, "PDF"},
        {"PK\003\004", 4, "ZIP"},
        {"Rar!\032\007", 6, "RAR"},
        {"7z\274\257\047\034", 6, "7Z"},
        {"\037\213", 2, "GZIP"},
        {"MSCF", 4, "CAB"},
        {"{\\rtf", 5, "RTF"},
        {"\320\317\021\340\241\261\032\341", 8, "OLE"},
        {"L\0\0\0\001\024\002\0", 8, "LNK"},
        {"\211PNG\r\n\032\n", 8, "PNG"},
        {"\377\330\377", 3, "JPEG"},
        {"GIF8", 4, "GIF"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (size >= types[i].length &&
            memcmp(data, types[i].magic, types[i].length) == 0)
            return types[i].name;
    return "";
}

/* Set the external variables. Rules from yarac may know only some of them, hence no
 * check of the answer but for memory. */
static int
set_externals(struct stoq_yara_set *set, const struct stoq_payload *payload)
{
    size_t size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);
    const char *filename = stoq_payload_filename(payload);
    const char *path = stoq_payload_path(payload);
    const char *owner = stoq_payload_owner(payload);
    const char *dot = filename ? strrchr(filename, '.') : NULL;
    char extension[32] = "";
    if (dot && dot != filename && strlen(dot) < sizeof extension)
        for (size_t i = 0; dot[i]; i++)
            extension[i] = (char)tolower((unsigned char)dot[i]);

    const char *values[YARA_EXTERNAL_COUNT] = {filename, path, extension,
                                               file_type(data, size), owner};
    for (size_t i = 0; i < YARA_EXTERNAL_COUNT; i++)
        if (yr_scanner_define_string_variable(set->scanner, stoq_yara_external_names[i],
                                              values[i] ? values[i] : "") ==
            ERROR_INSUFFICIENT_MEMORY)
            return -ENOMEM;
    return 0;
}

struct run {
    stoq_yara_match_fn fn;
    void *arg;
    uint64_t overflows;
    int failure; /* what fn returned */
};

static int
on_message(YR_SCAN_CONTEXT *context, int message, void *data, void *arg)
{
    struct run *run = arg;
    switch (message) {
    case CALLBACK_MSG_RULE_MATCHING:
        run->failure = run->fn(run->arg, context, data);
        return run->failure < 0 ? CALLBACK_ERROR : CALLBACK_CONTINUE;
    case CALLBACK_MSG_TOO_MANY_MATCHES:
        /* libyara gives up this string and goes on with the others. */
        run->overflows++;
        return CALLBACK_CONTINUE;
    default:
        return CALLBACK_CONTINUE;
    }
}

static int
scan_failure(const struct stoq_yara_set *set, int code, struct stoq_error *err)
{
    switch (code) {
    case ERROR_SCAN_TIMEOUT:
        return stoq_error_set(err, STOQ_ERROR_TIMEOUT, -ETIMEDOUT,
                              "yara gave up after %d seconds", set->timeout);
    case ERROR_INSUFFICIENT_MEMORY:
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "yara: out of memory");
    case ERROR_TOO_MANY_RE_FIBERS:
        return stoq_error_set(
            err, STOQ_ERROR_LIMIT, -E2BIG,
            "yara: a regular expression is too complex for this input");
    case ERROR_EXEC_STACK_OVERFLOW:
        return stoq_error_set(err, STOQ_ERROR_LIMIT, -E2BIG,
                              "yara: a condition needs too much stack");
    default:
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, "yara: libyara error %d",
                              code);
    }
}

int
stoq_yara_set_scan(struct stoq_yara_set *set, const struct stoq_payload *payload,
                   stoq_yara_match_fn fn, void *arg, uint64_t *overflows,
                   struct stoq_error *err)
{
    struct run run = {.fn = fn, .arg = arg};
    size_t size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);
    if (set->externals && set_externals(set, payload) < 0)
        return scan_failure(set, ERROR_INSUFFICIENT_MEMORY, err);

    /* libyara 4.2 keeps the entry point of the first file that had one. */
    set->scanner->entry_point = YR_UNDEFINED;
    yr_scanner_set_callback(set->scanner, on_message, &run);
    yr_scanner_set_timeout(set->scanner, set->timeout);
    /* Its handlers, put in place and taken out a dozen times per scan, would also hide
     * faults: the engine has its own for files that shrink, and a scanner that crashes
     * is noticed and replaced. */
    yr_scanner_set_flags(set->scanner,
                         SCAN_FLAGS_REPORT_RULES_MATCHING | SCAN_FLAGS_NO_TRYCATCH);
    int e = yr_scanner_scan_mem(set->scanner, data, size);
    *overflows = run.overflows;
    if (run.failure < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, run.failure, "yara: %s",
                              strerrordesc_np(-run.failure));
    return e == ERROR_SUCCESS ? 0 : scan_failure(set, e, err);
}
