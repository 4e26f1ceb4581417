/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xordecode: the payload under a repeating key becomes one child. The key is the one
 * `xorkey` that dispatchers left in the payload's dispatch_meta; the yara dispatcher
 * finds it from a rule's plain text. Without a key there is nothing to do.
 */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/plugin.h>

/* As deep as any document may be. */
#define DEPTH_MAX 64U
/* A key longer than this is no key; it also bounds what extra_data takes. */
#define KEY_MAX ((size_t)4096)

struct find {
    const json_t *key; /* borrowed; the first one found */
    size_t count;
};

/* Every value under the name "xorkey", at any depth, itself not looked into. */
// NOLINTNEXTLINE(misc-no-recursion): depth is limited by DEPTH_MAX
static void
find_keys(const json_t *json, unsigned depth, struct find *found)
{
    if (depth > DEPTH_MAX)
        return;
    for (size_t i = 0; i < json_array_size(json); i++)
        find_keys(json_array_get(json, i), depth + 1, found);
    if (!json_is_object(json))
        return;
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)json, name, value) {
        if (strcmp(name, "xorkey") == 0) {
            found->key = found->count++ ? found->key : value;
            continue;
        }
        find_keys(value, depth + 1, found);
    }
}

static int
add_byte(json_t *key, long long value, struct stoq_error *err)
{
    if (value < 0 || value > UCHAR_MAX)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                              "ValueError: byte must be in range(0, 256)");
    if (json_array_size(key) >= KEY_MAX)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                              "the xorkey has more than %zu bytes", KEY_MAX);
    if (json_array_append_new(key, json_integer(value)) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    return 0;
}

/* Decimal numbers separated by commas, blanks around them ignored. */
static int
key_of_text(json_t *key, const char *text, struct stoq_error *err)
{
    static const char blanks[] = " \t\r\n\f\v";
    for (const char *at = text;;) {
        char *end;
        errno = 0;
        long long value = strtoll(at, &end, 10);
        const char *rest = end + strspn(end, blanks);
        if (end == at || (*rest != ',' && *rest != '\0'))
            return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                                  "ValueError: invalid literal for int() with base 10: "
                                  "'%.*s'",
                                  (int)strcspn(at, ","), at);
        int r = add_byte(key, errno ? -1 : value, err);
        if (r < 0 || *rest == '\0')
            return r;
        at = rest + 1;
    }
}

static int
key_of_list(json_t *key, const json_t *list, struct stoq_error *err)
{
    size_t i;
    const json_t *item;
    json_array_foreach (list, i, item) {
        if (!json_is_integer(item))
            return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                                  "the xorkey has an item that is not a number");
        int r = add_byte(key, json_integer_value(item), err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The key as numbers, appended to @key; none for what Python holds for false. */
static int
read_key(json_t *key, const json_t *from, struct stoq_error *err)
{
    if (json_is_string(from) && json_string_length(from) > 0)
        return key_of_text(key, json_string_value(from), err);
    if (json_is_integer(from) && json_integer_value(from) != 0)
        return add_byte(key, json_integer_value(from), err);
    if (json_is_array(from))
        return key_of_list(key, from, err);
    if ((json_is_object(from) && json_object_size(from) > 0) || json_is_true(from) ||
        json_is_real(from))
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                              "the xorkey is neither a number nor a list of them");
    return 0;
}

static int
decode(const struct stoq_payload *payload, const json_t *key, struct stoq_reply *reply)
{
    unsigned char bytes[KEY_MAX];
    size_t n = json_array_size(key), size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)json_integer_value(json_array_get(key, i));
    unsigned char *out = malloc(size ? size : 1);
    json_t *extra = json_object();
    json_t *copy = json_deep_copy(key);
    if (!out || !copy || json_object_set(extra, "xorkey", copy) < 0) {
        json_decref(copy);
        json_decref(extra);
        free(out);
        return -ENOMEM;
    }
    json_decref(copy);
    for (size_t i = 0, k = 0; i < size; i++, k = k + 1 < n ? k + 1 : 0)
        out[i] = data[i] ^ bytes[k];
    const struct stoq_extract child = {STOQ_EXTRACT_HEAD, .data = out, .size = size,
                                       .extra_data = extra};
    int r = stoq_reply_extract(reply, &child);
    free(out);
    return r == -E2BIG ? 0 : r; /* on record as a limit */
}

static int
xordecode_scan(void *instance, struct stoq_payload *payload,
               const struct stoq_request *request, struct stoq_reply *reply,
               unsigned flags, struct stoq_error *err)
{
    (void)instance;
    (void)request;
    (void)flags;
    struct find found = {0};
    find_keys(stoq_payload_dispatch_meta(payload), 0, &found);
    if (found.count == 0)
        return 0;
    if (found.count > 1)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                              "ValueError: dpath.get() globs must match only one leaf: "
                              "**/xorkey");
    json_auto_t *key = json_array();
    if (!key)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    int r = read_key(key, found.key, err);
    if (r < 0 || json_array_size(key) == 0)
        return r;
    if (json_object_set(stoq_payload_extra_data(payload), "xorkey", key) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    return decode(payload, key, reply);
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "xordecode",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = xordecode_scan,
};
STOQ_PLUGIN(plugin);
