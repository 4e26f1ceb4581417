/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQFS_NODE_IMPL_H
#define STOQFS_NODE_IMPL_H

/*
 * Inside the node table: node.c (table and counts), node_hash.c, node_arena.c (slots),
 * node_fd.c (descriptors and handles), node_path.c (names), node_state.c (counters).
 * One lock, held for pointer work only: no system call that can wait for the source is
 * made under it.
 *
 * A slot, in the shared memfd, is what a node is: enough to find its file again, also
 * by the mirror after this one (node_restore.c), which may start between any two
 * stores. A struct stoqfs_node, in private memory at the same index, is what this
 * process keeps beside it: descriptor, list links, counters.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "node.h"
#include "pass.h"
#include "session.h"

#define HANDLE_MAX  48U
#define NAME_NEAR   95U /* with its NUL; longer names are not in shared memory */
#define CHUNK_SLOTS 4096U
#define MOUNTS_MAX  STOQFS_MOUNTS_MAX
#define DEVS_MAX    STOQFS_DEVS_MAX

/** In shared memory. generation or kind 0: free. */
struct stoqfs_slot {
    uint64_t dev, ino; /* of a real node; a sidecar's version and base; virtual_id */
    uint64_t generation;
    uint64_t lookups;
    int32_t handle_type;
    uint32_t parent;     /* directory of a real node, 0 unknown */
    uint32_t type;       /* S_IFMT bits */
    uint16_t mount;      /* index of a struct mount_point */
    uint8_t handle_size; /* 0: no handle, the node keeps its descriptor */
    uint8_t kind;
    uint8_t handle[HANDLE_MAX];
    char name[NAME_NEAR]; /* in parent; "" unknown */
    atomic_uchar due;     /* written, and no result of that stored since */
};

/** Numbers stand for nodes in links, 0 for none. All but atomics: guarded by lock. */
struct stoqfs_node {
    union {
        uint64_t virtual_id;      /* of a DOT node */
        struct stoqfs_node *base; /* of a SIDECAR node, pinned; number in parent */
    } what;
    struct stoqfs_slot *slot;
    char *name; /* in parent, in the slot or owned; NULL unknown */
    uint32_t number;
    uint32_t parent;  /* directory, or a sidecar's base; pinned; 0 unknown */
    uint32_t sidecar; /* its sidecar's node, not pinned */
    uint32_t hash_next;
    uint32_t lru_prev, lru_next;
    uint32_t pins;
    uint32_t fd_refs; /* borrowers of fd */
    uint32_t type;    /* S_IFMT bits */
    int fd;           /* O_PATH, or -1 */
    uint8_t kind;     /* constant while in use; 0 free */
    bool keeps_fd;    /* cannot be reopened */
    bool orphan;      /* the supervisor holds it, too */
    bool in_lru;
    atomic_bool dirty;
    atomic_int writers;
    atomic_uint sidecars; /* nodes that have it as base */
    atomic_int listers;   /* open handles of a directory */
    atomic_uint listing;  /* counts changes its times do not show */
    atomic_ullong listed; /* digest of the listing the kernel has; 0 unknown */
    atomic_uint write_seq;
    atomic_ullong cached; /* digest of the identity the page cache was filled under */
    struct stoqfs_handles handles; /* guarded by the lock in pass.c */
    atomic_ullong told; /* digest of the attributes last given to the kernel */
};

/** A mount of the source side: how its handles are opened. */
struct mount_point {
    int id; /* the kernel's mount id */
    int fd; /* a directory on it, or -1 when handles do not work there */
};

struct chunk {
    uint32_t used;
    uint64_t bits[CHUNK_SLOTS / 64];
};

struct stoqfs_nodes {
    pthread_mutex_t lock;
    struct stoqfs_session *session;
    /* arena */
    int memfd; /* the session's */
    struct stoqfs_slot *slots;
    struct stoqfs_node *nodes;
    struct chunk *chunks;
    uint32_t capacity;    /* slots reserved */
    uint32_t chunks_made; /* chunks the memfd has room for */
    uint32_t hint;        /* no chunk below it has room */
    uint64_t used;
    /* hash of real nodes by (dev, ino); a newer node of a reused inode comes first */
    uint32_t *buckets;
    uint32_t bucket_count; /* power of two */
    uint64_t hashed;
    /* descriptors */
    uint32_t lru_head, lru_tail;
    uint64_t fds, fd_limit;
    struct mount_point mounts[MOUNTS_MAX];
    uint32_t mount_count;
    uint32_t dot[16]; /* nodes of .stoq by virtual_id, hashed; chained by hash_next */
};

/** What identifies an open file of the source. */
struct file_id {
    struct stat st;
    int mount_id; /* -1 unknown */
    int32_t handle_type;
    uint16_t mount;
    uint8_t handle_size;
    uint8_t handle[HANDLE_MAX];
};

/* node_arena.c */
/** Map what the session has, as if all of it were free. */
int stoqfs_arena_init(struct stoqfs_nodes *t);
void stoqfs_arena_fini(struct stoqfs_nodes *t);
/** A zeroed slot with number and generation set; NULL: -ENOMEM or full. */
struct stoqfs_node *stoqfs_arena_take_locked(struct stoqfs_nodes *t);
/** The slot @p number, which is free so far, is in use: make its node. */
struct stoqfs_node *stoqfs_arena_revive(struct stoqfs_nodes *t, uint32_t number);
void stoqfs_arena_give_locked(struct stoqfs_nodes *t, struct stoqfs_node *n);

/* node_hash.c */
void stoqfs_hash_add_locked(struct stoqfs_nodes *t, struct stoqfs_node *n);
/** Add a node of a former mirror's: newer ones of its inode stay before it. */
void stoqfs_hash_revive_locked(struct stoqfs_nodes *t, struct stoqfs_node *n);
void stoqfs_hash_remove_locked(struct stoqfs_nodes *t, const struct stoqfs_node *n);
/** The node of exactly that file, or NULL. */
struct stoqfs_node *stoqfs_hash_find_locked(const struct stoqfs_nodes *t,
                                            const struct file_id *id);
/** The node last made for that inode number, or NULL. */
struct stoqfs_node *stoqfs_hash_newest_locked(const struct stoqfs_nodes *t,
                                              uint64_t dev, uint64_t ino);
/** Take @p n out of a list linked by hash_next. */
void stoqfs_chain_remove_locked(struct stoqfs_nodes *t, uint32_t *link,
                                const struct stoqfs_node *n);
/** Small number of a device, given at first sight; DEVS_MAX: there are too many. */
uint32_t stoqfs_dev_index_locked(struct stoqfs_nodes *t, uint64_t dev);

/* node_fd.c */
/** Find out what @p fd (O_PATH or open) is. @p dir_fd: the directory it is in, or -1.
 */
int stoqfs_identify(struct stoqfs_nodes *t, int fd, int dir_fd, struct file_id *id);
/** Give @p fd to @p n unless it has one. @return descriptor to close after unlocking,
 *  or -1. */
int stoqfs_fd_store_locked(struct stoqfs_nodes *t, struct stoqfs_node *n, int fd);
/** Detach the node's descriptor. @return it, or -1. */
int stoqfs_fd_take_locked(struct stoqfs_nodes *t, struct stoqfs_node *n);
/** Over the limit: the least recently used descriptor, detached; else -1. */
int stoqfs_fd_evict_locked(struct stoqfs_nodes *t);
/** Close until the cache is within its limit. */
void stoqfs_fd_trim(struct stoqfs_nodes *t);

/* node.c */
static inline struct stoqfs_node *
stoqfs_at(const struct stoqfs_nodes *t, uint32_t number)
{
    return number ? &t->nodes[number] : NULL;
}
/** Drop a reference of @p number: @p lookups of the kernel's and @p pins. May free it
 * and then what it pinned. Takes the lock. */
void stoqfs_node_drop(struct stoqfs_nodes *t, uint32_t number, uint64_t lookups,
                      uint32_t pins);

/* node_path.c */
/** Set parent and name. @return a number whose pin is to be dropped after unlocking,
 * 0 = none. */
uint32_t stoqfs_name_set_locked(struct stoqfs_nodes *t, struct stoqfs_node *n,
                                struct stoqfs_node *parent, const char *name);
/** Free the name, if it is owned. */
void stoqfs_name_free(const struct stoqfs_nodes *t, struct stoqfs_node *n);

/* node_restore.c */
/** The nodes of the mirror before this one, if there was one, are there again.
 *  @p source_fd: of the root. Before there are threads. @return 0, -ENOENT there was
 *  none, -errno. */
int stoqfs_nodes_restore(struct stoqfs_nodes *t, int source_fd);
/** Whether that is its name already. */
bool stoqfs_name_is_locked(const struct stoqfs_node *n,
                           const struct stoqfs_node *parent, const char *name);

#endif
