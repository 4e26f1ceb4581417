/* SPDX-License-Identifier: Apache-2.0 */

/*
 * See mapping.h for the hazard. The handler may run at any instruction of any thread,
 * so it only reads atomics and makes system calls. It walks a list whose nodes are
 * never freed: a node that is not in use has size 0 and is taken again by the next
 * mapping, so the list is as long as the most mappings there ever were at one time.
 * mmap(2) is not on POSIX's list of async-signal-safe functions, but on Linux it is a
 * bare system call.
 *
 * Callers: content.c. Lock: `lock`, for taking and giving back nodes.
 */

#include "core/mapping.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct stoq_mapping {
    struct stoq_mapping *next; /* set before the node is in the list, then constant */
    atomic_uintptr_t start;    /* page-aligned */
    atomic_size_t length;      /* whole pages; 0 = node not in use */
    atomic_bool torn;
    size_t skew; /* from start to the byte asked for */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct stoq_mapping *)
    nodes; /* written under lock, read by the handler */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction previous;
static size_t page_size;

/* Zero pages from the page of @p at to the end of its mapping: whoever cut the file cut
 * everything behind it too, and one fault is enough. */
static bool
patch(uintptr_t at)
{
    struct stoq_mapping *m = atomic_load_explicit(&nodes, memory_order_acquire);
    for (; m; m = m->next) {
        size_t length = atomic_load_explicit(&m->length, memory_order_acquire);
        uintptr_t start = atomic_load_explicit(&m->start, memory_order_relaxed);
        if (at < start || at - start >= length)
            continue;
        uintptr_t page = at - at % page_size;
        void *got = mmap((void *)page, start + length - page, PROT_READ,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (got == MAP_FAILED)
            return false;
        atomic_store(&m->torn, true);
        return true;
    }
    return false;
}

static void
on_sigbus(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    bool ours = info && info->si_code > 0 && patch((uintptr_t)info->si_addr);
    errno = saved;
    if (ours)
        return;
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(sig, info, context);
        return;
    }
    if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(sig);
        return;
    }
    /* Put the default back; the instruction faults again and ends the process. A signal
     * that was sent, not faulted, has to be raised again to have that effect. */
    (void)sigaction(SIGBUS, &previous, NULL);
    if (!info || info->si_code <= 0)
        (void)raise(sig);
}

static void
install(void)
{
    long size = sysconf(_SC_PAGESIZE);
    page_size = size > 0 ? (size_t)size : 4096;
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGBUS, &action, &previous);
}

static struct stoq_mapping *
take_node_locked(void)
{
    struct stoq_mapping *m = atomic_load_explicit(&nodes, memory_order_relaxed);
    while (m && atomic_load_explicit(&m->start, memory_order_relaxed) != 0)
        m = m->next;
    if (m)
        return m;
    m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->next = atomic_load_explicit(&nodes, memory_order_relaxed);
    atomic_store_explicit(&nodes, m, memory_order_release);
    return m;
}

static struct stoq_mapping *
take_node(void *start, size_t length, size_t skew)
{
    (void)pthread_mutex_lock(&lock);
    struct stoq_mapping *m = take_node_locked();
    if (m) {
        m->skew = skew;
        atomic_store_explicit(&m->torn, false, memory_order_relaxed);
        atomic_store_explicit(&m->start, (uintptr_t)start, memory_order_relaxed);
        atomic_store_explicit(&m->length, length, memory_order_release);
    }
    (void)pthread_mutex_unlock(&lock);
    return m;
}

int
stoq_mapping_new(int fd, uint64_t offset, size_t size, struct stoq_mapping **out,
                 struct stoq_error *err)
{
    (void)pthread_once(&once, install);
    size_t skew = (size_t)(offset % page_size);
    size_t length;
    if (size == 0 || __builtin_add_overflow(size, skew + page_size - 1, &length) ||
        offset - skew > INT64_MAX)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EOVERFLOW,
                              "cannot map %zu bytes", size);
    length -= length % page_size;
    void *start =
        mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, (off_t)(offset - skew));
    if (start == MAP_FAILED)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno,
                              "cannot map %zu bytes: %s", size, strerror(errno));
    struct stoq_mapping *m = take_node(start, length, skew);
    if (!m) {
        (void)munmap(start, length);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    (void)madvise(start, length, MADV_SEQUENTIAL);
    *out = m;
    return 0;
}

const unsigned char *
stoq_mapping_data(const struct stoq_mapping *m)
{
    uintptr_t start = atomic_load_explicit(&m->start, memory_order_relaxed);
    return (const unsigned char *)start + m->skew;
}

bool
stoq_mapping_torn(const struct stoq_mapping *m)
{
    return atomic_load(&m->torn);
}

void
stoq_mapping_free(struct stoq_mapping *m)
{
    if (!m)
        return;
    (void)pthread_mutex_lock(&lock);
    uintptr_t start = atomic_load_explicit(&m->start, memory_order_relaxed);
    size_t length = atomic_load_explicit(&m->length, memory_order_relaxed);
    /* Out of the handler's sight first: the addresses may be somebody else's next. */
    atomic_store_explicit(&m->length, 0, memory_order_release);
    (void)munmap((void *)start, length);
    atomic_store_explicit(&m->start, 0, memory_order_release);
    (void)pthread_mutex_unlock(&lock);
}
