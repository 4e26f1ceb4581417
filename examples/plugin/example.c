/* SPDX-License-Identifier: Apache-2.0 */
/*
 * example: a worker to copy. It counts the lines of a payload, hands every line that
 * starts with a marker on as a child, and shows options, limits and soft errors.
 *
 * Build it out of tree as README.md says; `stoq list --plugin-dir .` shows what the
 * library makes of it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>

/* What one instance knows. Options are read once, in open(). */
struct example {
    const char *marker; /* lives as long as the plugin is loaded */
    size_t marker_size;
    int64_t max_children;
};

/* Options are declared, so that the library checks types and ranges, says where a wrong
 * one comes from, and lists them. Values come from the command line, stoq.cfg, the
 * manifest, or from here, in this order. */
static const struct stoq_option options[] = {
    {"marker", STOQ_OPTION_STRING, ">>", 0, 0, "Lines that start so become children."},
    {"max_children", STOQ_OPTION_INT, "100", 1, 10000, "Children made of one payload."},
    {.name = NULL},
};

/* Files may be read here, not later: scans run in a process without file access. */
static int
example_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct example *e = calloc(1, sizeof(*e));
    if (!e)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    e->marker = stoq_ctx_string(ctx, "marker");
    e->marker_size = strlen(e->marker);
    e->max_children = stoq_ctx_int(ctx, "max_children");
    if (e->marker_size == 0) {
        free(e);
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "marker is empty");
    }
    stoq_ctx_log(ctx, STOQ_LEVEL_DEBUG, "lines that start with %s", e->marker);
    *instance = e;
    return 0;
}

static void
example_close(void *instance)
{
    free(instance);
}

/* Make the rest of a marked line a child. */
static int
add_child(const struct example *e, const unsigned char *line, size_t size,
          int64_t number, struct stoq_reply *reply)
{
    struct stoq_extract child = {
        STOQ_EXTRACT_HEAD,
        .data = line + e->marker_size,
        .size = size - e->marker_size,
        .extra_data = json_pack("{s:I}", "line", (json_int_t)number),
    };
    return stoq_reply_extract(reply, &child);
}

static int
example_scan(void *instance, struct stoq_payload *payload,
             const struct stoq_request *request, struct stoq_reply *reply,
             unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    const struct example *e = instance;
    size_t size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);
    int64_t lines = 0, marked = 0;
    for (size_t at = 0, length; at < size; at += length + 1) {
        const unsigned char *end = memchr(data + at, '\n', size - at);
        length = end ? (size_t)(end - data) - at : size - at;
        lines++;
        if (length < e->marker_size ||
            memcmp(data + at, e->marker, e->marker_size) != 0)
            continue;
        if (++marked > e->max_children) {
            /* bytes are left out: say so, or the verdict would be a lie */
            stoq_reply_limit(reply, "max_children", (uint64_t)marked);
            continue;
        }
        int r = add_child(e, data + at, length, lines, reply);
        if (r == -E2BIG)
            break; /* a budget of the scan is used up; the library has noted it */
        if (r < 0)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "cannot add a child");
    }
    if (size > 0 && data[size - 1] != '\n')
        stoq_reply_error(reply, "the last line has no newline");
    stoq_reply_results(reply, json_pack("{s:I, s:I}", "lines", (json_int_t)lines,
                                        "marked", (json_int_t)marked));
    return 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "example",
    .thread_model = STOQ_THREAD_PARALLEL, /* the instance is only read */
    .traits = STOQ_TRAIT_CONTENT_ONLY,    /* equal bytes give equal results */
    .options = options,
    .open = example_open,
    .close = example_close,
    .scan = example_scan,
};
STOQ_PLUGIN(plugin);
