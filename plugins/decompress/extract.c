/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an archive in memory to children. Budgets hold while bytes are produced: a
 * member is given up at the first byte too many, and the buffer grows with what
 * arrives, never with what a header claims. Members that fail in the first pass get
 * another with each password alone, and, in a zip, one that ignores checksums. Called
 * by decompress.c; no lock.
 */

#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "forms.h"

#define NAME_ROOM    STOQ_NAME_ROOM
#define BUFFER_FIRST ((size_t)64 * 1024)
/* Headers looked at. Far above any limit on children, against ones that never end. */
#define HEADERS_MAX ((size_t)10 * 1000 * 1000)

/* How a member ended. */
enum outcome {
    MEMBER_OK,
    MEMBER_BAD,   /* damaged: what is in the buffer came before */
    MEMBER_LARGE, /* more than maximum_size */
    MEMBER_ROOM,  /* more than the scan may still extract */
    MEMBER_TIME,
    MEMBER_NO_MEMORY
};

/* What is to be tried on which members. */
enum stage {
    STAGE_FIRST,    /* all of them */
    STAGE_PASSWORD, /* encrypted ones that failed, one password */
    STAGE_NO_CRC    /* others that failed */
};

/* A member that another pass looks at. */
struct again {
    size_t index;
    bool encrypted;
    bool done;
};

struct run {
    const struct stoq_extraction *x;
    uint64_t deadline; /* ns */
    enum stage stage;
    struct archive *archive;
    unsigned char *buffer;
    size_t used, room;
    struct again *again;
    size_t again_count, again_room;
    size_t index;     /* of the member at hand */
    size_t encrypted; /* members no password opens */
    bool damaged;     /* said so of the last member */
    bool stop;        /* a budget is used up */
    size_t rar5;      /* encrypted files, as told by stoq_rar5_encrypted() */
    const char *path; /* of the member at hand, or NULL */
    uint64_t cursor;  /* of stoq_zip_legacy() */
};

static uint64_t
now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static const char *
reason(struct archive *a)
{
    const char *text = archive_error_string(a);
    return text ? text : "unknown error";
}

/* ------------------------------------------------------------------------- names */

static bool
base_name(const char *path, size_t size, char name[NAME_ROOM])
{
    while (size > 0 && path[size - 1] == '/')
        size--;
    size_t from = size;
    while (from > 0 && path[from - 1] != '/')
        from--;
    size -= from;
    if (size == 0)
        return false;
    if (size >= NAME_ROOM)
        size = NAME_ROOM - 1;
    memcpy(name, path + from, size);
    name[size] = '\0';
    return true;
}

static void
member_name(const struct run *run, struct archive_entry *entry, char name[NAME_ROOM])
{
    const struct stoq_extraction *x = run->x;
    const char *path = NULL;
    size_t size = 0;
    if (x->kind.form != STOQ_FORM_STREAM) {
        path = archive_entry_pathname(entry);
        if (!path)
            path = archive_entry_pathname_utf8(entry);
        size = path ? strlen(path) : 0;
    } else if (x->kind.filter == ARCHIVE_FILTER_GZIP) {
        path = stoq_gzip_name(x->data, x->size, &size);
    }
    if (!path || !base_name(path, size, name))
        stoq_extract_made_up(x, name);
}

/* ------------------------------------------------------------------------- bytes */

static bool
grow(struct run *run, size_t need)
{
    if (need <= run->room)
        return true;
    size_t room = run->room ? run->room : BUFFER_FIRST;
    while (room < need)
        room = room <= SIZE_MAX / 2 ? 2 * room : need;
    unsigned char *buffer = realloc(run->buffer, room);
    if (!buffer)
        return false;
    run->buffer = buffer;
    run->room = room;
    return true;
}

static enum outcome
read_member(struct run *run)
{
    uint64_t maximum = run->x->in->maximum_size;
    uint64_t left = stoq_reply_room(run->x->reply);
    run->used = 0;
    for (;;) {
        const void *block = NULL;
        size_t size = 0;
        la_int64_t offset = 0;
        if (now_ns() >= run->deadline)
            return MEMBER_TIME;
        int r = archive_read_data_block(run->archive, &block, &size, &offset);
        if (r == ARCHIVE_EOF)
            return MEMBER_OK;
        if (r < ARCHIVE_WARN)
            return archive_errno(run->archive) == ENOMEM ? MEMBER_NO_MEMORY
                                                         : MEMBER_BAD;
        uint64_t end;
        if (offset < 0 || (uint64_t)offset < run->used ||
            __builtin_add_overflow((uint64_t)offset, (uint64_t)size, &end)) {
            archive_set_error(run->archive, EILSEQ, "its blocks overlap");
            return MEMBER_BAD;
        }
        if (size == 0)
            continue;
        if (end > maximum || end > left) {
            run->used = (size_t)end;
            return end > maximum ? MEMBER_LARGE : MEMBER_ROOM;
        }
        if (!grow(run, (size_t)end))
            return MEMBER_NO_MEMORY;
        /* a hole in a sparse file */
        memset(run->buffer + run->used, 0, (size_t)offset - run->used);
        memcpy(run->buffer + offset, block, size);
        run->used = (size_t)end;
    }
}

/* Members of these formats can only be passed over by unpacking them, which may take
 * long: here the time is looked at. */
static void
pass_over(struct run *run)
{
    switch (archive_format(run->archive) & ARCHIVE_FORMAT_BASE_MASK) {
    case ARCHIVE_FORMAT_7ZIP:
    case ARCHIVE_FORMAT_RAR:
    case ARCHIVE_FORMAT_RAR_V5:
    case ARCHIVE_FORMAT_CAB:
        break;
    default:
        return;
    }
    const void *block;
    size_t size;
    la_int64_t offset;
    while (now_ns() < run->deadline &&
           archive_read_data_block(run->archive, &block, &size, &offset) ==
               ARCHIVE_OK) {
    }
}

/* ----------------------------------------------------------------------- members */

static int
emit(struct run *run, const char *name)
{
    const int r = stoq_extract_emit(run->x, run->buffer, run->used, name);
    if (r == -E2BIG) {
        run->stop = true; /* on record as a limit */
        return 0;
    }
    return r;
}

/* The member at hand, when libarchive lacks its compression and this plugin has it.
 * @return 1 when it was dealt with, 0, or -ENOMEM. */
static int
take_legacy(struct run *run)
{
    struct stoq_sink sink;
    if (!run->path || !strstr(reason(run->archive), "Unsupported ZIP compression"))
        return 0;
    stoq_sink_init(&sink, run->x);
    sink.deadline = run->deadline;
    const int r = stoq_zip_legacy(&sink, run->path, &run->cursor);
    run->stop = run->stop || sink.stop;
    stoq_sink_fini(&sink);
    return r;
}

/* Remember the member at hand for another pass. */
static int
try_again(struct run *run, bool encrypted)
{
    if (run->again_count == run->again_room) {
        size_t room = run->again_room ? 2 * run->again_room : 16;
        struct again *again = reallocarray(run->again, room, sizeof *again);
        if (!again)
            return -ENOMEM;
        run->again = again;
        run->again_room = room;
    }
    run->again[run->again_count++] =
        (struct again){.index = run->index, .encrypted = encrypted};
    return 0;
}

/* A damaged member. Where it is not encrypted its first bytes are better than none. */
static int
take_bad(struct run *run, bool encrypted, struct again *again, const char *name)
{
    const bool zip =
        (archive_format(run->archive) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP;
    if (run->stage == STAGE_FIRST && zip) {
        const int r = encrypted ? 0 : take_legacy(run);
        return r != 0 ? (r < 0 ? r : 0) : try_again(run, encrypted);
    }
    if (encrypted) {
        run->encrypted += again == NULL;
        return 0;
    }
    run->damaged = true;
    stoq_reply_error(run->x->reply, "Unable to extract %s: %s", name,
                     reason(run->archive));
    if (again)
        again->done = true;
    return run->used > 0 ? emit(run, name) : 0;
}

static void
too_large(struct run *run, uint64_t size)
{
    uint64_t maximum = run->x->in->maximum_size;
    stoq_reply_error(run->x->reply, "Extracted object is too large (%llu > %llu)",
                     (unsigned long long)size, (unsigned long long)maximum);
    stoq_reply_limit(run->x->reply, "maximum_size", size);
    pass_over(run);
}

/* Act on how the member at hand ended. @return 0 or -ENOMEM. */
static int
settle(struct run *run, enum outcome outcome, bool encrypted, struct again *again,
       const char *name)
{
    switch (outcome) {
    case MEMBER_OK:
        if (again)
            again->done = true;
        return emit(run, name);
    case MEMBER_BAD:
        return take_bad(run, encrypted, again, name);
    case MEMBER_LARGE:
        if (again)
            again->done = true;
        too_large(run, run->used);
        return 0;
    case MEMBER_ROOM:
        stoq_reply_limit(run->x->reply, "extracted_bytes", run->used);
        run->stop = true;
        return 0;
    case MEMBER_TIME:
        stoq_reply_limit(run->x->reply, "timeout", run->x->in->timeout);
        run->stop = true;
        return 0;
    case MEMBER_NO_MEMORY:
    default:
        return -ENOMEM;
    }
}

/* The note on the member at hand, if this pass is for it. */
static struct again *
noted(struct run *run, size_t *at)
{
    while (*at < run->again_count && run->again[*at].index < run->index)
        (*at)++;
    if (*at == run->again_count || run->again[*at].index != run->index)
        return NULL;
    struct again *again = &run->again[*at];
    return again->done || again->encrypted != (run->stage == STAGE_PASSWORD) ? NULL
                                                                             : again;
}

static int
member(struct run *run, struct archive_entry *entry, struct again *again)
{
    const mode_t type = archive_entry_filetype(entry);
    if ((type != AE_IFREG && type != 0) || archive_entry_hardlink(entry))
        return 0;
    const bool encrypted = archive_entry_is_data_encrypted(entry) ||
                           archive_entry_is_metadata_encrypted(entry);
    if (encrypted && (archive_format(run->archive) & ARCHIVE_FORMAT_BASE_MASK) ==
                         ARCHIVE_FORMAT_RAR) {
        run->encrypted++; /* it would be handed over as it is */
        return 0;
    }
    const uint64_t claimed =
        archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0
            ? (uint64_t)archive_entry_size(entry)
            : 0;
    if (claimed > run->x->in->maximum_size) {
        too_large(run, claimed);
        return 0;
    }
    if (claimed > stoq_reply_room(run->x->reply)) {
        /* smaller ones may still fit */
        stoq_reply_limit(run->x->reply, "extracted_bytes", claimed);
        pass_over(run);
        return 0;
    }
    char name[NAME_ROOM];
    member_name(run, entry, name);
    run->path = archive_entry_pathname(entry);
    return settle(run, read_member(run), encrypted, again, name);
}

/* ------------------------------------------------------------------------ passes */

/* The archive cannot be read on. Only the first pass tells. */
static int
broken(struct run *run)
{
    const struct stoq_extraction *x = run->x;
    if (archive_errno(run->archive) == ENOMEM)
        return -ENOMEM;
    if (run->stage != STAGE_FIRST)
        return 0;
    const int format = archive_format(run->archive) & ARCHIVE_FORMAT_BASE_MASK;
    if (format != ARCHIVE_FORMAT_ZIP &&
        (archive_read_has_encrypted_entries(run->archive) > 0 || run->rar5 > 0)) {
        run->encrypted += run->encrypted == 0 && run->rar5 == 0;
        return 0;
    }
    if (run->damaged || (x->quiet && run->index == 0))
        return 0;
    stoq_reply_error(x->reply, "Unable to read archive, mimetype: %s: %s", x->mime,
                     reason(run->archive));
    return 0;
}

static int
walk(struct run *run)
{
    size_t at = 0;
    for (run->index = 0; !run->stop && run->index < HEADERS_MAX; run->index++) {
        if (now_ns() >= run->deadline)
            return settle(run, MEMBER_TIME, false, NULL, "");
        struct archive_entry *entry = NULL;
        int r = archive_read_next_header(run->archive, &entry);
        if (r == ARCHIVE_EOF)
            return 0;
        if (r < ARCHIVE_WARN)
            return broken(run);
        run->damaged = false;
        struct again *again = run->stage == STAGE_FIRST ? NULL : noted(run, &at);
        if (run->stage == STAGE_FIRST || again) {
            r = member(run, entry, again);
            if (r < 0)
                return r;
        }
    }
    if (!run->stop)
        stoq_reply_limit(run->x->reply, "archive_members", HEADERS_MAX);
    return 0;
}

static int
pass(struct run *run, enum stage stage, const char *const *passwords, size_t count)
{
    const struct stoq_extraction *x = run->x;
    const struct stoq_reader_plan plan = {.kind = x->kind,
                                          .filters = x->in->filters,
                                          .passwords = passwords,
                                          .password_count = count,
                                          .ignore_crc = stage == STAGE_NO_CRC};
    struct stoq_error err = {0};
    run->stage = stage;
    int r = stoq_reader_open(&plan, x->data, x->size, &run->archive, &err);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        if (stage == STAGE_FIRST && !x->quiet)
            stoq_reply_error(x->reply, "Unable to read archive, mimetype: %s: %s",
                             x->mime, err.message);
        return 0;
    }
    r = walk(run);
    (void)archive_read_free(run->archive);
    run->archive = NULL;
    return r;
}

/* How many members still wait, encrypted ones or others. */
static size_t
waiting(const struct run *run, bool encrypted)
{
    size_t n = 0;
    for (size_t i = 0; i < run->again_count; i++)
        n += !run->again[i].done && run->again[i].encrypted == encrypted;
    return n;
}

static int
passes(struct run *run)
{
    const struct stoq_extraction *x = run->x;
    run->rar5 = stoq_rar5_encrypted((struct bytes){x->data, x->size});
    int r = pass(run, STAGE_FIRST, x->passwords, x->password_count);
    /* The check before the data is one byte in old zip files: a wrong password passes
     * it now and then, and then hides the right one. */
    for (size_t i = 0; r == 0 && !run->stop && x->password_count > 1 &&
                       i < x->password_count && waiting(run, true) > 0;
         i++)
        r = pass(run, STAGE_PASSWORD, &x->passwords[i], 1);
    if (r == 0 && !run->stop && waiting(run, false) > 0)
        r = pass(run, STAGE_NO_CRC, NULL, 0);
    run->encrypted += waiting(run, true) + run->rar5;
    if (run->encrypted > 0)
        stoq_reply_limit(x->reply, "encrypted", run->encrypted);
    return r;
}

/* What libarchive does not read. */
static int
read_form(const struct stoq_extraction *x)
{
    struct stoq_sink sink;
    stoq_sink_init(&sink, x);
    const int r = x->reader(&sink);
    stoq_sink_fini(&sink);
    return r;
}

int
stoq_extract_all(const struct stoq_extraction *x, struct stoq_error *err)
{
    struct run run = {.x = x, .deadline = now_ns() + x->in->timeout * 1000000000U};
    /* never NULL, also for an empty child */
    int r = grow(&run, 1) ? 0 : -ENOMEM;
    if (r == 0 && (!x->reader || x->also))
        r = passes(&run);
    free(run.buffer);
    free(run.again);
    if (r == 0 && x->reader && !run.stop)
        r = read_form(x);
    return r < 0 ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory") : 0;
}
