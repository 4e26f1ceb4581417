/* SPDX-License-Identifier: Apache-2.0 */

/* The shipped content workers, the stdout connector and the example plugin. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test_plugin_support.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/json.h"

STOQ_DEFINE_AUTO(stoq_loaded)

static struct stoq_reply reply;

static void
begin(void)
{
    set_up();
    stoq_reply_init(&reply, UINT64_MAX, UINT64_MAX);
}

static void
end(void)
{
    stoq_reply_fini(&reply);
    tear_down();
}

/* Load plugin @name as it is shipped and scan @size bytes. */
static int
scan(const char *name, const void *data, size_t size, struct stoq_error *err)
{
    STOQ_AUTO(stoq_loaded) p = NULL;
    struct stoq_payload payload = {.data = data, .size = size};
    put_plugin(name, name, name, NULL);
    int r = load_plugin(name, NULL, &p, err);
    ck_assert_int_eq(r, 0);
    ck_assert(stoq_loaded_content_only(p));
    ck_assert_uint_eq(stoq_loaded_roles(p), STOQ_ROLE_WORKER);
    return stoq_call_scan(p, &payload, NULL, &reply, err);
}

static char *
results_text(void)
{
    char *text = stoq_json_dump(reply.results, false);
    ck_assert_ptr_nonnull(text);
    return text;
}

static const struct {
    const char *data, *results;
} hashes[] = {
    {"", "{\"sha256\": "
         "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\", "
         "\"md5\": \"d41d8cd98f00b204e9800998ecf8427e\", "
         "\"sha1\": \"da39a3ee5e6b4b0d3255bfef95601890afd80709\"}"},
    {"x", "{\"sha256\": "
          "\"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\", "
          "\"md5\": \"9dd4e461268c8034f5c8564e155c67a6\", "
          "\"sha1\": \"11f6ad8ec52a2984abaafd7c3b516503785c2072\"}"},
};

START_TEST(hash)
{
    ck_assert_int_eq(scan("hash", hashes[_i].data, strlen(hashes[_i].data), NULL), 0);
    STOQ_AUTOFREE char *text = results_text();
    ck_assert_str_eq(text, hashes[_i].results);
}
END_TEST

/* More than one step of the digest loop, and a last one that is not full. */
START_TEST(hash_of_a_long_payload)
{
    size_t size = 200001;
    STOQ_AUTOFREE char *data = calloc(size, 1);
    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(scan("hash", data, size, NULL), 0);
    ck_assert_str_eq(stoq_json_string_of(reply.results, "md5"),
                     "5d324a6a9c6855b90e59599ee6dcdf45");
    ck_assert_str_eq(stoq_json_string_of(reply.results, "sha1"),
                     "1a639321506dd0205b2534f20615231d7c867e9f");
}
END_TEST

static const struct {
    const char *data;
    size_t size;
    const char *results;
} entropies[] = {
    {"", 0, "{\"entropy\": 0.0}"},
    {"aaaaaaa", 7, "{\"entropy\": 0.0}"},
    {"ab", 2, "{\"entropy\": 1.0}"},
    {"abcdefgh", 8, "{\"entropy\": 3.0}"},
    {"B64!aGVsbG8gd29ybGQ=", 20, "{\"entropy\": 3.9841837197791885}"},
    {"B64!AaGVsbG8h", 13, "{\"entropy\": 3.546593564294939}"},
};

START_TEST(entropy)
{
    ck_assert_int_eq(scan("entropy", entropies[_i].data, entropies[_i].size, NULL), 0);
    STOQ_AUTOFREE char *text = results_text();
    ck_assert_str_eq(text, entropies[_i].results);
}
END_TEST

static const struct {
    const char *data, *child;
    size_t size;
    const char *complaint;
} encoded[] = {
    {"", "", sizeof("") - 1, NULL},
    {"aGVsbG8=", "hello", sizeof("hello") - 1, NULL},
    {"aGVs\r\nbG8=\n", "hello", sizeof("hello") - 1, NULL},
    {"aGVsbA==", "hell", sizeof("hell") - 1, NULL},
    {"aGVsbA=!=", "hell", sizeof("hell") - 1, NULL},
    {"aGVsbA==aGVs", "hell", sizeof("hell") - 1, NULL},
    {"=aGVs", "hel", sizeof("hel") - 1, NULL},
    {"====", "", sizeof("") - 1, NULL},
    {"B64!AaGVsbG8h", "\x07\xae\x00h\x65\x6c\x6c\x6f!",
     sizeof("\x07\xae\x00h\x65\x6c\x6c\x6f!") - 1, NULL},
    {"aGVsbG8", NULL, 0, "binascii.Error: Incorrect padding"},
    {"aGVsbA=", NULL, 0, "binascii.Error: Incorrect padding"},
    {"B64!aGVsbG8gd29ybGQ=", NULL, 0, "binascii.Error: Incorrect padding"},
    {"aGVsb", NULL, 0,
     "binascii.Error: Invalid base64-encoded string: number of data characters (5) "
     "cannot be 1 more than a multiple of 4"},
    {"a=", NULL, 0,
     "binascii.Error: Invalid base64-encoded string: number of data characters (1) "
     "cannot be 1 more than a multiple of 4"},
};

START_TEST(b64decode)
{
    struct stoq_error err = {0};
    int r = scan("b64decode", encoded[_i].data, strlen(encoded[_i].data), &err);
    ck_assert_ptr_null(reply.results);
    if (encoded[_i].complaint) {
        ck_assert_int_eq(r, -EBADMSG);
        ck_assert_str_eq(err.message, encoded[_i].complaint);
        ck_assert_uint_eq(reply.child_count, 0);
        return;
    }
    ck_assert_msg(r == 0, "%s", err.message);
    ck_assert_uint_eq(reply.child_count, 1);
    ck_assert_uint_eq(reply.children->size, encoded[_i].size);
    ck_assert_mem_eq(reply.children->data, encoded[_i].child, reply.children->size);
}
END_TEST

START_TEST(b64decode_without_room)
{
    stoq_reply_init(&reply, 4, 10);
    ck_assert_int_eq(scan("b64decode", "aGVsbG8=", 8, NULL), 0);
    ck_assert_uint_eq(reply.child_count, 0);
    ck_assert_uint_eq(reply.hit_count, 1);
    ck_assert_str_eq(reply.hits[0].name, "extracted_bytes");
}
END_TEST

#ifdef HAVE_MIMETYPE
static const struct {
    const char *data;
    size_t size;
    const char *type;
} types[] = {
    {"", 0, "application/x-empty"},
    {"plain words\n", 12, "text/plain"},
    {"\x1f\x8b\b\0\0\0\0\0\0\3", 10, "application/gzip"},
    {"%PDF-1.4\n", 9, "application/pdf"},
    {"\0\1\2\3", 4, "application/octet-stream"},
};

START_TEST(mimetype)
{
    ck_assert_int_eq(scan("mimetype", types[_i].data, types[_i].size, NULL), 0);
    ck_assert_uint_eq(json_object_size(reply.results), 1);
    ck_assert_str_eq(stoq_json_string_of(reply.results, "mimetype"), types[_i].type);
}
END_TEST
#endif

START_TEST(stdout_prints_the_document)
{
    STOQ_AUTO(stoq_loaded) p = NULL;
    STOQ_AUTOFREE char *text = NULL;
    size_t size = 0;
    const struct stoq_response response = {"{\n    \"results\": []\n}"};
    put_plugin("stdout", "stdout", "stdout", NULL);
    ck_assert_int_eq(load_plugin("stdout", NULL, &p, NULL), 0);
    ck_assert_uint_eq(stoq_loaded_roles(p), STOQ_ROLE_CONNECTOR);
    int saved = dup(STDOUT_FILENO);
    int fd = open(in_dir("out"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    int first = stoq_call_save(p, &response, NULL);
    int second = stoq_call_save(p, &response, NULL);
    ck_assert_int_eq(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
    (void)close(saved);
    (void)close(fd);
    ck_assert_int_eq(first, 0);
    ck_assert_int_eq(second, 0);
    ck_assert_int_eq(stoq_read_file(in_dir("out"), 4096, &text, &size, NULL), 0);
    ck_assert_str_eq(text, "{\n    \"results\": []\n}\n{\n    \"results\": []\n}\n");
}
END_TEST

START_TEST(stdout_that_is_full)
{
    STOQ_AUTO(stoq_loaded) p = NULL;
    struct stoq_error err = {0};
    const struct stoq_response response = {"{}"};
    put_plugin("stdout", "stdout", "stdout", NULL);
    ck_assert_int_eq(load_plugin("stdout", NULL, &p, NULL), 0);
    int saved = dup(STDOUT_FILENO);
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    int r = stoq_call_save(p, &response, &err);
    ck_assert_int_eq(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
    (void)close(saved);
    (void)close(fd);
    ck_assert_int_eq(r, -ENOSPC);
    ck_assert_str_eq(err.message, "standard output: No space left on device");
}
END_TEST

START_TEST(example)
{
    static const char text[] = ">>one\ntwo\n>>\nlast";
    ck_assert_int_eq(scan("example", text, sizeof(text) - 1, NULL), 0);
    STOQ_AUTOFREE char *results = results_text();
    ck_assert_str_eq(results, "{\"lines\": 4, \"marked\": 2}");
    ck_assert_uint_eq(reply.child_count, 2);
    ck_assert_mem_eq(reply.children->data, "one", 3);
    ck_assert_uint_eq(reply.children->next->size, 0);
    STOQ_AUTOFREE char *extra = stoq_json_dump(reply.children->next->extra_data, false);
    ck_assert_str_eq(extra, "{\"line\": 3}");
    ck_assert_uint_eq(reply.errors.count, 1);
    ck_assert_str_eq(reply.errors.items[0], "the last line has no newline");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("plugin_workers");
    TCase *tc = tcase_create("workers");
    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_loop_test(tc, hash, 0, STOQ_ARRAY_SIZE(hashes));
    tcase_add_test(tc, hash_of_a_long_payload);
    tcase_add_loop_test(tc, entropy, 0, STOQ_ARRAY_SIZE(entropies));
    tcase_add_loop_test(tc, b64decode, 0, STOQ_ARRAY_SIZE(encoded));
    tcase_add_test(tc, b64decode_without_room);
#ifdef HAVE_MIMETYPE
    tcase_add_loop_test(tc, mimetype, 0, STOQ_ARRAY_SIZE(types));
#endif
    tcase_add_test(tc, stdout_prints_the_document);
    tcase_add_test(tc, stdout_that_is_full);
    tcase_add_test(tc, example);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
