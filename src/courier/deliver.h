/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_COURIER_DELIVER_H
#define STOQ_COURIER_DELIVER_H

/*
 * Delivery of the outbox: one lane per connector, each in the order of its rows. A row
 * that fails holds back its own lane, with growing pauses, and no other. A row leaves
 * the outbox only when its connector said that it is there to stay, so a courier that
 * dies in between delivers again. One that can never be delivered becomes a dead
 * letter, and the lane goes on. One thread: the courier's.
 */

#include <stdbool.h>
#include <stdint.h>

#include <stoq/stoq.h>

/** Longest one plugin may take before the courier gives up on itself, seconds. */
#define STOQ_COURIER_CALL_S 300

struct stoq_config;
struct stoq_bounds;
struct stoq_delivery;

/** What [outbox] of @p config bounds; for the store that fills it, too. */
void stoq_delivery_bounds(const struct stoq_config *config, struct stoq_bounds *out);

/** Lanes for every connector @p stoq is configured with. @p stoq and @p db_path are
 *  borrowed; the database need not exist. */
int stoq_delivery_new(struct stoq *stoq, const char *db_path,
                      struct stoq_delivery **out);
void stoq_delivery_free(struct stoq_delivery *d);
/** There may be new rows, and a new database. */
void stoq_delivery_wake(struct stoq_delivery *d);
/** Somebody else changed the database: rows may be due earlier than they were. */
void stoq_delivery_look_again(struct stoq_delivery *d);
/**
 * Try one row of one lane, the lanes taking turns.
 * @param wait_ms  out, when nothing was due: until something may be; -1 = until woken.
 * @return whether a row was tried.
 */
bool stoq_delivery_step(struct stoq_delivery *d, int *wait_ms);

#endif
