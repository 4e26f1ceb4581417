/* SPDX-License-Identifier: Apache-2.0 */

/* One request, and how often it is made. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/sock.h"

#include "parts.h"

/* Retries in one call are for a hiccup: what takes longer is tried again from the
 * outbox, which does not hold up anything else meanwhile. */
#define RETRY_MS       1000
#define PAUSE_FIRST_MS 50

static size_t
take_reply(char *data, size_t one, size_t size, void *arg)
{
    struct es *e = arg;

    (void)one;
    if (size > ES_REPLY_MAX - e->reply_size)
        return 0;
    memcpy(e->reply + e->reply_size, data, size);
    e->reply_size += size;
    return size;
}

static int
code_of(CURLcode code)
{
    if (code == CURLE_OPERATION_TIMEDOUT)
        return -ETIMEDOUT;
    if (code == CURLE_OUT_OF_MEMORY)
        return -ENOMEM;
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
        return -ECONNREFUSED;
    return code == CURLE_WRITE_ERROR ? -EPROTO : -EIO;
}

static int
send_once(struct es *e, const char *id, const char *body, size_t size, int64_t deadline,
          struct stoq_error *err)
{
    int64_t left = deadline - plugin_now_ms();
    struct stoq_error why = {0};
    long status = 0;
    CURLcode code;

    e->reply_size = 0;
    e->why[0] = '\0';
    (void)curl_easy_setopt(e->curl, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(e->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    (void)curl_easy_setopt(e->curl, CURLOPT_WRITEFUNCTION, take_reply);
    (void)curl_easy_setopt(e->curl, CURLOPT_WRITEDATA, e);
    (void)curl_easy_setopt(e->curl, CURLOPT_TIMEOUT_MS, (long)(left > 1 ? left : 1));
    code = curl_easy_perform(e->curl);
    (void)curl_easy_setopt(e->curl, CURLOPT_POSTFIELDS, NULL);
    if (code != CURLE_OK)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, code_of(code), "%s: %s", e->name,
                              e->why[0] ? e->why : curl_easy_strerror(code));
    (void)curl_easy_getinfo(e->curl, CURLINFO_RESPONSE_CODE, &status);
    int r = es_judge(status, e->reply, e->reply_size, id, &why);
    return r == 0 ? 0
                  : stoq_error_set(err, why.kind, r, "%s: %s", e->name, why.message);
}

int
es_send(struct es *e, const char *id, const char *body, size_t size,
        struct stoq_error *err)
{
    int64_t begin = plugin_now_ms();
    int64_t pause = PAUSE_FIRST_MS;

    for (unsigned left = e->retries;; left--) {
        struct stoq_error why = {0};
        int r = send_once(e, id, body, size, begin + e->timeout_ms, &why);

        if (r == 0)
            return 0;
        if (left == 0 || (r != -EAGAIN && r != -ECONNREFUSED && r != -EIO) ||
            plugin_now_ms() + pause - begin > RETRY_MS)
            return stoq_error_set(err, why.kind, r, "%s", why.message);
        const struct timespec wait = {.tv_sec = pause / 1000,
                                      .tv_nsec = pause % 1000 * 1000000};
        (void)nanosleep(&wait, NULL);
        pause *= 2;
    }
}
