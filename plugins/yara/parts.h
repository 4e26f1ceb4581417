/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_YARA_PARTS_H
#define STOQ_PLUGIN_YARA_PARTS_H

/*
 * What the parts of the yara plugin share: rule sources on disk, the compiled set that
 * comes from them (or from the cache), and one scan with it.
 *
 * sources.c reads files, include.c resolves include statements, compile.c compiles,
 * cache.c keeps compiled sets, set.c ties these together and scans, match.c writes
 * matches as JSON, dispatch.c is the dispatcher, yara.c the plugin. No locks: an
 * instance has one caller at a time, and libyara is set up once per process.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <yara.h>

#include <stoq/plugin.h>

#include "common/auto.h"

#define YARA_SHA256_HEX 65U
/** Larger rule files are refused: no rule set in use comes near. */
#define YARA_FILE_MAX ((size_t)64 << 20)
/** Strings listed per rule when `strings_limit` says nothing. */
#define YARA_STRINGS_CAP 1000U

/* ----------------------------------------------------------------------- sources */

/** One rule file, read whole: what is hashed is what is compiled. */
struct stoq_yara_file {
    char *path;  /**< where it lies; owned */
    char *name;  /**< relative to the directory; the namespace; owned */
    char *text;  /**< size bytes, NUL-terminated; NULL = not readable */
    size_t size; /**< bytes at text */
    char sha256[YARA_SHA256_HEX]; /**< of text, "" when not readable */
    bool externals;               /**< compiles only with the external variables */
    bool failed;                  /**< takes no part, and is in the failed list */
};

/** All rule files of one option. Zero-initialise; fini. */
struct stoq_yara_sources {
    struct stoq_yara_file *files; /**< sorted by name; owned */
    size_t count, room;
    bool compiled; /**< the single file is the output of yarac */
};

/** A file that an include statement named. */
struct stoq_yara_include {
    char *path;                   /**< owned */
    char sha256[YARA_SHA256_HEX]; /**< "" = it could not be read */
};

struct stoq_yara_includes {
    struct stoq_yara_include *items; /**< owned */
    size_t count, room;
};

/**
 * Read @p path: one rule file, or a directory with all *.yar and *.yara below it.
 * Hidden entries and symlinked directories are left out.
 * @return 0, also when some files are not readable (their text is NULL); -ENOENT when
 *         there is nothing; -errno. On failure @p out is empty.
 */
int stoq_yara_sources_read(const char *path, struct stoq_yara_sources *out,
                           struct stoq_error *err);
void stoq_yara_sources_fini(struct stoq_yara_sources *s);
/** Read a regular file of at most @p max bytes through a descriptor, NUL-terminated
 *  (caller frees). @return 0 or -errno. */
int stoq_yara_read_fd(int fd, size_t max, char **out, size_t *size);
/** The same by name; symlinks are followed. */
int stoq_yara_read_path(const char *path, size_t max, char **out, size_t *size);
/** Hex SHA-256 of @p size bytes. @return 0 or -ENOMEM. */
int stoq_yara_sha256(const void *data, size_t size, char out[YARA_SHA256_HEX]);

/** Answers libyara's questions for included files: relative names lie beside the file
 *  that includes, and every file asked for is noted (in borrowed @p noted). */
struct stoq_yara_include_state;
int stoq_yara_include_new(struct stoq_yara_includes *noted,
                          struct stoq_yara_include_state **out);
/** Serve @p compiler while it reads the file at @p path. */
void stoq_yara_include_start(struct stoq_yara_include_state *state,
                             YR_COMPILER *compiler, const char *path);
void stoq_yara_include_free(struct stoq_yara_include_state *state);
void stoq_yara_includes_fini(struct stoq_yara_includes *includes);

/* --------------------------------------------------------------------- rule sets */

/** Names of the variables that rules may use though no rule defines them. */
enum { YARA_EXTERNAL_COUNT = 5 };
extern const char *const stoq_yara_external_names[YARA_EXTERNAL_COUNT];

/** Compiled rules, ready to scan. Zero-initialise; fini. */
struct stoq_yara_set {
    YR_RULES *rules;              /**< NULL = this set is switched off */
    YR_SCANNER *scanner;          /**< over rules */
    bool externals;               /**< some rule looks at more than the bytes */
    bool cached;                  /**< came from the cache */
    int timeout;                  /**< seconds; 0 = none */
    size_t loaded;                /**< number of rules */
    size_t files;                 /**< number of rule files found */
    json_t *failed;               /**< [{file, line, message}]; owned */
    char digest[YARA_SHA256_HEX]; /**< of all that decides what matches */
};

/** Compile what of @p sources compiles. Sets rules, externals, loaded and failed of
 *  @p set. @return 0, also when files failed; -ENOMEM, -EIO. */
int stoq_yara_compile(const struct stoq_ctx *ctx, struct stoq_yara_sources *sources,
                      struct stoq_yara_includes *includes, struct stoq_yara_set *set,
                      struct stoq_error *err);
/** Append to the failed list of @p set. */
int stoq_yara_set_failed(struct stoq_yara_set *set, const char *file, int line,
                         const char *message);

/** Fill @p set from the cache entry @p key. @return whether it is there and sound. */
bool stoq_yara_cache_load(const struct stoq_ctx *ctx, const char *key,
                          struct stoq_yara_set *set,
                          struct stoq_yara_includes *includes);
/** Keep @p set as entry @p key; a failure is a log line. */
void stoq_yara_cache_store(const struct stoq_ctx *ctx, const char *key,
                           const struct stoq_yara_set *set,
                           const struct stoq_yara_includes *includes);
/** Whether the file behind @p fd is ours or root's and nobody in @p others (mode bits)
 *  can write it. Compiled rules are code: they are loaded from such files only. */
bool stoq_yara_trusted(int fd, unsigned others);
/** yr_rules_load() from memory. @return 0, -EBADMSG, -ENOMEM. */
int stoq_yara_rules_load(const char *data, size_t size, YR_RULES **out);

/**
 * Load the rules at @p path, by the cache where there is one.
 * @param what  name of the option, for messages.
 * @return 0; -ENOENT nothing there; -EINVAL no rule compiles; -errno.
 */
int stoq_yara_set_open(const struct stoq_ctx *ctx, const char *what, const char *path,
                       struct stoq_yara_set *set, struct stoq_error *err);
void stoq_yara_set_fini(struct stoq_yara_set *set);
/** {loaded, files, failed, digest, cached}; caller owns it. NULL on -ENOMEM. */
json_t *stoq_yara_set_facts(const struct stoq_yara_set *set);

/** Told of each matching rule. @return 0, or -errno to end the scan. */
typedef int (*stoq_yara_match_fn)(void *arg, YR_SCAN_CONTEXT *context, YR_RULE *rule);

/**
 * Scan @p payload as one buffer.
 * @param overflows  out: strings that were given up because they match too often.
 * @return 0; -ETIMEDOUT; -ENOMEM; -EIO with libyara's reason.
 */
int stoq_yara_set_scan(struct stoq_yara_set *set, const struct stoq_payload *payload,
                       stoq_yara_match_fn fn, void *arg, uint64_t *overflows,
                       struct stoq_error *err);

/* ----------------------------------------------------------------------- matches */

/** Copy the first match of @p string to @p out, then the next one after it. libyara
 * packs matches without regard to alignment: so they are copied, never looked at in
 * place.
 *  @return whether there is one. */
bool stoq_yara_match_first(const YR_SCAN_CONTEXT *context, const YR_STRING *string,
                           YR_MATCH *out);
bool stoq_yara_match_next(YR_MATCH *match);

/** {tags, namespace, rule, meta, strings} of a matching rule, at most @p cap strings.
 *  Caller owns it; NULL on -ENOMEM. */
json_t *stoq_yara_match_json(YR_SCAN_CONTEXT *context, YR_RULE *rule, size_t cap);

/* -------------------------------------------------------------------- dispatcher */

struct stoq_yara_dispatch {
    struct stoq_yara_set *set;
    size_t cap;       /**< strings listed per rule */
    bool first_match; /**< xor_first_match */
};

/** Name workers for @p payload. */
int stoq_yara_dispatch(const struct stoq_yara_dispatch *d, struct stoq_payload *payload,
                       struct stoq_reply *reply, struct stoq_error *err);

#endif
