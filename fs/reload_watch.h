/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_RELOAD_WATCH_H
#define STOQFS_RELOAD_WATCH_H

/*
 * inotify on the files and directories that plugins read when they are opened, for
 * -o watch_rules. A path is watched by its name in its directory, so that it is noticed
 * when it is replaced, removed, or comes into being; likewise each symbolic link on the
 * way. Directories are watched with what is below them, hidden names left out. Threads:
 * one; no lock.
 */

#include <jansson.h>
#include <stdbool.h>

struct stoqfs_reload_watch;

/** 0 or -errno of inotify_init1(2). */
int stoqfs_reload_watch_new(struct stoqfs_reload_watch **out);
/** NULL allowed. */
void stoqfs_reload_watch_free(struct stoqfs_reload_watch *w);
/** To be polled for input. Borrowed; stoqfs_reload_watch_set() makes another one. */
int stoqfs_reload_watch_fd(const struct stoqfs_reload_watch *w);
/** Watch @p paths, an array of strings, instead of what was watched before. What
 *  everybody may write to is not watched. */
void stoqfs_reload_watch_set(struct stoqfs_reload_watch *w, const json_t *paths);
/** Take in what happened. @return whether one of the paths may have changed. */
bool stoqfs_reload_watch_changed(struct stoqfs_reload_watch *w);

#endif
