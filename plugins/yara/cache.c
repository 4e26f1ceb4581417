/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Compiled rule sets kept between starts: KEY.yarc as libyara writes it, and KEY.json
 * with its digest and what is known of it. Compiled rules are code to libyara, so a set
 * is loaded only from a directory and files that nobody else can write, and only when
 * its digest fits. Called by set.c; two processes may do so at once: files appear
 * whole.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "parts.h"

#define CACHE_MAX  ((size_t)1 << 30)
#define CACHE_KEEP 16 /* sets kept; the ones used last stay */

bool
stoq_yara_trusted(int fd, unsigned others)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) &&
           (st.st_mode & others) == 0;
}

/* ----------------------------------------------------------- libyara's streams */

struct reader {
    const char *data;
    size_t size, off;
};

static size_t
reader_read(void *to, size_t size, size_t count, void *arg)
{
    struct reader *r = arg;
    if (size == 0)
        return 0;
    size_t n = (r->size - r->off) / size;
    if (n > count)
        n = count;
    if (n > 0)
        memcpy(to, r->data + r->off, n * size);
    r->off += n * size;
    return n;
}

int
stoq_yara_rules_load(const char *data, size_t size, YR_RULES **out)
{
    struct reader reader = {data, size, 0};
    YR_STREAM stream = {.user_data = &reader, .read = reader_read};
    YR_RULES *rules = NULL;
    int e = yr_rules_load_stream(&stream, &rules);
    if (e != ERROR_SUCCESS)
        return e == ERROR_INSUFFICIENT_MEMORY ? -ENOMEM : -EBADMSG;
    *out = rules;
    return 0;
}

static size_t
writer_write(const void *from, size_t size, size_t count, void *arg)
{
    return fwrite(from, size, count, arg);
}

/* The set as bytes; caller frees. */
static int
rules_save(YR_RULES *rules, char **out, size_t *size)
{
    FILE *f = open_memstream(out, size);
    if (!f)
        return -ENOMEM;
    YR_STREAM stream = {.user_data = f, .write = writer_write};
    int e = yr_rules_save_stream(rules, &stream);
    if (fclose(f) != 0 || e != ERROR_SUCCESS)
        return -EIO;
    return 0;
}

/* ------------------------------------------------------------------ the directory */

static int
cache_open(const struct stoq_ctx *ctx)
{
    const char *dir = stoq_ctx_cache_dir(ctx);
    if (!dir || !dir[0])
        return -1;
    PLUGIN_AUTOCLOSE int fd =
        open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        if (errno != ENOENT)
            stoq_ctx_log(ctx, STOQ_LEVEL_WARNING, "rule cache %s: %s", dir,
                         strerrordesc_np(errno));
        return -1;
    }
    if (!stoq_yara_trusted(fd, S_IWGRP | S_IWOTH)) {
        stoq_ctx_log(ctx, STOQ_LEVEL_WARNING,
                     "rule cache %s is not used: others can write it", dir);
        return -1;
    }
    int result = fd;
    fd = -1;
    return result;
}

static int
read_at(int dir, const char *name, char **out, size_t *size)
{
    PLUGIN_AUTOCLOSE int fd =
        openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (!stoq_yara_trusted(fd, S_IWGRP | S_IWOTH))
        return -EPERM;
    /* The time of use decides what is pruned; failing to set it is no harm. */
    (void)futimens(fd, NULL);
    return stoq_yara_read_fd(fd, CACHE_MAX, out, size);
}

static int
write_at(int dir, const char *name, const void *data, size_t size)
{
    char temp[128];
    (void)snprintf(temp, sizeof temp, ".%s.%ld", name, (long)getpid());
    (void)unlinkat(dir, temp, 0);
    PLUGIN_AUTOCLOSE int fd =
        openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int r = 0;
    for (size_t off = 0; r == 0 && off < size;) {
        ssize_t n = write(fd, (const char *)data + off, size - off);
        if (n >= 0)
            off += (size_t)n;
        else if (errno != EINTR)
            r = -errno;
    }
    if (r == 0 && (fsync(fd) < 0 || renameat(dir, temp, dir, name) < 0))
        r = -errno;
    if (r < 0)
        (void)unlinkat(dir, temp, 0);
    return r;
}

/* Drop the set used longest ago while there are too many. Rules that change daily would
 * otherwise fill the disk. */
static void
cache_prune(int dir)
{
    for (int round = 0; round < CACHE_KEEP; round++) {
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
        if (!d) {
            if (fd >= 0)
                (void)close(fd);
            return;
        }
        char oldest[96] = "";
        struct timespec when = {0, 0};
        int count = 0;
        const struct dirent *e;
        while ((e = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): own stream */
            size_t n = strlen(e->d_name);
            struct stat st;
            if (n != 69 || strcmp(e->d_name + 64, ".yarc") != 0 ||
                fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                continue;
            if (count++ == 0 || st.st_mtim.tv_sec < when.tv_sec) {
                when = st.st_mtim;
                (void)snprintf(oldest, sizeof oldest, "%.64s", e->d_name);
            }
        }
        (void)closedir(d);
        if (count <= CACHE_KEEP)
            return;
        char name[128];
        (void)snprintf(name, sizeof name, "%s.yarc", oldest);
        (void)unlinkat(dir, name, 0);
        (void)snprintf(name, sizeof name, "%s.json", oldest);
        (void)unlinkat(dir, name, 0);
    }
}

/* -------------------------------------------------------------------- the facts */

static json_t *
includes_json(const struct stoq_yara_includes *includes)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < includes->count; i++) {
        const struct stoq_yara_include *item = &includes->items[i];
        /* A path that is not UTF-8 makes this fail: such a set is not kept. */
        json_t *pair = json_pack("[s, s]", item->path, item->sha256);
        if (json_array_append_new(list, pair) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* Whether the files that were included are what they were. Fills @p out. */
static bool
includes_hold(const json_t *list, struct stoq_yara_includes *out)
{
    size_t n = json_array_size(list);
    out->items = calloc(n + 1, sizeof *out->items);
    if (!json_is_array(list) || !out->items)
        return false;
    out->room = n + 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(list, i);
        const char *path = json_string_value(json_array_get(pair, 0));
        const char *sha = json_string_value(json_array_get(pair, 1));
        struct stoq_yara_include *item = &out->items[i];
        item->path = path && sha ? strdup(path) : NULL;
        if (!item->path)
            return false;
        out->count++;
        PLUGIN_AUTOFREE char *text = NULL;
        size_t size = 0;
        if (stoq_yara_read_path(item->path, YARA_FILE_MAX, &text, &size) == 0 &&
            stoq_yara_sha256(text, size, item->sha256) < 0)
            return false;
        if (strcmp(item->sha256, sha) != 0)
            return false;
    }
    return true;
}

static bool
load_from(int dir, const char *key, struct stoq_yara_set *set,
          struct stoq_yara_includes *includes)
{
    char name[96];
    PLUGIN_AUTOFREE char *text = NULL;
    PLUGIN_AUTOFREE char *rules = NULL;
    size_t text_size = 0, rules_size = 0;
    (void)snprintf(name, sizeof name, "%s.json", key);
    if (read_at(dir, name, &text, &text_size) < 0)
        return false;
    json_auto_t *facts = json_loadb(text, text_size, 0, NULL);
    const char *want = json_string_value(json_object_get(facts, "yarc_sha256"));
    json_t *failed = json_object_get(facts, "failed");
    if (!want || !json_is_array(failed) ||
        !includes_hold(json_object_get(facts, "includes"), includes))
        return false;

    char have[YARA_SHA256_HEX] = "";
    (void)snprintf(name, sizeof name, "%s.yarc", key);
    if (read_at(dir, name, &rules, &rules_size) < 0 ||
        stoq_yara_sha256(rules, rules_size, have) < 0 || strcmp(have, want) != 0 ||
        stoq_yara_rules_load(rules, rules_size, &set->rules) < 0)
        return false;
    set->loaded = (size_t)json_integer_value(json_object_get(facts, "loaded"));
    set->externals = json_is_true(json_object_get(facts, "externals"));
    set->failed = json_incref(failed);
    set->cached = true;
    return true;
}

bool
stoq_yara_cache_load(const struct stoq_ctx *ctx, const char *key,
                     struct stoq_yara_set *set, struct stoq_yara_includes *includes)
{
    PLUGIN_AUTOCLOSE int dir = cache_open(ctx);
    if (dir < 0)
        return false;
    if (load_from(dir, key, set, includes))
        return true;
    stoq_yara_includes_fini(includes);
    return false;
}

static int
store_in(int dir, const char *key, const struct stoq_yara_set *set,
         const struct stoq_yara_includes *includes)
{
    PLUGIN_AUTOFREE char *rules = NULL;
    size_t size = 0;
    char sha[YARA_SHA256_HEX] = "";
    int r = rules_save(set->rules, &rules, &size);
    if (r == 0)
        r = stoq_yara_sha256(rules, size, sha);
    if (r < 0)
        return r;
    json_t *failed = set->failed ? json_deep_copy(set->failed) : json_array();
    json_auto_t *facts =
        json_pack("{s: s, s: I, s: b, s: o, s: o}", "yarc_sha256", sha, "loaded",
                  (json_int_t)set->loaded, "externals", (int)set->externals, "failed",
                  failed, "includes", includes_json(includes));
    PLUGIN_AUTOFREE char *text = json_dumps(facts, JSON_INDENT(1));
    if (!text)
        return -ENOMEM;

    char name[96];
    (void)snprintf(name, sizeof name, "%s.yarc", key);
    r = write_at(dir, name, rules, size);
    if (r == 0) {
        (void)snprintf(name, sizeof name, "%s.json", key);
        r = write_at(dir, name, text, strlen(text));
    }
    return r;
}

void
stoq_yara_cache_store(const struct stoq_ctx *ctx, const char *key,
                      const struct stoq_yara_set *set,
                      const struct stoq_yara_includes *includes)
{
    PLUGIN_AUTOCLOSE int dir = cache_open(ctx);
    if (dir < 0)
        return;
    int r = store_in(dir, key, set, includes);
    if (r < 0) {
        stoq_ctx_log(ctx, STOQ_LEVEL_WARNING, "compiled rules cannot be kept in %s: %s",
                     stoq_ctx_cache_dir(ctx), strerrordesc_np(-r));
        return;
    }
    cache_prune(dir);
    (void)fsync(dir);
}
