/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Answers to _bulk. The status of the whole says little: each document has its own, and
 * only that one counts.
 */

#include <errno.h>
#include <string.h>

#include "parts.h"

/* A short reason out of an "error" object, or string. */
static const char *
reason_of(const json_t *error, const char **type)
{
    const char *reason = json_string_value(json_object_get(error, "reason"));
    const json_t *cause = json_object_get(error, "caused_by");
    const char *deeper = json_string_value(json_object_get(cause, "reason"));

    *type = json_string_value(json_object_get(error, "type"));
    if (json_is_string(error))
        return json_string_value(error);
    return deeper ? deeper : reason ? reason : "no reason given";
}

static int
refuse(struct stoq_error *err, int code, long status, const json_t *error)
{
    const char *type = NULL;
    const char *reason = reason_of(error, &type);

    return stoq_error_set(err, STOQ_ERROR_PLUGIN, code, "status %ld: %s%s%s", status,
                          type ? type : "", type ? ": " : "", reason);
}

/* Errors that have a document's status, but are the index's. */
static bool
blames_index(const json_t *error)
{
    static const char *const types[] = {"invalid_index_name_exception",
                                        "index_closed_exception",
                                        "index_not_found_exception"};
    const char *type = json_string_value(json_object_get(error, "type"));

    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

static int
judge_item(const json_t *item, const char *id, struct stoq_error *err)
{
    const json_t *result = json_object_get(item, "create");
    const json_t *error = json_object_get(result, "error");
    const char *of = json_string_value(json_object_get(result, "_id"));
    json_int_t status = json_integer_value(json_object_get(result, "status"));

    if (!of || strcmp(of, id) != 0)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EPROTO,
                              "the answer is about another document");
    if (!error && (status == 200 || status == 201))
        return 0;
    if (status == 409) /* it is there already: this is a repetition */
        return 0;
    if (status == 429 || status == 408 || status >= 500)
        return refuse(err, -EAGAIN, (long)status, error);
    if (status < 400 || status == 401 || status == 403 || status == 404 ||
        blames_index(error))
        return refuse(err, -EACCES, (long)status, error);
    return refuse(err, -EBADMSG, (long)status, error);
}

int
es_judge(long status, const char *text, size_t size, const char *id,
         struct stoq_error *err)
{
    json_auto_t *reply = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *items = json_object_get(reply, "items");
    const json_t *error = json_object_get(reply, "error");

    if (status == 413)
        return refuse(err, -EBADMSG, status, error);
    if (status == 429 || status == 408 || status >= 500)
        return refuse(err, -EAGAIN, status, error);
    if (status != 200)
        return refuse(err, -EACCES, status, error);
    if (!json_is_object(reply) || !json_is_array(items) || json_array_size(items) != 1)
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EPROTO,
                              "the answer is none of _bulk");
    return judge_item(json_array_get(items, 0), id, err);
}
