/* SPDX-License-Identifier: Apache-2.0 */

/*
 * jinja: a decorator that renders a template over the result, and a connector that
 * prints what was rendered. There is no Jinja library for C, so this has its own
 * reader for the part of the language that stoq-jinja(7) describes; what is not in it
 * is refused when the template is loaded.
 */

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stoq/stoq.h>

#include "common/write.h"

#include "jinja.h"

struct jinja {
    char *path;                      /* owned; "" = none */
    struct jinja_template *template; /* owned; NULL: there is no such file */
};

static void
plugin_close(void *instance)
{
    struct jinja *j = instance;
    if (!j)
        return;
    jinja_template_free(j->template);
    free(j->path);
    free(j);
}

/* The template's path: relative ones start at the plugin's directory, as in stoQ. */
static char *
template_path(const struct stoq_ctx *ctx)
{
    const char *option = stoq_ctx_string(ctx, "template");
    char *path = NULL;
    if (!option || !option[0] || option[0] == '/')
        return strdup(option ? option : "");
    return asprintf(&path, "%s/%s", stoq_ctx_dir(ctx), option) < 0 ? NULL : path;
}

/* The whole file, at most @room bytes. @return its size or -errno. */
static ssize_t
read_file(const char *path, char *data, size_t room)
{
    PLUGIN_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t size = 0;
    if (fd < 0)
        return -errno;
    while (size < room) {
        ssize_t n = read(fd, data + size, room - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        size += (size_t)n;
    }
    return (ssize_t)size;
}

static int
is_utf8(const char *data, size_t size, bool *yes)
{
    json_t *text = stoq_json_text(data, size, yes);
    json_decref(text);
    return text ? 0 : -ENOMEM;
}

/* Load the template. One that is not there is missed by the decorator alone. */
static int
load(struct stoq_ctx *ctx, struct jinja *j, struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *data = malloc(JINJA_SOURCE_MAX + 1);
    if (!data)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    ssize_t size =
        j->path[0] ? read_file(j->path, data, JINJA_SOURCE_MAX + 1) : -ENOENT;
    bool valid = true;
    if (size == -ENOENT || size == -ENOTDIR)
        return 0;
    if (size < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, (int)size, "template %s: %s",
                              j->path, strerrordesc_np((int)-size));
    if ((size_t)size > JINJA_SOURCE_MAX)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EFBIG,
                              "template %s: more than %zu bytes", j->path,
                              JINJA_SOURCE_MAX);
    if (is_utf8(data, (size_t)size, &valid) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    if (!valid)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "template %s: not UTF-8",
                              j->path);
    stoq_ctx_identity(ctx, data, (size_t)size);
    return jinja_template_new(j->path, data, (size_t)size, &j->template, err);
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct jinja *j = calloc(1, sizeof *j);
    if (j)
        j->path = template_path(ctx);
    if (!j || !j->path) {
        free(j);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    int r = load(ctx, j, err);
    if (r < 0) {
        plugin_close(j);
        return r;
    }
    *instance = j;
    return 0;
}

static int
plugin_decorate(void *instance, struct stoq_response *response,
                struct stoq_reply *reply, unsigned flags, struct stoq_error *err)
{
    (void)flags;
    const struct jinja *j = instance;
    if (!j->template)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT,
                              "stoq.exceptions.StoqPluginException: Template path not "
                              "found: %s",
                              j->path);
    json_t *document = (json_t *)(uintptr_t)stoq_response_document(response);
    struct jinja_text out = {0};
    int r = jinja_render(j->template, document, &out, err);
    json_t *text = NULL;
    if (r == 0) {
        text = json_stringn(out.data ? out.data : "", out.size);
        if (!text)
            r = stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    jinja_text_fini(&out);
    if (r == 0)
        stoq_reply_results(reply, text);
    return r;
}

static int
plugin_save(void *instance, const struct stoq_response *response, unsigned flags,
            struct stoq_error *err)
{
    (void)instance;
    (void)flags;
    const json_t *document = stoq_response_document(response);
    const json_t *text =
        json_object_get(json_object_get(document, "decorators"), "jinja");
    PLUGIN_AUTOFREE char *json = NULL;
    if (!json_is_string(text)) {
        json = stoq_response_text(response, true);
        if (!json)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    /* what the program itself has printed so far comes first */
    int r = fflush(stdout) == 0 ? 0 : -errno;
    if (r == 0)
        r = json ? plugin_write_full(STDOUT_FILENO, json, strlen(json))
                 : plugin_write_full(STDOUT_FILENO, json_string_value(text),
                                     json_string_length(text));
    if (r == 0)
        r = plugin_write_full(STDOUT_FILENO, "\n", 1);
    return r < 0 ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "standard output: %s",
                                  strerrordesc_np(-r))
                 : 0;
}

static const struct stoq_option options[] = {
    {"template", STOQ_OPTION_STRING, "stoq.tpl", 0, 0,
     "The template; relative paths start at the plugin's directory."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,    .name = "jinja",       .options = options,
    .open = plugin_open, .close = plugin_close, .decorate = plugin_decorate,
    .save = plugin_save,
};
STOQ_PLUGIN(plugin);
