/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One line of the log. What comes from outside (names, texts) is cleaned on its way in;
 * the end of a JSON line is reserved before the text, so that it stays valid when cut.
 */

#include "util/log_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/utf8.h"

#define TAIL ((size_t)8) /* bytes kept free for what closes a line */

static void add(struct stoq_log_line *out, const char *fmt, ...) STOQ_PRINTF(2, 3);

static void
add(struct stoq_log_line *out, const char *fmt, ...)
{
    size_t room = sizeof(out->data) - TAIL - out->size;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(out->data + out->size, room, fmt, args);
    va_end(args);
    if (n > 0)
        out->size += (size_t)n < room ? (size_t)n : room - 1;
}

static void
add_text(struct stoq_log_line *out, const char *text)
{
    out->size +=
        stoq_text_clean(out->data + out->size, sizeof(out->data) - TAIL - out->size,
                        text, strlen(text));
}

/* A JSON string. Newline and tab in their own form, other odd bytes cleaned first. */
static void
add_json(struct stoq_log_line *out, const char *key, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t left = strlen(text);
    add(out, "\"%s\": \"", key);
    while (left > 0 && out->size + 2 * TAIL + 16 < sizeof(out->data)) {
        int n = stoq_utf8_step(s, left);
        size_t used = (size_t)(n < 0 ? -n : n);
        if (n == 1 && (*s == '\n' || *s == '\t'))
            add(out, "\\%c", *s == '\n' ? 'n' : 't');
        else if (n == 1 && (*s == '"' || *s == '\\'))
            add(out, "\\%c", *s);
        else if (n == 1 && (*s < 0x20 || *s == 0x7f))
            add(out, "\\u%04x", *s);
        else if (n > 0)
            add(out, "%.*s", n, (const char *)s);
        for (size_t i = 0; n < 0 && i < used; i++)
            add(out, "\\\\x%02x", s[i]);
        s += used;
        left -= used;
    }
    add(out, "\"");
}

static const char *
level_name(enum stoq_level level)
{
    switch (level) {
    case STOQ_LEVEL_ERROR:
        return "ERROR";
    case STOQ_LEVEL_WARNING:
        return "WARNING";
    case STOQ_LEVEL_INFO:
        return "INFO";
    case STOQ_LEVEL_DEBUG:
        return "DEBUG";
    }
    return "NOTSET";
}

static const char *
base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path ? path : "?";
}

static void
format_json(struct stoq_log_line *out, const struct stoq_log_record *r, bool to_file,
            const char *when)
{
    char name[128];
    (void)snprintf(name, sizeof(name), "%s%s%s", r->ident, r->plugin ? "." : "",
                   r->plugin ? r->plugin : "");
    add(out, "{\"asctime\": \"%s,%03d\", \"levelname\": \"%s\", ", when,
        (int)(r->time.tv_nsec / 1000000), level_name(r->level));
    add_json(out, "name", name);
    add(out, ", ");
    if (to_file) {
        add_json(out, "filename", base_name(r->file));
        add(out, ", ");
        add_json(out, "funcName", r->func ? r->func : "?");
        add(out, ", \"lineno\": %d, ", r->line);
    }
    add_json(out, "message", r->text);
    add(out, "}");
}

void
stoq_log_format(struct stoq_log_line *out, const struct stoq_log_record *r,
                bool to_file, bool json)
{
    char when[32] = "";
    struct tm tm = {0};
    (void)localtime_r(&r->time.tv_sec, &tm);
    (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    out->size = 0;
    if (json) {
        format_json(out, r, to_file, when);
    } else {
        if (to_file)
            add(out, "%s %s ", when, level_name(r->level));
        else
            add(out, "[%s,%03d %s] ", when, (int)(r->time.tv_nsec / 1000000),
                level_name(r->level));
        add(out, "%s", r->ident);
        if (r->plugin) {
            add(out, ".");
            add_text(out, r->plugin);
        }
        if (to_file)
            add(out, ":%s:%s:%d", base_name(r->file), r->func ? r->func : "?", r->line);
        add(out, ": ");
        add_text(out, r->text);
    }
    out->data[out->size++] = '\n';
}
