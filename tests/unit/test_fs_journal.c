/* SPDX-License-Identifier: Apache-2.0 */

/* Requests that come a second time. A mirror is a child process that leaves without a
 * word, as a killed one does. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal.h"
#include "session.h"
#include "util/auto.h"

#define MARK     (UINT64_C(1) << 63)
#define MKDIR    9U
#define UNLINK   10U
#define GETATTR  3U
#define REPLY_AT 16U

struct in {
    uint32_t len, opcode;
    uint64_t unique, nodeid;
    uint32_t uid, gid, pid, extensions;
};
struct out {
    uint32_t len;
    int32_t error;
    uint64_t unique;
    char more[8];
};

static struct stoqfs_session *session;
static char dir[] = "/tmp/stoq-journal-XXXXXX";
static int dir_fd;

/* What the thread does with one request, and what came of it. */
struct seen {
    enum stoqfs_begun begun;
    uint8_t reply[STOQFS_REPLY_MAX];
    size_t size;
    int r;
};

static struct seen *seen; /* shared with children */

static void
setup(void)
{
    memset(seen, 0, sizeof(*seen));
    ck_assert_int_eq(stoqfs_session_new(&session, NULL), 0);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(dir_fd, 0);
}

static void
teardown(void)
{
    (void)unlinkat(dir_fd, "a", 0);
    (void)unlinkat(dir_fd, "b", 0);
    (void)unlinkat(dir_fd, "d", AT_REMOVEDIR);
    stoq_auto_close(&dir_fd);
    ck_assert_int_eq(rmdir(dir), 0);
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    stoqfs_session_free(session);
}

static void
begin(struct stoqfs_journal *j, uint32_t opcode, uint64_t unique)
{
    const struct in in = {.len = sizeof(in), .opcode = opcode, .unique = unique};
    seen->begun = stoqfs_journal_begin(j, (const char *)&in, sizeof(in), seen->reply,
                                       &seen->size);
}

static void
reply(uint64_t unique, int error)
{
    struct out out = {
        .len = sizeof(out), .error = error, .unique = unique, .more = "answer"};
    const struct iovec iov[2] = {{.iov_base = &out, .iov_len = REPLY_AT},
                                 {.iov_base = out.more, .iov_len = sizeof(out.more)}};
    ck_assert(stoqfs_journal_reply(iov, 2));
}

/* In a mirror of its own. */
static void
mirror(void (*body)(struct stoqfs_journal *j))
{
    pid_t pid = fork();
    if (pid == 0) {
        struct stoqfs_journal *j = NULL;
        if (stoqfs_journal_new(session, &j) == 0)
            body(j);
        _exit(0);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

static void
first_answered(struct stoqfs_journal *j)
{
    begin(j, UNLINK, 10);
    reply(10, -5);
}

static void
again_10(struct stoqfs_journal *j)
{
    begin(j, UNLINK, 10 | MARK);
}

START_TEST(test_answer_is_sent_again)
{
    struct out out;
    mirror(first_answered);
    mirror(again_10);
    ck_assert_int_eq(seen->begun, STOQFS_ANSWERED);
    ck_assert_uint_eq(seen->size, sizeof(out));
    memcpy(&out, seen->reply, sizeof(out));
    ck_assert_uint_eq(out.unique, 10 | MARK);
    ck_assert_int_eq(out.error, -5);
    ck_assert_str_eq(out.more, "answer");
    /* and once more, when that mirror died before it sent it */
    mirror(again_10);
    ck_assert_int_eq(seen->begun, STOQFS_ANSWERED);
}
END_TEST

static void
first_sent(struct stoqfs_journal *j)
{
    begin(j, UNLINK, 10);
    reply(10, 0);
    stoqfs_journal_end();
}

START_TEST(test_sent_is_forgotten)
{
    mirror(first_sent);
    mirror(again_10);
    ck_assert_int_eq(seen->begun, STOQFS_EXECUTE);
}
END_TEST

static void
first_getattr(struct stoqfs_journal *j)
{
    begin(j, GETATTR, 12);
    reply(12, 0);
}

static void
again_12(struct stoqfs_journal *j)
{
    begin(j, GETATTR, 12 | MARK);
}

START_TEST(test_harmless_is_executed)
{
    mirror(first_getattr);
    mirror(again_12);
    ck_assert_int_eq(seen->begun, STOQFS_AGAIN);
}
END_TEST

static void
make_and_die(struct stoqfs_journal *j)
{
    begin(j, MKDIR, 14);
    stoqfs_note_make(dir_fd, "d");
    (void)mkdirat(dir_fd, "d", 0700);
}

static void
note_and_die(struct stoqfs_journal *j)
{
    begin(j, MKDIR, 14);
    stoqfs_note_make(dir_fd, "d");
}

static void
make_again(struct stoqfs_journal *j)
{
    begin(j, MKDIR, 14 | MARK);
    stoqfs_note_make(dir_fd, "d");
    seen->r = stoqfs_made_before(mkdirat(dir_fd, "d", 0700) < 0 ? -errno : 0);
}

START_TEST(test_made_once)
{
    mirror(make_and_die);
    mirror(make_again);
    ck_assert_int_eq(seen->begun, STOQFS_AGAIN);
    ck_assert_int_eq(seen->r, 0);
}
END_TEST

START_TEST(test_made_by_another)
{
    ck_assert_int_eq(mkdirat(dir_fd, "d", 0700), 0);
    mirror(note_and_die);
    mirror(make_again);
    ck_assert_int_eq(seen->r, -EEXIST);
}
END_TEST

START_TEST(test_not_made_yet)
{
    mirror(note_and_die);
    mirror(make_again);
    ck_assert_int_eq(seen->r, 0);
    ck_assert_int_eq(faccessat(dir_fd, "d", F_OK, 0), 0);
}
END_TEST

static void
move_and_die(struct stoqfs_journal *j)
{
    struct stat st;
    begin(j, 12, 16);
    (void)fstatat(dir_fd, "a", &st, 0);
    stoqfs_note_move(&st, NULL);
    (void)renameat(dir_fd, "a", dir_fd, "b");
}

static void
move_again(struct stoqfs_journal *j)
{
    begin(j, 12, 16 | MARK);
    seen->r = stoqfs_moved_before(dir_fd, "b") ? 1 : 0;
    seen->r |= stoqfs_moved_before(dir_fd, "a") ? 2 : 0;
    seen->r |= stoqfs_removed_before() ? 4 : 0;
}

static int
touch(const char *name, const char *text)
{
    STOQ_AUTOCLOSE int fd = openat(dir_fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

START_TEST(test_moved_once)
{
    ck_assert_int_eq(touch("a", "x"), 0);
    mirror(move_and_die);
    mirror(move_again);
    ck_assert_int_eq(seen->r, 1 | 4);
}
END_TEST

static const char *first_part; /* of what is appended before the end */

static void
append_and_die(struct stoqfs_journal *j)
{
    STOQ_AUTOCLOSE int fd = openat(dir_fd, "a", O_WRONLY | O_APPEND | O_CLOEXEC);
    begin(j, 16, 18);
    (void)stoqfs_appended_before(fd, "more", 4);
    (void)!write(fd, first_part, strlen(first_part));
}

static void
append_again(struct stoqfs_journal *j)
{
    STOQ_AUTOCLOSE int fd = openat(dir_fd, "a", O_WRONLY | O_APPEND | O_CLOEXEC);
    begin(j, 16, 18 | MARK);
    seen->r = (int)stoqfs_appended_before(fd, "more", 4);
}

START_TEST(test_appended_once)
{
    static const struct {
        const char *part;
        int before;
    } cases[] = {{"more", 4}, {"mo", 2}, {"", 0}, {"else", 0}};
    ck_assert_int_eq(touch("a", "x"), 0);
    first_part = cases[_i].part;
    mirror(append_and_die);
    mirror(append_again);
    ck_assert_int_eq(seen->r, cases[_i].before);
}
END_TEST

static void
deadly(struct stoqfs_journal *j)
{
    begin(j, GETATTR, 20 | (seen->r++ ? MARK : 0));
}

START_TEST(test_deadly)
{
    struct out out;
    for (unsigned i = 0; i < STOQFS_DEADLY; i++) {
        mirror(deadly);
        ck_assert_int_ne(seen->begun, STOQFS_ANSWERED);
    }
    mirror(deadly);
    ck_assert_int_eq(seen->begun, STOQFS_ANSWERED);
    ck_assert_uint_eq(seen->size, REPLY_AT);
    memcpy(&out, seen->reply, REPLY_AT);
    ck_assert_int_eq(out.error, -EIO);
    ck_assert_uint_eq(out.len, REPLY_AT);
    ck_assert_uint_eq(out.unique, 20 | MARK);
}
END_TEST

/* Waiting without a thread is not executing. */
static void
parks(struct stoqfs_journal *j)
{
    begin(j, 14, 22 | (seen->r++ ? MARK : 0));
    stoqfs_journal_end();
}

START_TEST(test_waiting_is_not_deadly)
{
    for (unsigned i = 0; i < 2 * STOQFS_DEADLY; i++) {
        mirror(parks);
        ck_assert_int_eq(seen->begun, STOQFS_EXECUTE);
    }
}
END_TEST

/* More is left than there is room for: no record is written over that of a thread. */
static void
many(struct stoqfs_journal *j)
{
    (void)j;
    for (unsigned i = 0; i < STOQFS_RUNNING_MAX; i++) {
        session->shared->running[i].unique = seen->size++;
        session->shared->running[i].opcode = UNLINK;
    }
}

START_TEST(test_left_for_long)
{
    seen->size = 1000;
    for (unsigned i = 0; i < 5; i++)
        mirror(many);
    mirror(first_answered);
    mirror(again_10);
    ck_assert_int_eq(seen->begun, STOQFS_ANSWERED);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_answer_is_sent_again,
        test_sent_is_forgotten,
        test_harmless_is_executed,
        test_made_once,
        test_made_by_another,
        test_not_made_yet,
        test_moved_once,
        test_deadly,
        test_waiting_is_not_deadly,
        test_left_for_long,
    };
    void *p = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return EXIT_FAILURE;
    seen = p;
    Suite *s = suite_create("fs_journal");
    TCase *c = tcase_create("journal");
    tcase_add_checked_fixture(c, setup, teardown);
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(tests); i++)
        tcase_add_test(c, tests[i]);
    tcase_add_loop_test(c, test_appended_once, 0, 4);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
