/* SPDX-License-Identifier: Apache-2.0 */
/* JSON made within a budget; see parts.h. */

#include <inttypes.h>
#include <stdio.h>

#include <stoq/plugin.h>

#include "parts.h"

static json_t *
checked(struct build *b, json_t *value)
{
    b->failed = b->failed || !value;
    return value;
}

json_t *
build_object(struct build *b)
{
    return checked(b, json_object());
}

json_t *
build_list(struct build *b)
{
    return checked(b, json_array());
}

void
build_set(struct build *b, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        b->failed = true;
}

static json_t *
number(uint64_t value)
{
    char text[32];
    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

void
build_number(struct build *b, json_t *object, const char *key, uint64_t value)
{
    build_set(b, object, key, number(value));
}

void
build_bool(struct build *b, json_t *object, const char *key, bool value)
{
    build_set(b, object, key, json_boolean(value));
}

void
build_string(struct build *b, json_t *object, const char *key, const char *text)
{
    build_set(b, object, key, json_string(text));
}

/* Text as far as the budget for names goes. */
static json_t *
text_of(struct build *b, struct bytes text)
{
    if (text.size > b->names) {
        b->cut = true;
        text.size = 0;
    }
    b->names -= text.size;
    return stoq_json_text(text.size > 0 ? (const void *)text.data : "", text.size,
                          NULL);
}

void
build_text(struct build *b, json_t *object, const char *key, struct bytes text)
{
    build_set(b, object, key, text_of(b, text));
}

bool
build_step(struct build *b)
{
    if (b->entries == 0)
        b->cut = true;
    else
        b->entries--;
    return !b->cut && !b->failed;
}

json_t *
build_item(struct build *b, json_t *list)
{
    if (!build_step(b))
        return NULL;
    json_t *item = build_object(b);
    if (json_array_append_new(list, item) < 0) {
        b->failed = true;
        return NULL;
    }
    return item;
}

void
build_list_text(struct build *b, json_t *list, struct bytes text)
{
    if (build_step(b) && json_array_append_new(list, text_of(b, text)) < 0)
        b->failed = true;
}
