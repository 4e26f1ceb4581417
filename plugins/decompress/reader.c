/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setting up libarchive: on memory, with formats and filters enabled by name. Left out
 * are those that run programs (lrzip, grzip, and any that this libarchive was built
 * without) and those that open files named in the data (mtree). Called by extract.c.
 */

#include <archive_entry.h>
#include <errno.h>

#include "parts.h"

typedef int enable(struct archive *);

struct filter {
    int code;
    enable *support;
    bool in_rpm;
};

static const struct filter filters[] = {
    {ARCHIVE_FILTER_GZIP, archive_read_support_filter_gzip, true},
    {ARCHIVE_FILTER_BZIP2, archive_read_support_filter_bzip2, true},
    {ARCHIVE_FILTER_XZ, archive_read_support_filter_xz, true},
    {ARCHIVE_FILTER_LZMA, archive_read_support_filter_lzma, true},
    {ARCHIVE_FILTER_ZSTD, archive_read_support_filter_zstd, true},
    {ARCHIVE_FILTER_RPM, archive_read_support_filter_rpm, true},
    {ARCHIVE_FILTER_COMPRESS, archive_read_support_filter_compress, false},
    {ARCHIVE_FILTER_LZIP, archive_read_support_filter_lzip, false},
    {ARCHIVE_FILTER_LZ4, archive_read_support_filter_lz4, false},
    {ARCHIVE_FILTER_LZOP, archive_read_support_filter_lzop, false},
};
#define FILTER_COUNT (sizeof filters / sizeof *filters)

static enable *const formats[] = {
    archive_read_support_format_zip,  archive_read_support_format_7zip,
    archive_read_support_format_rar,  archive_read_support_format_rar5,
    archive_read_support_format_tar,  archive_read_support_format_cab,
    archive_read_support_format_cpio, archive_read_support_format_ar,
    archive_read_support_format_lha,  archive_read_support_format_iso9660,
};
#define FORMAT_COUNT (sizeof formats / sizeof *formats)

uint64_t
stoq_reader_filters(void)
{
    uint64_t found = 0;
    for (size_t i = 0; i < FILTER_COUNT; i++) {
        struct archive *a = archive_read_new();
        /* anything but ARCHIVE_OK announces an external program */
        if (a && filters[i].support(a) == ARCHIVE_OK)
            found |= UINT64_C(1) << filters[i].code;
        (void)archive_read_free(a);
    }
    return found;
}

/* One layer of compression and no more: what comes out is not looked at. */
static int
setup_stream(struct archive *a, int code)
{
    if (code == ARCHIVE_FILTER_COMPRESS) {
        /* reads its header when it is put in place, so there must be data by then */
        int r = archive_read_support_filter_compress(a);
        return r == ARCHIVE_OK ? archive_read_support_format_raw(a) : r;
    }
    int r = archive_read_append_filter(a, code);
    return r == ARCHIVE_OK ? archive_read_set_format(a, ARCHIVE_FORMAT_RAW) : r;
}

static int
setup_rpm(struct archive *a, uint64_t usable)
{
    int r = archive_read_support_format_cpio(a);
    for (size_t i = 0; r == ARCHIVE_OK && i < FILTER_COUNT; i++)
        if (filters[i].in_rpm && (usable & UINT64_C(1) << filters[i].code))
            r = filters[i].support(a);
    return r;
}

static int
setup_members(struct archive *a, const struct stoq_reader_plan *plan)
{
    int r = ARCHIVE_OK;
    for (size_t i = 0; r >= ARCHIVE_WARN && i < FORMAT_COUNT; i++)
        r = formats[i](a);
    for (size_t i = 0; r >= ARCHIVE_WARN && i < plan->password_count; i++)
        if (plan->passwords[i][0]) /* libarchive refuses the empty one */
            r = archive_read_add_passphrase(a, plan->passwords[i]);
    if (r >= ARCHIVE_WARN && plan->ignore_crc)
        r = archive_read_set_format_option(a, "zip", "ignorecrc32", "1");
    return r;
}

static int
setup(struct archive *a, const struct stoq_reader_plan *plan)
{
    switch (plan->kind.form) {
    case STOQ_FORM_STREAM:
        return setup_stream(a, plan->kind.filter);
    case STOQ_FORM_RPM:
        return setup_rpm(a, plan->filters);
    case STOQ_FORM_NONE:
    case STOQ_FORM_ARCHIVE:
    default:
        return setup_members(a, plan);
    }
}

int
stoq_reader_open(const struct stoq_reader_plan *plan, const unsigned char *data,
                 size_t size, struct archive **out, struct stoq_error *err)
{
    if (plan->kind.form == STOQ_FORM_STREAM &&
        !(plan->filters & UINT64_C(1) << plan->kind.filter))
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -ENOTSUP,
                              "libarchive was built without this compression");
    struct archive *a = archive_read_new();
    if (!a)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    int r = setup(a, plan);
    if (r >= ARCHIVE_WARN)
        r = archive_read_open_memory(a, data, size);
    if (r < ARCHIVE_WARN) {
        int code = archive_errno(a) == ENOMEM ? -ENOMEM : -EBADMSG;
        const char *why = archive_error_string(a);
        code = stoq_error_set(err, STOQ_ERROR_FORMAT, code, "%s",
                              why ? why : "it cannot be opened");
        (void)archive_read_free(a);
        return code;
    }
    *out = a;
    return 0;
}
