/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Archiver: payloads as files, by default under the SHA-1 of their bytes, so that equal
 * payloads are kept once. As a source it gives back what lies below archive_dir and
 * nothing else, whatever path a task names.
 */

#include <fcntl.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "filedir.h"

#define SHA1_HEX 41U
#define SHARDS   5U /* leading digits, each a directory */

static int
sha1_hex(const void *data, size_t size, char out[SHA1_HEX])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(data, size, digest, &length, EVP_sha1(), NULL) != 1)
        return -ENOMEM;
    for (unsigned i = 0; i < (SHA1_HEX - 1) / 2; i++)
        (void)snprintf(out + 2 * (size_t)i, 3, "%02x", (unsigned)digest[i]);
    return 0;
}

/* The directory and the name a payload goes to; caller frees @p dir. */
static int
archive_place(const struct stoq_filedir *fd, struct stoq_payload *payload,
              const char *root, char **dir, char name[64])
{
    if (!fd->use_sha) {
        (void)snprintf(name, 64, "%s", stoq_payload_id(payload));
        *dir = stoq_filedir_dated(root, fd->date_mode ? fd->date_format : NULL,
                                  time(NULL));
        return *dir ? 0 : -ENOMEM;
    }
    size_t size = 0;
    const void *data = stoq_payload_data(payload, &size);
    int r = sha1_hex(data, size, name);
    if (r < 0)
        return r;
    char shards[2 * SHARDS + 1] = "";
    for (size_t i = 0; i < SHARDS; i++) {
        shards[2 * i] = '/';
        shards[2 * i + 1] = name[i];
    }
    return asprintf(dir, "%s%s", root, shards) < 0 ? -ENOMEM : 0;
}

int
stoq_filedir_archive(void *instance, struct stoq_payload *payload,
                     const struct stoq_request *request, struct stoq_reply *reply,
                     unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    const struct stoq_filedir *fd = instance;
    if (!fd->archive_dir[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "archive_dir is not set");
    int r = stoq_filedir_mkdir(fd->archive_dir);
    PLUGIN_AUTOFREE char *root = r == 0 ? realpath(fd->archive_dir, NULL) : NULL;
    if (r == 0 && !root)
        r = -errno;

    PLUGIN_AUTOFREE char *dir = NULL;
    PLUGIN_AUTOFREE char *path = NULL;
    char name[64] = "";
    if (r == 0)
        r = archive_place(fd, payload, root, &dir, name);
    if (r == 0) {
        size_t size = 0;
        const void *data = stoq_payload_data(payload, &size);
        r = stoq_filedir_store(dir, name, data, size);
    }
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s",
                              dir ? dir : fd->archive_dir, strerrordesc_np(-r));
    json_t *results = json_object();
    int length = asprintf(&path, "%s/%s", dir, name);
    if (length < 0)
        path = NULL;
    if (!path || !results ||
        stoq_json_set_text(results, "path", path, (size_t)length) < 0) {
        json_decref(results);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    stoq_reply_results(reply, results);
    return 0;
}

/* ------------------------------------------------------------------------ source */

/* Open @p path when it lies below @p root. Names are made real first, then opened in a
 * way that no link made since can lead astray. @return fd or -errno. */
static int
open_below(const char *root, const char *path)
{
    PLUGIN_AUTOFREE char *real_root = realpath(root, NULL);
    PLUGIN_AUTOFREE char *real_path = real_root ? realpath(path, NULL) : NULL;
    if (!real_root || !real_path)
        return -errno;
    size_t n = strlen(real_root);
    if (strncmp(real_path, real_root, n) != 0 || real_path[n] != '/')
        return -EPERM;
    PLUGIN_AUTOCLOSE int dir = open(real_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    long fd = syscall(SYS_openat2, dir, real_path + n + 1, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

/* Read a regular file of at most @p room bytes; caller frees. */
static int
read_all(int fd, uint64_t room, char **out, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if ((uint64_t)st.st_size > room)
        return -E2BIG;
    size_t want = (size_t)st.st_size, got = 0;
    PLUGIN_AUTOFREE char *data = malloc(want + 1);
    if (!data)
        return -ENOMEM;
    while (got < want) {
        ssize_t n = read(fd, data + got, want - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    *out = data;
    *size = got;
    data = NULL;
    return 0;
}

int
stoq_filedir_get(void *instance, const json_t *task, struct stoq_reply *reply,
                 unsigned flags, struct stoq_error *err)
{
    (void)flags;
    const struct stoq_filedir *fd = instance;
    const char *path = json_string_value(json_object_get(task, "path"));
    if (!path)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EINVAL, "the task has no path");
    if (!fd->archive_dir[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "archive_dir is not set");
    PLUGIN_AUTOCLOSE int file = open_below(fd->archive_dir, path);
    if (file == -ENOENT)
        return 0; /* no child: not found */
    PLUGIN_AUTOFREE char *data = NULL;
    size_t size = 0;
    int r = file < 0 ? file : read_all(file, stoq_reply_room(reply), &data, &size);
    if (r == -EPERM)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, r, "%s is not below archive_dir",
                              path);
    if (r == 0) {
        struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = data, .size = size,
                                     .extra_data = json_deep_copy(task)};
        r = stoq_reply_extract(reply, &child);
    }
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s: %s", path,
                              strerrordesc_np(-r));
    return 0;
}
