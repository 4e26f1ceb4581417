/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finishing: archivers get the very bytes, decorators the document, and every outcome
 * comes back, whatever happens to the courier; unfinished ones say so.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "test_courier_common.h"

#define CHILD_ID "11111111-2222-4333-8444-555555555555"

/* What came back. */
struct box {
    atomic_int done;
    struct stoq_outcome *outcome;
    unsigned order;
};

static atomic_uint order;

static void
take(void *arg, struct stoq_outcome *outcome, int fd)
{
    struct box *box = arg;

    if (fd >= 0)
        ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
    box->outcome = outcome;
    box->order = atomic_fetch_add(&order, 1) + 1;
    atomic_store(&box->done, 1);
}

static int
memfd_of(const char *text)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(stoq_write_full(fd, text, strlen(text)), 0);
    return fd;
}

/* A file DIR/scanned with @text. */
static int
file_of(const char *text)
{
    int fd = open(in_dir("scanned"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(stoq_write_full(fd, text, strlen(text)), 0);
    return fd;
}

/* Outcome number @n of the scan of @fd, without children. */
static struct stoq_outcome *
outcome_of(uint64_t n, int fd)
{
    struct stoq_outcome *o = calloc(1, sizeof *o);

    ck_assert_ptr_nonnull(o);
    ck_assert_int_eq(fstat(fd, &o->st), 0);
    o->verdict = STOQ_VERDICT_ERROR;
    o->payloads_fd = -1;
    o->document = document_of(n, (uint64_t)o->st.st_size);
    o->document_size = strlen(o->document);
    scan_id_of(n, o->scan_id);
    return o;
}

/* Give @o a child with the bytes @text at @off of @fd, which is taken. */
static void
add_child(struct stoq_outcome *o, int fd, uint64_t off, const char *text)
{
    json_auto_t *doc = stoq_json_parse(o->document, o->document_size, NULL);
    json_t *results = json_object_get(doc, "results");
    json_t *child = json_deep_copy(json_array_get(results, 0));

    ck_assert_ptr_nonnull(child);
    ck_assert_int_eq(json_object_set_new(child, "payload_id", json_string(CHILD_ID)),
                     0);
    ck_assert_int_eq(
        json_object_set_new(child, "size", json_integer((json_int_t)strlen(text))), 0);
    ck_assert_int_eq(json_array_append_new(results, child), 0);
    free(o->document);
    o->document = stoq_json_dump(doc, false);
    ck_assert_ptr_nonnull(o->document);
    o->document_size = strlen(o->document);
    o->payloads_fd = fd;
    o->extents = calloc(1, sizeof *o->extents);
    ck_assert_ptr_nonnull(o->extents);
    o->extents[0] =
        (struct stoq_extent){.index = 1, .offset = off, .size = strlen(text)};
    o->extent_count = 1;
}

static json_t *
parsed(const struct box *box)
{
    struct stoq_error err = {0};
    json_t *doc =
        stoq_json_parse(box->outcome->document, box->outcome->document_size, &err);

    ck_assert_msg(doc != NULL, "%s", err.message);
    ck_assert_uint_eq(strlen(box->outcome->document), box->outcome->document_size);
    return doc;
}

static const char *
error_at(const json_t *doc, size_t i)
{
    const json_t *e = json_array_get(json_object_get(doc, "errors"), i);

    return json_string_value(json_object_get(e, "error"));
}

static void
assert_archived(const json_t *doc, size_t index, const char *text)
{
    const json_t *entry = json_array_get(json_object_get(doc, "results"), index);
    const json_t *keep = json_object_get(json_object_get(entry, "archivers"), "keep");
    const char *id = stoq_json_string_of(entry, "payload_id");
    STOQ_AUTOFREE char *kept = NULL;
    size_t size = 0;

    ck_assert_int_eq(json_integer_value(json_object_get(keep, "bytes")),
                     (json_int_t)strlen(text));
    ck_assert_int_eq(stoq_read_file(in_dir(id), 1 << 20, &kept, &size, NULL), 0);
    ck_assert_str_eq(kept, text);
}

static void
assert_decorated(const json_t *doc, json_int_t results)
{
    const json_t *mark = json_object_get(json_object_get(doc, "decorators"), "mark");

    ck_assert_int_eq(json_integer_value(json_object_get(mark, "results")), results);
}

static struct stoq_courier_client *
new_client(struct stoq_courier *c)
{
    struct stoq_courier_client *client = NULL;

    ck_assert_int_eq(stoq_courier_client_new(STOQ_STEAL_FD(&c->control), &client, NULL),
                     0);
    return client;
}

static void
finish(struct stoq_courier_client *client, struct stoq_outcome *o, int fd,
       struct box *box)
{
    ck_assert_int_eq(stoq_courier_client_finish(client, o, fd, take, box), 0);
}

/* ------------------------------------------------------------------------------------
 */

START_TEST(test_archive_decorate)
{
    struct stoq_courier_client *client;
    struct stoq_courier c;
    struct box box = {0};
    struct stoq_outcome *o;
    int fd;

    set("core", "dest_archivers", "keep");
    set("core", "decorators", "mark");
    c = start_courier();
    client = new_client(&c);
    fd = file_of("the root");
    o = outcome_of(1, fd);
    add_child(o, memfd_of("XXXa childYYY"), 3, "a child");
    finish(client, o, fd, &box);
    ck_assert_int_eq(close(fd), 0); /* it has its own */
    EVENTUALLY(atomic_load(&box.done));
    ck_assert_ptr_eq(box.outcome, o);
    {
        json_auto_t *doc = parsed(&box);
        char id[STOQ_UUID_SIZE];

        scan_id_of(1, id);
        ck_assert_str_eq(stoq_json_string_of(doc, "scan_id"), id);
        assert_archived(doc, 0, "the root");
        assert_archived(doc, 1, "a child");
        assert_decorated(doc, 2);
        ck_assert_uint_eq(json_array_size(json_object_get(doc, "errors")), 1);
        ck_assert_str_eq(error_at(doc, 0), "a test");
    }
    stoq_outcome_free(box.outcome);
    stoq_courier_client_free(client);
    stoq_courier_end(&c, 5000);
}
END_TEST

/* A file that is not what was scanned any more is not archived as if it were. */
START_TEST(test_changed_file)
{
    struct stoq_courier_client *client;
    struct stoq_courier c;
    struct box box = {0};
    struct stoq_outcome *o;
    int fd;

    set("core", "dest_archivers", "keep");
    set("core", "decorators", "mark");
    c = start_courier();
    client = new_client(&c);
    fd = file_of("before");
    o = outcome_of(1, fd);
    o->st.st_mtim.tv_sec -= 10;
    finish(client, o, fd, &box);
    EVENTUALLY(atomic_load(&box.done));
    {
        json_auto_t *doc = parsed(&box);

        ck_assert_uint_eq(json_array_size(json_object_get(doc, "errors")), 2);
        ck_assert_ptr_nonnull(strstr(error_at(doc, 1), "archiver:failed to archive"));
        assert_decorated(doc, 1);
    }
    stoq_outcome_free(box.outcome);
    stoq_courier_client_free(client);
    stoq_courier_end(&c, 5000);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* Many, from several threads, far more than are sent at one time: all come back. */
enum { EACH = 100, HANDS = 4 };

struct hand {
    struct stoq_courier_client *client;
    int fd;
    uint64_t base;
    struct box boxes[EACH];
};

static void *
submit(void *arg)
{
    struct hand *hand = arg;

    for (uint64_t i = 0; i < EACH; i++)
        finish(hand->client, outcome_of(hand->base + i, hand->fd), hand->fd,
               &hand->boxes[i]);
    return NULL;
}

START_TEST(test_many)
{
    static struct hand hands[HANDS];
    pthread_t threads[HANDS];
    struct stoq_courier_client *client;
    struct stoq_courier c;
    int fd;

    memset(hands, 0, sizeof hands);
    set("core", "decorators", "mark");
    c = start_courier();
    client = new_client(&c);
    fd = file_of("text");
    for (uint64_t i = 0; i < HANDS; i++) {
        hands[i].client = client;
        hands[i].fd = fd;
        hands[i].base = 1000 * i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, submit, &hands[i]), 0);
    }
    for (size_t i = 0; i < HANDS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < HANDS; i++) {
        for (size_t k = 0; k < EACH; k++) {
            struct box *box = &hands[i].boxes[k];
            char id[STOQ_UUID_SIZE];

            EVENTUALLY(atomic_load(&box->done));
            scan_id_of(hands[i].base + k, id);
            json_auto_t *doc = parsed(box);
            ck_assert_str_eq(stoq_json_string_of(doc, "scan_id"), id);
            assert_decorated(doc, 1);
            ck_assert(k == 0 || box->order > box[-1].order);
            stoq_outcome_free(box->outcome);
        }
    }
    stoq_courier_client_free(client);
    stoq_courier_end(&c, 5000);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* Couriers that die over what they are given, one after the other. The test has threads
 * and so cannot fork later: all couriers are started first. */
enum { SPARES = 4 };

START_TEST(test_courier_dies)
{
    struct stoq_courier_client *client;
    struct stoq_courier c[SPARES];
    struct box boxes[3] = {0};
    int fd, status;

    set("core", "decorators", "mark");
    for (size_t i = 0; i < SPARES; i++)
        c[i] = start_courier();
    touch("mark.kill");
    fd = file_of("text");
    client = new_client(&c[0]);
    for (size_t i = 0; i < 3; i++)
        finish(client, outcome_of(i, fd), fd, &boxes[i]);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(waitpid(c[i].pid, &status, 0), c[i].pid);
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
        if (i == 2) /* the first scan was at the head of three deaths */
            EVENTUALLY(atomic_load(&boxes[0].done));
        else
            ck_assert_int_eq(atomic_load(&boxes[0].done), 0);
        if (i == 2)
            ck_assert_int_eq(unlink(in_dir("mark.kill")), 0);
        stoq_courier_client_set(client, STOQ_STEAL_FD(&c[i + 1].control));
    }
    {
        json_auto_t *doc = parsed(&boxes[0]);

        ck_assert_uint_eq(json_array_size(json_object_get(doc, "errors")), 2);
        ck_assert_str_eq(error_at(doc, 1),
                         "courier: archivers and decorators did not run to their end: "
                         "the courier dies over this scan");
        ck_assert(json_is_null(json_object_get(
            json_array_get(json_object_get(doc, "errors"), 1), "plugin_name")));
        ck_assert_uint_eq(json_object_size(json_object_get(doc, "decorators")), 0);
        stoq_outcome_free(boxes[0].outcome);
    }
    for (size_t i = 1; i < 3; i++) { /* those behind it are finished by the next */
        EVENTUALLY(atomic_load(&boxes[i].done));
        json_auto_t *doc = parsed(&boxes[i]);
        ck_assert_uint_eq(json_array_size(json_object_get(doc, "errors")), 1);
        assert_decorated(doc, 1);
        stoq_outcome_free(boxes[i].outcome);
    }
    stoq_courier_client_free(client);
    stoq_courier_end(&c[SPARES - 1], 5000);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* What waits when the client ends comes back, with the reason. */
START_TEST(test_client_ends)
{
    struct stoq_courier_client *client;
    struct stoq_courier c;
    struct box boxes[20] = {0};
    int fd;

    set("core", "decorators", "mark");
    c = start_courier();
    ck_assert_int_eq(kill(c.pid, SIGSTOP), 0);
    fd = file_of("text");
    client = new_client(&c);
    for (size_t i = 0; i < 20; i++)
        finish(client, outcome_of(i, fd), fd, &boxes[i]);
    stoq_courier_client_free(client);
    for (size_t i = 0; i < 20; i++) {
        ck_assert_int_eq(atomic_load(&boxes[i].done), 1);
        json_auto_t *doc = parsed(&boxes[i]);
        ck_assert_ptr_nonnull(
            strstr(error_at(doc, 1), "it was ended before it came to"));
        stoq_outcome_free(boxes[i].outcome);
    }
    ck_assert_int_eq(kill(c.pid, SIGCONT), 0);
    stoq_courier_end(&c, 5000);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* A decorator that fails is an error of the document, not of the courier. A document
 * that cannot be read comes back as it is. */
START_TEST(test_failures)
{
    struct stoq_courier_client *client;
    struct stoq_courier c;
    struct box boxes[2] = {0};
    struct stoq_outcome *o;
    int fd;

    set("core", "decorators", "mark");
    touch("mark.fail");
    c = start_courier();
    client = new_client(&c);
    fd = file_of("text");
    finish(client, outcome_of(1, fd), fd, &boxes[0]);
    o = outcome_of(2, fd);
    memcpy(o->document, "]", 1);
    finish(client, o, fd, &boxes[1]);
    EVENTUALLY(atomic_load(&boxes[0].done) && atomic_load(&boxes[1].done));
    {
        json_auto_t *doc = parsed(&boxes[0]);

        ck_assert_str_eq(error_at(doc, 1), "decorator: told to fail");
    }
    ck_assert_int_eq(boxes[1].outcome->document[0], ']');
    for (size_t i = 0; i < 2; i++)
        stoq_outcome_free(boxes[i].outcome);
    stoq_courier_client_free(client);
    stoq_courier_end(&c, 5000);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        test_archive_decorate, test_changed_file, test_many,
        test_courier_dies,     test_client_ends,  test_failures,
    };

    return run_case("courier_finish", tests, STOQ_ARRAY_SIZE(tests));
}
