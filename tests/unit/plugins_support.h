/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_SUPPORT_H
#define PLUGINS_SUPPORT_H

/*
 * What the tests of the shipped yara and filedir plugins share: a private directory, a
 * plugin of the build tree loaded with options, and one call into it.
 */

#include <check.h>
#include <jansson.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

#include "plugin/loader.h"

/** The directory of this test case; the checked fixtures make and remove it. */
extern char test_dir[64];
void set_up(void);
void tear_down(void);

/** "test_dir/NAME"; valid until eight more were asked for. */
const char *in_dir(const char *name);
/** Write a file of test_dir, making its directories. */
void put_file(const char *name, const char *text);
void put_bytes(const char *name, const void *data, size_t size);
/** Whole content of a file by its full path; caller frees. */
char *get_file(const char *path);

/** Load plugin @p name with "key=value" options, NULL-terminated, @p cache or NULL. */
int load(const char *name, const char *const *options, const char *cache,
         struct stoq_loaded **out, struct stoq_error *err);
#define LOAD(name, cache, out, err, ...) \
    load(name, (const char *const[]){__VA_ARGS__, NULL}, cache, out, err)
/** The same, expected to succeed. */
#define LOADED(name, cache, ...) \
    loaded(name, (const char *const[]){__VA_ARGS__, NULL}, cache)
struct stoq_loaded *loaded(const char *name, const char *const *options,
                           const char *cache);

/** A payload of these bytes; the path may be NULL, its last part is the file name. */
struct stoq_payload *payload(const void *data, size_t size, const char *path);
/** Scan bytes with a loaded worker. @return what the call returned. */
int scan(struct stoq_loaded *p, const void *data, size_t size, const char *path,
         struct stoq_reply *reply, struct stoq_error *err);
/** Compact text of the results of one scan that succeeds; caller frees. */
char *scanned(struct stoq_loaded *p, const void *data, size_t size, const char *path);
/** Names of the rules that match, in order, joined by blanks; caller frees. */
char *rules_of(struct stoq_loaded *p, const void *data, size_t size, const char *path);
/** Member @p key of the plugin's fact @p fact, as compact text; caller frees. */
char *fact(struct stoq_loaded *p, const char *name, const char *key);

/** Check that a text the caller would free is @p expected, and free it. */
#define CHECK_TEXT(call, expected)                              \
    do {                                                        \
        char *text_ = (call);                                   \
        ck_assert_str_eq(text_ ? text_ : "(none)", (expected)); \
        free(text_);                                            \
    } while (0)

/** Run @p fill's cases as one suite and return main()'s value. */
int run_suite(const char *name, void (*fill)(TCase *tc));

#endif
