/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_STOQFS_H
#define STOQFS_STOQFS_H

/*
 * What the mirror process is made of. One of it exists, made by mirror.c before there
 * are threads; the pointers do not change afterwards. Each room has a header and a lock
 * of its own:
 *
 *   session  session.h  what outlives the mirror
 *   journal  journal.h  requests under way, for the mirror after this one
 *   opens    opens.h    open files
 *   nodes    node.h     what the kernel knows by number, and how to reach it
 *   gate     gate.h     verdicts known, scans under way, who waits for them
 *   sidecar  sidecar.h  NAME.stoq.json
 *   dot      dot.h      MNT/.stoq
 *   cache    cache.h    what the kernel may believe, and for how long
 *   watch    watch.h    changes made behind the mount
 *   readahead readahead.h  scans ahead of whoever goes through a tree
 *   rules    rules.h    plugins and rules in force, reloading them
 *   stale    stale.h    results of older rules are scanned again
 *   pass     pass.h     the session on /dev/fuse, kernel passthrough
 *   ops      ops.h      the FUSE operations, by family
 *
 * Lock order: nodes.lock before gate.lock before whatever store, pool and courier lock.
 * No lock is held across a fuse_reply_*, a fuse_lowlevel_notify_* or a callback.
 */

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <jansson.h>
#include <stdatomic.h>

#include "courier/courier.h"
#include "options.h"
#include "pool/pool.h"
#include "store/store.h"

struct stoqfs_session;
struct stoqfs_journal;
struct stoqfs_opens;
struct stoqfs_nodes;
struct stoqfs_gate;
struct stoqfs_watch;
struct stoqfs_pass;
struct stoqfs_readahead;
struct stoqfs_rules;
struct stoqfs_stale;

/** Counters shown in status and metrics; relaxed atomics. */
struct stoqfs_counters {
    atomic_ullong opens, opens_warm, opens_waited, denied;
    atomic_ullong scans, reused_identity, reused_content;
    atomic_ullong verdicts[STOQ_VERDICT_COUNT];
    atomic_ullong interrupted, changed, watch_events, watch_overflows;
    atomic_ullong zygote_restarts, courier_restarts;
    atomic_ullong ahead_queued, ahead_used, ahead_wasted;
};

struct stoqfs {
    const struct stoqfs_options *options;
    struct fuse_session *se;
    int source_fd; /**< O_PATH|O_DIRECTORY of SRC, opened before mounting */
    struct stoqfs_session *session; /**< what outlives this mirror */
    struct stoqfs_journal *journal;
    struct stoqfs_opens *opens;
    struct stoqfs_nodes *nodes;
    struct stoqfs_gate *gate;
    struct stoqfs_pass *pass;
    struct stoqfs_watch *watch;         /**< NULL when inotify is not to be had */
    struct stoqfs_readahead *readahead; /**< NULL when it is off */
    struct stoqfs_rules *rules;
    struct stoqfs_stale *stale; /**< NULL with rescan=off */
    struct stoq_store *store;
    struct stoq_pool *pool;
    struct stoq_courier_client *courier; /**< NULL when nothing is configured for it */
    bool finish;                         /**< archivers or decorators are configured */
    char engine_id[STOQ_SHA256_HEX];     /**< when mounted */
    /** Of the zygote that scans now: another one when plugins or rules changed on disk
     * and the zygote was started again. Points to engine_id, or is owned. */
    _Atomic(const char *) engine_now;
    json_t *engine_facts; /**< of the zygote at start; read-only */
    uint64_t started_ms;  /**< stoq_now_ms() at mount */
    bool restarted;       /**< a mirror was there before */
    struct stoqfs_counters counters;
    atomic_bool vouched;  /**< cache.h: the watch tells of every change */
    atomic_uint listings; /**< cache.h: results of files in directories unknown */
};

/** Of a request: the mirror. */
static inline struct stoqfs *
stoqfs_of(fuse_req_t req)
{
    return (struct stoqfs *)fuse_req_userdata(req);
}

#endif
