/* SPDX-License-Identifier: Apache-2.0 */

/*
 * user.stoq.*: the result in words, for those who do not parse JSON. Nothing of it is
 * in the source, and what the source has under these names is never shown.
 */

#include <string.h>

#include "sidecar.h"
#include "sidecar_ask.h"
#include "util/auto.h"

#define PREFIX "user.stoq."

bool
stoqfs_xattr_is_virtual(const char *name)
{
    return strncmp(name, PREFIX, sizeof(PREFIX) - 1) == 0;
}

static void
reply_text(fuse_req_t req, const char *text, size_t size)
{
    size_t n = strlen(text);
    if (!n)
        (void)fuse_reply_err(req, ENODATA);
    else if (!size)
        (void)fuse_reply_xattr(req, n);
    else if (size < n)
        (void)fuse_reply_err(req, ERANGE);
    else
        (void)fuse_reply_buf(req, text, n);
}

static void
result_end(struct stoqfs_asking *a, const struct stoqfs_answer *answer)
{
    const struct stoq_record *r = &answer->record;
    char hex[STOQ_SHA256_HEX] = "";
    const char *text = hex;
    int err = stoqfs_asking_errno(answer);
    if (strcmp(a->name, "verdict") == 0)
        text = stoq_verdict_name(answer->verdict);
    else if (strcmp(a->name, "scan_id") == 0)
        text = r->scan_id;
    else if (strcmp(a->name, "rules") == 0)
        text = r->engine_id;
    else if (r->has_sha256)
        stoq_hex(r->sha256, sizeof(r->sha256), hex);
    if (err)
        (void)fuse_reply_err(a->req, err == ENOENT ? ENODATA : err);
    else
        reply_text(a->req, text, a->size);
    free(a);
}

/* Where the sidecar is, or why there is none. */
static void
reply_sidecar(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n, size_t size)
{
    char path[4096], name[256];
    if (fs->options->sidecars == STOQFS_SIDECARS_OFF) {
        reply_text(req, "none: sidecars are off", size);
        return;
    }
    int r = stoqfs_node_path(fs->nodes, n, path, sizeof(path));
    if (r < 0) {
        (void)fuse_reply_err(req, ENODATA);
        return;
    }
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    bool fits = stoqfs_sidecar_of(base, name);
    const char *why = strlen(base) + sizeof(STOQFS_SIDECAR_SUFFIX) > sizeof(name)
                          ? "none: the file's name is too long"
                          : "none: the file is named like a sidecar";
    reply_text(req, fits ? name : why, size);
}

void
stoqfs_xattr_get(struct stoqfs *fs, fuse_req_t req, struct stoqfs_node *n,
                 const char *name, size_t size)
{
    static const char *const names[] = {"verdict", "sha256", "scan_id", "rules"};
    const char *what = name + sizeof(PREFIX) - 1;
    struct stat st;
    bool known = false;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(names); i++)
        known = known || strcmp(what, names[i]) == 0;
    bool sidecar = strcmp(what, "sidecar") == 0;
    if ((!known && !sidecar) || stoqfs_node_stat(fs->nodes, n, &st) < 0 ||
        !S_ISREG(st.st_mode)) {
        (void)fuse_reply_err(req, ENODATA);
        return;
    }
    if (sidecar) {
        reply_sidecar(fs, req, n, size);
        return;
    }
    struct stoqfs_asking *a = calloc(1, sizeof(*a));
    if (!a) {
        (void)fuse_reply_err(req, ENOMEM);
        return;
    }
    *a = (struct stoqfs_asking){.fs = fs, .req = req, .base = n, .size = size};
    (void)snprintf(a->name, sizeof(a->name), "%s", what);
    a->end = result_end;
    stoqfs_asking_start(a);
}
