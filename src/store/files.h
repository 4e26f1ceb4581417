/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_STORE_FILES_H
#define STOQ_STORE_FILES_H

/*
 * The state directory: its lock, the database file's header, and moving what is not
 * ours or is damaged out of the way without ever deleting it. Used by store.c while
 * opening, before SQLite holds the file: closing a descriptor of it later would drop
 * the locks SQLite has on it.
 */

#include <stddef.h>

#include <stoq/error.h>

#define STOQ_DB_NAME "stoq.db"
/** Present: damage was met while the database was in use, read it all at the next open.
 */
#define STOQ_DB_SUSPECT "stoq.db.suspect"

/** Make @p dir when it is not there and open it. @return fd or -errno. */
int stoq_files_dir(const char *dir, struct stoq_error *err);
/** Take DIR/lock for as long as the descriptor is open. @return fd; -EBUSY; -errno. */
int stoq_files_lock(int dir_fd, const char *dir, struct stoq_error *err);
/** Look at the header of DIR/stoq.db. @return 0 it may be ours; -ENOENT there is none;
 *  -EUCLEAN it is something else, or cut short; other -errno it could not be read. */
int stoq_files_inspect(int dir_fd);
/** Rename DIR/stoq.db and its companions to stoq.db.corrupt-TIME. @p name gets that. */
int stoq_files_aside(int dir_fd, char *name, size_t size, struct stoq_error *err);
/** Make a new database so that it is seen whole or not at all. @p dir is the name of
 *  @p dir_fd. Nothing called stoq.db may be there. */
int stoq_files_create(const char *dir, int dir_fd, struct stoq_error *err);

#endif
