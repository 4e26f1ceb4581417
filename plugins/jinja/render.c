/* SPDX-License-Identifier: Apache-2.0 */

/* Statements: the run of a template. */

#include "ops.h"

/* Make @name @value (copied) in the innermost scope. */
static int
assign(struct jinja_run *run, const char *name, const struct jinja_value *value)
{
    for (size_t i = run->scope; i < run->count; i++) {
        if (strcmp(run->variables[i].name, name) == 0) {
            jinja_copy(&run->variables[i].value, value);
            return 0;
        }
    }
    if (run->count == run->room) {
        size_t room = run->room ? 2 * run->room : 16;
        struct jinja_variable *v = realloc(run->variables, room * sizeof *v);
        if (!v)
            return jinja_raise_code(run, -ENOMEM);
        run->variables = v;
        run->room = room;
    }
    struct jinja_variable *v = &run->variables[run->count++];
    *v = (struct jinja_variable){.name = name};
    jinja_copy(&v->value, value);
    return 0;
}

static void
forget(struct jinja_run *run, size_t count)
{
    while (run->count > count)
        jinja_value_fini(&run->variables[--run->count].value);
}

static int render(struct jinja_run *run, const struct jinja_node *n,
                  struct jinja_text *out);

/* The item as the value of one name, or its parts as those of several. */
static int
assign_item(struct jinja_run *run, const struct jinja_node *n,
            const struct jinja_value *item)
{
    if (n->name_count == 1)
        return assign(run, n->names[0], item);
    JINJA_VALUE parts = {0};
    if (jinja_is_number(item->json) || json_is_null(item->json))
        return jinja_raise(run, "TypeError", "cannot unpack non-iterable %s object",
                           jinja_type(item));
    int r = jinja_iterate(run, item, &parts);
    if (r < 0)
        return r;
    size_t size = json_array_size(parts.json);
    if (size > n->name_count)
        return jinja_raise(run, "ValueError",
                           "too many values to unpack (expected %zu)", n->name_count);
    if (size < n->name_count)
        return jinja_raise(run, "ValueError",
                           "not enough values to unpack (expected %zu, got %zu)",
                           n->name_count, size);
    for (size_t i = 0; i < size && r == 0; i++) {
        const struct jinja_value part = {.json = json_array_get(parts.json, i)};
        r = assign(run, n->names[i], &part);
    }
    return r;
}

// NOLINTNEXTLINE(misc-no-recursion): nesting is limited where a template is read
static int
render_for(struct jinja_run *run, const struct jinja_node *n, struct jinja_text *out)
{
    JINJA_VALUE over = {0}, items = {0};
    int r = jinja_eval(run, n->a, &over);
    run->offset = n->a->offset;
    if (r == 0)
        r = jinja_iterate(run, &over, &items);
    size_t length = r == 0 ? json_array_size(items.json) : 0;
    if (r == 0 && length == 0)
        return render(run, n->c, out);
    struct jinja_loop loop = {.length = length, .outer = run->loop};
    size_t scope = run->scope, count = run->count;
    run->loop = &loop;
    run->scope = count;
    for (; loop.index < length && r == 0; loop.index++) {
        const struct jinja_value item = {.json = json_array_get(items.json, loop.index),
                                         .flavour = over.flavour == JINJA_DOCUMENT &&
                                                            json_is_array(over.json)
                                                        ? JINJA_DOCUMENT
                                                        : JINJA_PLAIN};
        run->offset = n->offset;
        r = jinja_charge(run, 1);
        if (r == 0)
            r = assign_item(run, n, &item);
        if (r == 0)
            r = render(run, n->b, out);
        forget(run, count);
    }
    run->loop = loop.outer;
    run->scope = scope;
    return r;
}

/* An elif is an if that is alone in the else of another. */
// NOLINTNEXTLINE(misc-no-recursion): nesting is limited where a template is read
static int
render_if(struct jinja_run *run, const struct jinja_node *n, struct jinja_text *out)
{
    for (;;) {
        JINJA_VALUE cond = {0};
        int r = jinja_eval(run, n->a, &cond);
        if (r < 0)
            return r;
        if (jinja_is_true(&cond))
            return render(run, n->b, out);
        if (!n->c || n->c->op != JINJA_IF || n->c->next)
            return render(run, n->c, out);
        n = n->c;
    }
}

static int
render_one(struct jinja_run *run, const struct jinja_node *n, struct jinja_text *out)
{
    JINJA_VALUE v = {0};
    int r = 0;
    switch ((int)n->op) {
    case JINJA_TEXT:
        jinja_text_add(out, json_string_value(n->literal),
                       json_string_length(n->literal));
        break;
    case JINJA_IF:
        return render_if(run, n, out);
    case JINJA_FOR:
        return render_for(run, n, out);
    case JINJA_SET:
        r = jinja_eval(run, n->a, &v);
        return r < 0 ? r : assign(run, n->names[0], &v);
    default:
        r = jinja_eval(run, n->a, &v);
        if (r == 0)
            jinja_add(out, &v, true);
        break;
    }
    run->offset = n->offset;
    if (r == 0 && out->code < 0)
        r = jinja_raise_code(run, out->code);
    return r;
}

// NOLINTNEXTLINE(misc-no-recursion): nesting is limited where a template is read
static int
render(struct jinja_run *run, const struct jinja_node *n, struct jinja_text *out)
{
    int r = 0;
    for (; n && r == 0; n = n->next)
        r = render_one(run, n, out);
    return r;
}

int
jinja_render(const struct jinja_template *t, json_t *response, struct jinja_text *out,
             struct stoq_error *err)
{
    struct jinja_run run = {.t = t, .err = err};
    const struct jinja_value root = {.json = response, .flavour = JINJA_DOCUMENT};
    int r = assign(&run, "response", &root);
    if (r == 0)
        r = render(&run, t->body, out);
    forget(&run, 0);
    free(run.variables);
    return r;
}
