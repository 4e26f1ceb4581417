/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_SANDBOX_IMPL_H
#define STOQ_POOL_SANDBOX_IMPL_H

/*
 * The inside of the sandbox: sandbox.c has the table and the reports, each other file
 * some of the measures. A measure is at most one function for the zygote and one for
 * the scanner. See sandbox.h for who calls when.
 */

#include "pool/sandbox.h"
#include "pool/sandbox_filter.h"
#include "util/strbuf.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STOQ_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STOQ_SANITIZED 1
#endif
#endif
#ifndef STOQ_SANITIZED
#define STOQ_SANITIZED 0
#endif

struct stoq_sandbox {
    const struct stoq_config *config;
    const struct stoq_limits *limits;
    const struct stoq_strv *scratch;
    bool privileged;   /**< may become other users, and end them */
    bool own_user;     /**< scanners do */
    int network;       /**< as of a measure */
    int root;          /**< descriptor of a directory that is no more, or -errno */
    bool private_root; /**< the scanner has a root of its own, with room for scratch */
    struct stoq_filter filters[STOQ_FILTER_KINDS]; /**< those that may be needed */
    int filter_status;                             /**< 0 or -errno */
};

/* Each @return 1 in force, 0 does not apply, -errno refused. */

/* sandbox_limits.c */
int stoq_sandbox_oom(struct stoq_sandbox *s);
int stoq_sandbox_memory(struct stoq_sandbox *s);
int stoq_sandbox_file_size(struct stoq_sandbox *s);
int stoq_sandbox_open_files(struct stoq_sandbox *s);
int stoq_sandbox_processes(struct stoq_sandbox *s);
int stoq_sandbox_no_core(struct stoq_sandbox *s);
int stoq_sandbox_environment(struct stoq_sandbox *s);

/* sandbox_identity.c */
void stoq_sandbox_identity_prepare(struct stoq_sandbox *s);
int stoq_sandbox_network(struct stoq_sandbox *s);
int stoq_sandbox_own_user(struct stoq_sandbox *s);
int stoq_sandbox_no_capabilities(struct stoq_sandbox *s);
int stoq_sandbox_no_new_privileges(struct stoq_sandbox *s);
int stoq_sandbox_not_dumpable(struct stoq_sandbox *s);
/** The user a scanner of process @p pid becomes. */
unsigned stoq_sandbox_uid(int pid);

/* sandbox_files.c */
void stoq_sandbox_files_prepare(struct stoq_sandbox *s);
int stoq_sandbox_empty_root(struct stoq_sandbox *s);
int stoq_sandbox_landlock(struct stoq_sandbox *s);

/* sandbox_seccomp.c */
void stoq_sandbox_seccomp_prepare(struct stoq_sandbox *s);
int stoq_sandbox_seccomp(struct stoq_sandbox *s);

/* sandbox_refuse.c */

/** Learn the names of system calls. */
int stoq_sandbox_refuse_prepare(void);
/** Catch what the filter traps. @return 0 or -errno. */
int stoq_sandbox_refuse_catch(void);

#endif
