/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_PLUGIN_SUPPORT_H
#define TEST_PLUGIN_SUPPORT_H

/*
 * What the plugin room's tests share: a private directory with plugins in it, a look at
 * the log, and stand-ins for the core's payload and response.
 */

#include <check.h>
#include <stdint.h>
#include <sys/types.h>

#include <stoq/stoq.h>

#include "plugin/loader.h"

struct stoq_payload {
    const void *data;
    size_t size;
    unsigned char sha256[STOQ_SHA256_SIZE];
};

struct stoq_response {
    const char *text;
};

/** The directory of this test; made by set_up(), removed with everything by
 * tear_down(). */
extern char test_dir[64];
void set_up(void);
void tear_down(void);

/** "test_dir/NAME", in one of a few static buffers. */
const char *in_dir(const char *name);
/** Write a file of test_dir, making its directories. */
void put_file(const char *name, const char *text);
/** A directory NAME with OBJECT.so (copied from the built plugin @p built) and a
 * manifest OBJECT.stoq that names it OBJECT, with @p options lines. */
void put_plugin(const char *name, const char *built, const char *object,
                const char *options);
/** The only manifest below test_dir/NAME; freed by tear_down(). */
const struct stoq_manifest *manifest_in(const char *name);
/** Load it with "key=value" settings, NULL-terminated, all from "test.cfg:1". */
int load_plugin(const char *name, const char *const *settings, struct stoq_loaded **out,
                struct stoq_error *err);

/** Collect what is written to stderr from here on. */
void log_begin(void);
/** What was written since; freed by tear_down(). Ends collecting. */
const char *log_end(void);

int run_suite(Suite *suite);

#endif
