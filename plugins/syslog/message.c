/* SPDX-License-Identifier: Apache-2.0 */

/*
 * RFC 5424 messages. MSG is JSON in ASCII, all else as \u escapes: so it needs no byte
 * order mark, which readers of JSON do not expect, and has no control bytes.
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/auto.h"
#include "common/summary.h"

#include "parts.h"

/* Longest value of the structured data, before escaping. */
#define VALUE_MAX 255
#define RULES_MAX 1024

static const char *const severities[] = {"emerg",   "alert",  "crit", "err",
                                         "warning", "notice", "info", "debug"};

static const char *const facilities[] = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* --------------------------------------------------------------------- options */

static int
index_of(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

/* One VERDICT=SEVERITY. */
static int
set_severity(struct syslog_format *f, const char *rule)
{
    const char *equals = strchr(rule, '=');
    char name[16];
    enum stoq_verdict verdict;
    int severity = equals ? index_of(severities, COUNT(severities), equals + 1) : -1;

    if (severity < 0 || (size_t)(equals - rule) >= sizeof name)
        return -EINVAL;
    memcpy(name, rule, (size_t)(equals - rule));
    name[equals - rule] = '\0';
    if (stoq_verdict_parse(name, &verdict) < 0)
        return -EINVAL;
    f->severity[verdict] = (unsigned)severity;
    return 0;
}

/* Copy a text that a message's header can have: printable ASCII without blanks, and
 * what @barred names. */
static int
header_text(char *to, size_t room, const char *text, const char *barred)
{
    size_t n = text ? strlen(text) : 0;

    if (n == 0 || n >= room)
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        if (!isgraph((unsigned char)text[i]) || strchr(barred, text[i]))
            return -EINVAL;
    memcpy(to, text, n + 1);
    return 0;
}

static void
default_severities(struct syslog_format *f)
{
    static const unsigned by_verdict[STOQ_VERDICT_COUNT] = {
        [STOQ_VERDICT_CLEAN] = 6,   [STOQ_VERDICT_SKIPPED] = 6,
        [STOQ_VERDICT_PARTIAL] = 5, [STOQ_VERDICT_ERROR] = 3,
        [STOQ_VERDICT_TIMEOUT] = 3, [STOQ_VERDICT_FLAGGED] = 4,
    };

    memcpy(f->severity, by_verdict, sizeof by_verdict);
}

static int
bad(struct stoq_error *err, const char *option, const char *value)
{
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s: '%s' is not allowed",
                          option, value ? value : "");
}

/* Where the option is not set, the machine's name, or "-" when that is unfit. */
static int
set_hostname(struct syslog_format *f, const struct stoq_ctx *ctx)
{
    const char *option = stoq_ctx_string(ctx, "hostname");
    char name[SYSLOG_HOSTNAME_MAX + 1] = "-";

    if (option && option[0])
        return header_text(f->hostname, sizeof f->hostname, option, "");
    (void)gethostname(name, sizeof name);
    name[sizeof name - 1] = '\0';
    if (header_text(f->hostname, sizeof f->hostname, name, "") < 0)
        memcpy(f->hostname, "-", 2);
    return 0;
}

int
syslog_format_init(struct syslog_format *f, const struct stoq_ctx *ctx,
                   struct stoq_error *err)
{
    const char *facility = stoq_ctx_string(ctx, "facility");
    const char *message = stoq_ctx_string(ctx, "message");
    int n = index_of(facilities, COUNT(facilities), facility ? facility : "");

    if (n < 0)
        return bad(err, "facility", facility);
    f->facility = (unsigned)n;
    f->max_bytes = (size_t)stoq_ctx_int(ctx, "max_bytes");
    f->document = message && strcmp(message, "document") == 0;
    if (!f->document && (!message || strcmp(message, "summary") != 0))
        return bad(err, "message", message);
    if (set_hostname(f, ctx) < 0)
        return bad(err, "hostname", stoq_ctx_string(ctx, "hostname"));
    if (header_text(f->app_name, sizeof f->app_name, stoq_ctx_string(ctx, "app_name"),
                    "") < 0)
        return bad(err, "app_name", stoq_ctx_string(ctx, "app_name"));
    if (header_text(f->sd_id, sizeof f->sd_id, stoq_ctx_string(ctx, "sd_id"), "=]\"") <
        0)
        return bad(err, "sd_id", stoq_ctx_string(ctx, "sd_id"));
    default_severities(f);
    for (const char *const *s = stoq_ctx_list(ctx, "severity"); *s; s++)
        if (set_severity(f, *s) < 0)
            return bad(err, "severity", *s);
    return 0;
}

/* --------------------------------------------------------------------- writing */

/* Bytes of the UTF-8 character that begins with @c. */
static size_t
utf8_length(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* The beginning of @text that has at most @max bytes and no half character. */
static size_t
cut(const char *text, size_t max)
{
    size_t n = 0, size = strlen(text);

    while (n < size && n + utf8_length((unsigned char)text[n]) <= max)
        n += utf8_length((unsigned char)text[n]);
    return n < size ? n : size;
}

/* Escaped as RFC 5424, 6.3.3 has it; control bytes become question marks. */
static void
put_value(FILE *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\' || c == ']')
            (void)fputc('\\', out);
        (void)fputc(c < 0x20 || c == 0x7f ? '?' : c, out);
    }
}

static void
put_param(FILE *out, const char *name, const char *text)
{
    if (!text)
        return;
    (void)fprintf(out, " %s=\"", name);
    put_value(out, text, cut(text, VALUE_MAX));
    (void)fputc('"', out);
}

/* @return whether all are there. */
static bool
put_rules(FILE *out, const json_t *rules, size_t room)
{
    bool any = false;
    size_t i;
    json_t *rule;

    json_array_foreach ((json_t *)(uintptr_t)rules, i, rule) {
        const char *name = json_string_value(rule);
        if (strlen(name) >= room)
            break;
        (void)fputs(any ? "," : " rules=\"", out);
        put_value(out, name, strlen(name));
        room -= strlen(name) + 1;
        any = true;
    }
    if (any)
        (void)fputc('"', out);
    return i == json_array_size(rules);
}

/* "2026-11-24T04:06:36.143944+00:00", which is a TIMESTAMP as it is. */
static bool
is_timestamp(const char *text)
{
    static const char shape[] = "0000-00-00T00:00:00.000000+00:00";

    if (!text || strlen(text) != sizeof shape - 1)
        return false;
    for (size_t i = 0; shape[i]; i++)
        if (shape[i] == '0'   ? !isdigit((unsigned char)text[i])
            : shape[i] == '+' ? text[i] != '+' && text[i] != '-'
                              : text[i] != shape[i])
            return false;
    return true;
}

/* @left_out: bytes of the document that was to be MSG and is not; 0 = none. */
static void
put_head(FILE *out, const struct syslog_format *f, const struct plugin_summary *s,
         size_t left_out)
{
    enum stoq_verdict verdict = STOQ_VERDICT_ERROR;
    size_t room = f->max_bytes / 4 < RULES_MAX ? f->max_bytes / 4 : RULES_MAX;
    bool all;

    (void)stoq_verdict_parse(s->verdict ? s->verdict : "", &verdict);
    (void)fprintf(out, "<%u>1 %s %s %s %ld scan [%s",
                  f->facility * 8 + f->severity[verdict],
                  is_timestamp(s->time) ? s->time : "-", f->hostname, f->app_name,
                  (long)getpid(), f->sd_id);
    put_param(out, "scan_id", s->scan_id);
    put_param(out, "verdict", s->verdict);
    if (s->size >= 0)
        (void)fprintf(out, " size=\"%lld\"", (long long)s->size);
    put_param(out, "sha256", s->sha256);
    put_param(out, "filename", s->filename);
    all = put_rules(out, s->rules, room);
    if (!all)
        (void)fprintf(out, " rules_count=\"%zu\"", json_array_size(s->rules));
    if (left_out || !all)
        (void)fprintf(out, " truncated=\"%s%s%s\"", all ? "" : "rules",
                      left_out && !all ? "," : "", left_out ? "document" : "");
    if (left_out)
        (void)fprintf(out, " document_bytes=\"%zu\"", left_out);
    (void)fputc(']', out);
}

/* One character that is not ASCII, as \u escapes. @return its bytes. */
static size_t
put_escaped(FILE *out, const unsigned char *p)
{
    size_t n = utf8_length(*p);
    unsigned c = n == 1 ? *p : *p & (0x7fU >> n);

    for (size_t i = 1; i < n && p[i]; i++)
        c = c << 6 | (p[i] & 0x3fU);
    if (c > 0xffff)
        (void)fprintf(out, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
    else
        (void)fprintf(out, "\\u%04x", c);
    return n;
}

/* JSON of valid UTF-8 as ASCII. */
static void
put_ascii(FILE *out, const char *json)
{
    for (const unsigned char *p = (const unsigned char *)json; *p;) {
        if (*p < 0x7f) {
            (void)fputc(*p++, out);
        } else {
            p += put_escaped(out, p);
        }
    }
}

static int
finish(FILE *out, char **text)
{
    bool failed = ferror(out) != 0;

    if (fclose(out) != 0 || failed || !*text) {
        free(*text);
        *text = NULL;
        return -ENOMEM;
    }
    return 0;
}

static char *
ascii(const char *json)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = json ? open_memstream(&text, &size) : NULL;

    if (!out)
        return NULL;
    put_ascii(out, json);
    return finish(out, &text) == 0 ? text : NULL;
}

/* The summary as MSG, without rules where they would be too much. */
static int
summary_text(const struct plugin_summary *s, size_t room, char **out)
{
    json_auto_t *object = plugin_summary_json(s);

    for (int i = 0; i < 2 && object; i++) {
        PLUGIN_AUTOFREE char *json = json_dumps(object, 0);
        PLUGIN_AUTOFREE char *text = ascii(json);
        if (!text)
            return -ENOMEM;
        if (strlen(text) <= room) {
            *out = PLUGIN_STEAL(&text);
            return 0;
        }
        (void)json_object_del(object, "rules");
    }
    return object ? 0 : -ENOMEM; /* none fits: there is no MSG then */
}

static int
head_text(const struct syslog_format *f, const struct plugin_summary *s,
          size_t left_out, char **out)
{
    size_t size = 0;
    FILE *file = open_memstream(out, &size);

    if (!file)
        return -ENOMEM;
    put_head(file, f, s, left_out);
    return finish(file, out);
}

static int
build(const struct syslog_format *f, const struct stoq_response *response,
      const struct plugin_summary *s, bool document, char **out)
{
    PLUGIN_AUTOFREE char *json = NULL;
    PLUGIN_AUTOFREE char *body = NULL;
    PLUGIN_AUTOFREE char *head = NULL;
    size_t whole;
    int r;

    if (f->document) {
        json = stoq_response_text(response, false);
        body = ascii(json);
        if (!body)
            return -ENOMEM;
    }
    r = head_text(f, s, 0, &head);
    if (r < 0)
        return r;
    whole = body ? strlen(body) : 0;
    if (!document || !body || strlen(head) + 1 + whole > f->max_bytes) {
        free(body);
        free(head);
        body = head = NULL;
        r = head_text(f, s, whole, &head);
        if (r == 0 && strlen(head) + 1 < f->max_bytes)
            r = summary_text(s, f->max_bytes - strlen(head) - 1, &body);
        if (r < 0)
            return r;
    }
    if (asprintf(out, "%s%s%s", head, body ? " " : "", body ? body : "") < 0) {
        *out = NULL;
        return -ENOMEM;
    }
    return 0;
}

int
syslog_message(const struct syslog_format *f, const struct stoq_response *response,
               bool document, char **out, size_t *size, struct stoq_error *err)
{
    struct plugin_summary s;
    PLUGIN_AUTOFREE char *text = NULL;
    int r = plugin_summary_init(&s, response);

    if (r == 0)
        r = build(f, response, &s, document, &text);
    plugin_summary_fini(&s);
    if (r < 0 || !text)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    *size = strlen(text);
    *out = PLUGIN_STEAL(&text);
    return 0;
}
