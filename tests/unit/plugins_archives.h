/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_ARCHIVES_H
#define PLUGINS_ARCHIVES_H

/*
 * What the tests of decompress share: archives made with libarchive's writer, and one
 * scan told as a line of text. All static: each test is a program of its own.
 */

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugins_support.h"
#include "util/strbuf.h"

#define ROOM ((size_t)4 << 20)

/* An archive being made, or made. */
struct made {
    unsigned char *data;
    size_t size;
    struct archive *a;
};

static inline void
begin(struct made *m, const char *format, const char *filter, const char *password)
{
    m->data = malloc(ROOM);
    m->a = archive_write_new();
    ck_assert_ptr_nonnull(m->data);
    ck_assert_int_eq(archive_write_set_format_by_name(m->a, format), ARCHIVE_OK);
    if (filter)
        ck_assert_int_eq(archive_write_add_filter_by_name(m->a, filter), ARCHIVE_OK);
    (void)archive_write_set_bytes_in_last_block(m->a, 1);
    /* small dictionaries: readers allocate what the archive asks for */
    if (filter)
        (void)archive_write_set_filter_option(m->a, NULL, "compression-level", "1");
    if (strcmp(format, "7zip") == 0)
        (void)archive_write_set_format_option(m->a, format, "compression-level", "1");
    if (password) {
        const char *colon = strchr(password, ':');
        char method[32] = "";
        memcpy(method, password, (size_t)(colon - password));
        ck_assert_int_eq(
            archive_write_set_format_option(m->a, "zip", "encryption", method),
            ARCHIVE_OK);
        ck_assert_int_eq(archive_write_set_passphrase(m->a, colon + 1), ARCHIVE_OK);
    }
    ck_assert_int_eq(archive_write_open_memory(m->a, m->data, ROOM, &m->size),
                     ARCHIVE_OK);
}

static inline void
add(struct made *m, const char *name, const void *data, size_t size)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, (la_int64_t)size);
    ck_assert_int_eq(archive_write_header(m->a, e), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_data(m->a, data, size), (la_ssize_t)size);
    archive_entry_free(e);
}

static inline void
end(struct made *m)
{
    ck_assert_int_eq(archive_write_close(m->a), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_free(m->a), ARCHIVE_OK);
    m->a = NULL;
}

/* "a.txt" and "d/b.bin" in one archive. */
static inline struct made
two(const char *format, const char *filter, const char *password)
{
    struct made m = {0};
    begin(&m, format, filter, password);
    add(&m, "a.txt", "hello", 5);
    add(&m, strncmp(format, "ar", 2) == 0 ? "b.bin" : "d/b.bin", "worlds", 6);
    end(&m);
    return m;
}

static inline struct made
stream(const char *filter, const void *data, size_t size)
{
    struct made m = {0};
    begin(&m, "raw", filter, NULL);
    add(&m, "data", data, size);
    end(&m);
    return m;
}

/* ------------------------------------------------------------------------- scans */

/* One scan with its budgets. */
struct job {
    uint64_t bytes, children; /* 0 = no limit */
    const char *mime;         /* what the mimetype worker says, or NULL */
    const char *extra;        /* extra_data as JSON, or NULL */
    struct stoq_reply reply;
    struct stoq_error err;
    int r;
};

static inline void
run(struct job *j, struct stoq_loaded *p, const void *data, size_t size)
{
    struct stoq_payload *target = payload(data, size, NULL);
    if (j->mime) {
        json_t *workers = (json_t *)(uintptr_t)stoq_payload_workers(target);
        ck_assert_int_eq(json_object_set_new(workers, "mimetype",
                                             json_pack("{s: s}", "mimetype", j->mime)),
                         0);
    }
    if (j->extra) {
        json_t *extra = json_loads(j->extra, 0, NULL);
        ck_assert_int_eq(json_object_update(stoq_payload_extra_data(target), extra), 0);
        json_decref(extra);
    }
    stoq_reply_init(&j->reply, j->bytes ? j->bytes : UINT64_MAX,
                    j->children ? j->children : UINT64_MAX);
    j->r = stoq_call_scan(p, target, NULL, &j->reply, &j->err);
    stoq_payload_free(target);
}

/* "NAME=CONTENT ..." of the children, then "!ERROR" and "<LIMIT>" entries. */
static inline char *
told(struct job *j)
{
    struct stoq_strbuf out = {0};
    stoq_strbuf_adds(&out, "");
    for (const struct stoq_child *c = j->reply.children; c; c = c->next) {
        if (c->size < 40)
            stoq_strbuf_addf(&out, "%s=%.*s ", c->filename, (int)c->size,
                             (const char *)c->data);
        else
            stoq_strbuf_addf(&out, "%s:%zu ", c->filename, c->size);
    }
    for (size_t i = 0; i < j->reply.errors.count; i++)
        stoq_strbuf_addf(&out, "!%s ", j->reply.errors.items[i]);
    for (size_t i = 0; i < j->reply.hit_count; i++)
        stoq_strbuf_addf(&out, "<%s %llu> ", j->reply.hits[i].name,
                         (unsigned long long)j->reply.hits[i].value);
    return stoq_strbuf_steal(&out);
}

/* Scan with given options; the text is told()'s, or the error of the call. */
static inline char *
outcome(struct stoq_loaded *p, struct job *j, const void *data, size_t size)
{
    run(j, p, data, size);
    char *text = j->r == 0 ? told(j) : strdup(j->err.message);
    if (j->r == 0)
        ck_assert(json_is_object(j->reply.results) &&
                  json_object_size(j->reply.results) == 0);
    stoq_reply_fini(&j->reply);
    return text;
}

#define CHECK_SCAN(p, m, expected, ...)                                  \
    do {                                                                 \
        struct job job_ = {__VA_ARGS__};                                 \
        CHECK_TEXT(outcome((p), &job_, (m).data, (m).size), (expected)); \
    } while (0)

#endif
