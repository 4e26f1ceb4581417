/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Arguments in the original's way: an option that takes a list takes every word up to
 * the next one that begins with '-' (a lone "-" is a file); "--" ends options.
 */

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include <stoq/plugin.h>

#include "cli/cli.h"
#include "util/auto.h"
#include "util/json.h"

enum arity { ARITY_FLAG, ARITY_ONE, ARITY_LIST };

struct option_row {
    const char *brief, *name;
    enum arity arity;
    size_t offset; /* into struct cli_args: bool, const char * or struct stoq_strv */
    const char *verbs; /* that have it, blanks between; NULL = all */
};

#define ROW_OF(verbs, brief, name, arity, field)                    \
    {                                                               \
        brief, name, arity, offsetof(struct cli_args, field), verbs \
    }
#define ROW(brief, name, arity, field) ROW_OF(NULL, brief, name, arity, field)

static const struct option_row rows[] = {
    ROW("-a", "--always-dispatch", ARITY_LIST, always),
    ROW("-s", "--start-dispatch", ARITY_LIST, start),
    ROW("-R", "--dispatchers", ARITY_LIST, dispatchers),
    ROW("-D", "--decorators", ARITY_LIST, decorators),
    ROW("-C", "--connectors", ARITY_LIST, connectors),
    ROW("-A", "--dest-archivers", ARITY_LIST, dest_archivers),
    ROW("-S", "--source-archivers", ARITY_LIST, source_archivers),
    ROW("-P", "--providers", ARITY_LIST, providers),
    ROW(NULL, "--plugin-opts", ARITY_LIST, plugin_opts),
    ROW(NULL, "--plugin-dir", ARITY_LIST, plugin_dirs),
    ROW(NULL, "--request-extra", ARITY_LIST, request_extra),
    ROW(NULL, "--request-source", ARITY_ONE, request_source),
    ROW(NULL, "--config-file", ARITY_ONE, config_file),
    ROW(NULL, "--config", ARITY_ONE, config_file),
    ROW(NULL, "--log-level", ARITY_ONE, log_level),
    ROW(NULL, "--max-recursion", ARITY_ONE, max_recursion),
    ROW(NULL, "--isolation", ARITY_ONE, isolation),
    ROW(NULL, "--sandbox", ARITY_ONE, sandbox),
    ROW(NULL, "--deadline", ARITY_ONE, deadline),
    ROW_OF("scan run", NULL, "--ratelimit", ARITY_ONE, ratelimit),
    ROW(NULL, "--exit-zero", ARITY_FLAG, exit_zero),
    ROW_OF("test", NULL, "--allow-missing", ARITY_FLAG, allow_missing),
    ROW_OF("test plugin outbox", NULL, "--json", ARITY_FLAG, json),
    ROW_OF("outbox", NULL, "--state-dir", ARITY_ONE, state_dir),
    ROW_OF("outbox", NULL, "--connector", ARITY_ONE, connector),
    ROW_OF("outbox", NULL, "--dead", ARITY_FLAG, dead),
    ROW_OF("reload", NULL, "--timeout", ARITY_ONE, timeout),
    ROW_OF("install", NULL, "--upgrade", ARITY_FLAG, upgrade),
    ROW_OF("install", NULL, "--install_dir", ARITY_LIST, plugin_dirs),
    ROW("-h", "--help", ARITY_FLAG, help),
};

static void *
field(struct cli_args *a, const struct option_row *row)
{
    return (char *)a + row->offset;
}

/* The row of @word; *value is what follows in the same word, or NULL. */
static const struct option_row *
find_row(const char *word, const char **value)
{
    *value = NULL;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(rows); i++) {
        const struct option_row *row = &rows[i];
        size_t n = strlen(row->name);
        if (row->brief && strncmp(word, row->brief, 2) == 0 && word[1] != '-') {
            *value = word[2] ? word + 2 : NULL;
            return row;
        }
        if (strncmp(word, row->name, n) == 0 && (word[n] == '\0' || word[n] == '=')) {
            *value = word[n] ? word + n + 1 : NULL;
            return row;
        }
    }
    return NULL;
}

static bool
is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

static int
need_value(const struct option_row *row, struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                          "option %s needs a value; see stoq --help", row->name);
}

/* Take @row's values beginning at argv[i]. @return the next index or -errno. */
static int
take_values(const struct option_row *row, const char *value, int argc, char **argv,
            int i, struct cli_args *a)
{
    struct stoq_strv *list = field(a, row);
    if (row->arity == ARITY_ONE) {
        const char **slot = field(a, row);
        if (!value && (i >= argc || is_option(argv[i])))
            return -ENOENT;
        *slot = value ? value : argv[i];
        return value ? i : i + 1;
    }
    if (value) {
        int r = stoq_strv_add(list, value);
        if (r < 0)
            return r;
    } else if (i >= argc || is_option(argv[i])) {
        return -ENOENT;
    }
    size_t wanted = a->one_each ? list->count + (value ? 0 : 1) : SIZE_MAX;
    for (; i < argc && list->count < wanted && !is_option(argv[i]); i++) {
        int r = stoq_strv_add(list, argv[i]);
        if (r < 0)
            return r;
    }
    return i;
}

/* Whether @verb has the option of @row. */
static bool
is_for(const struct option_row *row, const char *verb)
{
    size_t n = strlen(verb);
    for (const char *at = row->verbs; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, verb, n) == 0 && (at[n] == ' ' || at[n] == '\0'))
            return true;
    }
    return row->verbs == NULL;
}

int
cli_args_parse(const char *verb, int argc, char **argv, struct cli_args *out,
               struct stoq_error *err)
{
    bool options = true;
    out->one_each = strcmp(verb, "install") == 0;
    for (int i = 0; i < argc;) {
        const char *word = argv[i++], *value;
        if (options && strcmp(word, "--") == 0) {
            options = false;
            continue;
        }
        if (!options || !is_option(word)) {
            if (stoq_strv_add(&out->files, word) < 0)
                return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
            continue;
        }
        const struct option_row *row = find_row(word, &value);
        if (!row)
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                  "unknown option %s; see stoq --help", word);
        if (!is_for(row, verb))
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                  "stoq %s has no option %s; see stoq --help", verb,
                                  row->name);
        if (row->arity == ARITY_FLAG) {
            bool *flag = field(out, row);
            *flag = true;
            continue;
        }
        i = take_values(row, value, argc, argv, i, out);
        if (i == -ENOENT)
            return need_value(row, err);
        if (i < 0)
            return stoq_error_set(err, STOQ_ERROR_SYSTEM, i, "out of memory");
    }
    return 0;
}

void
cli_args_fini(struct cli_args *a)
{
    stoq_strv_fini(&a->files);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(rows); i++)
        if (rows[i].arity == ARITY_LIST)
            stoq_strv_fini(field(a, &rows[i]));
}

json_t *
cli_request_extra(const struct cli_args *a, struct stoq_error *err)
{
    json_t *extra = json_object();
    for (size_t i = 0; extra && i < a->request_extra.count; i++) {
        const char *item = a->request_extra.items[i];
        const char *equals = strchr(item, '=');
        if (!equals || equals == item ||
            !stoq_utf8_valid(item, (size_t)(equals - item))) {
            (void)stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                 "--request-extra %s: expected KEY=VALUE", item);
            json_decref(extra);
            return NULL;
        }
        STOQ_AUTOFREE char *key = strndup(item, (size_t)(equals - item));
        json_t *value = strcasecmp(equals + 1, "true") == 0    ? json_true()
                        : strcasecmp(equals + 1, "false") == 0 ? json_false()
                                                               : NULL;
        int r = -1;
        if (key && value)
            r = json_object_set_new(extra, key, value);
        else if (key)
            r = stoq_json_set_text(extra, key, equals + 1, strlen(equals + 1));
        if (r < 0) {
            json_decref(extra);
            extra = NULL;
        }
    }
    if (!extra)
        (void)stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    return extra;
}
