/* SPDX-License-Identifier: Apache-2.0 */

/* See ratelimit.h. Turns are given away under the lock and waited for without it, so
 * that any number of threads keep their distance. */

#include "core/ratelimit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include <stoq/stoq.h>

#include "core/config_number.h"
#include "util/auto.h"
#include "util/clock.h"

#define NS_PER_S 1000000000ULL
/* Of either number: the interval then fits, and nobody means more. */
#define NUMBER_MAX 1000000000ULL

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last_turn; /* guarded by lock; 0 = there was none */

static int
read_number(char *text, uint64_t *out)
{
    static const char blanks[] = " \t";
    text += strspn(text, blanks);
    size_t n = strlen(text);
    while (n > 0 && strchr(blanks, text[n - 1]))
        text[--n] = '\0';
    if (stoq_config_count(text, out) < 0 || *out == 0 || *out > NUMBER_MAX)
        return -EINVAL;
    return 0;
}

int
stoq_ratelimit_parse(const char *limit, uint64_t *interval_ns, struct stoq_error *err)
{
    uint64_t count = 0, seconds = 0;
    STOQ_AUTOFREE char *copy = strdup(limit);
    if (!copy)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    char *slash = strchr(copy, '/');
    if (slash)
        *slash = '\0';
    if (!slash || read_number(copy, &count) < 0 || read_number(slash + 1, &seconds) < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "rate limit '%s': expected COUNT/SECONDS, two whole "
                              "numbers above 0",
                              limit);
    *interval_ns = (seconds * NS_PER_S + count - 1) / count;
    return 0;
}

uint64_t
stoq_ratelimit_turn(uint64_t interval_ns, uint64_t now_ns)
{
    (void)pthread_mutex_lock(&lock);
    uint64_t turn = now_ns;
    if (last_turn > 0 && last_turn + interval_ns > now_ns)
        turn = last_turn + interval_ns;
    last_turn = turn;
    (void)pthread_mutex_unlock(&lock);
    return turn;
}

int
stoq_ratelimit(const char *limit, struct stoq_error *err)
{
    uint64_t interval = 0;
    int r = stoq_ratelimit_parse(limit, &interval, err);
    if (r < 0)
        return r;
    uint64_t turn = stoq_ratelimit_turn(interval, stoq_now_ns());
    const struct timespec at = {.tv_sec = (time_t)(turn / NS_PER_S),
                                .tv_nsec = (long)(turn % NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
    return 0;
}
