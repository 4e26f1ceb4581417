/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_TITLE_H
#define STOQ_UTIL_TITLE_H

/* The name a process shows in ps(1). */

#include <stoq/error.h>

/** Remember where the arguments lie; call first thing in main(). Without it
 *  stoq_title_set() only sets the thread's short name. Copies environ away. */
void stoq_title_init(int argc, char **argv);
/** Show "fmt..." in ps; cut to the room there is. Threads: only the first one. */
void stoq_title_set(const char *fmt, ...) STOQ_PRINTF(1, 2);

#endif
