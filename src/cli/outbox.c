/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `stoq outbox`: what waits for connectors and what they refused, in a state directory
 * that is named, that a mount tells of, or that stoq.cfg has. A running mount is not in
 * the way: its courier sees the database being closed and looks again.
 */

#include "cli/outbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/io.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq_config)

#define STATUS_MAX ((size_t)16 << 20)

enum what { OUTBOX_LS, OUTBOX_RETRY, OUTBOX_DROP };

struct outbox_call {
    enum what what;
    struct stoq_letter_filter filter;
    const char *mount; /* or NULL; borrowed */
    size_t first_id;   /* index into the words */
    bool json;
    int64_t now_ms;
    size_t printed;
};

static const char usage_line[] = "usage: stoq outbox ls|retry|drop [MNT] [ID ...] "
                                 "[--state-dir DIR] [--connector NAME] [--dead] "
                                 "[--json]";

static int
usage(void)
{
    struct stoq_error err = {0};

    (void)snprintf(err.message, sizeof err.message, "%s", usage_line);
    return cli_fail(CLI_USAGE, &err);
}

/* @return whether @p word is an ID, in *id. */
static bool
parse_id(const char *word, int64_t *id)
{
    char *end;

    if (!*word || strspn(word, "0123456789") != strlen(word))
        return false;
    errno = 0;
    *id = strtoimax(word, &end, 10);
    return errno == 0 && *id > 0;
}

static int
parse(const struct cli_args *a, struct outbox_call *call, struct stoq_error *err)
{
    static const char *const names[] = {"ls", "retry", "drop"};
    const char *word = a->files.count ? a->files.items[0] : "";
    size_t n = 0;
    int64_t id;

    while (n < STOQ_ARRAY_SIZE(names) && strcmp(word, names[n]) != 0)
        n++;
    if (n == STOQ_ARRAY_SIZE(names))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL, "%s", usage_line);
    call->what = (enum what)n;
    call->filter = (struct stoq_letter_filter){a->connector, a->dead};
    call->json = a->json;
    call->now_ms = stoq_real_ns() / 1000000;
    call->first_id = 1;
    if (a->files.count > 1 && !a->state_dir && !parse_id(a->files.items[1], &id)) {
        call->mount = a->files.items[1];
        call->first_id = 2;
    }
    for (size_t i = call->first_id; i < a->files.count; i++)
        if (!parse_id(a->files.items[i], &id))
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                  "%s is no ID of stoq outbox ls", a->files.items[i]);
    if (call->what == OUTBOX_DROP && call->first_id == a->files.count &&
        !a->connector && !a->dead)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "stoq outbox drop needs IDs, --connector or --dead");
    return 0;
}

/* ------------------------------------------------------------ the state directory */

/* What the mount at @p mount says. */
static int
dir_of_mount(const char *mount, char **out, struct stoq_error *err)
{
    STOQ_AUTOFREE char *path = NULL;
    STOQ_AUTOFREE char *text = NULL;
    struct stoq_error reading = {0};
    size_t size = 0;

    if (asprintf(&path, "%s/.stoq/status.json", mount) < 0) {
        path = NULL;
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    int r = stoq_read_file(path, STATUS_MAX, &text, &size, &reading);
    json_auto_t *status = r == 0 ? stoq_json_parse(text, size, &reading) : NULL;
    const char *dir = stoq_json_string_of(status, "state_dir");
    if (!dir || !*dir)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT,
                              "%s is no mount of stoqfs; name its state directory with "
                              "--state-dir",
                              mount);
    *out = strdup(dir);
    return *out ? 0 : stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

static int
state_dir(const struct cli_args *a, const struct outbox_call *call,
          const struct stoq_config *config, char **out, struct stoq_error *err)
{
    const char *configured = stoq_config_get(config, "stoqfs", "state_dir");
    const char *dir = a->state_dir ? a->state_dir : configured;

    if (call->mount)
        return dir_of_mount(call->mount, out, err);
    if (!dir || !*dir)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "name the mount point, or the state directory with "
                              "--state-dir");
    *out = strdup(dir);
    return *out ? 0 : stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* ------------------------------------------------------------------------ actions */

static bool
print_letter(void *arg, const struct stoq_letter *letter)
{
    struct outbox_call *call = arg;

    if (call->json)
        return cli_letter_json(letter) == 0 && !ferror(stdout);
    if (call->printed++ == 0)
        cli_letter_head();
    cli_letter_print(letter, call->now_ms);
    return !ferror(stdout);
}

/* IDs that `ls` was given. */
struct wanted {
    struct outbox_call *call;
    const struct cli_args *args;
    bool *seen;
};

static bool
print_wanted(void *arg, const struct stoq_letter *letter)
{
    struct wanted *w = arg;
    bool wanted = false;
    int64_t id;

    for (size_t i = w->call->first_id; i < w->args->files.count; i++) {
        if (!parse_id(w->args->files.items[i], &id) || id != letter->row)
            continue;
        w->seen[i] = true;
        wanted = true;
    }
    return !wanted || print_letter(w->call, letter);
}

static void
complain_missing(const char *id)
{
    (void)fprintf(stderr, "stoq: outbox: there is no %s (any more)\n", id);
}

static int
list(struct outbox_call *call, const struct cli_args *a, struct stoq_outbox *outbox)
{
    STOQ_AUTOFREE bool *seen = calloc(a->files.count, sizeof *seen);
    struct wanted wanted = {call, a, seen};
    bool some = call->first_id < a->files.count;
    int status = CLI_CLEAN;
    int r = !seen  ? -ENOMEM
            : some ? stoq_letters_foreach(outbox, &call->filter, print_wanted, &wanted)
                   : stoq_letters_foreach(outbox, &call->filter, print_letter, call);

    for (size_t i = call->first_id; r == 0 && i < a->files.count; i++) {
        if (!seen[i]) {
            complain_missing(a->files.items[i]);
            status = CLI_FLAGGED;
        }
    }
    return r < 0 ? r : status;
}

static int
act(const struct outbox_call *call, const struct cli_args *a,
    struct stoq_outbox *outbox, uint64_t *count)
{
    enum stoq_letter_action action =
        call->what == OUTBOX_DROP ? STOQ_LETTER_DROP : STOQ_LETTER_RETRY;
    int status = CLI_CLEAN;

    if (call->first_id == a->files.count)
        return stoq_letters_act_all(outbox, &call->filter, action, count);
    for (size_t i = call->first_id; i < a->files.count; i++) {
        int64_t id = 0;
        (void)parse_id(a->files.items[i], &id);
        int r = stoq_letters_act(outbox, &call->filter, action, id);
        if (r == -ENOENT) {
            complain_missing(a->files.items[i]);
            status = CLI_FLAGGED;
        } else if (r < 0) {
            return r;
        } else {
            (*count)++;
        }
    }
    return status;
}

static int
perform(struct outbox_call *call, const struct cli_args *a, struct stoq_outbox *outbox)
{
    uint64_t count = 0;
    int r;

    if (call->what == OUTBOX_LS) {
        r = list(call, a, outbox);
    } else {
        r = act(call, a, outbox, &count);
        (void)printf(call->json ? "{\"%s\": %llu}\n" : "%s: %llu\n",
                     call->what == OUTBOX_DROP ? "dropped" : "retried",
                     (unsigned long long)count);
    }
    if (r >= 0)
        return r;
    (void)fprintf(stderr, "stoq: outbox: %s\n", strerror(-r));
    return CLI_USAGE;
}

int
cli_outbox(const struct cli_args *a)
{
    struct outbox_call call = {.what = OUTBOX_LS};
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_config) config = NULL;
    STOQ_AUTO(stoq_outbox) outbox = NULL;
    STOQ_AUTOFREE char *dir = NULL;

    if (a->files.count == 0)
        return usage();
    if (parse(a, &call, &err) < 0 || cli_config(a, &config, NULL, &err) < 0 ||
        state_dir(a, &call, config, &dir, &err) < 0 ||
        stoq_letters_open(dir, &outbox, &err) < 0)
        return cli_fail(CLI_USAGE, &err);
    return perform(&call, a, outbox);
}
