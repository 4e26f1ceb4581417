/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_CORE_FIXTURE_H
#define TEST_CORE_FIXTURE_H

/*
 * Engines with the golden plugins for the tests of src/core, and documents in a form
 * that can be compared: identifiers as p0, p1..., no times.
 */

#include <check.h>
#include <jansson.h>

#include <stoq/stoq.h>

/** An engine with these settings, "section.key=value", NULL-terminated. */
struct stoq *engine_with(const char *const *settings);
/** The same, expected to fail with @p code; the text in @p err. */
void engine_fails(const char *const *settings, int code, struct stoq_error *err);
/** Settings inline. */
#define ENGINE(...) engine_with((const char *const[]){__VA_ARGS__, NULL})

/** Scan text with start dispatch to a comma list ("" = none); never fails. */
struct stoq_response *scan_text(struct stoq *stoq, const char *text, const char *start);
/** The document with identifiers p0.. by place, time "T", scan_id "S", engine id "E",
 *  without duration_ms. Caller decrefs. */
json_t *plain(const struct stoq_response *response);
/** Member of plain(), or "results/N/..." by path, as compact text; caller frees. */
char *part(const struct stoq_response *response, const char *pointer);

/** Check that part() is @p expected (compact text with stoQ's separators). */
#define CHECK_PART(response, pointer, expected)                 \
    do {                                                        \
        char *text_ = part((response), (pointer));              \
        ck_assert_str_eq(text_ ? text_ : "(none)", (expected)); \
        free(text_);                                            \
    } while (0)

/** Run one suite of these cases and return main()'s value. */
int run_suite(const char *name, void (*fill)(TCase *tc));

#endif
