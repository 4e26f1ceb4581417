/* SPDX-License-Identifier: Apache-2.0 */

/* The scanners' standard error; see relay.h. */

#include "pool/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "util/auto.h"
#include "util/clock.h"
#include "util/io.h"
#include "util/log.h"

/* Bytes a second that are shown: a few hundred lines. */
#define SHOWN_MAX (64U << 10)
/* Read at once; a line of the log is written at once, and is no longer. */
#define CHUNK 4096U

int
stoq_relay_open(struct stoq_relay *r)
{
    int pair[2];

    /* scanners must not wait for the zygote, nor the zygote for them */
    if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    r->in = pair[0];
    r->out = pair[1];
    return 0;
}

void
stoq_relay_join(struct stoq_relay *r)
{
    if (r->out < 0)
        return;
    (void)dup2(r->out, STDERR_FILENO);
    stoq_auto_close(&r->out);
    stoq_auto_close(&r->in);
}

/** Leave text and ends of lines. */
static void
clean(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            text[i] = '?';
    }
}

static void
show(struct stoq_relay *r, char *text, size_t size)
{
    uint64_t now = stoq_now_ms();

    if (now - r->since >= 1000) {
        r->since = now;
        r->shown = 0;
        r->told = false;
    }
    if (r->shown + size > SHOWN_MAX) {
        if (!r->told)
            STOQ_WARN("scanners say more than is shown");
        r->told = true;
        return;
    }
    r->shown += size;
    clean(text, size);
    (void)stoq_write_full(STDERR_FILENO, text, size);
}

void
stoq_relay_pump(struct stoq_relay *r)
{
    char text[CHUNK];
    ssize_t n;

    /* not for ever: one that writes all the time must not keep the others from work */
    for (unsigned i = 0; i < 16; i++) {
        n = read(r->in, text, sizeof(text));
        if (n <= 0)
            return;
        show(r, text, (size_t)n);
    }
}
