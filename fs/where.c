/* SPDX-License-Identifier: Apache-2.0 */

/* See where.h. */

#include "where.h"

#include <fcntl.h>
#include <string.h>

#include "gate.h"
#include "gate_open.h"
#include "util/auto.h"
#include "util/json.h"

/* Where the document says the file was. */
static int
path_of_document(struct stoqfs *fs, const struct stoq_record *r, char *buf, size_t size)
{
    STOQ_AUTOFREE char *text = NULL;
    size_t n = 0;
    int err = stoqfs_gate_document(fs->gate, r, &text, &n);
    if (err < 0)
        return err;
    json_auto_t *doc = stoq_json_parse(text, n, NULL);
    const json_t *root = json_array_get(json_object_get(doc, "results"), 0);
    const json_t *extra =
        json_object_get(json_object_get(root, "payload_meta"), "extra_data");
    const char *dir = stoq_json_string_of(extra, "source_dir");
    const char *name = stoq_json_string_of(extra, "filename");
    size_t source = strlen(fs->options->source);
    if (!dir || !name || strncmp(dir, fs->options->source, source) != 0 ||
        (dir[source] && dir[source] != '/') || json_object_get(extra, "filename_b64") ||
        json_object_get(extra, "source_dir_b64"))
        return -ENOENT;
    const char *below = dir + source + (dir[source] == '/');
    int len = snprintf(buf, size, "%s%s%s", below, *below ? "/" : "", name);
    return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

int
stoqfs_where(struct stoqfs *fs, const struct stoq_record *r, char *buf, size_t size)
{
    struct stoqfs_node *node = stoqfs_node_find(fs->nodes, r->id.dev, r->id.ino);
    int err = -ENOENT;
    if (node) {
        err = stoqfs_node_path(fs->nodes, node, buf, size);
        stoqfs_node_unpin(fs->nodes, node);
    }
    return err < 0 ? path_of_document(fs, r, buf, size) : 0;
}

int
stoqfs_where_is(struct stoqfs *fs, const struct stoq_record *r, char *buf, size_t size,
                struct stat *st)
{
    int err = stoqfs_where(fs, r, buf, size);
    if (err < 0)
        return err;
    STOQ_AUTOCLOSE int fd = stoqfs_open_below(fs->source_fd, buf, O_PATH);
    if (fd < 0)
        return fd;
    if (fstat(fd, st) < 0)
        return -errno;
    return st->st_dev == r->id.dev && st->st_ino == r->id.ino ? 0 : -ESTALE;
}
