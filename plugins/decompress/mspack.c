/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formats of Microsoft's through libmspack: CHM, SZDD and KWAJ. The library's file
 * functions are replaced: reading is from the payload, writing goes to the sink,
 * nothing is opened. Past a budget they fail, which makes the library give up. Called
 * by forms.c.
 */

#include <errno.h>
#include <mspack.h>
#include <stdarg.h>
#include <stdlib.h>

#include "forms.h"

struct system {
    struct mspack_system base;
    struct stoq_sink *sink;
};

/* What the library knows as a struct mspack_file. */
struct file {
    struct stoq_sink *sink;
    struct bytes in; /* of a file that is read */
    size_t at;
    bool writing;
};

static struct mspack_file *
file_open(struct mspack_system *self, const char *name, int mode)
{
    /* base is the first member; through void, for no alignment is at stake */
    const struct system *sys = (const void *)self;
    struct file *f = calloc(1, sizeof *f);
    (void)name;
    if (!f)
        return NULL;
    f->sink = sys->sink;
    f->writing = mode == MSPACK_SYS_OPEN_WRITE;
    f->in = (struct bytes){sys->sink->x->data, sys->sink->x->size};
    return (void *)f;
}

static void
file_close(struct mspack_file *f)
{
    free(f);
}

static int
file_read(struct mspack_file *file, void *buffer, int size)
{
    struct file *f = (void *)file;
    if (f->writing || size < 0 || !stoq_sink_time(f->sink))
        return -1;
    const size_t left = f->in.size - f->at;
    const size_t n = (size_t)size < left ? (size_t)size : left;
    memcpy(buffer, f->in.data + f->at, n);
    f->at += n;
    return (int)n;
}

static int
file_write(struct mspack_file *file, void *buffer, int size)
{
    const struct file *f = (const void *)file;
    if (!f->writing || size < 0 || !stoq_sink_put(f->sink, buffer, (size_t)size))
        return -1;
    return size;
}

static int
file_seek(struct mspack_file *file, off_t offset, int mode)
{
    struct file *f = (void *)file;
    off_t base = 0;
    if (f->writing)
        return -1;
    if (mode == MSPACK_SYS_SEEK_CUR)
        base = (off_t)f->at;
    else if (mode == MSPACK_SYS_SEEK_END)
        base = (off_t)f->in.size;
    off_t to;
    if (__builtin_add_overflow(base, offset, &to) || to < 0 || (size_t)to > f->in.size)
        return -1;
    f->at = (size_t)to;
    return 0;
}

static off_t
file_tell(struct mspack_file *file)
{
    const struct file *f = (const void *)file;
    return (off_t)(f->writing ? f->sink->size : f->at);
}

static void
file_message(struct mspack_file *f, const char *format, ...)
{
    (void)f;
    (void)format;
}

/* Zeros: closing a KWAJ file whose header is cut short frees pointers never set. */
static void *
memory_alloc(struct mspack_system *self, size_t size)
{
    (void)self;
    return calloc(1, size);
}

static void
memory_free(void *p)
{
    free(p);
}

static void
memory_copy(void *from, void *to, size_t size)
{
    memcpy(to, from, size);
}

static void
system_init(struct system *sys, struct stoq_sink *sink)
{
    *sys = (struct system){.base = {file_open, file_close, file_read, file_write,
                                    file_seek, file_tell, file_message, memory_alloc,
                                    memory_free, memory_copy, NULL},
                           .sink = sink};
}

static const char *
reason(int error)
{
    switch (error) {
    case MSPACK_ERR_OK:
        return NULL;
    case MSPACK_ERR_CHECKSUM:
        return "wrong checksum";
    case MSPACK_ERR_NOMEMORY:
        return "it needs too much memory";
    case MSPACK_ERR_SIGNATURE:
        return "wrong signature";
    default:
        return "damaged data";
    }
}

/* -------------------------------------------------------------------------- CHM */

static int
chm_files(struct stoq_sink *s, struct mschm_decompressor *d,
          const struct mschmd_header *chm)
{
    for (struct mschmd_file *f = chm->files; f && !s->stop; f = f->next) {
        const size_t n = strlen(f->filename);
        if (n == 0 || f->filename[n - 1] == '/')
            continue;
        stoq_sink_begin(s);
        const char *why = NULL;
        /* known to be too large: left out before it is unpacked */
        if (f->length > 0 && (uint64_t)f->length > s->x->in->maximum_size) {
            s->error = -EFBIG;
            s->wanted = (size_t)f->length;
        } else {
            why = reason(d->extract(d, f, ""));
        }
        const int r = stoq_sink_end(s, f->filename, n, why);
        if (r < 0)
            return r;
    }
    return 0;
}

int
stoq_chm_read(struct stoq_sink *s)
{
    struct system sys;
    system_init(&sys, s);
    struct mschm_decompressor *d = mspack_create_chm_decompressor(&sys.base);
    if (!d)
        return -ENOMEM;
    struct mschmd_header *chm = d->open(d, "");
    int r = 0;
    if (chm) {
        r = chm_files(s, d, chm);
        d->close(d, chm);
    } else {
        const char *why = reason(d->last_error(d));
        stoq_sink_broken(s, why ? why : "damaged data");
    }
    mspack_destroy_chm_decompressor(d);
    return r;
}

/* ------------------------------------------------------------------ SZDD and KWAJ */

int
stoq_szdd_read(struct stoq_sink *s)
{
    struct system sys;
    system_init(&sys, s);
    struct msszdd_decompressor *d = mspack_create_szdd_decompressor(&sys.base);
    if (!d)
        return -ENOMEM;
    stoq_sink_begin(s);
    const char *why = reason(d->decompress(d, "", ""));
    mspack_destroy_szdd_decompressor(d);
    return stoq_sink_end(s, NULL, 0, why);
}

int
stoq_kwaj_read(struct stoq_sink *s)
{
    struct system sys;
    char name[16] = "";
    system_init(&sys, s);
    struct mskwaj_decompressor *d = mspack_create_kwaj_decompressor(&sys.base);
    if (!d)
        return -ENOMEM;
    stoq_sink_begin(s);
    struct mskwajd_header *header = d->open(d, "");
    const char *why = "damaged data";
    if (header) {
        if (header->filename)
            strncpy(name, header->filename, sizeof name - 1);
        why = reason(d->extract(d, header, ""));
        d->close(d, header);
    }
    mspack_destroy_kwaj_decompressor(d);
    return stoq_sink_end(s, name, sizeof name, why);
}
