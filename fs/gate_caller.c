/* SPDX-License-Identifier: Apache-2.0 */

/* See gate_caller.h. */

#include "gate_caller.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/auto.h"

#define BIT(signal) (UINT64_C(1) << ((signal)-1))
/* Left to their default these do not end a process; all others do. Those are mostly
 * turned into SIGKILL when they are sent, but not while another signal is pending. */
#define HARMLESS                                                                \
    (BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGSTOP) | \
     BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))

/* @return false when the line is not there. */
static bool
mask(const char *status, const char *name, uint64_t *out)
{
    const char *at = strstr(status, name);
    if (!at)
        return false;
    *out = strtoull(at + strlen(name), NULL, 16);
    return true;
}

bool
stoqfs_caller_text_ends(const char *status)
{
    uint64_t own, shared, blocked, ignored, caught;
    if (!mask(status, "\nSigPnd:", &own) || !mask(status, "\nShdPnd:", &shared) ||
        !mask(status, "\nSigBlk:", &blocked) || !mask(status, "\nSigIgn:", &ignored) ||
        !mask(status, "\nSigCgt:", &caught))
        return true;
    uint64_t pending = own | shared;
    return pending & BIT(SIGKILL) || pending & ~(HARMLESS | blocked | ignored | caught);
}

bool
stoqfs_caller_ends(pid_t thread)
{
    char path[32], text[4096];
    if (thread <= 0)
        return true;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
    STOQ_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (got <= 0)
        return true;
    text[got] = '\0';
    return stoqfs_caller_text_ends(text);
}
