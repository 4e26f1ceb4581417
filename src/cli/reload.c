/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `stoq reload MNT`: ask a mount to load plugins and rules anew, and wait for how it
 * ends. Asked by ioctl(2), answered in MNT/.stoq/status.json.
 */

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/cli.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/io.h"
#include "util/ioc.h"
#include "util/json.h"

#define TIMEOUT_S   300.0
#define LOOK_MS     20
#define STATUS_MOST (64U << 20)

static int
timeout_ms(const char *text, uint64_t *out, struct stoq_error *err)
{
    char *end = NULL;
    double s = text ? strtod(text, &end) : TIMEOUT_S;
    if ((end && (*end || end == text)) || !(s > 0 && s <= 86400))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "--timeout %s: expected a number of seconds up to 86400",
                              text);
    *out = (uint64_t)(s * 1000);
    return 0;
}

/* Ask. @return 0 with the number of the request, or -errno. */
static int
ask(const char *status, const char *mnt, uint64_t *number, struct stoq_error *err)
{
    STOQ_AUTOCLOSE int fd = open(status, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && ioctl(fd, STOQ_IOC_RELOAD, number) == 0)
        return 0;
    int e = errno;
    if (fd < 0 || e == ENOTTY)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -e,
                              "%s: not a mount of stoqfs%s%s", mnt,
                              e == ENOTTY || e == ENOENT ? "" : ": ",
                              e == ENOTTY || e == ENOENT ? "" : strerror(e));
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -e, "%s: %s", mnt,
                          e == EPERM ? "only root and who made the mount may reload it"
                                     : strerror(e));
}

/* The part "rules" of the status once it says that @p number was answered; *gone when
 * there is no status any more. */
static json_t *
answer(const char *status, uint64_t number, bool *gone)
{
    STOQ_AUTOFREE char *text = NULL;
    size_t size = 0;
    *gone = stoq_read_file(status, STATUS_MOST, &text, &size, NULL) < 0;
    json_auto_t *all = *gone ? NULL : stoq_json_parse(text, size, NULL);
    json_t *rules = json_object_get(all, "rules");
    json_int_t answered = json_integer_value(json_object_get(rules, "answered"));
    return rules && (uint64_t)answered >= number ? json_incref(rules) : NULL;
}

static int
tell(const char *mnt, const json_t *rules)
{
    const json_t *last = json_object_get(rules, "last_reload");
    const char *result = stoq_json_string_of(last, "result");
    const char *error = stoq_json_string_of(last, "error");
    const char *digest = stoq_json_string_of(rules, "digest");
    if (!result || strcmp(result, "refused") == 0) {
        (void)fprintf(stderr, "stoq: %s: reload refused: %s\n", mnt,
                      error ? error : "no reason given");
        return CLI_FLAGGED;
    }
    (void)printf("generation %lld\ndigest %s\n",
                 (long long)json_integer_value(json_object_get(rules, "generation")),
                 digest ? digest : "");
    return CLI_CLEAN;
}

int
cli_reload(const struct cli_args *a)
{
    struct stoq_error err = {0};
    char status[PATH_MAX];
    uint64_t number = 0, ms = 0;
    bool gone = false;
    if (a->files.count != 1) {
        (void)fprintf(stderr, "stoq: reload: expected MNT, got %zu arguments\n",
                      a->files.count);
        return CLI_USAGE;
    }
    const char *mnt = a->files.items[0];
    int n = snprintf(status, sizeof(status), "%s/.stoq/status.json", mnt);
    if (n < 0 || (size_t)n >= sizeof(status)) {
        (void)fprintf(stderr, "stoq: %s: %s\n", mnt, strerror(ENAMETOOLONG));
        return CLI_USAGE;
    }
    if (timeout_ms(a->timeout, &ms, &err) < 0 || ask(status, mnt, &number, &err) < 0)
        return cli_fail(CLI_USAGE, &err);
    for (uint64_t end = stoq_now_ms() + ms; stoq_now_ms() < end && !gone;) {
        json_auto_t *rules = answer(status, number, &gone);
        if (rules)
            return tell(mnt, rules);
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    (void)fprintf(stderr, "stoq: %s: %s\n", mnt,
                  gone ? "the mount ended meanwhile"
                       : "the reload did not end in time; it goes on");
    return CLI_INCOMPLETE;
}
