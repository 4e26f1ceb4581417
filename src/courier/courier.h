/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_COURIER_COURIER_H
#define STOQ_COURIER_COURIER_H

/*
 * The courier: the process that runs archivers, decorators and connectors. It finishes
 * scans it is handed (archive, decorate) and delivers the outbox, retrying with backoff,
 * in order per connector. It has files and network, and parses no payload.
 */

#include <sys/types.h>

#include <stoq/stoq.h>

#include "pool/pool.h"

/** A started courier. */
struct stoq_courier {
    pid_t pid;
    int control; /**< SOCK_SEQPACKET; owned by the holder */
};

/** Fork a courier; this process must have one thread. @p db_path may not exist yet: it
 *  is opened at the first wake. @p label as for the zygote. */
int stoq_courier_spawn(const struct stoq_config *config, const char *db_path,
                       const char *label, struct stoq_courier *out,
                       struct stoq_error *err);
/** Wait until its plugins are loaded. Errors as stoq_zygote_wait(). */
int stoq_courier_wait(struct stoq_courier *c, int timeout_ms, struct stoq_error *err);
/** Close the socket: it makes one last pass over what is due, at most @p grace_ms, and
 *  ends. Reaps it. */
void stoq_courier_end(struct stoq_courier *c, int grace_ms);

/* ---- the mirror's end, client.c: one thread of its own, callbacks run on it ---- */

struct stoq_courier_client;

int stoq_courier_client_new(int control, struct stoq_courier_client **out,
                            struct stoq_error *err);
/** Fails what is still waiting (with the unfinished document) and joins the thread. */
void stoq_courier_client_free(struct stoq_courier_client *c);
/** The courier was restarted: use @p control (taken) and send again what is waiting. */
void stoq_courier_client_set(struct stoq_courier_client *c, int control);
/** New outbox rows are committed. Never blocks. Threads: any. */
void stoq_courier_client_wake(struct stoq_courier_client *c);
/** Archive and decorate. @p outcome is taken and handed to @p done with its document
 *  finished (or, on failure, with an error entry saying so). @p fd is the scanned file,
 *  borrowed (duplicated). Threads: any. @return 0 or -errno (then not taken). */
int stoq_courier_client_finish(struct stoq_courier_client *c, struct stoq_outcome *outcome,
                               int fd, stoq_job_done done, void *arg);

#endif
