/* SPDX-License-Identifier: Apache-2.0 */
/*
 * javaclass: what a Java class offers and needs, and its constants, in the words of the
 * Python package javatools. The code of methods is not looked at. All strings of one
 * result together are at most TEXT_BUDGET bytes long.
 */

#include <errno.h>
#include <stdlib.h>

#include <stoq/plugin.h>

#include "common/auto.h"
#include "parts.h"

/* Shorter ones say nothing by themselves. */
#define CONSTANT_MIN 7U

struct work {
    struct class_file file;
    struct text text;
    size_t budget;
    json_t *own;                             /* {member: null} of all members */
    json_t *required_set, *provided_set;     /* those listed so far */
    json_t *provided, *required, *constants; /* the results */
};

static int
add_once(json_t *list, json_t *set, const struct text *t)
{
    json_t *value;
    if (t->size == 0 || json_object_get(set, t->data))
        return 0;
    value = json_stringn(t->data, t->size);
    if (json_object_set_new(set, t->data, json_null()) < 0) {
        json_decref(value);
        return -ENOMEM;
    }
    return json_array_append_new(list, value) < 0 ? -ENOMEM : 0;
}

/* This class and its members: all of them into own, the public ones into provided. */
static int
add_provided(struct work *w)
{
    struct bytes me;
    struct member member;
    struct member_walk walk = class_members(&w->file);
    struct text *t = &w->text;
    int r = class_name(&w->file, w->file.this_class, TAG_CLASS, &me);
    text_clear(t);
    if (r == 0)
        r = text_add_java(t, me, true);
    size_t prefix = t->size;
    if (r == 0)
        r = add_once(w->provided, w->provided_set, t);
    if (r == 0 && t->size > 0)
        r = json_object_set_new(w->own, t->data, json_null()) < 0 ? -ENOMEM : 0;
    while (r == 0 && (r = class_next(&w->file, &walk, &member)) > 0) {
        t->size = prefix;
        r = text_adds(t, ".");
        if (r == 0)
            r = pretty_member(t, member.name, member.descriptor, walk.methods);
        if (r == 0 && json_object_set_new(w->own, t->data, json_null()) < 0)
            r = -ENOMEM;
        if (r == 0 && (member.access & ACC_PUBLIC) != 0)
            r = add_once(w->provided, w->provided_set, t);
    }
    return r;
}

static int
add_required(struct work *w)
{
    int r = 0;
    for (unsigned i = 1; r == 0 && i < w->file.count; i++) {
        struct constant k = class_constant(&w->file, i);
        if (k.tag != TAG_CLASS && k.tag != TAG_FIELD && k.tag != TAG_METHOD &&
            k.tag != TAG_INTERFACE_METHOD)
            continue;
        text_clear(&w->text);
        r = pretty_reference(&w->text, &w->file, k);
        if (r == 0 && w->text.size > 0 && !json_object_get(w->own, w->text.data))
            r = add_once(w->required, w->required_set, &w->text);
    }
    return r;
}

static int
add_constants(struct work *w)
{
    int r = 0;
    for (unsigned i = 1; r == 0 && i < w->file.count; i++) {
        text_clear(&w->text);
        r = pretty_constant(&w->text, class_constant(&w->file, i));
        if (r < 0 || w->text.chars < CONSTANT_MIN)
            continue;
        json_t *entry = json_object();
        if (json_object_set_new(entry, "id", json_integer(i)) < 0 ||
            json_object_set_new(entry, "data",
                                json_stringn(w->text.data, w->text.size)) < 0) {
            json_decref(entry);
            return -ENOMEM;
        }
        r = json_array_append_new(w->constants, entry) < 0 ? -ENOMEM : 0;
    }
    return r;
}

static int
fail(struct stoq_error *err, int r, const char *what, const char *why)
{
    if (r == -ENOMEM)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory");
    return stoq_error_set(err, STOQ_ERROR_FORMAT, r,
                          "stoq.exceptions.StoqPluginException: Unable to %s%s", what,
                          why);
}

/* Fill the lists as far as the budget goes. */
static int
analyze(struct work *w, struct stoq_reply *reply, struct stoq_error *err)
{
    int r = add_provided(w);
    if (r == 0)
        r = add_required(w);
    if (r == 0)
        r = add_constants(w);
    if (r < 0 && r != -E2BIG)
        return fail(err, r, "analyze Java Class ", "a name or a reference is damaged");
    if (r == -E2BIG)
        stoq_reply_limit(reply, "text", TEXT_BUDGET - w->budget);
    json_t *results = json_object();
    if (json_object_set(results, "provided", w->provided) < 0 ||
        json_object_set(results, "required", w->required) < 0 ||
        json_object_set(results, "constants", w->constants) < 0) {
        json_decref(results);
        return fail(err, -ENOMEM, "", "");
    }
    stoq_reply_results(reply, results);
    return 0;
}

static int
javaclass_scan(void *instance, struct stoq_payload *payload,
               const struct stoq_request *request, struct stoq_reply *reply,
               unsigned flags, struct stoq_error *err)
{
    (void)instance;
    (void)request;
    (void)flags;
    struct bytes file;
    struct work w = {.budget = TEXT_BUDGET};
    const char *why = "";
    file.data = stoq_payload_data(payload, &file.size);
    int r = class_open(file, &w.file, &why);
    if (r < 0)
        return fail(err, r, "parse payload: ", why);
    w.text.budget = &w.budget;
    w.own = json_object();
    w.provided_set = json_object();
    w.required_set = json_object();
    w.provided = json_array();
    w.required = json_array();
    w.constants = json_array();
    r = analyze(&w, reply, err);
    json_decref(w.own);
    json_decref(w.provided_set);
    json_decref(w.required_set);
    json_decref(w.provided);
    json_decref(w.required);
    json_decref(w.constants);
    free(w.text.data);
    free(w.file.offsets);
    return r;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "javaclass",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = javaclass_scan,
};
STOQ_PLUGIN(plugin);
