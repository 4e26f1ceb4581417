/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_PLUGIN_OBJECT_H
#define STOQ_PLUGIN_OBJECT_H

/*
 * Shared objects in memory: load one, copy its plugin struct, give it back.
 * An object that is loaded several times in a process (two engines) is one object here,
 * because its SERIAL lock must be one. Callers: loader.c.
 * Lock: a registry mutex inside, held for list operations only.
 */

#include <pthread.h>

#include <stoq/plugin.h>

struct stoq_object {
    void *handle;                    /**< of the first dlopen; later ones are equal */
    const struct stoq_plugin *entry; /**< in the object; lives while it is mapped */
    pthread_mutex_t lock;            /**< for STOQ_THREAD_SERIAL */
    unsigned refs;                   /**< guarded by the registry's lock */
    struct stoq_object *next;        /**< guarded by the registry's lock */
};

/**
 * Load the object at @p path (absolute).
 * @param plugin  out: its struct, as long as both sides know it, else zero. Its strings
 *                and tables live in the object.
 * @return 0; -ENOENT; -EPERM owner or mode; -ENOEXEC not loadable, no entry, wrong ABI,
 *         no name, no operation; -ENOMEM. On failure outputs are unchanged.
 */
int stoq_object_open(const char *path, struct stoq_object **out,
                     struct stoq_plugin *plugin, struct stoq_error *err);
/** Give @p object back; it is unmapped with its last user, except under sanitizers. */
void stoq_object_close(struct stoq_object *object);

/** enum stoq_role, or-ed, from the operations that are set. */
unsigned stoq_plugin_roles(const struct stoq_plugin *plugin);

#endif
