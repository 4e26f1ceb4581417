/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parses stoqfs's command line. Plugin lists and the like go into the configuration,
 * over the file's; -o words are ours, libfuse's, or mount(8)'s, which are swallowed.
 */

#include "options.h"

#include <getopt.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "option_words.h"
#include "paths.h"
#include "util/auto.h"
#include "util/log.h"

static const char usage_text[] =
    "usage: stoqfs [options] SRC MNT\n"
    "\n"
    "Mounts directory SRC at MNT. What is read or written through MNT is scanned; the\n"
    "result of MNT/NAME is MNT/NAME.stoq.json, that of the whole mount MNT/.stoq/.\n"
    "\n"
    "  -a, --always-dispatch LIST  workers for every file (default "
    "hash,mimetype,yara)\n"
    "  -R, --dispatchers LIST      dispatchers\n"
    "  -C, --connectors LIST       where results are delivered\n"
    "  -D, --decorators LIST       decorators\n"
    "  -A, --dest-archivers LIST   where files are archived\n"
    "      --plugin-opts P:O=V     option O of plugin P\n"
    "      --plugin-dir LIST       directories with plugins, beside the bundled one\n"
    "      --config FILE           stoq.cfg (default: $STOQ_HOME/stoq.cfg or\n"
    "                              /etc/stoq/stoq.cfg where there is one)\n"
    "      --state-dir DIR         where results are kept\n"
    "      --log-level LEVEL       debug, info, warning, error\n"
    "  -f, --foreground            stay in the foreground, log to stderr\n"
    "  -d, --debug                 -f, and libfuse's own trace\n"
    "  -o OPT[,OPT...]             mount options:\n"
    "       enforce                deny reading of what is not clean\n"
    "       on_VERDICT=allow|deny  what enforce does with flagged, partial, error,\n"
    "                              timeout or skipped files\n"
    "       sidecars=scanned|all|hidden|off   which sidecars are listed\n"
    "       deadline=SECONDS       longest a reader waits for a verdict (30)\n"
    "       coherence=cached|strict   strict: the kernel caches nothing\n"
    "       sandbox=auto|require|off  what scanners give up; require: all of it\n"
    "       scanners=N, threads=N  processes that scan, threads that answer\n"
    "       readahead=N|off        files scanned ahead of who goes through a tree\n"
    "       watch_rules            reload when rule files change\n"
    "       reload=strict|lenient  whether a reload may make things worse\n"
    "       rescan=on|off          scan again what older rules scanned, when idle\n"
    "       ro, nonempty, allow_other, noallow_other, and libfuse's\n"
    "  -h, --help    -V, --version\n"
    "\n"
    "Lists are comma separated or repeated. Unmount with: fusermount3 -u MNT\n";

enum {
    OPT_PLUGIN_OPTS = 256,
    OPT_PLUGIN_DIR,
    OPT_CONFIG,
    OPT_STATE_DIR,
    OPT_LOG_LEVEL
};

static const struct option long_options[] = {
    {"always-dispatch", required_argument, NULL, 'a'},
    {"dispatchers", required_argument, NULL, 'R'},
    {"connectors", required_argument, NULL, 'C'},
    {"decorators", required_argument, NULL, 'D'},
    {"dest-archivers", required_argument, NULL, 'A'},
    {"plugin-opts", required_argument, NULL, OPT_PLUGIN_OPTS},
    {"plugin-dir", required_argument, NULL, OPT_PLUGIN_DIR},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"config-file", required_argument, NULL, OPT_CONFIG},
    {"state-dir", required_argument, NULL, OPT_STATE_DIR},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"foreground", no_argument, NULL, 'f'},
    {"debug", no_argument, NULL, 'd'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* What the command line said, before it meets the configuration file. */
struct said {
    struct stoq_strv always, dispatchers, connectors, decorators, archivers;
    struct stoq_strv plugin_dirs, plugin_opts, words;
    const char *config, *state_dir, *log_level;
};

static void
said_fini(struct said *s)
{
    stoq_strv_fini(&s->always);
    stoq_strv_fini(&s->dispatchers);
    stoq_strv_fini(&s->connectors);
    stoq_strv_fini(&s->decorators);
    stoq_strv_fini(&s->archivers);
    stoq_strv_fini(&s->plugin_dirs);
    stoq_strv_fini(&s->plugin_opts);
    stoq_strv_fini(&s->words);
}

static int
take_option(int c, struct said *s, struct stoqfs_options *out)
{
    switch (c) {
    case 'a':
        return stoq_strv_add_list(&s->always, optarg);
    case 'R':
        return stoq_strv_add_list(&s->dispatchers, optarg);
    case 'C':
        return stoq_strv_add_list(&s->connectors, optarg);
    case 'D':
        return stoq_strv_add_list(&s->decorators, optarg);
    case 'A':
        return stoq_strv_add_list(&s->archivers, optarg);
    case OPT_PLUGIN_DIR:
        return stoq_strv_add_list(&s->plugin_dirs, optarg);
    case OPT_PLUGIN_OPTS:
        return stoq_strv_add(&s->plugin_opts, optarg);
    case 'o':
        return stoqfs_words_split(&s->words, optarg);
    case OPT_CONFIG:
        s->config = optarg;
        return 0;
    case OPT_STATE_DIR:
        s->state_dir = optarg;
        return 0;
    case OPT_LOG_LEVEL:
        s->log_level = optarg;
        return 0;
    case 'd':
        out->debug = true;
        out->foreground = true;
        return stoq_strv_add(&s->words, "debug");
    default: /* 'f' */
        out->foreground = true;
        return 0;
    }
}

static int
scan_argv(int argc, char **argv, struct said *s, struct stoqfs_options *out,
          enum stoqfs_action *action, struct stoq_error *err)
{
    int c;
    optind = 1;
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":a:R:C:D:A:o:fdhV", long_options, NULL)) !=
           -1) {
        const char *word = argv[optind - 1];
        if (c == 'h') {
            (void)fputs(usage_text, stdout);
            *action = STOQFS_DONE;
            return 0;
        }
        if (c == 'V') {
            (void)printf("stoqfs %s\n", stoq_version());
            *action = STOQFS_DONE;
            return 0;
        }
        if (c == '?')
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                  "unknown option %s; see stoqfs --help", word);
        if (c == ':')
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                  "option %s needs a value; see stoqfs --help", word);
        int r = take_option(c, s, out);
        if (r < 0)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    }
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

/* "P:O=V", and after a comma another one; a comma before anything else is V's own. */
static int
set_plugin_opts(struct stoq_config *config, const char *text, struct stoq_error *err)
{
    STOQ_AUTOFREE char *copy = strdup(text);
    if (!copy)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    char *item = copy;
    while (item) {
        char *next = NULL;
        char *colon = strchr(item, ':');
        char *equals = colon ? strchr(colon, '=') : NULL;
        if (!colon || !equals || colon == item || equals == colon + 1)
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                  "--plugin-opts %s: expected PLUGIN:OPTION=VALUE",
                                  item);
        for (char *p = strchr(equals, ','); p && !next; p = strchr(p + 1, ',')) {
            const char *c = strchr(p + 1, ':');
            const char *e = strchr(p + 1, '=');
            const char *slash = strchr(p + 1, '/');
            if (c && e && c < e && (!slash || slash > c)) {
                *p = '\0';
                next = p + 1;
            }
        }
        *colon = '\0';
        *equals = '\0';
        int r = stoq_config_set(config, item, colon + 1, equals + 1, err);
        if (r < 0)
            return r;
        item = next;
    }
    return 0;
}

static void
remark(void *arg, const char *text)
{
    (void)arg;
    STOQ_WARN("%s", text);
}

/* Read the file that was named, or the usual ones where they exist. */
static int
read_config(struct stoq_config *config, const char *named, struct stoq_error *err)
{
    if (named)
        return stoq_config_read(config, named, remark, NULL, err);
    STOQ_AUTOFREE char *home = stoqfs_path_home("stoq.cfg");
    const char *usual[] = {home, "/etc/stoq/stoq.cfg"};
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(usual); i++)
        if (usual[i] && access(usual[i], F_OK) == 0)
            return stoq_config_read(config, usual[i], remark, NULL, err);
    return 0;
}

/* Plugins of the home are looked at when no directory is named, as by stoq. */
static int
default_plugins(struct stoq_config *config, struct stoq_error *err)
{
    STOQ_AUTOFREE char *home = stoqfs_path_home("plugins");
    const char *named = stoq_config_get(config, "core", "plugin_dir_list");
    if ((named && *named) || !home || access(home, F_OK) < 0)
        return 0;
    const char *list[] = {home};
    return stoq_config_set_list(config, "core", "plugin_dir_list", list, 1, err);
}

static int
fill_config(const struct said *s, struct stoq_config *config, struct stoq_error *err)
{
    int r = read_config(config, s->config, err);
    if (r == 0)
        r = set_list(config, "always_dispatch", &s->always, err);
    if (r == 0)
        r = set_list(config, "dispatchers", &s->dispatchers, err);
    if (r == 0)
        r = set_list(config, "connectors", &s->connectors, err);
    if (r == 0)
        r = set_list(config, "decorators", &s->decorators, err);
    if (r == 0)
        r = set_list(config, "dest_archivers", &s->archivers, err);
    if (r == 0)
        r = set_list(config, "plugin_dir_list", &s->plugin_dirs, err);
    if (r == 0)
        r = default_plugins(config, err);
    if (r == 0 && s->log_level)
        r = stoq_config_set(config, "core", "log_level", s->log_level, err);
    for (size_t i = 0; r == 0 && i < s->plugin_opts.count; i++)
        r = set_plugin_opts(config, s->plugin_opts.items[i], err);
    const char *always = stoq_config_get(config, "core", "always_dispatch");
    const char *dispatchers = stoq_config_get(config, "core", "dispatchers");
    if (r == 0 && (!always || !*always) && (!dispatchers || !*dispatchers))
        r = stoq_config_set(config, "core", "always_dispatch", "hash,mimetype,yara",
                            err);
    return r;
}

static int
take_positionals(int argc, char **argv, struct stoqfs_options *out,
                 struct stoq_error *err)
{
    if (argc - optind != 2)
        return stoq_error_set(
            err, STOQ_ERROR_CONFIG, -EINVAL,
            "expected SRC and MNT, got %d argument%s; see stoqfs --help", argc - optind,
            argc - optind == 1 ? "" : "s");
    out->source = strdup(argv[optind]);
    out->mountpoint = strdup(argv[optind + 1]);
    if (!out->source || !out->mountpoint)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    return 0;
}

int
stoqfs_options_parse(int argc, char **argv, struct stoqfs_options *out,
                     enum stoqfs_action *action, struct stoq_error *err)
{
    struct said said = {0};
    *out = (struct stoqfs_options){.deadline_ms = 30000,
                                   .threads = 4,
                                   .readahead = UINT_MAX,
                                   .passthrough = true,
                                   .rescan = true};
    *action = STOQFS_RUN;
    int r = scan_argv(argc, argv, &said, out, action, err);
    if (r == 0 && *action == STOQFS_RUN) {
        r = take_positionals(argc, argv, out, err);
        if (r == 0)
            r = stoq_config_new(&out->config, err);
        if (r == 0)
            r = fill_config(&said, out->config, err);
        if (r == 0)
            r = stoqfs_words_apply(&said.words, out, err);
        if (r == 0)
            r = stoqfs_paths_resolve(out, said.state_dir, err);
    }
    said_fini(&said);
    return r;
}

void
stoqfs_options_fini(struct stoqfs_options *o)
{
    free(o->source);
    free(o->mountpoint);
    free(o->state_dir);
    stoq_config_free(o->config);
    stoq_strv_fini(&o->fuse_args);
    *o = (struct stoqfs_options){0};
}
