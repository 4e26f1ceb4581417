/* SPDX-License-Identifier: Apache-2.0 */

/* The lanes of the outbox; see deliver.h. */

#include "courier/deliver.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/config.h"
#include "core/engine.h"
#include "courier/backoff.h"
#include "store/outbox.h"
#include "util/auto.h"
#include "util/clock.h"
#include "util/log.h"

STOQ_DEFINE_AUTO(stoq_response)

/* Nothing is due: look again although nobody woke us, in case a wake was lost with the
 * process that meant to send it. */
#define IDLE_MS 30000
/* The database cannot be used: pause. */
#define TROUBLE_MS 5000

struct lane {
    const char *connector; /* borrowed from the engine's configuration */
    uint64_t retry_ms;     /* stoq_now_ms() before which it is left alone */
    int64_t delivered;     /* row that is delivered but not removed yet, 0 = none */
    bool begun;            /* a row was tried since the courier started */
    char trouble[256];     /* last failure logged, "" = it works */
};

struct stoq_delivery {
    struct stoq *stoq;
    const struct stoq_outbox_limits *limits;
    const char *db_path;
    struct stoq_outbox *outbox; /* NULL while there is no database */
    uint64_t open_ms;           /* when to try to open it */
    int open_code;              /* last failure to open it that was logged */
    struct stoq_burst buried;   /* told of one dead letter, not of each */
    struct lane *lanes;
    size_t count, turn;
};

void
stoq_delivery_bounds(const struct stoq_config *config, struct stoq_bounds *out)
{
    const struct stoq_outbox_limits *l = &config->outbox;

    *out = (struct stoq_bounds){
        .max_bytes = l->max_bytes,
        .max_age_ms = l->max_age_ms,
        .keep_oldest = l->drop && strcmp(l->drop, "newest") == 0,
    };
}

int
stoq_delivery_new(struct stoq *stoq, const char *db_path, struct stoq_delivery **out)
{
    const struct stoq_strv *names = &stoq_engine_config(stoq)->connectors;
    struct stoq_delivery *d = calloc(1, sizeof *d);

    if (d)
        d->lanes = calloc(names->count + 1, sizeof *d->lanes);
    if (!d || !d->lanes) {
        free(d);
        return -ENOMEM;
    }
    d->stoq = stoq;
    d->limits = &stoq_engine_config(stoq)->outbox;
    d->db_path = db_path;
    d->count = names->count;
    for (size_t i = 0; i < d->count; i++)
        d->lanes[i].connector = names->items[i];
    *out = d;
    return 0;
}

void
stoq_delivery_free(struct stoq_delivery *d)
{
    if (!d)
        return;
    stoq_outbox_free(d->outbox);
    free(d->lanes);
    free(d);
}

void
stoq_delivery_wake(struct stoq_delivery *d)
{
    /* The store may have moved a damaged database aside and begun another. */
    if (d->outbox && stoq_outbox_stale(d->outbox)) {
        stoq_outbox_free(d->outbox);
        d->outbox = NULL;
        for (size_t i = 0; i < d->count; i++)
            d->lanes[i].delivered = 0;
    }
    if (!d->outbox)
        d->open_ms = 0;
    for (size_t i = 0; i < d->count; i++) {
        if (d->lanes[i].retry_ms == UINT64_MAX)
            d->lanes[i].retry_ms = 0;
    }
}

void
stoq_delivery_look_again(struct stoq_delivery *d)
{
    /* Not a reason to try to open it: that it could not be, and was closed again, may
     * be what was seen. */
    for (size_t i = 0; d->outbox && i < d->count; i++)
        d->lanes[i].retry_ms = 0;
}

static void
open_outbox(struct stoq_delivery *d, uint64_t now)
{
    struct stoq_error err = {0};
    struct stoq_bounds bounds;
    int r = stoq_outbox_open(d->db_path, &d->outbox, &err);

    stoq_delivery_bounds(stoq_engine_config(d->stoq), &bounds);
    if (r == 0)
        stoq_outbox_set_bounds(d->outbox, &bounds);
    /* One of an older version is brought up to date when the store is opened. */
    if (r < 0 && r != -ENOENT && r != -EAGAIN && r != d->open_code)
        STOQ_ERROR("courier: the outbox cannot be opened: %s", err.message);
    d->open_code = r;
    d->open_ms = now + TROUBLE_MS;
}

/* Log a failure of @lane when it is another one than before. */
static void
trouble(struct lane *lane, const char *text)
{
    char line[sizeof lane->trouble];

    (void)snprintf(line, sizeof line, "%s", text);
    if (strcmp(line, lane->trouble) == 0)
        return;
    memcpy(lane->trouble, line, sizeof line);
    STOQ_WARN("courier: %s does not deliver: %s; results wait in the outbox",
              lane->connector, line);
}

static void
remove_row(struct stoq_delivery *d, struct lane *lane)
{
    int r = stoq_outbox_done(d->outbox, lane->connector, lane->delivered);
    char text[96];

    if (r == 0 || r == -ENOENT) {
        lane->delivered = 0;
        return;
    }
    /* It is delivered; only the note of it failed and is what is tried again. */
    (void)snprintf(text, sizeof text, "outbox: %s", strerror(-r));
    trouble(lane, text);
    lane->retry_ms = stoq_now_ms() + TROUBLE_MS;
}

/* Whether @item has failed often enough, for long enough, to be given up. */
static bool
is_hopeless(const struct stoq_delivery *d, const struct stoq_outbox_item *item)
{
    int64_t age = stoq_real_ns() / 1000000 - item->queued_ms;

    return d->limits->dead_after_ms && age > 0 &&
           (uint64_t)age >= d->limits->dead_after_ms &&
           item->attempts + 1 >= d->limits->dead_attempts;
}

static void
bury(struct stoq_delivery *d, struct lane *lane, const struct stoq_outbox_item *item,
     const char *text)
{
    int r = stoq_outbox_bury(d->outbox, lane->connector, item, text);

    if (r == 0) {
        if (stoq_burst_begins(&d->buried, lane->connector))
            STOQ_ERROR(
                "courier: %s cannot take outbox row %lld, which is a dead letter "
                "now: %s",
                lane->connector, (long long)item->row, text);
        return;
    }
    /* It cannot be noted: the next attempt fails again, and is noted then. */
    if (r != -ENOENT)
        lane->retry_ms = stoq_now_ms() + TROUBLE_MS;
}

static void
put_off(struct stoq_delivery *d, struct lane *lane, const struct stoq_outbox_item *item,
        const char *text)
{
    uint64_t delay = stoq_backoff_ms(item->attempts);

    if (is_hopeless(d, item)) {
        bury(d, lane, item, text);
        return;
    }
    trouble(lane, text);
    (void)stoq_outbox_failed(d->outbox, lane->connector, item, delay, text);
    lane->retry_ms = stoq_now_ms() + delay;
}

static int
save(struct stoq_delivery *d, const struct lane *lane,
     const struct stoq_outbox_item *item, bool *unreadable, struct stoq_error *err)
{
    STOQ_AUTO(stoq_response) response = NULL;
    int r = stoq_response_parse(item->document, item->size, &response, err);

    if (r < 0) {
        *unreadable = r != -ENOMEM;
        return r;
    }
    /* A plugin that never comes back ends the courier, which is then started again. */
    (void)alarm(STOQ_COURIER_CALL_S);
    r = stoq_engine_save(d->stoq, lane->connector, response, err);
    (void)alarm(0);
    return r;
}

/* Where a courier that died may have died: put the row off first, so that it cannot
 * take the next one down before the other lanes had their turn. @return whether it is
 * to be tried. */
static bool
begin(struct stoq_delivery *d, struct lane *lane, const struct stoq_outbox_item *item)
{
    if (lane->begun)
        return true;
    lane->begun = true;
    if (item->attempts && is_hopeless(d, item)) {
        bury(d, lane, item, "every attempt failed, or the courier died of it");
        return false;
    }
    (void)stoq_outbox_begin(d->outbox, lane->connector, item,
                            stoq_backoff_ms(item->attempts));
    return true;
}

static void
deliver(struct stoq_delivery *d, struct lane *lane, const struct stoq_outbox_item *item)
{
    struct stoq_error err = {0};
    bool unreadable = false;
    const char *text;
    int r;

    if (!begin(d, lane, item))
        return;
    r = save(d, lane, item, &unreadable, &err);
    if (r == 0) {
        if (lane->trouble[0])
            STOQ_WARN("courier: %s delivers again", lane->connector);
        lane->trouble[0] = '\0';
        lane->delivered = item->row;
        remove_row(d, lane);
        return;
    }
    text = err.message[0] ? err.message : strerror(-r);
    /* No later attempt would fare better, and others wait behind it. */
    if (unreadable || r == -EBADMSG)
        bury(d, lane, item, text);
    else
        put_off(d, lane, item, text);
}

/* Try the oldest row of @lane. @return whether there was one to try. */
static bool
step_lane(struct stoq_delivery *d, struct lane *lane)
{
    struct stoq_outbox_item item = {0};
    uint64_t wait = 0;
    char text[96];
    int r;

    if (lane->delivered) {
        remove_row(d, lane);
        return true;
    }
    r = stoq_outbox_next(d->outbox, lane->connector, &item, &wait);
    switch (r) {
    case 0:
        deliver(d, lane, &item);
        free(item.document);
        return true;
    case -ENOENT:
        lane->retry_ms = UINT64_MAX;
        return false;
    case -EAGAIN:
        lane->retry_ms = stoq_now_ms() + wait;
        return false;
    default:
        (void)snprintf(text, sizeof text, "outbox: %s", strerror(-r));
        trouble(lane, text);
        lane->retry_ms = stoq_now_ms() + TROUBLE_MS;
        return false;
    }
}

static int
until(uint64_t when, uint64_t now)
{
    if (when <= now)
        return 0;
    return when - now > IDLE_MS ? IDLE_MS : (int)(when - now);
}

bool
stoq_delivery_step(struct stoq_delivery *d, int *wait_ms)
{
    uint64_t now = stoq_now_ms();
    uint64_t next = UINT64_MAX;

    *wait_ms = -1;
    if (!d->count)
        return false;
    if (!d->outbox && now >= d->open_ms)
        open_outbox(d, now);
    if (!d->outbox) {
        *wait_ms = until(d->open_ms, now);
        return false;
    }
    for (size_t i = 0; i < d->count; i++) {
        struct lane *lane = &d->lanes[(d->turn + i) % d->count];

        if (lane->retry_ms <= now && step_lane(d, lane)) {
            d->turn = (d->turn + i + 1) % d->count;
            return true;
        }
        if (lane->retry_ms < next)
            next = lane->retry_ms;
    }
    *wait_ms = until(next, now);
    return false;
}
