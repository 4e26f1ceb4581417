/* SPDX-License-Identifier: Apache-2.0 */

/* The providers' queue: order, bound, closing, cancelling, receipts. */

#include "test_core_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stoq/stoq.h>

#include "core/queue.h"
#include "util/auto.h"

STOQ_DEFINE_AUTO(stoq_queue)

static struct stoq_queue *
queue_of(size_t room)
{
    struct stoq_queue *q = NULL;
    ck_assert_int_eq(stoq_queue_new(room, &q, NULL), 0);
    return q;
}

START_TEST(test_items)
{
    STOQ_AUTO(stoq_queue) q = queue_of(3);
    struct stoq_queue_item item = {0};
    ck_assert_int_eq(stoq_queue_take(q, &item, 0), -ETIMEDOUT);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(stoq_queue_put_fd(q, fd, "/dev/null", json_object()), 0);
    ck_assert_int_eq(stoq_queue_put_bytes(q, "ab", 2, NULL), 0);
    ck_assert_int_eq(stoq_queue_put_task(q, "arch", json_pack("{s:i}", "n", 1)), 0);

    ck_assert_int_eq(stoq_queue_take(q, &item, UINT64_MAX), 0);
    ck_assert_int_eq(item.kind, STOQ_ITEM_FILE);
    ck_assert_int_eq(item.fd, fd);
    ck_assert_str_eq(item.path, "/dev/null");
    stoq_queue_item_fini(&item);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    ck_assert_int_eq(stoq_queue_take(q, &item, 1000), 0);
    ck_assert_int_eq(item.kind, STOQ_ITEM_BYTES);
    ck_assert_uint_eq(item.size, 2);
    ck_assert_mem_eq(item.data, "ab", 2);
    stoq_queue_item_fini(&item);
    stoq_queue_close(q);
    ck_assert_int_eq(stoq_queue_put_bytes(q, "", 0, NULL), -ECANCELED);
    ck_assert_int_eq(stoq_queue_take(q, &item, 0), 0);
    ck_assert_int_eq(item.kind, STOQ_ITEM_TASK);
    ck_assert_str_eq(item.archiver, "arch");
    ck_assert_int_eq(json_integer_value(json_object_get(item.task, "n")), 1);
    stoq_queue_item_fini(&item);
    ck_assert_int_eq(stoq_queue_take(q, &item, UINT64_MAX), -EPIPE);
}
END_TEST

static struct stoq_request *
request_of(const char *text)
{
    struct stoq_request *request = NULL;
    struct stoq_payload *payload = NULL;
    ck_assert_int_eq(stoq_request_new("test", NULL, true, &request, NULL), 0);
    ck_assert_int_eq(stoq_payload_new(text, strlen(text), NULL, &payload, NULL), 0);
    ck_assert_int_eq(stoq_request_add(request, payload, NULL), 0);
    return request;
}

/* Requests are taken: by whoever takes the item, by the queue's end, by a refusal. */
START_TEST(test_requests)
{
    STOQ_AUTO(stoq_queue) q = queue_of(2);
    struct stoq_request *request = request_of("a");
    struct stoq_queue_item item = {0};
    ck_assert_int_eq(stoq_queue_put_request(q, request), 0);
    ck_assert_int_eq(stoq_queue_put_request(q, request_of("left")), 0);
    ck_assert_int_eq(stoq_queue_take(q, &item, 0), 0);
    ck_assert_int_eq(item.kind, STOQ_ITEM_REQUEST);
    ck_assert_ptr_eq(item.request, request);
    ck_assert_int_eq(item.fd, -1);
    stoq_queue_item_fini(&item);
    ck_assert_ptr_null(item.request);
    stoq_queue_cancel(q);
    ck_assert_int_eq(stoq_queue_put_request(q, request_of("refused")), -ECANCELED);
}
END_TEST

#define ITEMS 1000

static void *
put_all(void *arg)
{
    for (int i = 0; i < ITEMS; i++)
        if (stoq_queue_put_bytes(arg, &i, sizeof(i), NULL) < 0)
            return arg;
    stoq_queue_close(arg);
    return NULL;
}

/* A producer faster than the consumer waits, and nothing is lost or turned round. */
START_TEST(test_bounded)
{
    STOQ_AUTO(stoq_queue) q = queue_of(2);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, put_all, q), 0);
    struct stoq_queue_item item;
    int taken = 0;
    while (stoq_queue_take(q, &item, UINT64_MAX) == 0) {
        ck_assert_mem_eq(item.data, &taken, sizeof(taken));
        stoq_queue_item_fini(&item);
        taken++;
    }
    ck_assert_int_eq(taken, ITEMS);
    void *failed = q;
    ck_assert_int_eq(pthread_join(thread, &failed), 0);
    ck_assert_ptr_null(failed);
}
END_TEST

/* A put that waits for room ends when the run does. */
START_TEST(test_cancel)
{
    STOQ_AUTO(stoq_queue) q = queue_of(1);
    pthread_t thread;
    struct pollfd p = {.fd = stoq_queue_cancel_fd(q), .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 0), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, put_all, q), 0);
    stoq_queue_cancel(q);
    void *failed = NULL;
    ck_assert_int_eq(pthread_join(thread, &failed), 0);
    ck_assert_ptr_eq(failed, q);
    ck_assert_int_eq(poll(&p, 1, 0), 1);
    struct stoq_queue_item item;
    ck_assert_int_eq(stoq_queue_take(q, &item, UINT64_MAX), -ECANCELED);
}
END_TEST

/* ---------------------------------------------------------------------- receipts */

/* The codes that were told, in order. */
static struct {
    int codes[8];
    size_t count;
} told;

static void
tell(void *arg, int code)
{
    ck_assert_ptr_eq(arg, &told);
    told.codes[told.count++ % 8] = code;
}

static int
put_told(struct stoq_queue *q, const char *text)
{
    const struct stoq_find find = {STOQ_FIND_HEAD, .kind = STOQ_FIND_BYTES,
                                   .data = text,   .size = strlen(text),
                                   .done = tell,   .arg = &told};
    return stoq_queue_put(q, &find);
}

/* Whoever put a find is told once how it ends, and not of one that was not put. */
START_TEST(test_receipts)
{
    STOQ_AUTO(stoq_queue) q = queue_of(4);
    struct stoq_queue_item item = {0};
    told.count = 0;
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(put_told(q, "ab"), 0);
    ck_assert_int_eq(stoq_queue_take(q, &item, 0), 0);
    ck_assert_uint_eq(item.size, 2);
    stoq_receipt_settle(&item.receipt, -EAGAIN);
    stoq_queue_item_fini(&item);
    ck_assert_uint_eq(told.count, 1);
    ck_assert_int_eq(told.codes[0], -EAGAIN);

    ck_assert_int_eq(stoq_queue_take(q, &item, 0), 0);
    struct stoq_receipt mine = stoq_receipt_steal(&item.receipt);
    stoq_queue_item_fini(&item);
    ck_assert_uint_eq(told.count, 1);
    stoq_receipt_settle(&mine, 0);
    stoq_receipt_settle(&mine, -EIO);
    ck_assert_uint_eq(told.count, 2);
    ck_assert_int_eq(told.codes[1], 0);

    ck_assert_int_eq(stoq_queue_take(q, &item, 0), 0);
    stoq_queue_item_fini(&item); /* dropped */
    ck_assert_int_eq(told.codes[2], -ECANCELED);
    stoq_queue_cancel(q); /* drops the last */
    ck_assert_uint_eq(told.count, 4);
    ck_assert_int_eq(told.codes[3], -ECANCELED);
    ck_assert_int_eq(put_told(q, "late"), -ECANCELED);
    ck_assert_uint_eq(told.count, 4);
}
END_TEST

/* The end of a queue settles, too; finds are checked before they are put. */
START_TEST(test_finds)
{
    struct stoq_queue *q = queue_of(4);
    struct stoq_queue_item item = {0};
    struct stoq_find find = {STOQ_FIND_HEAD, .done = tell, .arg = &told};
    told.count = 0;
    find.kind = (enum stoq_find_kind)9;
    ck_assert_int_eq(stoq_queue_put(q, &find), -EINVAL);
    find.kind = STOQ_FIND_REQUEST;
    ck_assert_int_eq(stoq_queue_put(q, &find), -EINVAL);
    find.kind = STOQ_FIND_TASK;
    find.task = json_object();
    ck_assert_int_eq(stoq_queue_put(q, &find), -EINVAL);
    find.archiver = "arch";
    find.task = json_object();
    ck_assert_int_eq(stoq_queue_put(q, &find), 0);
    /* a plugin of an older header knows no receipts */
    const struct stoq_find old = {.struct_size = offsetof(struct stoq_find, done),
                                  .data = "x",
                                  .size = 1,
                                  .done = tell};
    ck_assert_int_eq(stoq_queue_put(q, &old), 0);
    ck_assert_int_eq(put_told(q, "left"), 0);
    ck_assert_int_eq(stoq_queue_take(q, &item, 0), 0);
    ck_assert_str_eq(item.archiver, "arch");
    stoq_receipt_settle(&item.receipt, 0);
    stoq_queue_item_fini(&item);
    ck_assert_int_eq(stoq_queue_take(q, &item, 0), 0);
    ck_assert_ptr_null((void *)(uintptr_t)item.receipt.done);
    stoq_queue_item_fini(&item);
    ck_assert_uint_eq(told.count, 1);
    stoq_queue_free(q);
    ck_assert_uint_eq(told.count, 2);
    ck_assert_int_eq(told.codes[1], -ECANCELED);
}
END_TEST

static void
fill(TCase *tc)
{
    tcase_add_test(tc, test_items);
    tcase_add_test(tc, test_requests);
    tcase_add_test(tc, test_bounded);
    tcase_add_test(tc, test_cancel);
    tcase_add_test(tc, test_receipts);
    tcase_add_test(tc, test_finds);
}

int
main(void)
{
    return run_suite("core_queue", fill);
}
