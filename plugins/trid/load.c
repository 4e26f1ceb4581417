/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads definitions from a path. What a file is follows from how it begins. All bytes
 * become part of the engine's identity. Limits: 256 MiB a package, 4 MiB an XML file,
 * a million files, directories eight deep.
 */

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/auto.h"
#include "parts.h"

#define PACKAGE_MAX ((size_t)256 << 20)
#define XML_MAX     ((size_t)4 << 20)
#define FILES_MAX   ((size_t)1000000)
#define DEPTH_MAX   8
#define XML_SUFFIX  ".trid.xml"

static int
read_file(const char *path, unsigned char **out, size_t *size)
{
    FILE *f = fopen(path, "re");
    struct stat st;
    int r = 0;

    if (!f)
        return -errno;
    if (fstat(fileno(f), &st) < 0)
        r = -errno;
    else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > PACKAGE_MAX)
        r = S_ISREG(st.st_mode) ? -EFBIG : -EINVAL;
    else if (!(*out = malloc((size_t)st.st_size + 1)))
        r = -ENOMEM;
    else
        *size = fread(*out, 1, (size_t)st.st_size, f);
    if (r == 0 && ferror(f))
        r = -EIO;
    (void)fclose(f);
    return r;
}

/* The definitions take the bytes, also on failure. */
static int
add_file(struct defs *d, unsigned char *data)
{
    unsigned char **files = realloc(d->files, (d->file_count + 1) * sizeof *files);

    if (!files || d->file_count == FILES_MAX) {
        d->files = files ? files : d->files;
        free(data);
        return -ENOMEM;
    }
    d->files = files;
    d->files[d->file_count++] = data;
    return 0;
}

static int
load_file(struct defs *d, struct stoq_ctx *ctx, const char *path)
{
    PLUGIN_AUTOFREE unsigned char *data = NULL;
    size_t size = 0;
    int r = read_file(path, &data, &size);

    if (r < 0)
        return r;
    struct bytes file = {data, size};
    stoq_ctx_identity(ctx, data, size);
    r = add_file(d, PLUGIN_STEAL(&data));
    if (r < 0)
        return r;
    if (bytes_are(file, 0, "RIFF", 4))
        return package_read(d, file);
    return size > XML_MAX ? -EFBIG : xml_read(d, d->files[d->file_count - 1], size);
}

static int
by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool
is_definition(const FTSENT *entry)
{
    static const char suffix[] = XML_SUFFIX;
    size_t n = entry->fts_namelen, m = sizeof suffix - 1;

    return (entry->fts_info == FTS_F || entry->fts_info == FTS_SL) && n > m &&
           strcmp(entry->fts_name + n - m, suffix) == 0;
}

/* Every definition below a directory; one that cannot be read is left out. */
static int
load_directory(struct defs *d, struct stoq_ctx *ctx, char *path)
{
    char *paths[] = {path, NULL};
    FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, by_name);
    int r = 0;

    if (!fts)
        return -errno;
    for (FTSENT *entry; r == 0 && (entry = fts_read(fts));) {
        if (entry->fts_info == FTS_D && entry->fts_level > DEPTH_MAX)
            (void)fts_set(fts, entry, FTS_SKIP);
        if (!is_definition(entry))
            continue;
        r = load_file(d, ctx, entry->fts_path);
        if (r < 0 && r != -ENOMEM) {
            stoq_ctx_log(ctx, STOQ_LEVEL_WARNING, "definition left out: %s: %s",
                         entry->fts_path, strerror(-r));
            r = 0;
        }
    }
    (void)fts_close(fts);
    return r;
}

int
defs_load(struct defs *d, struct stoq_ctx *ctx, const char *path,
          struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *copy = strdup(path);
    struct stat st;
    int r;

    if (!copy)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    if (*path == '\0' || stat(path, &st) < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT,
                              "TrID definitions do not exist at %s", path);
    r = S_ISDIR(st.st_mode) ? load_directory(d, ctx, copy) : load_file(d, ctx, path);
    if (r == 0)
        r = d->count ? defs_order(d) : -EBADMSG;
    if (r == -EBADMSG)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, r,
                              "%s has no TrID definitions: neither a package nor XML",
                              path);
    return r < 0 ? stoq_error_set(err, STOQ_ERROR_CONFIG, r,
                                  "cannot load TrID definitions from %s: %s", path,
                                  strerror(-r))
                 : 0;
}
