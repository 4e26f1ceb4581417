/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Time and identifiers. UUIDs ask the kernel each time and keep no state, so that
 * forked scanners never repeat one another's.
 */

#include "util/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/digest.h"

#define NS_PER_S 1000000000LL

static int64_t
read_clock(clockid_t id)
{
    struct timespec ts = {0};
    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

uint64_t
stoq_now_ns(void)
{
    return (uint64_t)read_clock(CLOCK_MONOTONIC);
}

uint64_t
stoq_now_ms(void)
{
    return stoq_now_ns() / 1000000U;
}

int64_t
stoq_real_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

void
stoq_time_format(int64_t real_ns, char out[STOQ_TIME_SIZE])
{
    int64_t seconds = real_ns / NS_PER_S;
    int64_t ns = real_ns % NS_PER_S;
    if (ns < 0) {
        ns += NS_PER_S;
        seconds--;
    }
    time_t t = (time_t)seconds;
    struct tm tm = {0};
    (void)gmtime_r(&t, &tm);
    size_t n = strftime(out, STOQ_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + n, STOQ_TIME_SIZE - n, ".%06d+00:00", (int)(ns / 1000));
}

/* For sandboxes that refuse getrandom(2): unique within a host, not unpredictable. */
static uint64_t
mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

static void
fallback_random(uint8_t bytes[16])
{
    static atomic_uint_fast64_t counter;
    uint64_t n = atomic_fetch_add(&counter, 1);
    uint64_t word = mix((uint64_t)stoq_real_ns()) ^ mix((uint64_t)getpid());
    for (unsigned i = 0; i < 16; i++) {
        if (i % 8 == 0)
            word = mix(word + n + i);
        bytes[i] = (uint8_t)(word >> (8 * (i % 8)));
    }
}

void
stoq_uuid(char out[STOQ_UUID_SIZE])
{
    uint8_t b[16];
    ssize_t n;
    int saved = errno;
    do {
        n = getrandom(b, sizeof(b), 0);
    } while (n < 0 && errno == EINTR);
    errno = saved;
    if (n != (ssize_t)sizeof(b))
        fallback_random(b);
    b[6] = (uint8_t)((b[6] & 0x0fU) | 0x40U);
    b[8] = (uint8_t)((b[8] & 0x3fU) | 0x80U);

    static const size_t groups[] = {4, 2, 2, 2, 6};
    size_t from = 0;
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(groups); i++) {
        stoq_hex(b + from, groups[i], out);
        out += 2 * groups[i];
        from += groups[i];
        *out++ = i + 1 < STOQ_ARRAY_SIZE(groups) ? '-' : '\0';
    }
}
