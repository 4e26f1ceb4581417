/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_ROOTS_H
#define STOQ_POOL_ROOTS_H

/*
 * The root payloads of a job: from a specification to text, and from a job's
 * texts to payload metadata. Used on both sides: the scanner scans under them,
 * and the pool writes documents with them for scans that did not take place.
 *
 * The text is a JSON array with an object for each root: size (left out: all of
 * the file), extra_data, no_scan, no_archive, filename, path, owner; names that
 * are not UTF-8 have their bytes in KEY_b64 as well.
 */

#include <stoq/stoq.h>

#include "pool/pool.h"
#include "pool/wire.h"

/** Most roots of a job. */
#define STOQ_ROOTS_MAX 10000U

struct stoq_root {
    uint64_t size; /**< or STOQ_ROOT_ALL */
    struct stoq_payload_meta meta;
    json_t *extra;  /**< owned: of meta, or NULL */
    char *texts[3]; /**< owned: of meta, or NULL */
};

/** Zero-initialise; fini. */
struct stoq_roots {
    struct stoq_root *items; /**< owned */
    size_t count;
};

/** @p spec's roots as text; caller frees. @return 0 or -ENOMEM. */
int stoq_roots_text(const struct stoq_job_spec *spec, char **out);
/** The roots of a job, at least one. Where it has names alone that is all of
 * the file, with extra data {"filename": name or null[, "source_dir": dir]};
 * its texts are borrowed from @p names then. @return 0; -EPROTO; -ENOMEM. Fini
 * in any case. */
int stoq_roots_read(const struct stoq_wire_names *names, struct stoq_roots *out);
void stoq_roots_fini(struct stoq_roots *roots);

#endif
