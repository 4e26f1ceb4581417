/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_RELOAD_H
#define STOQFS_RELOAD_H

/*
 * The supervisor's side of reloading plugins and rules: a second zygote is started
 * beside the one in force, loads everything anew, and scans a payload on trial. Then it
 * is handed to the mirror, or ended: swapped whole, or not at all. Nothing here waits;
 * the supervisor's loop polls the descriptors and takes a step whenever it is woken.
 *
 * Read anew are the plugins' manifests and objects and all files they read when they
 * are opened, rules above all. Settings are not: options and stoq.cfg are those of the
 * mount, which the mirror and the courier have, too.
 *
 * A set that is worse than the one in force is refused: with a rule file that fails and
 * did not before, or on whose trial a plugin fails and did not before; -o
 * reload=lenient takes it. Callers: the supervisor. Threads: its only one.
 */

#include <poll.h>

#include "options.h"
#include "pool/trial.h"
#include "pool/zygote.h"
#include "reload_watch.h"
#include "rules.h"

#define STOQFS_RELOAD_FDS 2U

enum stoqfs_reload_state {
    STOQFS_RELOAD_IDLE,
    STOQFS_RELOAD_LOADING,
    STOQFS_RELOAD_TRYING
};

/** What is to be done after a step. */
enum stoqfs_reload_end {
    STOQFS_RELOAD_NOTHING,
    STOQFS_RELOAD_TELL, /**< tell the mirror: the report changed */
    STOQFS_RELOAD_SWAP  /**< take `next`, and tell the mirror */
};

struct stoqfs_reload {
    const struct stoqfs_options *o;
    enum stoqfs_reload_state state;
    struct stoq_zygote next; /**< being loaded, or ready to be taken */
    struct stoq_trial *trial;
    uint64_t until_ms;    /**< to be given up then */
    uint64_t asked;       /**< number of the last request */
    uint64_t serving;     /**< of the last one that this reload answers */
    bool again;           /**< asked since it began */
    bool forced, forcing; /**< swap also when nothing changed; the same of `again` */
    bool bad_trial;       /**< a plugin of the set in force fails on trial */
    bool next_bad_trial;
    uint64_t changed_ms, settle_ms;    /**< files changed: first seen; reload then */
    struct stoqfs_reload_watch *watch; /**< NULL without -o watch_rules */
    json_t *report;                    /**< see rules.h; owned */
};

void stoqfs_reload_init(struct stoqfs_reload *r, const struct stoqfs_options *o);
/** End what is under way. */
void stoqfs_reload_fini(struct stoqfs_reload *r);
/** In a forked child: close what is the parent's. */
void stoqfs_reload_forked(struct stoqfs_reload *r);
/** @p z is ready and in force, nobody else reading its socket: tries it, which takes a
 *  scan's time, and makes the report. After the start of the first and of one that was
 *  started because another died. */
void stoqfs_reload_started(struct stoqfs_reload *r, const struct stoq_zygote *z);
/** Reload, now or, when one is under way, after it. @p number of the request, 0 a
 *  signal. */
void stoqfs_reload_ask(struct stoqfs_reload *r, uint64_t number);

/** Descriptors to poll for input into @p p (STOQFS_RELOAD_FDS places). @return count.
 */
nfds_t stoqfs_reload_poll(const struct stoqfs_reload *r, struct pollfd *p);
/** How long poll(2) may wait, in ms; -1 for ever. */
int stoqfs_reload_timeout(const struct stoqfs_reload *r);
/** Do what can be done without waiting. */
enum stoqfs_reload_end stoqfs_reload_step(struct stoqfs_reload *r);
/** A child ended. @return whether it was the one being loaded. */
bool stoqfs_reload_child(struct stoqfs_reload *r, pid_t pid);

/** Send the report, with the zygote's socket @p zygote (-1 none, borrowed) and
 *  @p engine_id. A mirror that does not listen learns it when it is started again.
 *  @return 0 or -errno. */
int stoqfs_reload_tell(const struct stoqfs_reload *r, int control,
                       const char *engine_id, int zygote);

#endif
