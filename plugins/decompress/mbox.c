/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mailboxes: messages that begin with a line "From ". One that is a single encoded file
 * (RFC 2045) is decoded; others become children as they are, for a worker that reads
 * mail. Only forward. Called by forms.c; no state.
 */

#include <errno.h>
#include <strings.h>

#include "forms.h"

#define VALUE_MAX 256U

/* The first line of @p b without its end; @p next is where the next one starts. */
static struct bytes
line_of(struct bytes b, size_t at, size_t *next)
{
    const size_t end = bytes_find(b, at, "\n", 1);
    size_t n = (end == SIZE_MAX ? b.size : end) - at;
    *next = end == SIZE_MAX ? b.size : end + 1;
    if (n > 0 && b.data[at + n - 1] == '\r')
        n--;
    return bytes_at(b, at, n);
}

/* The value of the header line that starts with @p name, or "". */
static void
header_value(struct bytes header, const char *name, char value[VALUE_MAX])
{
    const size_t length = strlen(name);
    value[0] = '\0';
    for (size_t at = 0, next; at < header.size; at = next) {
        struct bytes line = line_of(header, at, &next);
        if (line.size < length ||
            strncasecmp((const char *)line.data, name, length) != 0)
            continue;
        size_t n = line.size - length;
        n = n < VALUE_MAX - 1 ? n : VALUE_MAX - 1;
        memcpy(value, line.data + length, n);
        value[n] = '\0';
        return;
    }
}

/* The name in a Content-Type, into @p name. */
static size_t
file_name(const char *type, const char **name)
{
    const char *at = strcasestr(type, "name=");
    if (!at)
        return 0;
    at += 5;
    const char *const ends = *at == '"' ? "\"" : "; \t";
    at += *at == '"';
    *name = at;
    return strcspn(at, ends);
}

/* @return whether the body was decoded. */
static bool
decode_body(struct stoq_sink *s, struct bytes body, const char *encoding)
{
    encoding += strspn(encoding, " \t");
    if (strncasecmp(encoding, "base64", 6) == 0) {
        stoq_base64_decode(s, body, true);
        return true;
    }
    if (strncasecmp(encoding, "x-uuencode", 10) == 0 ||
        strncasecmp(encoding, "uuencode", 8) == 0) {
        const size_t start = bytes_find(body, 0, "begin ", 6);
        size_t next = 0;
        if (start == SIZE_MAX)
            return false;
        (void)line_of(body, start, &next);
        (void)stoq_uu_decode(s, bytes_from(body, next), NULL);
        return true;
    }
    return false;
}

static int
read_message(struct stoq_sink *s, struct bytes message)
{
    char encoding[VALUE_MAX], type[VALUE_MAX];
    size_t end = bytes_find(message, 0, "\n\n", 2), gap = 2;
    const size_t other = bytes_find(message, 0, "\n\r\n", 3);
    if (other < end) {
        end = other;
        gap = 3;
    }
    struct bytes header =
        bytes_at(message, 0, end == SIZE_MAX ? message.size : end + 1);
    struct bytes body =
        end == SIZE_MAX ? (struct bytes){0} : bytes_from(message, end + gap);
    header_value(header, "Content-Transfer-Encoding:", encoding);
    header_value(header, "Content-Type:", type);
    const char *name = NULL;
    const size_t size = file_name(type, &name);
    stoq_sink_begin(s);
    if (size > 0 && decode_body(s, body, encoding))
        return stoq_sink_end(s, name, size, NULL);
    stoq_sink_begin(s);
    (void)stoq_sink_put(s, message.data, message.size);
    return stoq_sink_end(s, NULL, 0, NULL);
}

int
stoq_mbox_read(struct stoq_sink *s)
{
    const struct bytes data = {s->x->data, s->x->size};
    size_t at = 0;
    while (at < data.size && !s->stop && stoq_sink_time(s)) {
        size_t start;
        (void)line_of(data, at, &start);
        size_t end = bytes_find(data, start > 0 ? start - 1 : 0, "\nFrom ", 6);
        end = end == SIZE_MAX ? data.size : end + 1;
        const int r =
            start < end ? read_message(s, bytes_at(data, start, end - start)) : 0;
        if (r < 0)
            return r;
        at = end;
    }
    return 0;
}
