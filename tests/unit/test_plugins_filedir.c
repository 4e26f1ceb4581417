/* SPDX-License-Identifier: Apache-2.0 */

/* filedir: what the provider finds, what the connector and the archiver leave on disk,
 * and what the archiver gives back. */

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/queue.h"
#include "plugins_support.h"
#include "util/auto.h"

static const char *
option(const char *key, const char *path)
{
    static char buffers[4][600];
    static unsigned next;
    char *text = buffers[next++ % 4];
    (void)snprintf(text, sizeof buffers[0], "%s=%s", key, path);
    return text;
}

/* Number of entries of a directory, by full path; -1 when it is not there. */
static int
entries(const char *path)
{
    DIR *d = opendir(path);
    if (!d)
        return -1;
    int n = 0;
    for (const struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    (void)closedir(d);
    return n;
}

static mode_t
mode_of(const char *path)
{
    struct stat st;
    ck_assert_msg(lstat(path, &st) == 0, "%s", path);
    return st.st_mode & 07777;
}

/* ----------------------------------------------------------------------- provider */

/* Ingest and list the finds as "source_dir/filename=content", in order. */
static char *
ingested(struct stoq_loaded *p, int *code)
{
    struct stoq_queue *queue = NULL;
    struct stoq_error err = {0};
    struct stoq_strbuf out = {0};
    ck_assert_int_eq(stoq_queue_new(100, &queue, NULL), 0);
    *code = stoq_call_ingest(p, queue, &err);
    stoq_queue_close(queue);
    for (struct stoq_queue_item item = {0}; stoq_queue_take(queue, &item, 1000) == 0;) {
        char content[64] = "";
        ck_assert_int_eq(item.kind, STOQ_ITEM_FILE);
        ck_assert_int_ge(pread(item.fd, content, sizeof content - 1, 0), 0);
        stoq_strbuf_addf(
            &out, "%s/%s=%s;",
            json_string_value(json_object_get(item.extra_data, "source_dir")),
            json_string_value(json_object_get(item.extra_data, "filename")), content);
        stoq_queue_item_fini(&item);
        item = (struct stoq_queue_item){0};
    }
    stoq_queue_free(queue);
    stoq_strbuf_adds(&out, "");
    return stoq_strbuf_steal(&out);
}

static void
make_source(void)
{
    put_file("in/b", "2");
    put_file("in/a", "1");
    put_file("in/.hidden", "h");
    put_file("in/sub/c", "3");
    put_file("in/.dir/d", "4");
    put_file("in/empty", "");
    put_file("secret", "s");
    ck_assert_int_eq(symlink(in_dir("secret"), in_dir("in/link")), 0);
    ck_assert_int_eq(symlink("sub", in_dir("in/dirlink")), 0);
    ck_assert_int_eq(mkfifo(in_dir("in/fifo"), 0600), 0);
}

static const struct source {
    const char *dir, *recursive;
    const char *found; /* %s is the directory of the test */
} sources[] = {
    {"in", "False", "@/in/a=1;@/in/b=2;@/in/empty=;"},
    {"in", "True", "@/in/.dir/d=4;@/in/a=1;@/in/b=2;@/in/empty=;@/in/sub/c=3;"},
    {"in/", "False", "@/in/a=1;@/in/b=2;@/in/empty=;"},
    {"in/b", "False", "@/in/b=2;"},
    {"in/.hidden", "False", ""},
};

START_TEST(provider_finds_files)
{
    const struct source *s = &sources[_i];
    make_source();
    struct stoq_strbuf expected = {0};
    for (const char *at = s->found; *at; at++)
        stoq_strbuf_add(&expected, *at == '@' ? test_dir : at,
                        *at == '@' ? strlen(test_dir) : 1);
    stoq_strbuf_adds(&expected, "");
    struct stoq_loaded *p =
        LOADED("filedir", NULL, option("source_dir", in_dir(s->dir)),
               option("recursive", s->recursive));
    int code = -1;
    CHECK_TEXT(ingested(p, &code), expected.data);
    ck_assert_int_eq(code, 0);
    stoq_strbuf_fini(&expected);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(provider_without_a_source_fails)
{
    int code = 0;
    struct stoq_loaded *p = LOADED("filedir", NULL, NULL);
    CHECK_TEXT(ingested(p, &code), "");
    ck_assert_int_eq(code, -EINVAL);
    stoq_loaded_free(p);
    p = LOADED("filedir", NULL, option("source_dir", in_dir("nowhere")));
    CHECK_TEXT(ingested(p, &code), "");
    ck_assert_int_eq(code, -ENOENT);
    stoq_loaded_free(p);
}
END_TEST

/* ---------------------------------------------------------------------- connector */

static struct stoq_response *
response(void)
{
    struct stoq *stoq = NULL;
    struct stoq_response *r = NULL;
    struct stoq_config *config = NULL;
    ck_assert_int_eq(stoq_config_new(&config, NULL), 0);
    ck_assert_int_eq(
        stoq_config_set(config, "core", "plugin_dir_list", BUILD_DIR "/plugins", NULL),
        0);
    ck_assert_int_eq(stoq_config_set(config, "core", "log_dir", "", NULL), 0);
    ck_assert_int_eq(stoq_new(config, 0, &stoq, NULL), 0);
    ck_assert_int_eq(stoq_scan(stoq, "x", 1, NULL, NULL, &r, NULL), 0);
    stoq_config_free(config);
    stoq_free(stoq);
    return r;
}

/* The file a response goes to with this format of the date directory. */
static const char *
result_path(const struct stoq_response *r, const char *format)
{
    char date[64] = "", name[200];
    struct tm tm = {0};
    const char *text =
        json_string_value(json_object_get(stoq_response_document(r), "time"));
    ck_assert_ptr_nonnull(strptime(text, "%Y-%m-%dT%H:%M:%S", &tm));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (format[0])
        ck_assert_uint_gt(strftime(date, sizeof date, format, &tm), 0);
#pragma GCC diagnostic pop
    (void)snprintf(name, sizeof name, "out/results/%s%s%s", date, format[0] ? "/" : "",
                   stoq_response_scan_id(r));
    return in_dir(name);
}

static const struct form {
    const char *compactly, *date_mode, *date_format;
} forms[] = {
    {"True", "False", "%Y"},
    {"False", "False", "%Y"},
    {"True", "True", "%Y/%m/%d"},
    {"True", "True", "%Y-%m"},
};

START_TEST(connector_writes_one_file_per_result)
{
    const struct form *f = &forms[_i];
    ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
    struct stoq_response *r = response();
    struct stoq_loaded *p =
        LOADED("filedir", NULL, option("results_dir", in_dir("out/results")),
               option("compactly", f->compactly), option("date_mode", f->date_mode),
               option("date_format", f->date_format));
    bool dated = strcmp(f->date_mode, "True") == 0;
    const char *path = result_path(r, dated ? f->date_format : "");
    char *text = stoq_response_text(r, strcmp(f->compactly, "False") == 0);
    char *line = NULL;
    ck_assert_int_gt(asprintf(&line, "%s\n", text), 0);

    struct stoq_error err = {0};
    ck_assert_msg(stoq_call_save(p, r, &err) == 0, "%s", err.message);
    CHECK_TEXT(get_file(path), line);
    ck_assert_uint_eq(mode_of(path), 0640);
    ck_assert_uint_eq(mode_of(in_dir("out/results")), 0750);
    /* Delivered twice is delivered, and what was there is kept. */
    FILE *file = fopen(path, "we");
    ck_assert_int_eq(fputs("first", file), 1);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_msg(stoq_call_save(p, r, &err) == 0, "%s", err.message);
    CHECK_TEXT(get_file(path), "first");
    if (!dated)
        ck_assert_int_eq(entries(in_dir("out/results")), 1);
    free(text);
    free(line);
    stoq_response_free(r);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(connector_fails_when_it_cannot_write)
{
    struct stoq_response *r = response();
    struct stoq_error err = {0};
    put_file("out", "a file");
    struct stoq_loaded *p =
        LOADED("filedir", NULL, option("results_dir", in_dir("out/results")));
    ck_assert_int_eq(stoq_call_save(p, r, &err), -ENOTDIR);
    ck_assert_ptr_nonnull(strstr(err.message, "Not a directory"));
    stoq_loaded_free(p);
    stoq_response_free(r);
}
END_TEST

START_TEST(directories_not_set_are_in_the_current_directory)
{
    ck_assert_int_eq(chdir(test_dir), 0);
    struct stoq_response *r = response();
    struct stoq_loaded *p = LOADED("filedir", NULL, NULL);
    /* Where it was started counts, not where it is by now. */
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(stoq_call_save(p, r, NULL), 0);
    ck_assert_int_eq(entries(in_dir("results")), 1);
    stoq_loaded_free(p);
    stoq_response_free(r);
}
END_TEST

/* ----------------------------------------------------------------------- archiver */

/* Archive bytes and check the path in the answer; ids are random, hence the format. */
static void
archive(struct stoq_loaded *p, const char *bytes, const char *format)
{
    struct stoq_payload *about = payload(bytes, strlen(bytes), NULL);
    struct stoq_request *request = NULL;
    struct stoq_reply reply;
    struct stoq_error err = {0};
    char expected[PATH_MAX];
    ck_assert_int_eq(stoq_request_new(NULL, NULL, true, &request, NULL), 0);
    stoq_reply_init(&reply, 0, 0);
    ck_assert_msg(stoq_call_archive(p, about, request, &reply, &err) == 0, "%s",
                  err.message);
    (void)snprintf(expected, sizeof expected, "%s/%s%s", test_dir, format,
                   format[strlen(format) - 1] == '/' ? stoq_payload_id(about) : "");
    ck_assert_str_eq(json_string_value(json_object_get(reply.results, "path")),
                     expected);
    ck_assert_uint_eq(json_object_size(reply.results), 1);
    CHECK_TEXT(get_file(expected), bytes);
    ck_assert_uint_eq(mode_of(expected), 0640);
    stoq_reply_fini(&reply);
    stoq_request_free(request);
    stoq_payload_free(about);
}

START_TEST(archiver_keeps_payloads_by_digest)
{
    struct stoq_loaded *p =
        LOADED("filedir", NULL, option("archive_dir", in_dir("archive")));
    static const char abc[] =
        "archive/a/9/9/9/3/a9993e364706816aba3e25717850c26c9cd0d89d";
    archive(p, "abc", abc);
    ck_assert_int_eq(entries(in_dir("archive")), 1);
    ck_assert_uint_eq(mode_of(in_dir("archive/a/9")), 0750);
    /* Kept once: the file is the one from before. */
    struct stat before, after;
    ck_assert_int_eq(stat(in_dir(abc), &before), 0);
    archive(p, "abc", abc);
    ck_assert_int_eq(stat(in_dir(abc), &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
    ck_assert_int_eq(entries(in_dir("archive/a/9/9/9/3")), 1);
    archive(p, "", "archive/d/a/3/9/a/da39a3ee5e6b4b0d3255bfef95601890afd80709");
    stoq_loaded_free(p);
}
END_TEST

START_TEST(archiver_keeps_payloads_by_id)
{
    struct stoq_loaded *p = LOADED(
        "filedir", NULL, option("archive_dir", in_dir("archive")), "use_sha=False");
    archive(p, "abc", "archive/");
    archive(p, "abc", "archive/");
    ck_assert_int_eq(entries(in_dir("archive")), 2);
    stoq_loaded_free(p);
    p = LOADED("filedir", NULL, option("archive_dir", in_dir("archive")),
               "use_sha=False", "date_mode=True", "date_format=day");
    archive(p, "abc", "archive/day/");
    stoq_loaded_free(p);
}
END_TEST

static const struct fetch {
    const char
        *path; /* below the directory of the test, or absolute; NULL = not given */
    int code;
    const char *child; /* NULL = none */
} fetches[] = {
    {"archive/x/kept", 0, "kept"},  {"archive/../archive/x/kept", 0, "kept"},
    {"archive/empty", 0, ""},       {"archive/x/nowhere", 0, NULL},
    {"secret", -EPERM, NULL},       {"archive/../secret", -EPERM, NULL},
    {"archive/link", -EPERM, NULL}, {"archive2/kept", -EPERM, NULL},
    {"/etc/passwd", -EPERM, NULL},  {"archive", -EPERM, NULL},
    {"archive/x", -EINVAL, NULL},   {"archive/fifo", -EINVAL, NULL},
    {NULL, -EINVAL, NULL},
};

START_TEST(archiver_gives_back_what_is_in_the_archive)
{
    const struct fetch *f = &fetches[_i];
    put_file("archive/x/kept", "kept");
    put_file("archive/empty", "");
    put_file("archive2/kept", "other");
    put_file("secret", "s");
    ck_assert_int_eq(symlink(in_dir("secret"), in_dir("archive/link")), 0);
    ck_assert_int_eq(mkfifo(in_dir("archive/fifo"), 0600), 0);
    struct stoq_loaded *p =
        LOADED("filedir", NULL, option("archive_dir", in_dir("archive")));
    json_t *task = json_pack("{s: s}", "note", "n");
    if (f->path)
        (void)json_object_set_new(
            task, "path", json_string(f->path[0] == '/' ? f->path : in_dir(f->path)));
    struct stoq_reply reply;
    struct stoq_error err = {0};
    stoq_reply_init(&reply, 1000, 10);
    ck_assert_int_eq(stoq_call_get(p, task, &reply, &err), f->code);
    ck_assert_uint_eq(reply.child_count, f->child ? 1 : 0);
    if (f->child) {
        ck_assert_uint_eq(reply.children->size, strlen(f->child));
        ck_assert_int_eq(memcmp(reply.children->data, f->child, strlen(f->child)), 0);
        ck_assert(json_equal(reply.children->extra_data, task));
    }
    stoq_reply_fini(&reply);
    json_decref(task);
    stoq_loaded_free(p);
}
END_TEST

START_TEST(archiver_respects_the_room_there_is)
{
    put_file("archive/kept", "kept");
    struct stoq_loaded *p =
        LOADED("filedir", NULL, option("archive_dir", in_dir("archive")));
    json_t *task = json_pack("{s: s}", "path", in_dir("archive/kept"));
    struct stoq_reply reply;
    struct stoq_error err = {0};
    stoq_reply_init(&reply, 3, 10);
    ck_assert_int_eq(stoq_call_get(p, task, &reply, &err), -E2BIG);
    ck_assert_uint_eq(reply.child_count, 0);
    stoq_reply_fini(&reply);
    json_decref(task);
    stoq_loaded_free(p);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_loop_test(tc, provider_finds_files, 0, (int)STOQ_ARRAY_SIZE(sources));
    tcase_add_test(tc, provider_without_a_source_fails);
    tcase_add_loop_test(tc, connector_writes_one_file_per_result, 0,
                        (int)STOQ_ARRAY_SIZE(forms));
    tcase_add_test(tc, connector_fails_when_it_cannot_write);
    tcase_add_test(tc, directories_not_set_are_in_the_current_directory);
    tcase_add_test(tc, archiver_keeps_payloads_by_digest);
    tcase_add_test(tc, archiver_keeps_payloads_by_id);
    tcase_add_loop_test(tc, archiver_gives_back_what_is_in_the_archive, 0,
                        (int)STOQ_ARRAY_SIZE(fetches));
    tcase_add_test(tc, archiver_respects_the_room_there_is);
}

int
main(void)
{
    return run_suite("filedir", fill);
}
