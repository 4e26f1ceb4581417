/* SPDX-License-Identifier: Apache-2.0 */

/* Entries: NAME=VALUE lines, or, for values with a newline, the name, the length as 64
 * bits, little endian, and the value. */

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "common/summary.h"

#include "parts.h"

/* The journal takes 1024 fields. */
#define RULES_MAX 500
/* Rules that MESSAGE names. */
#define NAMED_MAX 5

static void
put_bytes(FILE *out, const char *name, const char *value, size_t size)
{
    uint64_t length = htole64((uint64_t)size);

    if (memchr(value, '\n', size)) {
        (void)fprintf(out, "%s\n", name);
        (void)fwrite(&length, sizeof length, 1, out);
    } else {
        (void)fprintf(out, "%s=", name);
    }
    (void)fwrite(value, 1, size, out);
    (void)fputc('\n', out);
}

static void
put(FILE *out, const char *name, const char *value)
{
    if (value)
        put_bytes(out, name, value, strlen(value));
}

static void
put_number(FILE *out, const char *name, long long number)
{
    (void)fprintf(out, "%s=%lld\n", name, number);
}

/* Text for people: control bytes are question marks, so that the line stays one. */
static void
put_readable(FILE *out, const char *text)
{
    for (const char *c = text; *c; c++)
        (void)fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, out);
}

/* "flagged: invoice.com (eicar)" */
static void
put_message(FILE *out, const struct plugin_summary *s)
{
    size_t n = json_array_size(s->rules);
    size_t i;
    json_t *rule;

    (void)fprintf(out, "MESSAGE=%s: ", s->verdict ? s->verdict : "unknown");
    put_readable(out, s->filename ? s->filename : s->scan_id);
    json_array_foreach (s->rules, i, rule) {
        if (i == NAMED_MAX)
            break;
        (void)fputs(i ? ", " : " (", out);
        put_readable(out, json_string_value(rule));
    }
    (void)fprintf(out, "%s%s\n", n > NAMED_MAX ? ", ..." : "", n ? ")" : "");
}

static int
priority(const struct plugin_summary *s)
{
    static const int by_verdict[STOQ_VERDICT_COUNT] = {
        [STOQ_VERDICT_CLEAN] = 6,   [STOQ_VERDICT_SKIPPED] = 6,
        [STOQ_VERDICT_PARTIAL] = 5, [STOQ_VERDICT_ERROR] = 3,
        [STOQ_VERDICT_TIMEOUT] = 3, [STOQ_VERDICT_FLAGGED] = 4,
    };
    enum stoq_verdict verdict = STOQ_VERDICT_ERROR;

    (void)stoq_verdict_parse(s->verdict ? s->verdict : "", &verdict);
    return by_verdict[verdict];
}

static void
put_rules(FILE *out, const json_t *rules)
{
    size_t i;
    json_t *rule;

    json_array_foreach ((json_t *)(uintptr_t)rules, i, rule) {
        if (i == RULES_MAX)
            break;
        put(out, "STOQ_RULE", json_string_value(rule));
    }
    put_number(out, "STOQ_RULES", (long long)json_array_size(rules));
}

static void
put_fields(FILE *out, const struct journald *j, const struct plugin_summary *s,
           const char *document)
{
    size_t size = document ? strlen(document) : 0;

    put_message(out, s);
    put_number(out, "PRIORITY", priority(s));
    put(out, "MESSAGE_ID", JOURNALD_MESSAGE_ID);
    put(out, "SYSLOG_IDENTIFIER", j->identifier);
    put(out, "STOQ_SCAN_ID", s->scan_id);
    put(out, "STOQ_VERDICT", s->verdict);
    put(out, "STOQ_TIME", s->time);
    put(out, "STOQ_FILENAME", s->filename);
    put(out, "STOQ_SHA256", s->sha256);
    if (s->size >= 0)
        put_number(out, "STOQ_SIZE", (long long)s->size);
    put_number(out, "STOQ_PAYLOADS", (long long)s->payloads);
    put_number(out, "STOQ_ERRORS", (long long)s->errors);
    put_rules(out, s->rules);
    if (document && size <= j->max_bytes)
        put_bytes(out, "STOQ_DOCUMENT", document, size);
    else if (document)
        put_number(out, "STOQ_DOCUMENT_BYTES", (long long)size);
}

int
journald_entry(const struct journald *j, const struct stoq_response *response,
               char **out, size_t *size, struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *document =
        j->document ? stoq_response_text(response, false) : NULL;
    PLUGIN_AUTOFREE char *text = NULL;
    struct plugin_summary s;
    size_t n = 0;
    bool ok = plugin_summary_init(&s, response) == 0 && (document || !j->document);
    FILE *file = ok ? open_memstream(&text, &n) : NULL;

    if (file) {
        put_fields(file, j, &s, document);
        ok = !ferror(file);
        ok = fclose(file) == 0 && ok;
    }
    plugin_summary_fini(&s);
    if (!file || !ok || !text)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    *size = n;
    *out = PLUGIN_STEAL(&text);
    return 0;
}
