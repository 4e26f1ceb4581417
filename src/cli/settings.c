/* SPDX-License-Identifier: Apache-2.0 */

/* From the command line to a configuration and a running log. */

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/config.h"
#include "util/auto.h"
#include "util/log.h"

static void
remark(void *arg, const char *text)
{
    unsigned *count = arg;
    (void)fprintf(stderr, "stoq: %s\n", text);
    (*count)++;
}

/* $STOQ_HOME, which must exist when set, else ~/.stoq where that exists. */
static int
home(char **out, struct stoq_error *err)
{
    const char *set = getenv("STOQ_HOME");
    const char *user = getenv("HOME");
    struct stat st;
    char *path = NULL;
    if (set && *set) {
        path = strdup(set);
        if (path && (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))) {
            free(path);
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOTDIR,
                                  "STOQ_HOME=%s is not a directory", set);
        }
    } else if (user && *user && asprintf(&path, "%s/.stoq", user) >= 0) {
        if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
            free(path);
            path = NULL;
        }
    }
    *out = path;
    return 0;
}

static int
read_file(struct stoq_config *config, const char *named, const char *base,
          unsigned *remarks, struct stoq_error *err)
{
    STOQ_AUTOFREE char *path = NULL;
    if (named)
        return stoq_config_read(config, named, remark, remarks, err);
    if (base && asprintf(&path, "%s/stoq.cfg", base) >= 0 && access(path, F_OK) == 0)
        return stoq_config_read(config, path, remark, remarks, err);
    if (access("/etc/stoq/stoq.cfg", F_OK) == 0)
        return stoq_config_read(config, "/etc/stoq/stoq.cfg", remark, remarks, err);
    return 0;
}

static int
set_list(struct stoq_config *config, const char *key, const struct stoq_strv *v,
         struct stoq_error *err)
{
    if (v->count == 0)
        return 0;
    return stoq_config_set_list(config, "core", key, stoq_strv_items(v), v->count, err);
}

static int
set_plugin_opt(struct stoq_config *config, const char *text, struct stoq_error *err)
{
    STOQ_AUTOFREE char *copy = strdup(text);
    char *colon = copy ? strchr(copy, ':') : NULL;
    char *equals = colon ? strchr(colon, '=') : NULL;
    if (!copy)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    if (!equals || colon == copy || equals == colon + 1)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "--plugin-opts %s: expected PLUGIN:OPTION=VALUE", text);
    *colon = '\0';
    *equals = '\0';
    return stoq_config_set(config, copy, colon + 1, equals + 1, err);
}

static int
set_scalar(struct stoq_config *config, const char *section, const char *key,
           const char *value, struct stoq_error *err)
{
    return value ? stoq_config_set(config, section, key, value, err) : 0;
}

static int
apply(const struct cli_args *a, struct stoq_config *config, struct stoq_error *err)
{
    const struct {
        const char *key;
        const struct stoq_strv *list;
    } lists[] = {
        {"always_dispatch", &a->always},
        {"dispatchers", &a->dispatchers},
        {"decorators", &a->decorators},
        {"connectors", &a->connectors},
        {"dest_archivers", &a->dest_archivers},
        {"source_archivers", &a->source_archivers},
        {"providers", &a->providers},
        {"plugin_dir_list", &a->plugin_dirs},
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < STOQ_ARRAY_SIZE(lists); i++)
        r = set_list(config, lists[i].key, lists[i].list, err);
    for (size_t i = 0; r == 0 && i < a->plugin_opts.count; i++)
        r = set_plugin_opt(config, a->plugin_opts.items[i], err);
    if (r == 0)
        r = set_scalar(config, "core", "max_recursion", a->max_recursion, err);
    if (r == 0)
        r = set_scalar(config, "core", "log_level", a->log_level, err);
    if (r == 0)
        r = set_scalar(config, "core", "sandbox", a->sandbox, err);
    return r == 0 ? set_scalar(config, "limits", "deadline", a->deadline, err) : r;
}

/* The home's plugins are looked at when nothing else is named, as in the original. */
static int
default_plugins(struct stoq_config *config, const char *base, struct stoq_error *err)
{
    STOQ_AUTOFREE char *path = NULL;
    if (!base || config->plugin_dirs.count)
        return 0;
    if (asprintf(&path, "%s/plugins", base) < 0) {
        path = NULL;
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    const char *list[] = {path};
    return access(path, F_OK) == 0
               ? stoq_config_set_list(config, "core", "plugin_dir_list", list, 1, err)
               : 0;
}

int
cli_plugin_home(const struct stoq_config *config, char **out, struct stoq_error *err)
{
    STOQ_AUTOFREE char *base = NULL;
    STOQ_AUTOFREE char *path = NULL;
    if (config->plugin_dirs.count) {
        path = strdup(config->plugin_dirs.items[0]);
    } else {
        int r = home(&base, err);
        if (r < 0)
            return r;
        if (!base)
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT,
                                  "there is no plugin directory: make ~/.stoq, set "
                                  "STOQ_HOME, or use --plugin-dir");
        if (asprintf(&path, "%s/plugins", base) < 0)
            path = NULL;
        if (path && mkdir(path, 0755) < 0 && errno != EEXIST)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "%s: %s", path,
                                  strerror(errno));
    }
    if (!path)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    *out = STOQ_STEAL(&path);
    return 0;
}

/* Where compiled rules are kept for the next start. */
static int
default_cache(struct stoq_config *config, struct stoq_error *err)
{
    const char *xdg = getenv("XDG_CACHE_HOME");
    const char *user = getenv("HOME");
    STOQ_AUTOFREE char *path = NULL;
    int n = -1;
    if (config->cache_dir && *config->cache_dir)
        return 0;
    if (xdg && xdg[0] == '/')
        n = asprintf(&path, "%s/stoq", xdg);
    else if (user && user[0] == '/')
        n = asprintf(&path, "%s/.cache/stoq", user);
    return n > 0 ? stoq_config_set(config, "core", "cache_dir", path, err) : 0;
}

static int
start_log(const struct stoq_config *c, struct stoq_error *err)
{
    struct stoq_log_config log = {.level = STOQ_LEVEL_WARNING,
                                  .ident = "stoq",
                                  .dir = c->log_dir,
                                  .max_bytes = (size_t)c->log_maxbytes,
                                  .backups = (unsigned)c->log_backup_count,
                                  .json = strcmp(c->log_syntax, "json") == 0};
    (void)stoq_log_level_parse(c->log_level, &log.level);
    return stoq_log_setup(&log, err);
}

int
cli_config(const struct cli_args *a, struct stoq_config **out, unsigned *remarks,
           struct stoq_error *err)
{
    unsigned counted = 0;
    struct stoq_config *config = NULL;
    STOQ_AUTOFREE char *base = NULL;
    int r = home(&base, err);
    if (r == 0)
        r = stoq_config_new(&config, err);
    if (r == 0 && base)
        r = stoq_config_set(config, "core", "base_dir", base, err);
    if (r == 0)
        r = read_file(config, a->config_file, base, &counted, err);
    if (r == 0)
        r = apply(a, config, err);
    if (r == 0)
        r = default_plugins(config, base, err);
    if (r == 0)
        r = default_cache(config, err);
    if (r == 0)
        r = start_log(config, err);
    if (r < 0) {
        stoq_config_free(config);
        return r;
    }
    if (remarks)
        *remarks = counted;
    *out = config;
    return 0;
}
