/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_NODE_H
#define STOQFS_NODE_H

/*
 * The node table: an arena of slots in shared memory (memfd, grown in place of a large
 * reserved mapping), a node's number being its slot's. A slot names its file by file
 * handle with generation; beside it a bounded cache of O_PATH descriptors. Where
 * handles cannot be had or reopened (unprivileged, exotic sources) a node keeps its
 * descriptor.
 *
 * One inode of the source is one node, found by (dev, ino, generation of the handle).
 * Virtual nodes (sidecars, .stoq) live in the same table and have a kind.
 *
 * A node pointer is valid while the kernel counts a lookup of it, thus during any
 * request that names it, and while pinned. Threads: any.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "stoqfs.h"

enum stoqfs_kind {
    STOQFS_REAL = 1,    /**< something in the source */
    STOQFS_SIDECAR = 2, /**< result of `base` */
    STOQFS_DOT = 3,     /**< MNT/.stoq or something in it; `virtual_id` says what */
};

struct stoqfs_node;
struct stoqfs_handles;

struct stoqfs_session;

/** The table of the session's nodes: those of the mirror before this one are there
 *  again. @p session outlives the table. */
int stoqfs_nodes_new(int source_fd, struct stoqfs_session *session,
                     struct stoqfs_nodes **out, struct stoq_error *err);
void stoqfs_nodes_free(struct stoqfs_nodes *t);
/** Nodes in use, and descriptors held. */
void stoqfs_nodes_stats(struct stoqfs_nodes *t, uint64_t *nodes, uint64_t *fds);

/** By number; NULL for a number that is not in use. FUSE_ROOT_ID is SRC. */
struct stoqfs_node *stoqfs_node_get(struct stoqfs_nodes *t, fuse_ino_t ino);
fuse_ino_t stoqfs_node_number(const struct stoqfs_node *n);
enum stoqfs_kind stoqfs_node_kind(const struct stoqfs_node *n);
uint64_t stoqfs_node_virtual_id(const struct stoqfs_node *n);
/** S_IFMT bits of a real node. */
mode_t stoqfs_node_type(const struct stoqfs_node *n);
/** Distinguishes the uses of one number over time; for fuse_entry_param. */
uint64_t stoqfs_node_generation(struct stoqfs_nodes *t, const struct stoqfs_node *n);
/** Of a sidecar: its file's node. Borrowed, pinned as long as the sidecar lives. */
struct stoqfs_node *stoqfs_node_base(const struct stoqfs_node *n);

/**
 * Find or make the node of @p name in @p parent and count one lookup.
 * @param st  out: attributes, st_ino as shown to users (see stoqfs_node_shown_ino).
 * @return 0 or -errno (ENOENT, EACCES, ENAMETOOLONG, ENFILE, ESTALE...).
 */
int stoqfs_node_lookup(struct stoqfs_nodes *t, struct stoqfs_node *parent,
                       const char *name, struct stoqfs_node **out, struct stat *st);
/** Find or make the sidecar node of @p base for the result @p version; one lookup. Each
 *  version is a node of its own, so that what is open keeps its bytes in the kernel's
 *  cache when there is a newer result. */
int stoqfs_node_sidecar(struct stoqfs_nodes *t, struct stoqfs_node *base,
                        uint64_t version, struct stoqfs_node **out);
/** Of a sidecar: its version. */
uint64_t stoqfs_node_version(const struct stoqfs_nodes *t, const struct stoqfs_node *n);
/** Find or make the DOT node of @p id; one lookup. */
int stoqfs_node_dot(struct stoqfs_nodes *t, uint64_t id, struct stoqfs_node **out);
/** As stoqfs_node_lookup(), with st_ino the source's own. */
int stoqfs_node_lookup_raw(struct stoqfs_nodes *t, struct stoqfs_node *parent,
                           const char *name, struct stoqfs_node **out, struct stat *st);
/** The same for a file that was just created as @p name in @p parent and is open as
 *  @p fd (borrowed): what is there now under that name does not matter. */
int stoqfs_node_adopt(struct stoqfs_nodes *t, struct stoqfs_node *parent,
                      const char *name, int fd, struct stoqfs_node **out,
                      struct stat *st);
/** Count one more lookup of a node that is in use. */
void stoqfs_node_ref(struct stoqfs_nodes *t, struct stoqfs_node *n);
/** The kernel forgets @p count lookups (also undoes a lookup whose reply failed). */
void stoqfs_node_forget(struct stoqfs_nodes *t, fuse_ino_t ino, uint64_t count);
/** Keep @p n although the kernel may forget it. */
void stoqfs_node_pin(struct stoqfs_nodes *t, struct stoqfs_node *n);
void stoqfs_node_unpin(struct stoqfs_nodes *t, struct stoqfs_node *n);

/** A borrowed O_PATH descriptor of a real node; give it back with _put. -ESTALE when
 *  the file is gone, -EMFILE. */
int stoqfs_node_fd(struct stoqfs_nodes *t, struct stoqfs_node *n, int *fd);
void stoqfs_node_fd_put(struct stoqfs_nodes *t, struct stoqfs_node *n, int fd);
/** open(2) the node itself with @p flags (no O_NOFOLLOW trick needed: symlinks are
 *  never followed). @return descriptor (caller closes) or -errno. */
int stoqfs_node_open(struct stoqfs_nodes *t, struct stoqfs_node *n, int flags);
/** The same for reading that nobody asked for, or is not to be seen: it leaves no
 * access time where the file is ours to say so. */
int stoqfs_node_open_unseen(struct stoqfs_nodes *t, struct stoqfs_node *n, int flags);
/** openat(2), O_CLOEXEC, that makes room when out of descriptors. @return fd or -errno.
 */
int stoqfs_nodes_openat(struct stoqfs_nodes *t, int dir, const char *name, int flags);
/** Out of descriptors: drop half of the cached ones. @return whether any was dropped.
 */
bool stoqfs_nodes_relieve(struct stoqfs_nodes *t);
/** fstat of the node, st_ino still the source's own. */
int stoqfs_node_stat(struct stoqfs_nodes *t, struct stoqfs_node *n, struct stat *st);
/** The inode number shown to users for a source file: unique over the devices below
 *  SRC, never with the high bit; sidecars show the same with STOQFS_SIDECAR_INO set. */
uint64_t stoqfs_node_shown_ino(struct stoqfs_nodes *t, uint64_t dev, uint64_t ino);
#define STOQFS_SIDECAR_INO (UINT64_C(1) << 63)

/** Path below SRC ("" for SRC itself, no leading slash), raw bytes, by the names last
 *  seen. @return length or -ENAMETOOLONG/-ENOENT. */
int stoqfs_node_path(struct stoqfs_nodes *t, struct stoqfs_node *n, char *buf,
                     size_t size);
/** The node was renamed to @p name in @p parent. */
void stoqfs_node_renamed(struct stoqfs_nodes *t, struct stoqfs_node *n,
                         struct stoqfs_node *parent, const char *name);
/** The name @p name in @p parent is gone; the node's path, when it was that, is
 * unknown. */
void stoqfs_node_unnamed(struct stoqfs_nodes *t, struct stoqfs_node *n,
                         struct stoqfs_node *parent, const char *name);
/** The directory the node was last seen in, pinned; NULL when unknown and for SRC. */
struct stoqfs_node *stoqfs_node_parent(struct stoqfs_nodes *t, struct stoqfs_node *n);
/** The known node of a source inode, pinned, or NULL; for the watch. */
struct stoqfs_node *stoqfs_node_find(struct stoqfs_nodes *t, uint64_t dev,
                                     uint64_t ino);

/** Writers: opens for writing less closes. */
void stoqfs_node_writers_add(struct stoqfs_node *n, int delta);
int stoqfs_node_writers(const struct stoqfs_node *n);
/** Counts opens for writing and truncations: equal twice with no writers in between
 *  means that nobody wrote through the mount. */
unsigned stoqfs_node_write_seq(const struct stoqfs_node *n);
/** Set by write operations; tells and clears. It shall be scanned, also by the mirror
 *  after this one, until a result is stored (stoqfs_node_scanned()). */
void stoqfs_node_set_dirty(struct stoqfs_node *n);
bool stoqfs_node_take_dirty(struct stoqfs_node *n);
void stoqfs_node_set_due(struct stoqfs_node *n);
void stoqfs_node_scanned(struct stoqfs_node *n);
/** After a restart: call @p fn for each file that was written and, as far as known, not
 *  scanned since. The node is pinned meanwhile. */
void stoqfs_nodes_due(struct stoqfs_nodes *t,
                      void (*fn)(void *arg, struct stoqfs_node *n), void *arg);
/** The node's file, which is open, is about to lose its last name (or, @p yes false,
 *  has kept it): no handle will lead to it any more. */
void stoqfs_node_orphan(struct stoqfs_nodes *t, struct stoqfs_node *n, bool yes);
/** Identity under which the kernel's page cache of this node was filled; keep_cache is
 *  right when it is the same at the next open. Returns whether equal, and stores. */
bool stoqfs_node_cache_check(struct stoqfs_node *n, const struct stat *st);
/** Sidecar nodes of a file that the kernel may have. */
unsigned stoqfs_node_sidecars(const struct stoqfs_node *n);
/** Open handles of a directory. */
void stoqfs_node_listers_add(struct stoqfs_node *n, int delta);
/** A listing of directory @p n would show something else, whatever its times say. */
void stoqfs_node_listing_changed(struct stoqfs_node *n);
/** Whether the directory, with @p st and @p more to tell states apart, is as it was at
 *  the last call; that state is stored, but not when it is @p vague or when another
 *  handle may still be filling the kernel's copy with an older one. */
bool stoqfs_node_listing_check(struct stoqfs_node *n, const struct stat *st,
                               unsigned more, bool vague);
/** Call @p fn with the number of each node in use, unlocked: it may be gone by then. */
void stoqfs_nodes_each(struct stoqfs_nodes *t, void (*fn)(void *arg, fuse_ino_t ino),
                       void *arg);
/** How the node's handles read; for pass.c, and guarded by its lock. */
struct stoqfs_handles *stoqfs_node_handles(struct stoqfs_node *n);
/** The kernel is given these attributes; and whether they were the last it was given.
 */
void stoqfs_node_told(struct stoqfs_node *n, const struct stat *st);
bool stoqfs_node_was_told(const struct stoqfs_node *n, const struct stat *st);

/** The path by which an open descriptor's file can be reached, for calls that know no
 *  AT_EMPTY_PATH. Magic links: a symlink's own inode is reached, not its target. */
struct stoqfs_fd_path {
    char text[32];
};
const char *stoqfs_fd_path(int fd, struct stoqfs_fd_path *buf);

#endif
