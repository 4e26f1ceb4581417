/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_SCHEMA_H
#define STOQ_STORE_SCHEMA_H

/* The database's tables and every statement run on them, as text. Used by db.c alone.
 */

#include "store/db.h"

struct stoq_statement {
    unsigned roles; /**< enum stoq_db_role, or-ed */
    const char *text;
};

/** By enum stoq_stmt. */
extern const struct stoq_statement stoq_statements[STOQ_STMT_COUNT];
/** What makes an empty file a database of ours. */
extern const char stoq_schema[];
/** What makes a database of version 1 one of this version; in one transaction. */
extern const char stoq_schema_upgrade[];
/** Reads the first and last row of every table. */
extern const char stoq_schema_probe[];

#endif
