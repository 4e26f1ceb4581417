/* SPDX-License-Identifier: Apache-2.0 */
/* The wire: messages round trip, hostile ones are refused. */
#include <sys/socket.h>

#include "pool/wire.h"
#include "pool_fixture.h"

static struct stoq_wire_msg msg;

static void
pair(int fds[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
}

/** A RESULT with a body of @p size bytes arrives as it was sent. */
static void
round_trip(size_t size, bool apart)
{
    struct stoq_wire_result w = {.head.type = STOQ_WIRE_RESULT, .id = 7};
    struct stoq_wire_out out = {.head = &w.head, .size = sizeof(w)};
    STOQ_AUTOFREE char *body = malloc(size + 1);
    STOQ_AUTOFREE char *back = malloc(size + 1);
    int fds[2];

    pair(fds);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)(i * 31 + i / 251);
    out.body[0].iov_base = body;
    out.body[0].iov_len = size / 3;
    out.body[1].iov_base = body + size / 3;
    out.body[1].iov_len = size - size / 3;
    ck_assert_int_eq(stoq_wire_send(fds[0], &out), 0);
    ck_assert_int_eq(stoq_wire_recv(fds[1], &msg), 1);
    ck_assert_uint_eq(msg.u.head.body, size);
    ck_assert_uint_eq(msg.u.head.flags, apart ? STOQ_WIRE_BODY_FD : 0);
    ck_assert_uint_eq(msg.nfds, apart ? 1 : 0);
    ck_assert_uint_eq(msg.u.result.id, 7);
    ck_assert_int_eq(stoq_wire_body(&msg, 0, back, size), 0);
    ck_assert_mem_eq(back, body, size);
    if (size > 2) {
        ck_assert_int_eq(stoq_wire_body(&msg, 2, back, size - 2), 0);
        ck_assert_mem_eq(back, body + 2, size - 2);
    }
    ck_assert_int_eq(stoq_wire_body(&msg, 1, back, size), -EPROTO);
    ck_assert_int_eq(stoq_wire_body(&msg, UINT64_MAX, back, size), -EPROTO);
    stoq_wire_close(&msg);
    (void)close(fds[0]);
    ck_assert_int_eq(stoq_wire_recv(fds[1], &msg), 0);
    (void)close(fds[1]);
}

START_TEST(bodies_arrive)
{
    round_trip(0, false);
    round_trip(1, false);
    round_trip(STOQ_WIRE_INLINE, false);
    round_trip(STOQ_WIRE_INLINE + 1, true);
    round_trip(3U << 20, true);
}
END_TEST

START_TEST(bad_sizes_are_refused)
{
    static const struct {
        uint32_t type, flags;
        uint64_t body;
        size_t size;
        size_t nfds;
    } cases[] = {
        {0, 0, 0, sizeof(struct stoq_wire_head), 0},
        {STOQ_WIRE_TYPE_END, 0, 0, sizeof(struct stoq_wire_head), 0},
        {UINT32_MAX, 0, 0, sizeof(struct stoq_wire_head), 0},
        {STOQ_WIRE_RESULT, 0, 0, sizeof(struct stoq_wire_head), 0},
        {STOQ_WIRE_RESULT, 0, 0, 3, 0},
        {STOQ_WIRE_RESULT, 0, 0, sizeof(struct stoq_wire_result) - 1, 0},
        {STOQ_WIRE_RESULT, 0, 1, sizeof(struct stoq_wire_result), 0},
        {STOQ_WIRE_RESULT, 0, 0, sizeof(struct stoq_wire_result) + 1, 0},
        {STOQ_WIRE_RESULT, 0, UINT64_MAX, sizeof(struct stoq_wire_result) - 1, 0},
        {STOQ_WIRE_RESULT, 0, UINT64_MAX, sizeof(struct stoq_wire_result) + 9, 0},
        {STOQ_WIRE_RESULT, 2, 0, sizeof(struct stoq_wire_result), 0},
        {STOQ_WIRE_RESULT, 3, 0, sizeof(struct stoq_wire_result), 1},
        {STOQ_WIRE_RESULT, STOQ_WIRE_BODY_FD, 9, sizeof(struct stoq_wire_result), 0},
        {STOQ_WIRE_RESULT, STOQ_WIRE_BODY_FD, 9, sizeof(struct stoq_wire_result), 2},
        {STOQ_WIRE_RESULT, 0, 0, sizeof(struct stoq_wire_result), 1},
        {STOQ_WIRE_HELLO, 0, 4, sizeof(struct stoq_wire_hello) + 4, 0},
        {STOQ_WIRE_HELLO, STOQ_WIRE_BODY_FD, 0, sizeof(struct stoq_wire_hello), 1},
        {STOQ_WIRE_JOB, 0, 0, sizeof(struct stoq_wire_job), 0},
        {STOQ_WIRE_FORKED, 0, 0, sizeof(struct stoq_wire_fork), 1},
    };

    for (size_t i = 0; i < STOQ_ARRAY_SIZE(cases); i++) {
        memset(&msg, 0, sizeof(msg));
        msg.u.head.type = cases[i].type;
        msg.u.head.flags = cases[i].flags;
        msg.u.head.body = cases[i].body;
        msg.nfds = cases[i].nfds;
        for (size_t k = 0; k < msg.nfds; k++)
            msg.fds[k] = stoq_memfd("x", "123456789", 9);
        ck_assert_msg(stoq_wire_check(&msg, cases[i].size) == -EPROTO, "case %zu", i);
        stoq_wire_close(&msg);
    }
}
END_TEST

START_TEST(bodies_must_be_sealed)
{
    struct stoq_wire_result w = {.head = {STOQ_WIRE_RESULT, STOQ_WIRE_BODY_FD, 9}};
    int fds[2], body[4], n = 0;

    pair(fds);
    body[n++] = memfd_of("123456789", 9);                         /* not sealed */
    body[n++] = stoq_memfd("x", "12345678", 8);                   /* too short */
    body[n++] = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC); /* no memfd at all */
    body[n++] = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_eq(stoq_write_full(body[3], "123456789", 9), 0);
    ck_assert_int_eq(fcntl(body[3], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(stoq_msg_send(fds[0], &w, sizeof(w), &body[i], 1), 0);
        ck_assert_msg(stoq_wire_recv(fds[1], &msg) == -EPROTO, "case %d", i);
        ck_assert_uint_eq(msg.nfds, 0);
        (void)close(body[i]);
    }
    body[0] = stoq_memfd("x", "123456789", 9);
    ck_assert_int_eq(stoq_msg_send(fds[0], &w, sizeof(w), body, 1), 0);
    ck_assert_int_eq(stoq_wire_recv(fds[1], &msg), 1);
    stoq_wire_close(&msg);
    (void)close(body[0]);
    (void)close(fds[0]);
    (void)close(fds[1]);
}
END_TEST

START_TEST(oversized_messages_are_refused)
{
    size_t size = sizeof(msg.u.bytes) + 1;
    STOQ_AUTOFREE char *data = calloc(1, size);
    int fds[2];

    pair(fds);
    ck_assert_int_eq(stoq_msg_send(fds[0], data, size, NULL, 0), 0);
    ck_assert_int_eq(stoq_wire_recv(fds[1], &msg), -EMSGSIZE);
    (void)close(fds[0]);
    (void)close(fds[1]);
}
END_TEST

/** Lengths of filename and path, two dispatch names; all others absent. */
static struct stoq_wire_job
job_of(uint32_t filename, uint32_t path, uint32_t dispatch)
{
    struct stoq_wire_job job = {.head.type = STOQ_WIRE_JOB, .dispatch = dispatch};

    for (size_t i = 0; i < STOQ_WIRE_TEXTS; i++)
        job.length[i] = STOQ_WIRE_NONE;
    job.length[STOQ_WIRE_FILENAME] = filename;
    job.length[STOQ_WIRE_PATH] = path;
    return job;
}

START_TEST(names_are_found)
{
    static const char body[] = "abc\0/d/abc\0hash\0yara";
    struct stoq_wire_job job = job_of(3, 6, 2);
    struct stoq_wire_names names;

    ck_assert_int_eq(stoq_wire_names(&job, body, sizeof(body), &names), 0);
    ck_assert_str_eq(names.text[STOQ_WIRE_FILENAME], "abc");
    ck_assert_str_eq(names.text[STOQ_WIRE_PATH], "/d/abc");
    ck_assert_ptr_null(names.text[STOQ_WIRE_OWNER]);
    ck_assert_str_eq(names.dispatch, "hash");
}
END_TEST

START_TEST(bad_names_are_refused)
{
    static const char body[] = "abc\0/d/abc\0hash\0yara";
    const struct {
        struct stoq_wire_job job;
        size_t size;
    } cases[] = {
        {job_of(2, 6, 2), sizeof(body)},
        {job_of(4, 6, 2), sizeof(body)},
        {job_of(UINT32_MAX - 1, 6, 2), sizeof(body)},
        {job_of(3, 6, 1), sizeof(body)},
        {job_of(3, 6, 3), sizeof(body)},
        {job_of(3, 6, UINT32_MAX), sizeof(body)},
        {job_of(3, 6, 2), sizeof(body) - 1},
        {job_of(3, 6, 2), 0},
    };
    struct stoq_wire_names names;

    for (size_t i = 0; i < STOQ_ARRAY_SIZE(cases); i++)
        ck_assert_msg(stoq_wire_names(&cases[i].job, body, cases[i].size, &names) ==
                          -EPROTO,
                      "case %zu", i);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        bodies_arrive,         bad_sizes_are_refused,
        bodies_must_be_sealed, oversized_messages_are_refused,
        names_are_found,       bad_names_are_refused,
    };
    return run_suite("pool wire", tests, STOQ_ARRAY_SIZE(tests));
}
