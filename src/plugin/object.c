/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading shared objects and checking that they speak our ABI; see object.h.
 */

#include "plugin/object.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stoq/stoq.h>

#include "plugin/trust.h"
#include "util/auto.h"

/* A leak report or a race report must be able to name the plugin's functions. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEP_MAPPED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEEP_MAPPED 1
#endif
#endif
#ifndef KEEP_MAPPED
#define KEEP_MAPPED 0
#endif

/* Every ABI since the first has the fields up to and including the name. */
#define STRUCT_SIZE_MIN offsetof(struct stoq_plugin, thread_model)
#define STRUCT_SIZE_MAX 4096U

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct stoq_object *registry; /* guarded by registry_lock */

unsigned
stoq_plugin_roles(const struct stoq_plugin *plugin)
{
    return (plugin->scan ? STOQ_ROLE_WORKER : 0U) |
           (plugin->dispatch ? STOQ_ROLE_DISPATCHER : 0U) |
           (plugin->get ? STOQ_ROLE_SOURCE_ARCHIVER : 0U) |
           (plugin->archive ? STOQ_ROLE_DEST_ARCHIVER : 0U) |
           (plugin->decorate ? STOQ_ROLE_DECORATOR : 0U) |
           (plugin->save ? STOQ_ROLE_CONNECTOR : 0U) |
           (plugin->ingest ? STOQ_ROLE_PROVIDER : 0U);
}

static void
unload(void *handle)
{
    if (handle && !KEEP_MAPPED)
        (void)dlclose(handle);
}

#define FD_PATH_SIZE 128

/*
 * A path of descriptor @fd that was never used before. The dynamic linker compares
 * names first and answers with an object loaded earlier under the same one, so the
 * plain /proc/self/fd/N would give the wrong plugin once N is used again. The bits of a
 * serial number, written as "/" and "/.", make the name unique and mean nothing to the
 * kernel.
 */
static void
fd_path(int fd, char out[FD_PATH_SIZE])
{
    static atomic_uint serial;
    unsigned bits = atomic_fetch_add(&serial, 1U);
    size_t n = 0;
    for (const char *p = "/proc/self/fd"; *p; p++)
        out[n++] = *p;
    for (unsigned i = 0; i < 32; i++) {
        out[n++] = '/';
        if ((bits >> i) & 1U)
            out[n++] = '.';
    }
    (void)snprintf(out + n, FD_PATH_SIZE - n, "/%d", fd);
}

static int
load(const char *path, void **handle, struct stoq_error *err)
{
    STOQ_AUTOCLOSE int fd = stoq_trusted_open(path, err);
    if (fd < 0)
        return fd;
    int r = stoq_elf_check(fd, path, err);
    if (r < 0)
        return r;
    char name[FD_PATH_SIZE];
    fd_path(fd, name);
    *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (*handle)
        return 0;
    const char *why = dlerror();
    size_t skip = strlen(name);
    if (why && strncmp(why, name, skip) == 0 && strncmp(why + skip, ": ", 2) == 0)
        why += skip + 2;
    return stoq_error_set(err, STOQ_ERROR_ABI, -ENOEXEC, "%s: %s", path,
                          why ? why : "cannot be loaded");
}

static int
copy_entry(const char *path, const struct stoq_plugin *entry, struct stoq_plugin *out,
           struct stoq_error *err)
{
    if (!entry)
        return stoq_error_set(err, STOQ_ERROR_ABI, -ENOEXEC,
                              "%s: exports no " STOQ_PLUGIN_SYMBOL, path);
    /* the version first: another ABI may mean another layout */
    if (entry->abi_version != STOQ_ABI_VERSION)
        return stoq_error_set(err, STOQ_ERROR_ABI, -ENOEXEC,
                              "%s: plugin ABI %u, this library has %u", path,
                              entry->abi_version, STOQ_ABI_VERSION);
    size_t size = entry->struct_size;
    if (size < STRUCT_SIZE_MIN || size > STRUCT_SIZE_MAX)
        return stoq_error_set(err, STOQ_ERROR_ABI, -ENOEXEC,
                              "%s: struct_size %zu is out of range", path, size);
    struct stoq_plugin own = {0};
    memcpy(&own, entry, size < sizeof(own) ? size : sizeof(own));
    if (!own.name || !own.name[0])
        return stoq_error_set(err, STOQ_ERROR_ABI, -ENOEXEC,
                              "%s: plugin without a name", path);
    if (!stoq_plugin_roles(&own))
        return stoq_error_set(err, STOQ_ERROR_ABI, -ENOEXEC,
                              "%s: plugin without an operation", path);
    *out = own;
    return 0;
}

static struct stoq_object *
find_locked(void *handle)
{
    struct stoq_object *o = registry;
    while (o && o->handle != handle)
        o = o->next;
    return o;
}

/* The registered object of @handle with one more user, made when there is none. */
static struct stoq_object *
ref_locked(void *handle, const struct stoq_plugin *entry)
{
    struct stoq_object *o = find_locked(handle);
    if (!o) {
        o = calloc(1, sizeof(*o));
        if (!o)
            return NULL;
        if (pthread_mutex_init(&o->lock, NULL) != 0) {
            free(o);
            return NULL;
        }
        o->handle = handle;
        o->entry = entry;
        o->next = registry;
        registry = o;
    }
    o->refs++;
    return o;
}

int
stoq_object_open(const char *path, struct stoq_object **out, struct stoq_plugin *plugin,
                 struct stoq_error *err)
{
    void *handle = NULL;
    int r = load(path, &handle, err);
    if (r < 0)
        return r;
    const struct stoq_plugin *const *symbol = dlsym(handle, STOQ_PLUGIN_SYMBOL);
    const struct stoq_plugin *entry = symbol ? *symbol : NULL;
    r = copy_entry(path, entry, plugin, err);
    if (r == 0) {
        (void)pthread_mutex_lock(&registry_lock);
        struct stoq_object *object = ref_locked(handle, entry);
        (void)pthread_mutex_unlock(&registry_lock);
        if (object)
            *out = object;
        else
            r = stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "%s: out of memory",
                               path);
    }
    if (r < 0)
        unload(handle);
    return r;
}

static void
unlink_locked(struct stoq_object *object)
{
    struct stoq_object **at = &registry;
    while (*at && *at != object)
        at = &(*at)->next;
    if (*at)
        *at = object->next;
}

void
stoq_object_close(struct stoq_object *object)
{
    if (!object)
        return;
    void *handle = object->handle;
    (void)pthread_mutex_lock(&registry_lock);
    bool last = --object->refs == 0;
    if (last)
        unlink_locked(object);
    (void)pthread_mutex_unlock(&registry_lock);
    if (last) {
        (void)pthread_mutex_destroy(&object->lock);
        free(object);
    }
    unload(handle); /* each open has a reference of its own */
}
