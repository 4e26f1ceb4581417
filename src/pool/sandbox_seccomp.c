/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading the system call filter: the zygote makes the program once, each scanner puts
 * its own process id into it and loads it.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "pool/sandbox_impl.h"

static int
make(struct stoq_sandbox *s, enum stoq_filter_files files)
{
    struct stoq_filter *f = &s->filters[files];
    int r = f->code ? 0 : stoq_filter_new(files, f);

    return r == 0 && f->count > BPF_MAXINSNS ? -E2BIG : r;
}

void
stoq_sandbox_seccomp_prepare(struct stoq_sandbox *s)
{
    bool files = s->scratch && s->scratch->count > 0;
    int r;

    if (STOQ_SANITIZED)
        return;
    r = stoq_sandbox_refuse_prepare();
    if (r == 0 && !files)
        r = make(s, STOQ_FILTER_NONE);
    if (r == 0 && files)
        r = make(s, STOQ_FILTER_SHARED);
    if (r == 0 && files)
        r = make(s, STOQ_FILTER_OWN);
    s->filter_status = r;
}

static struct stoq_filter *
choose(struct stoq_sandbox *s)
{
    if (!s->scratch || s->scratch->count == 0)
        return &s->filters[STOQ_FILTER_NONE];
    return &s->filters[s->private_root ? STOQ_FILTER_OWN : STOQ_FILTER_SHARED];
}

/** Sanitizers make calls of their own, more than can be listed. */
int
stoq_sandbox_seccomp(struct stoq_sandbox *s)
{
    const struct stoq_filter *filter = choose(s);
    struct sock_fprog program = {.len = (unsigned short)filter->count,
                                 .filter = filter->code};
    int r;

    if (STOQ_SANITIZED)
        return 0;
    if (s->filter_status < 0)
        return s->filter_status;
    for (size_t i = 0; i < filter->count; i++) {
        struct sock_filter *f = &filter->code[i];

        if (BPF_CLASS(f->code) == BPF_JMP && f->k == STOQ_FILTER_SELF)
            f->k = (uint32_t)getpid();
    }
    r = stoq_sandbox_refuse_catch();
    if (r < 0)
        return r;
    r = prctl(PR_SET_SECCOMP, (unsigned long)SECCOMP_MODE_FILTER, &program, 0UL, 0UL);
    return r < 0 ? -errno : 1;
}
