/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Letters are read in pages, so that a reader who takes his time holds nothing up, and
 * changed in small transactions, so that the mount gets its turns; see letters.h.
 */

#include "store/letters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/files.h"
#include "store/outbox_impl.h"

/* Letters per page, and per transaction. */
#define PAGE_ROWS 128

struct page {
    struct stoq_letter letters[PAGE_ROWS];
    char *texts[PAGE_ROWS][3]; /* connector, error, scan id; owned */
    size_t count;
};

static void
page_clear(struct page *p)
{
    for (size_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < 3; k++)
            free(p->texts[i][k]);
    p->count = 0;
}

static void
page_free(struct page *p)
{
    if (p)
        page_clear(p);
    free(p);
}
STOQ_DEFINE_AUTO(page)

/* Nobody has it open: let the writer's end make it one of this version. */
static int
bring_up_to_date(const char *dir, const char *path, struct stoq_error *err)
{
    struct stoq_db db = {0};
    STOQ_AUTOCLOSE int dir_fd = stoq_files_dir(dir, err);
    STOQ_AUTOCLOSE int lock = dir_fd < 0 ? -1 : stoq_files_lock(dir_fd, dir, err);
    int r = dir_fd < 0 ? dir_fd : lock;

    if (r >= 0)
        r = stoq_db_open(path, STOQ_DB_WRITER, &db, err);
    if (r >= 0)
        stoq_db_close(&db);
    return r;
}

int
stoq_letters_open(const char *dir, struct stoq_outbox **out, struct stoq_error *err)
{
    STOQ_AUTOFREE char *path = NULL;
    struct stoq_error old = {0};
    int r;

    if (asprintf(&path, "%s/" STOQ_DB_NAME, dir) < 0) {
        path = NULL;
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    r = stoq_outbox_open(path, out, &old);
    if (r == -EAGAIN) {
        r = bring_up_to_date(dir, path, err);
        return r < 0 ? r : stoq_outbox_open(path, out, err);
    }
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "%s", old.message);
    return 0;
}

static int
copy_letter(struct stoq_query *q, struct page *p)
{
    static const int columns[3] = {1, 7, 8};
    struct stoq_letter *l = &p->letters[p->count];
    char **texts = p->texts[p->count];
    int r = 0;

    for (size_t k = 0; k < 3; k++) {
        const unsigned char *text = sqlite3_column_text(q->stmt, columns[k]);

        texts[k] = strdup(text ? (const char *)text : "");
        if (!texts[k])
            r = -ENOMEM;
    }
    p->count++; /* also for the texts to be freed */
    l->row = sqlite3_column_int64(q->stmt, 0);
    l->connector = texts[0];
    l->last_error = texts[1];
    l->scan_id = texts[2];
    l->dead = sqlite3_column_int(q->stmt, 2) != 0;
    l->attempts = (unsigned)sqlite3_column_int(q->stmt, 3);
    l->queued_ms = sqlite3_column_int64(q->stmt, 4);
    l->at_ms = sqlite3_column_int64(q->stmt, 5);
    l->size = (uint64_t)sqlite3_column_int64(q->stmt, 6);
    return r;
}

/* The letters after @row. */
static int
read_page(struct stoq_outbox *o, const struct stoq_letter_filter *filter, int64_t row,
          struct page *p)
{
    struct stoq_query q = stoq_query_start(&o->db, STOQ_STMT_LETTER_PAGE);
    int r = 0;

    page_clear(p);
    stoq_query_int(&q, row);
    stoq_query_text(&q, filter->connector);
    stoq_query_int(&q, filter->dead);
    stoq_query_int(&q, PAGE_ROWS);
    while (p->count < PAGE_ROWS && (r = stoq_query_step(&q)) == 1) {
        r = copy_letter(&q, p);
        if (r < 0)
            break;
    }
    stoq_query_end(&q);
    return r < 0 ? r : 0;
}

int
stoq_letters_foreach(struct stoq_outbox *o, const struct stoq_letter_filter *filter,
                     bool (*fn)(void *arg, const struct stoq_letter *letter), void *arg)
{
    STOQ_AUTO(page) p = calloc(1, sizeof *p);
    int64_t last = 0;
    int r = p ? 0 : -ENOMEM;

    while (r == 0) {
        r = read_page(o, filter, last, p);
        if (r < 0 || p->count == 0)
            break;
        for (size_t i = 0; i < p->count; i++)
            if (!fn(arg, &p->letters[i]))
                return 0;
        last = p->letters[p->count - 1].row;
    }
    return r;
}

/* Where letter @row is. @return 0 or -ENOENT. */
static int
find(struct stoq_outbox *o, int64_t row, int64_t *doc, char **connector, bool *dead)
{
    struct stoq_query q = stoq_query_start(&o->db, STOQ_STMT_LETTER_FIND);
    size_t size;
    int r;

    stoq_query_int(&q, row);
    r = stoq_query_step(&q);
    if (r == 0)
        r = -ENOENT;
    if (r == 1) {
        *doc = sqlite3_column_int64(q.stmt, 0);
        *dead = sqlite3_column_int(q.stmt, 2) != 0;
        r = stoq_query_copy(&q, 1, connector, &size);
    }
    stoq_query_end(&q);
    return r;
}

static int
run_row(struct stoq_outbox *o, enum stoq_stmt which, int64_t row)
{
    struct stoq_query q = stoq_query_start(&o->db, which);

    stoq_query_int(&q, row);
    return stoq_query_run(&q);
}

/* Inside a transaction. */
static int
act(struct stoq_outbox *o, const struct stoq_letter_filter *filter,
    enum stoq_letter_action action, int64_t row)
{
    STOQ_AUTOFREE char *connector = NULL;
    int64_t doc = 0;
    bool dead = false;
    int r = find(o, row, &doc, &connector, &dead);

    if (r < 0)
        return r;
    if ((filter->dead && !dead) ||
        (filter->connector && strcmp(filter->connector, connector) != 0))
        return -ENOENT;
    if (action == STOQ_LETTER_DROP) {
        r = stoq_bounds_remove(&o->db, row, doc, dead);
        return r < 0 ? r : stoq_bounds_count(&o->db, connector, 0);
    }
    if (!dead)
        return run_row(o, STOQ_STMT_OUTBOX_DUE, row);
    r = run_row(o, STOQ_STMT_DEAD_REVIVE, row);
    return r < 0 ? r : run_row(o, STOQ_STMT_DEAD_DELETE, row);
}

int
stoq_letters_act(struct stoq_outbox *o, const struct stoq_letter_filter *filter,
                 enum stoq_letter_action action, int64_t row)
{
    int r = stoq_db_run(&o->db, STOQ_STMT_BEGIN);

    if (r == 0)
        r = act(o, filter, action, row);
    return stoq_outbox_settle(o, r);
}

static int
act_page(struct stoq_outbox *o, const struct stoq_letter_filter *filter,
         enum stoq_letter_action action, const struct page *p, uint64_t *count)
{
    uint64_t done = 0;
    int r = stoq_db_run(&o->db, STOQ_STMT_BEGIN);

    for (size_t i = 0; r == 0 && i < p->count; i++) {
        r = act(o, filter, action, p->letters[i].row);
        if (r == 0)
            done++;
        else if (r == -ENOENT) /* delivered meanwhile */
            r = 0;
    }
    r = stoq_outbox_settle(o, r);
    if (r == 0)
        *count += done;
    return r;
}

int
stoq_letters_act_all(struct stoq_outbox *o, const struct stoq_letter_filter *filter,
                     enum stoq_letter_action action, uint64_t *count)
{
    STOQ_AUTO(page) p = calloc(1, sizeof *p);
    int64_t last = 0;
    int r = p ? 0 : -ENOMEM;

    *count = 0;
    while (r == 0) {
        r = read_page(o, filter, last, p);
        if (r < 0 || p->count == 0)
            break;
        last = p->letters[p->count - 1].row;
        r = act_page(o, filter, action, p, count);
    }
    return r;
}
