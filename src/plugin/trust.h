/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_TRUST_H
#define STOQ_PLUGIN_TRUST_H

/*
 * Whether a file may be loaded as code: who owns it, who may write it, and whether the
 * dynamic linker can map it without reading past its end. Everything is asked of the
 * descriptor that is handed back, so nothing can be exchanged in between.
 * Callers: object.c. No lock.
 */

#include <stoq/error.h>

/**
 * Open regular file @p path (absolute) for reading when it and its directory belong to
 * root or to the effective user and neither is world-writable. A symbolic link as last
 * component is refused, because the directory it points into was not looked at.
 * @return an O_CLOEXEC descriptor the caller closes; -ENOENT; -EPERM; other -errno.
 */
int stoq_trusted_open(const char *path, struct stoq_error *err);

/**
 * Whether @p fd holds a shared object of this machine's word size and byte order whose
 * segments lie within the file. The dynamic linker does not ask: it maps a truncated
 * object and dies of SIGBUS.
 * @param path  for messages.
 * @return 0, -ENOEXEC, other -errno.
 */
int stoq_elf_check(int fd, const char *path, struct stoq_error *err);

#endif
