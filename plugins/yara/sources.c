/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finding and reading rule files. Each is read once into memory, so that the bytes that
 * are hashed for the cache are the bytes that are compiled. Called by set.c; no lock.
 */

#include <fcntl.h>
#include <fts.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "parts.h"

static const char compiled_magic[4] = {'Y', 'A', 'R', 'A'};

int
stoq_yara_sha256(const void *data, size_t size, char out[YARA_SHA256_HEX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(data, size, digest, &length, EVP_sha256(), NULL) != 1)
        return -ENOMEM;
    for (unsigned i = 0; i < 32; i++)
        (void)snprintf(out + 2 * (size_t)i, 3, "%02x", (unsigned)digest[i]);
    return 0;
}

int
stoq_yara_read_fd(int fd, size_t max, char **out, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    if (st.st_size < 0 || (uint64_t)st.st_size > max)
        return -EFBIG;

    /* A file that grows meanwhile is taken as long as it was when it was opened. */
    size_t want = (size_t)st.st_size;
    PLUGIN_AUTOFREE char *data = malloc(want + 1);
    if (!data)
        return -ENOMEM;
    size_t got = 0;
    while (got < want) {
        ssize_t n = pread(fd, data + got, want - got, (off_t)got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    data[got] = '\0';
    *out = data;
    *size = got;
    data = NULL;
    return 0;
}

int
stoq_yara_read_path(const char *path, size_t max, char **out, size_t *size)
{
    /* O_NONBLOCK: a FIFO among the rules must not stop the start. */
    PLUGIN_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    return stoq_yara_read_fd(fd, max, out, size);
}

static void
file_fini(struct stoq_yara_file *f)
{
    free(f->path);
    free(f->name);
    free(f->text);
}

void
stoq_yara_sources_fini(struct stoq_yara_sources *s)
{
    for (size_t i = 0; i < s->count; i++)
        file_fini(&s->files[i]);
    free(s->files);
    *s = (struct stoq_yara_sources){0};
}

/* Append one file; one that cannot be read stays in the list without text, so that it
 * is reported and changes the digest. */
static int
sources_add(struct stoq_yara_sources *s, const char *path, const char *name)
{
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 16;
        struct stoq_yara_file *files = reallocarray(s->files, room, sizeof *files);
        if (!files)
            return -ENOMEM;
        s->files = files;
        s->room = room;
    }
    struct stoq_yara_file f = {0};
    f.path = strdup(path);
    f.name = strdup(name);
    int r = f.path && f.name ? 0 : -ENOMEM;
    if (r == 0) {
        int read = stoq_yara_read_path(path, YARA_FILE_MAX, &f.text, &f.size);
        if (read == 0)
            r = stoq_yara_sha256(f.text, f.size, f.sha256);
        else if (read == -ENOMEM)
            r = read;
    }
    if (r < 0) {
        file_fini(&f);
        return r;
    }
    s->files[s->count++] = f;
    return 0;
}

static bool
is_rule_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name &&
           (strcmp(dot, ".yar") == 0 || strcmp(dot, ".yara") == 0);
}

static int
by_name(const void *a, const void *b)
{
    const struct stoq_yara_file *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* What one step of the walk means: 1 = a rule file, 0 = nothing, -errno. */
static int
walk_entry(FTS *fts, FTSENT *e, struct stoq_error *err)
{
    if (e->fts_level > 0 && e->fts_name[0] == '.') {
        (void)fts_set(fts, e, FTS_SKIP);
        return 0;
    }
    switch (e->fts_info) {
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -e->fts_errno, "%s: %s",
                              e->fts_path, strerrordesc_np(e->fts_errno));
    case FTS_F:
        return is_rule_name(e->fts_name);
    case FTS_SL: {
        /* A link to a file is a rule file, a link to a directory is not entered. A
         * dangling one is kept: it is reported as not readable. */
        struct stat st;
        bool directory = stat(e->fts_accpath, &st) == 0 && S_ISDIR(st.st_mode);
        return !directory && is_rule_name(e->fts_name);
    }
    default:
        return 0;
    }
}

static int
walk(const char *path, struct stoq_yara_sources *out, struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *root = strdup(path);
    if (!root)
        return -ENOMEM;
    size_t length = strlen(root);
    while (length > 1 && root[length - 1] == '/')
        root[--length] = '\0';

    char *roots[] = {root, NULL};
    /* FTS_COMFOLLOW: the directory that the option names may be a link itself. */
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (!fts)
        return -errno;
    int r = 0;
    FTSENT *e;
    while (r >= 0 && (e = fts_read(fts))) {
        r = walk_entry(fts, e, err);
        if (r <= 0)
            continue;
        const char *name = e->fts_path + length;
        while (*name == '/')
            name++;
        r = sources_add(out, e->fts_path, name);
    }
    (void)fts_close(fts);
    if (r >= 0 && out->count > 1)
        qsort(out->files, out->count, sizeof *out->files, by_name);
    return r < 0 ? r : 0;
}

static int
read_any(const char *path, struct stoq_yara_sources *out, struct stoq_error *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno, "%s: %s", path,
                              strerrordesc_np(errno));
    int r;
    if (S_ISDIR(st.st_mode)) {
        r = walk(path, out, err);
        if (r == 0 && out->count == 0)
            r = stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT,
                               "%s: no *.yar or *.yara file below this directory",
                               path);
    } else {
        r = sources_add(out, path, "default");
        if (r == 0 && !out->files[0].text)
            r = stoq_error_set(err, STOQ_ERROR_CONFIG, -EACCES,
                               "%s: not a readable rule file", path);
        out->compiled =
            r == 0 && out->files[0].size >= sizeof compiled_magic &&
            memcmp(out->files[0].text, compiled_magic, sizeof compiled_magic) == 0;
    }
    if (r < 0)
        (void)stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", path,
                             strerrordesc_np(-r));
    return r;
}

int
stoq_yara_sources_read(const char *path, struct stoq_yara_sources *out,
                       struct stoq_error *err)
{
    *out = (struct stoq_yara_sources){0};
    int r = read_any(path, out, err);
    if (r < 0)
        stoq_yara_sources_fini(out);
    return r;
}
