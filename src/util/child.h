/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_CHILD_H
#define STOQ_UTIL_CHILD_H

/*
 * Helper processes: forked without exec, spoken with over one socket, ended by its end.
 * The first half is for the process that has them, the second for the child itself.
 * Callers: holder and child of the zygote, of scanners, of the courier. Threads: the
 * only one there is, on both sides; no state.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <stoq/error.h>

/** Where stoq_child_keep() puts the control socket. */
#define STOQ_CHILD_CONTROL 3

/* ---- the holder's side ---- */

/**
 * Fork a child that runs @p run and exits with what it returns. Nothing else is done in
 * the child: it inherits descriptors, signal handlers and the log.
 * @param run      gets @p arg, its end of a SOCK_SEQPACKET socket, this process's id.
 * @param pid      out; the caller reaps it, e.g. with stoq_child_end().
 * @param control  out; this process's end of the socket, O_CLOEXEC; the caller closes.
 * @return 0 or -errno of socketpair(2) or fork(2), @p pid and @p control unchanged.
 */
int stoq_child_spawn(int (*run)(void *arg, int control, pid_t parent), void *arg,
                     pid_t *pid, int *control, struct stoq_error *err);
/** Wait until @p fd has input or its end, however often a signal interrupts.
 *  @param timeout_ms  < 0 = for ever. @return 0, -ETIMEDOUT or -errno of poll(2). */
int stoq_child_wait_input(int fd, int timeout_ms);
/** Reap @p pid, which was told to end; kill it when it has not after @p grace_ms.
 *  Nothing happens for @p pid <= 0. Blocks up to the grace. */
void stoq_child_end(pid_t pid, uint64_t grace_ms);

/* ---- the child's side ---- */

/** From now on, die when @p parent does. @return 0; -ESRCH it is dead already: exit;
 *  -errno of prctl(2). */
int stoq_child_follow_parent(pid_t parent);
/** Undo the parent's handlers and mask, and ignore what is the parent's to answer. */
void stoq_child_reset_signals(void);
/**
 * Keep standard error, standard output if @p stdout_too, and @p control, which becomes
 * descriptor STOQ_CHILD_CONTROL. Standard descriptors that are not kept, or were not
 * open, become /dev/null; every other one is closed, so call stoq_log_fini() before.
 * @return 0 or -errno; then the child can only exit.
 */
int stoq_child_keep(int control, bool stdout_too);

#endif
