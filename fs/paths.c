/* SPDX-License-Identifier: Apache-2.0 */

/* Defaults and resolution of the mount's directories, and whether they may meet. */

#include "paths.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config.h"
#include "util/auto.h"
#include "util/digest.h"
#include "util/io.h"

char *
stoqfs_path_home(const char *name)
{
    struct stoq_strbuf b = {0};
    const char *stoq_home = getenv("STOQ_HOME");
    const char *home = getenv("HOME");
    if (stoq_home && *stoq_home)
        stoq_strbuf_addf(&b, "%s/%s", stoq_home, name);
    else if (home && *home)
        stoq_strbuf_addf(&b, "%s/.stoq/%s", home, name);
    return b.data ? stoq_strbuf_steal(&b) : NULL;
}

bool
stoqfs_path_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    if (n == 1 && dir[0] == '/')
        return true;
    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Resolve what exists of @path and append the rest; "..", which only the resolved part
 * can hold safely, is refused beyond it. */
static char *
resolve_partly(const char *path)
{
    STOQ_AUTOFREE char *head = NULL;
    struct stoq_strbuf b = {0};
    char real[PATH_MAX], cwd[PATH_MAX];

    if (path[0] != '/') {
        if (!getcwd(cwd, sizeof(cwd)))
            return NULL;
        stoq_strbuf_addf(&b, "%s/", cwd);
    }
    stoq_strbuf_adds(&b, path);
    head = stoq_strbuf_steal(&b);
    if (!head)
        return NULL;
    size_t len = strlen(head);
    while (!realpath(head, real)) {
        char *slash = strrchr(head, '/');
        if ((errno != ENOENT && errno != ENOTDIR) || !slash)
            return NULL;
        if (strcmp(slash, "/..") == 0) {
            errno = EINVAL;
            return NULL;
        }
        *slash = '\0';
        if (slash == head) {
            (void)strcpy(real, "");
            break;
        }
    }
    size_t kept = strlen(head);
    stoq_strbuf_adds(&b, strcmp(real, "/") == 0 ? "" : real);
    for (size_t i = kept; i < len; i += strlen(head + i)) {
        if (head[i] == '\0')
            head[i] = '/';
        while (i < len && head[i] == '/' && (head[i + 1] == '/' || head[i + 1] == '\0'))
            i++;
        stoq_strbuf_adds(&b, head + i);
    }
    if (b.size == 0)
        stoq_strbuf_adds(&b, "/");
    return stoq_strbuf_steal(&b);
}

static int
resolve_existing(char **path, const char *what, struct stoq_error *err)
{
    char *real = realpath(*path, NULL);
    if (!real) {
        if (errno == ENOTCONN)
            return stoq_error_set(
                err, STOQ_ERROR_CONFIG, -ENOTCONN,
                "%s %s is a mount whose daemon is gone; clear it with: "
                "fusermount3 -uz %s",
                what, *path, *path);
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno, "%s %s: %s", what, *path,
                              strerror(errno));
    }
    free(*path);
    *path = real;
    return 0;
}

/* A directory name for a source path: '/' becomes '-', odd bytes %XX. */
static char *
name_for(const char *source)
{
    struct stoq_strbuf b = {0};
    for (const char *p = source + (source[0] == '/'); *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == '_' || *p == '.';
        if (*p == '/')
            stoq_strbuf_adds(&b, "-");
        else if (plain)
            stoq_strbuf_add(&b, p, 1);
        else
            stoq_strbuf_addf(&b, "%%%02x", (unsigned)(unsigned char)*p);
    }
    if (b.size == 0)
        stoq_strbuf_adds(&b, "root");
    if (b.size > 200) {
        uint8_t sum[STOQ_SHA256_SIZE];
        char hex[STOQ_SHA256_HEX];
        if (stoq_sha256(source, strlen(source), sum) < 0)
            b.failed = true;
        stoq_hex(sum, sizeof(sum), hex);
        stoq_strbuf_fini(&b);
        stoq_strbuf_adds(&b, hex);
    }
    return stoq_strbuf_steal(&b);
}

/* Where state goes when nothing says: systemd's, XDG's, the system's, the user's. */
static char *
state_base(void)
{
    struct stoq_strbuf b = {0};
    const char *systemd = getenv("STATE_DIRECTORY");
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (systemd && *systemd)
        stoq_strbuf_add(&b, systemd, strcspn(systemd, ":"));
    else if (xdg && xdg[0] == '/')
        stoq_strbuf_addf(&b, "%s/stoq", xdg);
    else if (geteuid() == 0 || !home || !*home)
        stoq_strbuf_adds(&b, "/var/lib/stoq");
    else
        stoq_strbuf_addf(&b, "%s/.local/state/stoq", home);
    return stoq_strbuf_steal(&b);
}

static int
out_of_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

static int
resolve_state(struct stoqfs_options *o, const char *said, struct stoq_error *err)
{
    STOQ_AUTOFREE char *base = state_base();
    STOQ_AUTOFREE char *name = name_for(o->source);
    STOQ_AUTOFREE char *wanted = NULL;
    struct stoq_strbuf b = {0};
    const char *configured = stoq_config_get(o->config, "stoqfs", "state_dir");
    if (!base || !name)
        return out_of_memory(err);
    if (said || (configured && *configured))
        stoq_strbuf_adds(&b, said ? said : configured);
    else
        stoq_strbuf_addf(&b, "%s/fs/%s", base, name);
    wanted = stoq_strbuf_steal(&b);
    if (!wanted)
        return out_of_memory(err);
    o->state_dir = resolve_partly(wanted);
    if (!o->state_dir)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno, "state directory %s: %s",
                              wanted, strerror(errno));
    const char *cache = stoq_config_get(o->config, "core", "cache_dir");
    if (cache && *cache)
        return 0;
    stoq_strbuf_addf(&b, "%s/cache", said || configured ? o->state_dir : base);
    STOQ_AUTOFREE char *dir = stoq_strbuf_steal(&b);
    return dir ? stoq_config_set(o->config, "core", "cache_dir", dir, err)
               : out_of_memory(err);
}

int
stoqfs_paths_resolve(struct stoqfs_options *o, const char *state_dir,
                     struct stoq_error *err)
{
    int r = resolve_existing(&o->source, "source", err);
    if (r == 0)
        r = resolve_existing(&o->mountpoint, "mount point", err);
    return r == 0 ? resolve_state(o, state_dir, err) : r;
}

static int
must_be_dir(const char *path, const char *what, struct stoq_error *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno, "%s %s: %s", what, path,
                              strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOTDIR,
                              "%s %s is not a directory", what, path);
    STOQ_AUTOCLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno, "%s %s: %s", what, path,
                              strerror(errno));
    return 0;
}

static int
apart(const char *a, const char *what_a, const char *b, const char *what_b,
      struct stoq_error *err)
{
    const char *how = strcmp(a, b) == 0         ? "is"
                      : stoqfs_path_below(a, b) ? "lies below"
                      : stoqfs_path_below(b, a) ? "lies above"
                                                : NULL;
    if (!how)
        return 0;
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                          "%s %s %s the %s %s; choose directories that do not contain "
                          "each other",
                          what_a, a, how, what_b, b);
}

static int
check_free(const struct stoqfs_options *o, struct stoq_error *err)
{
    struct stat st, up;
    STOQ_AUTOFREE char *above = NULL;
    if (asprintf(&above, "%s/..", o->mountpoint) < 0)
        return out_of_memory(err);
    if (stat(o->mountpoint, &st) < 0 || stat(above, &up) < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno, "mount point %s: %s",
                              o->mountpoint, strerror(errno));
    if (o->nonempty)
        return 0;
    if (st.st_dev != up.st_dev)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EBUSY,
                              "mount point %s is in use by another mount; unmount it "
                              "first, or say -o nonempty",
                              o->mountpoint);
    STOQ_AUTOCLOSEDIR DIR *d = opendir(o->mountpoint);
    struct dirent *e;
    while (d && (e = readdir(d)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOTEMPTY,
                                  "mount point %s is not empty; choose an empty "
                                  "directory, or say -o nonempty to hide what is there",
                                  o->mountpoint);
    return 0;
}

/* Options of plugins that name directories, and the log's: a result written below the
 * source would be scanned, giving a result, and so on. */
static int
check_outputs(const struct stoqfs_options *o, struct stoq_error *err)
{
    const struct stoq_config *c = o->config;
    for (size_t i = 0; i < c->plugin_count; i++) {
        const struct stoq_plugin_options *p = &c->plugins[i];
        for (size_t k = 0; k < p->keys.count; k++) {
            size_t n = strlen(p->keys.items[k]);
            const char *value = p->values.items[k];
            if (n < 4 || strcmp(p->keys.items[k] + n - 4, "_dir") != 0 || !*value ||
                strcmp(p->keys.items[k], "source_dir") == 0)
                continue;
            STOQ_AUTOFREE char *dir = resolve_partly(value);
            if (dir && (stoqfs_path_below(dir, o->source) ||
                        stoqfs_path_below(dir, o->mountpoint)))
                return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                      "[%s] %s = %s lies in the mounted tree, so that "
                                      "what is written there would be scanned again; "
                                      "choose a directory outside",
                                      p->plugin, p->keys.items[k], value);
        }
    }
    STOQ_AUTOFREE char *log =
        c->log_dir && *c->log_dir ? resolve_partly(c->log_dir) : NULL;
    if (log &&
        (stoqfs_path_below(log, o->source) || stoqfs_path_below(log, o->mountpoint)))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "log_dir %s lies in the mounted tree; choose a directory "
                              "outside",
                              c->log_dir);
    return 0;
}

static int
check_device(struct stoq_error *err)
{
    STOQ_AUTOCLOSE int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno,
                              "/dev/fuse: %s; load the fuse module (modprobe fuse) or "
                              "give the container the device",
                              strerror(errno));
    return 0;
}

int
stoqfs_paths_check(const struct stoqfs_options *o, struct stoq_error *err)
{
    int r = must_be_dir(o->source, "source", err);
    if (r == 0)
        r = must_be_dir(o->mountpoint, "mount point", err);
    if (r == 0)
        r = apart(o->source, "source", o->mountpoint, "mount point", err);
    if (r == 0)
        r = apart(o->state_dir, "state directory", o->mountpoint, "mount point", err);
    if (r == 0)
        r = apart(o->state_dir, "state directory", o->source, "source", err);
    if (r == 0)
        r = check_free(o, err);
    if (r == 0)
        r = check_outputs(o, err);
    return r == 0 ? check_device(err) : r;
}
