/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_POOL_SCANNER_H
#define STOQ_POOL_SCANNER_H

/*
 * The scanner process: takes jobs from its socket one after the other and answers each.
 * Entered by the zygote's child right after fork, never left.
 */

#include <stoq/stoq.h>

struct stoq_sandbox;

/** Enter @p sandbox, then serve @p sock until its other end closes. @return the exit
 *  status of the process. */
int stoq_scanner_main(struct stoq *stoq, struct stoq_sandbox *sandbox, int sock);

#endif
