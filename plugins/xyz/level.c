/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which level of zlib a deflated member was packed with: pack its plain bytes again and
 * compare. Output comes in blocks of the sizes that Python 3.10 and later use, because
 * level 0 makes its stored blocks fit them. At most twenty runs, each given up at the
 * deadline; two results of about the member's size are held. Called by entry.c.
 */

#include <errno.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include "parts.h"

#define INPUT_STEP ((size_t)256 * 1024)

struct packed {
    unsigned char *data;
    size_t size, room;
};

/* Size of output block @p i of a run. */
static size_t
block_size(size_t i)
{
    static const size_t kib[] = {32, 64, 256, 1024, 4096, 8192, 16384, 16384, 32768};
    const size_t last = sizeof kib / sizeof *kib - 1;
    return kib[i < last ? i : last] * 1024;
}

/* Another block at the end of @p p for @p z. */
static int
next_block(z_stream *z, struct packed *p, size_t i)
{
    const size_t size = block_size(i);
    if (p->room - p->size < size) {
        const size_t room = p->size + size;
        unsigned char *data = realloc(p->data, room);
        if (!data)
            return -ENOMEM;
        p->data = data;
        p->room = room;
    }
    z->next_out = p->data + p->size;
    z->avail_out = (unsigned)size;
    return 0;
}

/* Give @p z what it takes until it has no more to say. @p i counts blocks. */
static int
drain(z_stream *z, struct packed *p, size_t *i, int flush)
{
    for (;;) {
        if (z->avail_out == 0) {
            const int r = next_block(z, p, (*i)++);
            if (r < 0)
                return r;
        }
        const unsigned before = z->avail_out;
        const int r = deflate(z, flush);
        p->size += before - z->avail_out;
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
            return -ENOMEM;
        if (z->avail_out > 0)
            return 0;
    }
}

static int
pack(struct xyz_run *run, z_stream *z, int level, struct bytes plain, struct packed *p)
{
    size_t i = 0;
    p->size = 0;
    z->avail_out = 0;
    z->next_in = plain.data;
    /* level 0 looks at how much there is: no steps */
    const size_t step = level == 0 ? plain.size : INPUT_STEP;
    size_t left = plain.size;
    do {
        const size_t n = left < step ? left : step;
        z->avail_in = (unsigned)n;
        left -= n;
        int r = drain(z, p, &i, Z_NO_FLUSH);
        if (r < 0)
            return r;
        if (xyz_late(run))
            return -ETIME;
    } while (left > 0);
    /* flushing starts with a block of its own */
    z->avail_out = 0;
    i = 0;
    return drain(z, p, &i, Z_FINISH);
}

static int
pack_at(struct xyz_run *run, int level, struct bytes plain, struct packed *p)
{
    z_stream z = {.zalloc = Z_NULL};
    if (deflateInit2(&z, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    const int r = pack(run, &z, level, plain, p);
    (void)deflateEnd(&z);
    return r;
}

static int
find(struct xyz_run *run, struct bytes packed, struct bytes plain, struct packed p[2],
     struct xyz_level *out)
{
    for (out->max = 9; out->max >= 0; out->max--) {
        const int r = pack_at(run, out->max, plain, &p[0]);
        if (r < 0)
            return r;
        if (packed.size <= p[0].size || out->max == 0)
            break;
    }
    for (out->min = out->max; out->min > 0; out->min--) {
        const int r = pack_at(run, out->min - 1, plain, &p[1]);
        if (r < 0)
            return r;
        if (p[1].size != p[0].size || memcmp(p[1].data, p[0].data, p[0].size) != 0)
            break;
    }
    out->size = p[0].size;
    out->same =
        p[0].size == packed.size && memcmp(p[0].data, packed.data, packed.size) == 0;
    return 0;
}

int
xyz_level_find(struct xyz_run *run, struct bytes packed, struct bytes plain,
               struct xyz_level *out)
{
    struct packed p[2] = {{.size = 0}, {.size = 0}};
    const int r = find(run, packed, plain, p, out);
    free(p[0].data);
    free(p[1].data);
    return r;
}
