/* SPDX-License-Identifier: Apache-2.0 */

/* The tokens inside a tag of a template. */

#include <stdarg.h>
#include <stdio.h>

#include "parser.h"

void *
jinja_fail(struct jinja_parser *p, size_t offset, const char *fmt, ...)
{
    char text[300];
    size_t line, column;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    jinja_position(p->t, offset, &line, &column);
    if (p->code == 0)
        p->code = stoq_error_set(p->err, STOQ_ERROR_CONFIG, -EINVAL,
                                 "template %.150s:%zu:%zu: %s", p->t->path, line,
                                 column, text);
    return NULL;
}

void *
jinja_no_memory(struct jinja_parser *p)
{
    if (p->code == 0)
        p->code = stoq_error_set(p->err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    return NULL;
}

static char
peek(const struct jinja_parser *p, size_t ahead)
{
    return p->at + ahead < p->size ? p->source[p->at + ahead] : '\0';
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

void
jinja_after_tag(struct jinja_parser *p, bool strip, bool newline)
{
    if (strip) {
        while (is_blank(peek(p, 0)))
            p->at++;
    } else if (newline && peek(p, 0) == '\n') {
        p->at++;
    }
    p->line_starting = p->at > 0 && p->source[p->at - 1] == '\n';
}

/* Whether the tag ends here; then pass over its end. */
static bool
take_end(struct jinja_parser *p)
{
    char sign = peek(p, 0);
    size_t n = sign == '-' || (sign == '+' && p->in_block) ? 1 : 0;
    if (peek(p, n) != (p->in_block ? '%' : '}') || peek(p, n + 1) != '}')
        return false;
    p->at += n + 2;
    jinja_after_tag(p, n && sign == '-', p->in_block && sign != '+');
    return true;
}

/* -------------------------------------------------------------------------- texts */

static int
hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code point of \xHH, \uHHHH, \UHHHHHHHH behind the backslash; -1 = none. */
static int64_t
hex_escape(const struct jinja_parser *p, size_t at, size_t end, size_t *used)
{
    size_t digits = p->source[at] == 'x' ? 2 : p->source[at] == 'u' ? 4 : 8;
    int64_t value = 0;
    if (digits > end - at - 1)
        return -1;
    for (size_t i = 1; i <= digits; i++) {
        int digit = hex_digit(p->source[at + i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    *used = digits + 1;
    bool surrogate = value >= 0xd800 && value <= 0xdfff;
    return value > 0x10ffff || surrogate ? -1 : value;
}

/* What stands behind a backslash at @at. @return the bytes used, 0 on failure. */
static size_t
unescape(struct jinja_parser *p, size_t at, size_t end, struct jinja_text *out)
{
    static const char from[] = "nrtabfv\\'\"", to[] = "\n\r\t\a\b\f\v\\'\"";
    char c = p->source[at];
    size_t used = 1;
    const char *hit = c ? strchr(from, c) : NULL;
    if (hit) {
        jinja_text_add(out, &to[hit - from], 1);
    } else if (c == 'x' || c == 'u' || c == 'U') {
        int64_t rune = hex_escape(p, at, end, &used);
        if (rune < 0) {
            (void)jinja_fail(p, at - 1, "this is no escape of a text");
            return 0;
        }
        jinja_text_rune(out, (uint32_t)rune);
    } else if (c != '\n') {
        jinja_text_puts(out, "\\");
        jinja_text_add(out, &c, 1);
    }
    return used;
}

static bool
lex_text(struct jinja_parser *p, char quote)
{
    struct jinja_text out = {0};
    size_t begin = p->at++;
    size_t end = p->at;
    while (end < p->size && p->source[end] != quote)
        end += p->source[end] == '\\' ? 2 : 1;
    if (end >= p->size)
        return jinja_fail(p, begin, "a text that does not end") != NULL;
    p->token = TOKEN_TEXT;
    for (size_t at = p->at; at < end && p->code == 0;) {
        size_t n = 1;
        if (p->source[at] == '\\') {
            n = 1 + unescape(p, at + 1, end, &out);
        } else {
            jinja_text_add(&out, p->source + at, 1);
        }
        at += n;
    }
    if (p->code == 0 && out.code == 0)
        p->literal = json_stringn(out.data ? out.data : "", out.size);
    jinja_text_fini(&out);
    p->at = end + 1;
    if (p->code == 0 && !p->literal)
        return jinja_no_memory(p) != NULL;
    return p->code == 0;
}

/* ------------------------------------------------------------------------ numbers */

static bool
lex_number(struct jinja_parser *p)
{
    char text[64];
    size_t n = 0, begin = p->at;
    bool real = false;
    for (;; p->at++) {
        char c = peek(p, 0);
        bool exponent =
            n > 0 && (c == 'e' || c == 'E') &&
            (is_digit(peek(p, 1)) ||
             ((peek(p, 1) == '-' || peek(p, 1) == '+') && is_digit(peek(p, 2))));
        bool sign = (c == '-' || c == '+') && n > 0 && (text[n - 1] | 0x20) == 'e';
        bool dot = c == '.' && !real && is_digit(peek(p, 1));
        if (c == '_' && n > 0 && is_digit(text[n - 1]) && is_digit(peek(p, 1)))
            continue;
        if (!is_digit(c) && !exponent && !sign && !dot)
            break;
        real |= exponent || dot;
        if (n == sizeof text - 1)
            return jinja_fail(p, begin, "a number that is too long") != NULL;
        text[n++] = c;
    }
    text[n] = '\0';
    if (is_name_byte(peek(p, 0)))
        return jinja_fail(p, begin, "this is no decimal number") != NULL;
    errno = 0;
    long long integer = real ? 0 : strtoll(text, NULL, 10);
    if (errno)
        return jinja_fail(p, begin, "a number that is too large") != NULL;
    p->token = TOKEN_NUMBER;
    p->literal = real ? json_real(strtod(text, NULL)) : json_integer(integer);
    return p->literal ? true
           : real     ? jinja_fail(p, begin, "a number that is too large") != NULL
                      : jinja_no_memory(p) != NULL;
}

/* ------------------------------------------------------------------------- tokens */

static bool
lex_operator(struct jinja_parser *p)
{
    static const char *const twos[] = {"==", "!=", "<=", ">=", "//", "**"};
    char c = peek(p, 0);
    p->token = TOKEN_OPERATOR;
    for (size_t i = 0; i < sizeof twos / sizeof *twos; i++) {
        if (c != twos[i][0] || peek(p, 1) != twos[i][1])
            continue;
        p->at += 2;
        return true;
    }
    if (!c || !strchr("+-/*%~[](){}><=.:|,;", c))
        return jinja_fail(p, p->at,
                          p->at < p->size ? "unexpected character"
                                          : "a tag that does not end") != NULL;
    p->at++;
    return true;
}

bool
jinja_next(struct jinja_parser *p)
{
    if (p->code < 0)
        return false;
    json_decref(p->literal);
    p->literal = NULL;
    while (p->at < p->size && is_blank(p->source[p->at]))
        p->at++;
    p->start = p->at;
    char c = peek(p, 0);
    bool ok = true;
    if (take_end(p)) {
        p->token = TOKEN_END;
        p->length = 0;
        return true;
    }
    if (c == '"' || c == '\'') {
        ok = lex_text(p, c);
    } else if (is_digit(c)) {
        ok = lex_number(p);
    } else if (is_name_byte(c)) {
        p->token = TOKEN_NAME;
        while (is_name_byte(peek(p, 0)))
            p->at++;
    } else {
        ok = lex_operator(p);
    }
    p->length = p->at - p->start;
    return ok;
}

static bool
is_token(const struct jinja_parser *p, enum jinja_token token, const char *text)
{
    return p->code == 0 && p->token == token && p->length == strlen(text) &&
           memcmp(p->source + p->start, text, p->length) == 0;
}

bool
jinja_is_operator(const struct jinja_parser *p, const char *text)
{
    return is_token(p, TOKEN_OPERATOR, text);
}

bool
jinja_is_name(const struct jinja_parser *p, const char *text)
{
    return is_token(p, TOKEN_NAME, text);
}

bool
jinja_take_operator(struct jinja_parser *p, const char *text)
{
    return jinja_is_operator(p, text) && jinja_next(p);
}

bool
jinja_take_name(struct jinja_parser *p, const char *text)
{
    return jinja_is_name(p, text) && jinja_next(p);
}

void *
jinja_expected(struct jinja_parser *p, const char *what)
{
    if (p->token == TOKEN_END)
        return jinja_fail(p, p->start, "expected %s instead of the end of the tag",
                          what);
    return jinja_fail(p, p->start, "expected %s instead of '%.*s'", what,
                      p->length > 40 ? 40 : (int)p->length, p->source + p->start);
}
