/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGINS_PEINFO_PARTS_H
#define PLUGINS_PEINFO_PARTS_H

/*
 * What the parts of peinfo share. Each part adds its keys to the results, in the order
 * in which scan.c calls them; a part that finds nothing adds none. All return 0 or
 * -errno, where -errno means that memory or a digest failed, never that the file is
 * odd.
 */

#include <openssl/evp.h>

#include <stoq/plugin.h>

#include "common/pe.h"
#include "common/pe_tables.h"

#define HEX_MAX (2 * EVP_MAX_MD_SIZE + 1)

struct peinfo {
    EVP_MD *md5, *sha1, *sha256;
};

/* One scan. */
struct look {
    const struct peinfo *plugin;
    struct stoq_reply *reply;
    json_t *results;
    struct pe pe;
    struct pe_imports imports;
    uint64_t budget; /* bytes that may still be hashed for this part */
    bool full;       /* no more children */
    bool packed;
};

/* digest.c */
/** Set md5, sha1 and sha256 of @p object, in the order given by @p order: "msS" is md5,
 *  sha1, sha256. null for each when @p bytes exceed the look's budget. */
int add_digests(struct look *l, json_t *object, struct bytes bytes, const char *order);
/** Start the budget of a part anew. */
void refill(struct look *l);
void hex(const unsigned char *data, size_t size, char *out);
double entropy_of(struct bytes b);

/* Parts. */
int add_imports(struct look *l);
int add_exports(struct look *l);
int add_versions(struct look *l, const struct pe_resources *resources);
int add_certificates(struct look *l);
int add_sections(struct look *l);
int add_resources(struct look *l, const struct pe_resources *resources);
int add_rich_header(struct look *l);
int add_imphash(struct look *l);
int add_tls(struct look *l);
int add_debug(struct look *l);

/* scan.c */
/** Set @p key to "YYYY-MM-DD HH:MM:SS" of @p epoch in local time. */
int set_time(json_t *object, const char *key, uint32_t epoch);
/** Add @p bytes as a child with @p extra (copied), as long as there is room. */
int add_child(struct look *l, struct bytes bytes, const json_t *extra);
int peinfo_scan(void *instance, struct stoq_payload *payload,
                const struct stoq_request *request, struct stoq_reply *reply,
                unsigned flags, struct stoq_error *err);

#endif
