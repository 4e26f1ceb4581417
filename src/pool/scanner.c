/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scanner's loop; see scanner.h. One thread, one job at a time. Timers kill the
 * process when a job outlives its budget, also when the pool that waits for it is gone.
 */
#include "pool/scanner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/engine.h"
#include "plugin/loader.h"
#include "pool/roots.h"
#include "pool/sandbox.h"
#include "pool/spare.h"
#include "pool/wear.h"
#include "pool/wire.h"
#include "util/auto.h"
#include "util/json.h"
#include "util/log.h"

/* The pool's deadline comes first; this one is for when there is no pool. */
#define ALARM_GRACE_MS 2000U

STOQ_DEFINE_AUTO(stoq_request)
STOQ_DEFINE_AUTO(stoq_response)

struct scanner {
    struct stoq *stoq;
    const struct stoq_limits *limits;
    int sock;
    struct stoq_wire_msg msg; /* the job */
    char *big;                /* its body, when that came in a memfd */
    struct stoq_wire_names names;
    int fd;
    bool last; /* end after this job */
    bool memory_limited;
    uint64_t peak; /* memory when the sandbox closed, bytes */
    struct stoq_wear wear;
};

/** What is handed back for the archivers. */
struct kept {
    int fd;
    struct stoq_wire_extent *extents;
    uint32_t count;
    uint64_t bytes;
};

static void
arm(int which, uint64_t ms)
{
    struct itimerval t = {
        .it_value = {.tv_sec = (time_t)(ms / 1000),
                     .tv_usec = (suseconds_t)(ms % 1000 * 1000)},
    };
    (void)setitimer((__itimer_which_t)which, &t, NULL);
}

static void
arm_timers(const struct scanner *s, bool on)
{
    uint64_t deadline = s->msg.u.job.deadline_ms;

    if (deadline > 0)
        arm(ITIMER_REAL, on ? deadline + ALARM_GRACE_MS : 0);
    if (s->limits->cpu_ms > 0)
        arm(ITIMER_PROF, on ? s->limits->cpu_ms : 0);
}

static int
send_head(int sock, struct stoq_wire_head *head, size_t size)
{
    struct stoq_wire_out out = {.head = head, .size = size};

    return stoq_wire_send(sock, &out);
}

static int
send_failed(const struct scanner *s, int code, const struct stoq_error *err)
{
    struct stoq_wire_failed w = {
        .head.type = STOQ_WIRE_FAILED,
        .id = s->msg.u.job.id,
        .code = code,
        .kind = (uint32_t)err->kind,
    };

    memcpy(w.message, err->message, sizeof(w.message));
    return send_head(s->sock, &w.head, sizeof(w));
}

/** Ask whether content of this digest was seen. @return 1 seen: the job is over; 0 scan
 *  it; -errno. */
static int
ask_reuse(struct scanner *s, struct stoq_payload *payload)
{
    struct stoq_wire_hashed w = {
        .head.type = STOQ_WIRE_HASHED,
        .id = s->msg.u.job.id,
    };
    struct stoq_wire_msg answer;
    int r;

    memcpy(w.sha256, stoq_payload_sha256(payload), sizeof(w.sha256));
    r = send_head(s->sock, &w.head, sizeof(w));
    if (r < 0)
        return r;
    r = stoq_wire_recv(s->sock, &answer);
    if (r <= 0)
        return r < 0 ? r : -EPIPE;
    if (answer.u.head.type == STOQ_WIRE_SKIP)
        return 1;
    if (answer.u.head.type == STOQ_WIRE_GO)
        return 0;
    stoq_wire_close(&answer);
    return -EPROTO;
}

/** Copy the children that are to be archived into a memfd. */
static int
keep_children(const struct stoq_request *request, struct kept *kept)
{
    size_t count = stoq_request_count(request);

    kept->extents = calloc(count ? count : 1, sizeof(*kept->extents));
    if (!kept->extents)
        return -ENOMEM;
    kept->fd = stoq_spare_take("stoq-payloads");
    if (kept->fd < 0)
        return kept->fd;
    for (size_t i = 1; i < count && i <= UINT32_MAX; i++) {
        struct stoq_wire_extent *e = &kept->extents[kept->count];
        const void *data;
        size_t size = 0;
        int r;

        if (!stoq_payload_should_archive(request, i))
            continue;
        data = stoq_payload_data(stoq_request_payload(request, i), &size);
        r = stoq_write_full(kept->fd, data, size);
        if (r < 0)
            return r;
        e->index = (uint32_t)i;
        e->offset = kept->bytes;
        e->size = size;
        kept->bytes += size;
        kept->count++;
    }
    return stoq_wire_seal(kept->fd);
}

/** A scanner whose memory files are used up, which has grown, or in which somebody
 * tried what the sandbox refuses, is replaced after its answer. */
static bool
is_last(struct scanner *s)
{
    s->last =
        stoq_spare_low() || stoq_sandbox_refused() > 0 || stoq_wear_is_worn(&s->wear);
    return s->last;
}

static int
send_result(struct scanner *s, const struct stoq_response *response,
            const struct kept *kept)
{
    STOQ_AUTOFREE char *text = stoq_response_text(response, false);
    const uint8_t *sha256 = stoq_response_sha256(response);
    struct stoq_wire_result w = {
        .head.type = STOQ_WIRE_RESULT,
        .id = s->msg.u.job.id,
        .payloads = kept->bytes,
        .extents = kept->count,
    };
    struct stoq_wire_out out = {.head = &w.head, .size = sizeof(w)};

    if (!text)
        return -ENOMEM;
    if (sha256) {
        memcpy(w.sha256, sha256, sizeof(w.sha256));
        w.flags |= STOQ_WIRE_RESULT_SHA256;
    }
    if (stoq_response_reusable(response))
        w.flags |= STOQ_WIRE_RESULT_REUSABLE;
    if (is_last(s))
        w.flags |= STOQ_WIRE_RESULT_LAST;
    out.body[0].iov_base = kept->extents;
    out.body[0].iov_len = kept->count * sizeof(*kept->extents);
    out.body[1].iov_base = text;
    out.body[1].iov_len = strlen(text);
    if (kept->count > 0) {
        out.fds[0] = kept->fd;
        out.nfds = 1;
    }
    return stoq_wire_send(s->sock, &out);
}

/** Payloads of the roots that lie in a row in the job's memfd, which is sealed.
 */
static int
add_slices(struct scanner *s, const struct stoq_roots *roots,
           struct stoq_request *request, struct stoq_error *err)
{
    uint64_t total = 0, at = 0;
    const unsigned char *map = NULL;
    int r = 0;

    for (size_t i = 0; i < roots->count; i++)
        if (__builtin_add_overflow(total, roots->items[i].size, &total))
            return -EPROTO;
    if (!stoq_wire_sealed(s->fd, total))
        return -EPROTO;
    if (total > 0) {
        void *p = mmap(NULL, (size_t)total, PROT_READ, MAP_PRIVATE, s->fd, 0);

        if (p == MAP_FAILED)
            return -errno;
        map = p;
    }
    for (size_t i = 0; i < roots->count && r == 0; i++) {
        const struct stoq_root *root = &roots->items[i];
        struct stoq_payload *payload = NULL;

        r = stoq_payload_new(map ? map + at : (const void *)"", (size_t)root->size,
                             &root->meta, &payload, err);
        if (r == 0)
            r = stoq_request_add(request, payload, err);
        at += root->size;
    }
    if (map)
        (void)munmap((void *)(uintptr_t)map, (size_t)total);
    return r;
}

static int
add_roots(struct scanner *s, struct stoq_request *request, struct stoq_error *err)
{
    struct stoq_roots roots = {NULL, 0};
    struct stoq_payload *payload = NULL;
    int r = stoq_roots_read(&s->names, &roots);

    if (r == 0 && roots.count == 1 && roots.items[0].size == STOQ_ROOT_ALL) {
        r = stoq_payload_from_fd(s->fd, &roots.items[0].meta, &payload, err);
        if (r == 0)
            r = stoq_request_add(request, payload, err);
    } else if (r == 0) {
        r = add_slices(s, &roots, request, err);
    }
    stoq_roots_fini(&roots);
    return r;
}

static int
new_request(struct scanner *s, struct stoq_request **out, struct stoq_error *err)
{
    const char *text = s->names.text[STOQ_WIRE_REQUEST_EXTRA];
    bool archive = !(s->msg.u.job.flags & STOQ_WIRE_JOB_NO_ARCHIVE);
    json_t *extra = text ? stoq_json_parse(text, strlen(text), err) : NULL;
    STOQ_AUTO(stoq_request) request = NULL;
    int r;

    if (text && !extra)
        return err->code;
    r = stoq_request_new(s->names.text[STOQ_WIRE_REQUEST_SOURCE], extra, archive,
                         &request, err);
    json_decref(extra);
    if (r == 0)
        r = add_roots(s, request, err);
    if (r == 0)
        *out = STOQ_STEAL(&request);
    return r;
}

/** Most memory this process ever had, in bytes. */
static uint64_t
peak(void)
{
    struct rusage u;

    return getrusage(RUSAGE_SELF, &u) < 0 ? 0 : (uint64_t)u.ru_maxrss * 1024;
}

/** Whether memory ran out, when that was @p before: a worker that was refused some may
 *  have gone on without a word. The payload's own pages are not of that memory. */
static bool
used_up(const struct scanner *s, uint64_t before)
{
    uint64_t now = peak(), most = s->limits->memory_bytes;
    struct stat st;

    if (!s->memory_limited || now <= before || fstat(s->fd, &st) < 0)
        return false;
    return now - s->peak > most - most / 16 + (uint64_t)st.st_size;
}

static int
scan(struct scanner *s, struct stoq_request *request, struct stoq_response **out,
     struct stoq_error *err)
{
    uint64_t before = peak();
    int r;
    const char *dispatch[STOQ_WIRE_DISPATCH_MAX + 1];
    const char *at = s->names.dispatch;
    uint32_t n = s->msg.u.job.dispatch;

    for (uint32_t i = 0; i < n; i++) {
        dispatch[i] = at;
        at += strlen(at) + 1;
    }
    dispatch[n] = NULL;
    r = stoq_engine_scan(s->stoq, request, n > 0 ? dispatch : NULL, out, err);
    if (r == 0 && used_up(s, before))
        r = stoq_error_set(err, STOQ_ERROR_LIMIT, -ENOMEM,
                           "the scan used up its memory of %llu bytes",
                           (unsigned long long)s->limits->memory_bytes);
    return r;
}

/** Bytes that no worker will look at are not hashed either. */
static bool
too_large(const struct scanner *s)
{
    struct stat st;

    return s->limits->bytes > 0 && fstat(s->fd, &st) == 0 &&
           (uint64_t)st.st_size > s->limits->bytes;
}

/** One job, from payload to answer. @return 0; < 0 when it was not answered, with text
 *  in @p err. */
static int
answer_job(struct scanner *s, struct stoq_error *err)
{
    STOQ_AUTO(stoq_request) request = NULL;
    STOQ_AUTO(stoq_response) response = NULL;
    const struct stoq_config *config = stoq_engine_config(s->stoq);
    uint32_t flags = s->msg.u.job.flags;
    struct kept kept = {.fd = -1};
    int r = new_request(s, &request, err);

    if (r < 0)
        return r;
    if ((flags & STOQ_WIRE_JOB_REUSE) && !too_large(s)) {
        r = ask_reuse(s, stoq_request_payload(request, 0));
        if (r != 0)
            return r > 0 ? 0 : r;
    }
    r = scan(s, request, &response, err);
    if (r == 0 && (flags & STOQ_WIRE_JOB_PAYLOADS) && config->dest_archivers.count > 0)
        r = keep_children(request, &kept);
    if (r == 0)
        r = send_result(s, response, &kept);
    free(kept.extents);
    stoq_auto_close(&kept.fd);
    return r;
}

/** Find the strings and the file of the job in s->msg. */
static int
open_job(struct scanner *s)
{
    size_t size = (size_t)s->msg.u.head.body;
    const char *body = (const char *)s->msg.u.bytes + s->msg.fixed;
    int r;

    if (s->msg.u.head.type != STOQ_WIRE_JOB || s->msg.u.head.body > STOQ_WIRE_JOB_MAX)
        return -EPROTO;
    if (s->msg.u.head.flags & STOQ_WIRE_BODY_FD) {
        s->big = malloc(size);
        if (!s->big)
            return -ENOMEM;
        r = stoq_wire_body(&s->msg, 0, s->big, size);
        if (r < 0)
            return r;
        body = s->big;
    }
    s->fd = stoq_wire_take(&s->msg, 0);
    return stoq_wire_names(&s->msg.u.job, body, size, &s->names);
}

static int
serve_job(struct scanner *s)
{
    struct stoq_error err = {.code = 0};
    int r = open_job(s);

    if (r == 0) {
        stoq_sandbox_begin_scan();
        arm_timers(s, true);
        r = answer_job(s, &err);
        arm_timers(s, false);
    }
    if (r < 0 && r != -EPIPE && s->msg.u.head.type == STOQ_WIRE_JOB) {
        (void)stoq_error_set(&err, STOQ_ERROR_SYSTEM, r, "cannot scan: %s",
                             strerror(-r));
        s->last = true;
        r = send_failed(s, r, &err);
    }
    stoq_auto_close(&s->fd);
    stoq_auto_free(&s->big);
    stoq_wire_close(&s->msg);
    return r;
}

static struct scanner the_scanner; /* 33 KiB, too much for some stacks */

/** In a signal handler: a worker does not stop trying. */
static void
give_up(const char *what)
{
    struct stoq_error err = {.kind = STOQ_ERROR_PLUGIN};

    (void)snprintf(err.message, sizeof(err.message),
                   "a worker goes on trying what the sandbox refuses: %s", what);
    (void)send_failed(&the_scanner, -EPERM, &err);
    _exit(0);
}

/** A worker is asked for that was not loaded before the sandbox closed. */
static void
want(const char *name)
{
    struct stoq_wire_want w = {
        .head.type = STOQ_WIRE_WANT,
        .id = the_scanner.msg.u.job.id,
    };

    (void)snprintf(w.name, sizeof(w.name), "%s", name);
    (void)send_head(the_scanner.sock, &w.head, sizeof(w));
    _exit(0);
}

static int
begin(struct stoq_sandbox *sandbox, int sock)
{
    struct stoq_wire_hello hello = {.head.type = STOQ_WIRE_HELLO};
    struct stoq_sandbox_report report;
    char text[128];
    int r = stoq_spare_fill();

    if (r < 0)
        return r;
    stoq_sandbox_on_flood(give_up);
    stoq_call_watch(stoq_sandbox_take_refused);
    stoq_engine_close(the_scanner.stoq, want);
    stoq_wear_begin(&the_scanner.wear, the_scanner.limits->memory_bytes);
    stoq_sandbox_enter(sandbox, &report);
    if (stoq_sandbox_unmet(sandbox, &report, text, sizeof(text))) {
        STOQ_ERROR("%s", text);
        return -EPERM;
    }
    the_scanner.memory_limited = stoq_sandbox_limits_memory(&report);
    the_scanner.peak = peak();
    hello.applied = report.applied;
    hello.failed = report.failed;
    return send_head(sock, &hello.head, sizeof(hello));
}

int
stoq_scanner_main(struct stoq *stoq, struct stoq_sandbox *sandbox, int sock)
{
    struct scanner *s = &the_scanner;
    int r;

    s->stoq = stoq;
    s->limits = &stoq_engine_config(stoq)->limits;
    s->sock = sock;
    s->fd = -1;
    r = begin(sandbox, sock);
    while (r == 0 && !s->last) {
        r = stoq_wire_recv(sock, &s->msg);
        if (r <= 0)
            break;
        r = serve_job(s);
    }
    return r < 0 && r != -EPIPE && r != -ECONNRESET ? 1 : 0;
}
