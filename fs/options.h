/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_OPTIONS_H
#define STOQFS_OPTIONS_H

/*
 * The command line of stoqfs, parsed and checked. Read-only once main() has it.
 */

#include <stdbool.h>
#include <stdint.h>

#include <stoq/stoq.h>

#include "util/strbuf.h"

enum stoqfs_sidecars {
    STOQFS_SIDECARS_SCANNED, /**< listed once the result exists */
    STOQFS_SIDECARS_ALL,     /**< one listed per regular file */
    STOQFS_SIDECARS_HIDDEN,  /**< none listed, all can be named */
    STOQFS_SIDECARS_OFF      /**< there are none */
};

struct stoqfs_options {
    char *source;     /**< absolute, resolved; owned */
    char *mountpoint; /**< absolute, resolved; owned */
    char *state_dir;  /**< absolute; owned */
    bool foreground, debug;
    bool enforce;
    bool read_only;
    bool noatime;        /**< reading leaves no access times */
    bool nodiratime;     /**< nor does listing */
    bool nonempty;       /**< a mount point with entries in it is accepted */
    bool noallow_other;  /**< root mounts are for everybody unless this is set */
    bool passthrough;    /**< where the kernel has it and we may */
    bool strict;         /**< coherence=strict: the kernel caches nothing */
    bool rescan;         /**< stale results are scanned again in the background */
    bool watch_rules;    /**< reload when rule files change */
    bool reload_lenient; /**< also what is worse than before */
    enum stoqfs_sidecars sidecars;
    uint64_t deadline_ms; /**< longest a reader waits for a verdict */
    unsigned scanners;    /**< 0 = online cores */
    unsigned threads;     /**< FUSE loop threads */
    unsigned readahead;   /**< files scanned ahead of a reader; UINT_MAX: by scanners */
    struct stoq_config *config; /**< owned: file, then the command line's plugins */
    struct stoq_strv fuse_args; /**< "-o…" strings for libfuse, e.g. allow_other */
};

/** What main() shall do after parsing. */
enum stoqfs_action { STOQFS_RUN, STOQFS_DONE /**< --help or --version was printed */ };

/** Parse; messages for --help go to stdout. @return 0 or -EINVAL with one line. */
int stoqfs_options_parse(int argc, char **argv, struct stoqfs_options *out,
                         enum stoqfs_action *action, struct stoq_error *err);
void stoqfs_options_fini(struct stoqfs_options *o);

#endif
