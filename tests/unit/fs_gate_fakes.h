/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FS_GATE_FAKES_H
#define TEST_FS_GATE_FAKES_H

/*
 * What the gate stands on, made of little: a pool whose jobs the test ends, a store in
 * memory whose commits the test can hold back or fail, requests that can be interrupted
 * as libfuse does it, a node table of nothing. fake_setup() before each test.
 */

#include "gate_impl.h"

#define FAKE_JOBS    4096
#define FAKE_RECORDS 64
#define FAKE_WAIT_MS 10000

struct fake_job {
    uint64_t id;
    int fd;
    char filename[64], path[256], dir[256];
    enum stoq_priority priority;
    bool reuse, want_payloads, ended;
    stoq_job_same same;
    stoq_job_done done;
    void *arg;
};

/** How a job ends. */
struct fake_end {
    enum stoq_verdict verdict;
    const char *scan_id;
    const struct stat *before, *after; /* NULL: fstat now */
    bool reused, reusable;
    const char *engine; /* that scanned; NULL: not told */
    uint8_t digest;     /* every byte of sha256; 0 = none */
};

struct fake_row {
    struct stoq_record record;
    char *text;
    size_t size;
};

/** Of a request: libfuse's fields that matter here. */
struct fuse_req {
    pthread_mutex_t lock;
    fuse_interrupt_func_t func;
    void *data;
    bool interrupted;
    atomic_int called;
    struct fuse_ctx ctx;
};

extern struct fake {
    pthread_mutex_t lock;
    struct fake_job jobs[FAKE_JOBS];
    size_t job_count;
    int submit_error;
    struct fake_row rows[FAKE_RECORDS];
    size_t row_count;
    int put_status; /* of commits */
    bool hold;      /* commits wait for fake_release() */
    stoq_store_done held_done[FAKE_RECORDS];
    void *held_arg[FAKE_RECORDS];
    size_t held;
    unsigned puts, forgets, carries, wakes, pins, finds;
    struct stoq_identity carried_from, carried_to;
    char connector[32]; /* first of the last put */
    bool hold_load;     /* foreach waits */
} fake;

void fake_setup(void);
void fake_teardown(void);
/** The n-th job (from 0) once it is submitted; fails the test after FAKE_WAIT_MS. */
struct fake_job *fake_job(size_t n);
/** End it as the pool would: asks same(), then done(). @return what same() said. */
bool fake_finish(struct fake_job *job, const struct fake_end *end);
/** Commits that are held back. */
size_t fake_held(void);
/** Commit what was held back. */
void fake_release(void);
/** Call INTERRUPT on a request as libfuse's loop does. */
void fake_interrupt(struct fuse_req *req);

/** Wait, polling, until @p cond; fails the test after FAKE_WAIT_MS. */
#define FAKE_UNTIL(cond)                                                             \
    do {                                                                             \
        uint64_t fake_end_ms = stoq_now_ms() + FAKE_WAIT_MS;                         \
        while (!(cond)) {                                                            \
            ck_assert_msg(stoq_now_ms() < fake_end_ms, "waited in vain: %s", #cond); \
            (void)usleep(200);                                                       \
        }                                                                            \
    } while (0)

#endif
