/* SPDX-License-Identifier: Apache-2.0 */

/* Payload bytes from files: small, mapped, shrinking under the scan. */

#include "test_core_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stoq/plugin.h>

#include "core/content.h"
#include "core/core.h"
#include "core/engine.h"
#include "core/mapping.h"
#include "util/auto.h"
#include "util/io.h"

STOQ_DEFINE_AUTO(stoq)
STOQ_DEFINE_AUTO(stoq_response)
STOQ_DEFINE_AUTO(stoq_request)

/* An unlinked file of n bytes, byte i being i modulo 251. */
static int
file_of(size_t n)
{
    char path[] = "/tmp/stoq-test-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(path), 0);
    STOQ_AUTOFREE unsigned char *bytes = malloc(n ? n : 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(i % 251);
    ck_assert_int_eq(stoq_write_full(fd, bytes, n), 0);
    return fd;
}

static const struct {
    size_t file, offset, size;
    int code;
} loads[] = {
    {0, 0, 0, 0},
    {1, 0, 1, 0},
    {10, 3, 5, 0},
    {10, 3, 8, -ENODATA},
    {STOQ_CONTENT_READ_MAX, 0, STOQ_CONTENT_READ_MAX, 0},
    {STOQ_CONTENT_READ_MAX + 1, 0, STOQ_CONTENT_READ_MAX + 1, 0},
    {2 * STOQ_CONTENT_READ_MAX, 4095, STOQ_CONTENT_READ_MAX + 4097, 0},
    {2 * STOQ_CONTENT_READ_MAX, 4096, STOQ_CONTENT_READ_MAX + 1, 0},
};

START_TEST(test_load)
{
    STOQ_AUTOCLOSE int fd = file_of(loads[_i].file);
    struct stoq_content c = {0};
    struct stoq_error err = {0};
    ck_assert_int_eq(stoq_content_load(&c, fd, loads[_i].offset, loads[_i].size, &err),
                     loads[_i].code);
    ck_assert_int_eq(err.code, loads[_i].code);
    if (loads[_i].code == 0) {
        ck_assert_uint_eq(c.size, loads[_i].size);
        ck_assert_int_eq(c.mapping != NULL, loads[_i].size > STOQ_CONTENT_READ_MAX);
        for (size_t i = 0; i < c.size; i++)
            if (c.data[i] != (loads[_i].offset + i) % 251)
                ck_abort_msg("byte %zu differs", i);
    }
    ck_assert(!stoq_content_torn(&c));
    stoq_content_fini(&c);
}
END_TEST

START_TEST(test_not_a_file)
{
    STOQ_AUTOCLOSE int dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stoq_payload *p = NULL;
    struct stoq_error err = {0};
    ck_assert_int_eq(stoq_payload_from_fd(dir, NULL, &p, &err), -EINVAL);
    ck_assert_str_eq(err.message, "not a regular file");
    ck_assert_int_eq(stoq_payload_from_fd(-1, NULL, &p, NULL), -EBADF);
    ck_assert_ptr_null(p);
}
END_TEST

#define BIG ((size_t)1024 * 1024)

static struct stoq_response *
scan_shrinking(struct stoq *stoq, off_t to)
{
    STOQ_AUTOCLOSE int fd = file_of(BIG);
    struct stoq_payload *p = NULL;
    STOQ_AUTO(stoq_request) request = NULL;
    struct stoq_response *r = NULL;
    ck_assert_int_eq(stoq_payload_from_fd(fd, NULL, &p, NULL), 0);
    ck_assert_int_eq(ftruncate(fd, to), 0);
    ck_assert_int_eq(stoq_request_new(NULL, NULL, true, &request, NULL), 0);
    ck_assert_int_eq(stoq_request_add(request, p, NULL), 0);
    ck_assert_int_eq(stoq_engine_scan(stoq, request, NULL, &r, NULL), 0);
    return r;
}

/* Where the file ends after it was mapped: nothing left, in a page, at a page. */
static const off_t ends[] = {0, 1000, 8192};

START_TEST(test_shrinking_file)
{
    STOQ_AUTO(stoq) stoq = ENGINE("core.always_dispatch=entropy");
    STOQ_AUTO(stoq_response) r = scan_shrinking(stoq, ends[_i]);
    ck_assert_int_eq(stoq_response_verdict(r), STOQ_VERDICT_ERROR);
    ck_assert(!stoq_response_reusable(r));
    ck_assert_ptr_null(stoq_response_sha256(r));
    CHECK_PART(r, "/errors",
               "[{\"error\": \"file changed during the scan\", \"plugin_name\": null, "
               "\"payload_id\": \"p0\"}]");
    CHECK_PART(r, "/results/0/plugins_run/workers", "[\"entropy\"]");
}
END_TEST

/* A mapping whose node was torn is whole again for the next file. */
START_TEST(test_torn_is_not_inherited)
{
    for (int round = 0; round < 3; round++) {
        STOQ_AUTOCLOSE int fd = file_of(BIG);
        struct stoq_mapping *m = NULL;
        ck_assert_int_eq(stoq_mapping_new(fd, 0, BIG, &m, NULL), 0);
        ck_assert(!stoq_mapping_torn(m));
        ck_assert_int_eq(ftruncate(fd, 4096), 0);
        volatile const unsigned char *data = stoq_mapping_data(m);
        ck_assert_uint_eq(data[100], 100);
        ck_assert(!stoq_mapping_torn(m));
        ck_assert_uint_eq(data[BIG - 1], 0);
        ck_assert(stoq_mapping_torn(m));
        stoq_mapping_free(m);
    }
}
END_TEST

static sigjmp_buf back;
static volatile sig_atomic_t jumped;

static void
own_handler(int sig)
{
    (void)sig;
    if (jumped)
        _exit(99); /* it would go round for ever */
    jumped = 1;
    siglongjmp(back, 1);
}

/* Faults that are none of ours reach the handler that was there before the first mapping;
 * so this test comes first, for the sake of runs without a fork per test. */
START_TEST(test_other_faults)
{
    struct sigaction action = {.sa_handler = own_handler};
    ck_assert_int_eq(sigaction(SIGBUS, &action, NULL), 0);
    STOQ_AUTOCLOSE int fd = file_of(BIG);
    struct stoq_mapping *m = NULL;
    ck_assert_int_eq(stoq_mapping_new(fd, 0, BIG, &m, NULL), 0);
    unsigned char *other = mmap(NULL, BIG, PROT_READ, MAP_PRIVATE, fd, 0);
    ck_assert_ptr_ne(other, MAP_FAILED);
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    volatile int caught = 0;
    if (sigsetjmp(back, 1) == 0)
        caught = 2 + *(volatile unsigned char *)other;
    else
        caught = 1;
    ck_assert_int_eq(caught, 1);
    ck_assert(!stoq_mapping_torn(m));
    ck_assert_uint_eq(*(volatile const unsigned char *)stoq_mapping_data(m), 0);
    ck_assert(stoq_mapping_torn(m));
    stoq_mapping_free(m);
    ck_assert_int_eq(munmap(other, BIG), 0);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_other_faults);
    tcase_add_loop_test(tc, test_load, 0, (int)STOQ_ARRAY_SIZE(loads));
    tcase_add_test(tc, test_not_a_file);
    tcase_add_loop_test(tc, test_shrinking_file, 0, (int)STOQ_ARRAY_SIZE(ends));
    tcase_add_test(tc, test_torn_is_not_inherited);
}

int
main(void)
{
    return run_suite("core_content", fill);
}
