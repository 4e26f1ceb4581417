/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_CLI_SCANNER_H
#define STOQ_CLI_SCANNER_H

/*
 * What scans for `stoq scan` and `stoq run`: a pool of sandboxed processes or, with
 * --isolation=none, an engine in this one. One thread starts and stops it; submitting
 * and scanning may be done by any one thread in between.
 */

#include <jansson.h>

#include <stoq/stoq.h>

#include "cli/cli.h"
#include "cli/inputs.h"
#include "pool/pool.h"

struct cli_scanner {
    const struct cli_args *args;      /* borrowed */
    const struct stoq_config *config; /* borrowed */
    json_t *request_extra;            /* owned: of the command line */
    bool here;                        /* scan in this process */
    uint64_t interval_ns;             /* of --ratelimit, 0 = none */
    struct stoq *outputs;             /* output plugins, or NULL; owned */
    struct stoq *engine;              /* == outputs when here, else NULL */
    struct stoq_zygote zygote;
    struct stoq_pool *pool;
};

/** One thing to scan: a file, under the run's metadata, or a whole request. */
struct cli_work {
    struct cli_input in;          /**< owned; path, name and owner may be NULL */
    json_t *extra;                /**< extra_data, owned; NULL = {"filename": name} */
    struct stoq_request *request; /**< owned; then nothing else is set */
};
void cli_work_fini(struct cli_work *w);

/** Read the command line and load what scans. The process must have one thread.
 *  @p s is to be stopped also after a failure. */
int cli_scanner_load(struct cli_scanner *s, const struct cli_args *args,
                     const struct stoq_config *config, struct stoq_error *err);
/** Load output plugins and those of @p roles, and start. */
int cli_scanner_start(struct cli_scanner *s, unsigned roles, struct stoq_error *err);
void cli_scanner_stop(struct cli_scanner *s);

/** Wait until --ratelimit lets one more scan begin, or until @p fd, which may be -1,
 *  has input. */
void cli_scanner_wait(const struct cli_scanner *s, int fd);
/** Give @p w to the pool; its descriptor is taken. @return 0, or -errno and @p done is
 *  not called. */
int cli_scanner_submit(struct cli_scanner *s, struct cli_work *w, stoq_job_done done,
                       void *arg);
/** Scan @p w in this process; the response is finished. A request is used up, and is to
 *  be freed after the response. */
int cli_scanner_scan(struct cli_scanner *s, const struct cli_work *w,
                     struct stoq_response **out, struct stoq_error *err);

#endif
