/* SPDX-License-Identifier: Apache-2.0 */
/* A scanner that was taken over: this test plays zygote and scanner, and lies. Every
 * lie costs it its life and the pool nothing; an honest answer is then accepted. */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "pool/wire.h"
#include "pool_fixture.h"

#define DOCUMENT \
    "{\"scan_id\": \"01234567-89ab-cdef-0123-456789abcdef\", \"verdict\": \"clean\"}"

/** One lie, told instead of the answer to a job. */
struct lie {
    const char *name;
    void (*tell)(int sock, uint64_t id);
};

static struct stoq_wire_msg msg; /* the liar's thread */

static void
result(int sock, struct stoq_wire_result *w, const void *extents, size_t size,
       const char *text, int fd)
{
    struct stoq_wire_out out = {.head = &w->head, .size = sizeof(*w)};

    w->head.type = STOQ_WIRE_RESULT;
    out.body[0].iov_base = (void *)(uintptr_t)extents;
    out.body[0].iov_len = size;
    out.body[1].iov_base = (void *)(uintptr_t)text;
    out.body[1].iov_len = strlen(text);
    out.fds[0] = fd;
    out.nfds = fd >= 0 ? 1 : 0;
    (void)stoq_wire_send(sock, &out);
    if (fd >= 0)
        (void)close(fd);
}

static void
honest(int sock, uint64_t id)
{
    struct stoq_wire_result w = {.id = id, .flags = STOQ_WIRE_RESULT_REUSABLE};

    result(sock, &w, NULL, 0, DOCUMENT, -1);
}

static void
bytes(int sock, uint64_t id)
{
    (void)id;
    (void)stoq_msg_send(sock, "what?", 5, NULL, 0);
}

static void
wrong_id(int sock, uint64_t id)
{
    struct stoq_wire_result w = {.id = id + 1};

    result(sock, &w, NULL, 0, DOCUMENT, -1);
}

static void
wrong_type(int sock, uint64_t id)
{
    struct stoq_wire_hello w = {.head.type = STOQ_WIRE_HELLO};

    (void)id;
    (void)stoq_msg_send(sock, &w, sizeof(w), NULL, 0);
}

static void
unasked_hash(int sock, uint64_t id)
{
    struct stoq_wire_hashed w = {.head.type = STOQ_WIRE_HASHED, .id = id};

    (void)stoq_msg_send(sock, &w, sizeof(w), NULL, 0);
}

static void
no_document(int sock, uint64_t id)
{
    struct stoq_wire_result w = {.id = id};

    result(sock, &w, NULL, 0, "", -1);
}

static void
no_json(int sock, uint64_t id)
{
    struct stoq_wire_result w = {.id = id};

    result(sock, &w, NULL, 0, "{\"verdict\": \"clean\"", -1);
}

static void
odd_verdict(int sock, uint64_t id)
{
    struct stoq_wire_result w = {.id = id};

    result(
        sock, &w, NULL, 0,
        "{\"scan_id\": \"01234567-89ab-cdef-0123-456789abcdef\", \"verdict\": \"ok\"}",
        -1);
}

static void
odd_flags(int sock, uint64_t id)
{
    struct stoq_wire_result w = {.id = id, .flags = 0x80000000U};

    result(sock, &w, NULL, 0, DOCUMENT, -1);
}

static void
huge_document(int sock, uint64_t id)
{
    struct stoq_wire_result w = {.id = id};
    size_t size = 3U << 20; /* the limit is 1 MiB */
    char *text = malloc(size + 1);

    memset(text, ' ', size);
    text[size] = '\0';
    memcpy(text, DOCUMENT, strlen(DOCUMENT));
    result(sock, &w, NULL, 0, text, -1);
    free(text);
}

static void
extents_past_body(int sock, uint64_t id)
{
    struct stoq_wire_result w = {.id = id, .extents = 1000, .payloads = 10};

    result(sock, &w, NULL, 0, DOCUMENT, stoq_memfd("x", "0123456789", 10));
}

static void
many_extents(int sock, uint64_t id)
{
    struct stoq_wire_result w = {.id = id, .extents = UINT32_MAX, .payloads = 10};

    result(sock, &w, NULL, 0, DOCUMENT, stoq_memfd("x", "0123456789", 10));
}

static void
one_extent(int sock, uint64_t id, const struct stoq_wire_extent *e, int fd)
{
    struct stoq_wire_result w = {.id = id, .extents = 1, .payloads = 10};

    result(sock, &w, e, sizeof(*e), DOCUMENT, fd);
}

static void
extent_past_payloads(int sock, uint64_t id)
{
    struct stoq_wire_extent e = {.offset = 5, .size = 6, .index = 1};

    one_extent(sock, id, &e, stoq_memfd("x", "0123456789", 10));
}

static void
extent_wraps(int sock, uint64_t id)
{
    struct stoq_wire_extent e = {.offset = 8, .size = UINT64_MAX - 4, .index = 1};

    one_extent(sock, id, &e, stoq_memfd("x", "0123456789", 10));
}

static void
extent_of_root(int sock, uint64_t id)
{
    struct stoq_wire_extent e = {.size = 10, .index = 0};

    one_extent(sock, id, &e, stoq_memfd("x", "0123456789", 10));
}

static void
short_payloads(int sock, uint64_t id)
{
    struct stoq_wire_extent e = {.size = 10, .index = 1};

    one_extent(sock, id, &e, stoq_memfd("x", "012345678", 9));
}

static void
open_payloads(int sock, uint64_t id)
{
    struct stoq_wire_extent e = {.size = 10, .index = 1};

    one_extent(sock, id, &e, memfd_of("0123456789", 10));
}

static void
hostile_failure(int sock, uint64_t id)
{
    struct stoq_wire_failed w = {.head.type = STOQ_WIRE_FAILED, .id = id};

    memset(w.message, 0xff, sizeof(w.message));
    (void)stoq_msg_send(sock, &w, sizeof(w), NULL, 0);
}

static const struct lie lies[] = {
    {"bytes", bytes},
    {"wrong id", wrong_id},
    {"wrong type", wrong_type},
    {"unasked hash", unasked_hash},
    {"no document", no_document},
    {"no JSON", no_json},
    {"odd verdict", odd_verdict},
    {"odd flags", odd_flags},
    {"huge document", huge_document},
    {"extents past body", extents_past_body},
    {"many extents", many_extents},
    {"extent past payloads", extent_past_payloads},
    {"extent wraps", extent_wraps},
    {"extent of root", extent_of_root},
    {"short payloads", short_payloads},
    {"open payloads", open_payloads},
    {"hostile failure", hostile_failure},
};

/* ------------------------------------------------------------ the false zygote */

enum { OCCUPANTS = 3 }; /* two lie, the third is honest */

static struct liar {
    int control;
    const struct lie *lie;
    pid_t pids[OCCUPANTS]; /* processes to be killed in the scanners' place */
    unsigned told, used;
} liar;

static pid_t
start_victim(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        for (;;)
            (void)pause();
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

/** Answer a FORK; @return our end of the new scanner's socket, or -1. */
static int
answer_fork(uint64_t token)
{
    struct stoq_wire_fork w = {.head.type = STOQ_WIRE_FORKED, .token = token};
    struct stoq_wire_hello hello = {.head.type = STOQ_WIRE_HELLO};
    int pair[2], fds[2];
    pid_t pid;

    if (liar.used == OCCUPANTS)
        return -1;
    pid = liar.pids[liar.used++];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    fds[0] = pair[0];
    fds[1] = (int)syscall(SYS_pidfd_open, pid, 0U);
    w.pid = pid;
    ck_assert_int_eq(stoq_msg_send(liar.control, &w, sizeof(w), fds, 2), 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
    ck_assert_int_eq(stoq_msg_send(pair[1], &hello, sizeof(hello), NULL, 0), 0);
    return pair[1];
}

/** Play one scanner until the pool closes its socket. */
static void
play_scanner(int sock)
{
    while (stoq_wire_recv(sock, &msg) == 1) {
        uint64_t id = msg.u.job.id;

        stoq_wire_close(&msg);
        if (liar.told < OCCUPANTS - 1) {
            liar.told++;
            liar.lie->tell(sock, id);
        } else {
            honest(sock, id);
        }
    }
    (void)close(sock);
}

static void *
play_zygote(void *arg)
{
    (void)arg;
    while (stoq_wire_recv(liar.control, &msg) == 1) {
        int sock = -1;

        if (msg.u.head.type == STOQ_WIRE_FORK)
            sock = answer_fork(msg.u.fork.token);
        if (sock >= 0)
            play_scanner(sock);
    }
    (void)close(liar.control);
    return NULL;
}

/** The first job meets two liars and ends as an error; the second an honest scanner. */
static void
meet_liar(const struct lie *lie)
{
    struct stoq_pool_config config = {.scanners = 1, .engine_id = "test"};
    struct box first = {.outcome = NULL}, second = {.outcome = NULL};
    struct bench bench = {.config = new_config("")};
    struct stoq_job_spec spec = {.fd = memfd_of("abc", 3), .want_payloads = true};
    pthread_t thread;
    int pair[2];

    ck_assert_int_eq(
        stoq_config_set(bench.config, "limits", "response_bytes", "1048576", NULL), 0);
    memset(&liar, 0, sizeof(liar));
    liar.lie = lie;
    for (size_t i = 0; i < OCCUPANTS; i++)
        liar.pids[i] = start_victim();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    liar.control = pair[1];
    config.zygote_fd = pair[0];
    config.config = bench.config;
    ck_assert_int_eq(pthread_create(&thread, NULL, play_zygote, NULL), 0);
    ck_assert_int_eq(stoq_pool_new(&config, &bench.pool, NULL), 0);
    submit(&bench, &spec, &first);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    spec.fd = memfd_of("abc", 3);
    submit(&bench, &spec, &second);
    ck_assert_int_eq(stoq_pool_drain(bench.pool, WAIT_MS), 0);
    assert_verdict(&first, STOQ_VERDICT_ERROR);
    ck_assert_msg(strcmp(error_of(&first), "scanner crashed (broken reply) twice") == 0,
                  "%s: %s", lie->name, first.outcome->document);
    ck_assert_str_eq(second.outcome->document, DOCUMENT);
    ck_assert(!second.outcome->reusable); /* it gave no digest */
    box_clear(&first);
    box_clear(&second);
    stoq_pool_free(bench.pool);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    for (size_t i = 0; i < OCCUPANTS; i++) {
        int status = 0;

        ck_assert_int_eq(waitpid(liar.pids[i], &status, 0), liar.pids[i]);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    stoq_config_free(bench.config);
}

START_TEST(lies_are_noticed)
{
    meet_liar(&lies[_i]);
}
END_TEST

/* --------------------------------------------------------- scanners born dead */

enum { BORN_DEAD = 6 };

static struct {
    int control;
    pid_t zombie; /* stands for all of them */
    unsigned forks;
    uint64_t first_ms, last_ms;
} nursery;

static int
bear(uint64_t token)
{
    struct stoq_wire_fork w = {.head.type = STOQ_WIRE_FORKED, .token = token};
    struct stoq_wire_hello hello = {.head.type = STOQ_WIRE_HELLO};
    int pair[2], fds[2];

    nursery.last_ms = stoq_now_ms();
    if (nursery.forks++ == 0)
        nursery.first_ms = nursery.last_ms;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    fds[0] = pair[0];
    fds[1] = (int)syscall(
        SYS_pidfd_open, nursery.forks > BORN_DEAD ? liar.pids[0] : nursery.zombie, 0U);
    ck_assert_int_eq(stoq_msg_send(nursery.control, &w, sizeof(w), fds, 2), 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
    if (nursery.forks > BORN_DEAD) {
        ck_assert_int_eq(stoq_msg_send(pair[1], &hello, sizeof(hello), NULL, 0), 0);
        return pair[1];
    }
    (void)close(pair[1]);
    return -1;
}

static void *
play_nursery(void *arg)
{
    (void)arg;
    while (stoq_wire_recv(nursery.control, &msg) == 1) {
        int sock = -1;

        if (msg.u.head.type == STOQ_WIRE_FORK)
            sock = bear(msg.u.fork.token);
        if (sock >= 0)
            play_scanner(sock);
    }
    (void)close(nursery.control);
    return NULL;
}

/** Scanners that die before they work are replaced at ever longer intervals. */
START_TEST(stillborn_scanners)
{
    struct stoq_pool_config config = {.scanners = 1, .engine_id = "test"};
    struct bench bench = {.config = new_config("")};
    struct box box = {.outcome = NULL};
    siginfo_t info;
    pthread_t thread;
    int pair[2];

    memset(&nursery, 0, sizeof(nursery));
    memset(&liar, 0, sizeof(liar));
    liar.told = OCCUPANTS; /* honest */
    liar.pids[0] = start_victim();
    nursery.zombie = start_victim();
    ck_assert_int_eq(kill(nursery.zombie, SIGKILL), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)nursery.zombie, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    nursery.control = pair[1];
    config.zygote_fd = pair[0];
    config.config = bench.config;
    ck_assert_int_eq(pthread_create(&thread, NULL, play_nursery, NULL), 0);
    ck_assert_int_eq(stoq_pool_new(&config, &bench.pool, NULL), 0);
    scan_text(&bench, "abc", &box);
    ck_assert_str_eq(box.outcome->document, DOCUMENT);
    box_clear(&box);
    stoq_pool_free(bench.pool);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(nursery.forks, BORN_DEAD + 1);
    /* 0, 0, 20, 40, 80, 160 ms */
    ck_assert_uint_ge(nursery.last_ms - nursery.first_ms, 300);
    ck_assert_int_eq(waitpid(nursery.zombie, NULL, 0), nursery.zombie);
    ck_assert_int_eq(waitpid(liar.pids[0], NULL, 0), liar.pids[0]);
    stoq_config_free(bench.config);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("pool hostile");
    TCase *tc = tcase_create("pool hostile");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, lies_are_noticed, 0, (int)STOQ_ARRAY_SIZE(lies));
    tcase_add_test(tc, stillborn_scanners);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
