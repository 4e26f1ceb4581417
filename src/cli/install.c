/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `stoq install`: a plugin, from a directory or a tarball, is brought into a hidden
 * directory of the plugin home, checked there, and moved to its place. One installation
 * at a time: the home is locked. Signals wait until a moment where stopping is clean.
 */

#include "cli/install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/apart.h"
#include "cli/cli.h"
#include "cli/scratch.h"
#include "core/config.h"
#include "plugin/loader.h"
#include "plugin/manifest.h"
#include "util/auto.h"
#include "util/json.h"

#define APART_MS 120000U

STOQ_DEFINE_AUTO(stoq_config)
STOQ_DEFINE_AUTO(stoq_catalogue)

struct install {
    const char *source;
    bool upgrade;
    char *home_path; /* owned, absolute */
    int home;        /* the directory, locked */
    char *staging;   /* owned: HOME/.install-xxxxxx */
    char *root;      /* owned: the plugin, in there */
    int unpack_from, unpack_to;
    struct stoq_manifest *manifest; /* owned: of root */
};

static int
fail(const char *path, int code, struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, code, "%s: %s", path,
                          strerror(-code));
}

/* ------------------------------------------------------------------- the place */

static int
open_home(struct install *in, struct stoq_error *err)
{
    struct stat st;
    char *real = realpath(in->home_path, NULL);
    if (!real)
        return fail(in->home_path, -errno, err);
    free(in->home_path);
    in->home_path = real;
    in->home = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (in->home < 0 || fstat(in->home, &st) < 0)
        return fail(real, -errno, err);
    if (st.st_mode & S_IWOTH)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EPERM,
                              "%s: everybody may write there; no place for plugins",
                              real);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EPERM,
                              "%s: belongs to neither root nor this user", real);
    if (flock(in->home, LOCK_EX) < 0)
        return fail(real, -errno, err);
    cli_install_recover(in->home, real);
    return cli_scratch_new(real, CLI_INSTALL_STAGING, &in->staging, err);
}

/* -------------------------------------------------------------- into the staging */

static int
unpack(void *arg, json_t **answer, struct stoq_error *err)
{
    const struct install *in = arg;
    *answer = json_null();
    return cli_install_unpack(in->unpack_from, in->source, in->unpack_to, err);
}

/* A tarball may hold one directory, which is then the plugin. */
static int
descend(struct install *in, struct stoq_error *err)
{
    STOQ_AUTOCLOSEDIR DIR *d = opendir(in->root);
    STOQ_AUTOFREE char *only = NULL;
    const struct dirent *e;
    size_t count = 0;
    if (!d)
        return fail(in->root, -errno, err);
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        free(only);
        only = strdup(e->d_name);
        count++;
    }
    struct stat st;
    if (count != 1 || !only || fstatat(dirfd(d), only, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISDIR(st.st_mode))
        return 0;
    char *below = NULL;
    if (asprintf(&below, "%s/%s", in->root, only) < 0)
        return fail(in->root, -ENOMEM, err);
    free(in->root);
    in->root = below;
    return 0;
}

static int
stage(struct install *in, struct stoq_error *err)
{
    struct stat st;
    STOQ_AUTOCLOSE int staging = open(in->staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    STOQ_AUTOCLOSE int from =
        open(in->source, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (from < 0 || fstat(from, &st) < 0)
        return fail(in->source, -errno, err);
    if (staging < 0 || asprintf(&in->root, "%s/new", in->staging) < 0) {
        in->root = NULL;
        return fail(in->staging, staging < 0 ? -errno : -ENOMEM, err);
    }
    STOQ_AUTOCLOSE int to = cli_install_mkdir(staging, "new", false, in->root, err);
    if (to < 0)
        return to;
    if (S_ISDIR(st.st_mode))
        return cli_install_copy(in->source, to, err);
    if (!S_ISREG(st.st_mode))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "%s: neither a directory nor a tarball", in->source);
    json_auto_t *answer = NULL;
    in->unpack_from = from;
    in->unpack_to = to;
    int r = cli_apart(unpack, in, APART_MS, &answer, err);
    return r < 0 ? r : descend(in, err);
}

/* ---------------------------------------------------------------------- the check */

static bool
is_manifest(const char *name)
{
    static const char suffix[] = ".stoq";
    size_t n = strlen(name);
    return n >= sizeof(suffix) && name[0] != '.' &&
           strcmp(name + n - (sizeof(suffix) - 1), suffix) == 0;
}

static int
read_manifest(struct install *in, struct stoq_error *err)
{
    STOQ_AUTOCLOSEDIR DIR *d = opendir(in->root);
    STOQ_AUTOFREE char *file = NULL;
    const struct dirent *e;
    if (!d)
        return fail(in->root, -errno, err);
    while ((e = readdir(d))) {
        if (!is_manifest(e->d_name))
            continue;
        if (file)
            return stoq_error_set(
                err, STOQ_ERROR_CONFIG, -EINVAL,
                "%s: two manifests, %s and %s; install one plugin at a "
                "time",
                in->source, file, e->d_name);
        file = strdup(e->d_name);
    }
    if (!file)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "%s: no plugin: there is no manifest NAME.stoq",
                              in->source);
    return stoq_manifest_read(in->root, file, &in->manifest, err);
}

static int
load(void *arg, json_t **answer, struct stoq_error *err)
{
    return stoq_manifest_describe(arg, answer, err);
}

/* Messages name what the user named, not where it lies meanwhile. */
static int
by_source(const struct install *in, int code, const struct stoq_error *why,
          struct stoq_error *err)
{
    const char *text = why->message;
    size_t n = strlen(in->root);
    if (strncmp(text, in->root, n) == 0)
        text += text[n] == '/' ? n + 1 : n;
    return stoq_error_set(err, why->kind, code, "%s: %s", in->source, text);
}

static int
check(struct install *in, struct stoq_error *err)
{
    struct stoq_error why = {0};
    json_auto_t *facts = NULL;
    int r = read_manifest(in, &why);
    if (r == 0)
        r = cli_apart(load, in->manifest, APART_MS, &facts, &why);
    if (r < 0 && strncmp(why.message, in->source, strlen(in->source)) == 0) {
        *err = why;
        return r;
    }
    return r < 0 ? by_source(in, r, &why, err) : 0;
}

/* Whether home has a plugin of that name, and where. Another directory's is not
 * replaced: which of two counts would be a matter of the alphabet. */
static int
check_others(const struct install *in, struct stoq_error *err)
{
    const char *name = in->manifest->name;
    struct stoq_strv dirs = {0};
    struct stat st;
    STOQ_AUTO(stoq_catalogue) catalogue = NULL;
    STOQ_AUTOFREE char *place = NULL;
    int r = stoq_strv_add(&dirs, in->home_path);
    if (r == 0 && asprintf(&place, "%s/%s", in->home_path, name) < 0) {
        place = NULL;
        r = -ENOMEM;
    }
    if (r == 0)
        r = stoq_catalogue_new(&dirs, &catalogue, err);
    stoq_strv_fini(&dirs);
    if (r < 0)
        return fail(name, r, err);
    const struct stoq_manifest *other = stoq_catalogue_find(catalogue, name);
    if (other && strcmp(other->dir, place) != 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EEXIST,
                              "plugin %s is in %s already, which stoq install did not "
                              "make; remove it first",
                              name, other->dir);
    if (fstatat(in->home, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (!in->upgrade)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EEXIST,
                              "plugin %s is installed already; --upgrade replaces it",
                              name);
    if (!other || !S_ISDIR(st.st_mode))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EEXIST,
                              "%s is not a plugin %s; left alone", place, name);
    return 0;
}

/* -------------------------------------------------------------------------- verb */

static bool
interrupted(void)
{
    sigset_t waiting;
    return sigpending(&waiting) == 0 &&
           (sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1 ||
            sigismember(&waiting, SIGHUP) == 1);
}

static int
install(struct install *in, struct stoq_error *err)
{
    int r = open_home(in, err);
    if (r == 0)
        r = stage(in, err);
    if (r == 0)
        r = check(in, err);
    if (r == 0)
        r = check_others(in, err);
    if (r == 0 && interrupted())
        r = stoq_error_set(err, STOQ_ERROR_SYSTEM, -EINTR,
                           "interrupted; nothing was installed");
    if (r < 0)
        return r;
    struct cli_install_move move = {.home = in->home,
                                    .staging = in->staging,
                                    .staged = in->root,
                                    .name = in->manifest->name,
                                    .upgrade = in->upgrade};
    r = cli_install_commit(&move, err);
    if (r == 0 && move.in_steps)
        (void)fprintf(stderr,
                      "stoq: %s cannot exchange directories: plugin %s was away for a "
                      "moment\n",
                      in->home_path, in->manifest->name);
    return r;
}

static void
install_fini(struct install *in)
{
    (void)cli_scratch_remove(in->staging);
    stoq_manifest_free(in->manifest);
    free(in->root);
    free(in->staging);
    free(in->home_path);
    stoq_auto_close(&in->home);
}

static int
usage(const struct cli_args *a, struct stoq_error *err)
{
    if (a->files.count != 1)
        return stoq_error_set(
            err, STOQ_ERROR_CONFIG, -EINVAL,
            "usage: stoq install [--upgrade] [--plugin-dir DIR] DIR|TARBALL");
    if (a->plugin_dirs.count > 1)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "stoq install takes one --plugin-dir");
    return 0;
}

int
cli_install(const struct cli_args *a)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_config) config = NULL;
    struct install in = {.home = -1, .upgrade = a->upgrade};
    sigset_t ending, before;
    if (usage(a, &err) < 0 || cli_config(a, &config, NULL, &err) < 0 ||
        cli_plugin_home(config, &in.home_path, &err) < 0)
        return cli_fail(CLI_USAGE, &err);
    in.source = a->files.items[0];
    (void)sigemptyset(&ending);
    (void)sigaddset(&ending, SIGINT);
    (void)sigaddset(&ending, SIGTERM);
    (void)sigaddset(&ending, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &ending, &before);
    int r = install(&in, &err);
    if (r == 0)
        (void)printf("Successfully installed %s into %s/%s\n", in.manifest->name,
                     in.home_path, in.manifest->name);
    int status = r < 0 ? cli_fail(CLI_USAGE, &err) : CLI_CLEAN;
    install_fini(&in);
    (void)fflush(stdout);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}
