/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A plugin for the courier's tests, built under several names: as a connector it
 * appends the scan id to DIR/NAME.log, as an archiver it writes the payload to
 * DIR/PAYLOAD_ID, as a decorator it says how many results there are. While
 * DIR/NAME.fail exists it fails, while DIR/NAME.kill exists it kills its process, and
 * while DIR/NAME.refuse exists it refuses every third scan for good.
 */

#include <stoq/plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
place(const char *dir, const char *name, const char *suffix, char path[512])
{
    return snprintf(path, 512, "%s/%s%s", dir, name, suffix) < 512 ? 0 : -ENAMETOOLONG;
}

/* Do what the trigger files ask for. */
static int
obey(const char *dir, struct stoq_error *err)
{
    char path[512];

    if (place(dir, TEST_NAME, ".kill", path) == 0 && access(path, F_OK) == 0)
        (void)raise(SIGKILL);
    if (place(dir, TEST_NAME, ".fail", path) == 0 && access(path, F_OK) == 0)
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EAGAIN, "told to fail");
    return 0;
}

static int
write_file(const char *path, int flags, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    ssize_t n = fd < 0 ? -1 : write(fd, data, size);
    int code = errno;

    if (fd >= 0)
        (void)close(fd);
    if (n < 0)
        return -code;
    return (size_t)n == size ? 0 : -EIO;
}

static int
test_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    char *dir = strdup(stoq_ctx_string(ctx, "dir"));

    if (!dir)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    *instance = dir;
    return 0;
}

/* Whether this scan id is one of those that are refused. */
static int
refuse(const char *dir, const char *scan_id, struct stoq_error *err)
{
    char path[512];

    if (place(dir, TEST_NAME, ".refuse", path) < 0 || access(path, F_OK) < 0 ||
        strtoull(scan_id + strlen(scan_id) - 12, NULL, 16) % 3 != 0)
        return 0;
    return stoq_error_set(err, STOQ_ERROR_PLUGIN, -EBADMSG, "not this one");
}

static int
test_save(void *instance, const struct stoq_response *response, unsigned flags,
          struct stoq_error *err)
{
    char path[512], line[64];
    int r = obey(instance, err);

    (void)flags;
    (void)snprintf(line, sizeof line, "%s\n", stoq_response_scan_id(response));
    if (r == 0)
        r = refuse(instance, stoq_response_scan_id(response), err);
    if (r == 0)
        r = place(instance, TEST_NAME, ".log", path);
    return r ? r : write_file(path, O_APPEND, line, strlen(line));
}

static int
test_archive(void *instance, struct stoq_payload *payload,
             const struct stoq_request *request, struct stoq_reply *reply,
             unsigned flags, struct stoq_error *err)
{
    char path[512];
    size_t size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);
    int r = obey(instance, err);

    (void)request;
    (void)flags;
    if (r == 0)
        r = place(instance, stoq_payload_id(payload), "", path);
    if (r == 0)
        r = write_file(path, O_TRUNC, data, size);
    if (r == 0)
        stoq_reply_results(reply, json_pack("{s:I}", "bytes", (json_int_t)size));
    return r;
}

static int
test_decorate(void *instance, struct stoq_response *response, struct stoq_reply *reply,
              unsigned flags, struct stoq_error *err)
{
    const json_t *doc = stoq_response_document(response);
    size_t n = json_array_size(json_object_get(doc, "results"));
    int r = obey(instance, err);

    (void)flags;
    if (r == 0)
        stoq_reply_results(reply, json_pack("{s:I}", "results", (json_int_t)n));
    return r;
}

static const struct stoq_option options[] = {
    {.name = "dir",
     .type = STOQ_OPTION_PATH,
     .fallback = "",
     .help = "Where files go."},
    {.name = NULL},
};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,        .name = TEST_NAME,
    .options = options,      .open = test_open,
    .close = free,           .save = test_save,
    .archive = test_archive, .decorate = test_decorate,
};
STOQ_PLUGIN(plugin);
