/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the readers of this plugin's own formats put members. The buffer grows with
 * what arrives, never with what a header claims; maximum_size, the scan's room and the
 * timeout are kept here, so no reader can forget them. Called by all readers; no lock.
 */

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "forms.h"

#define FIRST_ROOM ((size_t)64 * 1024)
/* Calls of stoq_sink_time() between looks at the clock. */
#define TICKS 4096U

static uint64_t
now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

void
stoq_sink_init(struct stoq_sink *s, const struct stoq_extraction *x)
{
    *s =
        (struct stoq_sink){.x = x, .deadline = now_ns() + x->in->timeout * 1000000000U};
}

void
stoq_sink_fini(struct stoq_sink *s)
{
    free(s->data);
    s->data = NULL;
}

void
stoq_sink_begin(struct stoq_sink *s)
{
    s->size = 0;
    if (s->error != -ETIME && s->error != -ENOMEM)
        s->error = 0;
}

bool
stoq_sink_time(struct stoq_sink *s)
{
    if (s->error == 0 && ++s->ticks >= TICKS) {
        s->ticks = 0;
        if (now_ns() >= s->deadline)
            s->error = -ETIME;
    }
    return s->error == 0;
}

/* Room for @p more bytes. */
static bool
grow(struct stoq_sink *s, size_t more)
{
    const uint64_t maximum = s->x->in->maximum_size;
    if (s->error != 0)
        return false;
    if (more > maximum || s->size > maximum - more) {
        s->error = -EFBIG;
        s->wanted = s->size + more;
        return false;
    }
    const size_t need = s->size + more;
    if (need <= s->room)
        return true;
    if (need > stoq_reply_room(s->x->reply)) {
        s->error = -E2BIG;
        s->wanted = need;
        return false;
    }
    size_t room = s->room ? s->room : FIRST_ROOM;
    while (room < need)
        room *= 2;
    unsigned char *data = realloc(s->data, room);
    if (!data) {
        s->error = -ENOMEM;
        return false;
    }
    s->data = data;
    s->room = room;
    s->ticks = TICKS;
    return stoq_sink_time(s);
}

bool
stoq_sink_put(struct stoq_sink *s, const void *data, size_t size)
{
    if (!grow(s, size))
        return false;
    if (size > 0)
        memcpy(s->data + s->size, data, size);
    s->size += size;
    return stoq_sink_time(s);
}

bool
stoq_sink_byte(struct stoq_sink *s, unsigned byte)
{
    if (s->size == s->room && !grow(s, 1))
        return false;
    if (s->size >= s->x->in->maximum_size) {
        s->error = -EFBIG;
        s->wanted = s->size + 1;
        return false;
    }
    s->data[s->size++] = (unsigned char)byte;
    return stoq_sink_time(s);
}

bool
stoq_sink_copy(struct stoq_sink *s, size_t distance, size_t length)
{
    if (distance == 0 || !grow(s, length))
        return false;
    for (size_t i = 0; i < length; i++, s->size++)
        s->data[s->size] = distance <= s->size ? s->data[s->size - distance] : 0;
    return stoq_sink_time(s);
}

/* The last part of a path of either kind; a made-up name when there is none. */
static void
base_name(const struct stoq_sink *s, const char *path, size_t size,
          char name[STOQ_NAME_ROOM])
{
    size_t from = size;
    while (from > 0 && path[from - 1] != '/' && path[from - 1] != '\\')
        from--;
    size -= from;
    if (size > STOQ_NAME_ROOM - 1)
        size = STOQ_NAME_ROOM - 1;
    if (size == 0) {
        stoq_extract_made_up(s->x, name);
        return;
    }
    memcpy(name, path + from, size);
    name[size] = '\0';
}

/* A budget ended the member. @return whether one did. */
static bool
over_budget(struct stoq_sink *s)
{
    const struct stoq_decompress *in = s->x->in;
    switch (s->error) {
    case -EFBIG:
        stoq_reply_error(s->x->reply, "Extracted object is too large (%zu > %llu)",
                         s->wanted, (unsigned long long)in->maximum_size);
        stoq_reply_limit(s->x->reply, "maximum_size", s->wanted);
        return true;
    case -E2BIG:
        stoq_reply_limit(s->x->reply, "extracted_bytes", s->wanted);
        s->stop = true;
        return true;
    case -ETIME:
        if (!s->stop)
            stoq_reply_limit(s->x->reply, "timeout", in->timeout);
        s->stop = true;
        return true;
    default:
        return false;
    }
}

int
stoq_sink_end(struct stoq_sink *s, const char *name, size_t size, const char *why)
{
    char base[STOQ_NAME_ROOM];
    s->members++;
    if (s->error == -ENOMEM || (s->room == 0 && !grow(s, 1) && s->error == -ENOMEM))
        return -ENOMEM;
    if (over_budget(s))
        return 0;
    base_name(s, name, name ? strnlen(name, size) : 0, base);
    if (why)
        stoq_reply_error(s->x->reply, "Unable to extract %s: %s", base, why);
    if (why && s->size == 0)
        return 0;
    const int r = stoq_extract_emit(s->x, s->data, s->size, base);
    if (r == -E2BIG) {
        s->stop = true; /* on record */
        return 0;
    }
    return r;
}

void
stoq_sink_encrypted(struct stoq_sink *s)
{
    s->members++;
    stoq_reply_limit(s->x->reply, "encrypted", 1);
}

void
stoq_sink_broken(struct stoq_sink *s, const char *why)
{
    (void)over_budget(s);
    if (s->error == 0)
        stoq_reply_error(s->x->reply, "Unable to read archive, mimetype: %s: %s",
                         s->x->mime, why);
}
