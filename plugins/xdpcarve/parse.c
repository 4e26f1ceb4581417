/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over an XML document with expat: which elements were asked for, and the text
 * that each begins with. Text is kept for those alone; there is no tree. Nothing
 * outside the document is read: external entities are passed over, as the original
 * does.
 *
 * Bounds: depth, entities declared (expat 2.5 uses stack for entities within entities),
 * expansion by entities, elements found, text kept.
 */

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "parts.h"

/* The original cannot search a tree that is deeper than about a thousand. */
#define DEPTH_MAX    4096U
#define ENTITIES_MAX 256U
#define ITEMS_MAX    ((size_t)100000)
/* Entities may make the text longer than the document, by this much. */
#define EXPANSION_MAX ((size_t)4 << 20)
/* A namespace is part of each name that expat says, and so read once per element. */
#define NAMESPACE_MAX ((size_t)4096)
/* "<a/>" */
#define ELEMENT_MIN ((size_t)4)
#define PIECE_MAX   ((size_t)1 << 30)

/* How far the first child of an element asked for has come. */
enum progress {
    IN_NOTHING, /* not asked for, or its first child is complete */
    IN_WAIT,    /* no child so far */
    IN_TEXT,
    IN_CDATA
};

struct frame {
    enum progress progress;
    size_t item;
};

struct parse {
    const struct xdp_input *in;
    struct stoq_reply *reply;
    struct xdp_found *found;
    struct stoq_error *err;
    XML_Parser parser;
    struct frame *frames; /* DEPTH_MAX + 1; [0] stands for the document */
    unsigned depth;
    unsigned entities;
    uint64_t seen; /* bytes of text and markup handed over, entities expanded */
    bool in_cdata;
    bool limited;
    int result; /* 0 or -errno */
};

static void
stop(struct parse *p, int result)
{
    if (p->result == 0)
        p->result = result;
    (void)XML_StopParser(p->parser, XML_FALSE);
}

static void
stop_at_limit(struct parse *p, const char *name, uint64_t value)
{
    if (!p->limited && p->result == 0)
        stoq_reply_limit(p->reply, name, value);
    p->limited = true;
    stop(p, 0);
}

/* ----------------------------------------------------------------------------- text */

/* The array with room for @need things of @width bytes, or NULL; the old one then lives
 * on. */
static void *
grown(void *array, size_t *room, size_t need, size_t width)
{
    if (need <= *room)
        return array;
    size_t now = *room ? *room : 64;
    while (now < need)
        now *= 2;
    void *bigger = reallocarray(array, now, width);
    *room = bigger ? now : *room;
    return bigger;
}

/* @return whether the text is to be looked at: there is no more of it than a document
 * without entities would have, and a little. */
static bool
is_within(struct parse *p, size_t size)
{
    p->seen += size;
    if (p->seen > p->in->size + EXPANSION_MAX)
        stop_at_limit(p, "expansion", p->seen);
    return !p->limited;
}

/* The text of one item is in one piece: whatever else comes ends its first child. */
static void
append(struct parse *p, size_t item, const char *text, size_t size)
{
    struct xdp_found *f = p->found;
    char *bigger = grown(f->text, &f->text_room, f->text_size + size + 1, 1);
    if (!bigger) {
        stop(p, -ENOMEM);
        return;
    }
    f->text = bigger;
    memcpy(f->text + f->text_size, text, size);
    if (f->items[item].bare)
        f->items[item].off = f->text_size;
    f->items[item].bare = false;
    f->items[item].size += size;
    f->text_size += size;
}

static void XMLCALL
on_text(void *data, const XML_Char *text, int size)
{
    struct parse *p = data;
    struct frame *top = &p->frames[p->depth];
    enum progress now = p->in_cdata ? IN_CDATA : IN_TEXT;
    if (size <= 0 || !is_within(p, (size_t)size) || top->progress == IN_NOTHING)
        return;
    if (top->progress != IN_WAIT && top->progress != now) {
        top->progress = IN_NOTHING;
        return;
    }
    top->progress = now;
    append(p, top->item, text, (size_t)size);
}

static void XMLCALL
on_cdata(void *data)
{
    struct parse *p = data;
    p->in_cdata = true;
}

static void XMLCALL
on_cdata_end(void *data)
{
    struct parse *p = data;
    struct frame *top = &p->frames[p->depth];
    p->in_cdata = false;
    if (top->progress == IN_CDATA)
        top->progress = IN_NOTHING;
}

/* A comment or instruction that comes first is what the original takes for the text. */
static void
on_other(struct parse *p, const char *text)
{
    struct frame *top = &p->frames[p->depth];
    if (is_within(p, strlen(text)) && top->progress == IN_WAIT)
        append(p, top->item, text, strlen(text));
    top->progress = IN_NOTHING;
}

static void XMLCALL
on_comment(void *data, const XML_Char *text)
{
    on_other(data, text);
}

static void XMLCALL
on_instruction(void *data, const XML_Char *target, const XML_Char *text)
{
    (void)target;
    on_other(data, text);
}

/* ------------------------------------------------------------------------- elements */

/* expat says "uri local prefix", "uri local" or "local"; the document "prefix:local".
 */
static bool
is_called(const char *expat_name, const char *name)
{
    if (strcmp(name, "*") == 0)
        return true;
    const char *local = strchr(expat_name, ' ');
    if (!local)
        return strcmp(expat_name, name) == 0;
    const char *prefix = strchr(++local, ' ');
    if (!prefix)
        return strcmp(local, name) == 0;
    size_t local_size = (size_t)(prefix - local), prefix_size = strlen(++prefix);
    return strlen(name) == prefix_size + 1 + local_size &&
           memcmp(name, prefix, prefix_size) == 0 && name[prefix_size] == ':' &&
           memcmp(name + prefix_size + 1, local, local_size) == 0;
}

static void
add_item(struct parse *p, struct frame *frame, uint64_t names)
{
    struct xdp_found *f = p->found;
    if (f->count >= ITEMS_MAX) {
        stop_at_limit(p, "elements", f->count);
        return;
    }
    struct xdp_item *bigger = grown(f->items, &f->room, f->count + 1, sizeof *f->items);
    if (!bigger) {
        stop(p, -ENOMEM);
        return;
    }
    f->items = bigger;
    *frame = (struct frame){IN_WAIT, f->count};
    f->items[f->count++] = (struct xdp_item){.names = names, .bare = true};
}

static void XMLCALL
on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    struct parse *p = data;
    uint64_t names = 0;
    (void)attributes;
    if (!is_within(p, ELEMENT_MIN))
        return;
    if (p->depth >= DEPTH_MAX) {
        stop_at_limit(p, "nesting", p->depth);
        return;
    }
    p->frames[p->depth].progress = IN_NOTHING;
    struct frame *frame = &p->frames[++p->depth];
    *frame = (struct frame){IN_NOTHING, 0};
    for (size_t i = 0; i < XDP_NAMES_MAX && p->in->names[i]; i++)
        if (is_called(name, p->in->names[i]))
            names |= UINT64_C(1) << i;
    if (names)
        add_item(p, frame, names);
}

static void XMLCALL
on_end(void *data, const XML_Char *name)
{
    struct parse *p = data;
    (void)name;
    if (p->depth > 0) /* an element that was too deep is not counted */
        p->depth--;
}

/* ------------------------------------------------------------------------- document */

static void XMLCALL
on_namespace(void *data, const XML_Char *prefix, const XML_Char *uri)
{
    size_t size = uri ? strlen(uri) : 0;
    (void)prefix;
    if (size > NAMESPACE_MAX)
        stop_at_limit(data, "namespace", size);
}

// NOLINTNEXTLINE(readability-function-size): expat sets the parameters
static void XMLCALL
on_entity(void *data, const XML_Char *name, int is_parameter, const XML_Char *value,
          int value_size, const XML_Char *base, const XML_Char *system_id,
          const XML_Char *public_id, const XML_Char *notation)
{
    struct parse *p = data;
    (void)name;
    (void)is_parameter;
    (void)value;
    (void)value_size;
    (void)base;
    (void)system_id;
    (void)public_id;
    (void)notation;
    if (++p->entities > ENTITIES_MAX)
        stop_at_limit(p, "entities", p->entities);
}

static int XMLCALL
on_external(XML_Parser parser, const XML_Char *context, const XML_Char *base,
            const XML_Char *system_id, const XML_Char *public_id)
{
    (void)parser;
    (void)context;
    (void)base;
    (void)system_id;
    (void)public_id;
    return XML_STATUS_OK; /* passed over */
}

static int XMLCALL
on_encoding(void *data, const XML_Char *name, XML_Encoding *info)
{
    struct parse *p = data;
    const int *points = xdp_encodings_find(p->in->encodings, name);
    if (!points) {
        p->result = stoq_error_set(p->err, STOQ_ERROR_FORMAT, -EBADMSG,
                                   "LookupError: unknown encoding: %.64s", name);
        return XML_STATUS_ERROR;
    }
    memcpy(info->map, points, sizeof info->map);
    info->data = NULL;
    info->convert = NULL;
    info->release = NULL;
    return XML_STATUS_OK;
}

static void
set_handlers(struct parse *p)
{
    XML_SetUserData(p->parser, p);
    XML_SetReturnNSTriplet(p->parser, 1);
    XML_SetElementHandler(p->parser, on_start, on_end);
    XML_SetCharacterDataHandler(p->parser, on_text);
    XML_SetCdataSectionHandler(p->parser, on_cdata, on_cdata_end);
    XML_SetCommentHandler(p->parser, on_comment);
    XML_SetProcessingInstructionHandler(p->parser, on_instruction);
    XML_SetStartNamespaceDeclHandler(p->parser, on_namespace);
    XML_SetEntityDeclHandler(p->parser, on_entity);
    XML_SetExternalEntityRefHandler(p->parser, on_external);
    XML_SetUnknownEncodingHandler(p->parser, on_encoding, p);
}

static int
feed(struct parse *p)
{
    size_t off = 0;
    enum XML_Status status;
    do {
        size_t left = p->in->size - off, size = left < PIECE_MAX ? left : PIECE_MAX;
        status = XML_Parse(p->parser, (const char *)p->in->data + off, (int)size,
                           size == left);
        off += size;
    } while (status == XML_STATUS_OK && off < p->in->size);
    if (p->result < 0 || p->limited || status == XML_STATUS_OK)
        return p->result;
    enum XML_Error code = XML_GetErrorCode(p->parser);
    if (code == XML_ERROR_NO_MEMORY)
        return -ENOMEM;
    stoq_reply_error(p->reply,
                     "Unable to parse payload as XML with xdpcarve: %s: line %lu, "
                     "column %lu",
                     XML_ErrorString(code),
                     (unsigned long)XML_GetErrorLineNumber(p->parser),
                     (unsigned long)XML_GetErrorColumnNumber(p->parser));
    p->found->count = 0;
    return 0;
}

int
xdp_parse(const struct xdp_input *in, struct stoq_reply *reply, struct xdp_found *found,
          struct stoq_error *err)
{
    struct parse p = {.in = in, .reply = reply, .found = found, .err = err};
    int r = -ENOMEM;
    p.frames = calloc(DEPTH_MAX + 1, sizeof *p.frames);
    p.parser = XML_ParserCreateNS(NULL, ' ');
    if (p.frames && p.parser) {
        set_handlers(&p);
        r = feed(&p);
    }
    if (p.parser)
        XML_ParserFree(p.parser);
    free(p.frames);
    return r == -ENOMEM ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory")
                        : r;
}

void
xdp_found_fini(struct xdp_found *found)
{
    free(found->items);
    free(found->text);
    *found = (struct xdp_found){0};
}
