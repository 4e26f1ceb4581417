/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_APART_H
#define STOQ_CLI_APART_H

/*
 * Code of plugins, and bytes that others made, are looked at in a process of their own:
 * it may crash or hang, and the command says so and goes on. Callers: `stoq test`,
 * `stoq plugin info`, `stoq install`. One thread; no state.
 */

#include <jansson.h>
#include <stdint.h>

#include <stoq/error.h>

/** What the process is to do. @p answer is a new tree that it leaves in *answer.
 *  @return 0 or -errno with one line in @p err. */
typedef int (*cli_apart_call)(void *arg, json_t **answer, struct stoq_error *err);

/**
 * Make @p call in a child process, which has no standard output, for at most
 * @p timeout_ms. The answer travels as JSON: at most 64 deep, strings of UTF-8.
 * @return 0; what the call returned, with its text; -ETIMEDOUT; -ECHILD when the
 * process ended by itself ("killed by signal 11 (…)"); -errno of fork(2) and pipe(2).
 */
int cli_apart(cli_apart_call call, void *arg, uint64_t timeout_ms, json_t **answer,
              struct stoq_error *err);

#endif
