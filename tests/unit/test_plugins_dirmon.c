/* SPDX-License-Identifier: Apache-2.0 */

/*
 * dirmon: what is handed out of a directory that changes, and when. The plugin runs in
 * a thread; what must not arrive is proved by something later that arrives first.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/queue.h"
#include "plugins_support.h"
#include "util/auto.h"
#include "util/io.h"
#include "util/strbuf.h"

#define LONG_MS 30000

static struct {
    struct stoq_loaded *plugin;
    struct stoq_queue *queue;
    pthread_t thread;
    struct stoq_error err;
    int code;
} mon;

static void *
ingest(void *arg)
{
    (void)arg;
    mon.code = stoq_call_ingest(mon.plugin, mon.queue, &mon.err);
    return NULL;
}

static const char *
option(const char *key, const char *value)
{
    static char buffers[4][600];
    static unsigned next;
    char *text = buffers[next++ % 4];
    (void)snprintf(text, sizeof buffers[0], "%s=%s", key, value);
    return text;
}

/* "source_dir/filename=content" of the next find, the test's directory as @; or "". */
static char *
take(uint64_t timeout_ms)
{
    struct stoq_queue_item item = {.fd = -1};
    char content[64] = "", *text = NULL;
    if (stoq_queue_take(mon.queue, &item, timeout_ms) < 0)
        return strdup("");
    ck_assert_int_eq(item.kind, STOQ_ITEM_FILE);
    ck_assert_int_ge(pread(item.fd, content, sizeof content - 1, 0), 0);
    const char *dir = json_string_value(json_object_get(item.extra_data, "source_dir"));
    const char *name = json_string_value(json_object_get(item.extra_data, "filename"));
    ck_assert_uint_eq(json_object_size(item.extra_data), 2);
    ck_assert_int_eq(strncmp(dir, test_dir, strlen(test_dir)), 0);
    ck_assert_int_ge(
        asprintf(&text, "@%s/%s=%s", dir + strlen(test_dir), name, content), 0);
    ck_assert_str_eq(item.path + strlen(dir) + 1, name);
    stoq_queue_item_fini(&item);
    return text;
}

#define NEXT(expected) CHECK_TEXT(take(LONG_MS), expected)

/* Start over test_dir/in, and wait until it watches. */
static void
start(const char *existing, size_t room)
{
    mon.plugin = LOADED("dirmon", NULL, option("source_dir", in_dir("in")),
                        option("existing", existing));
    ck_assert_int_eq(stoq_queue_new(room, &mon.queue, NULL), 0);
    ck_assert_int_eq(pthread_create(&mon.thread, NULL, ingest, NULL), 0);
}

static void
start_watching(void)
{
    ck_assert_int_eq(stoq_mkdir_p(in_dir("in"), 0755), 0);
    start("False", 100);
    for (int i = 0;; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "in/probe-%d", i);
        put_file(name, "");
        STOQ_AUTOFREE char *text = take(50);
        if (text[0])
            break;
        ck_assert_int_lt(i, 600);
    }
    /* one that was slow to arrive may still come */
    put_file("in/probe-end", "");
    for (bool end = false; !end;) {
        STOQ_AUTOFREE char *text = take(LONG_MS);
        end = strcmp(text, "@/in/probe-end=") == 0;
        ck_assert_msg(text[0], "no probe arrives");
    }
}

static void
stop(void)
{
    stoq_queue_cancel(mon.queue);
    ck_assert_int_eq(pthread_join(mon.thread, NULL), 0);
    ck_assert_msg(mon.code == 0, "%d: %s", mon.code, mon.err.message);
    stoq_queue_free(mon.queue);
    stoq_loaded_free(mon.plugin);
}

/* The next @count finds, sorted and joined by ';'. */
static int
by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *
take_sorted(size_t count)
{
    char *texts[32];
    struct stoq_strbuf out = {0};
    for (size_t i = 0; i < count; i++)
        texts[i] = take(LONG_MS);
    qsort(texts, count, sizeof(char *), by_text);
    for (size_t i = 0; i < count; i++) {
        stoq_strbuf_addf(&out, "%s;", texts[i]);
        free(texts[i]);
    }
    return stoq_strbuf_steal(&out);
}

static void
move(const char *from, const char *to)
{
    ck_assert_msg(rename(in_dir(from), in_dir(to)) == 0, "%s: %s", to,
                  strerrordesc_np(errno));
}

static void
make_dir(const char *name)
{
    ck_assert_int_eq(stoq_mkdir_p(in_dir(name), 0755), 0);
}

static int
open_to_write(const char *name, int flags)
{
    int fd = open(in_dir(name), O_WRONLY | O_CLOEXEC | flags, 0644);
    ck_assert_msg(fd >= 0, "%s: %s", name, strerrordesc_np(errno));
    return fd;
}

static void
write_text(int fd, const char *text)
{
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* ------------------------------------------------------------------------- start */

START_TEST(test_existing)
{
    put_file("in/a", "1");
    put_file("in/.hidden", "2");
    put_file("in/sub/b", "3");
    put_file("secret", "s");
    ck_assert_int_eq(symlink(in_dir("secret"), in_dir("in/link")), 0);
    ck_assert_int_eq(symlink(test_dir, in_dir("in/dirlink")), 0);
    ck_assert_int_eq(mkfifo(in_dir("in/fifo"), 0600), 0);
    start("True", 100);
    CHECK_TEXT(take_sorted(3), "@/in/.hidden=2;@/in/a=1;@/in/sub/b=3;");
    put_file("in/new", "4");
    NEXT("@/in/new=4");
    stop();
}
END_TEST

START_TEST(test_not_existing)
{
    put_file("in/a", "1");
    put_file("in/sub/b", "3");
    start_watching();
    put_file("in/sub/new", "4");
    NEXT("@/in/sub/new=4");
    stop();
}
END_TEST

static const struct {
    const char *dir;
    int code;
    const char *message;
} bad_dirs[] = {
    {NULL, -EINVAL, "Source directory not defined or doesn't exist: 'None'"},
    {"", -EINVAL, "Source directory not defined or doesn't exist: ''"},
    {"/nonexistent/x", -ENOENT,
     "Source directory not defined or doesn't exist: '/nonexistent/x'"},
    {"/dev/null", -ENOTDIR, "source_dir /dev/null is not a directory"},
};

START_TEST(test_bad_dir)
{
    struct stoq_loaded *p = NULL;
    struct stoq_error err = {0};
    const char *dir = bad_dirs[_i].dir;
    int r = LOAD("dirmon", NULL, &p, &err, dir ? option("source_dir", dir) : NULL);
    ck_assert_int_eq(r, bad_dirs[_i].code);
    ck_assert_msg(strstr(err.message, bad_dirs[_i].message), "%s", err.message);
}
END_TEST

/* A link as source directory is what it points to, as said at the start. */
START_TEST(test_linked_root)
{
    put_file("real/a", "1");
    ck_assert_int_eq(symlink("real", in_dir("in")), 0);
    start("True", 100);
    NEXT("@/real/a=1");
    stop();
}
END_TEST

/* ------------------------------------------------------------------------- arrival */

START_TEST(test_arrival)
{
    start_watching();
    put_file("in/written", "1");
    NEXT("@/in/written=1");
    put_file("stage", "2");
    move("stage", "in/moved");
    NEXT("@/in/moved=2");
    /* as mail is delivered: linked to its name, the other one removed */
    put_file("stage", "3");
    ck_assert_int_eq(link(in_dir("stage"), in_dir("in/linked")), 0);
    ck_assert_int_eq(unlink(in_dir("stage")), 0);
    NEXT("@/in/linked=3");
    put_file("in/empty", "");
    NEXT("@/in/empty=");
    /* another version, then over it by a rename */
    put_file("in/written", "4");
    NEXT("@/in/written=4");
    put_file("stage", "5");
    move("stage", "in/written");
    NEXT("@/in/written=5");
    /* without a name first */
    int fd = open(in_dir("in"), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
    if (fd >= 0) {
        char name[40];
        (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        write_text(fd, "6");
        ck_assert_int_eq(
            linkat(AT_FDCWD, name, AT_FDCWD, in_dir("in/named"), AT_SYMLINK_FOLLOW), 0);
        put_file("in/sentinel", "");
        NEXT("@/in/sentinel=");
        ck_assert_int_eq(close(fd), 0);
        NEXT("@/in/named=6");
    }
    stop();
}
END_TEST

/* Nothing new: renames inside, links, a writer that writes nothing, other times. */
START_TEST(test_no_arrival)
{
    start_watching();
    put_file("in/a", "1");
    NEXT("@/in/a=1");
    make_dir("in/sub");
    move("in/a", "in/sub/b");
    ck_assert_int_eq(link(in_dir("in/sub/b"), in_dir("in/c")), 0);
    ck_assert_int_eq(chmod(in_dir("in/c"), 0600), 0);
    put_file("secret", "s");
    ck_assert_int_eq(symlink(in_dir("secret"), in_dir("in/link")), 0);
    ck_assert_int_eq(symlink(test_dir, in_dir("in/dirlink")), 0);
    put_file("in-another/x", "s");
    ck_assert_int_eq(mkfifo(in_dir("in/fifo"), 0600), 0);
    put_file("in/d", "2");
    NEXT("@/in/d=2");
    stop();
}
END_TEST

START_TEST(test_directories)
{
    start_watching();
    put_file("in/x/y/z/deep", "1"); /* made faster than they can be watched */
    NEXT("@/in/x/y/z/deep=1");
    put_file("stage/p/q", "2");
    put_file("stage/r", "3");
    move("stage", "in/tree");
    CHECK_TEXT(take_sorted(2), "@/in/tree/p/q=2;@/in/tree/r=3;");
    put_file("in/tree/p/s", "4");
    NEXT("@/in/tree/p/s=4");
    /* under the new name, with what is below */
    move("in/tree", "in/x/wood");
    put_file("in/x/wood/p/t", "5");
    NEXT("@/in/x/wood/p/t=5");
    /* out of sight, and back with something new */
    move("in/x/wood", "away");
    put_file("away/p/u", "6");
    put_file("in/sentinel", "");
    NEXT("@/in/sentinel=");
    move("away", "in/back");
    NEXT("@/in/back/p/u=6");
    put_file("in/back/p/v", "7");
    NEXT("@/in/back/p/v=7");
    stop();
}
END_TEST

/* ------------------------------------------------------------------- half-written */

START_TEST(test_half_written)
{
    start_watching();
    int first = open_to_write("in/a", O_CREAT);
    write_text(first, "one ");
    put_file("in/sentinel", "1");
    NEXT("@/in/sentinel=1");
    /* two writers: the first one's close is not the end */
    int second = open_to_write("in/a", O_APPEND);
    ck_assert_int_eq(close(first), 0);
    put_file("in/sentinel", "2.");
    NEXT("@/in/sentinel=2.");
    write_text(second, "two");
    ck_assert_int_eq(close(second), 0);
    NEXT("@/in/a=one two");

    /* moved in, and linked in, while it is written elsewhere */
    first = open_to_write("stage", O_CREAT);
    second = open_to_write("outside", O_CREAT);
    write_text(first, "x");
    move("stage", "in/moved");
    ck_assert_int_eq(link(in_dir("outside"), in_dir("in/linked")), 0);
    put_file("in/sentinel", "3..");
    NEXT("@/in/sentinel=3..");
    write_text(first, "y");
    ck_assert_int_eq(close(first), 0);
    NEXT("@/in/moved=xy");
    write_text(second, "z"); /* no event tells of this close */
    ck_assert_int_eq(close(second), 0);
    NEXT("@/in/linked=z");
    stop();
}
END_TEST

/* Open for writing at the start: handed out when it is closed. */
START_TEST(test_half_written_at_start)
{
    make_dir("in");
    int fd = open_to_write("in/a", O_CREAT);
    write_text(fd, "1");
    start_watching();
    write_text(fd, "2");
    ck_assert_int_eq(close(fd), 0);
    NEXT("@/in/a=12");
    stop();
}
END_TEST

/* Files of others, where the kernel does not tell who writes: the close of a writer
 * counts, and what comes without one has to be left alone for a while. */
START_TEST(test_no_leases)
{
    if (geteuid() != 0)
        return;
    start_watching();
    put_file("stage", "1");
    ck_assert_int_eq(chmod(test_dir, 0777), 0);
    ck_assert_int_eq(chmod(in_dir("in"), 0777), 0);
    int fd = open_to_write("in/held", O_CREAT);
    ck_assert_int_eq(seteuid(65534), 0);
    move("stage", "in/moved");
    put_file("in/sentinel", "");
    NEXT("@/in/sentinel=");
    write_text(fd, "2");
    ck_assert_int_eq(close(fd), 0);
    NEXT("@/in/held=2");
    NEXT("@/in/moved=1");
    ck_assert_int_eq(seteuid(0), 0);
    stop();
}
END_TEST

/* ------------------------------------------------------------------------ survival */

START_TEST(test_vanishing)
{
    start_watching();
    for (int i = 0; i < 2000; i++) {
        char name[40];
        (void)snprintf(name, sizeof name, "in/d%d/f", i % 50);
        put_file(name, "v");
        ck_assert_int_eq(unlink(in_dir(name)), 0);
        *strrchr(name, '/') = '\0';
        ck_assert_int_eq(rmdir(in_dir(name)), 0);
        while (i % 50 == 49) { /* what was caught in time */
            STOQ_AUTOFREE char *text = take(0);
            if (!text[0])
                break;
        }
    }
    put_file("in/d1/last", "1");
    for (bool last = false; !last;) {
        STOQ_AUTOFREE char *text = take(LONG_MS);
        ck_assert_msg(text[0], "nothing more arrives");
        last = strcmp(text, "@/in/d1/last=1") == 0;
    }
    stop();
}
END_TEST

/* More events than the kernel keeps: all files, each once. */
START_TEST(test_overflow)
{
    enum { FILES = 10000 };
    static unsigned char found[FILES];
    start_watching();
    for (int i = 0; i < FILES; i++) {
        char name[40];
        (void)snprintf(name, sizeof name, "in/d%d/%d", i % 7, i);
        put_file(name, "o");
    }
    for (int i = 0; i < FILES; i++) {
        STOQ_AUTOFREE char *text = take(LONG_MS);
        int number = -1;
        ck_assert_msg(sscanf(text, "@/in/d%*d/%d=o", &number) == 1, "%d: '%s'", i,
                      text);
        ck_assert_msg(number >= 0 && number < FILES && !found[number], "twice: %s",
                      text);
        found[number] = 1;
    }
    put_file("in/last", "");
    NEXT("@/in/last=");
    stop();
}
END_TEST

START_TEST(test_root_gone)
{
    start_watching();
    move("in", "other");
    make_dir("in");
    put_file("in/a", "1");
    NEXT("@/in/a=1");
    put_file("other/b", "2");
    put_file("in/c", "3");
    NEXT("@/in/c=3");
    stop();
}
END_TEST

/* The end comes while the queue is full. */
START_TEST(test_cancel_full)
{
    put_file("in/a", "1");
    put_file("in/b", "2");
    put_file("in/c", "3");
    start("True", 1);
    STOQ_AUTOFREE char *text = take(LONG_MS);
    ck_assert_int_eq(text[0], '@');
    stop();
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_existing);
    tcase_add_test(tc, test_not_existing);
    tcase_add_loop_test(tc, test_bad_dir, 0, (int)(sizeof bad_dirs / sizeof *bad_dirs));
    tcase_add_test(tc, test_linked_root);
    tcase_add_test(tc, test_arrival);
    tcase_add_test(tc, test_no_arrival);
    tcase_add_test(tc, test_directories);
    tcase_add_test(tc, test_half_written);
    tcase_add_test(tc, test_half_written_at_start);
    tcase_add_test(tc, test_no_leases);
    tcase_add_test(tc, test_vanishing);
    tcase_add_test(tc, test_overflow);
    tcase_add_test(tc, test_root_gone);
    tcase_add_test(tc, test_cancel_full);
}

int
main(void)
{
    return run_suite("plugins_dirmon", fill);
}
