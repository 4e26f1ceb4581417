/* SPDX-License-Identifier: Apache-2.0 */

/* Letters as text and as JSON; see outbox.h. */

#include "cli/outbox.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <stoq/plugin.h>

#include "util/auto.h"
#include "util/clock.h"
#include "util/json.h"

/* "12s", "5m", "3h", "40d". */
static void
print_age(int64_t ms, char *out, size_t size)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int64_t s = ms > 0 ? ms / 1000 : 0;
    size_t i = 0;

    while (i + 1 < STOQ_ARRAY_SIZE(units) && s < 2 * units[i].seconds)
        i++;
    (void)snprintf(out, size, "%lld%c", (long long)(s / units[i].seconds),
                   units[i].unit);
}

/* What others said must not drive the terminal. */
static void
put_text(const char *text)
{
    for (; *text; text++)
        (void)putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

void
cli_letter_head(void)
{
    (void)printf("%-8s %-7s %5s %5s %9s %-14s %-36s %s\n", "ID", "STATE", "AGE",
                 "TRIES", "BYTES", "CONNECTOR", "SCAN", "LAST ERROR");
}

void
cli_letter_print(const struct stoq_letter *l, int64_t now_ms)
{
    char age[24];

    print_age(now_ms - l->queued_ms, age, sizeof age);
    (void)printf("%-8lld %-7s %5s %5u %9llu ", (long long)l->row,
                 l->dead ? "dead" : "waiting", age, l->attempts,
                 (unsigned long long)l->size);
    put_text(l->connector);
    (void)printf("%*s %-36s ", (int)(14 - strnlen(l->connector, 14)), "", l->scan_id);
    put_text(l->last_error[0] ? l->last_error : "-");
    (void)putchar('\n');
}

static json_t *
time_of(int64_t ms)
{
    char text[STOQ_TIME_SIZE];

    if (ms <= 0)
        return json_null();
    stoq_time_format(ms * 1000000, text);
    return json_string(text);
}

int
cli_letter_json(const struct stoq_letter *l)
{
    json_auto_t *o = json_pack(
        "{s:I, s:s, s:o, s:s, s:I, s:I, s:o, s:o, s:o}", "id", (json_int_t)l->row,
        "state", l->dead ? "dead" : "waiting", "connector",
        stoq_json_text(l->connector, strlen(l->connector), NULL), "scan_id", l->scan_id,
        "attempts", (json_int_t)l->attempts, "bytes", (json_int_t)l->size, "queued",
        time_of(l->queued_ms), l->dead ? "died" : "due", time_of(l->at_ms),
        "last_error",
        l->last_error[0] ? stoq_json_text(l->last_error, strlen(l->last_error), NULL)
                         : json_null());
    STOQ_AUTOFREE char *text = o ? stoq_json_dump(o, false) : NULL;

    if (!text)
        return -ENOMEM;
    (void)puts(text);
    return 0;
}
