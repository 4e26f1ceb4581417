/* SPDX-License-Identifier: Apache-2.0 */

/* See session.h. */

#include "session.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "util/auto.h"
#include "util/clock.h"
#include "util/io.h"

#define HELD_MOST 4096U

/* One datagram, with a descriptor to hold or without one to drop. */
struct given {
    enum stoqfs_hold what;
    uint32_t number;
    uint64_t id;
};

STOQ_DEFINE_AUTO(stoqfs_session)

int
stoqfs_session_new(struct stoqfs_session **out, struct stoq_error *err)
{
    const int protection = PROT_READ | PROT_WRITE;
    STOQ_AUTO(stoqfs_session) s = calloc(1, sizeof(*s));
    if (!s)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    s->nodes_fd = s->texts_fd = s->give[0] = s->give[1] = -1;
    void *p = mmap(NULL, sizeof(*s->shared), protection,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p != MAP_FAILED)
        s->shared = p;
    s->nodes_fd = memfd_create("stoqfs-nodes", MFD_CLOEXEC);
    s->texts_fd = memfd_create("stoqfs-texts", MFD_CLOEXEC);
    if (!s->shared || s->nodes_fd < 0 || s->texts_fd < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->give))
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno,
                              "cannot make the mount's shared memory: %s",
                              strerror(errno));
    s->shared->mounted_ms = stoq_now_ms();
    atomic_init(&s->shared->texts_end, STOQFS_TEXT_UNIT);
    *out = STOQ_STEAL(&s);
    return 0;
}

void
stoqfs_session_free(struct stoqfs_session *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->held_count; i++)
        stoq_auto_close(&s->held[i].fd);
    free(s->held);
    if (s->shared)
        (void)munmap(s->shared, sizeof(*s->shared));
    stoq_auto_close(&s->nodes_fd);
    stoq_auto_close(&s->texts_fd);
    stoq_auto_close(&s->give[0]);
    stoq_auto_close(&s->give[1]);
    free(s);
}

void
stoqfs_session_give_up(struct stoqfs_session *s, const char *why)
{
    char *off = s->shared->off;
    size_t n = strlen(why);
    if (*stoqfs_session_off(s) || n >= sizeof(s->shared->off))
        return;
    memcpy(off + 1, why + 1, n);
    __atomic_store_n(off, why[0], __ATOMIC_RELEASE);
}

const char *
stoqfs_session_off(const struct stoqfs_session *s)
{
    const char *off = s->shared->off;
    return __atomic_load_n(off, __ATOMIC_ACQUIRE) ? off : "";
}

void
stoqfs_session_hold(struct stoqfs_session *s, enum stoqfs_hold what, uint32_t number,
                    uint64_t id, int fd)
{
    const struct given g = {.what = what, .number = number, .id = id};
    (void)stoq_msg_send(s->give[1], &g, sizeof(g), &fd, 1);
}

void
stoqfs_session_drop(struct stoqfs_session *s, enum stoqfs_hold what, uint32_t number,
                    uint64_t id)
{
    const struct given g = {.what = what, .number = number, .id = id};
    (void)stoq_msg_send(s->give[1], &g, sizeof(g), NULL, 0);
}

static void
let_go(struct stoqfs_session *s, const struct given *g)
{
    for (size_t i = 0; i < s->held_count; i++) {
        struct stoqfs_held *h = &s->held[i];
        if (h->what != g->what || h->number != g->number)
            continue;
        stoq_auto_close(&h->fd);
        *h = s->held[--s->held_count];
        return;
    }
}

static void
take_in(struct stoqfs_session *s, const struct given *g, int fd)
{
    let_go(s, g); /* the number is in use again */
    if (s->held_count == s->held_room && s->held_room < HELD_MOST) {
        size_t room = s->held_room ? s->held_room * 2 : 16;
        struct stoqfs_held *more = realloc(s->held, room * sizeof(*more));
        if (more) {
            s->held = more;
            s->held_room = room;
        }
    }
    if (s->held_count == s->held_room) {
        (void)close(fd);
        return;
    }
    s->held[s->held_count++] = (struct stoqfs_held){
        .what = g->what, .number = g->number, .id = g->id, .fd = fd};
}

void
stoqfs_session_collect(struct stoqfs_session *s)
{
    for (;;) {
        struct given g = {.number = 0};
        int fd = -1;
        size_t nfds = 1;
        ssize_t n = stoq_msg_recv(s->give[0], &g, sizeof(g), &fd, &nfds);
        if (n < 0 && n != -EMSGSIZE)
            return;
        if (n == (ssize_t)sizeof(g) && nfds == 1)
            take_in(s, &g, fd);
        else if (n == (ssize_t)sizeof(g))
            let_go(s, &g);
    }
}
