/* SPDX-License-Identifier: Apache-2.0 */

/* Bounds of the outbox; see bounds.h. */

#include "store/bounds.h"

#include <stdio.h>
#include <string.h>

#include "util/auto.h"
#include "util/clock.h"
#include "util/log.h"

/* So long without a drop ends a burst. */
#define QUIET_MS 60000

/* A letter at the head, waiting or dead. */
struct head {
    int64_t row, doc, queued_ms;
    bool dead;
};

/* @return 1, 0 when there is none, -errno. */
static int
oldest(struct stoq_db *db, const char *connector, struct head *out)
{
    struct stoq_query q = stoq_query_start(db, STOQ_STMT_LETTER_OLDEST);
    int r;

    stoq_query_text(&q, connector);
    r = stoq_query_step(&q);
    if (r == 1) {
        out->row = sqlite3_column_int64(q.stmt, 0);
        out->doc = sqlite3_column_int64(q.stmt, 1);
        out->queued_ms = sqlite3_column_int64(q.stmt, 2);
        out->dead = sqlite3_column_int(q.stmt, 3) != 0;
    }
    stoq_query_end(&q);
    return r;
}

int
stoq_bounds_remove(struct stoq_db *db, int64_t row, int64_t doc, bool dead)
{
    struct stoq_query q =
        stoq_query_start(db, dead ? STOQ_STMT_DEAD_DELETE : STOQ_STMT_OUTBOX_DELETE);
    int r;

    stoq_query_int(&q, row);
    r = stoq_query_run(&q);
    if (r < 0)
        return r;
    q = stoq_query_start(db, STOQ_STMT_DOC_COLLECT);
    stoq_query_int(&q, doc);
    return stoq_query_run(&q);
}

int
stoq_bounds_count(struct stoq_db *db, const char *connector, int64_t now_ms)
{
    struct stoq_query q = stoq_query_start(db, STOQ_STMT_STATS_DROPPED);

    stoq_query_text(&q, connector);
    stoq_query_int(&q, now_ms);
    return stoq_query_run(&q);
}

static int
drop(struct stoq_db *db, const char *connector, const struct head *head, int64_t now_ms)
{
    int r = stoq_bounds_remove(db, head->row, head->doc, head->dead);

    return r < 0 ? r : stoq_bounds_count(db, connector, now_ms);
}

static bool
is_expired(const struct head *head, const struct stoq_bounds *bounds, int64_t now_ms)
{
    return now_ms > head->queued_ms &&
           (uint64_t)(now_ms - head->queued_ms) > bounds->max_age_ms;
}

int
stoq_bounds_expired(struct stoq_db *db, const char *connector,
                    const struct stoq_bounds *bounds, int64_t now_ms)
{
    struct head head;
    int r = bounds->max_age_ms ? oldest(db, connector, &head) : 0;

    return r == 1 ? is_expired(&head, bounds, now_ms) : r;
}

int
stoq_bounds_expire(struct stoq_db *db, const char *connector,
                   const struct stoq_bounds *bounds, int64_t now_ms)
{
    struct head head;
    int dropped = 0, r = 0;

    if (!bounds->max_age_ms)
        return 0;
    while ((r = oldest(db, connector, &head)) == 1 &&
           is_expired(&head, bounds, now_ms)) {
        r = drop(db, connector, &head, now_ms);
        if (r < 0)
            break;
        dropped++;
    }
    return r < 0 ? r : dropped;
}

/* @return 1 with the bytes in use, 0 when nothing was ever queued, -errno. */
static int
bytes_used(struct stoq_db *db, const char *connector, uint64_t *bytes)
{
    struct stoq_query q = stoq_query_start(db, STOQ_STMT_STATS_BYTES);
    int64_t value = 0;
    int r;

    stoq_query_text(&q, connector);
    r = stoq_query_one(&q, &value);
    *bytes = r == 1 && value > 0 ? (uint64_t)value : 0;
    return r;
}

int
stoq_bounds_admit(struct stoq_db *db, const char *connector,
                  const struct stoq_bounds *bounds, uint64_t size, int64_t now_ms,
                  unsigned *dropped)
{
    struct head head;
    uint64_t used = 0;
    int r = stoq_bounds_expire(db, connector, bounds, now_ms);

    if (r > 0)
        *dropped += (unsigned)r;
    while (r >= 0 && bounds->max_bytes) {
        r = bytes_used(db, connector, &used);
        if (r < 0 || (size <= bounds->max_bytes && used <= bounds->max_bytes - size))
            break;
        /* What is larger than everything allowed would not fit into an empty one. */
        if (bounds->keep_oldest || size > bounds->max_bytes ||
            (r = oldest(db, connector, &head)) == 0) {
            r = stoq_bounds_count(db, connector, now_ms);
            (*dropped)++;
            return r < 0 ? r : 0;
        }
        if (r > 0)
            r = drop(db, connector, &head, now_ms);
        (*dropped)++;
    }
    return r < 0 ? r : 1;
}

bool
stoq_burst_begins(struct stoq_burst *burst, const char *connector)
{
    size_t count = STOQ_ARRAY_SIZE(burst->slots), i = 0;
    uint64_t now = stoq_now_ms();
    bool quiet;

    while (i + 1 < count && burst->slots[i].connector[0] &&
           strncmp(burst->slots[i].connector, connector,
                   sizeof burst->slots[i].connector - 1) != 0)
        i++;
    quiet = !burst->slots[i].connector[0] || now - burst->slots[i].last_ms > QUIET_MS;
    (void)snprintf(burst->slots[i].connector, sizeof burst->slots[i].connector, "%s",
                   connector);
    burst->slots[i].last_ms = now;
    return quiet;
}

void
stoq_burst_tell(struct stoq_burst *burst, const char *connector, const char *why)
{
    if (stoq_burst_begins(burst, connector))
        STOQ_ERROR("outbox: results for connector %s are dropped: %s", connector, why);
}
