/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/wear.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

/* Kept without a budget, and at least with one: allocators keep some for good reason.
 */
#define KEEP_DEFAULT (256ULL << 20)
#define KEEP_LEAST   (16ULL << 20)

uint64_t
stoq_wear_memory(int statm)
{
    char text[128];
    unsigned long long pages = 0;
    long page = sysconf(_SC_PAGESIZE);
    ssize_t n = pread(statm, text, sizeof(text) - 1, 0);

    if (n <= 0 || page <= 0)
        return 0;
    text[n] = '\0';
    if (sscanf(text, "%*u %*u %*u %*u %*u %llu", &pages) != 1)
        return 0;
    return pages * (unsigned long long)page;
}

void
stoq_wear_begin(struct stoq_wear *w, uint64_t memory_bytes)
{
    w->fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    w->base = w->fd >= 0 ? stoq_wear_memory(w->fd) : 0;
    w->most = memory_bytes > 0 ? memory_bytes / 8 : KEEP_DEFAULT;
    if (w->most < KEEP_LEAST)
        w->most = KEEP_LEAST;
}

static bool
has_grown(const struct stoq_wear *w)
{
    uint64_t now = stoq_wear_memory(w->fd);

    return now > w->base && now - w->base > w->most;
}

bool
stoq_wear_is_worn(const struct stoq_wear *w)
{
    if (w->fd < 0 || !has_grown(w))
        return false;
    (void)malloc_trim(0);
    return has_grown(w);
}
