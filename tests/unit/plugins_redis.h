/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_REDIS_H
#define PLUGINS_REDIS_H

/* A Redis server of the test's own, on a socket in its directory, what it writes on
 * disk before it answers, and a connection to it. */

#include <hiredis/hiredis.h>

#include "plugins_support.h"

/** Start it, again too, and connect; the arguments are appended to its command. */
void redis_start(const char *const *arguments);
#define REDIS_START(...) redis_start((const char *const[]){__VA_ARGS__, NULL})
/** Kill it. */
void redis_kill(void);
/** Stop it where it is, and let it go on. */
void redis_freeze(bool frozen);
void redis_tear_down(void);

/** The option with its socket. */
const char *redis_socket(void);
/** An answer as text: strings as they are, integers, "(nil)", [a,b] for arrays; ""
 * while there is no server. Valid until eight more were asked for. */
const char *redis_says(const char *format, ...);
/** Wait until the answer is @p expected. */
#define REDIS_WAIT(expected, ...)                                            \
    do {                                                                     \
        const char *got_ = redis_says(__VA_ARGS__);                          \
        for (int i_ = 0; strcmp(got_, (expected)) != 0 && i_ < 1500; i_++) { \
            (void)usleep(20000);                                             \
            got_ = redis_says(__VA_ARGS__);                                  \
        }                                                                    \
        ck_assert_str_eq(got_, (expected));                                  \
    } while (0)

#endif
