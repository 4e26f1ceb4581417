/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp: a mail's headers and bodies are the result, its attachments become children.
 * The rules are those of Python's email package, with which the original reads mails
 * (RFC 5322, 2045-2047, 2231). Own code instead of a library: libraries disagree with
 * it on just the broken mails that matter here.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"

struct smtp {
    struct charsets charsets;
    const char *const *always_dispatch;
    const char *const *ioc_keys;
    bool omit_body, archive_attachments, extract_iocs, all_parts;
};

/* One call. */
struct call {
    const struct smtp *in;
    struct stoq_reply *reply;
    struct mail mail;
    json_t *results;
    size_t unread; /* parts that were not handed on */
};

static void
plugin_close(void *instance)
{
    struct smtp *in = instance;
    charsets_close(&in->charsets);
    free(in);
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct smtp *in = calloc(1, sizeof *in);
    if (!in)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    charsets_open(&in->charsets);
    in->always_dispatch = stoq_ctx_list(ctx, "always_dispatch");
    in->ioc_keys = stoq_ctx_list(ctx, "ioc_keys");
    in->omit_body = stoq_ctx_bool(ctx, "omit_body");
    in->archive_attachments = stoq_ctx_bool(ctx, "archive_attachments");
    in->extract_iocs = stoq_ctx_bool(ctx, "extract_iocs");
    in->all_parts = stoq_ctx_bool(ctx, "all_parts");
    *instance = in;
    return 0;
}

/* ----------------------------------------------------------------------- results */

static json_t *
text_of(struct call *call, const struct buf *b)
{
    const struct str s = str_of(b);
    json_t *text = b->failed ? NULL : stoq_json_text(s.at, s.size, NULL);
    call->mail.no_memory = call->mail.no_memory || !text;
    return text;
}

/* Header values by lower-cased name, in order of appearance, repeats on a new line. */
struct table {
    json_t *index; /* name -> place in `values` */
    struct buf *values;
    size_t count;
};

static void
table_add(struct call *call, struct table *t, const struct header *h)
{
    BUF_AUTO name = {0};
    buf_add_lower(&name, h->name);
    buf_add(&name, "", 1);
    const json_t *place = name.failed ? NULL : json_object_get(t->index, name.data);
    struct buf *value =
        &t->values[place ? (size_t)json_integer_value(place) : t->count];
    if (place)
        buf_addc(value, '\n');
    mail_header_value(&call->mail, h, value);
    if (place)
        return;
    call->mail.no_memory = call->mail.no_memory || name.failed ||
                           json_object_set_new(t->index, name.data,
                                               json_integer((json_int_t)t->count)) < 0;
    t->count++;
}

static void
add_headers(struct call *call)
{
    const struct part *root = call->mail.root;
    struct table t = {json_object(), NULL, 0};
    t.values = calloc(root->header_count + 1, sizeof *t.values);
    call->mail.no_memory = call->mail.no_memory || !t.index || !t.values;
    for (size_t i = 0; i < root->header_count && !call->mail.no_memory; i++)
        table_add(call, &t, &root->headers[i]);
    const char *name;
    json_t *place;
    json_object_foreach (t.index, name, place) {
        struct buf *value = &t.values[json_integer_value(place)];
        if (json_object_set_new(call->results, name, text_of(call, value)) < 0)
            call->mail.no_memory = true;
        buf_free(value);
    }
    json_decref(t.index);
    free(t.values);
}

/* The body of that kind: "" when there is none, null when it is empty. */
static json_t *
body_of(struct call *call, const char *subtype)
{
    BUF_AUTO content = {0}, text = {0}, body = {0};
    struct part *p = select_body(&call->mail, subtype);
    if (!p)
        return json_string("");
    p->used = true;
    if (p->is_list)
        return json_null();
    part_content(&call->mail, p, &content);
    if (content.size == 0)
        return json_null();
    charset_guess(&call->in->charsets, str_of(&content), &text);
    if (text.size == 0)
        return json_null();
    buf_add_unquoted(&body, str_of(&text));
    body.failed = body.failed || content.failed || text.failed;
    return text_of(call, &body);
}

static void
add_body(struct call *call, json_t *to, const char *key, const char *subtype)
{
    if (json_object_set_new(to, key, body_of(call, subtype)) < 0)
        call->mail.no_memory = true;
}

/* ---------------------------------------------------------------------- children */

static void
set_param(struct call *call, json_t *extra, const char *key, const struct buf *value)
{
    if (json_object_set_new(extra, key, value ? text_of(call, value) : json_null()) < 0)
        call->mail.no_memory = true;
}

static bool
charset_of(const struct part *p, struct buf *out)
{
    return param_get(str_of(&p->content_type), "charset", out);
}

/* The name that the part goes by; @p out is NUL-terminated. @return whether it has one.
 */
static bool
filename_of(const struct part *p, struct buf *out)
{
    BUF_AUTO once = {0}, twice = {0};
    if (!param_get(str_of(&p->content_disposition), "filename", &once) &&
        !param_get(str_of(&p->content_type), "name", &once))
        return false;
    param_unquote(str_of(&once), &twice);
    const struct str name = str_strip(str_of(&twice));
    buf_add(out, name.at, name.size);
    buf_add(out, "", 1);
    out->size -= out->failed ? 0 : 1;
    return true;
}

static json_t *
describe(struct call *call, const struct part *p, const struct buf *filename)
{
    json_t *extra = json_object();
    BUF_AUTO charset = {0}, lower = {0}, description = {0};
    bool has = charset_of(p, &charset);
    for (size_t i = 0; i < charset.size; i++)
        has = has && !(charset.data[i] & (char)0x80);
    buf_add_lower(&lower, str_of(&charset));
    set_param(call, extra, "charset", has ? &lower : NULL);
    const struct header *h = part_header(p, "content-description");
    if (h)
        mail_header_value(&call->mail, h, &description);
    set_param(call, extra, "content-description", h ? &description : NULL);
    json_t *disposition =
        p->disposition ? stoq_json_text(p->disposition, strlen(p->disposition), NULL)
                       : json_null();
    json_t *type = stoq_json_text(p->type, strlen(p->type), NULL);
    if (json_object_set_new(extra, "disposition", disposition) < 0)
        call->mail.no_memory = true;
    set_param(call, extra, "filename", filename);
    if (json_object_set_new(extra, "type", type) < 0)
        call->mail.no_memory = true;
    return extra;
}

static int
extract(struct call *call, struct part *p, const struct buf *content,
        const char *const *dispatch_to)
{
    BUF_AUTO filename = {0};
    const bool named = filename_of(p, &filename);
    json_t *extra = describe(call, p, named ? &filename : NULL);
    if (call->mail.no_memory || filename.failed) {
        json_decref(extra);
        return -ENOMEM;
    }
    const struct stoq_extract child = {
        STOQ_EXTRACT_HEAD,
        .no_archive = !call->in->archive_attachments,
        .data = str_of(content).at,
        .size = content->size,
        .extra_data = extra,
        .filename = named && filename.size ? filename.data : NULL,
        .dispatch_to = dispatch_to};
    p->used = true;
    return stoq_reply_extract(call->reply, &child);
}

/* Text becomes UTF-8, as in the original. @return false: its charset is unknown. */
static bool
text_content(struct call *call, const struct part *p, struct buf *out)
{
    BUF_AUTO bytes = {0}, charset = {0};
    if (!charset_of(p, &charset))
        buf_adds(&charset, "ascii");
    part_content(&call->mail, p, &bytes);
    if (charset_decode(&call->in->charsets, str_of(&charset), str_of(&bytes),
                       BAD_REPLACE, out) == 0)
        return true;
    if (call->in->all_parts) {
        buf_add(out, bytes.data, bytes.size);
        return true;
    }
    stoq_reply_error(
        call->reply, "Failed extracting attachment: unknown encoding: %.*s",
        (int)(charset.size < 200 ? charset.size : 200), str_of(&charset).at);
    return false;
}

static bool
has_main_type(const struct part *p, const char *prefix)
{
    return strncmp(p->type, prefix, strlen(prefix)) == 0;
}

/* A part that is not a mail in itself. */
static int
extract_content(struct call *call, struct part *p)
{
    BUF_AUTO content = {0};
    static const char *const known[] = {"audio/", "image/", "video/", "application/"};
    bool ok = call->in->all_parts && !p->is_list;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        ok = ok || (has_main_type(p, known[i]) && !p->is_list);
    if (has_main_type(p, "text/")) {
        if (!text_content(call, p, &content))
            return 0;
    } else if (has_main_type(p, "message/") && p->first) {
        render_part(&call->mail, p->first, &content);
    } else if (ok || has_main_type(p, "message/")) {
        part_content(&call->mail, p, &content);
    } else {
        if (!call->in->all_parts)
            stoq_reply_error(call->reply, "Failed extracting attachment: '%s'",
                             p->type);
        return 0;
    }
    call->mail.no_memory = call->mail.no_memory || content.failed;
    return extract(call, p, &content, call->in->always_dispatch);
}

static int
extract_attachment(void *self, struct part *p)
{
    static const char *const smtp[] = {"smtp", NULL};
    struct call *call = self;
    if (strcmp(p->type, "message/rfc822") != 0 || !p->first)
        return extract_content(call, p);
    p->used = true;
    for (struct part *inner = p->first; inner; inner = inner->next) {
        BUF_AUTO content = {0};
        render_part(&call->mail, inner, &content);
        int r = extract(call, inner, &content, smtp);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Parts that are neither body nor attachment: hand them on, or count them. */
// NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX limits the tree
static int
visit_rest(struct call *call, struct part *p)
{
    if (p->used)
        return 0;
    if (p->is_list) {
        for (struct part *c = p->first; c; c = c->next) {
            int r = visit_rest(call, c);
            if (r < 0)
                return r;
        }
        return 0;
    }
    if (p->payload.size == 0)
        return 0;
    if (call->in->all_parts)
        return extract_attachment(call, p);
    call->unread++;
    return 0;
}

/* ---------------------------------------------------------------------------- iocs */

/* What iocextract is to look through: the named headers and bodies, each on a line. */
static int
extract_iocs(struct call *call)
{
    BUF_AUTO text = {0};
    static const char *const iocextract[] = {"iocextract", NULL};
    json_auto_t *bodies = json_object();
    for (const char *const *key = call->in->ioc_keys; *key; key++) {
        const json_t *value = json_object_get(call->results, *key);
        const bool plain = strcmp(*key, "body") == 0;
        if (!value && !plain && strcmp(*key, "body_html") != 0)
            continue;
        if (value) {
            buf_addc(&text, '\n');
        } else {
            add_body(call, bodies, *key, plain ? "plain" : "html");
            value = json_object_get(bodies, *key);
        }
        if (json_is_string(value))
            buf_add(&text, json_string_value(value), json_string_length(value));
        else if (json_object_get(call->results, *key))
            buf_adds(&text, "None");
    }
    if (text.failed)
        return -ENOMEM;
    const struct stoq_extract child = {STOQ_EXTRACT_HEAD, .no_archive = true,
                                       .data = str_of(&text).at, .size = text.size,
                                       .dispatch_to = iocextract};
    return stoq_reply_extract(call->reply, &child);
}

/* -------------------------------------------------------------------------- a call */

static void
report_limits(struct call *call)
{
    const struct mail *m = &call->mail;
    const struct {
        const char *name;
        size_t value;
    } limits[] = {{"mime_depth", m->hit_depth ? DEPTH_MAX : 0},
                  {"mime_parts", m->hit_parts ? PARTS_MAX : 0},
                  {"headers", m->hit_headers ? HEADERS_MAX : 0},
                  {"header_size", m->hit_header_size},
                  {"unread_parts", call->unread}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].value)
            stoq_reply_limit(call->reply, limits[i].name, limits[i].value);
}

static int
read_mail(struct call *call)
{
    if (mail_parse(&call->mail) < 0)
        return -ENOMEM;
    add_headers(call);
    if (!call->in->omit_body) {
        add_body(call, call->results, "body", "plain");
        add_body(call, call->results, "body_html", "html");
    } else {
        struct part *bodies[] = {select_body(&call->mail, "plain"),
                                 select_body(&call->mail, "html")};
        for (size_t i = 0; i < 2; i++)
            if (bodies[i])
                bodies[i]->used = true;
    }
    if (call->mail.no_memory)
        return -ENOMEM;
    int r = select_attachments(&call->mail, extract_attachment, call);
    if (r == 0)
        r = visit_rest(call, call->mail.root);
    if (r == 0 && call->in->extract_iocs)
        r = extract_iocs(call);
    if (r == -E2BIG) /* on record as a limit */
        r = 0;
    return call->mail.no_memory ? -ENOMEM : r;
}

static int
plugin_scan(void *instance, struct stoq_payload *payload,
            const struct stoq_request *request, struct stoq_reply *reply,
            unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    const struct smtp *in = instance;
    struct call call = {.in = in, .reply = reply, .results = json_object()};
    size_t size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);
    call.mail.charsets = &in->charsets;
    charset_guess(&in->charsets, (struct str){(const char *)data, size},
                  &call.mail.text);
    int r = call.results && !call.mail.text.failed ? read_mail(&call) : -ENOMEM;
    report_limits(&call);
    mail_fini(&call.mail);
    if (r < 0) {
        json_decref(call.results);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    }
    stoq_reply_results(reply, call.results);
    return 0;
}

static const struct stoq_option options[] = {
    {"omit_body", STOQ_OPTION_BOOL, "False", 0, 0, "Leave body and body_html out."},
    {"always_dispatch", STOQ_OPTION_LIST, "", 0, 0, "Workers for each attachment."},
    {"archive_attachments", STOQ_OPTION_BOOL, "True", 0, 0,
     "Whether archivers get the attachments."},
    {"extract_iocs", STOQ_OPTION_BOOL, "False", 0, 0,
     "Make a child of headers and bodies for the worker iocextract."},
    {"ioc_keys", STOQ_OPTION_LIST,
     "received,x-orig-ip,x-originating-ip,x-remote-ip,x-sender-ip,body,body_html", 0, 0,
     "What that child consists of, by name in the results."},
    {"all_parts", STOQ_OPTION_BOOL, "True", 0, 0,
     "Extract every part that is not a body, however deep it lies."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,    .name = "smtp",      .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,  .open = plugin_open, .close = plugin_close,
    .scan = plugin_scan,
};
STOQ_PLUGIN(plugin);
