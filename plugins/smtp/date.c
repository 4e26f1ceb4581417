/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates of mails: every form that Python's email package understands is written anew in
 * the form of RFC 5322; what it does not understand stays as it is. Called by header.c.
 */

#include <stdio.h>
#include <string.h>

#include "parts.h"

#define PIECES_MAX 8

/* Blank-separated pieces of a date; pieces beyond the sixth do not count. */
struct pieces {
    struct str at[PIECES_MAX];
    size_t count;
};

static void
split(struct str raw, struct pieces *p)
{
    struct cursor c = {.at = raw.at, .end = raw.at + raw.size};
    for (;;) {
        (void)take_space(&c);
        if (c.at >= c.end || p->count == PIECES_MAX)
            return;
        const char *from = c.at;
        while (c.at < c.end && !space_at(c.at, c.end))
            c.at++;
        p->at[p->count++] = (struct str){from, (size_t)(c.at - from)};
    }
}

static void
drop_first(struct pieces *p)
{
    p->count--;
    memmove(p->at, p->at + 1, p->count * sizeof *p->at);
}

static const char *
find(struct str s, char c)
{
    return s.size ? memchr(s.at, c, s.size) : NULL;
}

static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
static const char *const months[] = {
    "jan", "feb",  "mar",  "apr",    "may",       "jun",      "jul",      "aug",
    "sep", "oct",  "nov",  "dec",    "january",   "february", "march",    "april",
    "may", "june", "july", "august", "september", "october",  "november", "december"};

/* 1 to 12, or 0. */
static int
month_of(struct str s)
{
    for (int i = 0; i < 24; i++)
        if (str_is(s, months[i]))
            return i % 12 + 1;
    return 0;
}

/* Leave out the name of the day, also one that sticks to the number. */
static void
drop_day_name(struct pieces *p)
{
    struct str *s = &p->at[0];
    if (s->at[s->size - 1] == ',') {
        drop_first(p);
        return;
    }
    for (size_t i = 0; i < 7; i++)
        if (str_is(*s, days[i])) {
            drop_first(p);
            return;
        }
    const char *comma = memrchr(s->at, ',', s->size);
    if (comma)
        *s = (struct str){comma + 1, (size_t)(s->at + s->size - comma - 1)};
}

/* d-m-y time zone of RFC 850, and a zone that sticks to the time. */
static bool
arrange(struct pieces *p)
{
    if (p->count == 3) {
        struct str s = p->at[0];
        const char *a = find(s, '-');
        const char *b = a ? memchr(a + 1, '-', (size_t)(s.at + s.size - a - 1)) : NULL;
        if (b && !memchr(b + 1, '-', (size_t)(s.at + s.size - b - 1))) {
            p->at[4] = p->at[2];
            p->at[3] = p->at[1];
            p->at[2] = (struct str){b + 1, (size_t)(s.at + s.size - b - 1)};
            p->at[1] = (struct str){a + 1, (size_t)(b - a - 1)};
            p->at[0].size = (size_t)(a - s.at);
            p->count = 5;
        }
    }
    if (p->count == 4) {
        struct str s = p->at[3];
        const char *sign = find(s, '+');
        if (!sign)
            sign = find(s, '-');
        p->at[4] = (struct str){s.at, 0};
        if (sign && sign > s.at) {
            p->at[3].size = (size_t)(sign - s.at);
            p->at[4] = (struct str){sign, (size_t)(s.at + s.size - sign)};
        }
        p->count = 5;
    }
    return p->count >= 5;
}

static void
swap(struct str *a, struct str *b)
{
    struct str old = *a;
    *a = *b;
    *b = old;
}

static void
drop_comma(struct str *s)
{
    if (s->size && s->at[s->size - 1] == ',')
        s->size--;
}

/* A whole number with a sign perhaps, of at most nine digits. */
static bool
number(struct str s, int *value)
{
    size_t i = 0;
    const bool minus = s.size && s.at[0] == '-';
    if (s.size && one_of(s.at[0], "+-"))
        i++;
    if (i == s.size || s.size - i > 9)
        return false;
    for (*value = 0; i < s.size; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        *value = *value * 10 + (s.at[i] - '0');
    }
    if (minus)
        *value = -*value;
    return true;
}

/* h:m[:s], or the same with dots. */
static bool
clock_of(struct str s, int out[3])
{
    const char sep = find(s, ':') ? ':' : '.';
    size_t n = 0;
    out[2] = 0;
    for (const char *at = s.at, *end = s.at + s.size;; n++) {
        const char *stop = at < end ? memchr(at, sep, (size_t)(end - at)) : NULL;
        if (n == 3 ||
            !number((struct str){at, (size_t)((stop ? stop : end) - at)}, &out[n]))
            return false;
        if (!stop)
            break;
        at = stop + 1;
    }
    return n >= 1;
}

static const struct {
    const char *name;
    int offset;
} zones[] = {{"UT", 0},     {"UTC", 0},    {"GMT", 0},    {"Z", 0},      {"AST", -400},
             {"ADT", -300}, {"EST", -500}, {"EDT", -400}, {"CST", -600}, {"CDT", -500},
             {"MST", -700}, {"MDT", -600}, {"PST", -800}, {"PDT", -700}};

/* Minutes east of Greenwich. @return false when the date does not say. */
static bool
zone_of(struct str s, int *minutes)
{
    int hhmm = 0;
    bool known = false;
    for (size_t i = 0; i < sizeof zones / sizeof *zones && !known; i++) {
        known = str_is(s, zones[i].name);
        hhmm = zones[i].offset;
    }
    if (!known && (!number(s, &hhmm) || (hhmm == 0 && s.at[0] == '-')))
        return false;
    *minutes = hhmm / 100 * 60 + hhmm % 100;
    return true;
}

struct moment {
    int year, month, day, clock[3], minutes;
    bool zone;
};

static bool
leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool
possible(const struct moment *m)
{
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int last = length[m->month - 1] + (m->month == 2 && leap(m->year));
    return m->year >= 1 && m->year <= 9999 && m->day >= 1 && m->day <= last &&
           m->clock[0] >= 0 && m->clock[0] < 24 && m->clock[1] >= 0 &&
           m->clock[1] < 60 && m->clock[2] >= 0 && m->clock[2] < 60 &&
           (!m->zone || (m->minutes > -24 * 60 && m->minutes < 24 * 60));
}

static bool
parse(struct str raw, struct moment *m)
{
    struct pieces p = {.count = 0};
    split(raw, &p);
    if (p.count == 0)
        return false;
    drop_day_name(&p);
    if (p.count == 0 || !arrange(&p))
        return false;
    struct str *dd = &p.at[0], *mm = &p.at[1], *yy = &p.at[2], *tm = &p.at[3];
    struct str *tz = &p.at[4];
    if (!dd->size || !mm->size || !yy->size)
        return false;
    if (!month_of(*mm))
        swap(dd, mm);
    m->month = month_of(*mm);
    drop_comma(dd);
    const char *colon = find(*yy, ':');
    if (colon && colon > yy->at)
        swap(yy, tm);
    drop_comma(yy);
    if (!m->month || !yy->size)
        return false;
    if (yy->at[0] < '0' || yy->at[0] > '9')
        swap(yy, tz);
    drop_comma(tm);
    if (!clock_of(*tm, m->clock) || !number(*yy, &m->year) || !number(*dd, &m->day))
        return false;
    if (m->year < 100)
        m->year += m->year > 68 ? 1900 : 2000;
    m->zone = zone_of(*tz, &m->minutes);
    return possible(m);
}

/* 0 = Monday. */
static int
weekday(int y, int m, int d)
{
    static const int shift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
    if (m < 3)
        y--;
    return (y + y / 4 - y / 100 + y / 400 + shift[m - 1] + d + 6) % 7;
}

void
header_date(struct str raw, struct buf *out)
{
    static const char day_names[][4] = {"Mon", "Tue", "Wed", "Thu",
                                        "Fri", "Sat", "Sun"};
    static const char month_names[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct moment m = {0};
    char text[64];
    if (!parse(raw, &m)) {
        buf_add(out, raw.at, raw.size);
        return;
    }
    const unsigned east = (unsigned)(m.minutes < 0 ? -m.minutes : m.minutes);
    (void)snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d %c%02u%02u",
                   day_names[weekday(m.year, m.month, m.day)], m.day,
                   month_names[m.month - 1], m.year, m.clock[0], m.clock[1], m.clock[2],
                   !m.zone || m.minutes < 0 ? '-' : '+', east / 60, east % 60);
    buf_adds(out, text);
}
