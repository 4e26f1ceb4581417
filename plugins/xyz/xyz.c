/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xyz: the structure of a zip file as JSON, for telling by what it was made. Nothing is
 * extracted. Members are unpacked one at a time, under maximum_size and timeout;
 * results are bounded, and what is left out is a limit. Format: PKWARE's APPNOTE 6.3.3.
 */

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "parts.h"

/* What all results together may take in memory. */
#define RESULTS_MAX ((uint64_t)96 << 20)

static uint64_t
now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

void
xyz_put(struct xyz_run *run, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) < 0)
        run->no_memory = true;
}

bool
xyz_late(struct xyz_run *run)
{
    if (!run->late && now_ns() >= run->deadline) {
        run->late = true;
        stoq_reply_limit(run->reply, "timeout", run->in->timeout);
    }
    return run->late;
}

bool
xyz_take_room(struct xyz_run *run, uint64_t cost)
{
    if (run->room < cost) {
        run->room = 0;
        return false;
    }
    run->room -= cost;
    return true;
}

/* ------------------------------------------------------- the end of the directory */

static void
put_end64(struct xyz_run *run, json_t *archive, uint64_t *at)
{
    const struct bytes data = run->zip.data;
    struct bytes r = bytes_at(data, *at, XYZ_END64_SIZE);
    if (!bytes_are(r, 0, "PK\x06\x06", 4))
        return;
    const uint64_t size = bytes_le64(r, 4);
    json_t *o = json_object();
    xyz_put(run, o, "end_dir64_offset", xyz_number(*at));
    xyz_put(run, o, "end_dir64_size", xyz_number(size));
    xyz_put(run, o, "create_ver", xyz_number(bytes_u8(r, 12)));
    xyz_put(run, o, "create_sys_raw", xyz_number(bytes_u8(r, 13)));
    xyz_put(run, o, "extract_ver", xyz_number(bytes_le16(r, 14)));
    xyz_put(run, o, "disk_num", xyz_number(bytes_le32(r, 16)));
    xyz_put(run, o, "disk_num_dir", xyz_number(bytes_le32(r, 20)));
    xyz_put(run, o, "num_entries_disk", xyz_number(bytes_le64(r, 24)));
    xyz_put(run, o, "num_entries", xyz_number(bytes_le64(r, 32)));
    xyz_put(run, o, "dir_size", xyz_number(bytes_le64(r, 40)));
    xyz_put(run, o, "dir_offset", xyz_number(bytes_le64(r, 48)));
    xyz_put(run, o, "create_sys", json_string(xyz_label_system(bytes_u8(r, 13))));
    /* the size does not count itself and the signature */
    *at += XYZ_END64_SIZE;
    const uint64_t extended =
        size > XYZ_END64_SIZE - 12 ? size - (XYZ_END64_SIZE - 12) : 0;
    struct bytes more = bytes_at(data, *at, extended);
    if (more.size > 0 && xyz_take_room(run, 2 * more.size)) {
        xyz_put(run, o, "extended", xyz_hex(more));
        *at += more.size;
    }
    xyz_put(run, o, "end_dir64_end", xyz_number(*at));
    xyz_put(run, archive, "end_dir64", o);
}

static void
put_locator64(struct xyz_run *run, json_t *archive, uint64_t *at)
{
    struct bytes r = bytes_at(run->zip.data, *at, XYZ_LOC64_SIZE);
    if (!bytes_are(r, 0, "PK\x06\x07", 4))
        return;
    json_t *o = json_object();
    xyz_put(run, o, "loc_dir64_offset", xyz_number(*at));
    xyz_put(run, o, "disk_num_end_dir64", xyz_number(bytes_le32(r, 4)));
    xyz_put(run, o, "end_dir64_offset", xyz_number(bytes_le64(r, 8)));
    xyz_put(run, o, "num_disks", xyz_number(bytes_le32(r, 16)));
    *at += XYZ_LOC64_SIZE;
    xyz_put(run, o, "loc_dir64_end", xyz_number(*at));
    xyz_put(run, archive, "loc_dir64", o);
}

static void
put_end(struct xyz_run *run, json_t *archive, uint64_t at)
{
    struct bytes r = bytes_at(run->zip.data, at, XYZ_END_SIZE);
    if (!bytes_are(r, 0, "PK\x05\x06", 4))
        return;
    struct bytes rest = bytes_from(run->zip.data, at + XYZ_END_SIZE);
    const size_t size = bytes_le16(r, 20);
    struct bytes comment = bytes_at(rest, 0, size < rest.size ? size : rest.size);
    struct xyz_text text = {NULL, 0};
    json_t *o = json_object();
    xyz_put(run, o, "end_dir_offset", xyz_number(at));
    xyz_put(run, o, "disk_num", xyz_number(bytes_le16(r, 4)));
    xyz_put(run, o, "disk_num_dir", xyz_number(bytes_le16(r, 6)));
    xyz_put(run, o, "num_entries_disk", xyz_number(bytes_le16(r, 8)));
    xyz_put(run, o, "num_entries", xyz_number(bytes_le16(r, 10)));
    xyz_put(run, o, "dir_size", xyz_number(bytes_le32(r, 12)));
    xyz_put(run, o, "dir_offset", xyz_number(bytes_le32(r, 16)));
    xyz_put(run, o, "comment_len", xyz_number(size));
    if (size > 0) {
        if (xyz_text_decode(comment, true, &text, NULL) < 0)
            run->no_memory = true;
        else
            xyz_put(run, o, "comment", json_stringn(text.data, text.size));
        free(text.data);
    }
    xyz_put(run, o, "end_dir_end", xyz_number(at + XYZ_END_SIZE + comment.size));
    xyz_put(run, archive, "end_dir", o);
}

/* ------------------------------------------------------------------------ a payload */

static int
describe_files(struct xyz_run *run, json_t *files)
{
    uint64_t previous_end = 0;
    for (size_t i = 0; i < run->zip.count; i++) {
        int r = 0;
        json_t *file = xyz_entry_describe(run, i, &previous_end, &r);
        if (r == -E2BIG) {
            stoq_reply_limit(run->reply, "entries", i);
            return 0;
        }
        if (!file)
            return r;
        if (json_array_append_new(files, file) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* Where the directory's records end; the original has the first one's end here. */
static uint64_t
directory_end(const struct xyz_zip *zip, bool complete)
{
    const struct xyz_entry *e = &zip->entries[complete ? zip->count - 1 : 0];
    struct bytes r = bytes_at(zip->data, e->record, XYZ_RECORD_SIZE);
    return e->record + XYZ_RECORD_SIZE + e->name_len + bytes_le16(r, 30) +
           bytes_le16(r, 32);
}

static int
describe(struct xyz_run *run, json_t *archive)
{
    const struct xyz_zip *zip = &run->zip;
    if (zip->comment.size == 0)
        xyz_put(run, archive, "comment", json_null());
    else if (stoq_json_set_text(archive, "comment", zip->comment.data,
                                zip->comment.size) < 0)
        return -ENOMEM;
    xyz_put(run, archive, "dir_offset", xyz_number(zip->start));
    json_t *files = json_array();
    xyz_put(run, archive, "files", files);
    if (!files || run->no_memory)
        return -ENOMEM;
    const int r = describe_files(run, files);
    if (r < 0)
        return r;
    if (zip->count == 0 && !run->in->complete)
        return stoq_error_set(run->err, STOQ_ERROR_FORMAT, -EBADMSG,
                              "IndexError: list index out of range");
    uint64_t at = zip->count > 0 ? directory_end(zip, run->in->complete) : zip->start;
    xyz_put(run, archive, "dir_end", xyz_number(at));
    if (run->in->complete) {
        put_end64(run, archive, &at);
        put_locator64(run, archive, &at);
        put_end(run, archive, at);
    }
    return run->no_memory ? -ENOMEM : 0;
}

static int
plugin_scan(void *instance, struct stoq_payload *payload,
            const struct stoq_request *request, struct stoq_reply *reply,
            unsigned flags, struct stoq_error *err)
{
    (void)request;
    (void)flags;
    const struct xyz_options *in = instance;
    struct xyz_run run = {.in = in,
                          .reply = reply,
                          .err = err,
                          .deadline = now_ns() + in->timeout * 1000000000U,
                          .room = RESULTS_MAX};
    run.zip.data.data = stoq_payload_data(payload, &run.zip.data.size);
    int r = xyz_directory_read(&run.zip, err);
    json_t *archive = r == 0 ? json_object() : NULL;
    if (r == 0)
        r = archive ? describe(&run, archive) : -ENOMEM;
    xyz_directory_free(&run.zip);
    if (r == 0) {
        stoq_reply_results(reply, archive);
        return 0;
    }
    json_decref(archive);
    return r == -ENOMEM ? stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "out of memory")
                        : r;
}

static int
plugin_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct xyz_options *in = calloc(1, sizeof *in);
    if (!in)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    in->derive = stoq_ctx_bool(ctx, "derive_deflate_level");
    in->decompress = in->derive || stoq_ctx_bool(ctx, "decompress_files");
    in->complete = stoq_ctx_bool(ctx, "complete");
    in->maximum_size = (uint64_t)stoq_ctx_int(ctx, "maximum_size");
    in->timeout = (uint64_t)stoq_ctx_int(ctx, "timeout");
    *instance = in;
    return 0;
}

static const struct stoq_option options[] = {
    {"decompress_files", STOQ_OPTION_BOOL, "True", 0, 0,
     "Unpack members and tell their size and checksum."},
    {"derive_deflate_level", STOQ_OPTION_BOOL, "True", 0, 0,
     "Find zlib's level by packing members again; implies decompress_files."},
    {"complete", STOQ_OPTION_BOOL, "False", 0, 0,
     "Also what the original leaves out: every record's place, the directory's end, "
     "descriptors with a signature, and damaged members."},
    {"maximum_size", STOQ_OPTION_INT, "50000000", 1, 1000000000,
     "Bytes a member may unpack to."},
    {"timeout", STOQ_OPTION_INT, "45", 1, 86400, "Seconds one payload may take."},
    {NULL, STOQ_OPTION_STRING, NULL, 0, 0, NULL}};

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "xyz",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = plugin_open,
    .close = free,
    .scan = plugin_scan,
};
STOQ_PLUGIN(plugin);
