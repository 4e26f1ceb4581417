/* SPDX-License-Identifier: Apache-2.0 */

/* Numbers as settings spell them. No state. */

#include "core/config_number.h"

#include <errno.h>
#include <stddef.h>
#include <strings.h>

#include "util/auto.h"

/* Read digits; *end points behind them. */
static int
digits(const char *text, const char **end, uint64_t *out)
{
    uint64_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
            return -EINVAL;
    }
    if (p == text)
        return -EINVAL;
    *end = p;
    *out = n;
    return 0;
}

int
stoq_config_count(const char *text, uint64_t *out)
{
    const char *end;
    uint64_t n;
    if (digits(text, &end, &n) < 0 || *end)
        return -EINVAL;
    *out = n;
    return 0;
}

int
stoq_config_size(const char *text, uint64_t *out)
{
    static const char units[] = "kKmMgG";
    const char *end;
    uint64_t n;
    if (digits(text, &end, &n) < 0)
        return -EINVAL;
    if (*end) {
        unsigned unit = 0;
        while (units[unit] && units[unit] != *end)
            unit++;
        uint64_t factor = (uint64_t)1 << (10 * (unit / 2 + 1));
        if (!units[unit] || end[1] || __builtin_mul_overflow(n, factor, &n))
            return -EINVAL;
    }
    *out = n;
    return 0;
}

int
stoq_config_seconds(const char *text, uint64_t *ms)
{
    const char *p;
    uint64_t n;
    if (digits(text, &p, &n) < 0 || __builtin_mul_overflow(n, (uint64_t)1000, &n))
        return -EINVAL;
    if (*p == '.') {
        uint64_t fraction = 0;
        uint64_t unit = 100;
        bool rest = false;
        if (p[1] == '\0')
            return -EINVAL;
        for (p++; *p >= '0' && *p <= '9'; p++) {
            rest = rest || (unit == 0 && *p != '0');
            fraction += unit * (uint64_t)(*p - '0');
            unit /= 10;
        }
        if (__builtin_add_overflow(n, fraction + rest, &n))
            return -EINVAL;
    }
    if (*p)
        return -EINVAL;
    *ms = n;
    return 0;
}

int
stoq_config_bool(const char *text, bool *out)
{
    static const char *const words[] = {"0", "no",  "false", "off",
                                        "1", "yes", "true",  "on"};
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *out = i >= 4;
            return 0;
        }
    }
    return -EINVAL;
}
